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

	"gaggle/internal/fleet"
)

// bwrap runs commands under bubblewrap.
type bwrap struct {
	program string
	layout  layout
	filter  []byte // the system call filter, as bubblewrap reads it
	limits  Limits
}

func (b *bwrap) Run(ctx context.Context, spec Spec) (Result, error) {
	spec, err := spec.prepared(b.limits, b.layout.path)
	if err != nil {
		return Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return Result{}, &fleet.Error{Code: fleet.CodeInterrupted, Message: "the command was not started", Err: context.Cause(ctx)}
	}
	out := newOutput(spec.Limits.Output)
	c, err := b.start(spec, out)
	if err != nil {
		out.finish()
		return Result{}, err
	}
	return supervise(ctx, c, out, spec.Limits.Wall)
}

// start starts bubblewrap. It reads its options from a pipe, so that until they are written it waits, without a child
// and without having touched anything: time to put it under its limits. They are also kept from the list of processes.
func (b *bwrap) start(spec Spec, out *output) (_ *jail, err error) {
	c := &jail{argv0: spec.Argv[0], errors: &head{dst: spec.Stderr}, done: make(chan struct{})}
	var child []*os.File // closed here after the start
	defer func() {
		for _, f := range child {
			f.Close()
		}
	}()
	fail := func(err error) (*jail, error) {
		return nil, fleet.Errorf(fleet.CodeSandbox, "sandbox: %w", err)
	}
	stdin, err := c.stdin(spec.Stdin)
	if err != nil {
		return fail(err)
	}
	child = append(child, stdin)
	stdout, err := out.pipe(outWriter(spec, c.errors))
	if err != nil {
		return fail(err)
	}
	child = append(child, stdout)
	stderr := stdout
	if !same(spec.Stdout, spec.Stderr) {
		if stderr, err = out.pipe(c.errors); err != nil {
			return fail(err)
		}
		child = append(child, stderr)
	}
	files := []*os.File{stdin, stdout, stderr}
	pass := func(f *os.File) int { // gives f to the child
		files = append(files, f)
		child = append(child, f)
		return len(files) - 1
	}
	options, feed, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	defer feed.Close()
	optionsFD := pass(options)
	status, statusEnd, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	statusFD := pass(statusEnd)

	var contentErr error
	content := func(data string) int {
		f, err := memfile(data)
		if err != nil {
			contentErr = errors.Join(contentErr, err)
			return -1
		}
		return pass(f)
	}
	args := b.layout.bwrapArgs(spec, func(host string) string { return host }, content)
	args = append(args, "--seccomp", strconv.Itoa(content(string(b.filter))), "--json-status-fd", strconv.Itoa(statusFD))
	if contentErr != nil {
		status.Close()
		return fail(contentErr)
	}

	argv := append([]string{"bwrap", "--args", strconv.Itoa(optionsFD), "--"}, spec.Argv...)
	started := make(chan error)
	go func() {
		// The kernel sends the death signal when the starting thread ends, so that thread is kept for as long as the
		// command runs.
		runtime.LockOSThread()
		var err error
		c.process, err = os.StartProcess(b.program, argv, &os.ProcAttr{
			Dir: "/", Env: []string{}, Files: files,
			Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true},
		})
		started <- err
		if err == nil {
			<-c.done
		}
	}()
	if err := <-started; err != nil {
		status.Close()
		return fail(err)
	}
	c.status.Go(func() { c.readStatus(status) })
	if _, err := io.WriteString(feed, strings.Join(args, "\x00")+"\x00"); err != nil {
		c.kill()
		c.wait()
		return fail(fmt.Errorf("bubblewrap did not read its options: %w", err))
	}
	return c, nil
}

// outWriter is where stdout goes: with one writer for both, what bubblewrap says about itself comes that way.
func outWriter(spec Spec, errors *head) io.Writer {
	if same(spec.Stdout, spec.Stderr) {
		return errors
	}
	return spec.Stdout
}

// New makes the sandbox that cfg asks for, or says with CodeNotReady and a hint what this machine lacks for it.
func New(ctx context.Context, cfg Config) (Sandbox, error) {
	switch cfg.Kind {
	case None:
		return newNone(cfg), nil
	case "", Bubblewrap:
		return newBwrap(ctx, cfg)
	}
	return nil, fleet.Errorf(fleet.CodeInvalid, "%q is not a kind of sandbox: %s or %s", cfg.Kind, Bubblewrap, None)
}
