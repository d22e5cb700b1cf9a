package ops

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/publish"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// sweep is one under way.
type sweep struct {
	o              *Ops
	c              *spec.Campaign
	every, timeout time.Duration
	worker         string
	trials         []*trial

	mu    sync.Mutex
	bases map[string]*baseChecks // by repository and commit
	quiet map[string]time.Time   // by forge: until when it wants to be left alone
	left  map[string]SweepBranch // by repository and branch
}

// trial is one change on its way through CI.
type trial struct {
	target  fleet.Target
	repo    fleet.Repository
	forge   forge.Checks
	branch  SweepBranch // its Commit is empty while nothing of it can be on the forge
	commit  string
	outcome SweepOutcome // "" while it is not known
	code    fleet.Code
	message string
	pushed  time.Time
	next    time.Time // when its checks are looked at again
	seen    string    // what the last look saw
	odd     int       // looks in a row that the forge answered with nonsense
	checks  []forge.Check
	before  map[string]bool // checks that fail on the base
	causes  []cause
}

// run pushes the ready changes, follows their checks and deletes the branches.
func (s *sweep) run(ctx context.Context, ready []fleet.Target) (err error) {
	if s.worker, err = s.o.store.Enlist(ctx); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, s.o.store.Discharge(context.WithoutCancel(ctx), s.worker))
	}()
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var beating sync.WaitGroup
	defer beating.Wait()
	defer stop(nil)
	beating.Go(func() { stop(s.beat(work)) })

	if err := s.inherit(work); err != nil {
		return err
	}
	defer func() { // whatever ends the sweep
		var mine []SweepBranch
		for _, t := range s.trials {
			if t.branch.Commit != "" {
				mine = append(mine, t.branch)
			}
		}
		s.delete(work, mine)
	}()
	if err := s.push(work, ready); err != nil {
		return err
	}
	err = s.follow(work)
	if cause := context.Cause(work); ctx.Err() == nil && cause != nil {
		return cause
	}
	return err
}

// beat shows that this sweep lives, until ctx ends.
func (s *sweep) beat(ctx context.Context) error {
	t := time.NewTicker(store.BeatEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if err := s.o.store.Beat(ctx, s.worker); errors.Is(err, store.ErrFenced) {
			return err // the next sweep may be deleting these branches
		}
	}
}

// push puts each change on a branch of its own.
func (s *sweep) push(ctx context.Context, ready []fleet.Target) error {
	var g errgroup.Group
	g.SetLimit(sweepAtOnce)
	for _, target := range ready {
		t := &trial{target: target}
		s.trials = append(s.trials, t)
		g.Go(func() error {
			err := s.pushOne(ctx, t)
			code := fleet.CodeOf(err)
			switch {
			case err == nil || ctx.Err() != nil:
				return nil
			case code == fleet.CodeDatabase, code == fleet.CodeInternal, code == fleet.CodeDiskFull:
				return err
			}
			outcome := SweepNotPushed
			if errors.Is(err, forge.ErrUnsupported) {
				outcome = SweepUnsupported
			}
			return s.settle(ctx, t, outcome, code, s.clean(err.Error()))
		})
	}
	return g.Wait()
}

func (s *sweep) pushOne(ctx context.Context, t *trial) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	stored, err := s.o.store.Repository(ctx, t.target.Repository)
	if err != nil {
		return err
	}
	t.repo = stored.Repository
	component, err := s.o.store.Component(ctx, t.target.Component)
	if err != nil {
		return err
	}
	t.branch = SweepBranch{Campaign: t.target.Campaign, Component: t.target.Component, Repository: t.repo.Name, Branch: publish.TrialBranch(t.target.Campaign, component)}
	if t.forge, _, err = s.o.tryable(t.repo); err != nil {
		return err
	}
	diff, err := s.o.store.GetRecord(ctx, t.target.DiffKey)
	if err != nil {
		return err
	}
	commit, err := s.o.publish.Trial(ctx, publish.Proposal{Campaign: s.c, Target: t.target, Repository: t.repo, Component: component, Diff: diff}, s.o.cfg.Clock())
	if err != nil {
		return err
	}
	t.commit, t.branch.Commit = commit, commit
	was, err := s.claim(ctx, t)
	if err != nil {
		return err
	}
	err = s.patiently(ctx, func() error { return s.o.publish.PushTrial(ctx, t.repo, commit, t.branch.Branch, was) })
	if fleet.CodeOf(err) == fleet.CodeBranchTaken && err != nil {
		t.branch.Commit = "" // what stands there is not this sweep's to delete
		return errors.Join(err, s.forget(ctx, t.branch))
	}
	if err != nil {
		return err // the branch may be there all the same, and is deleted if it is
	}
	t.pushed = s.o.cfg.Clock()
	t.next = t.pushed
	return s.note(ctx, t, "it is tried on CI, on branch "+t.branch.Branch)
}

// settle writes down what became of a trial.
func (s *sweep) settle(ctx context.Context, t *trial, outcome SweepOutcome, code fleet.Code, message string) error {
	t.outcome, t.code, t.message = outcome, code, message
	words := map[SweepOutcome]string{
		SweepPassed: "CI passed", SweepFailed: "CI failed", SweepBefore: "CI failed, as it does on the base", SweepTimedOut: "CI did not end in time", SweepNoChecks: "no CI checked it",
		SweepNotPushed: "it could not be pushed to be tried on CI", SweepUnsupported: "it cannot be tried on CI", SweepUnknown: "the forge does not say what CI made of it",
	}[outcome]
	if outcome == SweepFailed && len(t.causes) > 0 {
		message = t.causes[0].check + ": " + t.causes[0].line
	}
	if message != "" {
		words += ": " + message
	}
	return s.note(ctx, t, words)
}

func (s *sweep) note(ctx context.Context, t *trial, message string) error {
	return s.o.store.Tx(ctx, func(tx *store.Tx) error {
		return tx.Record(ctx, store.Event{Campaign: t.target.Campaign, Target: t.target.ID, Component: t.target.Component, Kind: "note", Actor: s.o.cfg.Actor, Message: message})
	})
}
