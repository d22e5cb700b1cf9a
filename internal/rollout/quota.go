package rollout

import "time"

// Quota is a limit of a forge on what a campaign has to do there: so many units in each window of time. The zero Quota
// limits nothing.
type Quota struct {
	What   string        // what the units are, in the plural
	Each   int           // units that one pull request takes; at least 1
	Limit  int           // units in a window; 0 for no limit
	Window time.Duration // windows follow each other without a gap
	Left   int           // units left in the window that is under way
	Reset  time.Time     // when that one ends; zero when none is under way
}

// take takes units from a time on, and returns when the last of them can be had.
func (q *Quota) take(n int, from time.Time) time.Time {
	if n <= 0 || q.Limit <= 0 || q.Window <= 0 {
		return from
	}
	q.open(from)
	if n <= q.Left {
		q.Left -= n
		return from
	}
	n -= max(q.Left, 0)
	windows := (n + q.Limit - 1) / q.Limit // those that begin after this one, all but the last of them full
	begins := q.Reset.Add(time.Duration(windows-1) * q.Window)
	q.Left, q.Reset = windows*q.Limit-n, begins.Add(q.Window)
	return begins
}

// open has the window under way be the one that a time is in.
func (q *Quota) open(at time.Time) {
	if q.Limit <= 0 || q.Window <= 0 || at.Before(q.Reset) {
		return
	}
	passed := time.Duration(0)
	if !q.Reset.IsZero() {
		passed = at.Sub(q.Reset) % q.Window
	}
	q.Left, q.Reset = q.Limit, at.Add(q.Window-passed)
}

// pulls is how many pull requests a number of units is good for.
func (q Quota) pulls(units int) int { return max(units, 0) / max(q.Each, 1) }

// begun says whether something of the window that is under way at a time has been taken.
func (q Quota) begun(at time.Time) bool { return at.Before(q.Reset) && q.Left < q.Limit }
