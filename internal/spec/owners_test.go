package spec

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gaggle/internal/fleet"
)

const organisation = `
limits: {perOwner: 5, perRepository: 2}
hours: {days: [mon, tue, wed, thu, fri], from: "09:00", to: 17:00, zone: Europe/Stockholm}
freeze: [{from: 2026-12-20, to: 2027-01-07, why: holidays}]
owners:
  group:default/payments:
    limits: {perOwner: 2}
    hours: {from: "22:00", to: 06:00, zone: America/Santiago}
    freeze:
      - {from: 2026-09-06, to: "2026-09-06"}
      - {to: 2026-03-01T12:00:00+01:00}
      - {from: 2027-06-01T00:00Z, why: "the audit"}
    merge: never
  search: {limits: {perOwner: 0}, merge: approved}
  user:jo: {hours: {days: [sun]}}
`

func TestOwners(t *testing.T) {
	o, err := ParseOwners(OwnersFile, []byte(organisation))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, OwnersSchema(), []byte(organisation)); err != nil {
		t.Error(err)
	}
	at := func(text string) time.Time {
		moment, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	zone := func(name string) *time.Location {
		l, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	office := fleet.Hours{Days: []time.Weekday{1, 2, 3, 4, 5}, From: 9 * time.Hour, To: 17 * time.Hour, Zone: zone("Europe/Stockholm")}
	holidays := fleet.Freeze{From: at("2026-12-20T00:00:00+01:00"), To: at("2027-01-08T00:00:00+01:00"), Why: "holidays"}
	everybody := OwnerRules{PerOwner: 5, PerRepository: 2, Hours: office, Freezes: []fleet.Freeze{holidays}}
	search, jo := everybody, everybody
	search.PerOwner, search.Merge = 0, "approved"
	jo.Hours.Days = []time.Weekday{time.Sunday}
	payments := OwnerRules{PerOwner: 2, PerRepository: 2, Merge: "never",
		Hours: fleet.Hours{Days: office.Days, From: 22 * time.Hour, To: 6 * time.Hour, Zone: zone("America/Santiago")},
		Freezes: []fleet.Freeze{
			{From: at("2026-12-20T00:00:00-03:00"), To: at("2027-01-08T00:00:00-03:00"), Why: "holidays"},
			{From: at("2026-09-06T01:00:00-03:00"), To: at("2026-09-07T00:00:00-03:00")}, // that day has no midnight there
			{To: at("2026-03-01T12:00:00+01:00")},
			{From: at("2027-06-01T00:00:00Z"), Why: "the audit"},
		}}
	same := cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })
	for owner, want := range map[string]OwnerRules{
		"": everybody, "group:default/other": everybody, "group:default/payments": payments, "Payments": payments, "group:search": search, "user:default/jo": jo, "jo": everybody,
	} {
		if diff := cmp.Diff(want, o.For(owner), same); diff != "" {
			t.Errorf("%q: %s", owner, diff)
		}
	}
	o.For("").Hours.Days[0] = time.Sunday
	if o.For("").Hours.Days[0] != time.Monday {
		t.Error("what For returns is the caller's")
	}

	var none *Owners
	if diff := cmp.Diff(OwnerRules{}, none.For("payments"), same); diff != "" {
		t.Error(diff)
	}
	empty, err := ParseOwners(OwnersFile, []byte("# nothing yet\n"))
	if err != nil || !empty.For("payments").Hours.Always() || empty.For("x").PerOwner != 0 {
		t.Errorf("%+v, %v", empty, err)
	}
}

