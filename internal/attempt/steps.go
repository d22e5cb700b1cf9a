package attempt

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
	"gaggle/internal/gateway"
	"gaggle/internal/git"
	"gaggle/internal/sandbox"
	"gaggle/internal/spec"
	"gaggle/internal/verify"
)

// path is a place in the attempt's own folder.
func (j *job) path(name string) string { return filepath.Join(j.dir, name) }

// Where things of an attempt appear inside the sandbox, beside sandbox.WorkDir and sandbox.HomeDir.
const planInside = "/srv/plan.json"

// openDoor opens the gateway for this attempt when something in it needs a model or a host. key names everything that the
// attempt depends on.
func (j *job) openDoor(ctx context.Context, key string) error {
	asks := j.c.Change.Agent != spec.AgentScript && j.c.Change.Agent != spec.AgentRevert
	if !asks && j.c.Judge.Mode == spec.JudgeOff && len(j.c.Change.Egress) == 0 {
		return nil
	}
	if j.r.cfg.Gateway == nil {
		return &fleet.Error{Code: fleet.CodeNotReady, Message: "this needs a model, and none is set up", Hint: "set ANTHROPIC_API_KEY or OPENAI_API_KEY, or name a local endpoint; gaggle doctor says what it sees"}
	}
	s, err := j.r.cfg.Gateway.Open(ctx, gateway.SessionConfig{Socket: j.path("door.sock"), Meter: j.usage, Transcript: &j.script, Models: j.models(), Egress: j.c.Change.Egress, Replies: j.o.Replies, Scope: key})
	j.session = s
	return err
}

// models lists what the attempt may ask for, so that what it costs is what the campaign says. Empty, for any, where the
// names are not known beforehand: Claude Code takes names that only it can resolve.
func (j *job) models() []string {
	var all []string
	if j.c.Change.Agent != spec.AgentScript && j.c.Change.Agent != spec.AgentRevert {
		m := j.r.model(j.c)
		if m == "" || j.c.Change.Agent == spec.AgentClaude {
			return nil
		}
		all = append(all, m)
	}
	if j.c.Judge.Mode != spec.JudgeOff {
		m := cmp.Or(j.c.Judge.Model, j.r.cfg.JudgeModel)
		if m == "" {
			return nil
		}
		all = append(all, m)
	}
	return all
}

func (j *job) door(needed bool) string {
	if j.session == nil || !needed {
		return ""
	}
	return j.path("door.sock")
}

// plan finds the verifiers by the base's tree, and for agents that verify their own work runs them on the base first.
func (j *job) plan(ctx context.Context, co *git.Checkout) (err error) {
	if j.blobs, err = j.r.cfg.Git.Blobs(ctx, j.o.Repository); err != nil {
		return err
	}
	context.AfterFunc(ctx, j.blobs.Close)
	settings := verify.Settings{Auto: j.c.Verify.Auto, Campaign: j.c.Verify.Run, Timeout: j.c.Verify.Timeout, Offline: true}
	if j.o.RepositoryConfig != "" {
		cfg, err := spec.ParseRepository(spec.RepoFile, []byte(j.o.RepositoryConfig))
		if err == nil { // a broken one was reported by the sync; it adds nothing
			own := cfg.For(j.o.Component.Path).Verify
			settings.Repository, settings.Auto = own.Run, settings.Auto && !own.Manual
		}
	}
	root, err := os.OpenRoot(co.Tree)
	if err != nil {
		return diskError(err)
	}
	defer root.Close()
	j.verifiers = verify.For(root.FS(), j.o.Component.Path, settings)
	if err := co.Exclude(verify.ScratchPatterns(j.verifiers)); err != nil {
		return err
	}
	if j.c.Change.Agent == spec.AgentScript || j.c.Change.Agent == spec.AgentRevert {
		return nil // the base is verified once it is known that there is a change
	}
	if err := j.verifyBase(ctx); err != nil {
		return err
	}
	f, err := os.Create(j.path("plan.json"))
	if err != nil {
		return diskError(err)
	}
	return errors.Join(verify.Plan{Version: 1, Verifiers: j.verifiers, Base: j.before}.Write(f), f.Close())
}

// runAgent runs the agent for one round.
func (j *job) runAgent(ctx context.Context, co *git.Checkout, n int, session, feedback string) (agent.Result, error) {
	home := j.path("home")
	for _, dir := range []string{home, j.path("scratch")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return agent.Result{}, diskError(err)
		}
	}
	asks := j.c.Change.Agent != spec.AgentScript && j.c.Change.Agent != spec.AgentRevert
	box := agent.Box{Sandbox: j.r.cfg.Sandbox, Log: &j.log, Scratch: j.path("scratch"), Spec: sandbox.Spec{
		Work:   co.Tree,
		Home:   home,
		Dir:    path.Join(sandbox.WorkDir, j.o.Component.Path),
		Door:   j.door(asks || len(j.c.Change.Egress) > 0),
		Mounts: []sandbox.Mount{{Host: co.Objects(), Inside: git.AgentObjects}},
		Limits: j.limits(),
	}}
	task := agent.Task{
		Campaign: j.c.Metadata.Name, Target: j.o.Target.Component, Prompt: j.c.Change.Prompt, Component: j.o.Component,
		Dir: box.Spec.Dir, Feedback: feedback, Round: n, Session: session, Turns: j.c.Limits.Turns, Model: j.r.model(j.c),
		Script: agent.Script{Name: j.c.Change.Script.Path, Content: j.c.Change.Script.Content}, Paths: j.c.Change.Paths, Env: j.c.Change.Env,
	}
	if asks && len(j.verifiers) > 0 && len(j.r.cfg.VerifyCommand) > 0 {
		box.Spec.Mounts = append(box.Spec.Mounts, sandbox.Mount{Host: j.path("plan.json"), Inside: planInside})
		task.Verify = append(append([]string{}, j.r.cfg.VerifyCommand...), planInside)
	}
	access, err := j.r.cfg.Caches.Attempt(j.o.Repository.Name)
	if err != nil {
		return agent.Result{}, err
	}
	access.Give(&box.Spec)
	if len(j.c.Change.Egress) > 0 {
		throughDoor(&box.Spec)
	}
	return j.agent.Run(ctx, box, task)
}

