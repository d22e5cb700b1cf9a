package store

import (
	"context"
	"slices"
	"time"

	"gaggle/internal/fleet"
)

// medianOf is of how many attempts, the newest ones, AttemptTime takes the median.
const medianOf = 101

// AttemptTime is the median time that a campaign's newest attempts took, of those that ended and were not remembered, and of how many
// it is the median; 0 for none.
func (s *Store) AttemptTime(ctx context.Context, campaign string) (median time.Duration, measured int, err error) {
	// The join is crossed so that SQLite begins with the campaign's targets, not with everybody's attempts.
	took, err := collect(ctx, s.reader, scanInt, "SELECT a.ended_at - a.started_at FROM targets t CROSS JOIN attempts a WHERE a.target = t.id AND t.campaign = ? AND t.attempts > 0"+
		" AND a.state = 'done' AND a.remembered = 0 AND a.ended_at > a.started_at ORDER BY t.id DESC LIMIT ?", campaign, medianOf)
	if err != nil || len(took) == 0 {
		return 0, 0, err
	}
	slices.Sort(took)
	return time.Duration(took[len(took)/2]) * time.Microsecond, len(took), nil
}

// Unopened counts targets of one wave whose pull requests would be on one forge.
type Unopened struct {
	Forge        string
	Wave         int
	Targets      int
	Repositories int // that they are in
}

// Unopened counts a campaign's targets that have no pull request yet and are on their way to one, by forge and wave.
func (s *Store) Unopened(ctx context.Context, campaign string) ([]Unopened, error) {
	return collect(ctx, s.reader, func(r rows) (u Unopened, err error) {
		err = r.Scan(&u.Forge, &u.Wave, &u.Targets, &u.Repositories)
		return u, err
	}, "SELECT COALESCE(r.forge, ''), t.wave, COUNT(*), COUNT(DISTINCT t.repository) FROM targets t LEFT JOIN repositories r ON r.name = t.repository WHERE t.campaign = ? AND t.state IN ('pending', 'queued', 'changing', 'ready')"+
		" GROUP BY COALESCE(r.forge, ''), t.wave ORDER BY 1, 2", campaign)
}

// States is where a campaign's targets are, by component.
func (s *Store) States(ctx context.Context, campaign string) (map[string]fleet.State, error) {
	type row struct {
		component string
		state     fleet.State
	}
	list, err := collect(ctx, s.reader, func(r rows) (x row, err error) { err = r.Scan(&x.component, &x.state); return x, err }, "SELECT component, state FROM targets WHERE campaign = ?", campaign)
	all := make(map[string]fleet.State, len(list))
	for _, x := range list {
		all[x.component] = x.state
	}
	return all, err
}