func TestOwnersAreRefused(t *testing.T) {
	for data, want := range map[string]string{
		"limit: {perOwner: 1}":                                  `owners.yaml:1:1: unknown key "limit" (did you mean limits?)`,
		"limits: {perowner: 1}":                                 `owners.yaml:1:10: unknown key "perowner" in limits (did you mean perOwner?)`,
		"limits: {perOwner: -1}":                                `1:20: limits.perOwner cannot be -1 (from 0 to 1000000)`,
		"limits: {perOwner: many}":                              `1:20: limits.perOwner is a whole number`,
		"hours: {days: [mon, Tue]}":                             `1:21: hours.days cannot be "Tue" (did you mean tue?)`,
		"hours: {days: [mon, mon]}":                             `stands twice`,
		"hours: {days: []}":                                     `hours.days is empty`,
		"hours: {days: mon}":                                    `hours.days is a list`,
		"hours: {from: 9}":                                      `1:15: hours.from is a time of day, not the number 9 (write hours and minutes from 00:00 to 23:59)`,
		"hours: {from: 24:00}":                                  `1:15: hours.from is a time of day`,
		"hours: {to: 24:01}":                                    `1:13: hours.to is a time of day, not the text "24:01" (write hours and minutes from 00:00 to 24:00)`,
		"hours: {to: 9:5}":                                      `hours.to is a time of day`,
		"hours: {to: [9]}":                                      `hours.to is a time of day, not a list`,
		"hours: {zone: Europe/Stokholm}":                        `1:15: no time zone is called "Europe/Stokholm" (write a name of the IANA`,
		"hours: {zone: Local}":                                  `no time zone is called "Local"`,
		"hours: {zone: ../../etc/passwd}":                       `no time zone`,
		"freeze: {from: 2026-01-01}":                            `1:9: freeze is a list, not a mapping`,
		"freeze: [{from: 2026-13-01}]":                          `1:17: from is a day, not the text "2026-13-01" (write a day such as`,
		"freeze: [{from: 2026-12-20 10:00:00}]":                 `from is a day`,
		"freeze: [{from: 2026-12-20, to: 2026-12-19}]":          `1:10: this freeze ends before it begins`,
		"freeze: [{why: x}]":                                    `1:10: this freeze says no time`,
		"freeze: [{form: 2026-12-20}]":                          `1:11: unknown key "form" (did you mean from?)`,
		"merge: never":                                          `1:1: unknown key "merge"`,
		"owners: [payments]":                                    `owners is a mapping`,
		"owners:\n  payments: {merge: auto}":                    `2:21: merge cannot be "auto" (one of never, approved)`,
		"owners:\n  payments: {mege: never}":                    `2:14: unknown key "mege" (did you mean merge?)`,
		"owners:\n  payments: {owners: {}}":                     `2:14: unknown key "owners"`,
		"owners:\n  payments: {}\n  group:default/payments: {}": `3:3: group:default/payments stands twice in owners`,
		"owners:\n  'pay ments': {}":                            `2:7: owners: ' ' cannot stand in an entity reference`,
		"kind: Campaign":                                        `kind cannot be "Campaign"`,
		"apiVersion: gaggle/v2":                                 `apiVersion cannot be`,
		"hours: &h {from: 09:00}":                               `anchors`,
		"hours: {from:":                                         `not YAML`,
		"owners: {a: {limits: {perOwner: 1, perOwner: 2}}}":     `limits.perOwner stands twice`,
	} {
		o, err := ParseOwners(OwnersFile, []byte(data))
		if err == nil {
			t.Errorf("%s: %+v", data, o)
			continue
		}
		placed(t, err, []byte(data))
		if got := err.Error() + " (" + fleet.HintOf(err) + ")"; !strings.Contains(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", data, got, want)
		}
	}
}

func FuzzParseOwners(f *testing.F) {
	f.Add([]byte(organisation))
	f.Add([]byte("hours: {days: [sun], from: 23:00, to: 01:00}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := ParseOwners(OwnersFile, data)
		if err != nil {
			placed(t, err, data)
			return
		}
		for _, owner := range []string{"", "payments"} {
			r := o.For(owner)
			if r.PerOwner < 0 || r.PerRepository < 0 || r.Hours.From < 0 || r.Hours.From >= 24*time.Hour || r.Hours.To < 0 || r.Hours.To > 24*time.Hour {
				t.Errorf("%+v", r)
			}
		}
	})
}
