package attempt

import (
	"bytes"
	"context"
	"maps"
	"path"

	"gaggle/internal/sandbox"
	"gaggle/internal/verify"
)

// boxed runs verifiers' commands in a sandbox over one work tree.
type boxed struct {
	sandbox sandbox.Sandbox
	spec    sandbox.Spec
}

// Exec implements verify.Exec.
func (b boxed) Exec(ctx context.Context, c verify.Command) (verify.Output, error) {
	spec := b.spec
	spec.Argv, spec.Dir = c.Argv, path.Join(sandbox.WorkDir, c.Dir)
	spec.Env = maps.Clone(b.spec.Env)
	if spec.Env == nil {
		spec.Env = map[string]string{}
	}
	maps.Copy(spec.Env, c.Env)
	var out bytes.Buffer
	spec.Stdout, spec.Stderr = &out, &out
	spec.Limits.Wall = c.Timeout
	res, err := b.sandbox.Run(ctx, spec)
	return verify.Output{Exit: res.ExitCode, Ended: res.Ended, Missing: res.ExitCode == 127 && out.Len() == 0, Text: out.Bytes(), Root: sandbox.WorkDir, Wall: res.Wall}, err
}
