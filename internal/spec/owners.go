package spec

import (
	"maps"
	"slices"
	"time"

	"gaggle/internal/fleet"
)

// OwnersFile is the name of the file in the data folder by which an organisation keeps its owners' time.
const OwnersFile = "owners.yaml"

// Owners is an organisation's policy about its owners' time, over all campaigns. nil is one that restricts nothing.
type Owners struct {
	all   ownerSettings
	named map[string]ownerSettings // by reference in full
}

// OwnerRules is what holds for one owner.
type OwnerRules struct {
	PerOwner      int // pull requests of the owner that may be open at once; 0: any number
	PerRepository int // of one repository
	Hours         fleet.Hours
	Freezes       []fleet.Freeze // the organisation's, then the owner's own
	Merge         string         // the most that Gaggle may do by itself: never, approved; "" for whatever the campaign says
}

// For returns what holds for an owner: a reference as people write it, where a name alone is a group, or "" for
// components that nobody owns. What an owner's entry does not say holds as it does for all; freezes add up.
func (o *Owners) For(owner string) OwnerRules {
	if o == nil {
		return OwnerRules{}
	}
	s := ownerSettings{}
	if owner != "" {
		s = o.named[normalRef(owner, "group")]
	}
	return s.over(o.all).rules()
}

// Named lists the owners that have an entry of their own, by reference in full, sorted.
func (o *Owners) Named() []string {
	if o == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(o.named))
}

// ParseOwners reads an owners.yaml; file is what errors call it. An empty one restricts nothing. The error, if any, is an *Errors.
func ParseOwners(file string, data []byte) (*Owners, error) {
	r := &reader{problems: problems{file: file}}
	root, src := document(&r.problems, data)
	o := &Owners{}
	if root == nil {
		return o, r.err()
	}
	r.src = src
	r.read(root, ownersFields(o, &header{}))
	if err := r.err(); err != nil {
		return nil, err
	}
	return o, nil
}

// ownerSettings is what the file says for all owners, or for one. A nil pointer is a key that is not written.
type ownerSettings struct {
	perOwner, perRepository *int
	days                    []time.Weekday
	from, to                *time.Duration
	zone                    *time.Location
	freezes                 []freeze
	merge                   string
}

// ownersFields is the table of an owners.yaml.
func ownersFields(o *Owners, h *header) []field {
	fields := append(headerFields(h, "Owners", "The kind of file.", false), ownerFields(&o.all)...)
	named := func(s *ownerSettings) []field {
		return append(ownerFields(s), field{path: "merge", kind: text(), into: &s.merge, oneOf: []string{"never", "approved"},
			doc: "The most that Gaggle may merge of this owner's: never anything, or only what a person approved. Defaults to what a campaign says."})
	}
	normal := func(s string) string { return normalRef(s, "group") }
	return append(fields, field{path: "owners", kind: perName("an owner", normal, named), into: &o.named, check: checkRef, pattern: `^\S+$`,
		doc: "What holds for single owners, by entity reference such as group:default/payments; a name alone is a group. What is not written here holds as for all; freezes add up."})
}

func ownerFields(s *ownerSettings) []field {
	return []field{
		{path: "limits", kind: group(), doc: "Pull requests that may be open at once, over all campaigns."},
		{path: "limits.perOwner", kind: optional(integer()), into: &s.perOwner, max: 1_000_000, doc: "Of one owner. 0 is no limit, as is leaving it out."},
		{path: "limits.perRepository", kind: optional(integer()), into: &s.perRepository, max: 1_000_000, doc: "Of one repository. 0 is no limit, as is leaving it out."},
		{path: "hours", kind: group(), doc: "When an owner may be disturbed: pull requests are opened and merged, and people asked, only then. Defaults to always."},
		{path: "hours.days", kind: weekdays(), into: &s.days, min: 1, oneOf: dayNames(), doc: "Days of the week: mon, tue, wed, thu, fri, sat, sun. Defaults to all."},
		{path: "hours.from", kind: clock(), into: &s.from, max: 24*60 - 1, doc: "The time of day at which the hours begin, such as 09:00. Defaults to 00:00."},
		{path: "hours.to", kind: clock(), into: &s.to, max: 24 * 60, doc: "The time of day at which they end; on the day after where it is not after from. Defaults to 24:00."},
		{path: "hours.zone", kind: zone(), into: &s.zone, doc: "The time zone, by its name in the IANA database, such as Europe/Stockholm. Defaults to UTC."},
		{path: "freeze", kind: freezes(), into: &s.freezes, doc: "Times in which owners are left alone. A day is meant from midnight to midnight in the owner's zone, the last one too; without from or to there is no beginning or end."},
	}
}

// over fills in what s does not say.
func (s ownerSettings) over(all ownerSettings) ownerSettings {
	or := func(a, b *int) *int {
		if a == nil {
			return b
		}
		return a
	}
	s.perOwner, s.perRepository = or(s.perOwner, all.perOwner), or(s.perRepository, all.perRepository)
	if s.days == nil {
		s.days = all.days
	}
	if s.from == nil {
		s.from = all.from
	}
	if s.to == nil {
		s.to = all.to
	}
	if s.zone == nil {
		s.zone = all.zone
	}
	s.freezes = slices.Concat(all.freezes, s.freezes)
	return s
}

// rules applies the defaults.
func (s ownerSettings) rules() OwnerRules {
	r := OwnerRules{Merge: s.merge, Hours: fleet.Hours{Days: slices.Clone(s.days), To: 24 * time.Hour, Zone: s.zone}}
	if s.perOwner != nil {
		r.PerOwner = *s.perOwner
	}
	if s.perRepository != nil {
		r.PerRepository = *s.perRepository
	}
	if s.from != nil {
		r.Hours.From = *s.from
	}
	if s.to != nil {
		r.Hours.To = *s.to
	}
	for _, f := range s.freezes {
		r.Freezes = append(r.Freezes, f.in(r.Hours.Location()))
	}
	return r
}

// freeze is one entry of a freeze list. Its days are moments only once the zone is known.
type freeze struct {
	from, to boundary
	why      string
}

// in places a freeze in a zone: the last day belongs to it.
func (f freeze) in(zone *time.Location) fleet.Freeze {
	out := fleet.Freeze{Why: f.why}
	if f.from.set {
		out.From = f.from.at(zone, 0)
	}
	if f.to.set {
		out.To = f.to.at(zone, 1)
	}
	return out
}

// boundary is a day or a moment.
type boundary struct {
	set    bool
	day    bool
	moment time.Time // of a day: its midnight in UTC
}

// at is the moment in a zone, or the first one of the day so many days later.
func (b boundary) at(zone *time.Location, days int) time.Time {
	if !b.day {
		return b.moment
	}
	y, m, d := b.moment.AddDate(0, 0, days).Date()
	t := time.Date(y, m, d, 0, 0, 0, 0, zone)
	if t.Day() != d { // clocks go forward at midnight there
		_, t = t.ZoneBounds()
	}
	return t
}
