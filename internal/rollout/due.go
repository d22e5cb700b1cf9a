package rollout

import "time"

// Schedule says when something recurs. Next returns the first time after t, or the zero time when none comes.
type Schedule interface{ Next(t time.Time) time.Time }

// Due reports whether a recurring campaign is to be planned and run again now, when it was last at some time (zero for
// never, which makes it due), and when the next time comes after this one. However many times were missed, one run makes up for
// them. A last time that lies ahead, by a clock that was set back, is waited for.
func Due(s Schedule, last, now time.Time) (due bool, next time.Time) {
	if last.IsZero() {
		return true, s.Next(now)
	}
	if next = s.Next(last); next.IsZero() || next.After(now) {
		return false, next
	}
	return true, s.Next(now)
}
