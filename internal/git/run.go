package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// hardening stands on every command line. What a repository's or a person's configuration could make git
// execute or believe is set here, where it beats every file.
var hardening = []string{
	"-c", "core.hooksPath=/dev/null",
	"-c", "core.fsmonitor=false",
	"-c", "core.untrackedCache=false",
	"-c", "core.splitIndex=false",
	"-c", "core.attributesFile=/dev/null",
	"-c", "core.excludesFile=/dev/null",
	"-c", "core.autocrlf=false",
	"-c", "core.safecrlf=false",
	"-c", "core.protectHFS=true",
	"-c", "core.protectNTFS=true",
	"-c", "core.alternateRefsCommand=true",
	"-c", "core.bigFileThreshold=16m", // larger ones are streamed, not held in memory
	"-c", "submodule.recurse=false",
	"-c", "diff.ignoreSubmodules=all",
	"-c", "protocol.ext.allow=never",
	"-c", "gc.auto=0",
	"-c", "maintenance.auto=false",
	"-c", "safe.bareRepository=explicit",
	"-c", "commit.gpgSign=false",
	"-c", "push.gpgSign=false",
	"-c", "advice.detachedHead=false",
}

// environment is all that a git process is given; LC_ALL makes its messages readable for classify.
func (s *Store) environment() []string {
	return []string{
		"PATH=" + s.path, "HOME=/nonexistent", "LC_ALL=C", "TZ=UTC",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1",
		"GIT_LITERAL_PATHSPECS=1", "GIT_ADVICE=0",
	}
}

// command is one git process.
type command struct {
	gitDir   string      // --git-dir; "" for none
	work     string      // --work-tree; "" for none
	env      []string    // added to environment
	settings [][2]string // configuration handed over in the environment, where no process list shows it
	args     []string    // subcommand first
	stdin    io.Reader
	stdout   io.Writer // nil collects it
	secret   []byte    // readable by the process as file descriptor 3, once
	limit    int64     // bytes of collected output; defaults to 16 MiB
	service  string    // git's other half, upload-pack or receive-pack, when the command talks to a remote
	whole    bool      // once started it must end by itself, also when Gaggle is killed meanwhile
	asPerson bool      // with the environment given and the person's own configuration; for questions about that alone
}

const (
	stderrKept = 16 << 10
	killDelay  = 3 * time.Second
)

// prepare builds the process. The caller starts it, waits for it and passes its end to finish.
func (s *Store) prepare(ctx context.Context, c command) (*exec.Cmd, *tail) {
	var args []string
	if !c.asPerson {
		args = append(args, hardening...)
	}
	if c.gitDir != "" {
		args = append(args, "--git-dir="+c.gitDir)
	}
	if c.work != "" {
		args = append(args, "--work-tree="+c.work)
	}
	cmd := exec.CommandContext(ctx, s.program, append(args, c.args...)...)
	cmd.Env = append(s.environment(), c.env...)
	if c.asPerson {
		cmd.Env = append([]string{"PATH=" + s.path, "LC_ALL=C"}, c.env...)
	}
	if len(c.settings) > 0 {
		cmd.Env = append(cmd.Env, "GIT_CONFIG_COUNT="+strconv.Itoa(len(c.settings)))
		for i, kv := range c.settings {
			n := strconv.Itoa(i)
			cmd.Env = append(cmd.Env, "GIT_CONFIG_KEY_"+n+"="+kv[0], "GIT_CONFIG_VALUE_"+n+"="+kv[1])
		}
	}
	cmd.Dir = "/"
	if c.work != "" {
		cmd.Dir = c.work
	}
	cmd.Stdin = c.stdin
	stderr := &tail{max: stderrKept}
	cmd.Stderr = stderr
	ownGroup(cmd, !c.whole)
	if c.secret == nil {
		cmd.ExtraFiles = locksOf(ctx)
	}
	// SIGTERM lets git remove its lock files; what ignores it is killed after the delay, and then its children.
	cmd.Cancel = func() error { return signalGroup(cmd, false) }
	cmd.WaitDelay = killDelay
	return cmd, stderr
}

// run runs one command to its end.
func (s *Store) run(ctx context.Context, c command) error {
	cmd, stderr := s.prepare(ctx, c)
	cmd.Stdout = c.stdout
	var err error
	if c.secret == nil {
		if err = s.starter.start(cmd); err == nil {
			err = cmd.Wait()
		}
	} else {
		err = s.runWithSecret(cmd, c.secret, locksOf(ctx))
	}
	return s.finish(ctx, cmd, stderr, subcommand(c.args), err)
}

// subcommand is the word after git's own options.
func subcommand(args []string) string {
	for i := 0; i < len(args); i++ {
		if args[i] == "-c" {
			i++
		} else if !strings.HasPrefix(args[i], "-") {
			return args[i]
		}
	}
	return ""
}

// output runs one command and returns what it printed.
func (s *Store) output(ctx context.Context, c command) ([]byte, error) {
	out := &limited{max: or(c.limit, 16<<20)}
	c.stdout = out
	err := s.run(ctx, c)
	if out.over {
		err = errTooMuch
	}
	return out.buf.Bytes(), err
}

var errTooMuch = errors.New("git printed more than the limit")

// line runs one command and returns its output without the last newline.
func (s *Store) line(ctx context.Context, c command) (string, error) {
	out, err := s.output(ctx, c)
	return strings.TrimRight(string(out), "\n"), err
}

func (s *Store) finish(ctx context.Context, cmd *exec.Cmd, stderr *tail, sub string, err error) error {
	if ctx.Err() != nil {
		_ = signalGroup(cmd, true)
		return fmt.Errorf("git %s: %w", sub, context.Cause(ctx))
	}
	if err == nil {
		return nil
	}
	exit := -1
	var ee *exec.ExitError
	if errors.As(err, &ee) {
		exit = ee.ExitCode()
	}
	return &failure{sub: sub, exit: exit, stderr: clean(stderr.String()), err: err}
}

func (s *Store) runWithSecret(cmd *exec.Cmd, secret []byte, locks []*os.File) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd.ExtraFiles = append([]*os.File{r}, locks...)
	if err := s.starter.start(cmd); err != nil {
		w.Close()
		return err
	}
	// A credential is far smaller than a pipe's buffer, so this cannot block on a process that never reads.
	_, werr := w.Write(secret)
	w.Close()
	if err := cmd.Wait(); err != nil {
		return err
	}
	if werr != nil && !errors.Is(werr, os.ErrClosed) {
		return werr
	}
	return nil
}

// tail keeps the last max bytes written to it.
type tail struct {
	max int
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*t.max {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-t.max:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	if len(t.buf) > t.max {
		return string(t.buf[len(t.buf)-t.max:])
	}
	return string(t.buf)
}

// limited collects at most max bytes; the write past them fails, which ends the process by SIGPIPE.
type limited struct {
	max  int64
	buf  bytes.Buffer
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	if int64(l.buf.Len()+len(p)) > l.max {
		l.over = true
		return 0, errTooMuch
	}
	return l.buf.Write(p)
}
