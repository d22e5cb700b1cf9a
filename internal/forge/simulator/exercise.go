package simulator

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/forgetest"
)

// Make makes a fresh host with a driver for its repository.
type Make func(t *testing.T, seed uint64, faults Faults) (*Host, forgetest.Harness)

// Quirks are what a driver's host has that others have not.
type Quirks struct {
	Queue     bool   // merges go through a queue
	NoArchive bool   // repositories are not archived
	Loose     bool   // statuses are a commit's, whatever the repository
	Second    string // a pattern of the slugs of another kind of owner, Self, such as a user or a group with subgroups; "" for none
}

// Exercise runs the conformance suite on a driver, with and without faults, and what a host that is played can have happen to its
// repositories.
func Exercise(t *testing.T, make Make, q Quirks) {
	t.Parallel()
	for name, faults := range map[string]Faults{"works": {}, "fails": {Limit: .05, Before: .1, After: .1, Cut: .05}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forgetest.Exercise(t, func(t *testing.T) forgetest.Harness {
				_, h := make(t, 1, faults)
				return h
			})
		})
		t.Run("queue/"+name, func(t *testing.T) {
			t.Parallel()
			if !q.Queue {
				t.Skip("this host has no queue")
			}
			forgetest.ExerciseQueue(t, func(t *testing.T) forgetest.Harness {
				host, h := make(t, 3, faults)
				host.With(Slug, func(r *Repo) { r.Queue = true })
				return h
			})
		})
	}
	for name, test := range map[string]func(*testing.T, *Host, forgetest.Harness, Quirks){"moves": moves, "strangers": strangers, "discovery": discovery} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host, h := make(t, 0, Faults{})
			test(t, host, h, q)
		})
	}
}

// moves gives a repository another owner and name, protects it, archives it, and takes it away.
func moves(t *testing.T, host *Host, h forgetest.Harness, q Quirks) {
	f := h.Forge
	open := func(branch, title string) (forge.Pull, error) {
		spec := h.Spec(branch)
		spec.Title = title
		return f.Open(t.Context(), spec)
	}
	push := func(branch string) { h.Push(t, branch, map[string]string{branch[len("gaggle/"):]: "x"}) }
	push("gaggle/a")
	p, err := open("gaggle/a", "Change")
	if err != nil {
		t.Fatal(err)
	}
	const moved = "other/invoices"
	host.Rename(Slug, moved)
	for _, title := range []string{"Change", "Better"} {
		if again, err := open("gaggle/a", title); err != nil || again.Number != p.Number || again.Title != title {
			t.Errorf("after the transfer: %+v, %v", again, err)
		}
	}
	push("gaggle/b")
	if p, err := open("gaggle/b", "Another"); err != nil || p.Number != 2 {
		t.Errorf("after the transfer: %+v, %v", p, err)
	}
	host.With(moved, func(r *Repo) { r.Protected = true })
	if err := f.Merge(t.Context(), h.Repo, p.Number, forge.MergeSpec{}); fleet.CodeOf(err) != fleet.CodeProtected {
		t.Errorf("protected: %v", err)
	}
	host.With(moved, func(r *Repo) { r.Protected = false })
	if err := f.Close(t.Context(), h.Repo, 2, "not wanted"); err != nil {
		t.Error(err)
	}
	if open, all := host.Pulls(moved); open != 1 || all != 2 {
		t.Errorf("%d of %d are open", open, all)
	}
	if !q.NoArchive {
		host.With(moved, func(r *Repo) { r.Archived = true })
		push("gaggle/c")
		if _, err := open("gaggle/c", "Change"); fleet.CodeOf(err) != fleet.CodeRepoGone {
			t.Errorf("archived: %v", err)
		}
	}
	host.Remove(moved)
	reads := map[string]func() error{
		"get":  func() error { _, err := f.Get(t.Context(), h.Repo, p.Number); return err },
		"find": func() error { _, err := f.Find(t.Context(), h.Repo, "gaggle/a"); return err },
		"checks": func() error {
			_, err := f.(forge.Checks).Checks(t.Context(), h.Repo, p.HeadSHA)
			return err
		},
		"follow": func() (last error) {
			for got, err := range f.(forge.Follower).Follow(t.Context(), []forge.PullRef{{Repo: h.Repo, Number: p.Number}}, time.Time{}) {
				if last = err; got.Number != p.Number {
					t.Errorf("followed %+v", got)
				}
			}
			return last
		},
	}
	for name, read := range reads {
		if err := read(); fleet.CodeOf(err) != fleet.CodeRepoGone && (name != "checks" || !q.Loose) {
			t.Errorf("%s of what is gone: %v", name, err)
		}
	}
}

