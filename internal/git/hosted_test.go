package git_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

func hosted(t *testing.T, s *git.Store, path string) *git.Hosted {
	t.Helper()
	h, err := s.Hosted(path)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func merging(head string) git.MergeSpec {
	return git.MergeSpec{Method: git.MergeCommit, Base: "main", Head: head, Message: "merge", Author: git.Identity{Name: "G", Email: "g@x"}, Date: time.Unix(1_700_000_000, 0)}
}

// branchOff makes a branch with one more commit and returns it; what is checked out stays.
func branchOff(src *source, branch string, files map[string]string) string {
	was := src.git("symbolic-ref", "--short", "HEAD")
	src.git("checkout", "--quiet", "-b", branch)
	sha := src.commit(branch, files)
	src.git("checkout", "--quiet", was)
	return sha
}

func TestMergeWhereTheBranchIsCheckedOut(t *testing.T) {
	for _, row := range []struct {
		name    string
		prepare func(t *testing.T, src *source)
		refused bool
	}{
		{"clean", func(*testing.T, *source) {}, false},
		{"untracked file elsewhere", func(t *testing.T, src *source) { write(t, src.dir, map[string]string{"mine.txt": "mine\n"}) }, false},
		{"another branch checked out", func(t *testing.T, src *source) {
			src.git("checkout", "--quiet", "-b", "mine")
			write(t, src.dir, map[string]string{"a.txt": "unsaved\n"})
		}, false},
		{"detached", func(t *testing.T, src *source) {
			src.git("checkout", "--quiet", "--detach")
			write(t, src.dir, map[string]string{"a.txt": "unsaved\n"})
		}, false},
		{"unsaved change", func(t *testing.T, src *source) { write(t, src.dir, map[string]string{"keep.txt": "unsaved\n"}) }, true},
		{"staged change", func(t *testing.T, src *source) {
			write(t, src.dir, map[string]string{"keep.txt": "staged\n"})
			src.git("add", "-A")
		}, true},
		{"deleted file", func(t *testing.T, src *source) { os.Remove(filepath.Join(src.dir, "keep.txt")) }, true},
		{"untracked file in the way", func(t *testing.T, src *source) { write(t, src.dir, map[string]string{"new.txt": "mine\n"}) }, true},
		{"merge under way", func(t *testing.T, src *source) {
			write(t, src.dir, map[string]string{".git/MERGE_HEAD": src.git("rev-parse", "HEAD") + "\n"})
		}, true},
		{"another git at work", func(t *testing.T, src *source) { write(t, src.dir, map[string]string{".git/index.lock": ""}) }, true},
		{"content filter", func(t *testing.T, src *source) { src.git("config", "filter.lfs.smudge", "git-lfs smudge") }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			src := newSource(t, map[string]string{"a.txt": "1\n", "keep.txt": "keep\n", "gone.txt": "gone\n"})
			head := branchOff(src, "gaggle/x", map[string]string{"a.txt": "2\n", "new.txt": "new\n", "sub/b.txt": "b\n"})
			h := hosted(t, newStore(t), src.dir)
			row.prepare(t, src)
			before, base := read(t, src.dir), src.git("rev-parse", "main")
			m, err := h.PrepareMerge(t.Context(), merging(head))
			if err != nil {
				t.Fatal(err)
			}
			err = h.Land(t.Context(), m)
			if row.refused {
				wantCode(t, err, fleet.CodeConflict)
				if fleet.HintOf(err) == "" {
					t.Error("no hint")
				}
				if after := read(t, src.dir); fmt.Sprint(after) != fmt.Sprint(before) || src.git("rev-parse", "main") != base {
					t.Errorf("a refused merge changed something: %v, was %v", after, before)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if src.git("rev-parse", "main") != m.To {
				t.Error("main did not move")
			}
			if src.git("rev-parse", "--abbrev-ref", "HEAD") == "main" {
				if got := read(t, src.dir); got["a.txt"] != "2\n" || got["new.txt"] != "new\n" || got["sub/b.txt"] != "b\n" {
					t.Errorf("the work tree holds %v", got)
				}
				if got := src.git("status", "--porcelain", "--untracked-files=no"); got != "" {
					t.Errorf("status after the merge: %s", got)
				}
			} else if got := read(t, src.dir)["a.txt"]; got != "unsaved\n" {
				t.Errorf("unsaved work is gone: %q", got)
			}
			if _, err := os.Stat(filepath.Join(src.dir, ".git", "gaggle-index")); err == nil {
				t.Error("the index of the merge was left")
			}
		})
	}
}

// read returns the files of a work tree.
func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if d.Name() == ".git" {
			return filepath.SkipDir
		}
		if err == nil && d.Type().IsRegular() {
			data, rerr := os.ReadFile(p)
			rel, _ := filepath.Rel(dir, p)
			files[rel], err = string(data), rerr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A merge that was killed after it wrote some of the work tree, or all of it, is finished by the next call.
func TestAKilledLandingIsFinished(t *testing.T) {
	for _, done := range []string{"one file", "all files", "all files and the index"} {
		t.Run(done, func(t *testing.T) {
			src := newSource(t, map[string]string{"a.txt": "1\n", "b.txt": "1\n", "old.txt": "old\n"})
			head := branchOff(src, "gaggle/x", map[string]string{"a.txt": "2\n", "b.txt": "2\n", "new.txt": "new\n"})
			h := hosted(t, newStore(t), src.dir)
			m, err := h.PrepareMerge(t.Context(), merging(head))
			if err != nil {
				t.Fatal(err)
			}
			write(t, src.dir, map[string]string{"a.txt": "2\n", ".git/gaggle-index": "half", ".git/gaggle-index.lock": "half"})
			if done != "one file" {
				write(t, src.dir, map[string]string{"b.txt": "2\n", "new.txt": "new\n"})
			}
			if done == "all files and the index" {
				src.git("add", "-A")
			}
			if err := h.Land(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if err := h.Land(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if got := src.git("status", "--porcelain"); got != "" || src.git("rev-parse", "HEAD") != m.To {
				t.Errorf("status: %s", got)
			}
		})
	}
}

func TestWhatARepositoryConfiguresDoesNotRunInAMerge(t *testing.T) {
	src := newSource(t, map[string]string{"a.txt": "1\n2\n3\n4\n5\n", ".gitattributes": "* merge=evil filter=evil diff=evil\n"})
	head := branchOff(src, "gaggle/x", map[string]string{"a.txt": "one\n2\n3\n4\n5\n"})
	src.commit("base", map[string]string{"a.txt": "1\n2\n3\n4\nfive\n"})
	mark := newMark(t)
	for _, hook := range []string{"reference-transaction", "post-merge", "post-checkout", "pre-merge-commit", "post-index-change", "update", "pre-receive", "post-receive", "post-update"} {
		mark.script(src.dir, ".git/hooks/"+hook)
	}
	evil := mark.script(t.TempDir(), "evil")
	for _, key := range []string{"core.fsmonitor", "merge.evil.driver", "diff.evil.textconv", "diff.external", "core.sshCommand", "uploadpack.packObjectsHook", "core.alternateRefsCommand", "gpg.program"} {
		src.git("config", key, evil)
	}
	store := newStore(t)
	h := hosted(t, store, src.dir)
	m, err := h.PrepareMerge(t.Context(), merging(head))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Land(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	repo := src.repo()
	spec := spec
	spec.Base = refresh(t, store, repo).Commit
	sha, err := store.Commit(t.Context(), repo, spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Push(t.Context(), repo, sha, "gaggle/y", ""); err != nil {
		t.Fatal(err)
	}
	if err := h.DeleteBranch(t.Context(), "gaggle/y", sha); err != nil {
		t.Fatal(err)
	}
	mark.check()
	if got := src.git("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "cat-file", "blob", "main:a.txt"); got != "one\n2\n3\n4\nfive" {
		t.Errorf("merged content %q", got)
	}
}

func TestLinkedWorkTreesAndRaces(t *testing.T) {
	src := newSource(t, map[string]string{"a.txt": "1\n"})
	bare := filepath.Join(t.TempDir(), "bare.git")
	head := branchOff(src, "gaggle/x", map[string]string{"a.txt": "2\n"})
	src.git("clone", "--quiet", "--bare", src.dir, bare)
	linked := filepath.Join(t.TempDir(), "linked")
	runGit(t, bare, "worktree", "add", "--quiet", linked, "main")
	write(t, linked, map[string]string{"a.txt": "unsaved\n"})
	store := newStore(t)
	h := hosted(t, store, bare)
	m, err := h.PrepareMerge(t.Context(), merging(head))
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, h.Land(t.Context(), m), fleet.CodeConflict)
	runGit(t, linked, "checkout", "--quiet", "--", "a.txt")
	if err := h.Land(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := runGit(t, linked, "status", "--porcelain"); got != "" {
		t.Errorf("status: %s", got)
	}
	stale := m
	stale.To = head
	wantCode(t, h.Land(t.Context(), stale), fleet.CodeConflict)
	wantCode(t, h.DeleteBranch(t.Context(), "gaggle/x", m.To), fleet.CodeConflict)
	wantCode(t, h.DeleteBranch(t.Context(), "main", m.To), fleet.CodeConflict)
	for range 2 {
		if err := h.DeleteBranch(t.Context(), "gaggle/x", head); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(bare); err != nil {
		t.Fatal(err)
	}
	_, err = h.Branch(t.Context(), "main")
	wantCode(t, err, fleet.CodeRepoGone)
}

func TestMadeHostedFollowsUpstream(t *testing.T) {
	src := newSource(t, map[string]string{"a.txt": "1\n"})
	src.commit("second", map[string]string{"a.txt": "2\n"})
	store, repo := newStore(t), src.repo()
	path := filepath.Join(t.TempDir(), "repos", "copy.git")
	make := func() *git.Hosted {
		h, err := store.MakeHosted(t.Context(), repo, path)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	make()
	if got := runGit(t, path, "rev-list", "--count", "main"); got != "2" {
		t.Errorf("the copy has %s commits", got)
	}
	src.commit("third", map[string]string{"a.txt": "3\n"})
	h := make()
	if got, err := h.Branch(t.Context(), "main"); err != nil || got != src.git("rev-parse", "main") {
		t.Errorf("main stands at %s, %v", got, err)
	}
	head := refresh(t, store, repo)
	spec := spec
	spec.Base = head.Commit
	sha, err := store.Commit(t.Context(), repo, spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.PushTo(t.Context(), repo, path, sha, "gaggle/x", ""); err != nil {
		t.Fatal(err)
	}
	m, err := h.PrepareMerge(t.Context(), merging(sha))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Land(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	src.commit("fourth", map[string]string{"a.txt": "4\n"})
	h = make()
	if got, _ := h.Branch(t.Context(), "main"); got != m.To {
		t.Error("what was merged here was lost")
	}
	runGit(t, path, "fsck", "--strict")
}

func TestRebaseKeepsTheCommits(t *testing.T) {
	src := newSource(t, map[string]string{"a.txt": strings.Repeat("line\n", 30), "b.txt": "b\n"})
	src.git("checkout", "--quiet", "-b", "gaggle/x")
	src.commit("first of two\n\nwith a body", map[string]string{"b.txt": "b1\n"})
	head := src.commit("second of two", map[string]string{"b.txt": "b2\n"})
	src.git("checkout", "--quiet", "main")
	src.commit("elsewhere", map[string]string{"a.txt": strings.Repeat("line\n", 29) + "last\n"})
	src.git("checkout", "--quiet", "--detach")
	h := hosted(t, newStore(t), src.dir)
	spec := merging(head)
	spec.Method = git.MergeRebase
	m, err := h.PrepareMerge(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := h.PrepareMerge(t.Context(), spec); err != nil || again != m {
		t.Errorf("the same rebase again: %+v, %v", again, err)
	}
	if err := h.Land(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := src.git("log", "--format=%s|%an|%b", "-3", "main"); got != "second of two|o|\nfirst of two|o|with a body\n\nelsewhere|o|" {
		t.Errorf("history:\n%s", got)
	}
	src.git("fsck", "--strict")
}

func TestConflictsLeavesNothing(t *testing.T) {
	t.Parallel()
	src := newSource(t, map[string]string{"a.txt": "1\n2\n3\n4\n5\n"})
	first := branchOff(src, "first", map[string]string{"a.txt": "one\n2\n3\n4\n5\n"})
	second := branchOff(src, "second", map[string]string{"a.txt": "uno\n2\n3\n4\n5\n"})
	third := branchOff(src, "third", map[string]string{"a.txt": "1\n2\n3\n4\nfive\n"})
	h := hosted(t, newStore(t), src.dir)
	before := src.git("count-objects", "-v")
	for _, row := range []struct {
		ours, theirs string
		want         bool
	}{{first, second, true}, {first, third, false}, {first, first, false}} {
		if got, err := h.Conflicts(t.Context(), row.ours, row.theirs); err != nil || got != row.want {
			t.Errorf("%v, %v", got, err)
		}
	}
	if _, err := h.Conflicts(t.Context(), first, strings.Repeat("0", 40)); err == nil {
		t.Error("a commit that is not there conflicts with nothing")
	}
	if after := src.git("count-objects", "-v"); after != before {
		t.Errorf("objects were left behind:\n%s\nbefore:\n%s", after, before)
	}
}
