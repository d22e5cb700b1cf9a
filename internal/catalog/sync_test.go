package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

func TestWhatIsUnchangedIsNotReadAgain(t *testing.T) {
	m := newFake(map[string]map[string]string{
		"a": {"catalog-info.yaml": named("x"), ".gaggle.yaml": "optOut: true"}, "b": {"main.go": "package main"}, "c": {"catalog-info.yaml": named("x")}, "d": {"catalog-info.yaml": named("x") + "---\nbroken: ["},
	})
	first := m.sync(t, nil)
	equal(t, "order", strings.Join(first.order, ", "), "a read, b read, c read, d read")
	if s := first.results["a"].Settings; s == nil || s.File != ".gaggle.yaml" || string(s.Data) != "optOut: true" {
		t.Errorf("settings: %+v", s)
	}
	clear(m.opens)
	second := m.sync(t, first)
	equal(t, "order", strings.Join(second.order, ", "), "a unchanged, b unchanged, c unchanged, d unchanged")
	if len(m.opens) != 0 {
		t.Errorf("opened %v", m.opens)
	}
	equal(t, "components", second.components(), first.components())
	m.repos["b"]["main.go"] = "package other"
	third := m.sync(t, second)
	equal(t, "order", strings.Join(third.order, ", "), "a unchanged, b read, c unchanged, d unchanged")
	if got := third.results["b"]; got.Previous != second.results["b"].Repository.Tree || got.Previous == got.Repository.Tree {
		t.Errorf("previous tree %s", got.Previous)
	}
	for name, spoil := range map[string]func(*Result){
		"no memo": func(r *Result) { r.Memo = nil },
		"old rules": func(r *Result) {
			r.Memo = []byte(strings.Replace(string(r.Memo), fmt.Sprintf(`"rules":%d`, rulesVersion), `"rules":0`, 1))
		},
		"other url":  func(r *Result) { r.Memo = []byte(strings.Replace(string(r.Memo), "forge.example", "other.example", 1)) },
		"other tree": func(r *Result) { r.Repository.Tree = "x" },
		"broken":     func(r *Result) { r.Memo = []byte("{") },
	} {
		spoilt := &inventory{results: map[string]Result{}}
		for k, r := range third.results {
			if k == "b" {
				spoil(&r)
			}
			spoilt.results[k] = r
		}
		equal(t, name, strings.Join(m.sync(t, spoilt).order, ", "), "a unchanged, b read, c unchanged, d unchanged")
	}
}

func TestTheFirstRepositoryByNameHasTheReference(t *testing.T) {
	m := newFake(map[string]map[string]string{
		"b": {"catalog-info.yaml": named("x")}, "c": {"catalog-info.yaml": named("X") + "---\n" + named("y")}, "d": {"catalog-info.yaml": named("x")},
	})
	inv := m.sync(t, nil)
	equal(t, "components", inv.components(), "b . x group:default/o\nc . y group:default/o")
	equal(t, "problems", inv.problems(), `
c catalog-info.yaml:3:18 duplicate component:default/x is described in repository b already
d catalog-info.yaml:3:18 duplicate component:default/x is described in repository b already`)
	// A newcomer in front takes it; whoever had it is told, though nothing changed there.
	m.repos["a"] = map[string]string{"catalog-info.yaml": named("x")}
	inv = m.sync(t, inv)
	equal(t, "order", strings.Join(inv.order, ", "), "a read, b read, c unchanged, d unchanged")
	equal(t, "components", inv.components(), "a . x group:default/o\nc . y group:default/o")
	// When it goes, the next one has it, though nothing changed there.
	delete(m.repos, "a")
	delete(m.repos, "b")
	delete(inv.results, "a")
	delete(inv.results, "b")
	inv = m.sync(t, inv)
	equal(t, "order", strings.Join(inv.order, ", "), "c read, d unchanged")
	equal(t, "components", inv.components(), "c . x group:default/o\nc . y group:default/o")
	equal(t, "problems", inv.problems(), "d catalog-info.yaml:3:18 duplicate component:default/x is described in repository b already")
}

