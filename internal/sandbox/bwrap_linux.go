package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"gaggle/internal/fleet"
)

// bwrap runs commands under bubblewrap.
type bwrap struct {
	program string
	version version
	layout  layout
	filter  string // the system call filter, as bubblewrap reads it
	self    string // this program
	limits  Limits
	groups  *cgroups
	user    *understudy // nil unless gaggle runs as root
	nested  bool        // bubblewrap is process 1 of a pid namespace around it
}

func (b *bwrap) Run(ctx context.Context, spec Spec) (Result, error) {
	spec, err := spec.prepared(b.limits, b.layout.path, b.layout.env)
	if err != nil {
		return Result{}, err
	}
	if ctx.Err() != nil {
		return Result{}, interrupted(ctx)
	}
	out := newOutput(spec.Limits.Output)
	c, err := b.start(spec, out)
	if err != nil {
		out.finish()
		return Result{}, fleet.Errorf(fleet.CodeSandbox, "sandbox: %w", err)
	}
	return supervise(ctx, c, out, spec.Limits.Wall)
}

// start starts bubblewrap. It reads its options from a pipe, so that until they are written it waits, without a child
// and without having touched anything: time to put it under its limits. They are also kept from the list of processes.
func (b *bwrap) start(spec Spec, out *output) (_ *jail, err error) {
	for _, m := range spec.binds() {
		if _, err := os.Stat(m.Host); err != nil {
			return nil, err
		}
	}
	c := &jail{errors: &head{dst: spec.Stderr}, ended: make(chan struct{}), nested: b.nested}
	defer func() {
		if err != nil {
			c.tidy()
		}
	}()
	d := descriptors{}
	defer d.close()
	if err := c.stdio(spec, out, &d); err != nil {
		return nil, err
	}
	options, feed, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer feed.Close()
	status, statusEnd, err := os.Pipe()
	if err != nil {
		d.add(options)
		return nil, err
	}
	c.status = status
	optionsFD, statusFD := d.add(options), d.add(statusEnd)

	argv := spec.Argv
	if spec.Door != "" {
		if b.self == "" {
			return nil, errors.New("this program does not know where it is, so it cannot open the door")
		}
		h, theirs, err := newHatch(spec.Door)
		if err != nil {
			return nil, err
		}
		c.hatch = h
		argv = append([]string{Self, openDoor, strconv.Itoa(d.add(theirs))}, argv...)
		spec.Mounts = append(spec.Mounts, Mount{Host: b.self, Inside: Self})
	} else if b.self != "" && spec.mentions(Self) {
		spec.Mounts = append(spec.Mounts, Mount{Host: b.self, Inside: Self})
	}

	source := func(m Mount) string { return m.Host }
	if b.user != nil {
		c.staging = b.user.staging()
		source = c.staging.place
	}
	args := b.layout.bwrapArgs(spec, source, d.content)
	args = append(args, "--seccomp", strconv.Itoa(d.content(b.filter)), "--json-status-fd", strconv.Itoa(statusFD))
	if d.err != nil {
		return nil, d.err
	}
	if c.group, err = b.groups.make(spec.Limits); err != nil {
		return nil, err
	}
	attr := &os.ProcAttr{Dir: "/", Env: []string{}, Files: d.files, Sys: b.attributes()}
	argv = append([]string{tag(b.groups.owner), "--args", strconv.Itoa(optionsFD), "--"}, argv...)
	err = c.launch(b.program, argv, attr, spec.Limits)
	if c.process == nil {
		return nil, err
	}
	d.close() // what is the child's, so that only the child's end keeps a pipe open
	c.readStatus()
	c.openDoor()
	c.watch = newWatch(spec, c.group)
	if err == nil {
		_, err = io.WriteString(feed, strings.Join(args, "\x00")+"\x00")
	}
	if err != nil {
		c.kill()
		feed.Close()
		c.wait()
		return nil, fmt.Errorf("putting bubblewrap under its limits: %w", err)
	}
	c.watch.begin(c.root)
	return c, nil
}