// strangers are left out as reviewers: the pull request is what matters.
func strangers(t *testing.T, _ *Host, h forgetest.Harness, _ Quirks) {
	h.Push(t, "gaggle/a", map[string]string{"a": "a"})
	s := h.Spec("gaggle/a")
	s.Reviewers = []string{"stranger"}
	if p, err := h.Forge.Open(t.Context(), s); err != nil || p.Number != 1 || len(p.Reviewers) != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// discovery follows every page, also those of a server that caps pages at less than is asked for.
func discovery(t *testing.T, host *Host, h forgetest.Harness, q Quirks) {
	var path string
	host.With(Slug, func(r *Repo) { path = r.Path })
	for i := range 120 {
		host.Add(Repo{Slug: fmt.Sprintf("fleet/r%03d", i), Path: path, Archived: i == 3 && !q.NoArchive, Fork: i == 4, Visibility: []string{"public", "private"}[i%2]})
		if q.Second != "" {
			host.Add(Repo{Slug: fmt.Sprintf(q.Second, i), Path: path, Visibility: "public"})
		}
	}
	count := func(owner string, filter forge.Filter) int {
		list := Discovered(t, h.Forge, owner, filter)
		for _, r := range list {
			if r.DefaultBranch != "main" && r.DefaultBranch != "" || !strings.HasPrefix(strings.ToLower(r.Name), owner+"/") || r.Head != "" && r.Head != h.Tip(t, "main") {
				t.Fatalf("%+v", r)
			}
		}
		return len(list)
	}
	archived := 1
	if q.NoArchive {
		archived = 0
	}
	for _, c := range []struct {
		owner  string
		filter forge.Filter
		want   int
	}{
		{"fleet", forge.Filter{Archived: true, Forks: true}, 120},
		{"fleet", forge.Filter{}, 119 - archived},
		{"fleet", forge.Filter{Forks: true, Visibility: []string{"public"}}, 60},
		{"fleet", forge.Filter{Visibility: []string{"private"}}, 60 - archived},
		{Self, forge.Filter{Visibility: []string{"public"}}, 120},
	} {
		if c.owner == Self && q.Second == "" {
			continue
		}
		if n := count(c.owner, c.filter); n != c.want {
			t.Errorf("found %d of %d in %s with %+v", n, c.want, c.owner, c.filter)
		}
	}
	for r, err := range h.Forge.(forge.Discoverer).Discover(t.Context(), forge.Scope{Owner: "nobody"}) {
		if err == nil || fleet.CodeOf(err) != fleet.CodeNotFound {
			t.Errorf("of nobody: %+v, %v", r, err)
		}
	}
}

// Discovered are the repositories of an owner.
func Discovered(t *testing.T, f forge.Forge, owner string, filter forge.Filter) (list []fleet.Repository) {
	t.Helper()
	for r, err := range f.(forge.Discoverer).Discover(t.Context(), forge.Scope{Owner: owner, Filter: filter}) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// Opened makes pull requests as publish does: looked for, then opened.
func Opened(t *testing.T, h forgetest.Harness, n int) (refs []forge.PullRef) {
	t.Helper()
	for i := range n {
		branch := fmt.Sprintf("gaggle/%d", i)
		h.Push(t, branch, map[string]string{"a": branch})
		if _, err := h.Forge.Find(t.Context(), h.Repo, branch); fleet.CodeOf(err) != fleet.CodeNotFound {
			t.Fatal(err)
		}
		p, err := h.Forge.Open(t.Context(), h.Spec(branch))
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, forge.PullRef{Repo: h.Repo, Number: p.Number})
	}
	return refs
}

// Followed makes a pass, and says what it saw, by number, and what it cost.
func Followed(t *testing.T, host *Host, f forge.Forge, refs []forge.PullRef, since time.Time) (pulls map[int]forge.Pull, calls int) {
	t.Helper()
	before := host.Calls("")
	pulls = map[int]forge.Pull{}
	for p, err := range f.(forge.Follower).Follow(t.Context(), refs, since) {
		if err != nil {
			t.Fatal(err)
		}
		pulls[p.Number] = p
	}
	return pulls, host.Calls("") - before
}
