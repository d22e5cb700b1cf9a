package rollout

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// times is a schedule that is a sorted list.
type times []time.Time

func (s times) Next(t time.Time) time.Time {
	for _, at := range s {
		if at.After(t) {
			return at
		}
	}
	return time.Time{}
}

func TestDue(t *testing.T) {
	at := func(h int) time.Time { return noon.Add(time.Duration(h) * time.Hour) }
	s := times{at(1), at(2), at(5)}
	for _, tc := range []struct {
		last, now time.Time
		due       bool
		next      time.Time
	}{
		{time.Time{}, at(0), true, at(1)},
		{at(0), at(0), false, at(1)},
		{at(0), at(1), true, at(2)},
		{at(1), at(1), false, at(2)},
		{at(0), at(3), true, at(5)}, // two were missed
		{at(3), at(4), false, at(5)},
		{at(6), at(7), false, time.Time{}},
		{at(3), at(5), true, time.Time{}},
		{at(3), at(0), false, at(5)}, // the clock was set back
	} {
		if due, next := Due(s, tc.last, tc.now); due != tc.due || !next.Equal(tc.next) {
			t.Errorf("last %v, now %v: %v, next %v; want %v, %v", tc.last, tc.now, due, next, tc.due, tc.next)
		}
	}
}

func TestDueOnceForEveryTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s times
		for _, minutes := range rapid.SliceOfNDistinct(rapid.IntRange(1, 500), 0, 20, rapid.ID).Draw(t, "minutes") {
			s = append(s, noon.Add(time.Duration(minutes)*time.Minute))
		}
		slices.SortFunc(s, time.Time.Compare)
		last, now := noon, noon
		for range 40 {
			due, next := Due(s, last, now)
			missed := slices.ContainsFunc(s, func(at time.Time) bool { return at.After(last) && !at.After(now) })
			if due != missed {
				t.Fatalf("due %v at %v after %v: %v", due, now, last, s)
			}
			if due {
				if last = now; !next.IsZero() && !next.After(now) {
					t.Fatalf("the next time after %v is %v", now, next)
				}
				if again, same := Due(s, last, now); again || !same.Equal(next) {
					t.Fatalf("due again at %v, next %v and %v", now, next, same)
				}
			}
			if !next.IsZero() {
				if early, _ := Due(s, last, next.Add(-1)); early {
					t.Fatalf("due before %v", next)
				}
				if then, _ := Due(s, last, next); !then {
					t.Fatalf("not due at %v", next)
				}
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "later")) * time.Minute)
		}
	})
}
