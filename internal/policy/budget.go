package policy

import (
	"fmt"
	"math"

	"gaggle/internal/fleet"
)

// Level is one holder of a budget. A level without a limit is left out of the list.
type Level struct {
	Name     string      // who holds it: "attempt", "target", "campaign"
	Key      string      // where the limit is set, such as "limits.cost"
	Limit    fleet.Money // 0 means that nothing may be spent
	Spent    fleet.Money // what the provider's replies came to
	Reserved fleet.Money // what calls in flight may still come to
}

// Left is what the level can still spend, never negative.
func (l Level) Left() fleet.Money {
	return max(0, l.Limit-l.Spent-l.Reserved)
}

// MaySpend reports whether one more call may be made, how much it may cost at most, and which level is the tightest
// (the first of equals). Every level must agree: a child spends its parents' budget too. Without levels there is no limit.
func MaySpend(levels []Level) (left fleet.Money, tightest Level, ok bool) {
	left = math.MaxInt64
	for _, l := range levels {
		if l.Left() < left {
			left, tightest = l.Left(), l
		}
	}
	return left, tightest, left > 0
}

// Refusal is the error of a call that a level's budget does not allow.
func Refusal(l Level) *fleet.Error {
	e := &fleet.Error{Code: fleet.CodeBudget, Message: fmt.Sprintf("the %s's budget of %s is spent (%s)", l.Name, l.Limit, l.Spent)}
	if l.Reserved > 0 {
		e.Message = fmt.Sprintf("the %s's budget of %s is spent (%s, and %s reserved by calls under way)", l.Name, l.Limit, l.Spent, l.Reserved)
	}
	if l.Key != "" {
		e.Hint = "raise " + l.Key + " in the campaign file"
	}
	return e
}
