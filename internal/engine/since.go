package engine

import (
	"context"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/store"
)

// hostTime is what the forge's clock said at a moment of ours, as far as it tells.
func hostTime(host forge.Forge, at, now time.Time) time.Time {
	if clock, can := host.(forge.Clock); can {
		if t := clock.HostTime(); !t.IsZero() {
			return t.Add(-now.Sub(at))
		}
	}
	return at
}

func followedKey(forgeName, campaign string) string { return "followed/" + forgeName + "/" + campaign }

// followedSince is when the last pass began that saw everything of all these campaigns on a forge; zero when there is one without.
func (e *Engine) followedSince(ctx context.Context, forgeName string, campaigns map[string]bool) (time.Time, error) {
	var oldest time.Time
	for campaign := range campaigns {
		text, known, err := e.store.Memo(ctx, followedKey(forgeName, campaign))
		if err != nil {
			return time.Time{}, err
		}
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil || !known {
			return time.Time{}, nil
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest, nil
}

// rememberFollowed writes down that everything of these campaigns was seen.
func (e *Engine) rememberFollowed(ctx context.Context, forgeName string, campaigns map[string]bool, at time.Time) error {
	return e.store.Tx(ctx, func(tx *store.Tx) error {
		for campaign := range campaigns {
			if err := tx.Remember(ctx, followedKey(forgeName, campaign), at.Format(time.RFC3339Nano)); err != nil {
				return err
			}
		}
		return nil
	})
}

// troubles gathers what a forge refused during a pass, and tells the campaign of the first.
type troubles struct {
	engine *Engine
	forge  string
	mu     sync.Mutex
	n      int // that were told of
	unseen int
}

// missed counts what has to be shown again, without telling anybody.
func (t *troubles) missed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unseen++
}

func (t *troubles) none() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n == 0 && t.unseen == 0
}

// note takes a forge's error and returns any other, which ends the pass.
func (t *troubles) note(ctx context.Context, campaign string, err error) error {
	switch fleet.CodeOf(err) {
	case fleet.CodeDatabase, fleet.CodeInternal:
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	if t.n > 1 || ctx.Err() != nil {
		return nil
	}
	return t.engine.say(ctx, campaign, t.forge, err)
}

// say records a forge's error once for as long as it stays the same.
func (e *Engine) say(ctx context.Context, campaign, forgeName string, err error) error {
	text := err.Error()
	e.mu.Lock()
	same := e.said[forgeName] == text
	e.said[forgeName] = text
	e.mu.Unlock()
	if same {
		return nil
	}
	return e.store.Tx(ctx, func(tx *store.Tx) error {
		return tx.Record(ctx, store.Event{Campaign: campaign, Kind: "note", Actor: e.cfg.Actor, Reason: fleet.CodeOf(err), Message: "the forge " + forgeName + " could not be followed, and is asked again: " + text})
	})
}