func (j *job) limits() sandbox.Limits {
	l := sandbox.Limits{Memory: j.c.Limits.Memory, Wall: j.c.Limits.Wall}
	return l.Or(j.r.cfg.Limits)
}

// verify runs the verifiers on the result, in a checkout that holds the base and the diff and nothing else that the agent left.
func (j *job) verify(ctx context.Context, diff []byte) (fleet.Report, error) {
	if len(j.verifiers) == 0 {
		return fleet.Report{Checks: []fleet.Check{}}, nil
	}
	if err := j.verifyBase(ctx); err != nil {
		return fleet.Report{}, err
	}
	return j.inCheckout(ctx, "verify", diff, func(box sandbox.Spec) (fleet.Report, error) {
		return verify.After(ctx, j.r.exec(box), j.verifiers, *j.before, true)
	})
}

// verifyBase finds out what failed before the change. The answer depends on the tree and the verifiers alone, so it is
// remembered; attempts that need the same answer at once wait for one of them.
func (j *job) verifyBase(ctx context.Context) error {
	if j.before != nil {
		return nil
	}
	if len(j.verifiers) == 0 {
		j.before = &fleet.Report{}
		return nil
	}
	sum := sha256.Sum256([]byte(j.base.Tree + "\n" + verify.Hash(j.verifiers)))
	key := "base/" + hex.EncodeToString(sum[:])
	lock := j.r.lockBase(key)
	lock.Lock()
	defer lock.Unlock()
	if text, ok, err := j.o.Memory.Recall(ctx, key); err != nil {
		return err
	} else if ok {
		var report fleet.Report
		if json.Unmarshal([]byte(text), &report) == nil {
			j.before = &report
			return nil
		}
	}
	report, err := j.inCheckout(ctx, "base", nil, func(box sandbox.Spec) (fleet.Report, error) {
		if err := j.r.warm(ctx, box.Work, j.o.Repository.Name, j.dir, j.verifiers, j.limits()); err != nil {
			return fleet.Report{}, err
		}
		return verify.Run(ctx, j.r.exec(box), j.verifiers)
	})
	if err != nil {
		return err
	}
	j.before = &report
	data, err := json.Marshal(report)
	if err != nil || len(report.Missing()) > 0 { // a toolchain may be installed by the next run
		return err
	}
	return j.o.Memory.Remember(ctx, key, string(data))
}

func (r *Runner) lockBase(key string) *sync.Mutex {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bases[key] == nil {
		r.bases[key] = &sync.Mutex{}
	}
	return r.bases[key]
}

// inCheckout runs do with a sandbox over a fresh checkout of the base, with the diff applied.
func (j *job) inCheckout(ctx context.Context, name string, diff []byte, do func(sandbox.Spec) (fleet.Report, error)) (fleet.Report, error) {
	co, err := j.r.cfg.Git.Checkout(ctx, j.o.Repository, j.base.Commit, j.path(name))
	if err != nil {
		return fleet.Report{}, err
	}
	defer co.Close()
	if len(diff) > 0 {
		if err := co.ApplyDiff(ctx, diff); err != nil {
			return fleet.Report{}, err
		}
	}
	box := sandbox.Spec{
		Work:   co.Tree,
		Env:    maps.Clone(j.c.Change.Env),
		Mounts: []sandbox.Mount{{Host: co.Objects(), Inside: git.AgentObjects}},
		Door:   j.door(len(j.c.Change.Egress) > 0),
		Limits: j.limits(),
	}
	access, err := j.r.cfg.Caches.Attempt(j.o.Repository.Name)
	if len(diff) == 0 {
		access, err = j.r.cfg.Caches.Base(j.o.Repository.Name)
	}
	if err != nil {
		return fleet.Report{}, err
	}
	access.Give(&box)
	throughDoor(&box)
	return do(box)
}

// exec runs verifiers' commands in a sandbox.
func (r *Runner) exec(box sandbox.Spec) verify.Exec {
	return discreet{verify.InSandbox{Sandbox: r.cfg.Sandbox, Spec: box}, r}
}

func diskError(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return &fleet.Error{Code: fleet.CodeDiskFull, Message: "the data folder's disk is full", Hint: "free some space, then run again", Err: err}
	}
	return &fleet.Error{Code: fleet.CodeInternal, Message: "the data folder cannot be written", Err: err}
}
