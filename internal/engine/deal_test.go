package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/store"
)

// waves reads in which wave each target is, and the waves' sizes as the campaign tells them.
func (w *world) waves(t testing.TB) (of map[string]int, row store.Campaign) {
	t.Helper()
	row, err := w.store.Campaign(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	targets, err := w.store.Targets(t.Context(), store.Filter{Campaign: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	of = map[string]int{}
	for _, target := range targets {
		of[target.Component] = target.Wave
	}
	return of, row
}

// into puts the plan's targets whose name starts with a prefix into the cohort of an entry.
func into(p engine.Plan, entry int, prefix string) engine.Plan {
	if p.Cohorts == nil {
		p.Cohorts = make([][]int, len(p.Targets))
	}
	for i, target := range p.Targets {
		if strings.HasPrefix(target.Repository, prefix) {
			p.Cohorts[i] = append(p.Cohorts[i], entry)
		}
	}
	return p
}

func testCohortsGoFirst(t *testing.T, w *world) {
	rollout := `rollout: {waves: [{where: '"canary" in component.tags', name: canaries}, 1, 100%], gate: {merged: 1}}`
	w.start(t, into(w.plan(t, rollout, "a", "canary-1", "b", "canary-2"), 0, "canary"))
	waits := w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 2, fleet.Pending: 2})
	if of, row := w.waves(t); of["component:default/canary-2"] != 0 || !slices.Equal(row.Waves, []int{2, 1, 1}) {
		t.Errorf("waves %v of %v", of, row.Waves)
	}
	if len(waits) != 1 || waits[0].Message != "wave 2 of 3 waits for wave 1: 0 of 2 targets are merged, the gate needs 2" {
		t.Errorf("waits %+v", waits)
	}
	events, err := w.store.Events(t.Context(), "demo", 0, 0, 1000)
	if err != nil || !slices.ContainsFunc(events, func(e store.Event) bool { return e.Message == "wave 1 of 3 (canaries) opens" }) {
		t.Errorf("events %+v, %v", events, err)
	}
	// One that comes late waits for the next wave: the canaries' has been opened.
	w.start(t, into(w.plan(t, rollout, "canary-3", "a", "canary-1", "b", "canary-2"), 0, "canary"))
	if of, row := w.waves(t); of["component:default/canary-3"] != 1 || !slices.Equal(row.Waves, []int{2, 1, 2}) {
		t.Errorf("waves %v of %v", of, row.Waves)
	}
	w.host.set(forge.StateMerged)
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Merged: 2, fleet.Proposed: 1, fleet.Pending: 2})
}

// testPreviewSaysWhatStartDoes plans the same campaign again and again: with more and fewer components, in part, with other waves.
func testPreviewSaysWhatStartDoes(t *testing.T, w *world) {
	random := rand.New(rand.NewPCG(1, 2))
	plans := []string{"[1, 2, 100%]", "[2, 50%]", "[{where: 'true', name: canaries}, 1, 100%]", "[1, {where: 'true', name: canaries}, 30%, 60%]", "[100%]"}
	var names []string
	for i := range 12 {
		names = append(names, fmt.Sprintf("%s-%d", []string{"canary", "same", "bad", "a"}[i%4], i))
	}
	for round := range 40 {
		waves := random.IntN(len(plans))
		var chosen []string
		for _, name := range names {
			if random.IntN(4) > 0 {
				chosen = append(chosen, name)
			}
		}
		random.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		p := w.plan(t, fmt.Sprintf("rollout: {waves: %s, gate: {success: 0.5, merged: 0.5}}", plans[waves]), chosen...)
		if entry := strings.Index(plans[waves], "{"); entry >= 0 {
			p = into(p, strings.Count(plans[waves][:entry], ","), "canary")
		}
		p.Partial, p.DryRun = random.IntN(4) == 0, round < 5
		of, sizes, err := engine.Preview(t.Context(), w.store, p)
		if err != nil {
			t.Fatal(err)
		}
		w.start(t, p)
		stored, row := w.waves(t)
		for i, target := range p.Targets {
			if stored[target.Component] != of[i] {
				t.Fatalf("round %d: %s is in wave %d, the preview said %d", round, target.Component, stored[target.Component], of[i])
			}
		}
		if !slices.Equal(row.Waves, sizes) {
			t.Fatalf("round %d: waves of %v, the preview said %v", round, row.Waves, sizes)
		}
		switch random.IntN(4) {
		case 0:
			w.host.set(forge.StateMerged)
		case 1:
			_ = w.engine.Resume(t.Context(), "demo", "ann")
		case 2:
			_, _ = w.engine.Retry(t.Context(), engine.Selection{Campaign: "demo"}, "ann")
		}
		if random.IntN(2) == 0 {
			w.run(t)
		}
	}
}

func testPreviewOfACanceledCampaign(t *testing.T, w *world) {
	p := w.plan(t, "rollout: {waves: [1, 100%]}", "a", "b")
	w.start(t, p)
	w.run(t)
	if _, err := w.engine.Cancel(context.WithoutCancel(t.Context()), engine.Selection{Campaign: "demo"}, "ann"); err != nil {
		t.Fatal(err)
	}
	of, sizes, err := engine.Preview(t.Context(), w.store, p)
	if err != nil || !slices.Equal(of, []int{0, 1}) || !slices.Equal(sizes, []int{1, 1}) {
		t.Errorf("%v of %v, %v", of, sizes, err)
	}
}
