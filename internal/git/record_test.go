package git_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"gaggle/internal/fleet"
)

// TestEditsAreRecordedAsGitWouldRecordThem holds trees that are made without git against those that git makes of the same files.
func TestEditsAreRecordedAsGitWouldRecordThem(t *testing.T) {
	names := []string{"a", "a-b", "a.b", "a0", "b/a!", "b/a-/x", "b/a/x", "b/a0", "b.d", "b-/y", "b0/y", "B", "é/ö", "d/d/d/d/e", "d/d/d.d/e", "z z", "x\ny"}
	for _, format := range []string{"sha1", "sha256"} {
		dice := rand.New(rand.NewPCG(1, 2))
		files := map[string]string{}
		for _, name := range names {
			files[name] = name + "\n"
		}
		src := newSource(t, files, "--object-format="+format)
		if err := os.Symlink("a", filepath.Join(src.dir, "link")); err != nil {
			t.Fatal(err)
		}
		src.git("add", "link")
		src.git("commit", "--quiet", "-m", "link")
		store, processes := countingStore(t)
		repo := fleet.Repository{Name: "acme/" + format, URL: src.dir}
		head := refresh(t, store, repo)
		co, err := store.Checkout(t.Context(), repo, head.Commit, filepath.Join(t.TempDir(), "co"))
		if err != nil {
			t.Fatal(err)
		}
		for round := range 25 {
			git := 1 // the comparison; the base itself needs none
			edit := func(name string, content string, mode os.FileMode) {
				for _, dir := range []string{co.Tree, src.dir} {
					file := filepath.Join(dir, name)
					if err := os.WriteFile(file, []byte(content), mode); err != nil {
						t.Fatal(err)
					}
					if err := os.Chmod(file, mode); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, i := range dice.Perm(len(names))[:1+dice.IntN(4)] {
				edit(names[i], fmt.Sprintf("round %d of %s\n", round, names[i]), []os.FileMode{0o644, 0o755}[dice.IntN(2)])
			}
			switch round % 8 {
			case 5: // git has to look at what is new, and knows it from then on
				edit("new "+fmt.Sprint(round), "new\n", 0o644)
				git += 2
			case 7: // everything as it was
				for _, dir := range []string{co.Tree, src.dir} {
					runGit(t, src.dir, "--work-tree="+dir, "checkout", "--force", head.Commit, "--", ".")
				}
			}
			src.git("add", "--all")
			want := src.git("write-tree")
			processes()
			change, err := co.Snapshot(t.Context())
			if err != nil || change.Tree != want {
				t.Fatalf("%s, round %d: tree %s, %v, want %s", format, round, change.Tree, err, want)
			}
			if n := processes(); want != head.Tree && n != git {
				t.Errorf("%s, round %d: %d processes, want %d", format, round, n, git)
			}
			if want != head.Tree && len(change.Files) == 0 {
				t.Errorf("%s, round %d: %+v", format, round, change.Files)
			}
		}
		if err := co.Close(); err != nil {
			t.Error(err)
		}
	}
}
