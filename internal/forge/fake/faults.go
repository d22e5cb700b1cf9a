package fake

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

// Faults are the probabilities, per call, of what may go wrong; the zero value is a forge that always works.
type Faults struct {
	RateLimit float64 // forge_rate_limit, nothing done
	Timeout   float64 // forge_error over a deadline; done or not, evenly
	Before    float64 // forge_error, nothing done
	After     float64 // forge_error, done
	Stale     float64 // Get and Find answer from before the last change
	InARow    int     // most faults in a row for one call; defaults to 3
}

type outcome int

const (
	works outcome = iota
	limited
	timedOut
	timedOutDone
	failsBefore
	failsAfter
	stale
)

// dice decides what happens to each call.
type dice struct {
	mu     sync.Mutex
	seed   uint64
	faults Faults
	calls  map[string]int
	inARow map[string]int
	count  int
}

func (d *dice) roll(call string) outcome {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count++
	n := d.calls[call]
	d.calls[call]++
	most := d.faults.InARow
	if most == 0 {
		most = 3
	}
	if d.inARow[call] >= most {
		d.inARow[call] = 0
		return works
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%d", call, n)
	x := rand.New(rand.NewPCG(d.seed, h.Sum64())).Float64()
	for _, f := range []struct {
		p float64
		o outcome
	}{
		{d.faults.RateLimit, limited}, {d.faults.Timeout / 2, timedOut}, {d.faults.Timeout / 2, timedOutDone},
		{d.faults.Before, failsBefore}, {d.faults.After, failsAfter}, {d.faults.Stale, stale},
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

// before is the error of a call that ends before it does anything.
func (o outcome) before() error {
	switch o {
	case limited:
		return &fleet.Error{Code: fleet.CodeForgeRateLimit, Message: "the fake forge limits the rate", Err: &forge.RateLimit{After: time.Millisecond}}
	case timedOut:
		return fleet.Errorf(fleet.CodeForge, "the fake forge did not answer: %w", os.ErrDeadlineExceeded)
	case failsBefore:
		return fleet.Errorf(fleet.CodeForge, "the fake forge failed with status 502")
	}
	return nil
}

// after is the error of a call that has done its work.
func (o outcome) after() error {
	switch o {
	case timedOutDone:
		return fleet.Errorf(fleet.CodeForge, "the fake forge did not answer: %w", os.ErrDeadlineExceeded)
	case failsAfter:
		return fleet.Errorf(fleet.CodeForge, "the fake forge failed with status 500")
	}
	return nil
}

// Transient reports whether an error is one that this package makes up, which a retry may get past.
func Transient(err error) bool {
	code := fleet.CodeOf(err)
	return code == fleet.CodeForgeRateLimit || code == fleet.CodeForge && containsFake(err)
}
