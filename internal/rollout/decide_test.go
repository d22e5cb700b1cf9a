package rollout

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
)

// wave makes an opened cohort from words such as "3 merged, 1 failed"; "unopened" in front leaves it so.
func wave(text string) Cohort {
	c := Cohort{Opened: true, Targets: map[fleet.State]int{}}
	if rest, ok := strings.CutPrefix(text, "unopened "); ok {
		c.Opened, text = false, rest
	}
	for part := range strings.SplitSeq(text, ", ") {
		var n int
		var state fleet.State
		if _, err := fmt.Sscan(part, &n, &state); err != nil {
			panic(part)
		}
		c.Targets[state] = n
	}
	return c
}

func TestCheck(t *testing.T) {
	merged, success := Gate{Merged: 0.9, MinMerged: 4}, Gate{Success: 0.8}
	for _, tc := range []struct {
		wave string
		gate Gate
		dry  bool
		want Verdict
		why  string
	}{
		{"10 merged", merged, false, Passed, ""},
		{"9 merged, 1 proposed", merged, false, Passed, ""},
		{"8 merged, 2 proposed", merged, false, Waiting, "8 of 10 targets are merged, the gate needs 9"},
		{"9 merged, 1 failed", merged, false, Passed, ""},
		{"7 merged, 1 proposed, 2 failed", merged, false, Failing, "7 of 10 targets are merged, the gate needs 9; 2 failed or were closed"},
		{"8 merged, 2 closed", merged, false, Failing, "8 of 10 targets are merged, the gate needs 9; 2 failed or were closed"},
		{"2 merged", merged, false, Passed, ""}, // fewer than minMerged: all of them
		{"1 merged, 1 proposed", merged, false, Waiting, "1 of 2 targets are merged, the gate needs 2"},
		{"1 merged, 1 failed", merged, false, Failing, "1 of 2 targets are merged, the gate needs 2; 1 failed or were closed"},
		{"1 merged, 1 unchanged, 1 skipped, 1 canceled", merged, false, Passed, ""},
		{"5 unchanged", merged, false, Passed, ""},
		{"3 skipped, 2 canceled", Gate{Merged: 1, MinMerged: 100, Success: 1}, false, Passed, ""},
		{"4 proposed, 1 changing", success, false, Passed, ""},
		{"3 proposed, 1 revising, 1 ready", success, false, Waiting, "3 of 5 targets are proposed or merged, the gate needs 4"},
		{"3 proposed, 2 failed", success, false, Failing, "3 of 5 targets are proposed or merged, the gate needs 4; 2 failed or were closed"},
		{"1 failed", success, false, Failing, "0 of 1 targets are proposed or merged, the gate needs 1; 1 failed or were closed"},
		{"5 ready", merged, true, Passed, ""},
		{"4 ready, 1 changing", merged, true, Waiting, "4 of 5 targets are ready, the gate needs 5"},
		{"5 ready", merged, false, Waiting, "0 of 5 targets are merged, the gate needs 5"},
		{"9 queued", Gate{}, false, Passed, ""}, // no gate
		{"10 proposed, 90 failed", Gate{Success: 0.1}, false, Passed, ""},
		{"7 merged, 93 proposed", Gate{Merged: 0.07}, false, Passed, ""}, // 0.07*100 is 7.000000000000001
	} {
		tc.gate.Vetoed, tc.gate.Reverted = 1, 1
		got := Check(wave(tc.wave), tc.gate, tc.dry, time.Time{})
		if got.Verdict != tc.want || got.Why != tc.why {
			t.Errorf("%s, %+v, dry %v: %s, %q; want %s, %q", tc.wave, tc.gate, tc.dry, got.Verdict, got.Why, tc.want, tc.why)
		}
	}
}

