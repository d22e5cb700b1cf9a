package transport

import (
	"maps"
	"slices"
	"time"
)

// Standing is what is known of the limits that a credential is under, and how far they are used.
type Standing struct {
	Closed  time.Time // the host wants no calls before this time; zero when it takes them
	Budgets []Used    // of calls, as the host told them; none when it tells nothing
	Paces   []Used    // of what is made or changed
}

// Used is a limit of so many in a window of time.
type Used struct {
	Limit  int
	Window time.Duration
	Left   int       // in the window that is under way
	Reset  time.Time // when that one ends; zero when none has begun
}

// ReadStanding reads what the limiters of a credential keep in their books.
func ReadStanding(kept string, limits Limits, now time.Time) Standing {
	b := readLedger(kept)
	var s Standing
	if now.Before(b.Closed) {
		s.Closed = b.Closed
	}
	for _, name := range slices.Sorted(maps.Keys(b.Pools)) {
		p := b.Pools[name]
		if p.Limit <= 0 || p.Refills {
			continue
		}
		reserve := limits.reserve(p.Limit)
		u := Used{Limit: p.Limit - reserve, Window: time.Hour}
		if p.Window > 0 {
			u.Window = p.Window
		}
		if p.known(now) {
			u.Left, u.Reset = max(p.Low-reserve, 0), p.Reset
		}
		s.Budgets = append(s.Budgets, u)
	}
	if len(s.Budgets) == 0 && limits.CallsPerHour > 0 {
		s.Budgets = append(s.Budgets, Used{Limit: limits.CallsPerHour, Window: time.Hour})
	}
	b.prune(now)
	for _, pace := range limits.paces() {
		u := Used{Limit: pace.most, Window: pace.window}
		made := 0
		for _, m := range b.Made {
			if m.At.After(now.Add(-pace.window)) {
				if made == 0 {
					u.Reset = m.At.Add(pace.window)
				}
				made += m.N
			}
		}
		if made > 0 {
			u.Left = max(pace.most-made, 0)
		}
		s.Paces = append(s.Paces, u)
	}
	return s
}
