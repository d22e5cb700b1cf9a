package policy

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// mergeablePull is a pull request that nothing holds back.
func mergeablePull() PullFacts {
	return PullFacts{Active: true, CI: "passed", Policy: "approved", Approvals: []string{"ann"}, Window: true, MaxRevisions: 2, Reminded: -1, Refreshed: -1}
}

func TestAttend(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		set  func(*PullFacts)
		step Step
		why  string
	}{
		"approved":            {func(*PullFacts) {}, StepMerge, "it was approved by ann"},
		"paused":              {func(f *PullFacts) { f.Active = false }, StepWait, "the campaign is not active"},
		"left alone":          {func(f *PullFacts) { f.HandsOff = "bob" }, StepWait, "bob asked Gaggle to leave it alone"},
		"a person's":          {func(f *PullFacts) { f.Touched, f.Conflicts = true, true }, StepWait, "a person works on the branch"},
		"conflict":            {func(f *PullFacts) { f.Conflicts = true }, StepRebase, "the base moved in the way of the change"},
		"asked for":           {func(f *PullFacts) { f.Requests = 1 }, StepRevise, "a reviewer asks for something"},
		"asked for too often": {func(f *PullFacts) { f.Requests, f.Revisions = 1, 2 }, StepAsk, "a reviewer asks for something, and it was revised 2 times already"},
		"red":                 {func(f *PullFacts) { f.CI, f.Blamed = "failed", true }, StepRevise, "its checks failed"},
		"red, revised enough": {func(f *PullFacts) { f.CI, f.Blamed, f.Revisions = "failed", true, 2 }, StepAsk, "its checks fail, and it was revised 2 times already"},
		"red as before":       {func(f *PullFacts) { f.CI = "failed" }, StepWait, "its checks fail, as they do without the change"},
		"objected to":         {func(f *PullFacts) { f.Objectors = []string{"bob"} }, StepWait, "bob asked for changes"},
		"not approved":        {func(f *PullFacts) { f.Approvals = nil }, StepWait, "nobody with write access approved it yet"},
		"the owner's never":   {func(f *PullFacts) { f.OwnerSays = "never" }, StepWait, "people merge it"},
		"auto, narrowed":      {func(f *PullFacts) { f.Policy, f.Approvals, f.OwnerSays = "auto", nil, "approved" }, StepWait, "nobody with write access approved it yet"},
		"auto, no evidence":   {func(f *PullFacts) { f.Policy, f.Approvals, f.Rule = "auto", nil, true }, StepWait, "too few earlier ones were merged unchanged by people"},
		"auto, numbered": {func(f *PullFacts) {
			f.Policy, f.Approvals, f.Rule, f.Risk, f.Proof = "auto", nil, true, "risk 4: size 4", "4 of 4"
		}, StepWait, "too few earlier ones were merged unchanged by people (4 of 4)"},
		"auto, too risky": {func(f *PullFacts) { f.Policy, f.Approvals, f.Risk = "auto", nil, "risk 44: size 4" }, StepWait, "merge.when does not allow it (risk 44: size 4)"},
		"auto, all numbers": {func(f *PullFacts) {
			f.Policy, f.Approvals, f.Rule, f.Evidence, f.Risk, f.Proof = "auto", nil, true, true, "risk 4: size 4", "9 of 9"
		}, StepMerge, "it passed everything that the campaign's policy asks for (risk 4: size 4; 9 of 9)"},
		"auto":                    {func(f *PullFacts) { f.Policy, f.Approvals, f.Rule, f.Evidence = "auto", nil, true, true }, StepMerge, "it passed everything that the campaign's policy asks for"},
		"at night":                {func(f *PullFacts) { f.Window = false }, StepWait, "its owner is not at work"},
		"quiet":                   {func(f *PullFacts) { f.Approvals, f.RemindAfter, f.Rested = nil, 3*day, 3*day }, StepRemind, "nothing happened for 3 days"},
		"quiet on an old base":    {func(f *PullFacts) { f.Approvals, f.RemindAfter, f.Rested, f.BaseMoved = nil, 3*day, 3*day, true }, StepRefresh, "nothing happened for 3 days, and the base went on"},
		"approved on an old base": {func(f *PullFacts) { f.Draft, f.RemindAfter, f.Rested, f.BaseMoved = true, 3*day, 3*day, true }, StepRemind, "nothing happened for 3 days"},
		"just refreshed": {func(f *PullFacts) {
			f.Approvals, f.RemindAfter, f.Rested, f.Refreshed = nil, 3*day, 59*time.Minute, 59*time.Minute
		}, StepWait, "nobody with write access approved it yet"},
		"refreshed": {func(f *PullFacts) {
			f.Approvals, f.RemindAfter, f.Rested, f.Refreshed = nil, 3*day, time.Hour, time.Hour
		}, StepRemind, "nothing happened, and it is up to date"},
		"refreshed, tests run": {func(f *PullFacts) {
			f.Approvals, f.CI, f.RemindAfter, f.Rested, f.Refreshed = nil, "pending", 3*day, time.Hour, time.Hour
		}, StepWait, "its checks run"},
		"quiet at night":            {func(f *PullFacts) { f.Approvals, f.RemindAfter, f.Rested, f.Window = nil, 3*day, 3*day, false }, StepWait, "its owner is not at work, and otherwise: nothing happened for 3 days"},
		"quiet for ever":            {func(f *PullFacts) { f.Approvals, f.CloseAfter, f.Reminded = nil, 7*day, 8*day }, StepClose, "nothing happened for 8 days after the reminder"},
		"a person's turn, at night": {func(f *PullFacts) { f.CI, f.Blamed, f.Revisions, f.Window = "failed", true, 2, false }, StepWait, "its owner is not at work, and otherwise: its checks fail, and it was revised 2 times already"},
	} {
		f := mergeablePull()
		c.set(&f)
		if step, why := Attend(f); step != c.step || why != c.why {
			t.Errorf("%s: %s, %q", name, step, why)
		}
	}
}

