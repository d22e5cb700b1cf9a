package simulator

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
)

// Faults are the probabilities, for each request, of what may go wrong. The zero value is a host that always works.
type Faults struct {
	Limit  float64 // asked to wait, nothing done
	Before float64 // status 502 or a hang-up, nothing done
	After  float64 // the same, done
	Cut    float64 // done, and half of the JSON is sent
	InARow int     // most in a row for one request; defaults to 3
}

type outcome int

const (
	works outcome = iota
	limited
	failsBefore
	hangsUpBefore
	failsAfter
	hangsUpAfter
	cut
)

type dice struct {
	seed   uint64
	faults Faults
	thrown map[string]int
	inARow map[string]int
}

func newDice(seed uint64, faults Faults) dice {
	if faults.InARow == 0 {
		faults.InARow = 3
	}
	return dice{seed, faults, map[string]int{}, map[string]int{}}
}

func (d *dice) roll(call string) outcome {
	n := d.thrown[call]
	d.thrown[call]++
	if d.inARow[call] >= d.faults.InARow {
		d.inARow[call] = 0
		return works
	}
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%s/%d", call, n)
	x := rand.New(rand.NewPCG(d.seed, hash.Sum64())).Float64()
	for _, f := range []struct {
		p float64
		o outcome
	}{
		{d.faults.Limit, limited}, {d.faults.Before / 2, failsBefore}, {d.faults.Before / 2, hangsUpBefore},
		{d.faults.After / 2, failsAfter}, {d.faults.After / 2, hangsUpAfter}, {d.faults.Cut, cut},
	} {
		if x < f.p {
			d.inARow[call]++
			return f.o
		}
		x -= f.p
	}
	d.inARow[call] = 0
	return works
}
