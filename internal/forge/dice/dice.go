package dice

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
)

// Face is something that may happen to a call, and how likely it is.
type Face[O any] struct {
	Odds    float64
	Outcome O
}

// Dice are thrown for each call. They may be thrown at once.
type Dice[O any] struct {
	seed  uint64
	most  int
	faces []Face[O]

	mu     sync.Mutex
	count  int
	thrown map[string]int
	inARow map[string]int
}

// New makes dice that show one of the faces at most so many times in a row for one call; 0 is for three times.
func New[O any](seed uint64, most int, faces ...Face[O]) *Dice[O] {
	return &Dice[O]{seed: seed, most: cmp.Or(most, 3), faces: faces, thrown: map[string]int{}, inARow: map[string]int{}}
}

// Roll says what happens to a call; the zero value is that nothing does.
func (d *Dice[O]) Roll(call string) (nothing O) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.thrown[call]
	d.thrown[call]++
	d.count++
	if d.inARow[call] >= d.most {
		d.inARow[call] = 0
		return nothing
	}
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%s/%d", call, n)
	x := rand.New(rand.NewPCG(d.seed, hash.Sum64())).Float64()
	for _, f := range d.faces {
		if x < f.Odds {
			d.inARow[call]++
			return f.Outcome
		}
		x -= f.Odds
	}
	d.inARow[call] = 0
	return nothing
}

// Rolls is how often they were thrown.
func (d *Dice[O]) Rolls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}
