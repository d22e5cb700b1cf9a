package rollout

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"time"

	"pgregory.net/rapid"

	"gaggle/internal/fleet"
)

// world is a campaign that an engine, people, a forge and chance work on. It moves targets along fleet.Moves only, and
// carries out what Decide says; after each step it checks the promises of package rollout.
type world struct {
	t       *rapid.T
	s       Snapshot
	now     time.Time
	targets []target
	held    []time.Time // by wave: since when the gate holds, its soak apart; zero when it does not
}

type target struct {
	state    fleet.State
	wave     int
	ci       int // what CI says of the pull request, and where the change is deployed: one of the words below
	deploy   int
	vetoed   bool
	reverted bool
}

const (
	nothing = iota
	pending
	good
	bad
)

func newWorld(t *rapid.T) *world {
	total := rapid.IntRange(0, 14).Draw(t, "targets")
	entries := rapid.SliceOfN(rapid.SampledFrom([]Wave{{Count: 1}, {Count: 2}, {Count: 5}, {Share: 1000}, {Share: 5000}, {Share: 10_000}, {Where: "true"}}), 0, 4).Draw(t, "waves")
	share := rapid.SampledFrom([]float64{0, 0.1, 0.3, 0.5, 0.8, 0.9, 1})
	most := rapid.SampledFrom([]float64{1, 1, 1, 0.5, 0.1, 0})
	least := rapid.SampledFrom([]float64{0, 0, 0, 0.5, 0.9, 1})
	w := &world{t: t, now: time.Unix(1_700_000_000, 0).UTC(), s: Snapshot{
		State: fleet.CampaignActive,
		Gate: Gate{Merged: share.Draw(t, "merged"), MinMerged: rapid.IntRange(0, 6).Draw(t, "minMerged"), Success: share.Draw(t, "success"),
			Checks: least.Draw(t, "checks"), Vetoed: most.Draw(t, "vetoed"), Reverted: most.Draw(t, "reverted"), Deployed: least.Draw(t, "deployed"),
			Soak: rapid.SampledFrom([]time.Duration{0, 0, time.Nanosecond, time.Hour, 30 * time.Hour}).Draw(t, "soak")},
		Approval: rapid.SampledFrom([]Approval{ApprovalNone, ApprovalWave, ApprovalTarget}).Draw(t, "approval"),
		DryRun:   rapid.Bool().Draw(t, "dry"),
		Limit:    rapid.SampledFrom([]fleet.Money{NoLimit, 5, 100}).Draw(t, "limit"),
	}}
	belongs := make([][]int, total)
	for i := range belongs {
		for e, entry := range entries {
			if entry.Cohort() && rapid.Bool().Draw(t, "belongs") {
				belongs[i] = append(belongs[i], e)
			}
		}
	}
	waves, sizes := Deal(entries, belongs, nil, 0)
	w.s.Waves, w.held = make([]Cohort, len(sizes)), make([]time.Time, len(sizes))
	for _, wave := range waves {
		w.targets = append(w.targets, target{state: fleet.Pending, wave: wave})
	}
	w.count()
	return w
}

// count brings the snapshot up to date.
func (w *world) count() {
	for i, c := range w.s.Waves {
		w.s.Waves[i] = Cohort{Opened: c.Opened, Approved: c.Approved, Asked: c.Asked, Reached: c.Reached, Targets: map[fleet.State]int{}}
	}
	for _, t := range w.targets {
		c := &w.s.Waves[t.wave]
		c.Targets[t.state]++
		if t.state == fleet.Failed && t.vetoed {
			c.Vetoed++
		}
		if t.state == fleet.Proposed || t.state == fleet.Merged {
			*[]*int{nothing: new(int), pending: &c.CIPending, good: &c.CIPassed, bad: &c.CIFailed}[t.ci]++
		}
		if t.state == fleet.Merged {
			*[]*int{nothing: new(int), pending: &c.DeployPending, good: &c.Deployed, bad: &c.DeployFailed}[t.deploy]++
			if t.reverted {
				c.Reverted++
			}
		}
	}
}

func (w *world) move(i int, to fleet.State) {
	t := &w.targets[i]
	if !fleet.CanMove(t.state, to) {
		w.t.Fatalf("the model moves a target from %s to %s", t.state, to)
	}
	switch to {
	case fleet.Proposed:
		t.ci = rapid.SampledFrom([]int{nothing, pending}).Draw(w.t, "ci")
	case fleet.Merged:
		t.deploy = rapid.SampledFrom([]int{nothing, pending}).Draw(w.t, "deployment")
	case fleet.Failed:
		t.vetoed = rapid.Bool().Draw(w.t, "vetoed")
	case fleet.Queued:
		*t = target{wave: t.wave}
	}
	t.state = to
	w.count()
}

