package attempt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
	"gaggle/internal/gateway"
	"gaggle/internal/git"
	"gaggle/internal/judge"
	"gaggle/internal/redact"
	"gaggle/internal/sandbox"
	"gaggle/internal/spec"
	"gaggle/internal/verify"
)

// Config is what a Runner works with.
type Config struct {
	Git     *git.Store
	Sandbox sandbox.Sandbox
	Gateway *gateway.Gateway
	// Agents are the drivers by the name that campaigns use.
	Agents map[string]agent.Agent
	// Judge makes a judge of that model (the campaign's, or "" for the machine's) that asks through the session.
	Judge func(model string, s *gateway.Session) (*judge.Judge, error)
	// Caches are the toolchains' caches.
	Caches sandbox.Caches
	// Registries lists the hosts that package managers may fetch from while the caches are filled; asked once, when
	// there is something to fetch. Defaults to none.
	Registries func(ctx context.Context) []string
	// WorkDir holds one folder an attempt, removed when it ends.
	WorkDir string
	// MaxAge is how old the last look at a repository may be. Defaults to five minutes.
	MaxAge time.Duration
	// Limits bound each sandbox; the campaign's memory and time are stricter or looser.
	Limits sandbox.Limits
	// Model is the agents' model where the campaign names none.
	Model string
	// JudgeModel is the judge's model where the campaign names none. "" when Judge alone knows.
	JudgeModel string
	// VerifyCommand is what an agent runs inside its sandbox to verify its own work; the plan's path is added.
	VerifyCommand []string
	// Redact removes secrets from what is kept.
	Redact *redact.Redactor
}

// Runner makes attempts. It may be used by many goroutines.
type Runner struct {
	cfg      Config
	mu       sync.Mutex
	versions map[string]string // of agents, asked once
	bases    map[string]*sync.Mutex

	askRegistries sync.Once
	registries    []string
}

// New makes a Runner.
func New(cfg Config) *Runner {
	if cfg.MaxAge <= 0 {
		cfg.MaxAge = 5 * time.Minute
	}
	return &Runner{cfg: cfg, versions: map[string]string{}, bases: map[string]*sync.Mutex{}}
}

// job is one attempt under way.
type job struct {
	r         *Runner
	o         Order
	c         *spec.Campaign
	agent     agent.Agent // nil for spec.AgentRevert, where the seed is all
	version   string
	dir       string
	base      git.Head
	blobs     *git.BlobReader
	verifiers []verify.Verifier
	before    *fleet.Report // of the base; nil until it is needed
	session   *gateway.Session
	log       bytes.Buffer
	script    bytes.Buffer // transcript
	last      *fleet.Round
	usage     *counter
}

// Attempt makes one attempt. An error means that the machine is broken or ctx ended; everything else is in the outcome.
func (r *Runner) Attempt(ctx context.Context, o Order) (out Outcome, err error) {
	j := &job{r: r, o: o, c: o.Campaign, usage: &counter{meter: o.Meter}}
	limited, cancel := context.WithTimeout(ctx, j.c.Limits.Wall)
	defer cancel()
	out, err = j.run(limited)
	out.Usage, out.Base, out.AgentVersion = j.usage.total(), j.base, j.version
	out.Records = j.records()
	defer func() {
		if out.State == fleet.Failed && r.cfg.Redact != nil { // only looked at, never applied
			out.Diff = r.cfg.Redact.Bytes(out.Diff)
		}
	}()
	if err == nil {
		return out, nil
	}
	if r.cfg.Redact != nil {
		err = r.cfg.Redact.Error(err)
	}
	if ctx.Err() != nil {
		return out, err
	}
	if limited.Err() != nil {
		slow := fleet.Errorf(fleet.CodeTimeout, "the attempt took longer than %s", j.c.Limits.Wall)
		if j.session != nil && j.session.Trouble() != nil {
			slow.Message += "; before that, " + j.session.Trouble().Error()
		}
		err = slow
	}
	var e *fleet.Error
	if !errors.As(err, &e) {
		return out, err
	}
	out.State, out.Reason, out.Message = fleet.Failed, e.Code, j.r.clean(err.Error())
	return out, nil
}

