//go:build full && linux

package sandbox_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

// parent is what a gaggle that is about to be killed does: it runs sandboxes whose processes do all they can to stay.
// It never returns.
func parent(args []string) error {
	sb, err := sandbox.New(context.Background(), sandbox.Config{})
	if err != nil {
		return err
	}
	mark := args[0]
	for i := range 3 {
		dir, err := os.MkdirTemp(args[1], "")
		if err != nil {
			return err
		}
		go sb.Run(context.Background(), sandbox.Spec{
			Argv: []string{"sh", "-c", strings.ReplaceAll(`trap '' TERM HUP INT QUIT PIPE
				(setsid sh -c 'trap "" TERM HUP PIPE; while :; do sleep MARK; done' &)
				(sh -c 'kill -STOP $$; sleep MARK' &)
				sleep MARK & echo ready; wait; sleep MARK`, "MARK", mark)},
			Work: dir, Home: dir, Stdout: os.Stdout, Door: map[int]string{1: filepath.Join(args[1], "door")}[i],
		})
	}
	select {}
}

func TestKilledParentLeavesNothing(t *testing.T) {
	place := scratch(t)
	listen(t, "unix", filepath.Join(place, "door"))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		mark := strconv.Itoa(80_000_000 + os.Getpid()*10 + round)
		cmd := exec.CommandContext(t.Context(), self, "attack", "parent", mark, place)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 3 {
			if !lines.Scan() || lines.Text() != "ready" {
				t.Fatalf("the parent says %q", lines.Text())
			}
		}
		processes := marked(mark)
		if len(processes) < 9 {
			t.Fatalf("only %d processes run", len(processes))
		}
		cmd.Process.Kill()
		for _, fd := range processes {
			for {
				if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 30_000); err != unix.EINTR {
					break
				}
			}
			unix.Close(fd)
		}
		cmd.Wait()
		if left := marked(mark); len(left) > 0 {
			t.Errorf("%d processes live on", len(left))
		}
		// Control groups cannot outlive the next start.
		sb := open(t)
		for _, folder := range sandbox.GroupFolders(sb) {
			if folder == "" {
				continue
			}
			entries, err := os.ReadDir(folder)
			if err != nil {
				t.Error(err)
			}
			for _, e := range entries {
				if strings.HasPrefix(e.Name(), fmt.Sprint(cmd.Process.Pid, "-")) {
					t.Errorf("%s/%s is left", folder, e.Name())
				}
			}
		}
		mounts, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil || strings.Contains(string(mounts), place) || strings.Contains(string(mounts), " gaggle ") {
			t.Errorf("mounts are left: %v\n%s", err, mounts)
		}
	}
}

// marked returns pidfds of the processes of this machine whose command line holds mark, this test's helper left out.
func marked(mark string) []int {
	var fds []int
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil || !strings.Contains(string(data), mark) || strings.Contains(string(data), "attack\x00parent") {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(f, "/")[2])
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			fds = append(fds, fd)
		}
	}
	return fds
}

// busy is a gaggle that starts one sandbox after the other. It never returns.
func busy([]string) error {
	sb, err := sandbox.New(context.Background(), sandbox.Config{})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				sb.Run(context.Background(), sandbox.Spec{Argv: []string{"sh", "-c", "sleep 0.01 & sleep 1000 & echo run"}, Stdout: os.Stdout})
			}
		})
	}
	wg.Wait()
	return nil
}

// TestKilledAtAnyMoment kills a gaggle that is starting sandboxes, so that some are caught half made.
func TestKilledAtAnyMoment(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dice := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		cmd := exec.CommandContext(t.Context(), self, "attack", "busy")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 1 + dice.IntN(8) {
			lines.Scan()
		}
		for range dice.IntN(200_000) { // somewhere between two lines
			runtime.Gosched()
		}
		started := sandbox.StartTime(cmd.Process.Pid)
		cmd.Process.Kill()
		dies := func() {
			for _, fd := range marked(sandbox.Tag(cmd.Process.Pid, started)) {
				n, err := 0, error(unix.EINTR)
				for err == unix.EINTR {
					n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 30_000)
				}
				if n == 0 {
					t.Error("a half made sandbox lives on")
				}
				unix.Close(fd)
			}
		}
		dies()
		cmd.Wait()
		dies() // what was being made while the first ones were looked for
		if left := marked(sandbox.Tag(cmd.Process.Pid, started)); len(left) > 0 {
			t.Errorf("%d processes live on", len(left))
		}
	}
}

// TestReap ends processes that bear the name of a dead gaggle's bubblewrap, and no other.
func TestReap(t *testing.T) {
	program, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	start := func(name string) *exec.Cmd {
		cmd := &exec.Cmd{Path: program, Args: []string{name, "1000"}, SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		return cmd
	}
	dead := start(sandbox.Tag(1<<22+1, 7))
	var living []*exec.Cmd
	for _, name := range []string{sandbox.Tag(os.Getpid(), sandbox.StartTime(os.Getpid())), "bwrap:gaggle:1:4194305-7", "bwrap:gaggle:", "bwrap"} {
		living = append(living, start(name))
	}
	sandbox.Reap()
	if err := dead.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the orphan ended with %v", err)
	}
	for _, cmd := range living {
		if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("%q: %v", cmd.Args[0], err)
		}
	}
}

// TestLesserMachines runs the suite as it would run where the kernel, the file system or bubblewrap offer less.
func TestLesserMachines(t *testing.T) {
	for name, missing := range map[string][3]bool{"no owner maps": {true, false, false}, "no control groups": {false, true, false},
		"old bubblewrap": {false, false, true}, "nothing": {true, true, true}} {
		t.Run(name, func(t *testing.T) {
			exercise(t, func(t *testing.T) sandbox.Sandbox {
				return sandbox.Crippled(open(t), missing[0], missing[1], missing[2])
			})
		})
	}
}

// TestTrapsForTheOwner leaves trees behind that whoever gives them back to root has to walk.
func TestTrapsForTheOwner(t *testing.T) {
	sb := sandbox.Crippled(open(t), true, false, false)
	for _, name := range []string{"deep", "closed"} {
		work := scratch(t)
		for range 2 {
			spec := sandbox.Spec{Argv: []string{"sh", "-c", sandbox.Self + " attack " + name}, Work: work, Limits: sandbox.Limits{Disk: 32 << 20}}
			result, err := sb.Run(t.Context(), spec)
			if err != nil && fleet.CodeOf(err) != fleet.CodeNotFound || err == nil && result.ExitCode == 0 {
				t.Errorf("%s: %+v %v", name, result, err)
			}
		}
		if err := sandbox.Remove(work); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReadOnlyPaths shows a folder that a user asked for.
func TestReadOnlyPaths(t *testing.T) {
	dir := scratch(t)
	files(t, dir, map[string]string{"tool": "#!/bin/sh\necho tool\n"})
	if err := os.Chmod(filepath.Join(dir, "tool"), 0o700); err != nil {
		t.Fatal(err)
	}
	sb, err := sandbox.New(t.Context(), sandbox.Config{ReadOnly: []string{dir}, Dir: scratch(t)})
	if err != nil {
		t.Fatal(err)
	}
	code, out := script(t, sb, sandbox.Access{}, sandbox.Spec{}, dir+"/tool && echo x >"+dir+"/new")
	if code == 0 || !strings.HasPrefix(out, "tool\n") {
		t.Errorf("%d %s", code, out)
	}
}
