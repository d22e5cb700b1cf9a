package spec

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // a machine without time zones is told the same times
	"unicode"
	"unicode/utf8"

	cron "github.com/netresearch/go-cron"
)

// Schedule is a parsed rollout.schedule. It is safe for concurrent use.
type Schedule struct {
	times cron.Schedule
	zone  *time.Location
}

const cronHint = `write five fields, minute, hour, day of the month, month and day of the week: "0 6 * * mon-fri" is every working day at six`

// searchYears is how far ahead a time is looked for: a 29th of February can be eight years away.
const searchYears = 9

// ParseSchedule reads a cron expression of five fields, in UTC or in the zone that CRON_TZ= in front of them names. As in
// cron, a day is meant when either its number or its weekday fits, if both are restricted. The error, if any, is an
// *Errors whose column counts inside the expression.
func ParseSchedule(text string) (*Schedule, error) {
	s, bad := parseSchedule(text)
	if bad == nil {
		return s, nil
	}
	p := problems{}
	p.add(position{1, bad.offset + 1}, bad.hint, "%s", bad.why)
	return nil, p.err()
}

func checkSchedule(text string) *flaw {
	_, bad := parseSchedule(text)
	return bad
}

// word is a part of a schedule and the character where it starts.
type word struct {
	text   string
	offset int
}

func parseSchedule(text string) (*Schedule, *flaw) {
	if bad := oneLine(text, 200); bad != nil {
		return nil, bad
	}
	var fields []word
	inside := false
	for i, r := range []rune(text) {
		if unicode.IsSpace(r) {
			inside = false
			continue
		}
		if !inside {
			fields, inside = append(fields, word{offset: i}), true
		}
		fields[len(fields)-1].text += string(r)
	}
	zone := time.UTC
	if len(fields) > 0 {
		if name, ok := strings.CutPrefix(fields[0].text, "CRON_TZ="); ok {
			loaded, err := time.LoadLocation(name)
			if err != nil || name == "" || name == "Local" {
				return nil, &flaw{fields[0].offset + len("CRON_TZ="), fmt.Sprintf("%s is not a time zone", quote(name)), "write a name such as UTC, Europe/Berlin or America/New_York"}
			}
			zone, fields = loaded, fields[1:]
		}
	}
	if len(fields) != 5 {
		at := 0
		if len(fields) > 5 {
			at = fields[5].offset
		}
		return nil, &flaw{at, fmt.Sprintf("a schedule has five fields, not %d", len(fields)), cronHint}
	}
	return compileSchedule(fields, zone)
}

// cronField is what one field may be made of; what the library reads besides is left to it alone.
var cronField = regexp.MustCompile(`^(\*|[A-Za-z0-9]+(-[A-Za-z0-9]+)?)(/[0-9]+)?$`)

func compileSchedule(fields []word, zone *time.Location) (*Schedule, *flaw) {
	parser, err := cron.TryNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom)
	if err != nil {
		return nil, &flaw{0, "schedules cannot be read: " + err.Error(), ""}
	}
	parser = parser.WithMaxSearchYears(searchYears)
	whole := make([]string, len(fields))
	for i, f := range fields {
		// The library says what is wrong, but not where, so each field is read alone first.
		alone := []string{"*", "*", "*", "*", "*"}
		alone[i], whole[i] = f.text, f.text
		at := f.offset
		for part := range strings.SplitSeq(f.text, ",") {
			if !cronField.MatchString(part) {
				return nil, &flaw{at, fmt.Sprintf("%s is not %s", quote(part), cronNames[i]), "write *, 5, 1-5, */15, or several of those with commas"}
			}
			alone[i] = part
			if _, err := parser.Parse(strings.Join(alone, " ")); err != nil {
				return nil, &flaw{at, fmt.Sprintf("%s is not %s", quote(part), cronNames[i]), cronBounds[i]}
			}
			at += utf8.RuneCountInString(part) + 1
		}
	}
	times, err := parser.Parse(strings.Join(whole, " "))
	if err != nil {
		return nil, &flaw{fields[0].offset, "not a schedule: " + clip(err.Error()), cronHint}
	}
	s := &Schedule{times, zone}
	if s.Next(time.Unix(0, 0)).IsZero() {
		return nil, &flaw{fields[2].offset, "this day never comes", "no month of those has it"}
	}
	return s, nil
}

// What the fields are called, and what they hold.
var (
	cronNames  = [...]string{"a minute", "an hour", "a day of the month", "a month", "a day of the week"}
	cronBounds = [...]string{"from 0 to 59", "from 0 to 23", "from 1 to 31", "from 1 to 12, or jan to dec", "from 0 (Sunday) to 7 (Sunday), or sun to sat"}
)

// Next returns the first time after t, in UTC, or the zero time when none comes within nine years. A time that the clocks
// skip in spring is the end of the gap; one that they repeat in autumn comes once.
func (s *Schedule) Next(t time.Time) time.Time {
	// The library reckons in a zone without gaps, because where midnight is skipped it would skip the day.
	for wall := onTheWall(t.In(s.zone)); ; {
		if wall = s.times.Next(wall); wall.IsZero() {
			return wall
		}
		if at := s.when(wall); at.After(t) {
			return at.UTC()
		}
	}
}

// onTheWall is what a clock shows, as if it stood in UTC.
func onTheWall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// when returns the moment at which a clock in the schedule's zone first shows a time, or has just skipped it.
func (s *Schedule) when(wall time.Time) time.Time {
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, s.zone)
	since, until := at.ZoneBounds()
	switch shown := onTheWall(at); {
	case shown.Before(wall):
		return until
	case shown.After(wall):
		return since
	}
	if since.IsZero() {
		return at
	}
	_, now := at.Zone()
	_, before := since.Add(-1).Zone()
	if earlier := at.Add(time.Duration(now-before) * time.Second); onTheWall(earlier.In(s.zone)).Equal(wall) && earlier.Before(at) {
		return earlier
	}
	return at
}
