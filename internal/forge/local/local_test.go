package local_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/forgetest"
	"gaggle/internal/forge/local"
	"gaggle/internal/git"
)

func newForge(t testing.TB, dir string) *local.Forge {
	t.Helper()
	store, err := git.Open(git.Config{Dir: filepath.Join(dir, "mirrors"), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	f, err := local.New(local.Config{Dir: filepath.Join(dir, "forge"), Git: store})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestConformance(t *testing.T) {
	t.Parallel()
	forgetest.Exercise(t, func(t *testing.T) forgetest.Harness {
		h := forgetest.Repository(t, "acme/billing")
		dir := t.TempDir()
		f := newForge(t, dir)
		h.Forge, h.TellsConflicts = f, true
		h.Report = func(t *testing.T, commit, name string, state forge.CheckState) {
			if err := f.SetCheck(t.Context(), h.Repo, commit, forge.Check{Name: name, State: state}, []byte("noise\nFAIL\n")); err != nil {
				t.Fatal(err)
			}
		}
		h.Reruns = func(t *testing.T, commit, name string) int {
			files, _ := filepath.Glob(filepath.Join(dir, "forge", "pulls", "*", "checks", commit+".json"))
			if len(files) != 1 {
				t.Fatal("no file of checks")
			}
			text, err := os.ReadFile(files[0])
			var list []struct {
				Name   string
				Reruns int
			}
			if err == nil {
				err = json.Unmarshal(text, &list)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range list {
				if c.Name == name {
					return c.Reruns
				}
			}
			return 0
		}
		h.Say = func(t *testing.T, number int, r forge.Remark) {
			if _, err := f.Say(t.Context(), h.Repo, number, r); err != nil {
				t.Fatal(err)
			}
		}
		return h
	})
}

// A pass over many that nobody touched yields none of them and starts no git.
func TestFollowsCheaply(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := forgetest.Repository(t, "acme/billing")
	f := newForge(t, dir)
	var refs []forge.PullRef
	for i := range 20 {
		branch := fmt.Sprintf("gaggle/%02d", i)
		h.Push(t, branch, map[string]string{branch: "x\n"})
		p, err := f.Open(t.Context(), forge.PullSpec{Repo: h.Repo, HeadBranch: branch, Title: "Change"})
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, forge.PullRef{Repo: h.Repo, Number: p.Number})
	}
	follow := func(f *local.Forge, since time.Time) (numbers []int) {
		t.Helper()
		for p, err := range f.Follow(t.Context(), refs, since) {
			if err != nil || p.Repository != h.Repo.Name {
				t.Fatal(p, err)
			}
			numbers = append(numbers, p.Number)
		}
		return numbers
	}
	if got := follow(f, time.Time{}); len(got) != 20 {
		t.Fatalf("a first pass saw %v", got)
	}
	gitless, err := git.Open(git.Config{Dir: filepath.Join(dir, "mirrors"), Program: "/bin/false", AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	cold, err := local.New(local.Config{Dir: filepath.Join(dir, "forge"), Git: gitless})
	if err != nil {
		t.Fatal(err)
	}
	late := time.Now().Add(time.Minute)
	if got := follow(cold, late); len(got) != 0 {
		t.Errorf("yielded %v, of which none changed", got)
	}
	sha := h.Push(t, "gaggle/03", map[string]string{"more": "x\n"})
	if err := f.Close(t.Context(), h.Repo, 8, "no"); err != nil {
		t.Fatal(err)
	}
	if got := follow(f, late); !slices.Equal(got, []int{4}) { // a push is seen whatever the time is
		t.Errorf("yielded %v", got)
	}
	before := time.Now()
	if err := f.SetCheck(t.Context(), h.Repo, sha, forge.Check{Name: "build", State: forge.CheckFailed}, nil); err != nil {
		t.Fatal(err)
	}
	if got := follow(cold, before); !slices.Equal(got, []int{4}) {
		t.Errorf("yielded %v after a check", got)
	}
	h.Push(t, "main", map[string]string{"x": "y\n"})
	if got := follow(f, late); len(got) != 19 {
		t.Errorf("after the base moved: %v", got)
	}
	missing := forge.PullRef{Repo: h.Repo, Number: 99}
	for p, err := range f.Follow(t.Context(), []forge.PullRef{missing}, late) {
		if p.Number != 99 || fleet.CodeOf(err) != fleet.CodeNotFound {
			t.Error(p, err)
		}
	}
}

func TestChecksAreBounded(t *testing.T) {
	t.Parallel()
	h := forgetest.Repository(t, "acme/billing")
	f := newForge(t, t.TempDir())
	sha := h.Tip(t, "main")
	for _, bad := range []forge.Check{{State: forge.CheckFailed}, {Name: "x", State: "odd"}, {Name: "x\n", State: "none"}, {Name: strings.Repeat("x", 201), State: forge.CheckFailed}} {
		if err := f.SetCheck(t.Context(), h.Repo, sha, bad, nil); fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Errorf("%.20q: %v", bad.Name, err)
		}
	}
	for _, commit := range []string{"", "main", "../../x", strings.ToUpper(sha), sha[:20]} {
		if err := f.SetCheck(t.Context(), h.Repo, commit, forge.Check{Name: "x", State: forge.CheckFailed}, nil); fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Errorf("%q: %v", commit, err)
		}
		if _, err := f.Checks(t.Context(), h.Repo, commit); fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Errorf("%q: %v", commit, err)
		}
	}
	odd := "../../Build (linux) é"
	if err := f.SetCheck(t.Context(), h.Repo, sha, forge.Check{Name: odd, State: forge.CheckFailed, Log: "/etc/passwd"}, []byte("boom\n")); err != nil {
		t.Fatal(err)
	}
	list, err := f.Checks(t.Context(), h.Repo, sha)
	if err != nil || len(list) != 1 || list[0].Name != odd {
		t.Fatal(list, err)
	}
	if log, err := f.CheckLog(t.Context(), h.Repo, list[0].Log, 100); err != nil || string(log) != "boom\n" {
		t.Errorf("%q, %v", log, err)
	}
	for _, handle := range []string{"", "/etc/passwd", sha + "/../../x", sha} {
		if _, err := f.CheckLog(t.Context(), h.Repo, handle, 100); fleet.CodeOf(err) != fleet.CodeUnsupported {
			t.Errorf("%q: %v", handle, err)
		}
	}
}

func TestSay(t *testing.T) {
	t.Parallel()
	h := forgetest.Repository(t, "acme/billing")
	f := newForge(t, t.TempDir())
	h.Push(t, "gaggle/a", map[string]string{"a": "x\n"})
	if _, err := f.Open(t.Context(), forge.PullSpec{Repo: h.Repo, HeadBranch: "gaggle/a", Title: "Change"}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []forge.Remark{{Body: "x"}, {Author: " gaggle ", Body: "x"}, {Author: "ann"}, {Author: "ann", Body: "x", Verdict: "maybe"}} {
		if _, err := f.Say(t.Context(), h.Repo, 1, bad); fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if err := f.AddComment(t.Context(), h.Repo, 1, "mine"); err != nil {
		t.Fatal(err)
	}
	if r, err := f.Say(t.Context(), h.Repo, 1, forge.Remark{Author: "ann", Verdict: "approved", MayWrite: true}); err != nil || r.ID != "comment-2" {
		t.Error(r, err)
	}
	list, err := f.Reviews(t.Context(), h.Repo, 1, time.Time{})
	if err != nil || len(list) != 1 || list[0].Verdict != "approved" || list[0].Author != "ann" {
		t.Errorf("%+v, %v: what the forge itself says is no review", list, err)
	}
	if all, err := f.Comments(t.Context(), h.Repo, 1); err != nil || len(all) != 2 {
		t.Error(all, err)
	}
}
