package engine_test

import (
	"fmt"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/store"
)

// Whoever is ready first waits for the others; then as many as a pull request holds go together.
func testABatchWaitsAndGoesTogether(t *testing.T, w *world) {
	var names []string
	for i := range 30 {
		names = append(names, fmt.Sprintf("c%02d", i))
	}
	names = append(names, "same", "bad")
	p := w.plan(t, "pullRequest: {batch: upkeep}\nrollout: {gate: {success: 0}}", names...)
	for i := range p.Targets {
		p.Targets[i].Repository, p.Targets[i].Branch = names[0], "gaggle/demo/"+names[i]
	}
	w.start(t, p)
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 30, fleet.Unchanged: 1, fleet.Failed: 1})
	all, err := w.store.Targets(t.Context(), store.Filter{Campaign: "demo", States: []fleet.State{fleet.Proposed}})
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[int]int{}
	for _, target := range all {
		sizes[target.PullNumber]++
	}
	if w.host.opens != 2 || len(sizes) != 2 || sizes[1]+sizes[2] != 30 || max(sizes[1], sizes[2]) != 20 {
		t.Errorf("%d opened, with %v changes", w.host.opens, sizes)
	}
}
