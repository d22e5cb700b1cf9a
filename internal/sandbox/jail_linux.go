package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gaggle/internal/fleet"
)

// jail is one bubblewrap: the monitor outside, which this process started, and process 1 inside, which takes every
// other process along when it ends.
type jail struct {
	errors  *head
	process *os.Process   // the monitor
	nested  bool          // the monitor is process 1 of a pid namespace of its own
	ended   chan struct{} // closed when the monitor is gone; the thread that started it waits for that
	status  *os.File      // what the monitor tells
	staging *staging      // nil unless gaggle runs as root
	group   *group
	watch   *watch
	hatch   *hatch // nil without a door

	told   sync.WaitGroup // the reader of status
	opened sync.WaitGroup // the opener of the door
	mu     sync.Mutex
	pid1   int      // a pidfd of process 1 inside; 0 when not known
	proc   *os.File // its folder in /proc; nil when not known
	exit   *int     // the command's exit code, if it ever ran
	door   *door
	shut   error // why there is no door

	state *os.ProcessState
	end   outcome
}

// stdio opens what the command reads from and writes to.
func (c *jail) stdio(spec Spec, out *output, d *descriptors) error {
	stdin, err := input(spec.Stdin)
	if err != nil {
		return err
	}
	d.add(stdin)
	both := same(spec.Stdout, spec.Stderr)
	dst := spec.Stdout
	if both {
		dst = c.errors
	}
	stdout, err := out.pipe(dst)
	if err != nil {
		return err
	}
	d.add(stdout)
	if both {
		d.add(stdout)
		return nil
	}
	stderr, err := out.pipe(c.errors)
	if err != nil {
		return err
	}
	d.add(stderr)
	return nil
}

// readStatus reads what bubblewrap's monitor tells: the process inside, and the exit code if the command ever ran.
func (c *jail) readStatus() {
	c.told.Go(func() {
		defer c.status.Close()
		dec := json.NewDecoder(c.status)
		for {
			var s struct {
				Child int  `json:"child-pid"`
				Exit  *int `json:"exit-code"`
			}
			if err := dec.Decode(&s); err != nil {
				return
			}
			c.mu.Lock()
			if s.Child > 0 && c.pid1 == 0 {
				if c.nested { // the number means something only in there
					s.Child = childOf(c.process.Pid)
				}
				c.hold(s.Child)
			}
			if s.Exit != nil {
				c.exit = s.Exit
			}
			c.mu.Unlock()
		}
	})
}

// childOf returns a child of a process; 0 when there is none.
func childOf(parent int) int {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
	if f := strings.Fields(string(children)); len(f) > 0 {
		return int(number(f[0]))
	}
	if err == nil {
		return 0
	}
	for _, p := range processesIn("/") { // a kernel that does not list children
		if kilobytes(read(p, "status"), "PPid:") == int64(parent) {
			return int(number(filepath.Base(p)))
		}
	}
	return 0
}

// hold takes hold of process 1 inside in ways that cannot come to mean another process.
func (c *jail) hold(pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	proc, err := os.Open(fmt.Sprintf("/proc/%d", pid))
	if err != nil {
		unix.Close(fd)
		return
	}
	status := read(proc.Name(), "status")
	if kilobytes(status, "PPid:") != int64(c.process.Pid) { // already gone, and its number somebody else's
		unix.Close(fd)
		proc.Close()
		return
	}
	c.pid1, c.proc = fd, proc
}

// root returns the sandbox's root as this process can see it; "" before there is one.
func (c *jail) root() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.proc == nil {
		return ""
	}
	return fmt.Sprintf("/proc/self/fd/%d/root", c.proc.Fd())
}

// openDoor serves the door as soon as it is opened from inside.
func (c *jail) openDoor() {
	if c.hatch == nil {
		return
	}
	c.opened.Go(func() {
		d, err := c.hatch.open()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.door, c.shut = d, err
	})
}

