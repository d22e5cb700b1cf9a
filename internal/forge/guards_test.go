package forge_test

import (
	"fmt"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/simulator"
)

// A merge that was made, and whose answer was lost, is a success for whoever asks again, and is made once. So is anything
// else that opens, comments or closes.
func TestLostAnswers(t *testing.T) {
	for _, d := range drivers {
		for name, faults := range map[string]simulator.Faults{"failed": {After: 1, InARow: 1}, "cut short": {Cut: 1, InARow: 1}, "asked to wait": {Limit: .4, InARow: 2}} {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				host, h := simulator.Harness(t, 0, faults)
				f := &fleetOf{host: host}
				repo := h.Repo
				repo.URL = d.make(t, f)(simulator.Slug)
				try := func(do func() error) error {
					for range 40 {
						if err := do(); err == nil || !forge.Passing(err) {
							return err
						}
					}
					return fmt.Errorf("40 tries were not enough")
				}
				open := func(branch string) (p forge.Pull, head string) {
					t.Helper()
					head = h.Push(t, branch, map[string]string{branch + ".txt": "x\n"})
					must(t, try(func() (err error) {
						p, err = f.Open(t.Context(), forge.PullSpec{Repo: repo, HeadBranch: branch, BaseBranch: "main", Title: "Change", Labels: []string{"fleet"}, Reviewers: []string{"ann"}})
						return err
					}))
					return p, head
				}
				p, head := open("gaggle/a")
				merge := func() error { return f.Merge(t.Context(), repo, p.Number, forge.MergeSpec{ExpectHead: head}) }
				must(t, try(merge))
				if log := h.Log(t, "main"); len(log) != 2 {
					t.Errorf("main has %q", log)
				}
				must(t, try(merge))
				p, head = open("gaggle/b")
				h.Push(t, "gaggle/b", map[string]string{"person.txt": "mine\n"})
				if err := try(merge); fleet.CodeOf(err) != fleet.CodeConflict {
					t.Errorf("another head was merged: %v", err)
				}
				long := strings.Repeat("not like this ", 15_000)
				must(t, try(func() error { return f.Close(t.Context(), repo, p.Number, long) }))
				said := 0
				host.Look(simulator.Slug, p.Number, func(p *simulator.Pull) { said = len(p.Comments) })
				if said != 1 {
					t.Errorf("it was said %d times", said)
				}
				if open, all := host.Pulls(simulator.Slug); open != 0 || all != 2 {
					t.Errorf("%d pull requests, %d open", all, open)
				}
			})
		}
	}
}
