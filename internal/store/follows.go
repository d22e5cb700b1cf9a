package store

import (
	"context"
	"encoding/json"

	"gaggle/internal/fleet"
)

const followColumns = "f.target, f.campaign, f.ci, f.deploy, f.reverted, f.touched, f.opened_at, f.merged_at, f.merged_by, f.data"

func scanFollow(r rows) (f fleet.Follow, err error) {
	var reverted, touched, opened, merged int64
	var data string
	var in fleet.Follow
	if err = r.Scan(&in.Target, &in.Campaign, &in.CI, &in.Deploy, &reverted, &touched, &opened, &merged, &in.MergedBy, &data); err != nil {
		return f, err
	}
	if err = json.Unmarshal([]byte(data), &f); err != nil {
		return f, err
	}
	f.Target, f.Campaign, f.CI, f.Deploy, f.Reverted, f.Touched, f.MergedBy = in.Target, in.Campaign, in.CI, in.Deploy, reverted != 0, touched != 0, in.MergedBy
	f.OpenedAt, f.MergedAt = fromMicros(opened), fromMicros(merged)
	return f, nil
}

// Follow reads what is known about a target's pull request; a target without one has a zero Follow.
func (s *Store) Follow(ctx context.Context, target int64) (fleet.Follow, error) {
	f, _, err := one(ctx, s.reader, scanFollow, "SELECT "+followColumns+" FROM follows f WHERE target = ?", target)
	f.Target = target
	return f, err
}

// Follow is Store.Follow inside the transaction.
func (tx *Tx) Follow(ctx context.Context, target int64) (fleet.Follow, error) {
	f, _, err := one(ctx, tx, scanFollow, "SELECT "+followColumns+" FROM follows f WHERE target = ?", target)
	f.Target = target
	return f, err
}

// SaveFollow writes what is known about a target's pull request. Only the holder of the target's lease may.
func (tx *Tx) SaveFollow(ctx context.Context, f fleet.Follow) error {
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, "INSERT INTO follows (target, campaign, ci, deploy, reverted, touched, opened_at, merged_at, merged_by, data) VALUES "+marks(1, 10)+
		" ON CONFLICT (target) DO UPDATE SET ci = excluded.ci, deploy = excluded.deploy, reverted = excluded.reverted, touched = excluded.touched, opened_at = excluded.opened_at, merged_at = excluded.merged_at, merged_by = excluded.merged_by, data = excluded.data",
		f.Target, f.Campaign, f.CI, f.Deploy, bit(f.Reverted), bit(f.Touched), micros(f.OpenedAt), micros(f.MergedAt), f.MergedBy, string(data))
	return err
}

// Followed is a target with what is known about its pull request.
type Followed struct {
	fleet.Target
	Follow fleet.Follow
}

// Followed lists targets in some states together with what is known about their pull requests, by ID, at most limit after a target.
func (s *Store) Followed(ctx context.Context, campaign string, states []fleet.State, after int64, limit int) ([]Followed, error) {
	targets, err := s.Targets(ctx, Filter{Campaign: campaign, States: states, After: after, Limit: limit})
	if err != nil || len(targets) == 0 {
		return nil, err
	}
	all := make([]Followed, len(targets))
	at := make(map[int64]int, len(targets))
	args := make([]any, len(targets))
	for i, t := range targets {
		all[i], at[t.ID], args[i] = Followed{Target: t, Follow: fleet.Follow{Target: t.ID, Campaign: t.Campaign}}, i, t.ID
	}
	follows, err := collect(ctx, s.reader, scanFollow, "SELECT "+followColumns+" FROM follows f WHERE target IN "+marks(1, len(args)), args...)
	for _, f := range follows {
		all[at[f.Target]].Follow = f
	}
	return all, err
}

// Outcome is how many targets of one wave, whose pull requests are or were open, share what is known about them.
type Outcome struct {
	Wave     int
	State    fleet.State
	CI       string
	Deploy   string
	Reverted bool
	Touched  bool
	MergedBy string
	Targets  int
}

// Outcomes sums what is known about a campaign's pull requests.
func (s *Store) Outcomes(ctx context.Context, campaign string) ([]Outcome, error) {
	return collect(ctx, s.reader, func(r rows) (o Outcome, err error) {
		var reverted, touched int64
		err = r.Scan(&o.Wave, &o.State, &o.CI, &o.Deploy, &reverted, &touched, &o.MergedBy, &o.Targets)
		o.Reverted, o.Touched = reverted != 0, touched != 0
		return o, err
	}, "SELECT t.wave, t.state, f.ci, f.deploy, f.reverted, f.touched, f.merged_by, COUNT(*) FROM follows f JOIN targets t ON t.id = f.target WHERE f.campaign = ? GROUP BY t.wave, t.state, f.ci, f.deploy, f.reverted, f.touched, f.merged_by ORDER BY 1, 2, 3, 4, 5, 6, 7", campaign)
}

// History is what became of earlier changes of a component, in all campaigns.
type History struct {
	Merged   int // and stayed
	Reverted int
	Failed   int
}

// History sums up a component's past.
func (s *Store) History(ctx context.Context, component string) (History, error) {
	h, _, err := one(ctx, s.reader, func(r rows) (h History, err error) { err = r.Scan(&h.Merged, &h.Reverted, &h.Failed); return h, err },
		"SELECT CAST(COALESCE(SUM(CASE WHEN t.state = 'merged' AND COALESCE(f.reverted, 0) = 0 THEN 1 ELSE 0 END), 0) AS BIGINT), CAST(COALESCE(SUM(COALESCE(f.reverted, 0)), 0) AS BIGINT), "+
			"CAST(COALESCE(SUM(CASE WHEN t.state = 'failed' THEN 1 ELSE 0 END), 0) AS BIGINT) FROM targets t LEFT JOIN follows f ON f.target = t.id WHERE t.component = ?", component)
	return h, err
}