func TestAnInferredComponentGivesWay(t *testing.T) {
	m := newFake(map[string]map[string]string{"acme/api": {"a.go": "x"}, "zoo": {"catalog-info.yaml": named("acme-api")}})
	inv := m.sync(t, nil)
	equal(t, "order", strings.Join(inv.order, ", "), "acme/api read, zoo read, acme/api read")
	aside := inv.results["acme/api"].Components[0].Name
	if !strings.HasPrefix(aside, "acme-api-") || len(inv.results["acme/api"].Components) != 1 || inv.summary.Components != 2 || inv.summary.Outcomes[Read] != 2 {
		t.Errorf("%s, %+v", aside, inv.summary)
	}
	equal(t, "components", inv.components(), "acme/api . "+aside+"  Go\nzoo . acme-api group:default/o")
	// It stays aside while nothing changes, without a look, and also when its own content changes.
	inv = m.sync(t, inv)
	equal(t, "order", strings.Join(inv.order, ", "), "acme/api unchanged, zoo unchanged")
	m.repos["acme/api"]["b.go"] = "x"
	inv = m.sync(t, inv)
	equal(t, "order", strings.Join(inv.order, ", "), "acme/api read, zoo unchanged")
	equal(t, "components", inv.components(), "acme/api . "+aside+"  Go\nzoo . acme-api group:default/o")
	// The name comes back when it is free.
	m.repos["zoo"]["catalog-info.yaml"] = named("zoo")
	inv = m.sync(t, inv)
	equal(t, "order", strings.Join(inv.order, ", "), "acme/api unchanged, zoo read, acme/api read")
	equal(t, "components", inv.components(), "acme/api . acme-api  Go\nzoo . zoo group:default/o")
}

func TestTwoInferredComponentsOfOneName(t *testing.T) {
	m := newFake(map[string]map[string]string{"a-b": {"x.go": "x"}, "a/b": {"x.go": "x"}})
	inv := m.sync(t, nil)
	got := strings.Split(inv.components(), "\n")
	if len(got) != 2 || got[0] != "a-b . a-b  Go" || !strings.HasPrefix(got[1], "a/b . a-b-") {
		t.Errorf("%q", got)
	}
	equal(t, "problems", inv.problems(), "")
	equal(t, "order", strings.Join(m.sync(t, inv).order, ", "), "a-b unchanged, a/b unchanged")
}

func TestABrokenRepositoryDoesNotStopTheSync(t *testing.T) {
	m := newFake(map[string]map[string]string{"a": {"catalog-info.yaml": named("x")}, "b": {"x": "x"}, "c": {"x": "x"}, "d": {"catalog-info.yaml": named("x")}})
	before := m.sync(t, nil)
	m.errs["a"] = &fleet.Error{Code: fleet.CodeMirrorCorrupt, Message: "the mirror is damaged", Hint: "try again"}
	m.errs["b"] = fleet.Errorf(fleet.CodeRepoGone, "gone")
	m.errs["c"] = fleet.Errorf(fleet.CodeRepoEmpty, "empty")
	inv := m.sync(t, before)
	equal(t, "order", strings.Join(inv.order, ", "), "a failed, b gone, c empty, d unchanged")
	equal(t, "components", inv.components(), "a . x group:default/o") // a keeps what it had, so d does not get it
	equal(t, "problems", inv.problems(), `
a :0:0 mirror_corrupt the mirror is damaged
b :0:0 repository_gone gone
c :0:0 repository_empty empty
d catalog-info.yaml:3:18 duplicate component:default/x is described in repository a already`)
	if r := inv.results["a"]; r.Repository.Tree == "" || r.Problems[0].Hint != "try again" {
		t.Errorf("%+v", r)
	}
	if r := inv.results["b"].Repository; r.Tree != "" || r.Head != "" {
		t.Errorf("%+v", r)
	}
	inv = m.sync(t, nil)
	if r := inv.results["a"].Repository; r.Tree != "" || r.URL == "" {
		t.Errorf("a repository that was never read has the tree %q", r.Tree)
	}
	equal(t, "components", inv.components(), "d . x group:default/o")
}

