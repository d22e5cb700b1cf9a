package git_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

// nest makes folders inside each other, deeper than any path can name.
func nest(t *testing.T, dir string, depth int) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range depth {
		if err := root.Mkdir("d", 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := root.OpenRoot("d")
		root.Close()
		if err != nil {
			t.Fatal(err)
		}
		root = next
	}
	root.Close()
}

func TestRemoveAllGetsRidOfAnything(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, outside, map[string]string{"keep": "keep\n"})
	dir := filepath.Join(t.TempDir(), "dir")
	write(t, dir, map[string]string{"a/b/c.txt": "c\n", "locked/x/y.txt": "y\n", "sealed/x": "x\n"})
	nest(t, dir, 2000)
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"locked/x": 0, "locked": 0, "sealed": 0o500} {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := git.RemoveAll(dir); err != nil {
			t.Fatalf("%.200s", err)
		}
	}
	if _, err := os.Lstat(dir); err == nil {
		t.Fatal("still there")
	}
	if _, err := os.Stat(filepath.Join(outside, "keep")); err != nil {
		t.Fatal("a link was followed")
	}
}

func TestDeepTreesAreRefusedAndRemoved(t *testing.T) {
	src := newSource(t, map[string]string{"a.txt": "a\n"})
	c := checkout(t, newStore(t), src.repo())
	nest(t, c.Tree, 1000)
	_, err := c.Snapshot(t.Context())
	wantCode(t, err, fleet.CodeUnsafeTree)
	if len(err.Error()) > 1000 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
	if err := c.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	long := c.Tree
	for range 14 { // short of the depth, long in bytes
		long = filepath.Join(long, strings.Repeat("x", 250))
	}
	if err := os.MkdirAll(long, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(long, "f"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = c.Snapshot(t.Context())
	if err != nil {
		wantCode(t, err, fleet.CodeUnsafeTree)
	}
}
