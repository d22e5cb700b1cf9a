package simulator

import "gaggle/internal/forge/dice"

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

func newDice(seed uint64, f Faults) *dice.Dice[outcome] {
	return dice.New(seed, f.InARow, dice.Face[outcome]{Odds: f.Limit, Outcome: limited},
		dice.Face[outcome]{Odds: f.Before / 2, Outcome: failsBefore}, dice.Face[outcome]{Odds: f.Before / 2, Outcome: hangsUpBefore},
		dice.Face[outcome]{Odds: f.After / 2, Outcome: failsAfter}, dice.Face[outcome]{Odds: f.After / 2, Outcome: hangsUpAfter},
		dice.Face[outcome]{Odds: f.Cut, Outcome: cut})
}
