package verify

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"gaggle/internal/fleet"
)

// Local runs commands with os/exec: for a process that already sits inside a sandbox, for a person's own checkout, and
// for tests. It limits time and kept output, and ends the command's whole process group; the
// other limits are the sandbox's.
type Local struct {
	Root string   // the tree's root, absolute
	Env  []string // "NAME=value"; defaults to os.Environ()
}

// grace is how long a command's leftovers may hold its output open after it ended.
const grace = 2 * time.Second

// Exec implements the interface Exec.
func (l Local) Exec(ctx context.Context, c Command) (Output, error) {
	if len(c.Argv) == 0 {
		return Output{}, fleet.Errorf(fleet.CodeInvalid, "an empty command cannot run")
	}
	if !fs.ValidPath(clean(c.Dir)) {
		return Output{}, fleet.Errorf(fleet.CodeInvalid, "%q is not a folder of the tree", c.Dir)
	}
	if ctx.Err() != nil {
		return Output{}, fleet.Errorf(fleet.CodeInterrupted, "verification was stopped: %w", ctx.Err())
	}
	root, err := filepath.EvalSymlinks(l.Root)
	if err != nil {
		return Output{}, fleet.Errorf(fleet.CodeInternal, "the work tree cannot be read: %w", err)
	}
	dir := filepath.Join(root, filepath.FromSlash(clean(c.Dir)))
	out := Output{Root: root, Exit: -1}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		// The change may have removed the folder: that is the change's failure, not the machine's.
		out.Exit, out.Text = 1, []byte("error: the folder "+clean(c.Dir)+" is not there\n")
		return out, nil
	}
	limited, cancel := context.WithTimeout(ctx, cmpOr(c.Timeout, DefaultTimeout))
	defer cancel()
	env := l.environment(root, c)
	program, err := lookPath(c.Argv[0], dir, env)
	if err != nil {
		out.Missing, out.Exit = true, 127
		out.Text = []byte(c.Argv[0] + ": not found\n")
		return out, nil
	}
	var kept capture
	cmd := exec.CommandContext(limited, program, c.Argv[1:]...)
	cmd.Args[0] = c.Argv[0]
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdout, cmd.Stderr = &kept, &kept
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = grace
	started := time.Now()
	err = cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // leftovers in the background; none is the usual case
	}
	out.Wall = time.Since(started)
	out.Text, out.Cut = kept.text()
	switch {
	case ctx.Err() != nil:
		return out, fleet.Errorf(fleet.CodeInterrupted, "verification was stopped: %w", ctx.Err())
	case limited.Err() != nil:
		out.Ended = fleet.CodeTimeout
	case cmd.ProcessState == nil:
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOEXEC) || errors.Is(err, fs.ErrPermission) {
			out.Missing, out.Exit = true, 127
			return out, nil
		}
		return out, fleet.Errorf(fleet.CodeInternal, "%s cannot be started: %w", c.Argv[0], err)
	}
	out.Exit = exitStatus(cmd.ProcessState)
	return out, nil
}

func exitStatus(state *os.ProcessState) int {
	if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return state.ExitCode()
}

func (l Local) environment(root string, c Command) []string {
	base := l.Env
	if base == nil {
		base = os.Environ()
	}
	vars := map[string]string{}
	for _, kv := range base {
		if k, v, ok := strings.Cut(kv, "="); ok {
			vars[k] = v
		}
	}
	maps.Copy(vars, Environment())
	maps.Copy(vars, c.Env)
	vars["PATH"] = searchPath(root, c.Path, vars["PATH"])
	vars["PWD"] = filepath.Join(root, filepath.FromSlash(clean(c.Dir)))
	env := make([]string, 0, len(vars))
	for _, k := range slices.Sorted(maps.Keys(vars)) {
		env = append(env, k+"="+vars[k])
	}
	return env
}

// searchPath puts folders of the tree before the machine's own.
func searchPath(root string, first []string, rest string) string {
	var dirs []string
	for _, p := range first {
		dirs = append(dirs, filepath.Join(root, filepath.FromSlash(p)))
	}
	if rest != "" {
		dirs = append(dirs, rest)
	}
	return strings.Join(dirs, string(os.PathListSeparator))
}

// lookPath finds a program on the command's own PATH, which exec.LookPath cannot: it reads this process's.
func lookPath(name, dir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, runnable(name)
	}
	for _, kv := range env {
		list, ok := strings.CutPrefix(kv, "PATH=")
		if !ok {
			continue
		}
		for _, folder := range filepath.SplitList(list) {
			if file := filepath.Join(folder, name); filepath.IsAbs(folder) && runnable(file) == nil {
				return file, nil
			}
		}
	}
	return "", fs.ErrNotExist
}

func runnable(file string) error {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return err
	case info.IsDir() || info.Mode()&0o111 == 0:
		return fs.ErrPermission
	}
	return nil
}