func (c *jail) kill() {
	c.process.Kill()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pid1 > 0 {
		unix.PidfdSendSignal(c.pid1, unix.SIGKILL, nil, 0)
	}
}

func (c *jail) wait() error {
	state, err := c.process.Wait()
	c.state = state
	close(c.ended)
	c.told.Wait() // the monitor held the other end
	c.kill()      // process 1 follows the monitor by itself, this is for the hurry
	left := c.gone()
	if c.hatch != nil && left != nil {
		c.hatch.give() // else the other end is closed by now, and what was sent is read
	}
	c.opened.Wait()
	c.watch.end()
	c.release()
	c.end.over = c.watch.verdict()
	c.end.cpu, c.end.peak = c.group.used()
	if c.end.cpu == 0 && state != nil {
		c.end.cpu = state.UserTime() + state.SystemTime()
	}
	if c.end.peak == 0 {
		c.end.peak = c.watch.peak
	}
	if err := errors.Join(err, left, c.tidy()); err != nil {
		return fleet.Errorf(fleet.CodeSandbox, "sandbox: %w", err)
	}
	return nil
}

// outcome reads how the command ended.
func (c *jail) outcome() (outcome, error) {
	var err error
	c.end.exit, err = c.exitCode()
	if c.end.over == "" && c.end.exit == 128+int(unix.SIGXFSZ) {
		c.end.over = fleet.CodeDiskLimit
	}
	return c.end, err
}

func (c *jail) exitCode() (int, error) {
	if c.exit != nil && c.shut == nil {
		return *c.exit, nil
	}
	if c.state != nil {
		if status, ok := c.state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int(status.Signal()), nil
		}
	}
	// Nothing but bubblewrap and the opener of the door has run, so what stands on stderr is theirs.
	said := strings.TrimSpace(string(c.errors.text))
	switch {
	case strings.HasPrefix(said, "bwrap: execvp ") && strings.HasSuffix(said, ": No such file or directory"):
		return 127, nil
	case strings.HasPrefix(said, "bwrap: execvp "):
		return 126, nil
	case strings.HasPrefix(said, "bwrap: Can't chdir to "):
		return 0, fleet.Errorf(fleet.CodeNotFound, "sandbox: the folder is not there inside: %s", said)
	case c.exit != nil:
		return 0, fleet.Errorf(fleet.CodeSandbox, "sandbox: the door was not opened: %w: %s", c.shut, said)
	}
	return 0, fleet.Errorf(fleet.CodeSandbox, "sandbox: bubblewrap ended without running the command: %s", said)
}

// gone waits for process 1 inside: the kernel ends it only after everything else in its namespace.
func (c *jail) gone() error {
	c.mu.Lock()
	pid1 := c.pid1
	c.mu.Unlock()
	if pid1 == 0 {
		return nil
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pid1), Events: unix.POLLIN}}, int(max(time.Until(deadline), 0).Milliseconds()))
		switch {
		case err == unix.EINTR:
		case err != nil || n == 0:
			return errors.New("processes inside do not die")
		default:
			return nil
		}
	}
}

// release lets go of process 1. Nobody looks at it any more.
func (c *jail) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pid1 != 0 {
		unix.Close(c.pid1)
		c.proc.Close()
		c.pid1, c.proc = -1, nil
	}
}

// tidy gives back everything but the processes, which are gone or never were.
func (c *jail) tidy() error {
	c.mu.Lock()
	d := c.door
	c.mu.Unlock()
	if d != nil {
		d.close()
	}
	if c.process == nil { // nobody read them
		if c.status != nil {
			c.status.Close()
		}
		if c.hatch != nil {
			c.hatch.give()
		}
	}
	if c.group != nil {
		c.group.remove()
	}
	if c.staging != nil {
		return c.staging.strike()
	}
	return nil
}

func (c *jail) breach() <-chan fleet.Code { return c.watch.found }
