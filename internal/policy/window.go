package policy

import (
	"slices"
	"strings"
	"time"

	"gaggle/internal/fleet"
)

// horizon is how far ahead a window is looked for. Every week has the same windows but for one that a change of the
// clocks swallows, so one that is not found by then never opens.
const horizon = 28 * day

const day = 24 * time.Hour // by the clock

// Window says whether an owner may be disturbed now, and if not, when next and why not. The hours are read by the
// clock in their zone: a window that a change of the clocks swallows does not open that day, and one that happens twice
// opens twice. next is now when it is open, and zero when it never opens again as things stand.
func Window(now time.Time, hours fleet.Hours, freezes []fleet.Freeze) (open bool, next time.Time, why string) {
	now = now.In(hours.Location())
	next = now
	for {
		if f, frozen := latest(next, freezes); frozen {
			if why == "" {
				why = sayFreeze(f, hours.Location())
			}
			if f.To.IsZero() {
				return false, time.Time{}, why
			}
			next = f.To.In(hours.Location())
			continue
		}
		if within(next, hours) {
			return next.Equal(now), next, why
		}
		if why == "" {
			why = "outside of the owner's hours, " + hours.String()
		}
		after, ok := opens(next, hours)
		if !ok {
			return false, time.Time{}, why
		}
		next = after
	}
}

// Until says why an owner is left alone and until when, by what Window returns.
func Until(why string, next time.Time) string {
	end := next.Format(toTheMinute)
	if next.IsZero() || strings.Contains(why, end) {
		return why
	}
	return why + ", until " + end
}

const toTheMinute = "2006-01-02 15:04 MST"

// latest returns the freeze that holds a moment and ends last.
func latest(t time.Time, freezes []fleet.Freeze) (last fleet.Freeze, frozen bool) {
	for _, f := range freezes {
		if !f.Holds(t) {
			continue
		}
		if !frozen || !last.To.IsZero() && (f.To.IsZero() || f.To.After(last.To)) {
			last, frozen = f, true
		}
	}
	return last, frozen
}

func sayFreeze(f fleet.Freeze, zone *time.Location) string {
	why := "frozen"
	if !f.To.IsZero() {
		why += " until " + f.To.In(zone).Format(toTheMinute)
	}
	if f.Why != "" {
		why += ": " + f.Why
	}
	return why
}

// within reports whether the clock in the hours' zone shows a time inside of them.
func within(t time.Time, h fleet.Hours) bool {
	if h.From < 0 || h.From >= day || h.To < 0 || h.To > day {
		return false
	}
	t = t.In(h.Location())
	clock := timeOfDay(t)
	if h.From < h.To {
		return onDay(h, t.Weekday()) && clock >= h.From && clock < h.To
	}
	return onDay(h, t.Weekday()) && clock >= h.From || onDay(h, (t.Weekday()+6)%7) && clock < h.To
}

func onDay(h fleet.Hours, d time.Weekday) bool { return len(h.Days) == 0 || slices.Contains(h.Days, d) }

func timeOfDay(t time.Time) time.Duration {
	hour, minute, second := t.Clock()
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + time.Duration(t.Nanosecond())
}

// opens returns the first moment after t, which is outside, that is inside of the hours. Within a period in which the
// zone keeps its offset that is when the clock shows From, or the period's first moment, where the clock may have
// jumped into a window.
func opens(t time.Time, h fleet.Hours) (time.Time, bool) {
	end := t.Add(horizon)
	for {
		_, change := t.ZoneBounds()
		last := change.IsZero() || change.After(end)
		if last {
			change = end
		}
		_, offset := t.Zone()
		wall := t.Add(time.Duration(offset) * time.Second).UTC() // what the clock shows
		midnight := time.Date(wall.Year(), wall.Month(), wall.Day(), 0, 0, 0, 0, time.UTC)
		for from := midnight.Add(h.From); ; from = from.Add(day) {
			at := from.Add(-time.Duration(offset) * time.Second).In(h.Location())
			if !at.Before(change) {
				break
			}
			if at.After(t) && within(at, h) {
				return at, true
			}
		}
		if last {
			return time.Time{}, false
		}
		if t = change.In(h.Location()); within(t, h) {
			return t, true
		}
	}
}
