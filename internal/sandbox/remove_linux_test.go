package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// burrow nests folders below dir without ever using a long path.
func burrow(t *testing.T, dir string, depth int) {
	t.Helper()
	at, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range depth {
		if err := unix.Mkdirat(at, "deeper", 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(at, "deeper", unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
		unix.Close(at)
		if err != nil {
			t.Fatal(err)
		}
		at = next
	}
	unix.Close(at)
}

func TestRemove(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tree")
	outside := filepath.Join(t.TempDir(), "outside")
	for _, p := range []string{dir, outside, dir + "/a", dir + "/a/b", dir + "/closed", dir + "/closed/in", dir + "/\n --x", dir + "/.gaggle-removes-1"} {
		if err := os.Mkdir(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	keep := filepath.Join(outside, "keep")
	for _, p := range []string{keep, dir + "/closed/in/f", dir + "/a/b/f"} {
		if err := os.WriteFile(p, nil, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range []string{outside, "..", "loop", "/"} {
		if err := os.Symlink(to, filepath.Join(dir, "link"+fmt.Sprint(len(to)))); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(dir+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	burrow(t, dir+"/a/b", 1500)
	for _, p := range []string{"/closed/in", "/closed", "/a/b", ""} {
		if err := os.Chmod(dir+p, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := Remove(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if info, err := os.Stat(keep); err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("what links lead to was touched: %v %v", info, err)
	}
	if err := Remove(dir); err != nil {
		t.Errorf("removing what is not there: %v", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	if err := Remove(link); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(keep); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
}

func TestMeter(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/old", make([]byte, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	past := newMeter([]string{dir}, 1<<20)
	past.started.Sec -= 3600 // everything is new
	if grown, err := past.measure(nil); err != nil || grown < 100_000 {
		t.Errorf("%d %v", grown, err)
	}
	m := newMeter([]string{dir}, 1<<20)
	m.started.Sec += 3600 // everything is old
	if grown, err := m.measure(nil); err != nil || grown != 0 {
		t.Errorf("%d %v", grown, err)
	}
	if err := os.WriteFile(dir+"/new", make([]byte, 50_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(dir+"/new", dir+"/again"); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(dir+"/new", 1<<40); err != nil { // sparse: costs nothing
		t.Fatal(err)
	}
	if grown, err := m.measure(nil); err != nil || grown < 50_000 || grown > 70_000 {
		t.Errorf("%d %v", grown, err)
	}
	os.Remove(dir + "/again")
	os.Remove(dir + "/new")
	os.Remove(dir + "/old")
	if grown, err := m.measure(nil); err != nil || grown > -100_000 {
		t.Errorf("%d %v", grown, err)
	}
	held, err := os.Create(dir + "/held")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	held.Write(make([]byte, 500_000))
	os.Remove(dir + "/held")
	before, err := m.measure(nil)
	if err != nil {
		t.Fatal(err)
	}
	if after, err := m.measure([]string{"/proc/self"}); err != nil || after-before < 500_000 {
		t.Errorf("a file without a name counts %d, %v", after-before, err)
	}
	burrow(t, dir, 800)
	if !m.over(nil) {
		t.Error("a burrow passes for a tree")
	}
	if err := Remove(dir + "/deeper"); err != nil {
		t.Error(err)
	}
}
