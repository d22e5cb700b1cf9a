package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gaggle/internal/attempt"
	"gaggle/internal/fleet"
	"gaggle/internal/policy"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// reconcile takes one target one step further. It trusts nothing but the row and the world, so it may be called at any
// time, twice, or again after a crash. An error is retried by River.
func (e *Engine) reconcile(ctx context.Context, id int64) error {
	err := e.step(ctx, id)
	switch {
	case err == nil:
		return nil
	case fleet.CodeOf(err) == fleet.CodeConflict, errors.Is(err, store.ErrFenced):
		return nil // somebody else moved it, and woke up whoever has to go on
	case ctx.Err() != nil:
		return store.ErrSnooze{} // stopping: whoever works next takes the step
	}
	return err
}

func (e *Engine) step(ctx context.Context, id int64) error {
	t, err := e.store.Target(ctx, id)
	if err != nil {
		return err
	}
	if t.State.AtRest() || t.State == fleet.Pending {
		return nil
	}
	row, c, err := e.campaign(ctx, t.Campaign)
	if err != nil {
		return err
	}
	if row.State == fleet.CampaignCanceled || (row.State != fleet.CampaignActive && t.State != fleet.Proposed) {
		return nil // resume wakes it up again
	}
	if t.State == fleet.Ready && !mayPropose(row, c, t) {
		return nil // approve wakes it up again
	}
	if t.Follows() && (t.State == fleet.Ready || t.State == fleet.Proposed) {
		return e.orphaned(ctx, t)
	}
	h := &hold{engine: e, target: id}
	defer h.release(ctx)
	switch t.State {
	case fleet.Queued:
		return e.change(ctx, h, row, c, t)
	case fleet.Changing:
		return e.reclaim(ctx, id)
	case fleet.Revising:
		return e.revise(ctx, h, c, t)
	case fleet.Ready:
		return e.ready(ctx, h, row, c, t)
	case fleet.Proposed:
		if held, err := h.take(ctx); err != nil || !held {
			return errors.Join(err, store.ErrSnooze{For: time.Second})
		}
		// The row may have moved between the first look and the lease.
		if t, err = e.store.Target(ctx, id); err != nil || t.State != fleet.Proposed {
			return err
		}
		repo, err := e.store.Repository(ctx, t.Repository)
		if err != nil {
			return err
		}
		return e.attend(ctx, h, row, c, t, repo.Repository, nil)
	}
	return nil
}

// reclaim queues a target again that is marked as changing although nobody holds it: its worker ended without taking
// the attempt back.
func (e *Engine) reclaim(ctx context.Context, id int64) error {
	return e.store.Tx(ctx, func(tx *store.Tx) error {
		held, err := tx.Lease(ctx, e.worker, id)
		if err != nil || !held {
			return err // whoever holds it leaves a job behind, also by dying
		}
		if err := e.lost(ctx, tx, id); err != nil {
			return err
		}
		return tx.Release(ctx, e.worker, id)
	})
}

// mayPropose says whether a ready target goes on without a person.
func mayPropose(row store.Campaign, c *spec.Campaign, t fleet.Target) bool {
	return snapshot(row, c, nil, 0).MayPropose(t.Wave, t.Approved)
}

// change runs one attempt from start to end.
func (e *Engine) change(ctx context.Context, h *hold, row store.Campaign, c *spec.Campaign, t fleet.Target) error {
	order, err := e.order(ctx, c, t)
	if fleet.CodeOf(err) == fleet.CodeNotFound && err != nil {
		return e.store.Tx(ctx, func(tx *store.Tx) error {
			return tx.Move(ctx, &t, store.Move{To: fleet.Skipped, Actor: e.cfg.Actor, Reason: fleet.CodeRepoGone, Message: "it is no longer in the fleet"})
		})
	}
	if err != nil {
		return err
	}
	if err := e.reverse(ctx, &order, c, t); err != nil {
		return err
	}
	t.ChangeHash = row.ChangeHash
	return e.attempt(ctx, h, c, t, order, func(tx *store.Tx, t *fleet.Target) error {
		return tx.Move(ctx, t, store.Move{To: fleet.Changing, Actor: e.cfg.Actor})
	}, func(ctx context.Context, t fleet.Target, a fleet.Attempt, out attempt.Outcome, failure error) error {
		return e.settle(ctx, h, t, a, c, out, failure)
	})
}