// attributes says how bubblewrap is started.
//
// It dies when gaggle does, but that alone would not do: bubblewrap's own child asks to die with its parent only when it
// is about to start the command, and does not notice when the parent is dead by then. So bubblewrap is made process 1 of a
// pid namespace: with it, the kernel ends everything in there, whatever it is about to do, and bubblewrap is not gone
// before all of that is.
func (b *bwrap) attributes() *syscall.SysProcAttr {
	sys := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	if b.nested {
		sys.Cloneflags = syscall.CLONE_NEWPID
	}
	if b.user != nil {
		id := uint32(b.user.id)
		sys.Credential = &syscall.Credential{Uid: id, Gid: id, Groups: []uint32{}}
	} else if b.nested {
		sys.Cloneflags |= syscall.CLONE_NEWUSER
		sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
	}
	return sys
}

// bind puts the waiting bubblewrap under its limits, and into the groups that it was not born into. It runs on the thread
// that started it.
func (c *jail) bind(l Limits, left []string) error {
	pid := c.process.Pid
	if err := join(left, pid); err != nil {
		return err
	}
	limits := map[int]uint64{unix.RLIMIT_FSIZE: uint64(l.FileSize), unix.RLIMIT_CORE: 0}
	if c.group.pids == "" {
		// The kernel counts a user's processes wherever they run, and later only those in the sandbox: the limit has to
		// let bubblewrap itself start. It is wide, because the kernel would only refuse and not tell: the watchdog, which
		// counts exactly, is to be the one who notices.
		limits[unix.RLIMIT_NPROC] = uint64(4*l.Processes + 2048 + tasks())
	}
	err := c.staging.asReal(func() error {
		for resource, value := range limits {
			if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: value, Max: value}, nil); err != nil {
				return fmt.Errorf("setting resource limits: %w", err)
			}
		}
		return nil
	})
	// When the whole machine runs out of memory, this goes first.
	return errors.Join(err, os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("800"), 0))
}

// tasks returns how many processes and threads this machine has.
func tasks() int {
	text, _ := os.ReadFile("/proc/loadavg")
	if f := strings.Fields(string(text)); len(f) > 3 {
		_, all, _ := strings.Cut(f[3], "/")
		return int(number(all))
	}
	return 1 << 15
}

// launch starts the program on a thread that is kept for as long as the program runs: the kernel sends the death signal
// when the thread that started a process ends, not when the whole program does.
//
// It leaves the process in c, also when putting it under its limits failed afterwards.
func (c *jail) launch(program string, argv []string, attr *os.ProcAttr, l Limits) error {
	started := make(chan error, 1)
	onOwnThread(func() {
		if c.staging != nil {
			if err := c.staging.set(); err != nil {
				started <- err
				return
			}
		}
		if err := closeOnExec(); err != nil {
			started <- err
			return
		}
		left, err := c.group.born(attr.Sys, func() (err error) {
			c.process, err = os.StartProcess(program, argv, attr)
			return err
		})
		if err != nil {
			started <- err
			return
		}
		started <- c.bind(l, left)
		<-c.ended
	})
	return <-started
}

// closeOnExec keeps what this process inherited without knowing from those that it starts.
func closeOnExec() error {
	err := unix.CloseRange(3, 1<<31, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	entries, err := os.ReadDir("/proc/self/fd") // before Linux 5.11
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return err
}

// onOwnThread runs f on a thread that nothing else uses and that ends with f: f may change the thread's namespaces. The
// main thread cannot end, so it is passed over.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != os.Getpid() {
			f()
			return
		}
		elsewhere := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(elsewhere)
			f()
		}()
		<-elsewhere
		runtime.UnlockOSThread()
	}()
}

// descriptors are the files that a child gets, by the number that they have there.
type descriptors struct {
	files []*os.File
	err   error
}

func (d *descriptors) add(f *os.File) int {
	d.files = append(d.files, f)
	return len(d.files) - 1
}

// content adds a file that holds data and has no name.
func (d *descriptors) content(data string) int {
	fd, err := unix.MemfdCreate("gaggle", unix.MFD_CLOEXEC)
	if err != nil {
		d.err = err
		return -1
	}
	f := os.NewFile(uintptr(fd), "gaggle")
	n := d.add(f)
	if _, err := f.WriteString(data); err != nil {
		d.err = err
	} else if _, err := f.Seek(0, io.SeekStart); err != nil {
		d.err = err
	}
	return n
}

// close closes this process's ends; they may be the same file more than once.
func (d *descriptors) close() {
	for _, f := range d.files {
		f.Close()
	}
}
