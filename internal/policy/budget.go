package policy

import (
	"fmt"

	"gaggle/internal/fleet"
)

// Level is one holder of a budget.
type Level struct {
	Name  string      // who holds it: "attempt", "target", "campaign"
	Key   string      // where the limit is set, such as "limits.cost"
	Limit fleet.Money // 0 means that nothing may be spent
	Spent fleet.Money // what the provider's replies came to
}

// Refusal is the error of a call that a level's budget does not allow.
func Refusal(l Level) *fleet.Error {
	e := &fleet.Error{Code: fleet.CodeBudget, Message: fmt.Sprintf("the %s's budget of %s is spent (%s)", l.Name, l.Limit, l.Spent)}
	if l.Key != "" {
		e.Hint = "raise " + l.Key + " in the campaign file"
	}
	return e
}
