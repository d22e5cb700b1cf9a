package fleet

import (
	"testing"
	"time"
)

func TestHours(t *testing.T) {
	day := func(days ...time.Weekday) []time.Weekday { return days }
	for want, h := range map[string]Hours{
		"always":                          {},
		"daily 09:00-17:30 UTC":           {From: 9 * time.Hour, To: 17*time.Hour + 30*time.Minute},
		"mon-fri 00:00-24:00 UTC":         {Days: day(5, 4, 3, 2, 1), To: 24 * time.Hour},
		"mon,tue,fri-sun 22:00-06:00 UTC": {Days: day(time.Sunday, time.Monday, time.Tuesday, time.Friday, time.Saturday), From: 22 * time.Hour, To: 6 * time.Hour},
		"mon-sun 22:00-06:00 UTC":         {Days: day(0, 1, 2, 3, 4, 5, 6), From: 22 * time.Hour, To: 6 * time.Hour},
		"sat,sun 00:00-00:00 UTC":         {Days: day(0, 6)},
	} {
		if got := h.String(); got != want || h.Always() != (want == "always") {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if !(Hours{Days: day(0, 1, 2, 3, 4, 5, 6), To: 24 * time.Hour}).Always() {
		t.Error("every day from midnight to midnight is always")
	}
}
