package engine

import (
	"context"
	"errors"
	"time"

	"gaggle/internal/attempt"
	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/publish"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

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
	case wait != "" || t.State != fleet.Ready || t.Follows() || !mayPropose(row, c, t):
		return nil
	}
	return e.propose(ctx, h, c, t)
}

// hold notes what a ready target waits for.
func (e *Engine) hold(ctx context.Context, tx *store.Tx, t fleet.Target, why string) error {
	news, err := tx.Hold(ctx, t.ID, why)
	if err != nil || !news {
		return err
	}
	return tx.Record(ctx, store.Event{Campaign: t.Campaign, Target: t.ID, Component: t.Component, Kind: "note", Actor: e.cfg.Actor, Message: "it waits: " + why})
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
func (e *Engine) propose(ctx context.Context, h *hold, c *spec.Campaign, t fleet.Target) error {
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
		return e.propose(ctx, h, c, t)
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
			if err := e.disband(ctx, tx, t.ID, "the pull request that it was to share is over: it gets its own", nil); err != nil {
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
