package demo

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strings"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

// machine is what the demo finds out about the machine and may do to it; tests stand in for it.
type machine struct {
	root    bool
	find    func(program string) error
	install []string // the command that installs bubblewrap; nil when none is known
	run     func(ctx context.Context, argv ...string) error
	try     func(ctx context.Context) error // makes a sandbox, or says why not
}

// thisMachine is the real one. What package managers print goes to log.
func thisMachine(dir string, log io.Writer) machine {
	return machine{
		root:    os.Geteuid() == 0,
		install: sandbox.InstallCommand(),
		find: func(program string) error {
			_, err := exec.LookPath(program)
			return err
		},
		run: func(ctx context.Context, argv ...string) error {
			cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
			cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
			cmd.Stdout, cmd.Stderr = log, log
			cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // a package manager that is killed leaves locks
			return cmd.Run()
		},
		try: func(ctx context.Context) error {
			_, err := sandbox.New(ctx, sandbox.Config{Dir: dir})
			return err
		},
	}
}

// prepare makes sure that the sandbox works, and installs what it needs where it may. There is no way on without one.
func (m machine) prepare(ctx context.Context, say *teller) error {
	if m.find("go") != nil {
		return &fleet.Error{Code: fleet.CodeNotReady, Message: "the go program is missing: the fleet's builds and tests need it", Hint: "install Go 1.21 or newer and put it on PATH"}
	}
	if m.find("bwrap") != nil && len(m.install) > 0 {
		if err := m.installSandbox(ctx, say); err != nil {
			return err
		}
	}
	return m.try(ctx)
}

func (m machine) installSandbox(ctx context.Context, say *teller) error {
	command := strings.Join(m.install, " ")
	if !m.root {
		return &fleet.Error{Code: fleet.CodeNotReady, Message: "bubblewrap is missing, and only root may install it; the demo does not run without a sandbox",
			Hint: "run: sudo " + command + "; then start the demo again"}
	}
	say.step("bubblewrap, the sandbox's program, is missing and is installed now")
	say.command(m.install)
	err := m.run(ctx, m.install...)
	if err != nil && m.install[0] == "apt-get" && ctx.Err() == nil { // a fresh machine has no list of packages yet
		say.command([]string{"apt-get", "update"})
		if err = m.run(ctx, "apt-get", "update"); err == nil {
			err = m.run(ctx, m.install...)
		}
	}
	if err == nil {
		err = m.find("bwrap")
	}
	if err != nil {
		return &fleet.Error{Code: fleet.CodeNotReady, Message: "bubblewrap could not be installed; the demo does not run without a sandbox",
			Hint: "run: " + command, Err: err}
	}
	return nil
}

// shell writes a command as a person types it.
func shell(argv []string) string { return agent.Shell(argv) }