// tell lets CI or a deployment have an answer about a target, or a person revert it.
func (w *world) tell(i int, what int) {
	switch t := &w.targets[i]; what {
	case 0:
		t.ci = rapid.IntRange(pending, bad).Draw(w.t, "ci")
	case 1:
		t.deploy = rapid.IntRange(pending, bad).Draw(w.t, "deployment")
	case 2:
		t.reverted = !t.reverted
	}
	w.count()
}

// healthy decides a gate anew, from the words of the campaign file and in whole numbers; its soak apart.
func (w *world) healthy(wave int) bool {
	counted, proposed, merged, refused, reverted, unjudged := 0, 0, 0, 0, 0, 0
	var ci, deploy [4]int
	for _, t := range w.targets {
		if t.wave != wave {
			continue
		}
		switch {
		case slices.Contains([]fleet.State{fleet.Unchanged, fleet.Skipped, fleet.Canceled}, t.state):
			continue
		case t.state == fleet.Merged, w.s.DryRun && slices.Contains([]fleet.State{fleet.Ready, fleet.Proposed, fleet.Revising}, t.state):
			proposed, merged = proposed+1, merged+1
		case t.state == fleet.Proposed:
			proposed++
		}
		switch t.state {
		case fleet.Merged:
			ci[t.ci]++
			deploy[t.deploy]++
			if t.reverted {
				reverted++
			}
		case fleet.Proposed:
			ci[t.ci]++
		case fleet.Closed:
			refused++
		case fleet.Failed:
			if t.vetoed {
				refused++
			}
		default:
			ci[pending]++ // on its way to CI, for the first time or again
			if t.state != fleet.Ready && t.state != fleet.Revising {
				unjudged++
			}
		}
		counted++
	}
	// have/of and share, which is read as tenths, are compared in whole numbers.
	compare := func(have, of int, share float64) int { return cmp.Compare(10*have, int(share*10+0.5)*of) }
	g := w.s.Gate
	if compare(proposed, counted, g.Success) < 0 || compare(merged, counted, g.Merged) < 0 || merged < min(g.MinMerged, counted) || compare(refused+unjudged, counted, g.Vetoed) > 0 {
		return false
	}
	return w.s.DryRun ||
		compare(ci[good], ci[good]+ci[bad]+ci[pending], g.Checks) >= 0 && compare(reverted, merged, g.Reverted) <= 0 &&
			compare(deploy[good], deploy[good]+deploy[bad]+deploy[pending], g.Deployed) >= 0
}

// soaked reports whether a wave that is healthy has been so for long enough.
func (w *world) soaked(wave int) bool {
	c := w.s.Waves[wave]
	for state, n := range c.Targets {
		if n > 0 && !slices.Contains([]fleet.State{fleet.Unchanged, fleet.Skipped, fleet.Canceled}, state) && !w.s.DryRun {
			return !w.held[wave].IsZero() && w.now.Sub(w.held[wave]) >= w.s.Gate.Soak || w.s.Gate.Soak == 0
		}
	}
	return true // nothing soaks
}

// act takes Decide's actions and carries them out, checking each.
func (w *world) act() {
	for i := range w.s.Waves {
		switch {
		case !w.healthy(i):
			w.held[i] = time.Time{}
		case w.held[i].IsZero():
			w.held[i] = w.now
		}
	}
	before := clone(w.s)
	actions := Decide(w.s, w.now)
	if !reflect.DeepEqual(before, w.s) {
		w.t.Fatalf("Decide changed its snapshot: %+v, then %+v", before, w.s)
	}
	if again := Decide(clone(w.s), w.now); !reflect.DeepEqual(actions, again) {
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
		case MarkReached:
			if c := w.s.Waves[a.Wave]; !c.Reached.IsZero() || !w.healthy(a.Wave) || w.s.DryRun || !a.Soaks.Equal(w.now.Add(w.s.Gate.Soak)) {
				w.t.Fatalf("wave %d reached its gate: %+v", a.Wave, c)
			}
			w.s.Waves[a.Wave].Reached = w.now
		case UnmarkReached:
			if c := w.s.Waves[a.Wave]; c.Reached.IsZero() || w.healthy(a.Wave) {
				w.t.Fatalf("wave %d lost its gate: %+v", a.Wave, c)
			}
			w.s.Waves[a.Wave].Reached = time.Time{}
		case Pause:
			if a.Reason == "" || a.Hint == "" || a.Code == "" {
				w.t.Fatalf("a pause without a reason: %+v", a)
			}
			w.s.State = fleet.CampaignPaused
		case Finish:
			for i, t := range w.targets {
				if !t.state.AtRest() && !(w.s.DryRun && (t.state == fleet.Ready || t.state == fleet.Proposed)) {
					w.t.Fatalf("finished with target %d %s", i, t.state)
				}
			}
			w.s.State = fleet.CampaignDone
		}
	}
	if more := Decide(w.s, w.now); len(more) > 0 {
		w.t.Fatalf("after %+v were carried out, %+v are asked for", actions, more)
	}
	w.notStuck()
}

