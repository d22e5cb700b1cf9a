package ops

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// How long a sweep waits for CI, and how often it looks, when nothing else is said.
const (
	SweepTimeout = 30 * time.Minute
	SweepEvery   = 30 * time.Second
)

// SweepInput asks what CI says of a campaign's changes before any pull request is open.
type SweepInput struct {
	File     string        `json:"file"`
	Only     []string      `json:"only,omitempty"`
	Limit    int           `json:"limit,omitempty"`
	Parallel int           `json:"parallel,omitempty"` // attempts at once; 0 for the campaign's, or one a processor
	Timeout  time.Duration `json:"timeout,omitempty"`  // for CI, from when the branches are pushed. Defaults to SweepTimeout
	Every    time.Duration `json:"every,omitempty"`    // between two looks at the checks of a commit, at first. Defaults to SweepEvery
}

// Validate checks the input.
func (in SweepInput) Validate() error {
	if in.Timeout != 0 && in.Timeout < time.Second || in.Every != 0 && in.Every < time.Second {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "--timeout and --every are at least one second"}
	}
	return RunInput{File: in.File, DryRun: true, Only: in.Only, Limit: in.Limit, Parallel: in.Parallel}.Validate()
}

// SweepOutcome is what CI made of one change.
type SweepOutcome string

// The outcomes of a sweep.
const (
	SweepPassed      SweepOutcome = "passed"
	SweepFailed      SweepOutcome = "failed"        // and the base does not fail in the same checks
	SweepBefore      SweepOutcome = "failed_before" // in checks that fail on the base, too
	SweepTimedOut    SweepOutcome = "timed_out"     // checks were still running
	SweepNoChecks    SweepOutcome = "no_checks"     // nothing checked the commit
	SweepNotPushed   SweepOutcome = "not_pushed"
	SweepUnsupported SweepOutcome = "not_supported" // the forge tells no checks, or deletes no branches
	SweepUnknown     SweepOutcome = "unknown"       // the forge did not say
)

// SweepOutcomes lists them in the order in which they are told.
func SweepOutcomes() []SweepOutcome {
	return []SweepOutcome{SweepPassed, SweepFailed, SweepBefore, SweepTimedOut, SweepNoChecks, SweepNotPushed, SweepUnsupported, SweepUnknown}
}

// SweptCheck is one check of a tried commit.
type SweptCheck struct {
	Name  string `json:"name"`
	State string `json:"state"` // pending, passed, failed, failed_before, skipped
	URL   string `json:"url,omitempty"`
}

// SweptTarget is one change that was tried.
type SweptTarget struct {
	Component  string       `json:"component"`
	Repository string       `json:"repository"`
	Branch     string       `json:"branch"`
	Commit     string       `json:"commit,omitempty"`
	Outcome    SweepOutcome `json:"outcome"`
	Code       fleet.Code   `json:"code,omitempty"` // why it could not be tried
	Message    string       `json:"message,omitempty"`
	Checks     []SweptCheck `json:"checks"`
}

// SweepOutput is what CI said.
type SweepOutput struct {
	Campaign string               `json:"campaign"`
	Targets  []SweptTarget        `json:"targets"` // that were ready, by component
	Outcomes map[SweepOutcome]int `json:"outcomes"`
	Causes   []SweepCause         `json:"causes"` // of failures, the most frequent first
	Unlisted int                  `json:"unlisted,omitempty"`
	Left     []SweepBranch        `json:"left"` // branches that are still there
	Status   Status               `json:"status"`
	Waits    []engine.Pause       `json:"waits"`
}

// Failed says whether something went wrong: an attempt, a change on CI, or the sweep itself.
func (out *SweepOutput) Failed() bool {
	for _, o := range []SweepOutcome{SweepFailed, SweepTimedOut, SweepNotPushed, SweepUnsupported, SweepUnknown} {
		if out.Outcomes[o] > 0 {
			return true
		}
	}
	return out.Status.Failed() > 0
}

