package rollout

import (
	"maps"
	"math/big"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gaggle/internal/fleet"
)

// world is a campaign that an engine, people and chance work on. It moves targets along fleet.Moves only, and carries
// out what Decide says; after each step it checks the promises of package rollout.
type world struct {
	t       *rapid.T
	s       Snapshot
	targets []fleet.State
	wave    []int
}

func newWorld(t *rapid.T) *world {
	total := rapid.IntRange(0, 14).Draw(t, "targets")
	entries := rapid.SliceOfN(rapid.SampledFrom([]Wave{{Count: 1}, {Count: 2}, {Count: 5}, {Share: 1000}, {Share: 5000}, {Share: 10_000}}), 0, 4).Draw(t, "waves")
	share := rapid.SampledFrom([]float64{0, 0.1, 0.3, 0.5, 0.8, 0.9, 1})
	w := &world{t: t, s: Snapshot{
		State:    fleet.CampaignActive,
		Gate:     Gate{Merged: share.Draw(t, "merged"), MinMerged: rapid.IntRange(0, 6).Draw(t, "minMerged"), Success: share.Draw(t, "success")},
		Approval: rapid.SampledFrom([]Approval{ApprovalNone, ApprovalWave, ApprovalTarget}).Draw(t, "approval"),
		DryRun:   rapid.Bool().Draw(t, "dry"),
		Limit:    rapid.SampledFrom([]fleet.Money{NoLimit, 5, 100}).Draw(t, "limit"),
	}}
	_, sizes := Deal(entries, make([][]int, total), nil, 0)
	for i, size := range sizes {
		w.s.Waves = append(w.s.Waves, Cohort{})
		for range size {
			w.targets = append(w.targets, fleet.Pending)
			w.wave = append(w.wave, i)
		}
	}
	w.count()
	return w
}

// count brings the snapshot up to date.
func (w *world) count() {
	for i := range w.s.Waves {
		w.s.Waves[i].Targets = map[fleet.State]int{}
	}
	for i, state := range w.targets {
		w.s.Waves[w.wave[i]].Targets[state]++
	}
}

func (w *world) move(i int, to fleet.State) {
	if !fleet.CanMove(w.targets[i], to) {
		w.t.Fatalf("the model moves a target from %s to %s", w.targets[i], to)
	}
	w.targets[i] = to
	w.count()
}

// healthy decides a gate anew, from the words of the campaign file and in whole numbers.
func (w *world) healthy(wave int) bool {
	counted, good, merged := 0, 0, 0
	for i, state := range w.targets {
		if w.wave[i] != wave {
			continue
		}
		switch {
		case slices.Contains([]fleet.State{fleet.Unchanged, fleet.Skipped, fleet.Canceled}, state):
			continue
		case state == fleet.Merged, w.s.DryRun && slices.Contains([]fleet.State{fleet.Ready, fleet.Proposed, fleet.Revising}, state):
			good, merged = good+1, merged+1
		case state == fleet.Proposed:
			good++
		}
		counted++
	}
	enough := func(have int, share float64) bool {
		// have/counted >= share, with share read as tenths.
		tenths := int64(share*10 + 0.5)
		return big.NewRat(int64(have)*10, 1).Cmp(big.NewRat(tenths*int64(counted), 1)) >= 0
	}
	return enough(good, w.s.Gate.Success) && enough(merged, w.s.Gate.Merged) && merged >= min(w.s.Gate.MinMerged, counted)
}

// act takes Decide's actions and carries them out, checking each.
func (w *world) act() {
	before := clone(w.s)
	actions := Decide(w.s, time.Time{})
	if !reflect.DeepEqual(before, w.s) {
		w.t.Fatalf("Decide changed its snapshot: %+v, then %+v", before, w.s)
	}
	if again := Decide(clone(w.s), time.Time{}); !reflect.DeepEqual(actions, again) {
		w.t.Fatalf("%+v gives %+v, then %+v", w.s, actions, again)
	}
	if w.s.State != fleet.CampaignActive && len(actions) > 0 {
		w.t.Fatalf("a campaign that is %s gets %+v", w.s.State, actions)
	}
	for i, action := range actions {
		if w.s.State != fleet.CampaignActive {
			w.t.Fatalf("%+v comes after the campaign was stopped", actions[i:])
		}
		switch a := action.(type) {
		case OpenWave:
			w.open(a.Wave)
		case AskApproval:
			if c := w.s.Waves[a.Wave]; c.Asked || c.Approved || c.Targets[fleet.Ready] == 0 || w.s.Approval != ApprovalWave || w.s.DryRun {
				w.t.Fatalf("wave %d is asked for: %+v", a.Wave, c)
			}
			w.s.Waves[a.Wave].Asked = true
		case Pause:
			if a.Reason == "" || a.Hint == "" || a.Code == "" {
				w.t.Fatalf("a pause without a reason: %+v", a)
			}
			w.s.State = fleet.CampaignPaused
		case Finish:
			for i, state := range w.targets {
				if !state.AtRest() && !(w.s.DryRun && (state == fleet.Ready || state == fleet.Proposed)) {
					w.t.Fatalf("finished with target %d %s", i, state)
				}
			}
			w.s.State = fleet.CampaignDone
		}
	}
	if more := Decide(w.s, time.Time{}); len(more) > 0 {
		w.t.Fatalf("after %+v were carried out, %+v are asked for", actions, more)
	}
	w.notStuck()
}

