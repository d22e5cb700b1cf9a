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
	for range 25 {
		f.follow()
	}
	at := time.Now().Add(time.Second)
	for _, slug := range f.slugs {
		f.state(slug, fleet.Proposed)
		f.host.Say(slug, 1, simulator.Comment{Author: "ann", Body: "Please say why.", MayWrite: true, At: at})
	}
	for range 25 {
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
	for range 25 {
		f.follow()
	}
	for _, slug := range f.slugs {
		f.state(slug, fleet.Merged)
		if open, all := f.host.Pulls(slug); open != 0 || all != 1 {
			t.Errorf("%s: %d pull requests, %d open", slug, all, open)
		}
	}
}

// Pull requests that campaigns share are opened, taken apart and merged while the host fails: each change is in exactly one of them.
func TestBatchUnderFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		f := newFlock(t, 3, simulator.Faults{Limit: .05, Before: .1, After: .1, Cut: .05})
		f.host.Seed(seed)
		for _, name := range []string{"c", "d"} {
			f.startBatched(name, "    echo "+name+" >> "+two[name]+"\n", "merge: {policy: approved}\n")
		}
		f.approve("c", "d")
		for range 25 {
			f.follow()
		}
		for _, slug := range f.slugs {
			f.expectPulls(slug, 1, 1)
			f.of("c", slug, fleet.Proposed, 1)
			f.of("d", slug, fleet.Proposed, 1)
		}
		red, at := f.slugs[0], time.Now().Add(time.Second)
		f.host.Report(red, simulator.Check{Commit: f.head(red), Name: "build", State: "failure", Log: "x"})
		for range 25 {
			f.follow()
		}
		f.expectPulls(red, 2, 2)
		for _, slug := range f.slugs {
			_, all := f.host.Pulls(slug)
			for n := range all {
				var head string
				f.host.Look(slug, n+1, func(p *simulator.Pull) { head = p.HeadSHA })
				f.host.Report(slug, simulator.Check{Commit: head, Name: "build", State: "success"})
				f.host.Say(slug, n+1, simulator.Comment{Author: "ann", MayWrite: true, At: at, Verdict: "approved"})
			}
		}
		for range 40 {
			f.follow()
		}
		for i, slug := range f.slugs {
			c, d := f.of("c", slug, fleet.Merged, 0), f.of("d", slug, fleet.Merged, 0)
			if (c.PullNumber == d.PullNumber) != (i > 0) || c.Attempts != 1 || d.Attempts != 1 {
				t.Errorf("seed %d: %s: %+v, %+v", seed, slug, c, d)
			}
			if got := f.file(slug, "main", "one.txt") + f.file(slug, "main", "README.md"); got != "1\nc\nhello\nd\n" {
				t.Errorf("seed %d: %s ends as %q", seed, slug, got)
			}
		}
	}
}

// Repositories are renamed, archived, protected and lost, and people merge, close and rewrite, while the host fails at random:
// each target ends as its pull request did, nothing is doubled and nobody's work is overwritten.
func TestFollowWhileEverythingChanges(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		f := newFlock(t, 8, simulator.Faults{Limit: .05, Before: .1, After: .1, Cut: .05})
		f.host.Seed(seed)
		f.run("merge: {policy: approved}\n")
		for range 25 {
			f.follow()
		}
		for _, slug := range f.slugs {
			f.state(slug, fleet.Proposed)
		}
		renamed, archived, lost, protected, rewritten, closed, merged, plain := f.slugs[0], f.slugs[1], f.slugs[2], f.slugs[3], f.slugs[4], f.slugs[5], f.slugs[6], f.slugs[7]
		at := time.Now().Add(time.Second)
		theirs := f.git(rewritten, "commit-tree", "-p", "main", "-m", "mine", "main^{tree}")
		f.git(rewritten, "update-ref", "refs/heads/"+f.branch, theirs)
		f.git(merged, "update-ref", "refs/heads/main", f.branch)
		f.host.Look(closed, 1, func(p *simulator.Pull) { p.State = "closed" })
		for _, slug := range f.slugs {
			if slug != closed && slug != merged {
				f.host.Report(slug, simulator.Check{Commit: f.head(slug), Name: "build", State: "success"})
				f.host.Say(slug, 1, simulator.Comment{Author: "ann", MayWrite: true, At: at, Verdict: "approved"})
			}
		}
		f.host.With(archived, func(r *simulator.Repo) { r.Archived = true })
		f.host.With(protected, func(r *simulator.Repo) { r.Protected = true })
		f.host.Remove(lost)
		f.host.Rename(renamed, "acme/other-name")
		for range 40 {
			f.follow()
		}
		f.state(renamed, fleet.Merged)
		f.state(merged, fleet.Merged)
		f.state(plain, fleet.Merged)
		f.state(closed, fleet.Closed)
		for _, slug := range []string{archived, protected} {
			if _, said := f.target(slug); f.state(slug, fleet.Proposed).PullNumber != 1 || strings.Count(said, "a person is asked") != 1 {
				t.Errorf("seed %d: %s: %s", seed, slug, said)
			}
		}
		if now := f.state(lost, fleet.Failed); now.Reason != fleet.CodeRepoGone {
			t.Errorf("seed %d: the lost one failed with %s", seed, now.Reason)
		}
		if f.state(rewritten, fleet.Proposed); f.git(rewritten, "rev-parse", f.branch) != theirs {
			t.Errorf("seed %d: a person's branch was overwritten", seed)
		}
		for _, slug := range []string{"acme/other-name", archived, protected, rewritten, closed, merged, plain} {
			if _, all := f.host.Pulls(slug); all != 1 {
				t.Errorf("seed %d: %s has %d pull requests", seed, slug, all)
			}
		}
		for _, slug := range f.slugs {
			if n := f.rounds(slug); n != 1 {
				t.Errorf("seed %d: %s: %d runs of the agent", seed, slug, n)
			}
		}
	}
}
