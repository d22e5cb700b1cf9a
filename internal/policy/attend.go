package policy

import (
	"fmt"
	"gaggle/internal/fleet"
	"slices"
	"strings"
	"time"
)

// PullFacts is all that decides what is done about an open pull request.
type PullFacts struct {
	Active    bool   // the campaign is; otherwise nothing is begun
	Touched   bool   // a person's commit stands on the branch
	HandsOff  string // who told Gaggle to leave it alone
	Asked     string // why a person was asked to go on
	Draft     bool
	Conflicts bool

	CI       string // pending, passed, failed, none; "" when not known
	Blamed   bool   // a check fails that passed before the change
	Requests int    // remarks by people with write access that ask for something and were not taken up yet

	Revisions    int // begun so far because of CI or reviewers
	MaxRevisions int

	Policy    string   // never, approved, auto
	Approvals []string // people with write access
	Objectors []string // of those, who ask for changes
	Rule      bool     // the campaign's rule lets auto merge it
	Evidence  bool     // people merged enough of the earlier waves unchanged
	Risk      string   // what Rule went by, for people
	Proof     string   // the numbers of Evidence, for people
	OwnerSays string   // "never" or "approved" where the owner narrows the policy
	Window    bool     // the owner may be disturbed now
	Queued    bool     // handed to the forge's merge queue already

	Rested      time.Duration // since something last happened on it
	RemindAfter time.Duration
	Reminded    time.Duration // since the reminder; negative when there was none
	CloseAfter  time.Duration // 0 for never
	BaseMoved   bool          // the default branch went on since the change was made; looked at once a reminder is due
	Refreshed   time.Duration // since the change was brought up to the base because it rested; negative when it was not
}

// Step is what to do next about an open pull request.
type Step string

// The steps.
const (
	StepWait    Step = "wait"
	StepRebase  Step = "rebase"  // replay the change on the base as it is now
	StepRefresh Step = "refresh" // the same, because it has rested for long
	StepRevise  Step = "revise"  // an attempt with what reviewers or CI say
	StepAsk     Step = "ask"     // hand it to a person, with what was tried
	StepMerge   Step = "merge"
	StepRemind  Step = "remind"
	StepClose   Step = "close"
)

// Attend decides the next step, and says why in a few words for the ledger or, with StepWait, for people who ask. People go
// first: what somebody pushed, said or refused is never overruled by what a machine thinks of it. Nobody is asked for
// anything outside of their hours.
func Attend(f PullFacts) (Step, string) {
	step, why := attend(f)
	if !f.Window && (step == StepAsk || step == StepRemind || step == StepClose) {
		return StepWait, atRest + ", and otherwise: " + why
	}
	return step, why
}

// Stricter is the one of two policies of merging that leaves more to people.
func Stricter(a, b string) string {
	for _, p := range []string{"never", "approved"} {
		if a == p || b == p {
			return p
		}
	}
	return a
}

// atRest is why nothing is asked of an owner.
const atRest = "its owner is not at work"

func attend(f PullFacts) (Step, string) {
	switch {
	case !f.Active:
		return StepWait, "the campaign is not active"
	case f.HandsOff != "":
		return StepWait, f.HandsOff + " asked Gaggle to leave it alone"
	case f.Touched:
		return StepWait, "a person works on the branch"
	case f.Queued && !f.Conflicts && f.CI != "failed":
		return StepWait, "it is in the merge queue"
	case f.Asked != "" && f.Requests == 0:
		return StepWait, "a person was asked to go on: " + f.Asked
	case f.Conflicts:
		return StepRebase, "the base moved in the way of the change"
	case f.Requests > 0 && f.Revisions < f.MaxRevisions:
		return StepRevise, "a reviewer asks for something"
	case f.Requests > 0:
		return StepAsk, fmt.Sprintf("a reviewer asks for something, and it was revised %d times already", f.Revisions)
	case f.CI == "failed" && f.Blamed && f.Revisions < f.MaxRevisions:
		return StepRevise, "its checks failed"
	case f.CI == "failed" && f.Blamed:
		return StepAsk, fmt.Sprintf("its checks fail, and it was revised %d times already", f.Revisions)
	}
	held := holds(f)
	if held == "" {
		return StepMerge, "it " + mergeable(f)
	}
	switch {
	case f.CloseAfter > 0 && f.Reminded >= f.CloseAfter:
		return StepClose, fmt.Sprintf("nothing happened for %s after the reminder", short(f.Reminded))
	case f.RemindAfter > 0 && f.Reminded < 0 && f.Refreshed >= 0 && f.Rested >= min(f.RemindAfter, afterRefresh) && f.CI != "pending":
		return StepRemind, "nothing happened, and it is up to date"
	case f.RemindAfter > 0 && f.Reminded < 0 && f.Refreshed < 0 && f.Rested >= f.RemindAfter && f.CI != "pending":
		if f.BaseMoved && !approved(f) {
			return StepRefresh, fmt.Sprintf("nothing happened for %s, and the base went on", short(f.Rested))
		}
		return StepRemind, fmt.Sprintf("nothing happened for %s", short(f.Rested))
	}
	return StepWait, held
}

// afterRefresh is how long what was refreshed rests before its reviewers are reminded: its checks run meanwhile.
const afterRefresh = time.Hour

func approved(f PullFacts) bool { return len(f.Approvals) > 0 }

// holds says why Gaggle does not merge it; "" when it does.
func holds(f PullFacts) string {
	approved := approved(f)
	switch {
	case f.Policy != "approved" && f.Policy != "auto" || f.OwnerSays == "never":
		return "people merge it"
	case len(f.Objectors) > 0:
		return strings.Join(f.Objectors, " and ") + " asked for changes"
	case f.Draft:
		return "it is a draft"
	case f.CI == "" || f.CI == "pending":
		return "its checks run"
	case f.CI == "failed":
		return "its checks fail, as they do without the change"
	case !approved && (f.Policy == "approved" || f.OwnerSays == "approved"):
		return "nobody with write access approved it yet"
	case !approved && !f.Rule:
		return "merge.when does not allow it" + numbers(f.Risk)
	case !approved && !f.Evidence:
		return "too few earlier ones were merged unchanged by people" + numbers(f.Proof)
	case !f.Window:
		return atRest
	}
	return ""
}

func mergeable(f PullFacts) string {
	if len(f.Approvals) > 0 {
		return "was approved by " + strings.Join(f.Approvals, " and ")
	}
	return "passed everything that the campaign's policy asks for" + numbers(f.Risk, f.Proof)
}

// numbers adds to a reason what it was judged by.
func numbers(list ...string) string {
	list = slices.DeleteFunc(list, func(s string) bool { return s == "" })
	if len(list) == 0 {
		return ""
	}
	return " (" + strings.Join(list, "; ") + ")"
}

// short writes a duration in the largest unit that says enough.
func short(d time.Duration) string {
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int(d / u.of); n > 0 {
			return fleet.Count(n, u.name)
		}
	}
	return d.Round(time.Second).String()
}