func (w *world) open(wave int) {
	for earlier := range wave {
		if !w.s.Waves[earlier].Opened {
			w.t.Fatalf("wave %d opens before wave %d", wave, earlier)
		}
		if !w.healthy(earlier) {
			w.t.Fatalf("wave %d opens before the gate of wave %d: %+v, %+v", wave, earlier, w.s.Gate, w.s.Waves[earlier])
		}
	}
	if w.s.Limit >= 0 && w.s.Spent >= w.s.Limit {
		w.t.Fatalf("wave %d opens without money", wave)
	}
	for i, state := range w.targets {
		if w.wave[i] == wave && state == fleet.Pending {
			w.move(i, fleet.Queued)
		}
	}
	w.s.Waves[wave].Opened = true
}

// notStuck holds the second promise: a campaign that is active after its actions has something under way.
func (w *world) notStuck() {
	if w.s.State != fleet.CampaignActive {
		return
	}
	for i, state := range w.targets {
		switch c := w.s.Waves[w.wave[i]]; state {
		case fleet.Queued, fleet.Changing, fleet.Revising, fleet.Proposed:
			return
		case fleet.Ready:
			waits := w.s.Approval == ApprovalWave && !c.Approved && !c.Asked
			if !w.s.DryRun && !waits {
				return // the engine proposes it, or a person was asked or is listed
			}
		}
	}
	w.t.Fatalf("stuck: %+v", w.s)
}

// step is one thing that happens to a target that is not pending.
func (w *world) step(i int, to fleet.State) bool {
	from := w.targets[i]
	if from == fleet.Pending && to != fleet.Canceled && to != fleet.Skipped || !fleet.CanMove(from, to) {
		return false
	}
	if to == fleet.Proposed && from == fleet.Ready && !w.s.MayPropose(w.wave[i], w.s.Approval == ApprovalTarget) {
		return false
	}
	if to == fleet.Changing {
		w.s.Spent++
	}
	w.move(i, to)
	return true
}

// TestAnythingMayHappen lets targets take any allowed move, people approve, pause, resume, retry, cancel and edit the
// campaign, in any order.
func TestAnythingMayHappen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.act()
		for range rapid.IntRange(0, 80).Draw(t, "steps") {
			w.t = t
			switch rapid.IntRange(0, 11).Draw(t, "what") {
			default:
				if len(w.targets) > 0 {
					w.step(rapid.IntRange(0, len(w.targets)-1).Draw(t, "target"), rapid.SampledFrom(fleet.States).Draw(t, "state"))
				}
			case 0:
				if len(w.s.Waves) > 0 {
					w.s.Waves[rapid.IntRange(0, len(w.s.Waves)-1).Draw(t, "wave")].Approved = true
				}
			case 1:
				w.s.State = rapid.SampledFrom([]fleet.CampaignState{fleet.CampaignActive, fleet.CampaignPaused, fleet.CampaignActive}).Draw(t, "campaign")
			case 2:
				if len(w.s.Waves) > 0 { // a component joins a wave
					w.targets = append(w.targets, fleet.Pending)
					w.wave = append(w.wave, rapid.IntRange(0, len(w.s.Waves)-1).Draw(t, "joins"))
					w.count()
					if w.s.State == fleet.CampaignDone {
						w.s.State = fleet.CampaignActive
					}
				}
			}
			w.act()
		}
	})
}

// TestACampaignEnds drives every target to some end, with people who answer: they approve what they are asked, raise
// the budget when it is spent, and cancel what failed or loosen the gate when a wave is unhealthy.
func TestACampaignEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range 40 * (len(w.targets) + len(w.s.Waves) + 1) {
			w.act()
			if w.s.State == fleet.CampaignDone {
				return
			}
			if w.s.State == fleet.CampaignPaused {
				w.mend()
				continue
			}
			for i := range w.s.Waves {
				w.s.Waves[i].Approved = w.s.Waves[i].Approved || w.s.Waves[i].Asked
			}
			w.advance()
		}
		t.Fatalf("no end: %+v", w.s)
	})
}

// mend does what the hint of a pause says.
func (w *world) mend() {
	if w.s.Limit >= 0 && w.s.Spent >= w.s.Limit {
		w.s.Limit = w.s.Spent + 50
	}
	closed := false
	for i, state := range w.targets {
		if state == fleet.Failed {
			w.move(i, fleet.Canceled)
		}
		closed = closed || state == fleet.Closed
	}
	if closed {
		w.s.Gate = Gate{}
	}
	w.s.State = fleet.CampaignActive
}

// advance moves one target that can move, towards some end.
func (w *world) advance() {
	next := map[fleet.State][]fleet.State{
		fleet.Queued:   {fleet.Changing},
		fleet.Changing: {fleet.Ready, fleet.Ready, fleet.Unchanged, fleet.Failed, fleet.Skipped, fleet.Canceled},
		fleet.Ready:    {fleet.Proposed},
		fleet.Proposed: {fleet.Merged, fleet.Merged, fleet.Closed, fleet.Revising, fleet.Failed},
		fleet.Revising: {fleet.Proposed, fleet.Failed},
	}
	for i, state := range w.targets {
		to := next[state]
		if len(to) == 0 || state == fleet.Ready && w.s.DryRun {
			continue
		}
		if w.step(i, rapid.SampledFrom(to).Draw(w.t, "to")) {
			return
		}
	}
}

func clone(s Snapshot) Snapshot {
	s.Waves = slices.Clone(s.Waves)
	for i := range s.Waves {
		s.Waves[i].Targets = maps.Clone(s.Waves[i].Targets)
	}
	return s
}
