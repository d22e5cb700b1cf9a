package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gaggle/internal/attempt"
	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/policy"
	"gaggle/internal/publish"
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
		return e.revise(ctx, h, row, c, t)
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

// ready proposes a ready target, or notes what it waits for: its owner's time, or a place among the pull requests that may be
// open at once. A pass lets it go on.
func (e *Engine) ready(ctx context.Context, h *hold, row store.Campaign, c *spec.Campaign, t fleet.Target) error {
	wait := ""
	held, err := h.begin(ctx, func(tx *store.Tx) (err error) {
		if c.PullRequest.Batch != "" {
			if err := tx.LockBatches(ctx); err != nil {
				return err
			}
		}
		// The row may have moved between the first look and the lease.
		if t, err = tx.Target(ctx, t.ID); err != nil || t.State != fleet.Ready || t.Follows() {
			return err
		}
		var others []fleet.Target
		if wait, others, err = e.place(ctx, tx, c, t); err != nil {
			return err
		}
		switch {
		case wait != "":
			// Given back at once: whoever gathers a batch leaves out what is held.
			return errors.Join(e.hold(ctx, tx, t, wait), tx.Release(ctx, e.worker, t.ID))
		case len(others) > 0:
			return e.lead(ctx, tx, &t, others)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !held:
		return store.ErrSnooze{For: time.Second}
	case t.State != fleet.Ready || t.Follows() || !mayPropose(row, c, t):
		return nil
	case wait != "":
		return nil
	}
	return e.propose(ctx, h, row, c, t)
}

// hold notes what a ready target waits for.
func (e *Engine) hold(ctx context.Context, tx *store.Tx, t fleet.Target, why string) error {
	news, err := tx.Hold(ctx, t.ID, why)
	if err != nil || !news {
		return err
	}
	return tx.Record(ctx, store.Event{Campaign: t.Campaign, Target: t.ID, Component: t.Component, Kind: "note", Actor: e.cfg.Actor, Message: "it waits: " + why})
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

// hold is this worker's lease of one target, for one step.
type hold struct {
	engine *Engine
	target int64
	held   bool
}

func (h *hold) take(ctx context.Context) (bool, error) {
	var err error
	h.held, err = h.engine.store.Lease(ctx, h.engine.worker, h.target)
	return h.held, err
}

// begin runs do in the transaction that takes the lease; false when somebody else has it.
func (h *hold) begin(ctx context.Context, do func(tx *store.Tx) error) (bool, error) {
	held := false
	err := h.engine.store.Tx(ctx, func(tx *store.Tx) (err error) {
		if held, err = tx.Lease(ctx, h.engine.worker, h.target); err != nil || !held {
			return err
		}
		return do(tx)
	})
	h.held = held && err == nil
	return h.held, err
}

// end runs do in the transaction that gives the lease back. It fails when the lease is lost.
func (h *hold) end(ctx context.Context, do func(ctx context.Context, tx *store.Tx) error) error {
	err := h.engine.record(ctx, h.target, func(ctx context.Context, tx *store.Tx) error {
		if err := do(ctx, tx); err != nil {
			return err
		}
		return tx.Release(ctx, h.engine.worker, h.target)
	})
	if err == nil {
		h.held = false
	}
	return err
}

// endAttempt is end for a step that made an attempt. When a person moved the target meanwhile, what the attempt did is kept, and the
// target is left alone.
func (h *hold) endAttempt(ctx context.Context, a *fleet.Attempt, do func(ctx context.Context, tx *store.Tx) error) error {
	err := h.end(ctx, do)
	if err != nil && fleet.CodeOf(err) == fleet.CodeConflict {
		return h.end(ctx, func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(tx.SaveAttempt(ctx, a), tx.DropReplies(ctx, a.Target))
		})
	}
	return err
}

// release gives back what no end gave back. When it fails the lease stays until this worker is discharged.
func (h *hold) release(ctx context.Context) {
	if h.held {
		_ = h.engine.store.Release(context.WithoutCancel(ctx), h.engine.worker, h.target)
	}
}

// mayPropose says whether a ready target goes on without a person.
func mayPropose(row store.Campaign, c *spec.Campaign, t fleet.Target) bool {
	return snapshot(row, c, nil, 0).MayPropose(t.Wave, t.Approved)
}

// record runs do in a transaction that fails unless this worker still holds the target. It outlives ctx for a while, so
// that stopping can still write down what happened.
func (e *Engine) record(ctx context.Context, id int64, do func(ctx context.Context, tx *store.Tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return e.store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.Holds(ctx, e.worker, id); err != nil {
			return err
		}
		return do(ctx, tx)
	})
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
	if a.State == "done" {
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

// proposal gathers what a pull request is made of.
func (e *Engine) proposal(ctx context.Context, c *spec.Campaign, t fleet.Target, order attempt.Order) (publish.Proposal, error) {
	p := publish.Proposal{Campaign: c, Target: t, Repository: order.Repository, Component: order.Component}
	var err error
	if p.Diff, err = e.store.GetRecord(ctx, t.DiffKey); err != nil {
		return p, err
	}
	attempts, err := e.store.Attempts(ctx, t.ID)
	if n := len(attempts); n > 0 {
		p.Attempt = attempts[n-1]
	}
	if err == nil {
		p.With, err = e.with(ctx, t)
	}
	return p, err
}

// propose opens the pull request of a ready target, or finds it.
func (e *Engine) propose(ctx context.Context, h *hold, row store.Campaign, c *spec.Campaign, t fleet.Target) error {
	fail := func(err error) error {
		return h.end(ctx, func(ctx context.Context, tx *store.Tx) error {
			if err := e.leave(ctx, tx, &t); err != nil {
				return err
			}
			return tx.Move(ctx, &t, store.Move{To: fleet.Failed, Actor: e.cfg.Actor, Reason: fleet.CodeOf(err), Message: err.Error()})
		})
	}
	order, err := e.order(ctx, c, t)
	if fleet.CodeOf(err) == fleet.CodeNotFound && err != nil {
		return fail(err)
	}
	if err != nil {
		return err
	}
	p, err := e.proposal(ctx, c, t, order)
	if err != nil {
		return err
	}
	got, err := e.cfg.Publisher.Publish(ctx, p)
	var misfit *publish.Misfit
	switch code := fleet.CodeOf(err); {
	case err == nil:
	case ctx.Err() != nil:
		return err // publishing again finds what was made
	case errors.As(err, &misfit):
		if err := e.alone(ctx, misfit.Target, misfit.Err); err != nil {
			return err
		}
		return e.propose(ctx, h, row, c, t)
	case code == fleet.CodeForgeRateLimit:
		return store.ErrSnooze{For: publish.RetryAfter(err)}
	case forge.Passing(err), code == fleet.CodeForge, code == fleet.CodeDatabase:
		return err // River tries again, later and later
	default:
		return fail(err)
	}
	t.HeadCommit, t.PullNumber, t.PullURL = got.Head, got.Pull.Number, got.Pull.URL
	f := fleet.Follow{Target: t.ID, Campaign: t.Campaign, OpenedAt: got.Pull.CreatedAt, ActiveAt: e.store.Now(), Changed: got.Pull.UpdatedAt, LookAgain: e.store.Now().Add(fresh), Head: got.Head, Base: t.BaseCommit}
	for _, other := range p.With {
		f.With = append(f.With, other.Target.ID)
	}
	move := store.Move{To: fleet.Proposed, Actor: e.cfg.Actor, Message: got.Pull.URL}
	if got.Pull.State != forge.StateOpen {
		move.To, move.Message = fleet.Closed, "its pull request was found "+string(got.Pull.State)
		if got.Pull.State == forge.StateMerged {
			move.To, f.MergedAt, f.MergeSHA, f.MergedBy = fleet.Merged, e.store.Now(), got.Pull.MergeSHA, "people"
		}
	}
	was, err := e.store.Follow(ctx, t.ID)
	if err != nil {
		return err
	}
	if f.Asks = was.Asks; len(f.Asks) > 0 {
		f.LookAgain = time.Time{} // reviewers said it where the change stood before
	}
	return h.end(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := errors.Join(tx.SaveFollow(ctx, f), keepProvenance(ctx, tx, p, got)); err != nil {
			return err
		}
		if len(p.With) > 0 && len(got.With) == 0 { // the branch's pull request had ended before
			if err := e.disband(ctx, tx, t.ID, 0, "the pull request that it was to share is over: it gets its own", nil); err != nil {
				return err
			}
		}
		if err := e.together(ctx, tx, t, f, move); err != nil {
			return err
		}
		return tx.Move(ctx, &t, move)
	})
}

// orphaned lets a target go on that follows one that leads nobody any more.
func (e *Engine) orphaned(ctx context.Context, t fleet.Target) error {
	return e.store.Tx(ctx, func(tx *store.Tx) error {
		leader, err := tx.Target(ctx, t.Batch)
		if err != nil || leader.Leads() && !leader.State.AtRest() {
			return err
		}
		return e.letOut(ctx, tx, t, 0, "it gets a pull request of its own")
	})
}

// The records of an attempt that say how what was pushed came about.
const (
	RecordProvenance = "provenance"
	RecordEnvelope   = "provenance.dsse"
)

// keepProvenance stores what the commit and the pull request name by its digest. It was made from what is stored, so that
// whoever pushes again after a crash makes the same.
func keepProvenance(ctx context.Context, tx *store.Tx, in publish.Proposal, out publish.Published) error {
	for i, p := range out.With {
		if err := keepProvenance(ctx, tx, in.With[i], publish.Published{Provenance: p}); err != nil {
			return err
		}
	}
	a, p := in.Attempt, out.Provenance
	for name, data := range map[string][]byte{RecordProvenance: p.Statement, RecordEnvelope: p.Envelope} {
		if len(data) > 0 {
			if err := tx.PutRecord(ctx, RecordKey(a.ID, name), data); err != nil {
				return err
			}
		}
	}
	return nil
}
