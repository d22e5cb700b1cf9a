package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"gaggle/internal/fleet"
)

const targetColumns = "id, campaign, component, repository, path, owner, wave, state, version, reason, message, held, approved, change_hash, base_commit, base_tree, " +
	"result_tree, diff_key, files, added, deleted, attempts, usage, branch, head_commit, pull_number, pull_url, batch, created_at, updated_at"

func scanTarget(r rows) (t fleet.Target, err error) {
	var approved, created, updated int64
	var usage string
	err = r.Scan(&t.ID, &t.Campaign, &t.Component, &t.Repository, &t.Path, &t.Owner, &t.Wave, &t.State, &t.Version, &t.Reason, &t.Message, &t.Held, &approved, &t.ChangeHash,
		&t.BaseCommit, &t.BaseTree, &t.ResultTree, &t.DiffKey, &t.Stat.Files, &t.Stat.Added, &t.Stat.Deleted, &t.Attempts, &usage, &t.Branch, &t.HeadCommit,
		&t.PullNumber, &t.PullURL, &t.Batch, &created, &updated)
	if err != nil {
		return t, err
	}
	t.Approved, t.CreatedAt, t.UpdatedAt = approved != 0, fromMicros(created), fromMicros(updated)
	return t, json.Unmarshal([]byte(usage), &t.Usage)
}

const insertTarget = "INSERT INTO targets (campaign, component, repository, path, owner, wave, state, version, reason, message, approved, change_hash, base_commit, base_tree, " +
	"result_tree, diff_key, files, added, deleted, attempts, cost, usage, branch, head_commit, pull_number, pull_url, created_at, updated_at) VALUES "

// AddTargets inserts pending targets that the campaign does not have yet, and returns how many were new.
func (tx *Tx) AddTargets(ctx context.Context, targets []fleet.Target) (added int64, err error) {
	now := micros(tx.store.Now())
	for len(targets) > 0 {
		n := min(len(targets), 500)
		var args []any
		for _, t := range targets[:n] {
			args = append(args, t.Campaign, t.Component, t.Repository, t.Path, t.Owner, t.Wave, string(fleet.Pending), 1, "", "", 0, "", "", "",
				"", "", 0, 0, 0, 0, 0, "{}", t.Branch, "", 0, "", now, now)
		}
		got, err := tx.exec(ctx, insertTarget+marks(n, len(args)/n)+" ON CONFLICT (campaign, component) DO NOTHING", args...)
		if err != nil {
			return added, err
		}
		added += got
		targets = targets[n:]
	}
	return added, nil
}

// SetWave moves a pending target to another wave; one that has left pending stays where it is.
func (tx *Tx) SetWave(ctx context.Context, target int64, wave int) error {
	_, err := tx.exec(ctx, "UPDATE targets SET wave = ? WHERE id = ? AND state = ?", wave, target, string(fleet.Pending))
	return err
}

// Target reads one target.
func (s *Store) Target(ctx context.Context, id int64) (fleet.Target, error) {
	t, ok, err := one(ctx, s.reader, scanTarget, "SELECT "+targetColumns+" FROM targets WHERE id = ?", id)
	if err == nil && !ok {
		err = &fleet.Error{Code: fleet.CodeNotFound, Message: fmt.Sprintf("there is no target %d", id)}
	}
	return t, err
}

// Target reads one target inside the transaction.
func (tx *Tx) Target(ctx context.Context, id int64) (fleet.Target, error) {
	t, ok, err := one(ctx, tx, scanTarget, "SELECT "+targetColumns+" FROM targets WHERE id = ?", id)
	if err == nil && !ok {
		err = &fleet.Error{Code: fleet.CodeNotFound, Message: fmt.Sprintf("there is no target %d", id)}
	}
	return t, err
}

