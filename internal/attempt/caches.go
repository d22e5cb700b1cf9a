package attempt

import (
	"context"
	"errors"
	"io"
	"maps"
	"path"
	"path/filepath"
	"slices"

	"gaggle/internal/fleet"
	"gaggle/internal/gateway"
	"gaggle/internal/sandbox"
	"gaggle/internal/verify"
)

// warm fills the toolchains' caches with what the verifiers of an unchanged tree need. Steps that run no repository code
// fill the shared caches, the others the repository's own. What cannot be fetched, the verifiers say in their own words.
func (r *Runner) warm(ctx context.Context, work, repository, folder string, verifiers []verify.Verifier, limits sandbox.Limits) error {
	shared, err := r.cfg.Caches.WarmUp()
	if err != nil {
		return err
	}
	private, err := r.cfg.Caches.Base(repository)
	if err != nil {
		return err
	}
	spec := sandbox.Spec{Work: work, Limits: limits, Stdout: io.Discard, Stderr: io.Discard}
	steps := verify.WarmSteps(verifiers)
	if hosts := r.hosts(ctx, slices.ContainsFunc(steps, func(s verify.Step) bool { return !s.Local })); r.cfg.Gateway != nil && len(hosts) > 0 {
		spec.Door = filepath.Join(folder, "registries.sock")
		session, err := r.cfg.Gateway.Open(ctx, gateway.SessionConfig{Socket: spec.Door, Meter: noMoney{}, Egress: hosts, Private: hosts}) // a registry that this machine is set up with may be in its own network
		if err != nil {
			return err
		}
		defer session.Close()
	}
	run := func(access sandbox.Access, step verify.Step) error {
		s := spec
		s.Argv, s.Dir, s.Env = step.Argv, path.Join(sandbox.WorkDir, step.Dir), step.Env
		access.Give(&s)
		throughDoor(&s)
		_, err := r.cfg.Sandbox.Run(ctx, s)
		if fleet.CodeOf(err) == fleet.CodeNotFound {
			return nil // the folder of the step is not there
		}
		return err
	}
	for _, step := range steps {
		if spec.Door == "" && !step.Local {
			continue
		}
		access := shared
		if step.Executes {
			access = private
		}
		if err := run(access, step); err != nil {
			return err
		}
	}
	return nil
}

// hosts asks for the registries when they are needed.
func (r *Runner) hosts(ctx context.Context, needed bool) []string {
	if needed && r.cfg.Registries != nil {
		r.askRegistries.Do(func() { r.registries = r.cfg.Registries(ctx) })
	}
	return r.registries
}

// throughDoor tells programs that their way to the network is the door, in both spellings: curl reads the lower case.
func throughDoor(spec *sandbox.Spec) {
	if spec.Door == "" {
		return
	}
	env := map[string]string{}
	for _, name := range []string{"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"} {
		env[name] = sandbox.DoorURL
	}
	env["no_proxy"], env["NO_PROXY"] = "127.0.0.1,localhost", "127.0.0.1,localhost"
	maps.Copy(env, spec.Env)
	spec.Env = env
}

// noMoney is the meter of a session in which no model may be asked.
type noMoney struct{}

// Before implements gateway.Meter.
func (noMoney) Before(context.Context, gateway.Ask) (gateway.Hold, error) {
	return nil, &fleet.Error{Code: fleet.CodeBudget, Message: "no model may be asked here"}
}

// VerifyTree runs verifiers on a folder that is the sandbox's to keep, outside of any campaign. folder is for the
// runner's own files.
func (r *Runner) VerifyTree(ctx context.Context, tree, folder string, verifiers []verify.Verifier) (fleet.Report, error) {
	repository := "by hand " + tree
	report, err := func() (fleet.Report, error) {
		if err := r.warm(ctx, tree, repository, folder, verifiers, r.cfg.Limits); err != nil {
			return fleet.Report{}, err
		}
		access, err := r.cfg.Caches.Base(repository)
		if err != nil {
			return fleet.Report{}, err
		}
		spec := sandbox.Spec{Work: tree, Limits: r.cfg.Limits}
		access.Give(&spec)
		return verify.Run(ctx, r.exec(spec), verifiers)
	}()
	return report, errors.Join(err, r.cfg.Caches.Forget(repository))
}
