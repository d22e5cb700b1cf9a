package git_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

// program puts a git in front of the real one that writes down each start, to count what things cost.
func countingStore(t testing.TB) (*git.Store, func() int) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	script := "#!/bin/sh\necho \"$@\" >> '" + log + "'\nexec git \"$@\"\n"
	program := filepath.Join(dir, "counting-git")
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := git.Open(git.Config{Dir: filepath.Join(dir, "mirrors"), Program: program, AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	return s, func() int {
		data, _ := os.ReadFile(log)
		os.Remove(log)
		return strings.Count(string(data), "\n")
	}
}

func TestWhatThingsCost(t *testing.T) {
	src := newSource(t, map[string]string{"main.go": "package main\n", "doc/a.txt": "a\n"})
	store, started := countingStore(t)
	repo := src.repo()
	head := refresh(t, store, repo)
	if n := started(); n > 3 { // the other half counts too
		t.Errorf("making a mirror started git %d times", n)
	}
	for range 3 {
		refresh(t, store, repo)
	}
	if n := started(); n != 0 {
		t.Errorf("asking an unchanged local repository started git %d times", n)
	}
	c := checkout(t, store, repo)
	if n := started(); n != 1 {
		t.Errorf("a checkout started git %d times", n)
	}
	if change := snapshot(t, c); change.Tree != head.Tree {
		t.Errorf("change %+v", change)
	}
	if n := started(); n != 0 {
		t.Errorf("an unchanged work tree started git %d times", n)
	}
	write(t, c.Tree, map[string]string{"main.go": "package other\n", "new.txt": "new\n"})
	change := snapshot(t, c)
	for range 2 {
		if _, err := c.Diff(t.Context(), change.Tree); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Text(t.Context(), change.Tree); err != nil {
			t.Fatal(err)
		}
		if again := snapshot(t, c); again.Tree != change.Tree || len(again.Files) != 2 {
			t.Errorf("the same again: %+v", again)
		}
	}
	if n := started(); n > 3 {
		t.Errorf("a snapshot with its diff started git %d times", n)
	}
	if got, err := store.RemoteBranch(t.Context(), repo, "none"); got != "" || err != nil || started() != 0 {
		t.Errorf("asking a local repository for a branch: %q, %v", got, err)
	}
}

func TestRefreshFollowsTheRepository(t *testing.T) {
	src := newSource(t, map[string]string{"a.txt": "1\n"})
	store, repo := newStore(t), src.repo()
	first := refresh(t, store, repo)

	src.commit("second", map[string]string{"a.txt": "2\n"})
	if head, err := store.Refresh(t.Context(), repo, time.Hour); err != nil || head != first {
		t.Fatalf("within maxAge: %+v, %v", head, err)
	}
	second := refresh(t, store, repo)
	if second.Commit == first.Commit || second.Commit != src.git("rev-parse", "HEAD") {
		t.Fatalf("head %+v", second)
	}

	src.git("reset", "--quiet", "--hard", first.Commit) // force-pushed
	src.commit("other", map[string]string{"b.txt": "3\n"})
	forced := refresh(t, store, repo)
	if forced.Commit != src.git("rev-parse", "HEAD") {
		t.Fatalf("after a force-push: %+v", forced)
	}

	src.git("branch", "--quiet", "-m", "main", "trunk/new") // renamed
	renamed := refresh(t, store, repo)
	if renamed.Branch != "trunk/new" || renamed.Commit != forced.Commit {
		t.Fatalf("after a rename: %+v", renamed)
	}
	src.git("pack-refs", "--all")
	src.git("branch", "--quiet", "-m", "trunk/new", "trunk") // a branch in place of a folder
	src.commit("more", nil)
	if head := refresh(t, store, repo); head.Branch != "trunk" {
		t.Fatalf("after another rename: %+v", head)
	}

	for _, old := range []git.Head{first, second, forced} { // a base that the branch has left stays usable
		c, err := store.Checkout(t.Context(), repo, old.Commit, filepath.Join(t.TempDir(), "old"))
		if err != nil {
			t.Fatal(err)
		}
		if change := snapshot(t, c); change.Tree != old.Tree {
			t.Fatalf("the old base has tree %s, want %s", change.Tree, old.Tree)
		}
		c.Close()
	}
}

func TestHeadsOfEveryKind(t *testing.T) {
	store := newStore(t)
	n := 0
	head := func(src *source, path string) (git.Head, error) {
		n++
		return store.Refresh(t.Context(), fleet.Repository{Name: fmt.Sprint("r", n), URL: path}, 0)
	}
	src := newSource(t, map[string]string{"a.txt": "1\n"})
	want := src.git("rev-parse", "HEAD")
	bare := filepath.Join(t.TempDir(), "bare.git")
	src.git("clone", "--quiet", "--bare", src.dir, bare)
	linked := filepath.Join(t.TempDir(), "linked")
	src.git("worktree", "add", "--quiet", "-b", "feature", linked)
	for _, url := range []string{src.dir, src.dir + "/", "file://" + src.dir, bare, "file://" + bare, filepath.Join(src.dir, ".git"), linked} {
		got, err := head(src, url)
		if err != nil || got.Commit != want {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
	}
	src.git("checkout", "--quiet", "--detach")
	if got, err := head(src, src.dir); err != nil || got.Branch != "main" {
		t.Errorf("detached: %+v, %v", got, err)
	}
	src.git("symbolic-ref", "HEAD", "refs/heads/unborn")
	if got, err := head(src, src.dir); err != nil || got.Branch != "main" {
		t.Errorf("an unborn HEAD: %+v, %v", got, err)
	}
	src.git("worktree", "remove", linked)
	src.git("branch", "--quiet", "-D", "feature")
	src.git("branch", "--quiet", "-m", "main", "odd")
	src.git("symbolic-ref", "HEAD", "refs/heads/unborn")
	if got, err := head(src, src.dir); err != nil || got.Branch != "odd" {
		t.Errorf("the only branch: %+v, %v", got, err)
	}
	src.git("branch", "--quiet", "odder", "odd")
	_, err := head(src, src.dir)
	wantCode(t, err, fleet.CodeRepoEmpty)
}

func TestGoneAndEmpty(t *testing.T) {
	store := newStore(t)
	src := newSource(t, nil)
	_, err := store.Refresh(t.Context(), src.repo(), 0)
	wantCode(t, err, fleet.CodeRepoEmpty)
	src.commit("first", map[string]string{"a": "a"})
	refresh(t, store, src.repo())
	src.git("update-ref", "-d", "refs/heads/main") // emptied
	_, err = store.Refresh(t.Context(), src.repo(), 0)
	wantCode(t, err, fleet.CodeRepoEmpty)
	if err := os.RemoveAll(src.dir); err != nil {
		t.Fatal(err)
	}
	_, err = store.Refresh(t.Context(), src.repo(), 0)
	wantCode(t, err, fleet.CodeRepoGone)
	_, err = store.RemoteBranch(t.Context(), src.repo(), "x")
	wantCode(t, err, fleet.CodeRepoGone)
	if err := os.MkdirAll(src.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = store.Refresh(t.Context(), src.repo(), 0)
	wantCode(t, err, fleet.CodeRepoGone)
	if fleet.HintOf(err) == "" {
		t.Error("no hint")
	}
}

func TestAnEmptyTreeIsNoProblem(t *testing.T) {
	src := newSource(t, nil)
	src.git("commit", "--quiet", "--allow-empty", "-m", "nothing")
	store := newStore(t)
	c := checkout(t, store, src.repo())
	if change := snapshot(t, c); len(change.Files) != 0 {
		t.Fatalf("change %+v", change)
	}
	write(t, c.Tree, map[string]string{"a": "a\n"})
	if change := snapshot(t, c); len(change.Files) != 1 {
		t.Fatalf("change %+v", change)
	}
	os.Remove(filepath.Join(c.Tree, "a"))
	if change := snapshot(t, c); len(change.Files) != 0 {
		t.Fatalf("change %+v", change)
	}
}

func TestManyAtOnce(t *testing.T) {
	src := newSource(t, map[string]string{"a.txt": "0\n"})
	dir, repo := t.TempDir(), src.repo()
	stores := make([]*git.Store, 3) // as three processes would have
	for i := range stores {
		var err error
		if stores[i], err = git.Open(git.Config{Dir: dir, AllowFile: true}); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 3 {
		head := src.commit("next", map[string]string{"a.txt": fmt.Sprint(round, "\n")})
		var wg sync.WaitGroup
		for i := range 9 {
			wg.Go(func() {
				store := stores[i%len(stores)]
				got, err := store.Refresh(t.Context(), repo, 0)
				if err != nil || got.Commit != head {
					t.Errorf("head %+v, %v", got, err)
					return
				}
				c, err := store.Checkout(t.Context(), repo, head, filepath.Join(dir, "work", fmt.Sprint(i)))
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				write(t, c.Tree, map[string]string{"b.txt": fmt.Sprint(i, "\n")})
				change, err := c.Snapshot(t.Context())
				if err != nil || len(change.Files) != 1 {
					t.Errorf("change %+v, %v", change, err)
					return
				}
				diff, err := c.Diff(t.Context(), change.Tree)
				if err != nil {
					t.Error(err)
					return
				}
				spec := spec
				spec.Base, spec.Diff, spec.Tree = head, diff, change.Tree
				sha, err := store.Commit(t.Context(), repo, spec)
				if err != nil {
					t.Error(err)
					return
				}
				if err := store.Push(t.Context(), repo, sha, fmt.Sprintf("gaggle/%d-%d", round, i), ""); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if got := strings.Count(src.git("for-each-ref", "refs/heads/gaggle"), "\n") + 1; got != 27 {
		t.Errorf("%d branches were pushed", got)
	}
}

// A shallow clone, such as a build server makes, serves as a source and takes pushes and merges.
func TestAShallowSource(t *testing.T) {
	src := newSource(t, map[string]string{"a.txt": "1\n"})
	src.commit("second", map[string]string{"a.txt": "2\n"})
	dir := filepath.Join(t.TempDir(), "shallow")
	runGit(t, src.dir, "clone", "--quiet", "--depth", "1", "file://"+src.dir, dir)
	store, repo := newStore(t), fleet.Repository{Name: "shallow", URL: dir}
	c := checkout(t, store, repo)
	write(t, c.Tree, map[string]string{"b.txt": "b\n"})
	change := snapshot(t, c)
	diff, err := c.Diff(t.Context(), change.Tree)
	if err != nil {
		t.Fatal(err)
	}
	spec := spec
	spec.Base, spec.Diff, spec.Tree = c.Base, diff, change.Tree
	sha, err := store.Commit(t.Context(), repo, spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Push(t.Context(), repo, sha, "gaggle/x", ""); err != nil {
		t.Fatal(err)
	}
	h := hosted(t, store, dir)
	m, err := h.PrepareMerge(t.Context(), merging(sha))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Land(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := runGit(t, dir, "status", "--porcelain"); got != "" {
		t.Errorf("status: %s", got)
	}
	if head := refresh(t, store, repo); head.Commit != m.To {
		t.Errorf("head %+v after the merge %s", head, m.To)
	}
}

func TestManyFetchesDoNotPileUp(t *testing.T) {
	src := newSource(t, map[string]string{"a.txt": "0\n"})
	dir, repo := t.TempDir(), src.repo()
	store, err := git.Open(git.Config{Dir: dir, AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	first := refresh(t, store, repo)
	for i := range 50 {
		src.commit("next", map[string]string{"a.txt": fmt.Sprint(i, "\n")})
		refresh(t, store, repo)
	}
	if packs := glob(t, dir, "*.git/objects/pack/*.pack"); len(packs) > 45 {
		t.Errorf("%d packs", len(packs))
	}
	c, err := store.Checkout(t.Context(), repo, first.Commit, filepath.Join(dir, "old"))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestNamesOfMirrorsNeverMeet(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"a", "A", "a/b", "a+b", "a%2fb", "a%2Fb", "a.git", "a.git/objects", ".tmp", ".locks", "..", "../x", "a\nb", "a b", "ä", strings.Repeat("x", 300), strings.Repeat("x", 299) + "y", "a~b", "-rf", "con", "a=b", "a..b", "a.", ".a", "a.lock", "A.LOCK", "x.y", "a/.b", "a./b", "@", "a@{b"} {
		e := strings.ToLower(git.Escape(name)) // as a file system without case does
		if other, ok := seen[e]; ok {
			t.Errorf("%q and %q are both %q", name, other, e)
		}
		seen[e] = name
		if strings.HasPrefix(e, ".") || strings.ContainsAny(e, "/\\\x00\n ") || len(e) > 200 {
			t.Errorf("%q becomes %q", name, e)
		}
		if branch := "gaggle/" + git.Escape(name); !git.ValidBranch(branch) {
			t.Errorf("%q becomes %q, which is no branch", name, branch)
		}
	}
}
