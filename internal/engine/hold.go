package engine

import (
	"context"
	"errors"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/store"
)

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
