package report

import (
	"testing"

	"gaggle/internal/fleet"
)

// TestWaitsFor says of each standing of a target who is waited for.
func TestWaitsFor(t *testing.T) {
	const owner, author = "group:default/search", "group:default/platform"
	approval := func(c *Campaign) { c.Approval = true }
	merges := func(c *Campaign) { c.Merge = "approved" }
	for name, c := range map[string]struct {
		target    fleet.Target
		pull      PullFacts
		set       func(*Campaign)
		who, what string
	}{
		"a later wave":       {target: fleet.Target{State: fleet.Pending, Wave: 1}, who: byGaggle, what: nextWave},
		"ready, later wave":  {target: fleet.Target{State: fleet.Ready, Wave: 1}, set: approval, who: byGaggle, what: nextWave},
		"ready, not allowed": {target: fleet.Target{State: fleet.Ready}, set: approval, who: author, what: "approve the changes"},
		"ready, allowed":     {target: fleet.Target{State: fleet.Ready, Approved: true}, set: approval, who: byGaggle, what: "open the pull request"},
		"held":               {target: fleet.Target{State: fleet.Ready, Held: "frozen:\n<release>"}, who: owner, what: "have time for it: frozen: <release>"},
		"open":               {target: fleet.Target{State: fleet.Proposed}, who: owner, what: "review and merge"},
		"to be reviewed":     {target: fleet.Target{State: fleet.Proposed}, set: merges, who: owner, what: "review"},
		"approved":           {target: fleet.Target{State: fleet.Proposed}, pull: PullFacts{Approved: true}, who: owner, what: "merge what is approved"},
		"merged soon":        {target: fleet.Target{State: fleet.Proposed}, pull: PullFacts{Approved: true, CI: "passed"}, set: merges, who: byGaggle, what: "merge what is approved"},
		"checks run":         {target: fleet.Target{State: fleet.Proposed}, pull: PullFacts{Approved: true, CI: "pending"}, set: merges, who: byCI, what: "end the checks"},
		"checks fail":        {target: fleet.Target{State: fleet.Proposed}, pull: PullFacts{CI: "failed"}, who: owner, what: "look at the red checks"},
		"failed before":      {target: fleet.Target{State: fleet.Proposed}, pull: PullFacts{CI: "before", Approved: true}, set: merges, who: owner, what: "merge what is approved"},
		"handed over":        {target: fleet.Target{State: fleet.Proposed}, pull: PullFacts{CI: "failed", Asked: "ci: its checks fail"}, who: owner, what: "take over: its checks fail"},
		"somebody's":         {target: fleet.Target{State: fleet.Proposed}, pull: PullFacts{CI: "failed", Touched: true}, who: owner, what: "finish what a person pushed to it"},
		"canceled":           {target: fleet.Target{State: fleet.Failed}, set: func(c *Campaign) { c.State = fleet.CampaignCanceled }},
		"left alone":         {target: fleet.Target{State: fleet.Proposed}, pull: PullFacts{HandsOff: "ann"}, who: owner, what: "go on without Gaggle, as a person asked"},
	} {
		campaign := Campaign{Owner: author, State: fleet.CampaignActive, OpenWaves: 1}
		if c.set != nil {
			c.set(&campaign)
		}
		c.target.Owner = owner
		r := Build(Input{Campaign: campaign, Targets: []fleet.Target{c.target}, Pulls: []PullFacts{c.pull}, Now: noon})
		if c.what == "" {
			if len(r.Waiting) != 0 {
				t.Errorf("%s: %+v", name, r.Waiting)
			}
			continue
		}
		if len(r.Waiting) != 1 || r.Waiting[0].Who != c.who || r.Waiting[0].What != c.what {
			t.Errorf("%s: %+v", name, r.Waiting)
		}
	}
}
