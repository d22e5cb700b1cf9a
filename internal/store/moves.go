package store

import (
	"context"
	"encoding/json"
	"fmt"

	"gaggle/internal/fleet"
)

// Move is one step of a target's life, with who asks for it and why.
type Move struct {
	To      fleet.State
	Actor   string     // "gaggle", or the person
	Reason  fleet.Code // machine-readable; required for failed
	Message string
	Next    *Job // enqueued with the move; Target and Campaign are filled in
}

// Move takes the target from the state and version in t to another, writes t's other fields with it, records the event and
// enqueues the next job. A move that the table does not allow, or a row that has changed since t was read, is an error
// with fleet.CodeConflict, and nothing is written once the transaction fails. On success t is as stored.
func (tx *Tx) Move(ctx context.Context, t *fleet.Target, m Move) error {
	if !fleet.CanMove(t.State, m.To) {
		return &fleet.Error{Code: fleet.CodeConflict, Message: fmt.Sprintf("%s cannot move from %s to %s", t.Component, t.State, m.To)}
	}
	if m.To == fleet.Failed && m.Reason == "" {
		return &fleet.Error{Code: fleet.CodeInternal, Message: "a failed target needs a reason"}
	}
	next := *t
	next.State, next.Reason, next.Message = m.To, m.Reason, m.Message
	if err := tx.save(ctx, *t, &next); err != nil {
		return err
	}
	if err := tx.Record(ctx, Event{Campaign: t.Campaign, Target: t.ID, Component: t.Component, Kind: "moved", From: t.State, To: m.To, Actor: m.Actor, Reason: m.Reason, Message: m.Message}); err != nil {
		return err
	}
	if m.Next != nil {
		job := *m.Next
		job.Target, job.Campaign = t.ID, t.Campaign
		if err := tx.Wake(ctx, job); err != nil {
			return err
		}
	}
	*t = next
	return nil
}

// Save writes t's fields without a move, guarded in the same way.
func (tx *Tx) Save(ctx context.Context, t *fleet.Target) error {
	next := *t
	if err := tx.save(ctx, *t, &next); err != nil {
		return err
	}
	*t = next
	return nil
}

func (tx *Tx) save(ctx context.Context, was fleet.Target, next *fleet.Target) error {
	next.Version, next.UpdatedAt = was.Version+1, tx.store.Now()
	usage, err := json.Marshal(next.Usage)
	if err != nil {
		return err
	}
	n, err := tx.exec(ctx, "UPDATE targets SET state = ?, wave = ?, version = ?, reason = ?, message = ?, approved = ?, change_hash = ?, base_commit = ?, base_tree = ?, result_tree = ?, diff_key = ?, "+
		"files = ?, added = ?, deleted = ?, attempts = ?, cost = ?, usage = ?, branch = ?, head_commit = ?, pull_number = ?, pull_url = ?, batch = ?, updated_at = ?, slot = CASE WHEN ? = 1 THEN 0 ELSE slot END, held = CASE WHEN ? = 'ready' THEN held ELSE '' END WHERE id = ? AND state = ? AND version = ?",
		string(next.State), next.Wave, next.Version, string(next.Reason), next.Message, bit(next.Approved), next.ChangeHash, next.BaseCommit, next.BaseTree, next.ResultTree, next.DiffKey,
		next.Stat.Files, next.Stat.Added, next.Stat.Deleted, next.Attempts, int64(next.Usage.Cost), string(usage), next.Branch, next.HeadCommit, next.PullNumber, next.PullURL, next.Batch, micros(next.UpdatedAt), bit(next.State.AtRest() || next.State == fleet.Queued), string(next.State),
		was.ID, string(was.State), was.Version)
	if err == nil && n == 0 {
		return &fleet.Error{Code: fleet.CodeConflict, Message: fmt.Sprintf("%s is no longer %s as it was read", was.Component, was.State)}
	}
	return err
}

// OpenWave queues up to limit pending targets of the wave, each with its event and its job, and returns how many. The
// caller repeats until it returns 0, so that a wave of any size is opened in small transactions.
func (tx *Tx) OpenWave(ctx context.Context, campaign string, wave, limit int, actor string) (int, error) {
	type row struct {
		id        int64
		component string
	}
	moved, err := collect(ctx, tx, func(r rows) (t row, err error) { err = r.Scan(&t.id, &t.component); return t, err },
		"UPDATE targets SET state = ?, version = version + 1, updated_at = ? WHERE id IN (SELECT id FROM targets WHERE campaign = ? AND wave = ? AND state = ? ORDER BY id LIMIT ?) AND state = ? RETURNING id, component",
		string(fleet.Queued), micros(tx.store.Now()), campaign, wave, string(fleet.Pending), limit, string(fleet.Pending))
	if err != nil || len(moved) == 0 {
		return 0, err
	}
	events := make([]Event, len(moved))
	jobs := make([]Job, len(moved))
	for i, t := range moved {
		events[i] = Event{Campaign: campaign, Target: t.id, Component: t.component, Kind: "moved", From: fleet.Pending, To: fleet.Queued, Actor: actor, Message: fmt.Sprintf("wave %d opened", wave+1)}
		jobs[i] = Job{Target: t.id, Campaign: campaign, Lane: LaneAttempts}
	}
	if err := tx.Record(ctx, events...); err != nil {
		return 0, err
	}
	return len(moved), tx.Wake(ctx, jobs...)
}
