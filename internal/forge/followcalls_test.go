package forge_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"

	"gaggle/internal/forge"
	"gaggle/internal/forge/simulator"
)

// seeded makes a fleet with an open pull request in each repository, each with a head of its own. Every tenth has no checks.
func seeded(t testing.TB, makeDriver func(testing.TB, *fleetOf) func(string) string, n int, owners ...string) (f *fleetOf, refs []forge.PullRef) {
	t.Helper()
	f = newFleet(t, makeDriver, n, owners...)
	var path string
	f.host.With(simulator.Slug, func(r *simulator.Repo) { path = r.Path })
	var commits bytes.Buffer
	for i := range n {
		fmt.Fprintf(&commits, "commit refs/heads/%s\ncommitter dev <dev@example.com> %d +0000\ndata 5\nwork\nfrom refs/heads/main^0\nM 100644 inline a.txt\ndata 5\n%04d\n\n", branchOf(i), 1_700_000_000+i, i)
	}
	commits.WriteString("done\n")
	cmd := exec.CommandContext(t.Context(), "git", "--git-dir", path, "fast-import", "--quiet", "--done", "--date-format=raw")
	cmd.Stdin = &commits
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for i, r := range f.repos {
		number, err := f.host.Old(t.Context(), r.Name, branchOf(i))
		must(t, err)
		refs = append(refs, forge.PullRef{Repo: r, Number: number})
		if i%10 != 0 {
			f.report(refs[i], "success", time.Now().Add(-time.Hour))
		}
	}
	return f, refs
}

func branchOf(i int) string { return fmt.Sprintf("gaggle/%04d", i) }

// report has CI say something of the head of a pull request.
func (f *fleetOf) report(ref forge.PullRef, state string, at time.Time) {
	head := ""
	f.host.Look(ref.Repo.Name, ref.Number, func(p *simulator.Pull) { head = p.HeadSHA })
	f.host.With(ref.Repo.Name, func(r *simulator.Repo) {
		r.Checks = []simulator.Check{{Commit: head, Name: "build", State: state, At: at}}
	})
}

// pass follows them all once.
func (f *fleetOf) pass(t testing.TB, refs []forge.PullRef, since time.Time) (calls int, seen map[int]forge.Pull) {
	t.Helper()
	at := map[string]int{}
	for i, r := range refs {
		at[r.Repo.Name] = i
	}
	seen = map[int]forge.Pull{}
	before := f.host.Calls("")
	for p, err := range f.Follow(t.Context(), refs, since) {
		must(t, err)
		seen[at[p.Repository]] = p
	}
	return f.host.Calls("") - before, seen
}

// A thousand that are followed and unchanged, each in a repository of its own, cost a hundred calls a pass at most: also those of a
// process that has just begun, and knows nothing of them.
func TestCallsToFollow(t *testing.T) {
	const n, most = 1000, 100
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			f, refs := seeded(t, d.make, n)
			calls, seen := f.pass(t, refs, time.Time{})
			if len(seen) != n {
				t.Fatalf("a first pass saw %d of %d", len(seen), n)
			}
			for i, p := range seen {
				if p.State != forge.StateOpen || p.Conflicts || p.HeadBranch != branchOf(i) {
					t.Fatalf("%+v", p)
				}
			}
			var costs []int
			measure := func(passes int) {
				t.Helper()
				for range passes {
					f.late.Add(int64(time.Hour))
					calls, _ := f.pass(t, refs, time.Now().Add(time.Minute))
					if costs = append(costs, calls); calls > most {
						t.Errorf("%d calls followed %d unchanged ones", calls, n)
					}
				}
			}
			measure(3)
			address := d.make(t, f) // another process
			for i := range refs {
				refs[i].Repo.URL = address(refs[i].Repo.Name)
			}
			measure(2)
			t.Logf("%d calls of a first pass, then %v; restarted %v", calls, costs[:3], costs[3:])
		})
	}
}

// Nor do they cost more in twenty projects or workspaces, where the host lists by those.
func TestCallsToFollowManyOwners(t *testing.T) {
	var owners []string
	for i := range 20 {
		owners = append(owners, fmt.Sprintf("fleet%02d", i))
	}
	for _, d := range drivers {
		if d.name != "azure" && d.name != "bitbucket" {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			f, refs := seeded(t, d.make, 1000, owners...)
			var costs []int
			for pass := range 4 {
				calls, _ := f.pass(t, refs, time.Now().Add(time.Minute))
				if costs = append(costs, calls); pass > 1 && calls > 100 { // the first ones get to know the place
					t.Errorf("%d calls", calls)
				}
				f.late.Add(int64(time.Hour))
			}
			t.Log(costs)
		})
	}
}

// What happens to a pull request among many is noticed: by the next pass, or where the host tells of it nowhere in bulk, by one of
// the passes in which the rest take their turns.
func TestFollowNotices(t *testing.T) {
	const n, turns = 40, 42 // one of the rest a pass
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			f, refs := seeded(t, d.make, n)
			f.pass(t, refs, time.Time{})
			f.late.Add(int64(time.Hour))
			var since time.Time
			pass := func() map[int]forge.Pull {
				began := time.Now()
				f.late.Add(int64(time.Minute))
				_, seen := f.pass(t, refs, since)
				since = began
				return seen
			}
			since = time.Now()
			was := pass()
			events := []struct {
				name   string
				slow   []string // the hosts that do not tell it in bulk
				do     func(i int)
				wanted func(p, was forge.Pull) bool
			}{
				{"a comment", []string{"azure"}, func(i int) {
					f.host.Say(refs[i].Repo.Name, refs[i].Number, simulator.Comment{Author: "ann", Body: "hm", At: time.Now()})
				}, func(p, was forge.Pull) bool { return p.UpdatedAt.After(was.UpdatedAt) }},
				{"a failed check", []string{"gitea", "bitbucket"}, func(i int) { f.report(refs[i], "failure", time.Now()) }, func(p, _ forge.Pull) bool { return p.CI == forge.CheckFailed }},
				{"a merge", nil, func(i int) {
					f.host.Look(refs[i].Repo.Name, refs[i].Number, func(p *simulator.Pull) { p.State, p.MergeSHA, p.Updated = "merged", p.HeadSHA, time.Now().UTC() })
				}, func(p, _ forge.Pull) bool { return p.State == forge.StateMerged }},
				{"a close", nil, func(i int) {
					f.host.Look(refs[i].Repo.Name, refs[i].Number, func(p *simulator.Pull) { p.State, p.Updated = "closed", time.Now().UTC() })
				}, func(p, _ forge.Pull) bool { return p.State == forge.StateClosed }},
				{"a push", nil, func(i int) { f.push(branchOf(i)) }, func(p, was forge.Pull) bool { return p.HeadSHA != was.HeadSHA && p.HeadSHA != "" }},
				{"a conflict", []string{"github", "gitlab", "gitea", "azure"}, func(int) { f.push("main") }, func(p, _ forge.Pull) bool { return p.Conflicts }}, // hosts find out when they are asked
			}
			for e, event := range events {
				i := n - 1 - e*7
				event.do(i)
				took := 0
				for took = 1; took <= turns; took++ {
					if p, ok := pass()[i]; ok && event.wanted(p, was[i]) {
						break
					}
				}
				if most := map[bool]int{false: 1, true: turns}[slices.Contains(event.slow, d.name)]; took > most {
					t.Errorf("%s was not noticed in %d passes", event.name, most)
				} else if took > 1 {
					t.Logf("%s was noticed by the %dth pass", event.name, took)
				}
			}
		})
	}
}
