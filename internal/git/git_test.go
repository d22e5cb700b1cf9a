package git_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

// source is somebody's repository, handled with plain git as its owner would.
type source struct {
	t   testing.TB
	dir string
}

func newSource(t testing.TB, files map[string]string, args ...string) *source {
	t.Helper()
	s := &source{t: t, dir: filepath.Join(t.TempDir(), "source")}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.git(append([]string{"init", "--quiet", "--initial-branch=main"}, args...)...)
	if files != nil {
		s.commit("first", files)
	}
	return s
}

func (s *source) git(args ...string) string {
	s.t.Helper()
	return runGit(s.t, s.dir, args...)
}

func runGit(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=o", "GIT_AUTHOR_EMAIL=o@x", "GIT_COMMITTER_NAME=o", "GIT_COMMITTER_EMAIL=o@x",
		"GIT_AUTHOR_DATE=@1700000000 +0000", "GIT_COMMITTER_DATE=@1700000000 +0000", "GIT_ALLOW_PROTOCOL=file:ext")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (s *source) commit(message string, files map[string]string) string {
	s.t.Helper()
	write(s.t, s.dir, files)
	s.git("add", "--all")
	s.git("commit", "--quiet", "--allow-empty", "-m", message)
	return s.git("rev-parse", "HEAD")
}

func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *source) repo() fleet.Repository {
	return fleet.Repository{Name: "acme/source", URL: s.dir, Forge: "local"}
}