// Sweep makes a campaign's changes as a dry run does, has the forges' CI build them on short-lived branches without pull requests,
// and says what failed and why. The branches are gone when it returns; what a kill left behind is deleted by the next sweep. When ctx ends, what is
// known by then is returned with the error.
func (o *Ops) Sweep(ctx context.Context, in SweepInput, progress func(store.Event)) (*SweepOutput, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	c, err := ReadCampaign(in.File)
	if err != nil {
		return nil, err
	}
	name := c.Metadata.Name
	if err := o.sweepable(ctx, c, in); err != nil {
		return nil, err
	}
	ran, err := o.Run(ctx, RunInput{File: in.File, DryRun: true, Only: in.Only, Limit: in.Limit, Parallel: in.Parallel}, progress)
	if err != nil {
		return nil, err
	}
	stop, err := o.tail(ctx, []string{name}, progress)
	if err != nil {
		return nil, err
	}
	s := &sweep{o: o, c: c, every: cmp.Or(in.Every, SweepEvery), timeout: cmp.Or(in.Timeout, SweepTimeout), bases: map[string]*baseChecks{}, quiet: map[string]time.Time{}, left: map[string]SweepBranch{}}
	ready, err := o.readyOf(ctx, c, in)
	if err == nil {
		err = s.run(ctx, ready)
	}
	out := s.report()
	out.Campaign, out.Status, out.Waits = name, ran.Status, ran.Waits
	if tailErr := stop(); err == nil {
		err = tailErr
	}
	if ctx.Err() != nil {
		err = &fleet.Error{Code: fleet.CodeInterrupted, Message: "stopped before CI had answered", Hint: "the same command starts again; the changes are not paid twice"}
	}
	return out, err
}

// sweepable refuses a campaign whose pull requests are open, and one for which no forge could tell anything, before anything is paid for.
func (o *Ops) sweepable(ctx context.Context, c *spec.Campaign, in SweepInput) error {
	name := c.Metadata.Name
	if row, err := o.store.Campaign(ctx, name); err == nil && !row.DryRun {
		open, err := o.OpenPulls(ctx, name)
		if err != nil {
			return err
		}
		if open > 0 {
			return &fleet.Error{Code: fleet.CodeConflict, Message: fmt.Sprintf("campaign %q has %d open pull requests, and a sweep comes before them", name, open),
				Hint: "gaggle follow says what CI makes of those; give the file another metadata.name to try another change"}
		}
	} else if err != nil && fleet.CodeOf(err) != fleet.CodeNotFound {
		return err
	}
	p, err := o.planSpec(ctx, c, PlanInput{File: in.File, Only: in.Only, Limit: in.Limit})
	if err != nil || len(p.Targets) == 0 {
		return err
	}
	var refusal error
	for _, t := range p.Targets {
		repo, err := o.store.Repository(ctx, t.Repository)
		if err != nil {
			return err
		}
		if _, _, refusal = o.tryable(repo.Repository); refusal == nil {
			return nil
		}
	}
	return refusal
}

// tryable returns what a repository's forge needs for a sweep, or says what it lacks.
func (o *Ops) tryable(repo fleet.Repository) (forge.Checks, forge.BranchDeleter, error) {
	lacks := func(what, hint string) error {
		return &fleet.Error{Code: fleet.CodeUnsupported, Message: what, Hint: hint, Err: forge.ErrUnsupported}
	}
	if onLocal(repo) {
		return nil, nil, lacks("the built-in forge has no CI that could build branches", "gaggle run --dry-run verifies on this machine; gaggle doctor lists the forges that are set up")
	}
	f, err := o.forgeNamed(repo.Forge)
	if err != nil {
		return nil, nil, err
	}
	checks, can := f.(forge.Checks)
	if !can {
		return nil, nil, lacks("forge "+repo.Forge+" tells no checks", "gaggle run --dry-run verifies on this machine")
	}
	deleter, can := f.(forge.BranchDeleter)
	if !can {
		return nil, nil, lacks("forge "+repo.Forge+" deletes no branches, so the sweep's would stay", "gaggle run --dry-run verifies on this machine")
	}
	return checks, deleter, nil
}

// readyOf lists the ready targets that a sweep is about.
func (o *Ops) readyOf(ctx context.Context, c *spec.Campaign, in SweepInput) ([]fleet.Target, error) {
	p, err := o.planSpec(ctx, c, PlanInput{File: in.File, Only: in.Only, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	meant := make(map[string]bool, len(p.Targets))
	for _, t := range p.Targets {
		meant[t.Component] = true
	}
	var ready []fleet.Target
	for after := int64(0); ; {
		page, err := o.store.Targets(ctx, store.Filter{Campaign: c.Metadata.Name, States: []fleet.State{fleet.Ready}, After: after, Limit: 500})
		if err != nil || len(page) == 0 {
			return ready, err
		}
		after = page[len(page)-1].ID
		ready = slices.AppendSeq(ready, func(yield func(fleet.Target) bool) {
			for _, t := range page {
				if meant[t.Component] && !yield(t) {
					return
				}
			}
		})
	}
}
