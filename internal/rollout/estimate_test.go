package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gaggle/internal/fleet"
)

var ten = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// unbegun are waves of so many targets that wait for their attempts, of which the first so many are open.
func unbegun(open int, sizes ...int) []Cohort {
	var all []Cohort
	for i, n := range sizes {
		state := fleet.Pending
		if i < open {
			state = fleet.Queued
		}
		all = append(all, Cohort{Opened: i < open, Targets: map[fleet.State]int{state: n}})
	}
	return all
}

func TestPredict(t *testing.T) {
	const made = "requests that make or change something"
	minute := Quota{What: made, Each: 2, Limit: 80, Window: time.Minute}
	hour := Quota{What: made, Each: 2, Limit: 500, Window: time.Hour, Left: 40, Reset: ten.Add(20 * time.Minute)}
	calls := Quota{What: "calls", Each: 3, Limit: 5000, Window: time.Hour, Left: 60, Reset: ten.Add(30 * time.Minute)}
	script := Effort{Attempt: 3 * time.Second, Measured: 12, Parallel: 4}
	quick := func(f Forge) Effort {
		return Effort{Attempt: time.Second, Measured: 9, Parallel: 8, Forges: []Forge{f}}
	}
	for name, c := range map[string]struct {
		s     Snapshot
		e     Effort
		after time.Duration // -1: nothing is left
		bound Bound
		text  string
		waits []string
	}{
		"attempts, none of which has ended": {
			Snapshot{Waves: unbegun(1, 10)}, Effort{Attempt: 20 * time.Minute, Parallel: 4, Forges: []Forge{{Name: "github.com", Pulls: []int{10}, Quotas: []Quota{minute}}}},
			time.Hour, BoundAttempts, "its pull requests are open by about 11:00 UTC; 10 attempts of at most 20 min, 4 at once", nil},
		"the pace of a minute": {
			Snapshot{Waves: unbegun(1, 200)}, quick(Forge{Name: "github.com", Pulls: []int{200}, Quotas: []Quota{minute}}),
			4 * time.Minute, BoundForge, "its pull requests are open by about 10:04 UTC; at the pace of github.com: 40 pull requests a minute allowed (80 requests that make or change something, 2 each)", nil},
		"what is left of an hour": {
			Snapshot{Waves: unbegun(1, 300)}, quick(Forge{Name: "github.com", Pulls: []int{300}, Quotas: []Quota{minute, hour}}),
			80 * time.Minute, BoundForge, "its pull requests are open by about 11:20 UTC; at the pace of github.com: 250 pull requests an hour allowed, 20 left this hour (500 requests that make or change something, 2 each)", nil},
		"calls that are left": {
			Snapshot{Waves: unbegun(1, 100)}, quick(Forge{Name: "git.example.com", Pulls: []int{100}, Quotas: []Quota{calls}}),
			30 * time.Minute, BoundForge, "its pull requests are open by about 10:30 UTC; at the pace of git.example.com: 1666 pull requests an hour allowed, 20 left this hour (5000 calls, 3 each)", nil},
		"a forge that wants no calls": {
			Snapshot{Waves: unbegun(1, 4)}, quick(Forge{Name: "git.example.com", Closed: ten.Add(5 * time.Minute), Pulls: []int{4}}),
			5 * time.Minute, BoundForge, "its pull requests are open by about 10:05 UTC; git.example.com wants no calls until 10:05 UTC", nil},
		"soaks": {
			Snapshot{Waves: unbegun(1, 4, 4, 4), Gate: Gate{Success: 0.9, Soak: 4 * time.Hour}}, script,
			8*time.Hour + 9*time.Second, BoundSoak, "its attempts have ended by about 18:00 UTC; its waves soak for 4 h each", nil},
		"people": {
			Snapshot{Waves: unbegun(1, 4, 40), Gate: Gate{Merged: 0.9, Checks: 1}}, script,
			33 * time.Second, BoundAttempts, "its attempts have ended at 10:00 UTC at the earliest: it waits for people to merge and CI; 44 attempts of 3s, 4 at once", []string{"people to merge", "CI"}},
		"a wave that soaks already": {
			Snapshot{Waves: []Cohort{{Opened: true, Reached: ten.Add(-3 * time.Hour), Targets: map[fleet.State]int{fleet.Merged: 3}}, {Targets: map[fleet.State]int{fleet.Pending: 4}}}, Gate: Gate{Merged: 1, Soak: 4 * time.Hour}}, script,
			time.Hour + 3*time.Second, BoundSoak, "its attempts have ended by about 11:00 UTC; its waves soak for 4 h each", nil},
		"approval, and owners' time": {
			Snapshot{Approval: ApprovalWave, Waves: []Cohort{{Opened: true, Targets: map[fleet.State]int{fleet.Ready: 2}}}}, Effort{Attempt: time.Second, Parallel: 1, Held: 1, Forges: []Forge{{Name: "local", Pulls: []int{2}}}},
			0, BoundPeople, "its pull requests are open at 10:00 UTC at the earliest: it waits for people to approve changes and owners' time", []string{"people to approve changes", "owners' time"}},
		"a dry run": {
			Snapshot{DryRun: true, Waves: unbegun(1, 8, 8), Gate: Gate{Merged: 1, Soak: time.Hour}}, Effort{Attempt: time.Minute, Measured: 3, Parallel: 8, Forges: []Forge{{Name: "github.com", Pulls: []int{8, 8}, Quotas: []Quota{hour}}}},
			2 * time.Minute, BoundAttempts, "its attempts have ended by about 10:02 UTC; 16 attempts of 1 min, 8 at once", nil},
		"nothing left": {Snapshot{Waves: []Cohort{{Opened: true, Targets: map[fleet.State]int{fleet.Proposed: 3}}}}, script, -1, BoundNothing, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.s.State = fleet.CampaignActive
			got := Predict(c.s, c.e, ten)
			if c.after < 0 && !got.Done.IsZero() || c.after >= 0 && !got.Done.Equal(ten.Add(c.after)) || got.Bound != c.bound || !slices.Equal(got.AtLeast, append([]string{}, c.waits...)) {
				t.Errorf("%+v, after %v", got, got.Done.Sub(ten))
			}
			if text := got.Text(ten, c.s.DryRun); text != c.text {
				t.Errorf("%q\nwant %q", text, c.text)
			}
		})
	}
}