func newStore(t testing.TB) *git.Store {
	t.Helper()
	s, err := git.Open(git.Config{Dir: filepath.Join(t.TempDir(), "mirrors"), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func refresh(t testing.TB, s *git.Store, repo fleet.Repository) git.Head {
	t.Helper()
	head, err := s.Refresh(t.Context(), repo, 0)
	if err != nil {
		t.Fatal(err)
	}
	return head
}

func checkout(t testing.TB, s *git.Store, repo fleet.Repository) *git.Checkout {
	t.Helper()
	head := refresh(t, s, repo)
	c, err := s.Checkout(t.Context(), repo, head.Commit, filepath.Join(t.TempDir(), "attempt"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func snapshot(t testing.TB, c *git.Checkout) git.Change {
	t.Helper()
	change, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return change
}

func wantCode(t testing.TB, err error, code fleet.Code) {
	t.Helper()
	if err == nil || fleet.CodeOf(err) != code {
		t.Fatalf("error %v with code %q, want code %q", err, fleet.CodeOf(err), code)
	}
}

var spec = git.CommitSpec{Message: "change\n\nbody", Author: git.Identity{Name: "Gaggle", Email: "gaggle@example.com"}, Date: time.Unix(1_700_000_000, 0)}

func TestFromMirrorToPush(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		t.Run(format, func(t *testing.T) {
			src := newSource(t, map[string]string{"main.go": "package main\n", "doc/a.txt": "a\nb\nc\n"}, "--object-format="+format)
			store, repo := newStore(t), src.repo()
			head := refresh(t, store, repo)
			if want := src.git("rev-parse", "HEAD"); head.Commit != want || head.Branch != "main" || head.Tree != src.git("rev-parse", "HEAD^{tree}") {
				t.Fatalf("head %+v, want commit %s", head, want)
			}
			c := checkout(t, store, repo)
			if got := snapshot(t, c); got.Tree != head.Tree || len(got.Files) != 0 {
				t.Fatalf("an untouched checkout has the change %+v", got)
			}
			write(t, c.Tree, map[string]string{"doc/a.txt": "a\nB\nc\n", "new.txt": "new\n"})
			change := snapshot(t, c)
			if len(change.Files) != 2 || change.Stat != (fleet.DiffStat{Files: 2, Added: 2, Deleted: 1}) {
				t.Fatalf("change %+v", change)
			}
			diff, err := c.Diff(t.Context(), change.Tree)
			if err != nil {
				t.Fatal(err)
			}
			spec := spec
			spec.Base, spec.Diff, spec.Tree = head.Commit, diff, change.Tree
			sha, err := store.Commit(t.Context(), repo, spec)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := store.Commit(t.Context(), repo, spec); err != nil || again != sha {
				t.Fatalf("the same commit again is %s, %v; want %s", again, err, sha)
			}
			if err := store.Push(t.Context(), repo, sha, "gaggle/x", ""); err != nil {
				t.Fatal(err)
			}
			if err := store.Push(t.Context(), repo, sha, "gaggle/x", ""); err != nil {
				t.Fatalf("pushing the same commit again: %v", err)
			}
			if got, err := store.RemoteBranch(t.Context(), repo, "gaggle/x"); err != nil || got != sha {
				t.Fatalf("the remote branch is %q, %v", got, err)
			}
			if got := src.git("show", "gaggle/x:doc/a.txt"); got != "a\nB\nc" {
				t.Fatalf("pushed content %q", got)
			}
			src.git("fsck", "--strict")
		})
	}
}

func TestEntriesAndBlobs(t *testing.T) {
	odd := "we\nird \"name\"\t.txt"
	src := newSource(t, map[string]string{"a/b/c.txt": "content\n", odd: "odd\n", "a/z": ""})
	store, repo := newStore(t), src.repo()
	head := refresh(t, store, repo)
	sizes := map[string]int64{}
	var oid string
	for e, err := range store.Entries(t.Context(), repo, head.Tree) {
		if err != nil {
			t.Fatal(err)
		}
		sizes[e.Path] = e.Size
		if e.Path == "a/b/c.txt" {
			oid = e.OID
		}
	}
	if len(sizes) != 3 || sizes[odd] != 4 || sizes["a/b/c.txt"] != 8 {
		t.Fatalf("entries %v", sizes)
	}
	sub, err := store.SubTree(t.Context(), repo, head.Tree, "a/b/")
	if err != nil || sub != src.git("rev-parse", "HEAD:a/b") {
		t.Fatalf("subtree %s, %v", sub, err)
	}
	_, err = store.SubTree(t.Context(), repo, head.Tree, "a/none")
	wantCode(t, err, fleet.CodeNotFound)
	_, err = store.SubTree(t.Context(), repo, head.Tree, "../x")
	wantCode(t, err, fleet.CodeInvalid)

	r, err := store.Blobs(t.Context(), repo)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 3 {
		if data, err := r.Read(oid, 100); err != nil || string(data) != "content\n" {
			t.Fatalf("%q, %v", data, err)
		}
		if _, err := r.Read(oid, 3); err == nil {
			t.Fatal("no error for a blob over the limit")
		}
		if data, err := r.ReadPath(head.Tree, odd, 100); err != nil || string(data) != "odd\n" {
			t.Fatalf("%q, %v", data, err)
		}
		_, err = r.ReadPath(head.Tree, "no\nsuch\nfile", 100)
		wantCode(t, err, fleet.CodeNotFound)
	}
	var got []string
	err = r.Each(func(yield func(string) bool) {
		for range 600 {
			if !yield(oid) {
				return
			}
		}
	}, 100, func(_ string, size int64, content []byte) error {
		got = append(got, string(content))
		return nil
	})
	if err != nil || len(got) != 600 || got[599] != "content\n" {
		t.Fatalf("%d contents, %v", len(got), err)
	}
}

func TestEntriesCanStopEarly(t *testing.T) {
	files := map[string]string{}
	for i := range 3000 {
		files[strings.Repeat("d/", i%7)+"file"+strings.Repeat("x", i%50)+string(rune('a'+i%26))] = "x"
	}
	src := newSource(t, files)
	store, repo := newStore(t), src.repo()
	head := refresh(t, store, repo)
	n := 0
	for _, err := range store.Entries(t.Context(), repo, head.Tree) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 2 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range store.Entries(ctx, repo, head.Tree) {
		if err == nil {
			t.Fatal("no error after the end of the context")
		}
	}
}