func (w *world) open(wave int) {
	for earlier := range wave {
		if !w.s.Waves[earlier].Opened {
			w.t.Fatalf("wave %d opens before wave %d", wave, earlier)
		}
		if !w.healthy(earlier) || !w.soaked(earlier) {
			w.t.Fatalf("wave %d opens before the gate of wave %d: %+v, %+v", wave, earlier, w.s.Gate, w.s.Waves[earlier])
		}
	}
	if w.s.Limit >= 0 && w.s.Spent >= w.s.Limit {
		w.t.Fatalf("wave %d opens without money", wave)
	}
	for i, t := range w.targets {
		if t.wave == wave && t.state == fleet.Pending {
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
	for _, t := range w.targets {
		switch c := w.s.Waves[t.wave]; t.state {
		case fleet.Queued, fleet.Changing, fleet.Revising, fleet.Proposed:
			return
		case fleet.Ready:
			waits := w.s.Approval == ApprovalWave && !c.Approved && !c.Asked
			if !w.s.DryRun && !waits {
				return // the engine proposes it, or a person was asked or is listed
			}
		case fleet.Merged:
			if t.ci == pending || t.deploy == pending {
				return
			}
		}
	}
	wave, h := w.s.Holds(w.now)
	if wave >= 0 && h.Soaks.After(w.now) && !w.s.Waves[wave].Reached.IsZero() {
		return // time passes
	}
	w.t.Fatalf("stuck: %+v", w.s)
}

// step is one thing that happens to a target that is not pending.
func (w *world) step(i int, to fleet.State) bool {
	from := w.targets[i].state
	if from == fleet.Pending && to != fleet.Canceled && to != fleet.Skipped || !fleet.CanMove(from, to) {
		return false
	}
	if to == fleet.Proposed && from == fleet.Ready && !w.s.MayPropose(w.targets[i].wave, w.s.Approval == ApprovalTarget) {
		return false
	}
	if to == fleet.Changing {
		w.s.Spent++
	}
	w.move(i, to)
	return true
}

// mend does what the hint of a pause says.
func (w *world) mend() {
	if w.s.Limit >= 0 && w.s.Spent >= w.s.Limit {
		w.s.Limit = w.s.Spent + 50
	}
	unhealthy := false
	for i, t := range w.targets {
		if t.state == fleet.Failed {
			w.move(i, fleet.Canceled)
		}
		unhealthy = unhealthy || t.state == fleet.Closed || t.ci == bad || t.deploy == bad || t.reverted
	}
	if unhealthy {
		w.s.Gate = Gate{Vetoed: 1, Reverted: 1}
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
	for i, t := range w.targets {
		to := next[t.state]
		if len(to) == 0 || t.state == fleet.Ready && w.s.DryRun {
			continue
		}
		if w.step(i, rapid.SampledFrom(to).Draw(w.t, "to")) {
			return
		}
	}
	for i, t := range w.targets {
		switch {
		case t.ci == pending:
			w.targets[i].ci = rapid.SampledFrom([]int{good, good, bad}).Draw(w.t, "ci")
		case t.deploy == pending:
			w.targets[i].deploy = rapid.SampledFrom([]int{good, good, bad}).Draw(w.t, "deployment")
		default:
			continue
		}
		w.count()
		return
	}
	if _, h := w.s.Holds(w.now); !h.Soaks.IsZero() {
		w.now = h.Soaks
	}
}

func clone(s Snapshot) Snapshot {
	s.Waves = slices.Clone(s.Waves)
	for i := range s.Waves {
		s.Waves[i].Targets = maps.Clone(s.Waves[i].Targets)
	}
	return s
}
