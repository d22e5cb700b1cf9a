//go:build full && linux

package git_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

// TestDiskFull runs itself in a mount namespace of its own, with a data folder on a disk of two megabytes.
func TestDiskFull(t *testing.T) {
	if small := os.Getenv("GAGGLE_TEST_SMALL_DISK"); small != "" {
		if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=2m"); err != nil {
			t.Fatalf("mounting a small disk: %v", err)
		}
		fillDisk(t, small)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFull$", "-test.v")
	cmd.Env = append(os.Environ(), "GAGGLE_TEST_SMALL_DISK="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func fillDisk(t *testing.T, disk string) {
	noise := func(n int) string {
		data := make([]byte, n)
		rand.Read(data)
		return base64.StdEncoding.EncodeToString(data)
	}
	store, err := git.Open(git.Config{Dir: filepath.Join(disk, "mirrors"), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	clean := func() {
		t.Helper()
		if left := glob(t, disk, "mirrors/.tmp/*"); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	}
	large := newSource(t, map[string]string{"large": noise(4 << 20)})
	_, err = store.Refresh(t.Context(), fleet.Repository{Name: "large", URL: large.dir}, 0)
	wantCode(t, err, fleet.CodeDiskFull)
	clean()

	src := newSource(t, map[string]string{"a.txt": noise(300 << 10), "b.txt": "b\n"})
	repo := src.repo()
	head := refresh(t, store, repo)

	filler := filepath.Join(disk, "filler")
	fill := func() {
		f, err := os.Create(filler)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = f.WriteString(strings.Repeat("x", 4096))
		}
		f.Close()
	}
	dir := filepath.Join(disk, "attempt")
	fill()
	_, err = store.Checkout(t.Context(), repo, head.Commit, dir)
	wantCode(t, err, fleet.CodeDiskFull)
	if _, err := os.Stat(dir); err == nil {
		t.Error("the failed checkout was left")
	}
	src.commit("more", map[string]string{"b.txt": noise(100 << 10)})
	_, err = store.Refresh(t.Context(), repo, 0)
	wantCode(t, err, fleet.CodeDiskFull)
	clean()
	os.Remove(filler)

	head = refresh(t, store, repo)
	c, err := store.Checkout(t.Context(), repo, head.Commit, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	write(t, c.Tree, map[string]string{"new.txt": noise(50 << 10)})
	fill()
	_, err = c.Snapshot(t.Context())
	wantCode(t, err, fleet.CodeDiskFull)
	os.Remove(filler)
	change := snapshot(t, c)
	diff, err := c.Diff(t.Context(), change.Tree)
	if err != nil {
		t.Fatal(err)
	}
	spec := spec
	spec.Base, spec.Diff, spec.Tree = head.Commit, diff, change.Tree
	fill()
	_, err = store.Commit(t.Context(), repo, spec)
	wantCode(t, err, fleet.CodeDiskFull)
	os.Remove(filler)
	if _, err := store.Commit(t.Context(), repo, spec); err != nil {
		t.Fatal(err)
	}
	clean()
	fmt.Println("survived a full disk")
}