// A window never gives more than its limit, and to take many at once is to take them one by one.
func TestQuota(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 50).Draw(t, "limit")
		q := Quota{Limit: limit, Window: time.Hour, Left: rapid.IntRange(0, limit).Draw(t, "left"), Reset: ten.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "reset")) * time.Minute)}
		first := q
		at, had := ten, map[time.Time]int{} // units by the end of their window
		for range rapid.IntRange(1, 20).Draw(t, "times") {
			n := rapid.IntRange(0, 120).Draw(t, "units")
			one, last := q, at
			for range n {
				last = one.take(1, last)
				had[one.Reset]++
			}
			by := q.take(n, at)
			if n > 0 && (q.Left != one.Left || !q.Reset.Equal(one.Reset) || !by.Equal(last)) {
				t.Fatalf("all at once %+v by %v, one after another %+v by %v", q, by, one, last)
			}
			if by.Before(at) {
				t.Fatalf("%v is before %v", by, at)
			}
			at = by.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "pause")) * time.Minute)
		}
		for reset, n := range had {
			if n > limit || reset.Equal(first.Reset) && ten.Before(reset) && n > first.Left {
				t.Fatalf("%d in the window that ends at %v", n, reset)
			}
		}
	})
}

// More work, fewer attempts at once, slower ones or less left of a limit never make it earlier, and the same facts always give the same.
func TestPredictIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, most int) int { return rapid.IntRange(0, most).Draw(t, name) }
		s := Snapshot{State: fleet.CampaignActive, Gate: Gate{Success: 0.8, Merged: float64(draw("merged", 1)), Soak: time.Duration(draw("soak", 3)) * time.Hour}}
		f := Forge{Name: "github.com"}
		open := 1 + draw("open", 3)
		for i := range 1 + draw("waves", 4) {
			n, ready := draw("pending", 60), draw("ready", 5)
			state := fleet.Pending
			if i < open {
				state = fleet.Queued
			}
			s.Waves = append(s.Waves, Cohort{Opened: i < open, Targets: map[fleet.State]int{state: n, fleet.Ready: ready, fleet.Merged: draw("done", 3)}})
			f.Pulls = append(f.Pulls, n+ready)
		}
		limit := 1 + draw("limit", 100)
		f.Quotas = []Quota{{Each: 1 + draw("each", 3), Limit: limit, Window: time.Hour, Left: draw("left", limit), Reset: ten.Add(time.Duration(draw("reset", 60)) * time.Minute)}, {Each: 3, Limit: 100, Window: time.Minute}}
		e := Effort{Attempt: time.Duration(1+draw("attempt", 600)) * time.Second, Parallel: 2 + draw("parallel", 6), Forges: []Forge{f}}
		base := Predict(s, e, ten)
		if again := Predict(s, e, ten); !again.Done.Equal(base.Done) || again.Why != base.Why {
			t.Fatalf("%+v, then %+v", base, again)
		}
		if base.Bound == BoundNothing {
			return
		}
		if base.Done.Before(ten) || strings.Contains(base.Text(ten, false), "%!") {
			t.Fatalf("%+v", base)
		}
		later := func(what string, got Estimate) {
			if got.Done.Before(base.Done) {
				t.Fatalf("%s makes it earlier: %v, then %v", what, base.Done, got.Done)
			}
		}
		slow := e
		slow.Attempt *= 2
		later("slower attempts", Predict(s, slow, ten))
		slow = e
		slow.Parallel--
		later("fewer at once", Predict(s, slow, ten))
		change := func(edit func(f *Forge)) Effort {
			other, g := e, f
			g.Pulls, g.Quotas = slices.Clone(f.Pulls), slices.Clone(f.Quotas)
			edit(&g)
			other.Forges = []Forge{g}
			return other
		}
		later("a pull request more", Predict(s, change(func(f *Forge) { f.Pulls[draw("wave", len(f.Pulls)-1)]++ }), ten))
		later("a closed forge", Predict(s, change(func(f *Forge) { f.Closed = ten.Add(time.Hour) }), ten))
		if f.Quotas[0].Left > 0 {
			later("less left", Predict(s, change(func(f *Forge) { f.Quotas[0].Left-- }), ten))
		}
	})
}