// reverse gives an attempt of a campaign that takes another one back the diff that the other had merged.
func (e *Engine) reverse(ctx context.Context, order *attempt.Order, c *spec.Campaign, t fleet.Target) error {
	if c.Change.Reverts == "" {
		return nil
	}
	list, err := e.store.Targets(ctx, store.Filter{Campaign: c.Change.Reverts, Component: t.Component})
	if err != nil {
		return err
	}
	if len(list) == 0 || list[0].DiffKey == "" {
		return fleet.Errorf(fleet.CodeInternal, "campaign %q has no diff of %s any more", c.Change.Reverts, t.Component)
	}
	order.Seed, err = e.store.GetRecord(ctx, list[0].DiffKey)
	order.Reverse = true
	return err
}

// order is what an attempt at a target is told, but for the target and the attempt themselves.
func (e *Engine) order(ctx context.Context, c *spec.Campaign, t fleet.Target) (attempt.Order, error) {
	order := attempt.Order{Campaign: c, Memory: memory{e.store}}
	repo, err := e.store.Repository(ctx, t.Repository)
	if err == nil {
		order.Component, err = e.store.Component(ctx, t.Component)
	}
	order.Repository, order.RepositoryConfig = repo.Repository, repo.Config
	return order, err
}

// attempt makes one attempt: start writes down that it begins, in the transaction that takes the lease, and settle how it ended.
func (e *Engine) attempt(ctx context.Context, h *hold, c *spec.Campaign, t fleet.Target, order attempt.Order, start func(*store.Tx, *fleet.Target) error,
	settle func(context.Context, fleet.Target, fleet.Attempt, attempt.Outcome, error) error) error {
	a := fleet.Attempt{Target: t.ID, Number: t.Attempts + 1, State: "running", Agent: c.Change.Agent}
	t.Attempts++
	if held, err := h.begin(ctx, func(tx *store.Tx) error {
		if err := tx.AddAttempt(ctx, &a); err != nil {
			return err
		}
		return start(tx, &t)
	}); err != nil || !held {
		return err // whoever holds it leaves a job behind, also by dying
	}
	order.Target, order.Attempt, order.Replies = t, a, replies{e, t.ID}
	var err error
	if order.Meter, err = e.meter(ctx, c, t.ID, a.ID); err != nil {
		return err
	}
	order.Round = func(ctx context.Context, r fleet.Round) error {
		a.Rounds = append(a.Rounds, r)
		a.Usage.Merge(r.Usage)
		return e.record(ctx, t.ID, func(ctx context.Context, tx *store.Tx) error {
			if err := tx.SaveAttempt(ctx, &a); err != nil {
				return err
			}
			return tx.Record(ctx, store.Event{Campaign: t.Campaign, Target: t.ID, Component: t.Component, Kind: "round", Actor: e.cfg.Actor, Message: attempt.DescribeRound(r)})
		})
	}
	attempting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e.mu.Lock()
	e.running[t.ID] = cancel
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.running, t.ID)
		e.mu.Unlock()
	}()
	out, err := e.cfg.Changer.Attempt(attempting, order)
	return settle(ctx, t, a, out, err)
}

