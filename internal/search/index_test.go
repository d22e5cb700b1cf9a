package search

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gaggle/internal/fleet"
)

func TestDamagedShardsAreMadeAgain(t *testing.T) {
	m := &memory{}
	x, repo := open(t, m), m.put(monorepo)
	place := Place{Repository: repo, Paths: []string{".", "services/a", "services/b"}}
	q := compile(t, Terms{Contains: `(ioutil|STRASSE|Käse)`, Examples: 9})
	want, err := x.Match(t.Context(), place, q)
	if err != nil {
		t.Fatal(err)
	}
	path, _ := x.path(repo.Tree)
	good := shardFile(t, x, repo)
	check := func(name string, bad []byte) {
		t.Helper()
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := x.Match(t.Context(), place, q)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%s: a damaged shard gave another answer\n%s", name, d)
		}
	}
	for i := 0; i < len(good); i += 3 {
		bad := slices.Clone(good)
		bad[i] ^= 1 << (i % 8)
		check(fmt.Sprintf("byte %d", i), bad)
	}
	for n := 0; n < len(good); n += 7 {
		check(fmt.Sprintf("%d bytes left", n), good[:n])
	}
	check("longer", append(slices.Clone(good), "tail"...))
	check("zeroes", make([]byte, len(good)))
}

func TestAShardThatCannotBeMadeIsAnError(t *testing.T) {
	m := &memory{}
	q := compile(t, Terms{Contains: "abc"})
	gone := Place{Repository: fleet.Repository{Name: "gone", Tree: strings.Repeat("a", 40)}, Paths: []string{"."}}
	if _, err := open(t, m).Match(t.Context(), gone, q); fleet.CodeOf(err) != fleet.CodeRepoGone || !strings.Contains(err.Error(), "gone") {
		t.Errorf("a tree that is not there: %v", err)
	}
	if _, err := Open(Config{Dir: t.TempDir()}).Match(t.Context(), gone, q); fleet.CodeOf(err) != fleet.CodeNotFound {
		t.Errorf("without trees: %v", err)
	}
	for _, tree := range []string{"../../../etc/passwd", strings.Repeat("A", 40), strings.Repeat("a", 39)} {
		gone.Repository.Tree = tree
		if _, err := open(t, m).Match(t.Context(), gone, q); fleet.CodeOf(err) != fleet.CodeInternal {
			t.Errorf("tree %q: %v", tree, err)
		}
	}
	repo := m.put(map[string]string{"a": "1", "b": "2"})
	hostile := m.trees[repo.Tree]
	for name, files := range map[string][]File{
		"unsorted": {hostile.files[1], hostile.files[0]}, "double": {hostile.files[0], hostile.files[0]}, "unnamed": {{OID: hostile.files[0].OID}},
		"long": {{Path: strings.Repeat("x", 1<<16), OID: hostile.files[0].OID}},
	} {
		m.trees[repo.Tree] = memoryTree{of: m, files: files, blobs: hostile.blobs}
		if _, err := open(t, m).Ensure(t.Context(), repo, ""); fleet.CodeOf(err) != fleet.CodeUnsafeTree {
			t.Errorf("%s: %v", name, err)
		}
	}
	m.trees[repo.Tree] = memoryTree{of: m, files: hostile.files}
	x := open(t, m)
	if _, err := x.Ensure(t.Context(), repo, ""); fleet.CodeOf(err) != fleet.CodeMirrorCorrupt {
		t.Errorf("a lost blob: %v", err)
	}
	filepath.WalkDir(x.cfg.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			t.Errorf("%s was left behind, %v", path, err)
		}
		return nil
	})
}

func TestAChangedTreeTakesOverWhatIsEqual(t *testing.T) {
	m := &memory{}
	files := map[string]string{}
	for i := range 5000 {
		files[fmt.Sprintf("pkg%02d/f%04d.go", i/100, i)] = fmt.Sprintf("package p // number %d\n", i)
	}
	x, before := open(t, m), m.put(files)
	if _, err := x.Ensure(t.Context(), before, ""); err != nil {
		t.Fatal(err)
	}
	first := m.reads.Swap(0)
	files["pkg20/f2000a.go"] = "package p // a newcomer\n"
	files["pkg40/f4000.go"] = "package p // changed\n"
	after := m.put(files)
	stats, err := x.Ensure(t.Context(), after, before.Tree)
	if err != nil {
		t.Fatal(err)
	}
	if again := m.reads.Load(); first != 5000 || again > 5*segmentFiles {
		t.Errorf("read %d blobs, then %d", first, again)
	}
	fresh := open(t, m)
	want, err := fresh.Ensure(t.Context(), after, "")
	if err != nil || want != stats {
		t.Errorf("%+v, want %+v, %v", stats, want, err)
	}
	if one, two := shardFile(t, x, after), shardFile(t, fresh, after); !bytes.Equal(one, two) {
		t.Error("the shard made from the old one differs from the one made from nothing")
	}
}

