package spec

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSchedule(t *testing.T) {
	for _, tc := range []struct{ schedule, after, want string }{
		{"0 6 * * *", "2026-03-02T06:00:00Z", "2026-03-03T06:00:00Z"},
		{"0 6 * * *", "2026-03-02T05:59:59.999999999Z", "2026-03-02T06:00:00Z"},
		{"*/15 9-17 * * mon-fri", "2026-03-06T17:45:00Z", "2026-03-09T09:00:00Z"},
		{"  30   4 1,15 * *  ", "2026-03-02T00:00:00Z", "2026-03-15T04:30:00Z"},
		{"0 0 13 * FRI", "2026-03-02T00:00:00Z", "2026-03-06T00:00:00Z"}, // either day will do
		{"0 0 29 feb *", "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"},
		{"0 0 * * 7", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z"},
		{"CRON_TZ=Europe/Berlin 0 6 * * *", "2026-03-28T06:00:00Z", "2026-03-29T04:00:00Z"},
		{"CRON_TZ=America/New_York 30 2 * * *", "2026-03-08T00:00:00Z", "2026-03-08T07:00:00Z"}, // 02:30 is skipped: 03:00
		{"CRON_TZ=America/New_York 30 2 * * *", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"},
		{"CRON_TZ=America/New_York 30 1 * * *", "2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z"}, // 01:30 comes twice
		{"CRON_TZ=America/New_York 30 1 * * *", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"}, // and counts once
		{"CRON_TZ=America/New_York 30 * * * *", "2026-11-01T05:30:00Z", "2026-11-01T07:30:00Z"},
		{"CRON_TZ=America/New_York 30 * * * *", "2026-11-01T06:10:00Z", "2026-11-01T07:30:00Z"},
		{"CRON_TZ=Africa/Cairo 30 0 24 4 *", "2026-01-01T00:00:00Z", "2026-04-23T22:00:00Z"},       // midnight is skipped: 01:00
		{"CRON_TZ=Pacific/Apia 0 12 30 12 *", "2011-12-01T00:00:00Z", "2011-12-30T10:00:00Z"},      // the day is skipped
		{"CRON_TZ=Australia/Lord_Howe 15 2 * * *", "2026-10-03T00:00:00Z", "2026-10-03T15:30:00Z"}, // set forward by half an hour
		{"CRON_TZ=Australia/Lord_Howe 45 1 * * *", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"}, // and back
	} {
		s, err := ParseSchedule(tc.schedule)
		if err != nil {
			t.Errorf("%s: %v", tc.schedule, err)
			continue
		}
		after, _ := time.Parse(time.RFC3339Nano, tc.after)
		if got := s.Next(after).Format(time.RFC3339Nano); got != tc.want {
			t.Errorf("%s after %s is %s, want %s", tc.schedule, tc.after, got, tc.want)
		}
	}
}

func TestScheduleIsRefused(t *testing.T) {
	for schedule, want := range map[string]string{
		"":                               "1:1: a schedule has five fields, not 0",
		"@daily":                         "1:1: a schedule has five fields, not 1",
		"* * * *":                        "1:1: a schedule has five fields, not 4",
		"0 0 6 * * *":                    "1:11: a schedule has five fields, not 6",
		"60 0 * * *":                     `1:1: "60" is not a minute`,
		"0 24 * * *":                     `1:3: "24" is not an hour`,
		"0 0 1,32 * *":                   `1:7: "32" is not a day of the month`,
		"0 0 L * *":                      `1:5: "L" is not a day of the month`,
		"0 0 * 13 *":                     `1:7: "13" is not a month`,
		"0 0 * * mon,someday":            `1:13: "someday" is not a day of the week`,
		"0 0 * * FRI#2":                  `1:9: "FRI#2" is not a day of the week`,
		"H 0 * * *":                      `1:1: "H" is not a minute`,
		"*/0 0 * * *":                    `1:1: "*/0" is not a minute`,
		"1- 0 * * *":                     `1:1: "1-" is not a minute`,
		"0, 0 * * *":                     `1:3: "" is not a minute`,
		"-5 0 * * *":                     `1:1: "-5" is not a minute`,
		"0 0 30 2 *":                     "1:5: this day never comes",
		"CRON_TZ=Mars/Olympus 0 0 * * *": `1:9: "Mars/Olympus" is not a time zone`,
		"CRON_TZ=Local 0 0 * * *":        `1:9: "Local" is not a time zone`,
		"CRON_TZ= 0 0 * * *":             `1:9: "" is not a time zone`,
		"CRON_TZ=../../etc 0 0 * * *":    `1:9: "../../etc" is not a time zone`,
		"TZ=UTC 0 0 * * *":               `1:16: a schedule has five fields, not 6`,
		"0 0 *\n* *":                     "1:6: one line is expected here",
		strings.Repeat("0 ", 200):        "1:201: at most 200 characters",
		"99999999999999999999 0 * * *":   `1:1: "99999999999999999999" is not a minute`,
	} {
		_, err := ParseSchedule(schedule)
		var all *Errors
		if !errors.As(err, &all) {
			t.Errorf("%q: error %v", schedule, err)
			continue
		}
		e := all.List[0]
		if got := fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message); !strings.HasPrefix(got, want) || e.Hint == "" {
			t.Errorf("%q: got %s (%s), want %s", schedule, got, e.Hint, want)
		}
	}
}

// zones have gaps and repetitions of all kinds: at midnight, by half an hour, by a whole day.
var zones = []string{"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Beirut", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"}

// TestScheduleByTheClock walks from minute to minute beside Next.
func TestScheduleByTheClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		minute, hour := rapid.IntRange(0, 59).Draw(t, "minute"), rapid.IntRange(-1, 23).Draw(t, "hour")
		weekday := rapid.IntRange(-1, 6).Draw(t, "weekday")
		text := func(n int) string {
			if n < 0 {
				return "*"
			}
			return fmt.Sprint(n)
		}
		s, err := ParseSchedule(fmt.Sprintf("CRON_TZ=%s %d %s * * %s", zone, minute, text(hour), text(weekday)))
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "after"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		for range 3 {
			next := s.Next(at)
			if !next.After(at) || next.Sub(at) > 15*24*time.Hour {
				t.Fatalf("%v comes after %v", next, at)
			}
			if s.Next(next.Add(-1)) != next {
				t.Fatalf("%v comes after %v, but not after the moment before it", next, at)
			}
			start, end := at.In(zone).ZoneBounds()
			if !start.IsZero() && at.Sub(start) < 2*24*time.Hour || !end.IsZero() && end.Sub(next) < 2*24*time.Hour {
				return // clocks are set: what happens then is in TestSchedule
			}
			for then := at.Truncate(time.Minute).Add(time.Minute); !then.After(next); then = then.Add(time.Minute) {
				local := then.In(zone)
				fits := local.Minute() == minute && (hour < 0 || local.Hour() == hour) && (weekday < 0 || int(local.Weekday()) == weekday)
				if fits != then.Equal(next) {
					t.Fatalf("%s at %v: %v, next is %v", text(hour), local, fits, next)
				}
			}
			at = next
		}
	})
}

func FuzzParseSchedule(f *testing.F) {
	for _, text := range []string{"0 6 * * mon-fri", "CRON_TZ=Europe/Berlin */15 22-4/2 1,15 jan-mar *", "* * 31 2 *", "0 0 L * FRI#2", "CRON_TZ= "} {
		f.Add(text, int64(1_700_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		s, err := ParseSchedule(text)
		if err != nil {
			placed(t, err, []byte(text))
			return
		}
		at := time.Unix(unix%10_000_000_000, 0)
		if next := s.Next(at); !next.After(at) {
			t.Errorf("%q after %v is %v", text, at, next)
		}
	})
}