func TestDecide(t *testing.T) {
	const (
		spent    = "the campaign's budget of $1.00 is spent ($1.20)"
		cannot   = "wave 1 cannot reach its gate: 1 of 3 targets are proposed or merged, the gate needs 3; 2 failed or were closed"
		overhint = "raise limits.campaignCost in the campaign file, then resume"
		gatehint = "retry its failed targets, cancel them, or lower rollout.gate in the campaign file; then resume"
	)
	asked := wave("2 ready")
	asked.Asked = true
	approved := wave("2 ready")
	approved.Approved = true
	for name, tc := range map[string]struct {
		s    Snapshot
		want []Action
	}{
		"the first wave opens":               {Snapshot{Waves: []Cohort{wave("unopened 2 pending"), wave("unopened 3 pending")}}, []Action{OpenWave{0}}},
		"a healthy wave opens the next":      {Snapshot{Waves: []Cohort{wave("2 proposed"), wave("unopened 3 pending")}}, []Action{OpenWave{1}}},
		"a wave under way holds the next up": {Snapshot{Waves: []Cohort{wave("1 proposed, 1 changing"), wave("unopened 3 pending")}}, nil},
		"an unhealthy wave pauses": {Snapshot{Waves: []Cohort{wave("1 proposed, 2 failed"), wave("unopened 3 pending")}},
			[]Action{Pause{fleet.CodeGate, cannot, gatehint}}},
		"an unhealthy last wave pauses nothing": {Snapshot{Waves: []Cohort{wave("2 proposed"), wave("1 proposed, 2 failed")}}, nil},
		"targets join an unhealthy last wave":   {Snapshot{Waves: []Cohort{wave("1 pending, 5 failed")}}, []Action{OpenWave{0}}},
		"a wave that went bad later holds up too": {Snapshot{Waves: []Cohort{wave("1 proposed, 2 closed"), wave("2 proposed"), wave("unopened 1 pending")}},
			[]Action{Pause{fleet.CodeGate, cannot, gatehint}}},
		"an unchanged wave holds nobody up": {Snapshot{Waves: []Cohort{wave("4 unchanged"), wave("unopened 3 pending")}}, []Action{OpenWave{1}}},
		"an emptied wave is passed on the way": {Snapshot{Waves: []Cohort{wave("4 merged"), wave("unopened 3 canceled"), wave("unopened 3 pending")}},
			[]Action{OpenWave{1}, OpenWave{2}}},
		"half-opened waves are opened on":     {Snapshot{Waves: []Cohort{wave("2 pending, 2 queued")}}, []Action{OpenWave{0}}},
		"nothing to do":                       {Snapshot{}, []Action{Finish{}}},
		"all at rest":                         {Snapshot{Waves: []Cohort{wave("2 merged, 1 closed"), wave("2 failed, 1 unchanged")}}, []Action{Finish{2}}},
		"open pull requests are followed":     {Snapshot{Waves: []Cohort{wave("2 merged, 1 proposed")}}, nil},
		"a dry run ends at ready":             {Snapshot{DryRun: true, Waves: []Cohort{wave("2 ready, 1 failed")}}, []Action{Finish{1}}},
		"a dry run opens waves by ready":      {Snapshot{DryRun: true, Gate: Gate{Merged: 1, MinMerged: 9}, Waves: []Cohort{wave("2 ready"), wave("unopened 3 pending")}}, []Action{OpenWave{1}}},
		"money spent pauses":                  {Snapshot{Spent: 1_200_000, Limit: fleet.Dollar, Waves: []Cohort{wave("1 proposed, 1 queued")}}, []Action{Pause{fleet.CodeBudget, spent, overhint}}},
		"money spent, nothing to buy":         {Snapshot{Spent: 1_200_000, Limit: fleet.Dollar, Waves: []Cohort{wave("1 proposed, 1 merged")}}, nil},
		"money spent, all at rest":            {Snapshot{Spent: 1_200_000, Limit: fleet.Dollar, Waves: []Cohort{wave("1 merged")}}, []Action{Finish{}}},
		"a wave is asked for":                 {Snapshot{Approval: ApprovalWave, Waves: []Cohort{wave("2 ready, 1 failed"), wave("unopened 1 pending")}}, []Action{AskApproval{0}, Pause{fleet.CodeGate, "wave 1 cannot reach its gate: 0 of 3 targets are proposed or merged, the gate needs 3; 1 failed or were closed", gatehint}}},
		"a wave is asked for once it is made": {Snapshot{Approval: ApprovalWave, Waves: []Cohort{wave("2 ready, 1 changing")}}, nil},
		"a wave is asked for once":            {Snapshot{Approval: ApprovalWave, Waves: []Cohort{asked}}, nil},
		"an approved wave is not asked for":   {Snapshot{Approval: ApprovalWave, Waves: []Cohort{approved}}, nil},
		"approval a target is its own":        {Snapshot{Approval: ApprovalTarget, Waves: []Cohort{wave("2 ready")}}, nil},
		"a paused campaign rests":             {Snapshot{State: fleet.CampaignPaused, Waves: []Cohort{wave("unopened 2 pending")}}, nil},
		"a canceled campaign rests":           {Snapshot{State: fleet.CampaignCanceled, Waves: []Cohort{wave("unopened 2 pending")}}, nil},
		"a done campaign rests":               {Snapshot{State: fleet.CampaignDone, Waves: []Cohort{wave("2 merged")}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.s.State == "" {
				tc.s.State = fleet.CampaignActive
			}
			if tc.s.Limit == 0 {
				tc.s.Limit = NoLimit
			}
			if (tc.s.Gate == Gate{}) {
				tc.s.Gate = Gate{Success: 0.8}
			}
			if got := Decide(tc.s, time.Time{}); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestAForgottenLimitBuysNothing(t *testing.T) {
	s := Snapshot{State: fleet.CampaignActive, Waves: []Cohort{wave("unopened 1 pending")}}
	if got := Decide(s, time.Time{}); len(got) != 1 || reflect.TypeOf(got[0]) != reflect.TypeFor[Pause]() {
		t.Errorf("got %v", got)
	}
}

func TestMayPropose(t *testing.T) {
	yes, no := Cohort{Opened: true, Approved: true}, Cohort{Opened: true}
	for _, tc := range []struct {
		s                  Snapshot
		wave               int
		approved, expected bool
	}{
		{Snapshot{Approval: ApprovalNone, Waves: []Cohort{no}}, 0, false, true},
		{Snapshot{Approval: ApprovalNone, Waves: []Cohort{no}, DryRun: true}, 0, true, false},
		{Snapshot{Approval: ApprovalWave, Waves: []Cohort{no}}, 0, false, false},
		{Snapshot{Approval: ApprovalWave, Waves: []Cohort{no}}, 0, true, true},
		{Snapshot{Approval: ApprovalWave, Waves: []Cohort{no, yes}}, 1, false, true},
		{Snapshot{Approval: ApprovalWave, Waves: []Cohort{yes}}, 1, false, false},
		{Snapshot{Approval: ApprovalWave, Waves: []Cohort{yes}}, -1, false, false},
		{Snapshot{Approval: ApprovalTarget, Waves: []Cohort{yes}}, 0, false, false},
		{Snapshot{Approval: ApprovalTarget, Waves: []Cohort{yes}}, 0, true, true},
		{Snapshot{Approval: "nonsense", Waves: []Cohort{yes}}, 0, true, false},
		{Snapshot{State: fleet.CampaignPaused, Approval: ApprovalNone, Waves: []Cohort{yes}}, 0, true, false},
	} {
		if tc.s.State == "" {
			tc.s.State = fleet.CampaignActive
		}
		if got := tc.s.MayPropose(tc.wave, tc.approved); got != tc.expected {
			t.Errorf("%+v, wave %d, approved %v: %v", tc.s, tc.wave, tc.approved, got)
		}
	}
}
