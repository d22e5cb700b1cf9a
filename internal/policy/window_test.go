package policy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gaggle/internal/fleet"
)

var workdays = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}

func zone(t interface{ Fatal(...any) }, name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestWindow(t *testing.T) {
	stockholm, apia := zone(t, "Europe/Stockholm"), zone(t, "Pacific/Apia")
	office := fleet.Hours{Days: workdays, From: 9 * time.Hour, To: 17 * time.Hour, Zone: stockholm}
	nights := fleet.Hours{Days: []time.Weekday{time.Friday}, From: 22 * time.Hour, To: 6 * time.Hour, Zone: stockholm}
	gap := fleet.Hours{Days: []time.Weekday{time.Sunday}, From: 2*time.Hour + 10*time.Minute, To: 2*time.Hour + 50*time.Minute, Zone: stockholm}
	late := fleet.Hours{From: 2*time.Hour + 30*time.Minute, To: 4 * time.Hour, Zone: stockholm}
	holidays := fleet.Freeze{From: at("2026-12-20T00:00:00+01:00"), To: at("2027-01-08T00:00:00+01:00"), Why: "holidays"}
	for _, tc := range []struct {
		name    string
		now     string
		hours   fleet.Hours
		freezes []fleet.Freeze
		next    string // "" for never
		why     string // "" for open
	}{
		{"no hours", "2026-11-22T03:00:00Z", fleet.Hours{}, nil, "2026-11-22T03:00:00Z", ""},
		{"within", "2026-11-23T09:00:00+01:00", office, nil, "2026-11-23T09:00:00+01:00", ""},
		{"the end is outside", "2026-11-23T17:00:00+01:00", office, nil, "2026-11-24T09:00:00+01:00", "outside of the owner's hours, mon-fri 09:00-17:00 Europe/Stockholm"},
		{"the moment before", "2026-11-23T08:59:59.999999999+01:00", office, nil, "2026-11-23T09:00:00+01:00", "outside"},
		{"the weekend", "2026-11-20T18:00:00+01:00", office, nil, "2026-11-23T09:00:00+01:00", "outside"},
		{"the weekend in which clocks go forward", "2026-03-27T18:00:00+01:00", office, nil, "2026-03-30T09:00:00+02:00", "outside"},
		{"the weekend in which clocks go back", "2026-10-23T18:00:00+02:00", office, nil, "2026-10-26T09:00:00+01:00", "outside"},
		{"over midnight", "2026-11-21T05:59:00+01:00", nights, nil, "2026-11-21T05:59:00+01:00", ""},
		{"after the night", "2026-11-21T06:00:00+01:00", nights, nil, "2026-11-27T22:00:00+01:00", "outside"},
		{"a window that the clocks skip", "2026-03-29T01:30:00+01:00", gap, nil, "2026-04-05T02:10:00+02:00", "outside"},
		{"a window that the clocks skip into", "2026-03-29T01:30:00+01:00", late, nil, "2026-03-29T03:00:00+02:00", "outside"},
		{"a window that comes twice, first", "2026-10-25T02:05:00+02:00", gap, nil, "2026-10-25T02:10:00+02:00", "outside"},
		{"a window that comes twice, second", "2026-10-25T02:55:00+02:00", gap, nil, "2026-10-25T02:10:00+01:00", "outside"},
		{"a day that never was", "2011-12-29T18:00:00-10:00", fleet.Hours{Days: workdays, From: 9 * time.Hour, To: 17 * time.Hour, Zone: apia}, nil, "2012-01-02T09:00:00+14:00", "outside"},
		{"frozen", "2026-12-21T10:00:00+01:00", office, []fleet.Freeze{holidays}, "2027-01-08T09:00:00+01:00", "frozen until 2027-01-08 00:00 CET: holidays"},
		{"frozen before it opens", "2026-12-18T18:00:00+01:00", office, []fleet.Freeze{holidays}, "2027-01-08T09:00:00+01:00", "outside"},
		{"freezes that overlap", "2026-12-21T10:00:00+01:00", office, []fleet.Freeze{holidays, {From: at("2027-01-05T00:00:00Z"), To: at("2027-01-11T11:30:00Z")}},
			"2027-01-11T12:30:00+01:00", "frozen until 2027-01-08"},
		{"a freeze without an end", "2026-12-21T10:00:00+01:00", office, []fleet.Freeze{holidays, {From: at("2026-12-21T00:00:00Z"), Why: "audit"}}, "", "frozen: audit"},
		{"a freeze without an end, later", "2026-12-21T20:00:00+01:00", office, []fleet.Freeze{{From: at("2026-12-22T00:00:00Z")}}, "", "outside"},
		{"a freeze that is none", "2026-12-21T10:00:00+01:00", office, []fleet.Freeze{{From: holidays.To, To: holidays.From}}, "2026-12-21T10:00:00+01:00", ""},
		{"no such time of day", "2026-12-21T10:00:00+01:00", fleet.Hours{From: 30 * time.Hour, To: 24 * time.Hour}, nil, "", "outside"},
		{"no such day", "2026-12-21T10:00:00+01:00", fleet.Hours{Days: []time.Weekday{9}}, nil, "", "outside"},
	} {
		now := at(tc.now)
		open, next, why := Window(now, tc.hours, tc.freezes)
		want := time.Time{}
		if tc.next != "" {
			want = at(tc.next)
		}
		if !next.Equal(want) || open != (tc.why == "") || !strings.HasPrefix(why, tc.why) || open != (why == "") {
			t.Errorf("%s: %v, %v, %q; want %v, %q", tc.name, open, next, why, want, tc.why)
		}
	}
}

// TestWindowKeepsItsWord: next is open, nothing before it is, and what never opens stays shut. Moments are tried at every
// quarter of an hour, on which all windows, freezes and clock changes here begin and end.
func TestWindowKeepsItsWord(t *testing.T) {
	zones := []*time.Location{nil}
	for _, name := range []string{"Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago", "Africa/Cairo", "Pacific/Apia"} {
		zones = append(zones, zone(t, name))
	}
	// Around changes of the clocks, one of them at midnight, and the day that Apia left out.
	starts := []time.Time{at("2026-03-27T00:00:00Z"), at("2026-10-24T00:00:00Z"), at("2026-09-04T00:00:00Z"), at("2026-04-03T00:00:00Z"), at("2026-04-23T00:00:00Z"), at("2011-12-29T00:00:00Z"), at("2026-06-01T00:00:00Z")}
	const quarter = 15 * time.Minute
	rapid.Check(t, func(t *rapid.T) {
		quarters := func(name string, most int) time.Duration {
			return quarter * time.Duration(rapid.IntRange(0, most).Draw(t, name))
		}
		hours := fleet.Hours{
			Days: rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) time.Weekday { return time.Weekday(rapid.IntRange(0, 6).Draw(t, "day")) }), 0, 7, rapid.ID[time.Weekday]).Draw(t, "days"),
			From: quarters("from", 95), To: quarters("to", 96), Zone: rapid.SampledFrom(zones).Draw(t, "zone"),
		}
		now := rapid.SampledFrom(starts).Draw(t, "start").Add(quarters("now", 96*9))
		freezes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) fleet.Freeze {
			f := fleet.Freeze{From: now.Add(quarters("after", 500) - 200*quarter)}
			if f.To = f.From.Add(quarters("long", 700)); rapid.IntRange(0, 9).Draw(t, "endless") == 0 {
				f.To = time.Time{}
			}
			return f
		}), 0, 4).Draw(t, "freezes")

		// The definition, in other words than the code's: a moment is inside when the window of its day or of the day before holds it.
		inside := func(moment time.Time) bool {
			if slices.ContainsFunc(freezes, func(f fleet.Freeze) bool { return f.Holds(moment) }) {
				return false
			}
			local := moment.In(hours.Location())
			wall := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), 0, 0, time.UTC)
			for back := range 2 {
				day := time.Date(local.Year(), local.Month(), local.Day()-back, 0, 0, 0, 0, time.UTC)
				from, to := day.Add(hours.From), day.Add(hours.To)
				if hours.To <= hours.From {
					to = to.Add(24 * time.Hour)
				}
				if (len(hours.Days) == 0 || slices.Contains(hours.Days, day.Weekday())) && !wall.Before(from) && wall.Before(to) {
					return true
				}
			}
			return false
		}
		open, next, why := Window(now, hours, freezes)
		if open != inside(now) || open != next.Equal(now) || open != (why == "") {
			t.Fatalf("at %v: %v, %v, %q", now, open, next, why)
		}
		end := next
		if next.IsZero() {
			end = now.Add(24 * 60 * time.Hour)
		} else if again, _, _ := Window(next, hours, freezes); !again || !inside(next) {
			t.Fatalf("%v is not open", next)
		}
		for moment := now; moment.Before(end); moment = moment.Add(quarter) {
			if inside(moment) {
				t.Fatalf("%v is open, and before %v", moment, next)
			}
		}
	})
}

func at(text string) time.Time {
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return moment
}

func TestUntil(t *testing.T) {
	next := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for why, want := range map[string]string{
		"outside of the owner's hours, daily 09:00-12:00 UTC": "outside of the owner's hours, daily 09:00-12:00 UTC, until 2026-11-23 09:00 UTC",
		"frozen until 2026-11-23 09:00 UTC: release":          "frozen until 2026-11-23 09:00 UTC: release",
		"frozen until 2026-11-22 21:00 UTC":                   "frozen until 2026-11-22 21:00 UTC, until 2026-11-23 09:00 UTC",
	} {
		if got := Until(why, next); got != want {
			t.Errorf("%q", got)
		}
		if got := Until(why, time.Time{}); got != why {
			t.Errorf("%q", got)
		}
	}
}
