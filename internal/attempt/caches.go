package attempt

import (
	"context"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
	"gaggle/internal/verify"
)

// The toolchains' caches are shared by all attempts, so nothing that runs code of a repository may write them: they are shown
// read-only, and filled only by warm-up runs, which download and compile and execute nothing of what they download. Go
// promises that of its build (its security policy counts anything else as a vulnerability), and "go test -exec true" compiles
// and links tests without running them.

// cacheDirs are the caches by the variable that points a tool at each.
var cacheDirs = []struct{ variable, dir string }{
	{"GOCACHE", "go/build"},
	{"GOMODCACHE", "go/mod"},
}

// addCaches shows the caches to a sandbox.
func (r *Runner) addCaches(spec *sandbox.Spec, writable bool) error {
	spec.Mounts = slices.DeleteFunc(slices.Clone(spec.Mounts), func(m sandbox.Mount) bool { return strings.HasPrefix(m.Inside, sandbox.CacheDir+"/") })
	spec.Env = maps.Clone(spec.Env)
	if spec.Env == nil {
		spec.Env = map[string]string{}
	}
	for _, c := range cacheDirs {
		host := filepath.Join(r.cfg.CacheDir, c.dir)
		if err := os.MkdirAll(host, 0o700); err != nil {
			return diskError(err)
		}
		inside := path.Join(sandbox.CacheDir, c.dir)
		spec.Mounts = append(spec.Mounts, sandbox.Mount{Host: host, Inside: inside, Writable: writable})
		spec.Env[c.variable] = inside
	}
	spec.Env["GOTOOLCHAIN"] = "local"
	if spec.Door == "" {
		spec.Env["GOPROXY"] = "off"
	}
	return nil
}

// warm fills the caches with what the verifiers of a tree need. What it cannot do, the verifiers say.
func (r *Runner) warm(ctx context.Context, spec sandbox.Spec, verifiers []verify.Verifier) error {
	spec.Stdout, spec.Stderr = io.Discard, io.Discard
	if err := r.addCaches(&spec, true); err != nil {
		return err
	}
	for _, v := range verifiers {
		if v.Tool != "go" || v.Kind != verify.Test {
			continue
		}
		spec.Dir = path.Join(sandbox.WorkDir, v.Dir)
		for _, argv := range [][]string{{"go", "vet", "./..."}, {"go", "build", "./..."}, {"go", "test", "-exec", "true", "./..."}} {
			spec.Argv = argv
			if _, err := r.cfg.Sandbox.Run(ctx, spec); err != nil {
				return err
			}
		}
	}
	return nil
}

// VerifyTree runs verifiers on a folder that is the sandbox's to keep, outside of any campaign.
func (r *Runner) VerifyTree(ctx context.Context, tree string, verifiers []verify.Verifier) (fleet.Report, error) {
	spec := sandbox.Spec{Work: tree, Limits: r.cfg.Limits}
	if err := r.warm(ctx, spec, verifiers); err != nil {
		return fleet.Report{}, err
	}
	if err := r.addCaches(&spec, false); err != nil {
		return fleet.Report{}, err
	}
	return verify.Run(ctx, boxed{r.cfg.Sandbox, spec}, verifiers)
}
