package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"gaggle/internal/fleet"
)

// New makes the sandbox that cfg asks for, or says with CodeNotReady and a hint what this machine lacks for it. It
// tries the sandbox out, and it removes what runs of killed processes left behind.
func New(ctx context.Context, cfg Config) (Sandbox, error) {
	switch cfg.Kind {
	case None:
		return newNone(cfg), nil
	case "", Bubblewrap:
		b, err := newBwrap(ctx, cfg)
		if err != nil {
			return nil, err
		}
		if err := b.settle(ctx, cfg.Dir); err != nil {
			return nil, err
		}
		return b, nil
	}
	return nil, fleet.Errorf(fleet.CodeInvalid, "%q is not a kind of sandbox: %s or %s", cfg.Kind, Bubblewrap, None)
}

func newBwrap(ctx context.Context, cfg Config) (*bwrap, error) {
	missing := func(message, hint string, err error) (*bwrap, error) {
		return nil, &fleet.Error{Code: fleet.CodeNotReady, Message: message, Hint: hint, Err: err}
	}
	name := cfg.Program
	if name == "" {
		name = "bwrap"
	}
	program, err := exec.LookPath(name)
	if err != nil {
		hint := "install bubblewrap"
		if argv := InstallCommand(); argv != nil {
			hint = "run: " + strings.Join(argv, " ")
		}
		return missing("bubblewrap is not installed", hint, nil)
	}
	version, err := bwrapVersion(ctx, program)
	if err != nil {
		return missing("bubblewrap does not answer", "run: "+program+" --version", err)
	}
	if version.before(0, 4) {
		return missing("bubblewrap "+version.String()+" is too old", "install bubblewrap 0.4 or newer, better 0.8", nil)
	}
	b := &bwrap{program: program, version: version, limits: cfg.Limits.Or(DefaultLimits())}
	if b.filter, err = filter(); err != nil {
		return missing("there is no system call filter for this machine", "run gaggle on amd64 or arm64", err)
	}
	for _, p := range cfg.ReadOnly {
		if !cleanHost(p) {
			return nil, fleet.Errorf(fleet.CodeInvalid, "sandbox: %q is not an absolute, clean path", p)
		}
	}
	b.layout = findLayout(cfg.ReadOnly)
	b.layout.can = features{userns: !version.before(0, 8), size: !version.before(0, 7), perms: !version.before(0, 5)}
	b.self, _ = os.Executable()
	b.groups = findCgroups()
	if os.Geteuid() == 0 {
		if b.user, err = newUnderstudy(program); err != nil {
			return missing("there is no user to run sandboxed code as", "run gaggle as an ordinary user", err)
		}
	}
	return b, nil
}

// version is bubblewrap's.
type version struct{ major, minor, patch int }

func (v version) before(major, minor int) bool {
	return v.major < major || v.major == major && v.minor < minor
}

func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v.major, v.minor, v.patch) }

func bwrapVersion(ctx context.Context, program string) (version, error) {
	cmd := exec.CommandContext(ctx, program, "--version")
	cmd.Env = []string{}
	out, err := cmd.Output()
	if err != nil {
		return version{}, err
	}
	var v version
	_, text, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	parts := strings.SplitN(text, ".", 3)
	if len(parts) < 2 {
		return version{}, fmt.Errorf("it says %q", out)
	}
	for i, n := range []*int{&v.major, &v.minor, &v.patch}[:len(parts)] {
		digits := parts[i]
		if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
			digits = digits[:end]
		}
		if *n, err = strconv.Atoi(digits); err != nil {
			return version{}, fmt.Errorf("it says %q", out)
		}
	}
	return v, nil
}

// settle finds out how the sandbox works on this machine, if it does.
func (b *bwrap) settle(ctx context.Context, dir string) error {
	b.nested = true
	err := b.try(ctx, dir)
	if err == nil || b.user != nil || ctx.Err() != nil {
		return err
	}
	// There are machines on which bubblewrap may make user namespaces and gaggle may not.
	b.nested = false
	if b.try(ctx, dir) != nil {
		return err
	}
	reap()
	return nil
}

// try runs a program that tells what it sees, and believes nothing else.
func (b *bwrap) try(ctx context.Context, dir string) error {
	refuse := func(hint string, err error) error {
		return &fleet.Error{Code: fleet.CodeNotReady, Message: "the sandbox does not work on this machine", Hint: hint, Err: err}
	}
	work, err := os.MkdirTemp(dir, "gaggle-trial-")
	if err != nil {
		return refuse("give gaggle a folder that it can write to", err)
	}
	defer Remove(work)
	var stdout, stderr bytes.Buffer
	result, err := b.Run(ctx, Spec{
		Argv: []string{"/bin/sh", "-c", "echo > made && cat /proc/self/status /proc/net/dev"}, Work: work,
		Stdout: &stdout, Stderr: &stderr, Limits: Limits{Wall: 30 * time.Second},
	})
	switch {
	case ctx.Err() != nil:
		return err
	case err != nil:
		return refuse(mend(err.Error()), err)
	case result.Ended != "" || result.ExitCode != 0:
		return refuse(mend(stderr.String()), fmt.Errorf("a trial ended with %d %s: %s", result.ExitCode, result.Ended, stderr.String()))
	}
	if err := inspect(stdout.String()); err != nil {
		return refuse("this is a machine that gaggle does not know: report what it is", err)
	}
	if info, err := os.Lstat(work + "/made"); err != nil || ownerOf(info) != os.Geteuid() {
		return refuse("put the data folder on a local file system", errors.Join(errors.New("what is made inside does not belong to this user"), err))
	}
	return nil
}

// inspect reads /proc/self/status and /proc/net/dev of a sandbox.
func inspect(text string) error {
	for name, want := range map[string]string{"CapEff:": "0000000000000000", "CapPrm:": "0000000000000000",
		"CapBnd:": "0000000000000000", "NoNewPrivs:": "1", "Seccomp:": "2"} {
		_, rest, _ := strings.Cut(text, "\n"+name)
		line, _, _ := strings.Cut(rest, "\n")
		if got := strings.TrimSpace(line); got != want {
			return fmt.Errorf("inside, %s is %q and not %s", strings.TrimSuffix(name, ":"), got, want)
		}
	}
	_, devices, ok := strings.Cut(text, "Inter-|")
	if !ok {
		return errors.New("inside, the network devices are not to be seen")
	}
	for line := range strings.Lines(devices) {
		if name, _, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) != "lo" {
			return fmt.Errorf("inside, there is a network device %s", strings.TrimSpace(name))
		}
	}
	return nil
}