// conclude writes into the attempt how it ended, and returns the state that it found for its target.
func (e *Engine) conclude(ctx context.Context, a *fleet.Attempt, out attempt.Outcome, failure error) fleet.State {
	a.State, a.EndedAt = "done", e.store.Now()
	a.AgentVersion, a.BaseCommit, a.Remembered = out.AgentVersion, out.Base.Commit, out.Remembered
	if out.Usage.Calls > 0 {
		a.Usage = out.Usage
	}
	if out.Remembered && out.Last != nil {
		a.Rounds = []fleet.Round{*out.Last} // the pull request says what was verified, whenever that was
	}
	a.Outcome, a.Reason, a.Message = out.State, out.Reason, out.Message
	switch {
	case failure != nil && ctx.Err() != nil:
		a.State, a.Outcome, a.Reason, a.Message = "lost", "", fleet.CodeInterrupted, "the run was stopped"
	case failure != nil:
		a.Outcome, a.Reason, a.Message = fleet.Failed, fleet.CodeOf(failure), failure.Error()
	}
	return a.Outcome
}

// keep stores an attempt that ended, with its records and what may be remembered of it.
func (e *Engine) keep(ctx context.Context, tx *store.Tx, a *fleet.Attempt, out attempt.Outcome, failure error) (diffKey string, err error) {
	if len(out.Diff) > 0 {
		if diffKey, err = tx.PutContent(ctx, "diff", out.Diff); err != nil {
			return "", err
		}
	}
	for name, data := range out.Records {
		if err := tx.PutRecord(ctx, RecordKey(a.ID, name), data); err != nil {
			return "", err
		}
	}
	if out.Memo != "" && a.State == "done" && failure == nil {
		if err := tx.Remember(ctx, out.Memo, out.Remember(diffKey)); err != nil {
			return "", err
		}
	}
	if !policy.TakenUp(a.Reason) {
		if err := tx.DropReplies(ctx, a.Target); err != nil {
			return "", err
		}
	}
	return diffKey, tx.SaveAttempt(ctx, a)
}

// settle records how an attempt ended.
func (e *Engine) settle(ctx context.Context, h *hold, t fleet.Target, a fleet.Attempt, c *spec.Campaign, out attempt.Outcome, failure error) error {
	state := e.conclude(ctx, &a, out, failure)
	t.Usage.Merge(a.Usage)
	move := store.Move{To: state, Actor: e.cfg.Actor, Reason: a.Reason, Message: a.Message}
	switch {
	case a.State == "lost":
		move.To, move.Next = fleet.Queued, &store.Job{Lane: store.LaneAttempts}
	case state == fleet.Failed && policy.MayRetry(a.Reason, t.Attempts, c.Limits.Attempts):
		move.To, move.Next = fleet.Queued, &store.Job{Lane: store.LaneAttempts, After: retryAfter(t.Attempts)}
		a.Outcome = fleet.Queued
	case state == fleet.Ready:
		move.Next = &store.Job{Lane: store.LaneSteps}
	}
	t.BaseCommit, t.BaseTree, t.ResultTree, t.Stat = out.Base.Commit, out.Base.Tree, out.Tree, out.Stat
	return h.endAttempt(ctx, &a, func(ctx context.Context, tx *store.Tx) (err error) {
		if t.DiffKey, err = e.keep(ctx, tx, &a, out, failure); err != nil {
			return err
		}
		if err := tx.Move(ctx, &t, move); err != nil || c.PullRequest.Batch == "" || move.To == fleet.Queued {
			return err
		}
		return e.wakeWaiting(ctx, tx, t)
	})
}

// retryAfter is how long a fault that passes is given to pass.
func retryAfter(attempts int) time.Duration { return 5 * time.Second << min(attempts-1, 6) }

// RecordKey is where an attempt's record of that name ("log", "transcript") is kept.
func RecordKey(attempt int64, name string) string {
	return fmt.Sprintf("attempt/%d/%s", attempt, name)
}

// The records of an attempt that say how what was pushed came about.
const (
	RecordProvenance = "provenance"
	RecordEnvelope   = "provenance.dsse"
)
