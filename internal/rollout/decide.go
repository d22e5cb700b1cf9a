package rollout

import (
	"fmt"
	"time"

	"gaggle/internal/fleet"
)

// Approval is what waits for a person between ready and proposed.
type Approval string

// The kinds of approval, by the words of the campaign file.
const (
	ApprovalNone   Approval = "none"
	ApprovalWave   Approval = "wave"
	ApprovalTarget Approval = "target"
)

// NoLimit as Snapshot.Limit means that money does not matter.
const NoLimit fleet.Money = -1

// Snapshot is all that a decision depends on.
type Snapshot struct {
	State    fleet.CampaignState
	Waves    []Cohort // in order
	Gate     Gate
	Approval Approval
	DryRun   bool
	Spent    fleet.Money
	Limit    fleet.Money // nothing more is bought once Spent reaches it; NoLimit for none
}

// Action is something to be carried out: one of OpenWave, AskApproval, MarkReached, UnmarkReached, Pause and Finish.
type Action interface{ action() }

// OpenWave moves the wave's pending targets to queued and marks it as opened. It is returned again while an opened
// wave has pending targets: a crash half-way, or targets that joined later.
type OpenWave struct{ Wave int }

// AskApproval tells people that a wave's changes are ready for their word, once.
type AskApproval struct{ Wave int }

// MarkReached sets Cohort.Reached to the time of the decision: all of the gate but its soak holds from now on.
type MarkReached struct {
	Wave  int
	Soaks time.Time // until then
}

// UnmarkReached clears Cohort.Reached: the gate holds no longer, so the next soak starts anew.
type UnmarkReached struct{ Wave int }

// Pause stops the campaign until a person resumes it.
type Pause struct {
	Code   fleet.Code
	Reason string
	Hint   string
}

// Finish says that nothing more will happen by itself: every target is at rest, Failed of them failed.
type Finish struct{ Failed int }

func (OpenWave) action()      {}
func (AskApproval) action()   {}
func (MarkReached) action()   {}
func (UnmarkReached) action() {}
func (Pause) action()         {}
func (Finish) action()        {}

// Decide returns what is to be done now, in order. It is deterministic, and idempotent: once its actions are carried
// out, the next snapshot asks for none of them again. A campaign that is not active gets no actions. When nothing
// but time passes, the next decision to look for is at Holds' Soaks.
func Decide(s Snapshot, now time.Time) []Action {
	if s.State != fleet.CampaignActive {
		return nil
	}
	if done, failed := s.atRest(); done {
		return []Action{Finish{failed}}
	}
	actions := append(s.asks(), s.lost(now)...)
	if s.Limit >= 0 && s.Spent >= s.Limit && s.count(0, fleet.Pending, fleet.Queued, fleet.Changing, fleet.Revising) > 0 {
		return append(actions, Pause{fleet.CodeBudget,
			fmt.Sprintf("the campaign's budget of %s is spent (%s)", s.Limit, s.Spent),
			"raise limits.campaignCost in the campaign file, then resume"})
	}
	for i, c := range s.Waves {
		if !c.Opened || c.Targets[fleet.Pending] > 0 {
			actions = append(actions, OpenWave{i})
		}
		if s.held(i+1) == 0 {
			break // nobody waits for this wave
		}
		h := Check(c, s.Gate, s.DryRun, now)
		if !h.Soaks.IsZero() && c.Reached.IsZero() {
			actions = append(actions, MarkReached{i, h.Soaks})
		}
		switch h.Verdict {
		case Waiting:
			return actions
		case Failing:
			return append(actions, Pause{fleet.CodeGate, fmt.Sprintf("%s cannot reach its gate: %s", s.name(i), h.Why), h.Hint})
		}
	}
	return actions
}

// Holds returns the wave that holds up the next one, and its health; -1 when none does.
func (s Snapshot) Holds(now time.Time) (wave int, h Health) {
	for i, c := range s.Waves {
		if s.held(i+1) == 0 {
			break
		}
		if h := Check(c, s.Gate, s.DryRun, now); h.Verdict != Passed {
			return i, h
		}
	}
	return -1, Health{Verdict: Passed}
}

// name is what a wave is called in a sentence.
func (s Snapshot) name(wave int) string {
	if name := s.Waves[wave].Name; name != "" {
		return fmt.Sprintf("wave %d (%s)", wave+1, name)
	}
	return fmt.Sprintf("wave %d", wave+1)
}

// MayPropose reports whether a ready target of a wave may become a pull request; approved is whether a person approved
// that very target.
func (s Snapshot) MayPropose(wave int, approved bool) bool {
	if s.DryRun || s.State != fleet.CampaignActive {
		return false
	}
	if wave < 0 || wave >= len(s.Waves) || !s.Waves[wave].Opened {
		return false // made by a dry run, or before the waves were dealt anew: its turn will come
	}
	switch s.Approval {
	case "", ApprovalNone:
		return true
	case ApprovalWave:
		return approved || s.Waves[wave].Approved
	case ApprovalTarget:
		return approved
	}
	return false
}

// asks returns the waves whose changes are all made and wait for a person.
func (s Snapshot) asks() []Action {
	var actions []Action
	if s.Approval != ApprovalWave || s.DryRun {
		return nil
	}
	for i, c := range s.Waves {
		busy := c.Targets[fleet.Pending] + c.Targets[fleet.Queued] + c.Targets[fleet.Changing]
		if c.Opened && !c.Approved && !c.Asked && busy == 0 && c.Targets[fleet.Ready] > 0 {
			actions = append(actions, AskApproval{i})
		}
	}
	return actions
}

// lost returns the waves that reached their gate once and do so no longer.
func (s Snapshot) lost(now time.Time) []Action {
	var actions []Action
	for i, c := range s.Waves {
		if !c.Reached.IsZero() && !Check(c, s.Gate, s.DryRun, now).Reached {
			actions = append(actions, UnmarkReached{i})
		}
	}
	return actions
}

// atRest reports whether no target moves any more, and how many of them failed.
func (s Snapshot) atRest() (bool, int) {
	failed := 0
	for _, c := range s.Waves {
		for state, n := range c.Targets {
			ended := state.AtRest() || s.DryRun && (state == fleet.Ready || state == fleet.Proposed)
			if n > 0 && !ended {
				return false, 0
			}
		}
		failed += c.Targets[fleet.Failed]
	}
	return true, failed
}

// held adds up the targets, from a wave on, that a wave's opening would let go on: pending ones, and whatever is not at
// rest in a wave that is not open, such as the diffs that a dry run made.
func (s Snapshot) held(from int) int {
	sum := 0
	for _, c := range s.Waves[min(from, len(s.Waves)):] {
		for state, n := range c.Targets {
			if state == fleet.Pending || !c.Opened && !state.AtRest() {
				sum += n
			}
		}
	}
	return sum
}

// count adds up the targets in some states, from a wave on.
func (s Snapshot) count(from int, states ...fleet.State) int {
	sum := 0
	for _, c := range s.Waves[min(from, len(s.Waves)):] {
		for _, state := range states {
			sum += c.Targets[state]
		}
	}
	return sum
}
