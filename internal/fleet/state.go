package fleet

import (
	"fmt"
	"strings"
)

// State is how far a target has come. The words are those of the documentation, flags, tables and API.
type State string

// The states of a target.
const (
	Pending   State = "pending"   // selected, its wave not open
	Queued    State = "queued"    // may run
	Changing  State = "changing"  // an attempt is under way
	Ready     State = "ready"     // a verified and judged diff is stored, nothing is pushed
	Proposed  State = "proposed"  // the pull request is open
	Revising  State = "revising"  // an attempt runs with feedback from CI, a reviewer or a moved base
	Merged    State = "merged"    // at rest: the pull request was merged
	Closed    State = "closed"    // at rest: the pull request was closed without a merge
	Unchanged State = "unchanged" // at rest: the change had nothing to do here
	Failed    State = "failed"    // at rest: with a machine-readable reason; can be retried
	Skipped   State = "skipped"   // at rest: opted out, excluded or gone
	Canceled  State = "canceled"  // at rest: a person stopped it
)

// States lists every state in the order of a target's life.
var States = []State{Pending, Queued, Changing, Ready, Proposed, Revising, Merged, Closed, Unchanged, Failed, Skipped, Canceled}

// Move is one allowed step between two states, with the occasion for it.
type Move struct {
	From, To State
	Why      string
}

// Moves is the one table of allowed moves. Documentation is rendered from it and the store refuses any other.
var Moves = []Move{
	{Pending, Queued, "its wave opened"},
	{Pending, Skipped, "it no longer matches, opted out, or its repository is gone"},
	{Pending, Canceled, "a person canceled it"},

	{Queued, Changing, "an attempt started"},
	{Queued, Skipped, "it no longer matches, opted out, or its repository is gone"},
	{Queued, Failed, "its repository could not be read"},
	{Queued, Canceled, "a person canceled it"},

	{Changing, Ready, "a diff was verified and judged"},
	{Changing, Unchanged, "the change had nothing to do"},
	{Changing, Failed, "no attempt within the limits was good enough"},
	{Changing, Skipped, "its repository is gone or empty"},
	{Changing, Queued, "the attempt was lost or interrupted"},
	{Changing, Canceled, "a person canceled it"},

	{Ready, Proposed, "the pull request is open"},
	{Ready, Queued, "the base moved or a person asked for another attempt"},
	{Ready, Failed, "the pull request could not be opened"},
	{Ready, Merged, "its pull request turned out to be merged"},
	{Ready, Closed, "its pull request turned out to be closed by a person"},
	{Ready, Skipped, "its repository is gone"},
	{Ready, Canceled, "a person canceled it"},

	{Proposed, Ready, "the pull request that it shared was taken apart: it gets its own"},
	{Proposed, Merged, "the pull request was merged"},
	{Proposed, Closed, "the pull request was closed"},
	{Proposed, Revising, "CI, a reviewer or a moved base asked for a revision"},
	{Proposed, Failed, "the pull request is lost"},
	{Proposed, Canceled, "a person canceled it"},

	{Revising, Proposed, "the revision was pushed, or was not needed"},
	{Revising, Failed, "no revision within the limits was good enough"},
	{Revising, Merged, "the pull request was merged meanwhile"},
	{Revising, Closed, "the pull request was closed meanwhile"},
	{Revising, Canceled, "a person canceled it"},

	{Failed, Queued, "a person asked for a retry"},
	{Failed, Canceled, "a person canceled it"},
	{Unchanged, Queued, "the base or the change is new"},
	{Skipped, Pending, "it matches again, and waits for its wave"},
	{Skipped, Queued, "a person asked for a retry"},
	{Canceled, Queued, "a person asked for a retry"},
	{Closed, Queued, "a person asked for a retry"},
	{Merged, Queued, "the base or the change is new"},
}

// CanMove reports whether the table allows the move.
func CanMove(from, to State) bool {
	for _, m := range Moves {
		if m.From == from && m.To == to {
			return true
		}
	}
	return false
}

// AtRest reports whether nothing more happens to a target in this state unless a person asks.
func (s State) AtRest() bool {
	switch s {
	case Merged, Closed, Unchanged, Failed, Skipped, Canceled:
		return true
	}
	return false
}

// Valid reports whether s is one of States.
func (s State) Valid() bool {
	for _, known := range States {
		if s == known {
			return true
		}
	}
	return false
}

// ParseState reads a state as a person types it, or explains which there are.
func ParseState(text string) (State, error) {
	s := State(strings.ToLower(strings.TrimSpace(text)))
	if !s.Valid() {
		return "", &Error{Code: CodeInvalid, Message: fmt.Sprintf("%q is not a state", text), Hint: "one of " + joinStates(States)}
	}
	return s, nil
}

func joinStates(states []State) string {
	words := make([]string, len(states))
	for i, s := range states {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}

// Diagram renders Moves as one line a state, for ARCHITECTURE.md; a test keeps the two equal.
func Diagram() string {
	var b strings.Builder
	for _, from := range States {
		var to []State
		for _, m := range Moves {
			if m.From == from {
				to = append(to, m.To)
			}
		}
		if len(to) == 0 {
			fmt.Fprintf(&b, "%-10s (end)\n", from)
			continue
		}
		fmt.Fprintf(&b, "%-10s -> %s\n", from, joinStates(to))
	}
	return b.String()
}

// CampaignState is whether a campaign works.
type CampaignState string

// The states of a campaign.
const (
	CampaignActive   CampaignState = "active"   // its targets advance
	CampaignPaused   CampaignState = "paused"   // no new step starts; attempts under way end
	CampaignDone     CampaignState = "done"     // every target is at a good rest for its mode
	CampaignCanceled CampaignState = "canceled" // a person stopped it for good
)
