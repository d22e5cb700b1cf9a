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

// Action is something to be carried out: one of OpenWave, AskApproval, Pause and Finish.
type Action interface{ action() }

// OpenWave moves the wave's pending targets to queued and marks it as opened. It is returned again while an opened
// wave has pending targets: a crash half-way, or targets that joined later.
type OpenWave struct{ Wave int }

// AskApproval tells people that a wave's changes are ready for their word, once.
type AskApproval struct{ Wave int }

// Pause stops the campaign until a person resumes it.
type Pause struct {
	Code   fleet.Code
	Reason string
	Hint   string
}

// Finish says that nothing more will happen by itself: every target is at rest, Failed of them failed.
type Finish struct{ Failed int }

func (OpenWave) action()    {}
func (AskApproval) action() {}
func (Pause) action()       {}
func (Finish) action()      {}

// Decide returns what is to be done now, in order. It is deterministic, and idempotent: once its actions are carried
// out, the next snapshot asks for none of them again. A campaign that is not active gets no actions.
//
// The time is an argument although nothing depends on it yet: windows will, and callers hold a clock anyway.
func Decide(s Snapshot, _ time.Time) []Action {
	if s.State != fleet.CampaignActive {
		return nil
	}
	if done, failed := s.atRest(); done {
		return []Action{Finish{failed}}
	}
	actions := s.asks()
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
		switch h := Check(c, s.Gate, s.DryRun); h.Verdict {
		case Waiting:
			return actions
		case Failing:
			return append(actions, Pause{fleet.CodeGate,
				fmt.Sprintf("wave %d cannot reach its gate: %s", i+1, h.Why),
				"retry its failed targets, cancel them, or lower rollout.gate in the campaign file; then resume"})
		}
	}
	return actions
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
