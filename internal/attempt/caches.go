package attempt

import (
	"context"
	"io"
	"os"
	"path"
	"path/filepath"

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
func (j *job) addCaches(spec *sandbox.Spec, writable bool) error {
	if spec.Env == nil {
		spec.Env = map[string]string{}
	}
	for _, c := range cacheDirs {
		host := filepath.Join(j.r.cfg.CacheDir, c.dir)
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

// warm fills the caches with what the base needs. What it cannot do, the verifiers say.
func (j *job) warm(ctx context.Context, work string) error {
	spec := sandbox.Spec{Work: work, Door: j.door(len(j.c.Change.Egress) > 0), Limits: j.limits(), Stdout: io.Discard, Stderr: io.Discard}
	if err := j.addCaches(&spec, true); err != nil {
		return err
	}
	for _, v := range j.verifiers {
		if v.Tool != "go" || v.Kind != verify.Test {
			continue
		}
		spec.Dir = path.Join(sandbox.WorkDir, v.Dir)
		for _, argv := range [][]string{{"go", "vet", "./..."}, {"go", "build", "./..."}, {"go", "test", "-exec", "true", "./..."}} {
			spec.Argv = argv
			if _, err := j.r.cfg.Sandbox.Run(ctx, spec); err != nil {
				return err
			}
		}
	}
	return nil
}
