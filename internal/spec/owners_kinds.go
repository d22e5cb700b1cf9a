package spec

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// optional is an integer that stays nil where it is not written.
func optional(plain kind) kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			inner, v := *f, 0
			inner.into = &v
			before := len(r.list)
			if plain.read(r, n, &inner); len(r.list) == before {
				*f.into.(**int) = &v
			}
		},
		schema: plain.schema,
	}
}

func dayNames() []string { return []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} }

// weekdays is a list of days of the week.
func weekdays() kind {
	plain := texts()
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			inner := *f
			var names []string
			inner.into = &names
			plain.read(r, n, &inner)
			for _, name := range names {
				*f.into.(*[]time.Weekday) = append(*f.into.(*[]time.Weekday), time.Weekday((slices.Index(f.oneOf, name)+1)%7))
			}
		},
		schema: plain.schema,
	}
}

// clock is a time of day, 00:00 to 24:00; f.max is in minutes.
func clock() kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			hour, minute, ok := strings.Cut(n.Value, ":")
			h, badHour := strconv.ParseUint(hour, 10, 8)
			m, badMinute := strconv.ParseUint(minute, 10, 8)
			if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || !ok || badHour != nil || badMinute != nil || len(hour) > 2 || len(minute) != 2 || m > 59 || float64(60*h+m) > f.max {
				hint := "write hours and minutes from 00:00 to 23:59"
				if f.max == 24*60 {
					hint = "write hours and minutes from 00:00 to 24:00"
				}
				r.add(start(n), hint, "%s is a time of day, not %s", f.path, describe(n))
				return
			}
			d := time.Duration(60*h+m) * time.Minute
			*f.into.(**time.Duration) = &d
		},
		schema: func(*field) map[string]any {
			return map[string]any{"type": "string", "pattern": `^([01]?[0-9]|2[0-4]):[0-5][0-9]$`}
		},
	}
}

// zone is the name of a time zone.
func zone() kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			name, ok := r.text(n, f)
			if !ok {
				return
			}
			location, err := time.LoadLocation(name)
			if err != nil || name == "Local" {
				r.add(start(n), "write a name of the IANA database, such as Europe/Stockholm or UTC", "no time zone is called %s", quote(name))
				return
			}
			*f.into.(**time.Location) = location
		},
		schema: textSchema,
	}
}

// freezes is a list of freezes.
func freezes() kind {
	fields := func(one *freeze) []field {
		return []field{
			{path: "from", kind: dayOrMoment(), into: &one.from, doc: "The first day, such as 2026-12-20, or a moment with its zone."},
			{path: "to", kind: dayOrMoment(), into: &one.to, doc: "The last day, or the moment of the end."},
			{path: "why", kind: text(), into: &one.why, check: checkLine, pattern: linePattern, doc: "The reason, for people."},
		}
	}
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			items, ok := r.items(n, f)
			if !ok {
				return
			}
			for _, item := range items {
				var one freeze
				before := len(r.list)
				r.inside(item, fields(&one))
				switch {
				case len(r.list) > before:
				case !one.from.set && !one.to.set:
					r.add(start(item), "give from, to, or both", "this freeze says no time")
				case one.from.set && one.to.set && one.from.day == one.to.day && one.to.moment.Before(one.from.moment):
					r.add(start(item), "swap from and to", "this freeze ends before it begins")
				default:
					*f.into.(*[]freeze) = append(*f.into.(*[]freeze), one)
				}
			}
		},
		schema: func(*field) map[string]any {
			return map[string]any{"type": "array", "maxItems": maxItems, "items": grow(fields(&freeze{})).schema()}
		},
	}
}

// dayOrMoment is a date, or a time with its offset from UTC.
func dayOrMoment() kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			if n.Kind == yaml.ScalarNode && (n.Tag == "!!timestamp" || n.Tag == "!!str") {
				if t, err := time.Parse(time.DateOnly, n.Value); err == nil {
					*f.into.(*boundary) = boundary{set: true, day: true, moment: t}
					return
				}
				for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
					if t, err := time.Parse(layout, n.Value); err == nil {
						*f.into.(*boundary) = boundary{set: true, moment: t}
						return
					}
				}
			}
			r.add(start(n), "write a day such as 2026-12-20, or a moment with its zone such as 2026-12-20T18:00:00+01:00", "%s is a day, not %s", f.path, describe(n))
		},
		schema: func(*field) map[string]any {
			return map[string]any{"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2}))?$`}
		},
	}
}
