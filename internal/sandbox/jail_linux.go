package sandbox

import (
	"encoding/json"
	"io"
	"os"
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
	argv0   string
	errors  *head
	process *os.Process   // the monitor
	done    chan struct{} // closed when the monitor is gone; the thread that started it waits for that

	status sync.WaitGroup
	mu     sync.Mutex
	first  int // a pidfd of process 1 inside; 0 when not known
	exit   *int
	rusage *syscall.Rusage
}

// stdin returns the end that the command reads from.
func (c *jail) stdin(src io.Reader) (*os.File, error) {
	if src == nil {
		return os.Open(os.DevNull)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go func() {
		defer w.Close()
		io.Copy(w, src)
	}()
	return r, nil
}

// readStatus reads what bubblewrap's monitor tells: the process inside, and the exit code if the command ever ran.
func (c *jail) readStatus(r *os.File) {
	defer r.Close()
	dec := json.NewDecoder(r)
	for {
		var s struct {
			Child int  `json:"child-pid"`
			Exit  *int `json:"exit-code"`
		}
		if err := dec.Decode(&s); err != nil {
			return
		}
		c.mu.Lock()
		if s.Child > 0 && c.first == 0 {
			if fd, err := unix.PidfdOpen(s.Child, 0); err == nil {
				c.first = fd
			}
		}
		if s.Exit != nil {
			c.exit = s.Exit
		}
		c.mu.Unlock()
	}
}

func (c *jail) kill() {
	c.process.Kill()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first > 0 {
		unix.PidfdSendSignal(c.first, unix.SIGKILL, nil, 0)
	}
}

func (c *jail) wait() (int, error) {
	state, err := c.process.Wait()
	close(c.done)
	c.status.Wait()
	c.kill() // the monitor is gone: process 1 follows by itself, this is for the hurry
	c.gone()
	if err != nil {
		return 0, fleet.Errorf(fleet.CodeSandbox, "sandbox: waiting for bubblewrap: %w", err)
	}
	c.rusage, _ = state.SysUsage().(*syscall.Rusage)
	if c.exit != nil {
		return *c.exit, nil
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	// Nothing but bubblewrap itself has run, so what stands on stderr is its own.
	said := strings.TrimSpace(string(c.errors.text))
	if strings.HasPrefix(said, "bwrap: execvp ") {
		if strings.HasSuffix(said, syscall.ENOENT.Error()) || strings.HasSuffix(said, "No such file or directory") {
			return 127, nil
		}
		return 126, nil
	}
	if strings.HasPrefix(said, "bwrap: Can't chdir to ") {
		return 0, fleet.Errorf(fleet.CodeNotFound, "sandbox: the folder is not there: %s", said)
	}
	return 0, fleet.Errorf(fleet.CodeSandbox, "sandbox: bubblewrap ended without running the command: %s", said)
}

// gone waits for process 1 inside: the kernel ends it only after everything else in its namespace.
func (c *jail) gone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first <= 0 {
		return
	}
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(c.first), Events: unix.POLLIN}}, 10_000)
		if err != unix.EINTR {
			break
		}
	}
	unix.Close(c.first)
	c.first = -1
}

func (c *jail) breach() <-chan fleet.Code { return nil }

func (c *jail) verdict(int) fleet.Code { return "" }

func (c *jail) usage() (time.Duration, int64) {
	if c.rusage == nil {
		return 0, 0
	}
	return time.Duration(c.rusage.Utime.Nano() + c.rusage.Stime.Nano()), 0
}

// memfile returns a file that holds data and has no name.
func memfile(data string) (*os.File, error) {
	fd, err := unix.MemfdCreate("gaggle", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "gaggle")
	if _, err := f.WriteString(data); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
