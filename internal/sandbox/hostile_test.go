//go:build full && linux

package sandbox_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

// hogUnlinked fills the disk with a file that has no name.
func hogUnlinked([]string) error {
	f, err := os.Create("/srv/work/x")
	if err != nil {
		return err
	}
	os.Remove("/srv/work/x")
	return fill(f)
}

func fill(f *os.File) error {
	block := make([]byte, 1<<20)
	for {
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
}

// hogDeep nests folders deeper than any path can name, for ever.
func hogDeep([]string) error {
	if err := os.Chdir("/srv/work"); err != nil {
		return err
	}
	for i := 0; ; i++ {
		if err := unix.Mkdir("d", 0o755); err != nil {
			return err
		}
		if err := unix.Chdir("d"); err != nil {
			return err
		}
		if i == 6000 {
			fmt.Println("deep")
		}
	}
}

// hogClosed fills the disk in a folder that cannot be read.
func hogClosed([]string) error {
	if err := os.Mkdir("/srv/work/closed", 0o300); err != nil {
		return err
	}
	f, err := os.Create("/srv/work/closed/x")
	if err != nil {
		return err
	}
	os.Chmod("/srv/work/closed", 0)
	os.Chmod("/srv/work", 0)
	return fill(f)
}

// hogMemfd keeps memory in a file without a name, without having it mapped.
func hogMemfd([]string) error {
	for {
		fd, err := unix.MemfdCreate("x", 0)
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(fd), "x")
		for range 64 {
			if _, err := f.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
		}
		defer f.Close()
	}
}

func TestHogs(t *testing.T) {
	sb := open(t)
	limits := sandbox.Limits{Memory: 300 << 20, Disk: 64 << 20, Wall: 2 * time.Minute}
	self := sandbox.Self + " attack "
	for _, c := range []struct {
		name, script string
		want         fleet.Code
	}{
		{"big file", "exec cat /dev/zero >big", fleet.CodeDiskLimit},
		{"many files", "i=0; while :; do i=$((i+1)); echo x >f$i; done", fleet.CodeDiskLimit},
		{"empty files", "i=0; while :; do i=$((i+1)); : >f$i; done", fleet.CodeDiskLimit},
		{"folders", "i=0; while mkdir -p $i/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t; do i=$((i+1)); done", fleet.CodeDiskLimit},
		{"home", "exec cat /dev/zero >$HOME/big", fleet.CodeDiskLimit},
		{"in the background", "(cat /dev/zero >big &) ; (cat /dev/zero >big2 &); sleep 1000", fleet.CodeDiskLimit},
		{"unlinked", self + "unlinked", fleet.CodeDiskLimit},
		{"closed", self + "closed", fleet.CodeDiskLimit},
		{"deep", self + "deep", fleet.CodeDiskLimit},
		{"tmp", "cat /dev/zero >/tmp/x; cat /dev/zero >/dev/shm/x; echo done; sleep 1000", fleet.CodeMemory},
		{"memfd", self + "memfd", fleet.CodeMemory},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			work, home := scratch(t), scratch(t)
			result, err := sb.Run(t.Context(), sandbox.Spec{Argv: []string{"sh", "-c", c.script}, Work: work, Home: home,
				Stdout: &out, Stderr: &out, Limits: limits})
			if err != nil || result.Ended != c.want {
				t.Errorf("%+v %v\n%.2000s", result, err, out.String())
			}
			if err := sandbox.Remove(work); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(work); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it is still there: %v", err)
			}
		})
	}
}

// TestHonestWork does what builds do: much work, within the limits.
func TestHonestWork(t *testing.T) {
	sb := open(t)
	work := scratch(t)
	for i := range 300 {
		if err := os.WriteFile(filepath.Join(work, fmt.Sprint(i)), make([]byte, 200_000), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	// 60 MB are there, 30 MB may be added: what is there does not count, nor does what is deleted again.
	result, err := sb.Run(t.Context(), sandbox.Spec{Argv: []string{"sh", "-c", `set -e
		for round in 1 2 3 4 5 6; do cp -r . /tmp/copy; rm -r /tmp/copy; mkdir new; cp 1* new/; rm -r new; done
		for i in 1 2 3 4 5; do cp $i copied$i; done; ln 1 hard1; ln 1 hard2; truncate -s 500M sparse`},
		Work: work, Stdout: &out, Stderr: &out, Limits: sandbox.Limits{Disk: 30 << 20, Memory: 400 << 20}})
	if err != nil || result.ExitCode != 0 || result.Ended != "" {
		t.Errorf("%+v %v\n%s", result, err, out.String())
	}
}

// TestFIFOs leaves pipes wherever somebody might read.
func TestFIFOs(t *testing.T) {
	sb := open(t)
	work := scratch(t)
	spec := sandbox.Spec{Argv: []string{"sh", "-c", "mkfifo a b d.go; (echo x >a &); (cat b &); mkdir s; mv a s/; exit 0"}, Work: work, Home: scratch(t)}
	for range 2 {
		if result, err := sb.Run(t.Context(), spec); err != nil || result.Ended != "" {
			t.Errorf("%+v %v", result, err)
		}
	}
}

// TestHostileTree gives a sandbox a tree that an earlier run prepared.
func TestHostileTree(t *testing.T) {
	sb := open(t)
	work := scratch(t)
	for name, to := range map[string]string{"etc": "/etc", "out": "../../../..", "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(work, name)); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]string{"etc": "/etc", "out": "/"} {
		var out bytes.Buffer
		result, err := sb.Run(t.Context(), sandbox.Spec{Argv: []string{"sh", "-c", "/bin/pwd -P; ls -a; cat shadow"}, Work: work, Dir: sandbox.WorkDir + "/" + dir, Stdout: &out})
		if err != nil || !strings.HasPrefix(out.String(), want+"\n") || result.ExitCode == 0 {
			t.Errorf("%s: %+v %v\n%s", dir, result, err, out.String())
		}
	}
	if _, err := sb.Run(t.Context(), sandbox.Spec{Argv: []string{"true"}, Work: work, Dir: sandbox.WorkDir + "/loop"}); fleet.CodeOf(err) != fleet.CodeNotFound {
		t.Error(err)
	}
}