// Filter narrows a list of targets. Empty fields do not narrow.
type Filter struct {
	Campaign   string
	Component  string
	Owner      string
	Repository string
	States     []fleet.State
	Wave       *int
	After      int64 // targets with a greater ID
	Limit      int   // at most this many; Defaults to 1000
}

func (f Filter) where() (string, []any) {
	var parts []string
	var args []any
	add := func(part string, value any) { parts, args = append(parts, part), append(args, value) }
	if f.Campaign != "" {
		add("campaign = ?", f.Campaign)
	}
	if f.Component != "" {
		add("component = ?", f.Component)
	}
	if f.Owner != "" {
		add("owner = ?", f.Owner)
	}
	if f.Repository != "" {
		add("repository = ?", f.Repository)
	}
	if f.Wave != nil {
		add("wave = ?", *f.Wave)
	}
	if len(f.States) > 0 {
		parts = append(parts, "state IN "+marks(1, len(f.States)))
		for _, s := range f.States {
			args = append(args, string(s))
		}
	}
	add("id > ?", f.After)
	return strings.Join(parts, " AND "), args
}

// Targets lists targets by ID. For the next page, ask again After the last one.
func (s *Store) Targets(ctx context.Context, f Filter) ([]fleet.Target, error) {
	if f.Limit <= 0 {
		f.Limit = 1000
	}
	where, args := f.where()
	return collect(ctx, s.reader, scanTarget, "SELECT "+targetColumns+" FROM targets WHERE "+where+" ORDER BY id LIMIT ?", append(args, f.Limit)...)
}

// Count is how many targets of one wave are in one state, and what they cost.
type Count struct {
	Campaign string
	Wave     int
	State    fleet.State
	Targets  int
	Cost     fleet.Money
}

// Counts sums a campaign's targets by wave and state; an empty name sums all campaigns'.
func (s *Store) Counts(ctx context.Context, campaign string) ([]Count, error) {
	where, args := "", []any{}
	if campaign != "" {
		where, args = " WHERE campaign = ?", append(args, campaign)
	}
	return collect(ctx, s.reader, func(r rows) (c Count, err error) {
		err = r.Scan(&c.Campaign, &c.Wave, &c.State, &c.Targets, &c.Cost)
		return c, err
	}, "SELECT campaign, wave, state, COUNT(*), CAST(SUM(cost) AS BIGINT) FROM targets"+where+" GROUP BY campaign, wave, state ORDER BY campaign, wave, state", args...)
}

// EachTarget calls do for every target of the filter, page by page, inside the transaction.
func (tx *Tx) EachTarget(ctx context.Context, f Filter, do func(fleet.Target) error) error {
	f.Limit = 1000
	for {
		where, args := f.where()
		page, err := collect(ctx, tx, scanTarget, "SELECT "+targetColumns+" FROM targets WHERE "+where+" ORDER BY id LIMIT ?", append(args, f.Limit)...)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, t := range page {
			if err := do(t); err != nil {
				return err
			}
		}
		f.After = page[len(page)-1].ID
	}
}

// FailedBecause counts the failed targets that give a reason, by wave.
func (s *Store) FailedBecause(ctx context.Context, campaign string, reason fleet.Code) (map[int]int, error) {
	byWave := map[int]int{}
	_, err := collect(ctx, s.reader, func(r rows) (struct{}, error) {
		var wave, n int
		err := r.Scan(&wave, &n)
		byWave[wave] = n
		return struct{}{}, err
	}, "SELECT wave, COUNT(*) FROM targets WHERE campaign = ? AND state = ? AND reason = ? GROUP BY wave", campaign, string(fleet.Failed), string(reason))
	return byWave, err
}

// ApprovedReady counts ready targets that a person approved one by one.
func (s *Store) ApprovedReady(ctx context.Context, campaign string) (int, error) {
	n, _, err := one(ctx, s.reader, scanInt, "SELECT COUNT(*) FROM targets WHERE campaign = ? AND state = ? AND approved = 1", campaign, string(fleet.Ready))
	return int(n), err
}
