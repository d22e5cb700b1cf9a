package git_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"gaggle/internal/git"

	"pgregory.net/rapid"
)

// Whatever an agent does to the files of a tree: the snapshot is the tree that git itself makes of them, the diff takes the base
// there, and putting everything back makes the base again.
func TestAnyChangeGoesThereAndBack(t *testing.T) {
	src := newSource(t, map[string]string{
		"a.txt": "one\ntwo\nthree\n", "b/b.txt": "b\n", "b/c/d.sh": "#!/bin/sh\n", "bin": "\x00\x01\x02\x03", "empty": "", ".gitignore": "*.o\n/out/\n",
		"noeol": "x", ".gitattributes": "* text=auto\n*.x binary\n",
	})
	store, repo := newStore(t), src.repo()
	head := refresh(t, store, repo)
	names := []string{"a.txt", "b/b.txt", "b/c/d.sh", "bin", "empty", "noeol", "new", "b/new", "x/y/z", "b", "x", "out/kept", "y.o", "odd\nname", "weird.x", ".gitattributes", "b/.gitignore"}
	contents := []string{"", "one\ntwo\n", "one\r\ntwo\r\n", "\x00binary\xff", "one\ntwo\nthree\n", "no end", "*.txt\n", "* binary\n", "x\ny\nz\n\n\n"}
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		c, err := store.Checkout(t.Context(), repo, head.Commit, filepath.Join(t.TempDir(), fmt.Sprint("attempt", n)))
		if err != nil {
			rt.Fatal(err)
		}
		defer c.Close()
		for range rapid.IntRange(0, 8).Draw(rt, "edits") {
			name := rapid.SampledFrom(names).Draw(rt, "name")
			p := filepath.Join(c.Tree, name)
			switch rapid.SampledFrom([]string{"write", "write", "remove", "exec", "move", "link"}).Draw(rt, "edit") {
			case "write":
				os.MkdirAll(filepath.Dir(p), 0o755)
				os.WriteFile(p, []byte(rapid.SampledFrom(contents).Draw(rt, "content")), 0o644)
			case "remove":
				os.RemoveAll(p)
			case "exec":
				if info, err := os.Lstat(p); err == nil && info.Mode().IsRegular() {
					os.Chmod(p, info.Mode().Perm()^0o111)
				}
			case "move":
				os.Rename(p, filepath.Join(c.Tree, rapid.SampledFrom(names).Draw(rt, "to")))
			case "link":
				os.Remove(p)
				os.Symlink("a.txt", p)
			}
			if rapid.IntRange(0, 3).Draw(rt, "look") == 0 { // an earlier snapshot changes nothing about the last
				if _, err := c.Snapshot(t.Context()); err != nil {
					rt.Fatal(err)
				}
			}
		}
		change, err := c.Snapshot(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		if want := plainTree(t, src, c.Tree); change.Tree != want {
			rt.Fatalf("snapshot %s, git itself says %s", change.Tree, want)
		}
		diff, err := c.Diff(t.Context(), change.Tree)
		if err != nil {
			rt.Fatal(err)
		}
		if _, err := c.Text(t.Context(), change.Tree); err != nil {
			rt.Fatal(err)
		}
		if (len(diff) == 0) != (change.Tree == head.Tree) || len(change.Files) != change.Stat.Files {
			rt.Fatalf("diff of %d bytes for %+v", len(diff), change)
		}
		spec := spec
		spec.Base, spec.Diff, spec.Tree = head.Commit, diff, change.Tree // Commit refuses another tree
		if _, err := store.Commit(t.Context(), repo, spec); err != nil {
			rt.Fatal(err)
		}
		if err := c.Reset(t.Context()); err != nil {
			rt.Fatal(err)
		}
		if back, err := c.Snapshot(t.Context()); err != nil || back.Tree != head.Tree {
			rt.Fatalf("after the reset %+v, %v", back, err)
		}
	})
}

// plainTree is the tree that git makes of a folder with an index of its own, without conversions.
func plainTree(t *testing.T, src *source, tree string) string {
	index := filepath.Join(t.TempDir(), "index")
	run := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"--git-dir=" + filepath.Join(src.dir, ".git"), "--work-tree=" + tree, "-c", "core.autocrlf=false"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_INDEX_FILE="+index, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		cmd.Dir = tree
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return string(out[:max(len(out)-1, 0)])
	}
	attributes := filepath.Join(src.dir, ".git", "info", "attributes")
	if err := os.WriteFile(attributes, []byte("* -text !eol !filter !diff\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run("read-tree", "HEAD")
	run("add", "--all")
	return run("write-tree")
}

func TestBranchNamesAreGitsOwn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.StringOfN(rapid.SampledFrom([]rune("ab/.-_@{}~^:?*[\\ é\x7f")), 0, 12, -1).Draw(rt, "name")
		if rapid.Bool().Draw(rt, "lock") {
			name += ".lock"
		}
		err := exec.Command("git", "check-ref-format", "--branch", name).Run()
		if ok := git.ValidBranch(name); ok && err != nil {
			rt.Fatalf("%q is valid here and not for git", name)
		} else if !ok && err == nil && !slices.Contains([]string{"@"}, name) && name[0] != '@' { // git expands @{-1} and its like
			rt.Fatalf("%q is valid for git and not here", name)
		}
	})
}
