package store

import (
	"context"
	"time"

	"gaggle/internal/fleet"
)

// Event is one line of the ledger: who did what to what, and why. Events are only ever added.
type Event struct {
	Seq       int64       `json:"seq"`
	At        time.Time   `json:"at"`
	Campaign  string      `json:"campaign"`
	Target    int64       `json:"target,omitempty"`
	Component string      `json:"component,omitempty"`
	Kind      string      `json:"kind"` // moved, campaign, attempt, round, note
	From      fleet.State `json:"from,omitempty"`
	To        fleet.State `json:"to,omitempty"`
	Actor     string      `json:"actor"`
	Reason    fleet.Code  `json:"reason,omitempty"`
	Message   string      `json:"message,omitempty"`
}

// Record adds events at the store's time.
func (tx *Tx) Record(ctx context.Context, events ...Event) error {
	now := micros(tx.store.Now())
	for len(events) > 0 {
		n := min(len(events), 1000)
		var args []any
		for _, e := range events[:n] {
			args = append(args, now, e.Campaign, e.Target, e.Component, e.Kind, string(e.From), string(e.To), e.Actor, string(e.Reason), e.Message)
		}
		if _, err := tx.exec(ctx, "INSERT INTO events (at, campaign, target, component, kind, from_state, to_state, actor, reason, message) VALUES "+marks(n, len(args)/n), args...); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

const eventColumns = "seq, at, campaign, target, component, kind, from_state, to_state, actor, reason, message"

func scanEvent(r rows) (e Event, err error) {
	var at int64
	err = r.Scan(&e.Seq, &at, &e.Campaign, &e.Target, &e.Component, &e.Kind, &e.From, &e.To, &e.Actor, &e.Reason, &e.Message)
	e.At = fromMicros(at)
	return e, err
}

// Events lists a campaign's events after seq, oldest first; a target other than 0 narrows to it.
func (s *Store) Events(ctx context.Context, campaign string, target, after int64, limit int) ([]Event, error) {
	if target != 0 {
		return collect(ctx, s.reader, scanEvent, "SELECT "+eventColumns+" FROM events WHERE target = ? AND seq > ? ORDER BY seq LIMIT ?", target, after, limit)
	}
	return collect(ctx, s.reader, scanEvent, "SELECT "+eventColumns+" FROM events WHERE campaign = ? AND seq > ? ORDER BY seq LIMIT ?", campaign, after, limit)
}

// Moves lists a campaign's moves after seq, oldest first: their number, time, target and states.
func (s *Store) Moves(ctx context.Context, campaign string, after int64, limit int) ([]Event, error) {
	return collect(ctx, s.reader, func(r rows) (e Event, err error) {
		var at int64
		err = r.Scan(&e.Seq, &at, &e.Target, &e.From, &e.To)
		e.At, e.Campaign, e.Kind = fromMicros(at), campaign, "moved"
		return e, err
	}, "SELECT seq, at, target, from_state, to_state FROM events WHERE campaign = ? AND seq > ? AND to_state <> '' ORDER BY seq LIMIT ?", campaign, after, limit)
}

// LastSeq is the number of the campaign's newest event, or 0.
func (s *Store) LastSeq(ctx context.Context, campaign string) (int64, error) {
	n, _, err := one(ctx, s.reader, scanInt, "SELECT seq FROM events WHERE campaign = ? ORDER BY seq DESC LIMIT 1", campaign)
	return n, err
}
