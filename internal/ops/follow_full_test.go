//go:build full

package ops_test

import (
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge/simulator"
)

// Pull requests are followed while the host fails in every way that hosts do: nothing is doubled, nothing is lost, and all ends well.
func TestFollowUnderFaults(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 4, simulator.Faults{Limit: .05, Before: .1, After: .1, Cut: .05})
	f.run("merge: {policy: approved}\n")
	for range 8 {
		f.follow()
	}
	at := time.Now().Add(time.Second)
	for _, slug := range f.slugs {
		f.state(slug, fleet.Proposed)
		f.host.Say(slug, 1, simulator.Comment{Author: "ann", Body: "Please say why.", MayWrite: true, At: at})
	}
	for range 8 {
		f.follow()
	}
	for _, slug := range f.slugs {
		if now := f.state(slug, fleet.Proposed); f.rounds(slug) != 2 || now.HeadCommit != f.head(slug) {
			t.Errorf("%s: %d agent runs, %+v", slug, f.rounds(slug), now)
		}
		if said := f.comments(slug); strings.Count(said, "> Please say why.") != 1 {
			t.Errorf("%s was answered %d times", slug, strings.Count(said, "> Please say why."))
		}
		f.host.Report(slug, simulator.Check{Commit: f.head(slug), Name: "build", State: "success"})
		f.host.Say(slug, 1, simulator.Comment{Author: "ann", MayWrite: true, At: at.Add(time.Minute), Verdict: "approved"})
	}
	for range 8 {
		f.follow()
	}
	for _, slug := range f.slugs {
		f.state(slug, fleet.Merged)
		if open, all := f.host.Pulls(slug); open != 0 || all != 1 {
			t.Errorf("%s: %d pull requests, %d open", slug, all, open)
		}
	}
}