func TestSyncEnds(t *testing.T) {
	repos := map[string]map[string]string{}
	for i := range 200 {
		repos[fmt.Sprintf("r%03d", i)] = map[string]string{"x": "x"}
	}
	m := newFake(repos)
	stop := errors.New("enough")
	seen := 0
	_, err := Sync(t.Context(), m.list(), Options{Mirrors: m}, func(Result) error {
		if seen++; seen == 3 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || seen != 3 {
		t.Errorf("%v after %d", err, seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = Sync(ctx, m.list(), Options{Mirrors: m}, func(Result) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if len(m.opens) == 200 {
		t.Error("everything was read before the end")
	}
}

// slowMirrors holds one repository back until the others are done as far as the window lets them.
type slowMirrors struct {
	*fakeMirrors
	release chan struct{}
}

func (m slowMirrors) Refresh(ctx context.Context, repo fleet.Repository, age time.Duration) (git.Head, error) {
	if repo.Name == "r000" {
		select {
		case <-m.release:
		case <-ctx.Done():
			return git.Head{}, ctx.Err()
		}
	}
	if repo.Name == "r020" { // past half of the window of two readers, which the slow one does not close
		close(m.release)
	}
	return m.fakeMirrors.Refresh(ctx, repo, age)
}

func TestASlowRepositoryHoldsNobodyUpAtOnce(t *testing.T) {
	repos := map[string]map[string]string{}
	for i := range 100 {
		repos[fmt.Sprintf("r%03d", i)] = map[string]string{"x": "x"}
	}
	m := slowMirrors{newFake(repos), make(chan struct{})}
	var order []string
	if _, err := Sync(t.Context(), m.list(), Options{Mirrors: m, Parallel: 4}, func(r Result) error {
		order = append(order, r.Repository.Name)
		return nil
	}); err != nil || len(order) != 100 || !slices.IsSorted(order) {
		t.Errorf("%d, %v", len(order), err)
	}
}

// However repositories come, change and go, an incremental sync ends where a sync from nothing ends.
func TestIncrementalSyncsAgreeWithFullOnes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		names := []string{"a", "b", "n-x", "n/x", "n/y", "z"}
		content := rapid.SampledFrom([]string{"", "", named("q"), named("n-x"), named("n-y"), named("q") + "---\n" + named("n-x"), named("n-x") + "---\n" + named("n-x"), "broken: [",
			"apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: g}\n", named("a") + "---\n" + named("b") + "---\n" + named("z")})
		m := newFake(map[string]map[string]string{})
		var inv *inventory
		for range rapid.IntRange(1, 5).Draw(rt, "syncs") {
			for _, name := range names {
				switch rapid.IntRange(0, 4).Draw(rt, name) {
				case 0:
					delete(m.repos, name)
					if inv != nil {
						delete(inv.results, name)
					}
				case 1, 2:
					m.repos[name] = map[string]string{"x.go": "x"}
					if text := content.Draw(rt, "content"); text != "" {
						m.repos[name]["catalog-info.yaml"] = text
					}
				}
			}
			inv = m.sync(t, inv)
			refs := map[string]string{}
			for name, r := range inv.results {
				for _, c := range r.Components {
					if other := refs[c.Ref]; other != "" {
						rt.Fatalf("%s is in %s and %s", c.Ref, name, other)
					}
					refs[c.Ref] = name
				}
			}
			full := m.sync(t, nil)
			if inv.components() != full.components() {
				rt.Fatalf("incremental:\n%s\nfull:\n%s", inv.components(), full.components())
			}
		}
	})
}

// BenchmarkSyncUnchanged is what a sync of 10,000 repositories costs here when nothing is new, without the mirrors' own work.
func BenchmarkSyncUnchanged(b *testing.B) {
	repos := map[string]map[string]string{}
	for i := range 10_000 {
		repos[fmt.Sprintf("team/r%05d", i)] = map[string]string{"catalog-info.yaml": named(fmt.Sprint("c", i))}
	}
	m := newFake(repos)
	before := m.sync(b, nil)
	for b.Loop() {
		if inv := m.sync(b, before); inv.summary.Outcomes[Unchanged] != len(repos) {
			b.Fatalf("%+v", inv.summary)
		}
	}
}
