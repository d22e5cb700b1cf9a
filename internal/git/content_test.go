package git_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/fleet"
)

func TestContentIsKeptByteForByte(t *testing.T) {
	files := map[string]string{
		".gitattributes": "* text=auto eol=crlf\n*.bin filter=lfs diff=lfs merge=lfs -text\n*.u16 working-tree-encoding=UTF-16\n*.id ident\n",
		"unix.txt":       "a\nb\n",
		"dos.txt":        "a\r\nb\r\n",
		"mixed.txt":      "a\r\nb\nc",
		"lfs.bin":        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n",
		"x.u16":          "plain utf-8\n",
		"y.id":           "$Id$\n",
	}
	src := newSource(t, nil)
	write(t, src.dir, files)
	if err := os.WriteFile(filepath.Join(src.dir, "run.sh"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("unix.txt", filepath.Join(src.dir, "link")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(src.dir, ".git", "info"), map[string]string{"attributes": "* -text !eol !filter !working-tree-encoding !ident\n"})
	src.commit("as is", nil)
	store := newStore(t)
	c := checkout(t, store, src.repo())
	for name, want := range files {
		if got, err := c.ReadFile(name, 1<<20); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	if change := snapshot(t, c); len(change.Files) != 0 {
		t.Fatalf("an untouched checkout has the change %+v", change)
	}
	write(t, c.Tree, map[string]string{"dos.txt": "a\r\nb\r\nc\r\n", "new.txt": "x\r\ny\n", "lfs.bin": "replaced\n"})
	if err := os.Chmod(filepath.Join(c.Tree, "unix.txt"), 0o755); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(c.Tree, "link"))
	if err := os.Symlink("dos.txt", filepath.Join(c.Tree, "link")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := everything(t, store, src.repo(), c); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"dos.txt": "a\r\nb\r\nc\r\n", "new.txt": "x\r\ny\n", "lfs.bin": "replaced\n", "link": "dos.txt", "mixed.txt": "a\r\nb\nc"} {
		cmd := exec.Command("git", "cat-file", "blob", "gaggle/attack:"+name)
		cmd.Dir = src.dir
		if got, err := cmd.Output(); err != nil || string(got) != want {
			t.Errorf("pushed %s is %q, %v; want %q", name, got, err, want)
		}
	}
	if got := src.git("ls-tree", "gaggle/attack", "unix.txt", "run.sh", "link"); strings.Count(got, "100755") != 2 || strings.Count(got, "120000") != 1 {
		t.Errorf("modes: %s", got)
	}
}

func TestNamesOfAnyKind(t *testing.T) {
	names := []string{"new\nline", "tab\tbed", "--output=x", "-rf", ":(glob)*", "*", "ünïcode", "\xff\xfe", `back\slash`, "quo\"te", "a b", " lead", "trail ", "esc\x1b[31m", ":0:x", "'$(id)'", "#hash", "!bang"}
	files := map[string]string{}
	for _, n := range names {
		files["d/"+n] = "old\n"
		files[n] = "old\n"
	}
	src := newSource(t, files)
	store := newStore(t)
	c := checkout(t, store, src.repo())
	for i, n := range names {
		switch i % 3 {
		case 0:
			write(t, c.Tree, map[string]string{n: "new\n"})
		case 1:
			if err := os.Remove(filepath.Join(c.Tree, n)); err != nil {
				t.Fatal(err)
			}
		}
		write(t, c.Tree, map[string]string{"e/" + n: "added " + n + "\n"})
	}
	change, _, err := everything(t, store, src.repo(), c)
	if err != nil {
		t.Fatal(err)
	}
	status := map[string]string{}
	for _, f := range change.Files {
		status[f.Path] = f.Status
	}
	for i, n := range names {
		if want := []string{"M", "D", ""}[i%3]; status[n] != want && !(want == "D" && status[n] == "") { // a deleted file may be half of a rename
			t.Errorf("%q has status %q, want %q", n, status[n], want)
		}
		if s := status["e/"+n]; s != "A" && s != "R" {
			t.Errorf("%q has status %q", "e/"+n, s)
		}
	}
}

func TestSubmodulesAreLeftAsTheyAre(t *testing.T) {
	inner := newSource(t, map[string]string{"lib.go": "package lib\n"})
	src := newSource(t, map[string]string{"main.go": "package main\n"})
	src.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner.dir, "third/lib")
	src.commit("submodule", nil)
	store := newStore(t)
	c := checkout(t, store, src.repo())
	if change := snapshot(t, c); len(change.Files) != 0 {
		t.Fatalf("an untouched checkout has the change %+v", change)
	}
	if err := os.RemoveAll(filepath.Join(c.Tree, "third")); err != nil {
		t.Fatal(err)
	}
	write(t, c.Tree, map[string]string{"main.go": "package other\n"})
	change := snapshot(t, c)
	if len(change.Files) != 1 || change.Files[0].Path != "main.go" {
		t.Fatalf("change %+v", change)
	}
	write(t, c.Tree, map[string]string{"third/lib/lib.go": "package evil\n"})
	_, err := c.Snapshot(t.Context())
	wantCode(t, err, fleet.CodeUnsafeTree)
	if err := os.RemoveAll(filepath.Join(c.Tree, "third", "lib")); err != nil {
		t.Fatal(err)
	}
	write(t, c.Tree, map[string]string{"third/lib": "a file\n"})
	_, err = c.Snapshot(t.Context())
	wantCode(t, err, fleet.CodeUnsafeTree)
}

func TestTheDiffAppliesWithPlainGit(t *testing.T) {
	src := newSource(t, map[string]string{"keep.txt": strings.Repeat("line\n", 40), "gone.txt": "gone\n", "move.txt": strings.Repeat("moved line\n", 30), "bin": "\x00\x01\x02" + strings.Repeat("x", 500), "noeol": "a"})
	c := checkout(t, newStore(t), src.repo())
	os.Remove(filepath.Join(c.Tree, "gone.txt"))
	if err := os.Rename(filepath.Join(c.Tree, "move.txt"), filepath.Join(c.Tree, "moved to.txt")); err != nil {
		t.Fatal(err)
	}
	write(t, c.Tree, map[string]string{"keep.txt": strings.Repeat("line\n", 20) + "changed\n" + strings.Repeat("line\n", 19), "bin": "\x00\x09" + strings.Repeat("y", 700), "noeol": "b", "empty": ""})
	change := snapshot(t, c)
	diff, err := c.Diff(t.Context(), change.Tree)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("git", "apply", "--index", "-")
	cmd.Dir, cmd.Stdin = src.dir, bytes.NewReader(diff)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := src.git("write-tree"); got != change.Tree {
		t.Fatalf("applied it makes tree %s, want %s", got, change.Tree)
	}
	var renamed bool
	for _, f := range change.Files {
		renamed = renamed || f.Status == "R" && f.Old == "move.txt" && f.Path == "moved to.txt"
	}
	if !renamed {
		t.Errorf("no rename in %+v", change.Files)
	}
}

func TestTheAgentsGitWorks(t *testing.T) {
	src := newSource(t, map[string]string{"main.go": "package main\n"})
	c := checkout(t, newStore(t), src.repo())
	// What the sandbox does with a mount, the test does with the file that names the place.
	write(t, c.Tree, map[string]string{".git/objects/info/alternates": c.Objects() + "\n"})
	if got := runGit(t, c.Tree, "status", "--porcelain"); got != "" {
		t.Fatalf("status: %s", got)
	}
	write(t, c.Tree, map[string]string{"main.go": "package other\n"})
	if got := runGit(t, c.Tree, "diff", "--stat"); !strings.Contains(got, "main.go") {
		t.Fatalf("diff: %s", got)
	}
	runGit(t, c.Tree, "commit", "-qam", "the agent's own")
	if got := runGit(t, c.Tree, "log", "--format=%s"); got != "the agent's own\nfirst" {
		t.Fatalf("log: %s", got)
	}
	if change := snapshot(t, c); len(change.Files) != 1 {
		t.Fatalf("what the agent committed is still its change: %+v", change)
	}
}
