//go:build unix

package sandbox

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"gaggle/internal/fleet"
)

// none runs commands with no isolation. It keeps the contract of Run as far as that goes without any: the environment,
// the time and output limits, the end of the command's process group, and where Linux has control groups for this user
// the limits on memory and processes and the end of everything that was started. It has no mounts, so inside paths that
// stand in Dir, Argv and Env are rewritten to the host's, and DoorAddress to a port of its own.
type none struct {
	limits Limits
	bounds bounds
	env    map[string]string // where toolchains are, which look for themselves in a home that is another one now
}

func newNone(cfg Config) *none {
	home, _ := os.UserHomeDir()
	return &none{limits: cfg.Limits.Or(DefaultLimits()), bounds: newBounds(), env: findTools(os.Getenv, home, nil).env}
}

func (n *none) Run(ctx context.Context, spec Spec) (Result, error) {
	spec, err := spec.prepared(n.limits, os.Getenv("PATH"), n.env)
	if err != nil {
		return Result{}, err
	}
	if ctx.Err() != nil {
		return Result{}, interrupted(ctx)
	}
	own, err := os.MkdirTemp("", "gaggle-none-") // what vanishes with the run
	if err != nil {
		return Result{}, fleet.Errorf(fleet.CodeSandbox, "sandbox: %w", err)
	}
	defer Remove(own)
	home := spec.Home
	if home == "" {
		home = filepath.Join(own, "home")
		err = os.Mkdir(home, 0o700)
	}
	if spec.Env["TMPDIR"] == "/tmp" {
		spec.Env["TMPDIR"] = filepath.Join(own, "tmp")
		err = errors.Join(err, os.Mkdir(spec.Env["TMPDIR"], 0o700))
	}
	if err != nil {
		return Result{}, fleet.Errorf(fleet.CodeSandbox, "sandbox: %w", err)
	}
	door := ""
	if spec.Door != "" {
		d, err := listenDoor(spec.Door)
		if err != nil {
			return Result{}, err
		}
		defer d.close()
		door = d.address()
	}
	spec = translated(spec, home, door)
	dir, err := os.Stat(spec.Dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !dir.IsDir() {
		return Result{}, fleet.Errorf(fleet.CodeNotFound, "sandbox: the folder %s is not there", spec.Dir)
	}
	out := newOutput(spec.Limits.Output)
	c, err := n.start(spec, out)
	if err != nil {
		out.finish()
		return Result{}, fleet.Errorf(fleet.CodeSandbox, "sandbox: %w", err)
	}
	return supervise(ctx, c, out, spec.Limits.Wall)
}

// plain is a command in a process group.
type plain struct {
	cmd   *exec.Cmd
	err   error // why it did not start
	bound *bound
	end   outcome
}

func (n *none) start(spec Spec, out *output) (*plain, error) {
	env := make([]string, 0, len(spec.Env))
	for name, value := range spec.Env {
		env = append(env, name+"="+value)
	}
	program := spec.Argv[0]
	if !strings.Contains(program, "/") {
		program = lookPath(program, spec.Env["PATH"], spec.Dir)
	}
	p := &plain{cmd: &exec.Cmd{
		Path: program, Args: spec.Argv, Env: env, Dir: spec.Dir, SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}}
	stdin, err := input(spec.Stdin)
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	stdout, err := out.pipe(spec.Stdout)
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	stderr := stdout
	if !same(spec.Stdout, spec.Stderr) {
		if stderr, err = out.pipe(spec.Stderr); err != nil {
			return nil, err
		}
		defer stderr.Close()
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, stdout, stderr
	if p.bound, err = n.bounds.begin(spec); err != nil {
		return nil, err
	}
	p.err = fs.ErrNotExist
	if program != "" {
		p.err = p.bound.start(p.cmd)
	}
	if p.err != nil { // like a shell, a program that cannot be started is an exit code and a line on stderr
		stderr.WriteString("gaggle: " + spec.Argv[0] + ": " + p.err.Error() + "\n")
	}
	return p, nil
}

func (p *plain) kill() {
	if p.err == nil {
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		p.bound.kill()
	}
}

func (p *plain) wait() error {
	var err error
	p.end.exit, err = p.exit()
	p.kill()
	p.end.over, p.end.cpu, p.end.peak = p.bound.end()
	if p.end.cpu == 0 && p.cmd.ProcessState != nil {
		p.end.cpu = p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	}
	return err
}

func (p *plain) exit() (int, error) {
	if p.err != nil {
		if errors.Is(p.err, fs.ErrNotExist) {
			return 127, nil
		}
		return 126, nil
	}
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, fleet.Errorf(fleet.CodeSandbox, "sandbox: %w", err)
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return p.cmd.ProcessState.ExitCode(), nil
}

func (p *plain) breach() <-chan fleet.Code { return p.bound.breach() }

func (p *plain) outcome() (outcome, error) { return p.end, nil }

// lookPath finds a program on a PATH that is not this process's; "" when it is not there.
func lookPath(name, searchPath, dir string) string {
	for _, d := range filepath.SplitList(searchPath) {
		if !filepath.IsAbs(d) {
			d = filepath.Join(dir, d)
		}
		p := filepath.Join(d, name)
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return p
		}
	}
	return ""
}