func (j *job) run(ctx context.Context) (Outcome, error) {
	var err error
	if j.c.Change.Agent != spec.AgentRevert {
		var known bool
		if j.agent, known = j.r.cfg.Agents[j.c.Change.Agent]; !known {
			return Outcome{}, &fleet.Error{Code: fleet.CodeAgentMissing, Message: fmt.Sprintf("there is no agent %q", j.c.Change.Agent)}
		}
		if j.version, err = j.r.version(ctx, j.agent); err != nil {
			return Outcome{}, err
		}
	}
	age := j.r.cfg.MaxAge
	if len(j.o.Seed) > 0 {
		age = 1 // it is about what happened on the base just now
	}
	if j.base, err = j.r.cfg.Git.Refresh(ctx, j.o.Repository, age); err != nil {
		return Outcome{}, err
	}
	if j.o.Base.Commit != "" {
		j.base = j.o.Base
	}
	key := j.key()
	if out, ok, err := j.recall(ctx, key); ok || err != nil {
		return out, err
	}
	j.dir = filepath.Join(j.r.cfg.WorkDir, strconv.FormatInt(j.o.Attempt.ID, 10))
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return Outcome{}, diskError(err)
	}
	defer func() { _ = sandbox.Remove(j.dir) }() // what is left is swept by the next run
	if err := j.openDoor(ctx, key); err != nil {
		return Outcome{}, err
	}
	if j.session != nil {
		defer j.session.Close()
	}
	out, err := j.rounds(ctx)
	if err == nil && (out.State == fleet.Ready || out.State == fleet.Unchanged) {
		out.Memo, out.Last = key, j.last
	}
	return out, err
}

// version asks an agent for its version, once.
func (r *Runner) version(ctx context.Context, a agent.Agent) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.versions[a.Name()]; ok {
		return v, nil
	}
	v, err := a.Version(ctx)
	if err == nil {
		r.versions[a.Name()] = v
	}
	return v, err
}

// key names everything that the result depends on.
func (j *job) key() string {
	data, err := json.Marshal([]any{j.base.Tree, j.o.Component, j.c.ChangeHash(), j.c.Change.Agent, j.version, j.r.model(j.c), j.r.cfg.JudgeModel, j.o.Feedback, j.o.Seed, j.o.Replay, j.o.Reverse})
	if err != nil { // plain data always marshals
		panic(err)
	}
	sum := sha256.Sum256(data)
	return "attempt/" + hex.EncodeToString(sum[:])
}

func (r *Runner) model(c *spec.Campaign) string {
	if c.Change.Model != "" {
		return c.Change.Model
	}
	return r.cfg.Model
}

// recall takes the result of an equal attempt.
func (j *job) recall(ctx context.Context, key string) (Outcome, bool, error) {
	text, ok, err := j.o.Memory.Recall(ctx, key)
	if err != nil || !ok {
		return Outcome{}, false, err
	}
	var m memo
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return Outcome{}, false, nil // written by another version: make the attempt
	}
	out := Outcome{State: m.State, Reason: m.Reason, Message: m.Message, Tree: m.Tree, Stat: m.Stat, Remembered: true, Last: m.Last}
	if m.DiffKey != "" {
		if out.Diff, err = j.o.Memory.Record(ctx, m.DiffKey); err != nil {
			return Outcome{}, false, nil // the record is gone: make the attempt
		}
	}
	return out, true, nil
}

// clean removes secrets from a text that is kept.
func (r *Runner) clean(text string) string {
	if r.cfg.Redact == nil {
		return text
	}
	return r.cfg.Redact.String(text)
}

func (j *job) records() map[string][]byte {
	records := map[string][]byte{}
	if j.log.Len() > 0 {
		records["log"] = []byte(j.r.clean(j.log.String()))
	}
	if j.script.Len() > 0 {
		records["transcript"] = j.script.Bytes() // the gateway removed the secrets
	}
	return records
}
