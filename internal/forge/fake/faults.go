package fake

import (
	"os"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/dice"
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

func newDice(seed uint64, f Faults) *dice.Dice[outcome] {
	return dice.New(seed, f.InARow, dice.Face[outcome]{Odds: f.RateLimit, Outcome: limited},
		dice.Face[outcome]{Odds: f.Timeout / 2, Outcome: timedOut}, dice.Face[outcome]{Odds: f.Timeout / 2, Outcome: timedOutDone},
		dice.Face[outcome]{Odds: f.Before, Outcome: failsBefore}, dice.Face[outcome]{Odds: f.After, Outcome: failsAfter},
		dice.Face[outcome]{Odds: f.Stale, Outcome: stale})
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
