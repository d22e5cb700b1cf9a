package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Hours are the times of the week at which an owner may be disturbed, by the clock on the owner's wall. Its zero value
// is always.
type Hours struct {
	Days []time.Weekday // none: every day
	// From and To are times of day, counted from midnight as clocks show them: from 0 up to 24 hours. A window whose To is
	// not after its From ends on the day after; one whose From and To are equal lasts a whole day.
	From, To time.Duration
	Zone     *time.Location // nil: UTC
}

// Location returns the zone, never nil.
func (h Hours) Location() *time.Location {
	if h.Zone == nil {
		return time.UTC
	}
	return h.Zone
}

// Always reports whether the hours restrict nothing.
func (h Hours) Always() bool {
	every := len(h.Days) == 0
	if !every {
		every = true
		for d := time.Sunday; d <= time.Saturday; d++ {
			every = every && slices.Contains(h.Days, d)
		}
	}
	return every && (h.From == h.To || h.From == 0 && h.To >= 24*time.Hour)
}

// String renders "mon-fri 09:00-17:00 Europe/Stockholm", or "always".
func (h Hours) String() string {
	if h.Always() {
		return "always"
	}
	days := "daily"
	if len(h.Days) > 0 {
		days = weekdays(h.Days)
	}
	clock := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", d/time.Hour, d%time.Hour/time.Minute) }
	return days + " " + clock(h.From) + "-" + clock(h.To) + " " + h.Location().String()
}

// weekdays renders days from Monday on, three or more in a row as a range.
func weekdays(days []time.Weekday) string {
	name := func(i int) string { return strings.ToLower(time.Weekday((i + 1) % 7).String()[:3]) } // 0 is Monday
	has := func(i int) bool { return i < 7 && slices.Contains(days, time.Weekday((i+1)%7)) }
	var parts []string
	for i := 0; i < 7; i++ {
		if !has(i) {
			continue
		}
		last := i
		for has(last + 1) {
			last++
		}
		if last-i < 2 {
			parts = append(parts, name(i))
			continue
		}
		parts = append(parts, name(i)+"-"+name(last))
		i = last
	}
	return strings.Join(parts, ",")
}

// Freeze is a time in which an owner is left alone. It holds From and everything up to To, which it does not hold.
type Freeze struct {
	From, To time.Time // zero: since ever, without an end
	Why      string    // for people; may be empty
}

// Holds reports whether the freeze covers a moment.
func (f Freeze) Holds(t time.Time) bool {
	return !t.Before(f.From) && (f.To.IsZero() || t.Before(f.To))
}
