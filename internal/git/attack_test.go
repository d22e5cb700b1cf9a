package git_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

// mark is a file whose appearance proves that something an agent left was executed.
type mark struct {
	t    *testing.T
	path string
}

func newMark(t *testing.T) mark { return mark{t, filepath.Join(t.TempDir(), "executed")} }

// script writes a program that leaves the mark, and passes its input on so that it would serve as a filter.
func (m mark) script(dir, name string) string {
	m.t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte("#!/bin/sh\ntouch '"+m.path+"'\ncat\n"), 0o755); err != nil {
		m.t.Fatal(err)
	}
	return p
}

func (m mark) check() {
	m.t.Helper()
	if _, err := os.Lstat(m.path); err == nil {
		m.t.Fatal("what the agent left was executed")
	}
}

// everything does to a checkout all that the engine ever does, and returns the judge's text.
func everything(t *testing.T, s *git.Store, repo fleet.Repository, c *git.Checkout) (git.Change, string, error) {
	t.Helper()
	change, err := c.Snapshot(t.Context())
	if err != nil {
		return change, "", err
	}
	diff, err := c.Diff(t.Context(), change.Tree)
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.Text(t.Context(), change.Tree)
	if err != nil {
		t.Fatal(err)
	}
	spec := spec
	spec.Base, spec.Diff, spec.Tree = c.Base, diff, change.Tree
	sha, err := s.Commit(t.Context(), repo, spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Push(t.Context(), repo, sha, "gaggle/attack", ""); err != nil {
		t.Fatal(err)
	}
	if err := c.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.ApplyDiff(t.Context(), diff); err != nil {
		t.Fatal(err)
	}
	if again := snapshot(t, c); again.Tree != change.Tree {
		t.Fatalf("the diff applied again makes tree %s, not %s", again.Tree, change.Tree)
	}
	return change, string(text), nil
}

func TestNothingTheAgentLeavesIsExecuted(t *testing.T) {
	for _, row := range []struct {
		name  string
		leave func(m mark, tree string)
	}{
		{"hooks", func(m mark, tree string) {
			for _, hook := range []string{"pre-commit", "post-checkout", "post-index-change", "reference-transaction", "pre-push", "post-commit", "pre-applypatch", "update", "pre-receive", "post-receive"} {
				m.script(tree, ".git/hooks/"+hook)
			}
		}},
		{"configuration", func(m mark, tree string) {
			p := m.script(m.t.TempDir(), "evil")
			config := fmt.Sprintf("[core]\n\thooksPath = %[1]s\n\tfsmonitor = %[1]s\n\tsshCommand = %[1]s\n\tpager = %[1]s\n\talternateRefsCommand = %[1]s\n[diff]\n\texternal = %[1]s\n[filter \"evil\"]\n\tclean = %[1]s\n\tsmudge = %[1]s\n\tprocess = %[1]s\n\trequired = true\n[diff \"evil\"]\n\ttextconv = %[1]s\n\tcommand = %[1]s\n[merge \"evil\"]\n\tdriver = %[1]s\n[credential]\n\thelper = %[1]s\n[gpg]\n\tprogram = %[1]s\n[commit]\n\tgpgSign = true\n", p)
			if err := os.WriteFile(filepath.Join(tree, ".git/config"), []byte(config), 0o644); err != nil {
				m.t.Fatal(err)
			}
			write(m.t, tree, map[string]string{".gitattributes": "* filter=evil diff=evil merge=evil\n"})
		}},
		{"ext remote and submodule", func(m mark, tree string) {
			p := m.script(m.t.TempDir(), "evil")
			write(m.t, tree, map[string]string{
				".gitmodules": "[submodule \"x\"]\n\tpath = x\n\turl = ext::" + p + "\n\tupdate = !" + p + "\n",
				".git/config": "[remote \"origin\"]\n\turl = ext::" + p + "\n[submodule \"x\"]\n\turl = ext::" + p + "\n\tupdate = !" + p + "\n",
			})
		}},
		{".git replaced by a gitdir file", func(m mark, tree string) {
			evil := filepath.Join(m.t.TempDir(), "evil.git")
			runGit(m.t, m.t.TempDir(), "init", "--quiet", "--bare", evil)
			runGit(m.t, evil, "config", "core.fsmonitor", m.script(m.t.TempDir(), "evil"))
			os.RemoveAll(filepath.Join(tree, ".git"))
			write(m.t, tree, map[string]string{".git": "gitdir: " + evil + "\n"})
		}},
		{".git replaced by a link", func(m mark, tree string) {
			evil := filepath.Join(m.t.TempDir(), "evil.git")
			runGit(m.t, m.t.TempDir(), "init", "--quiet", "--bare", evil)
			runGit(m.t, evil, "config", "core.fsmonitor", m.script(m.t.TempDir(), "evil"))
			os.RemoveAll(filepath.Join(tree, ".git"))
			if err := os.Symlink(evil, filepath.Join(tree, ".git")); err != nil {
				m.t.Fatal(err)
			}
		}},
		{".git deleted", func(m mark, tree string) { os.RemoveAll(filepath.Join(tree, ".git")) }},
		{"embedded bare repository", func(m mark, tree string) {
			bare := filepath.Join(tree, "vendor", "thing")
			runGit(m.t, m.t.TempDir(), "init", "--quiet", "--bare", bare)
			runGit(m.t, bare, "config", "core.fsmonitor", m.script(m.t.TempDir(), "evil"))
			runGit(m.t, bare, "config", "core.worktree", tree)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			src := newSource(t, map[string]string{"main.go": "package main\n"})
			store, m := newStore(t), newMark(t)
			c := checkout(t, store, src.repo())
			row.leave(m, c.Tree)
			write(t, c.Tree, map[string]string{"main.go": "package main\n\nfunc main() {}\n"})
			change, text, err := everything(t, store, src.repo(), c)
			if err != nil {
				t.Fatal(err)
			}
			m.check()
			if !slices.ContainsFunc(change.Files, func(f git.FileChange) bool { return f.Path == "main.go" }) || !strings.Contains(text, "+func main() {}") {
				t.Fatalf("the change is lost: %+v", change)
			}
		})
	}
}

func TestUnsafeTreesAreRefused(t *testing.T) {
	for _, row := range []struct {
		name, path string
		leave      func(t *testing.T, tree string) error
	}{
		{"nested repository", "sub/.git", func(t *testing.T, tree string) error {
			sub := filepath.Join(tree, "sub")
			runGit(t, t.TempDir(), "init", "--quiet", sub)
			runGit(t, sub, "config", "core.fsmonitor", newMark(t).script(t.TempDir(), "evil"))
			write(t, sub, map[string]string{"a": "a"})
			runGit(t, sub, "-c", "core.fsmonitor=false", "add", "-A")
			runGit(t, sub, "-c", "core.fsmonitor=false", "commit", "-qm", "x")
			return nil
		}},
		{"nested repository whose .git is ignored", "sub/.git", func(t *testing.T, tree string) error {
			runGit(t, t.TempDir(), "init", "--quiet", filepath.Join(tree, "sub"))
			write(t, tree, map[string]string{".gitignore": ".git\n*.txt\n", "sub/a.txt": "a\n", "sub/b.go": "b\n"})
			runGit(t, filepath.Join(tree, "sub"), "add", "-A")
			runGit(t, filepath.Join(tree, "sub"), "commit", "-qm", "x")
			return nil
		}},
		{"nested repository all of whose files are ignored", "sub/.git", func(t *testing.T, tree string) error {
			runGit(t, t.TempDir(), "init", "--quiet", filepath.Join(tree, "sub"))
			write(t, tree, map[string]string{"sub/.gitignore": "*\n", "sub/b.go": "b\n"})
			runGit(t, filepath.Join(tree, "sub"), "add", "-Af")
			runGit(t, filepath.Join(tree, "sub"), "commit", "-qm", "x")
			return nil
		}},
		{"nested .GIT", "doc/.GIT", func(t *testing.T, tree string) error { return os.MkdirAll(filepath.Join(tree, "doc/.GIT"), 0o755) }},
		{"nested .git file", "doc/.git", func(t *testing.T, tree string) error {
			return os.WriteFile(filepath.Join(tree, "doc/.git"), []byte("gitdir: /tmp"), 0o644)
		}},
		{"hidden spelling", `".g\u200cit"`, func(t *testing.T, tree string) error { return os.Mkdir(filepath.Join(tree, ".g\u200cit"), 0o755) }},
		{"FIFO", "pipe", func(t *testing.T, tree string) error { return syscall.Mkfifo(filepath.Join(tree, "pipe"), 0o644) }},
		{"FIFO for a tracked file", "main.go", func(t *testing.T, tree string) error {
			os.Remove(filepath.Join(tree, "main.go"))
			return syscall.Mkfifo(filepath.Join(tree, "main.go"), 0o644)
		}},
		{"FIFO for .gitignore", ".gitignore", func(t *testing.T, tree string) error {
			return syscall.Mkfifo(filepath.Join(tree, ".gitignore"), 0o644)
		}},
		{"FIFO for .gitattributes", "doc/.gitattributes", func(t *testing.T, tree string) error {
			return syscall.Mkfifo(filepath.Join(tree, "doc/.gitattributes"), 0o644)
		}},
		{"link to a host file", "link", func(t *testing.T, tree string) error { return os.Symlink("/etc/passwd", filepath.Join(tree, "link")) }},
		{"link that climbs out", "doc/link", func(t *testing.T, tree string) error {
			return os.Symlink("../../../secret", filepath.Join(tree, "doc/link"))
		}},
		{"link out over another link", "out", func(t *testing.T, tree string) error {
			if err := os.Symlink("../..", filepath.Join(tree, "doc/deep/up")); err != nil {
				return err
			}
			return os.Symlink("doc/deep/up/../../x", filepath.Join(tree, "out"))
		}},
		{"link for a folder", "doc", func(t *testing.T, tree string) error {
			if err := os.RemoveAll(filepath.Join(tree, "doc")); err != nil {
				return err
			}
			return os.Symlink("/etc", filepath.Join(tree, "doc"))
		}},
		{"link into .git", "link", func(t *testing.T, tree string) error { return os.Symlink(".git/config", filepath.Join(tree, "link")) }},
		{"20 GB sparse file", "huge", func(t *testing.T, tree string) error { return sparse(filepath.Join(tree, "huge"), 20<<30) }},
		{"sparse tracked file", "main.go", func(t *testing.T, tree string) error { return sparse(filepath.Join(tree, "main.go"), 20<<30) }},
		{"sparse .gitignore", ".gitignore", func(t *testing.T, tree string) error { return sparse(filepath.Join(tree, ".gitignore"), 20<<30) }},
		{"too much in all", ".", func(t *testing.T, tree string) error {
			for i := range 12 {
				if err := sparse(filepath.Join(tree, fmt.Sprintf("part%d", i)), 1<<20); err != nil {
					return err
				}
			}
			return nil
		}},
		{"link called .gitmodules", "git does not take", func(t *testing.T, tree string) error {
			return os.Symlink("main.go", filepath.Join(tree, ".gitmodules"))
		}},
		{"too many changes", ".", func(t *testing.T, tree string) error {
			for i := range 120 {
				if err := os.WriteFile(filepath.Join(tree, fmt.Sprint(i)), nil, 0o644); err != nil {
					return err
				}
			}
			return nil
		}},
		{"too many files", "", func(t *testing.T, tree string) error {
			for i := range 600 {
				if err := os.WriteFile(filepath.Join(tree, "doc", fmt.Sprint(i)), nil, 0o644); err != nil {
					return err
				}
			}
			return nil
		}},
		{"socket", "sock", func(t *testing.T, tree string) error {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			t.Cleanup(func() { syscall.Close(fd) })
			wd, _ := os.Getwd()
			defer os.Chdir(wd)
			if err := os.Chdir(tree); err != nil { // a socket's path must be short
				return err
			}
			return syscall.Bind(fd, &syscall.SockaddrUnix{Name: "sock"})
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			src := newSource(t, map[string]string{"main.go": "package main\n", "doc/deep/x": "x\n"})
			store, err := git.Open(git.Config{Dir: t.TempDir(), AllowFile: true, MaxFiles: 500, MaxChanges: 100, MaxFileBytes: 2 << 20, MaxTreeBytes: 10 << 20})
			if err != nil {
				t.Fatal(err)
			}
			c := checkout(t, store, src.repo())
			if err := row.leave(t, c.Tree); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // an upper bound for a hang, never waited for
			defer cancel()
			_, err = c.Snapshot(ctx)
			wantCode(t, err, fleet.CodeUnsafeTree)
			if !strings.HasPrefix(err.Error(), row.path) {
				t.Fatalf("the error %q does not start with the path %q", err, row.path)
			}
			if err := c.Reset(t.Context()); err != nil {
				t.Fatal(err)
			}
			if change := snapshot(t, c); len(change.Files) != 0 {
				t.Fatalf("after the reset: %+v", change)
			}
		})
	}
}

func sparse(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Truncate(size)
}

func TestIgnoredLeftoversAreNoProblem(t *testing.T) {
	src := newSource(t, map[string]string{"main.go": "package main\n", ".gitignore": "/build/\n*.sock\n"})
	c := checkout(t, newStore(t), src.repo())
	build := filepath.Join(c.Tree, "build")
	write(t, build, map[string]string{"dep/.git/config": "[core]\n\tfsmonitor = touch /tmp/x\n", "out.o": "o"})
	if err := syscall.Mkfifo(filepath.Join(build, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/usr/bin/python3", filepath.Join(build, "python")); err != nil {
		t.Fatal(err)
	}
	if err := sparse(filepath.Join(build, "cache"), 20<<30); err != nil {
		t.Fatal(err)
	}
	if change := snapshot(t, c); len(change.Files) != 0 {
		t.Fatalf("ignored files make the change %+v", change)
	}
	write(t, c.Tree, map[string]string{"main.go": "package other\n"})
	if change := snapshot(t, c); len(change.Files) != 1 {
		t.Fatalf("change %+v", change)
	}
}

func TestAttributesHideNothingFromTheJudge(t *testing.T) {
	src := newSource(t, map[string]string{"a.go": "package a\n", "b.go": "package b\n", "logo.png": "\x89PNG\x00\x01\x02\x03" + strings.Repeat("\x00\xff\x10", 200)})
	store := newStore(t)
	c := checkout(t, store, src.repo())
	write(t, c.Tree, map[string]string{
		".gitattributes": "*.go binary\nb.go -diff linguist-generated\n* filter=lfs working-tree-encoding=UTF-16 eol=crlf ident\n",
		"a.go":           "package a\n\nvar Stolen = 1 // $Id$\n",
		"b.go":           "package b\n// \x00 a NUL makes a file binary for git\nvar Hidden = 2\n",
		"logo.png":       "\x89PNG\x00\x01\x02\x03" + strings.Repeat("\x00\xfe\x10", 300),
	})
	change, text, err := everything(t, store, src.repo(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"+var Stolen = 1 // $Id$", "+var Hidden = 2", "+*.go binary"} {
		if !strings.Contains(text, want) {
			t.Errorf("the judge does not see %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "GIT binary patch") || strings.Contains(text, "\xfe\x10\x00") || !strings.Contains(text, "logo.png") {
		t.Errorf("a picture stands in the judge's text:\n%q", text)
	}
	binary := map[string]bool{}
	for _, f := range change.Files {
		binary[f.Path] = f.Binary
	}
	if binary["a.go"] || !binary["b.go"] || !binary["logo.png"] {
		t.Errorf("binary by content: %v", binary)
	}
}

func TestReplaceRefsAreNotBelieved(t *testing.T) {
	src := newSource(t, map[string]string{"main.go": "package good\n"})
	good := src.git("rev-parse", "HEAD:main.go")
	src.commit("evil", map[string]string{"main.go": "package evil\n"})
	evil := src.git("rev-parse", "HEAD:main.go")
	src.git("replace", evil, good)
	store := newStore(t)
	c := checkout(t, store, src.repo())
	if got, _ := c.ReadFile("main.go", 100); string(got) != "package evil\n" {
		t.Fatalf("checked out %q", got)
	}
	// The agent plants one in its own git directory, to show the judge an older content.
	write(t, c.Tree, map[string]string{".git/refs/replace/" + evil: good + "\n", "main.go": "package worse\n"})
	_, text, err := everything(t, store, src.repo(), c)
	if err != nil || !strings.Contains(text, "-package evil\n+package worse") {
		t.Fatalf("%v\n%s", err, text)
	}
}

func TestAlternatesOfTheAgentAreNotRead(t *testing.T) {
	secret := newSource(t, map[string]string{"secret.txt": "secret\n"})
	blob := secret.git("rev-parse", "HEAD:secret.txt")
	src := newSource(t, map[string]string{"main.go": "package main\n"})
	store := newStore(t)
	c := checkout(t, store, src.repo())
	write(t, c.Tree, map[string]string{".git/objects/info/alternates": filepath.Join(secret.dir, ".git/objects") + "\n", "main.go": "package x\n"})
	snapshot(t, c)
	r := c.Blobs(t.Context())
	defer r.Close()
	_, err := r.Read(blob, 100)
	wantCode(t, err, fleet.CodeNotFound)
}
