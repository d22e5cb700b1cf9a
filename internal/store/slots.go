package store

import (
	"context"
	"fmt"

	"gaggle/internal/fleet"
)

// SlotLimits bounds the pull requests that are open at once over all campaigns; 0 is no limit.
type SlotLimits struct {
	PerOwner      int
	PerRepository int
}

// TakeSlot gives a ready target its place among the pull requests that may be open at once, or says why it has to wait. A
// target that has a place keeps it. Targets of campaigns with a higher priority that wait for the same owner or
// repository go first.
func (tx *Tx) TakeSlot(ctx context.Context, t fleet.Target, limits SlotLimits) (held string, err error) {
	if limits.PerOwner > 0 || limits.PerRepository > 0 {
		if tx.shared { // counting and taking are one step
			if _, err := tx.exec(ctx, "SELECT pg_advisory_xact_lock(CAST(? AS BIGINT))", int64(0x736c_6f74)); err != nil {
				return "", err
			}
		}
		if mine, _, err := one(ctx, tx, scanInt, "SELECT slot FROM targets WHERE id = ?", t.ID); err != nil || mine == 1 {
			return "", err
		}
		for _, l := range []struct {
			column, value, who string
			most               int
		}{{"owner", t.Owner, t.Owner, limits.PerOwner}, {"repository", t.Repository, "repository " + t.Repository, limits.PerRepository}} {
			if l.most <= 0 || l.value == "" {
				continue
			}
			open, _, err := one(ctx, tx, scanInt, "SELECT COUNT(*) FROM targets WHERE slot = 1 AND "+l.column+" = ?", l.value)
			if err != nil {
				return "", err
			}
			if open >= int64(l.most) {
				return fmt.Sprintf("%s has %s, the limit is %d", l.who, pulls(open, "open"), l.most), nil
			}
			first, _, err := one(ctx, tx, scanInt, "SELECT COUNT(*) FROM targets t JOIN campaigns c ON c.name = t.campaign WHERE t.held <> '' AND t.id <> ? AND c.state = 'active' AND t."+l.column+
				" = ? AND c.priority > (SELECT priority FROM campaigns WHERE name = ?)", t.ID, l.value, t.Campaign)
			if err != nil {
				return "", err
			}
			if open+first >= int64(l.most) {
				return fmt.Sprintf("%s has room for %s, and campaigns of a higher priority wait with %d", l.who, pulls(int64(l.most)-open, "more"), first), nil
			}
		}
	}
	_, err = tx.exec(ctx, "UPDATE targets SET slot = 1, held = '' WHERE id = ?", t.ID)
	return "", err
}

func pulls(n int64, which string) string {
	if n == 1 {
		return "1 " + which + " pull request"
	}
	return fmt.Sprintf("%d %s pull requests", n, which)
}

// Hold notes why a ready target waits, and returns whether that is news.
func (tx *Tx) Hold(ctx context.Context, target int64, why string) (bool, error) {
	n, err := tx.exec(ctx, "UPDATE targets SET held = ? WHERE id = ? AND state = ? AND held <> ?", why, target, string(fleet.Ready), why)
	return n > 0, err
}

// Held lists a campaign's ready targets that wait although their waves are open, in the order in which they may go on, at most
// limit after a target.
func (s *Store) Held(ctx context.Context, campaign string, after fleet.Target, limit int) ([]fleet.Target, error) {
	return collect(ctx, s.reader, scanTarget, "SELECT "+targetColumns+" FROM targets WHERE campaign = ? AND held <> '' AND state = 'ready' AND (wave > ? OR wave = ? AND id > ?) ORDER BY wave, id LIMIT ?",
		campaign, after.Wave, after.Wave, after.ID, limit)
}

// HeldBack is how many ready targets of a campaign wait for one reason, although their waves are open.
type HeldBack struct {
	Campaign string `json:"-"`
	Why      string `json:"why"`
	Targets  int    `json:"targets"`
	Example  string `json:"example"` // the first component by name
}

// HeldBack sums up what waits, the most frequent reasons first; an empty name sums up all campaigns.
func (s *Store) HeldBack(ctx context.Context, campaign string) ([]HeldBack, error) {
	where, args := "", []any{}
	if campaign != "" {
		where, args = " AND campaign = ?", append(args, campaign)
	}
	return collect(ctx, s.reader, func(r rows) (h HeldBack, err error) {
		err = r.Scan(&h.Campaign, &h.Why, &h.Targets, &h.Example)
		return h, err
	},
		"SELECT campaign, held, COUNT(*), MIN(component) FROM targets WHERE held <> '' AND state = 'ready'"+where+" GROUP BY campaign, held ORDER BY COUNT(*) DESC, held", args...)
}

// OpenPulls counts by owner the pull requests that count against the limits.
func (s *Store) OpenPulls(ctx context.Context) (map[string]int, error) {
	type row struct {
		owner string
		n     int
	}
	list, err := collect(ctx, s.reader, func(r rows) (o row, err error) { err = r.Scan(&o.owner, &o.n); return o, err }, "SELECT owner, COUNT(*) FROM targets WHERE slot = 1 GROUP BY owner")
	open := make(map[string]int, len(list))
	for _, o := range list {
		open[o.owner] = o.n
	}
	return open, err
}

// HeldCount is how many ready targets of the campaign wait although their waves are open.
func (s *Store) HeldCount(ctx context.Context, campaign string) (int, error) {
	n, _, err := one(ctx, s.reader, scanInt, "SELECT COUNT(*) FROM targets WHERE campaign = ? AND held <> '' AND state = 'ready'", campaign)
	return int(n), err
}
