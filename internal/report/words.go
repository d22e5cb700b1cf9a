package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What stands for an owner that is not known.
const noOwner = "(not known)"

func ownerName(s string) string {
	if s == "" {
		return noOwner
	}
	return s
}

// duration renders a length of time in its two largest units: "40s", "12m", "5h 12m", "3d 4h".
func duration(d time.Duration) string {
	two := func(big, small time.Duration, bigName, smallName string) string {
		s := fmt.Sprintf("%d%s", d/big, bigName)
		if rest := d % big / small; rest > 0 {
			s += fmt.Sprintf(" %d%s", rest, smallName)
		}
		return s
	}
	const day = 24 * time.Hour
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < day:
		return two(time.Hour, time.Minute, "h", "m")
	}
	return two(day, time.Hour, "d", "h")
}

func seconds(s int64) string { return duration(time.Duration(s) * time.Second) }

// minutes renders people's time: "40 minutes", "16 hours".
func minutes(m float64) string {
	if m < 90 {
		return plural(int(math.Round(m)), "minute")
	}
	return plural(int(math.Round(m/60)), "hour")
}

// ago renders how long something has lasted, or "" when its beginning is not known.
func ago(now, since time.Time) string {
	if since.IsZero() {
		return ""
	}
	return duration(now.Sub(since))
}

func moment(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone).Format("2006-01-02 15:04 MST")
}

// decimal renders a small mean: 1, 1.5, 2.33.
func decimal(f float64) string { return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64) }

// percent renders a ratio as "95%", with as many digits as it takes not to read as none or all when it is neither.
func percent(r Ratio) string {
	p := math.Round(r.Share() * 100)
	switch {
	case r.Of == 0:
		return "none yet"
	case p == 100 && r.N < r.Of:
		return "over 99%"
	case p == 0 && r.N > 0:
		return "under 1%"
	}
	return strconv.Itoa(int(p)) + "%"
}

// number groups the digits of large numbers by narrow spaces: 12 345.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	if n < 10_000 && n > -10_000 {
		return s
	}
	var out strings.Builder
	for i, r := range s {
		if i > 0 && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			out.WriteRune('\u202f')
		}
		out.WriteRune(r)
	}
	return out.String()
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(int64(n)) + " " + what + "s"
}

// line makes one line of any text: white space becomes one space, and what cannot be seen or turns the direction of
// writing goes away.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r):
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// paragraphs are the first of a longer text, a line each.
func paragraphs(s string) []string {
	const most = 3
	var list []string
	for p := range strings.SplitSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n\n") {
		if p = clip(line(p), 500); p != "" && len(list) < most {
			list = append(list, p)
		}
	}
	return list
}

// headline is the first paragraph of a longer text.
func headline(s string) string {
	if all := paragraphs(s); len(all) > 0 {
		return clip(all[0], 300)
	}
	return ""
}

// waveName is what a wave is called, with whether it is open where it is not.
func waveName(w Wave) string {
	s := fmt.Sprint(w.Number)
	if name := clip(line(w.Name), 60); name != "" {
		s += " " + name
	}
	if !w.Opened {
		s += " (not open)"
	}
	return s
}

// clip shortens a line to so many characters.
func clip(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// short leaves the kind and the default namespace out of a reference, as the command line does.
func short(ref string) string {
	_, name, _ := strings.Cut(ref, ":")
	if name = strings.TrimPrefix(name, "default/"); line(name) == "" {
		return ref
	}
	return name
}
