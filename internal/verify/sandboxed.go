package verify

import (
	"bytes"
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

// InSandbox runs commands in a sandbox, one sandbox a command, over the work tree that Spec.Work names.
type InSandbox struct {
	Sandbox sandbox.Sandbox
	Spec    sandbox.Spec // what all commands share: work tree, mounts, door, limits, environment
}

// chatter is how much a verifier may print before it is taken for broken. Only keepHead and keepTail of it are held in memory.
const chatter = 512 << 20

// onPath starts a command with folders before its PATH, whose inner value only the sandbox knows.
const onPath = `PATH="$1:$PATH"; export PATH; shift; exec "$@"`

// Exec implements the interface Exec.
func (b InSandbox) Exec(ctx context.Context, c Command) (Output, error) {
	spec := b.Spec
	spec.Argv = c.Argv
	if len(c.Path) > 0 {
		var first []string
		for _, p := range c.Path {
			first = append(first, path.Join(sandbox.WorkDir, p))
		}
		spec.Argv = slices.Concat([]string{"sh", "-c", onPath, "sh", strings.Join(first, ":")}, c.Argv)
	}
	spec.Dir = path.Join(sandbox.WorkDir, clean(c.Dir))
	spec.Env = Environment()
	maps.Copy(spec.Env, b.Spec.Env)
	maps.Copy(spec.Env, c.Env)
	if wall := cmpOr(c.Timeout, DefaultTimeout); spec.Limits.Wall == 0 || wall < spec.Limits.Wall {
		spec.Limits.Wall = wall
	}
	spec.Limits.Output = max(spec.Limits.Output, chatter)
	var kept capture
	spec.Stdout, spec.Stderr = &kept, &kept
	started := time.Now()
	res, err := b.Sandbox.Run(ctx, spec)
	out := Output{Exit: res.ExitCode, Ended: res.Ended, Root: sandbox.WorkDir, Wall: time.Since(started)}
	if err != nil {
		if ctx.Err() != nil {
			return out, fleet.Errorf(fleet.CodeInterrupted, "verification was stopped: %w", ctx.Err())
		}
		if fleet.CodeOf(err) == fleet.CodeNotFound { // the change may have removed the folder: that is the change's failure
			out.Exit, out.Text = 1, []byte("error: the folder "+clean(c.Dir)+" is not there\n")
			return out, nil
		}
		return out, err
	}
	out.Text, out.Cut = kept.text()
	// bubblewrap itself says when there is no such program, unless the sandbox looked before.
	out.Missing = out.Exit == 127 && kept.total == 0 || bytes.HasPrefix(out.Text, []byte("bwrap: execvp "+spec.Argv[0]+": "))
	return out, nil
}