func shardFile(t *testing.T, x *Index, repo fleet.Repository) []byte {
	t.Helper()
	path, err := x.path(repo.Tree)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestADamagedOldShardIsNotTakenOver(t *testing.T) {
	m := &memory{}
	x, before := open(t, m), m.put(map[string]string{"a": "needle one"})
	after := before
	after.Tree = m.put(map[string]string{"a": "needle one", "b": "needle two"}).Tree
	if _, err := x.Ensure(t.Context(), before, ""); err != nil {
		t.Fatal(err)
	}
	path, _ := x.path(before.Tree)
	data := shardFile(t, x, before)
	data[0] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Ensure(t.Context(), after, before.Tree); err != nil {
		t.Fatal(err)
	}
	hits, err := x.Match(t.Context(), Place{Repository: after, Paths: []string{"."}}, compile(t, Terms{Contains: "needle", Examples: 5}))
	if err != nil || show(hits) != ".=a:1,b:1" {
		t.Errorf("%v, %v", hits, err)
	}
}

func TestManyAtOnce(t *testing.T) {
	m := &memory{}
	var repos []fleet.Repository
	for i := range 20 {
		repos = append(repos, m.put(map[string]string{"f": fmt.Sprintf("number %d needle", i)}))
	}
	dir := t.TempDir()
	q := compile(t, Terms{Contains: "needle"})
	var wg sync.WaitGroup
	for range 4 { // as many processes would
		wg.Go(func() {
			x := Open(Config{Dir: dir, Trees: m, Parallel: 3})
			found := 0
			err := x.Select(t.Context(), q, func(yield func(Place) bool) {
				for _, r := range repos {
					if !yield(Place{Repository: r, Paths: []string{"."}}) {
						return
					}
				}
			}, func(_ Place, hits []Hit, err error) error {
				if err == nil && hits[0].Matched {
					found++
				}
				return err
			})
			if err != nil || found != len(repos) {
				t.Errorf("%d found, %v", found, err)
			}
		})
	}
	wg.Wait()
}

func TestSelectGoesOnAfterABrokenRepository(t *testing.T) {
	m := &memory{}
	good := m.put(map[string]string{"f": "needle"})
	places := slices.Values([]Place{{Repository: fleet.Repository{Name: "gone", Tree: strings.Repeat("0", 40)}, Paths: []string{"."}}, {Repository: good, Paths: []string{"."}}, {Repository: fleet.Repository{Name: "empty"}, Paths: []string{"."}}})
	x, q := open(t, m), compile(t, Terms{Contains: "needle"})
	got := map[string]string{}
	if err := x.Select(t.Context(), q, places, func(p Place, hits []Hit, err error) error {
		got[p.Repository.Name] = fmt.Sprintf("%v|%s", err != nil, show(hits))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"gone": "true|", good.Name: "false|.=f:1", "empty": "false|"}, got); d != "" {
		t.Error(d)
	}
	stop := errors.New("enough")
	if err := x.Select(t.Context(), q, places, func(Place, []Hit, error) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("each's error: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Select(ctx, q, places, func(Place, []Hit, error) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestCollect(t *testing.T) {
	m := &memory{}
	x := open(t, m)
	keep, drop := m.put(map[string]string{"a": "1"}), m.put(map[string]string{"a": "2"})
	for _, r := range []fleet.Repository{keep, drop} {
		if _, err := x.Ensure(t.Context(), r, ""); err != nil {
			t.Fatal(err)
		}
	}
	left := filepath.Join(x.home, "ab", tempPrefix+"123")
	otherVersion := filepath.Join(x.cfg.Dir, "v0-aaaa", keep.Tree[:2], keep.Tree+shardSuffix)
	foreign := filepath.Join(x.home, "ab", "notes.txt")
	for _, p := range []string{left, otherVersion, foreign} {
		os.MkdirAll(filepath.Dir(p), 0o755)
		os.WriteFile(p, []byte("x"), 0o644)
	}
	live := map[string]bool{keep.Tree: true}
	if n, _, err := x.Collect(t.Context(), live, time.Hour); n != 0 || err != nil {
		t.Errorf("young ones were removed: %d, %v", n, err)
	}
	if n, bytes, err := x.Collect(t.Context(), live, -time.Hour); n != 3 || bytes < 3 || err != nil {
		t.Errorf("removed %d, %d bytes, %v", n, bytes, err)
	}
	kept, _ := x.path(keep.Tree)
	for p, want := range map[string]bool{kept: true, foreign: true, left: false, otherVersion: false} {
		if _, err := os.Stat(p); (err == nil) != want {
			t.Errorf("%s: %v", p, err)
		}
	}
	if n, _, err := Open(Config{Dir: filepath.Join(t.TempDir(), "none")}).Collect(t.Context(), nil, 0); n != 0 || err != nil {
		t.Errorf("no folder: %d, %v", n, err)
	}
}
