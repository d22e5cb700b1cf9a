package catalog

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

// fakeMirrors is Mirrors over maps, for what needs no git. Content that begins with "link:" is a symbolic link, with
// "exec:" an executable file.
type fakeMirrors struct {
	mu    sync.Mutex
	repos map[string]map[string]string
	errs  map[string]error // of Refresh
	opens map[string]int
}

func newFake(repos map[string]map[string]string) *fakeMirrors {
	return &fakeMirrors{repos: repos, errs: map[string]error{}, opens: map[string]int{}}
}

func (m *fakeMirrors) list() []fleet.Repository {
	var out []fleet.Repository
	for _, name := range slices.Sorted(maps.Keys(m.repos)) {
		out = append(out, fleet.Repository{Name: name, URL: "https://forge.example/" + name + ".git", Forge: "forge.example"})
	}
	return out
}

func hash(v any) string {
	sum := sha1.Sum(fmt.Append(nil, v))
	return hex.EncodeToString(sum[:])
}

func (m *fakeMirrors) Refresh(_ context.Context, repo fleet.Repository, _ time.Duration) (git.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.errs[repo.Name]; err != nil {
		return git.Head{}, err
	}
	files, ok := m.repos[repo.Name]
	if !ok {
		return git.Head{}, fleet.Errorf(fleet.CodeRepoGone, "there is no %s", repo.Name)
	}
	return git.Head{Branch: "main", Commit: hash(len(files)), Tree: hash(files)}, nil
}

func (m *fakeMirrors) Open(_ context.Context, repo fleet.Repository, tree string) Tree {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opens[repo.Name]++
	return fakeTree(m.repos[repo.Name])
}

type fakeTree map[string]string

func (t fakeTree) Files() iter.Seq2[git.Entry, error] {
	return func(yield func(git.Entry, error) bool) {
		for _, p := range slices.Sorted(maps.Keys(t)) {
			mode, text := t.entry(p)
			if !yield(git.Entry{Path: p, Mode: mode, OID: p, Size: int64(len(text))}, nil) {
				return
			}
		}
	}
}

func (t fakeTree) entry(p string) (mode, text string) {
	for prefix, mode := range map[string]string{"link:": "120000", "exec:": "100755"} {
		if text, ok := strings.CutPrefix(t[p], prefix); ok {
			return mode, text
		}
	}
	return "100644", t[p]
}

func (t fakeTree) Read(oids []string, limit int64, each func(int, []byte) error) error {
	for i, oid := range oids {
		_, text := t.entry(oid)
		content := []byte(text)
		if int64(len(text)) > limit {
			content = nil
		}
		if err := each(i, content); err != nil {
			return err
		}
	}
	return nil
}

func (t fakeTree) Close() error { return nil }

// inventory is what a store would hold after a sync: the last result of each repository, by name.
type inventory struct {
	results map[string]Result
	order   []string // of the results as they were handed out, with their outcomes
	summary Summary
}

// sync runs over the fake's repositories, with what an earlier sync said as known.
func (m *fakeMirrors) sync(t testing.TB, before *inventory) *inventory {
	t.Helper()
	inv := &inventory{results: map[string]Result{}}
	o := Options{Mirrors: m, Parallel: 3, Now: func() time.Time { return time.Unix(1, 0) }}
	if before != nil {
		maps.Copy(inv.results, before.results)
		o.Known = func(name string) (Known, bool) {
			r, ok := before.results[name]
			return Known{r.Repository, r.Memo}, ok
		}
	}
	var err error
	inv.summary, err = Sync(t.Context(), m.list(), o, func(r Result) error {
		name := r.Repository.Name
		inv.order = append(inv.order, name+" "+string(r.Outcome))
		switch r.Outcome {
		case Unchanged:
			old := inv.results[name]
			old.Repository = r.Repository
			r = old
		case Failed:
			old := inv.results[name]
			old.Repository, old.Problems = r.Repository, r.Problems
			r = old
		}
		inv.results[name] = r
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// components lists what there is as "repository path ref owner language…".
func (inv *inventory) components() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(inv.results)) {
		for _, c := range inv.results[name].Components {
			out = append(out, strings.TrimRight(fmt.Sprintf("%s %s %s %s %s", name, c.Path, strings.TrimPrefix(c.Ref, "component:default/"), c.Owner, strings.Join(c.Languages, ",")), " "))
		}
	}
	return strings.Join(out, "\n")
}

// problems lists them as "file:line:column code message".
func (inv *inventory) problems() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(inv.results)) {
		for _, p := range inv.results[name].Problems {
			out = append(out, fmt.Sprintf("%s %s:%d:%d %s %s", p.Repository, p.File, p.Line, p.Column, p.Code, p.Message))
		}
	}
	return strings.Join(out, "\n")
}

// one reads a single repository called acme/mono.
func one(t testing.TB, files map[string]string) *inventory {
	t.Helper()
	return newFake(map[string]map[string]string{"acme/mono": files}).sync(t, nil)
}

func equal(t testing.TB, what, got, want string) {
	t.Helper()
	if want = strings.TrimSpace(want); got != want {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}