// TestOwnersAreLeftAlone: outside of the hours nothing is merged and nobody is asked, and who says never is never overruled.
func TestOwnersAreLeftAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hours := rapid.SampledFrom([]time.Duration{0, time.Hour, 200 * time.Hour})
		names := rapid.SliceOfN(rapid.SampledFrom([]string{"ann", "bob"}), 0, 2)
		f := PullFacts{
			Active: rapid.Bool().Draw(t, "active"), Conflicts: rapid.Bool().Draw(t, "conflicts"), Blamed: rapid.Bool().Draw(t, "blamed"), Requests: rapid.IntRange(0, 1).Draw(t, "requests"),
			CI: rapid.SampledFrom([]string{"", "pending", "passed", "failed", "none"}).Draw(t, "ci"), Revisions: rapid.IntRange(0, 2).Draw(t, "revisions"), MaxRevisions: 1,
			Policy: rapid.SampledFrom([]string{"never", "approved", "auto"}).Draw(t, "policy"), Approvals: names.Draw(t, "approvals"), Objectors: names.Draw(t, "objectors"),
			Rule: rapid.Bool().Draw(t, "rule"), Evidence: rapid.Bool().Draw(t, "evidence"), OwnerSays: rapid.SampledFrom([]string{"", "never", "approved"}).Draw(t, "owner"), Window: rapid.Bool().Draw(t, "window"),
			Rested: hours.Draw(t, "rested"), RemindAfter: hours.Draw(t, "remind"), Reminded: hours.Draw(t, "reminded") - 1, CloseAfter: hours.Draw(t, "close"), Refreshed: hours.Draw(t, "refreshed") - 1, BaseMoved: rapid.Bool().Draw(t, "moved"),
		}
		step, why := Attend(f)
		asks := step == StepMerge || step == StepAsk || step == StepRemind || step == StepClose
		if asks && !f.Window || step == StepMerge && (f.OwnerSays == "never" || f.OwnerSays == "approved" && len(f.Approvals) == 0) || why == "" || strings.HasSuffix(why, ".") {
			t.Fatalf("%+v: %s, %s", f, step, why)
		}
	})
}
