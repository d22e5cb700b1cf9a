package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxRows bounds the tables that are read by people.
const maxRows = 50

// Markdown writes the report as GitHub's Markdown.
func Markdown(w io.Writer, r Report) error {
	m := &markdown{w: bufio.NewWriter(w)}
	zone := r.At.Location()
	m.f("# Campaign %s\n\n", mdText(r.Campaign.Name))
	for _, p := range paragraphs(r.Campaign.Description) {
		m.f("%s\n\n", mdText(p))
	}
	state, why := line(string(r.Campaign.State)), clip(line(r.Campaign.Why), 300)
	switch {
	case why == "":
		m.f("%s", mdText(state))
	case strings.HasPrefix(why, state):
		m.f("%s", mdText(why))
	default:
		m.f("%s: %s", mdText(state), mdText(why))
	}
	if r.Campaign.Owner != "" {
		m.f(" · owned by %s", mdCode(r.Campaign.Owner))
	}
	if !r.Campaign.CreatedAt.IsZero() {
		m.f(" · started %s", moment(r.Campaign.CreatedAt, zone))
	}
	m.f(" · as of %s\n\n", moment(r.At, zone))

	if r.Total.Targets == 0 {
		m.f("**It concerns no component.**\n")
		return m.w.Flush()
	}
	m.f("**%d of %s at rest, %d merged.**", r.Total.Targets-r.Total.Left(), plural(r.Total.Targets, "target"), r.Total.Merged)
	for _, s := range r.States {
		m.f(" %s %d", s.State, s.Count)
		if s != r.States[len(r.States)-1] {
			m.f(" ·")
		}
	}
	m.f("\n\n")
	m.figures(r)
	m.waiting(r)
	m.table("By wave", []string{"wave", "-targets", "-waiting", "-working", "-ready", "-open", "-merged", "-closed", "-failed", "-other"}, len(r.Waves), func(i int) []string {
		return append([]string{mdText(waveName(r.Waves[i]))}, tallyCells(r.Waves[i].Tally)...)
	})
	m.table("By owner", []string{"owner", "-targets", "-left", "-open", "-merged", "-closed", "-failed", "-oldest open", "-median to merge"}, len(r.Owners), func(i int) []string {
		o := r.Owners[i]
		median := ""
		if o.ToMerge.Measured > 0 {
			median = seconds(o.ToMerge.P50)
		}
		return []string{mdOwner(o.Owner), number(int64(o.Targets)), number(int64(o.Left())), number(int64(o.Open)), number(int64(o.Merged)), number(int64(o.Closed)), number(int64(o.Failed)), ago(r.At, o.OldestOpen), median}
	})
	m.table("By reason", []string{"state", "reason", "-targets"}, len(r.Reasons), func(i int) []string {
		return []string{mdText(string(r.Reasons[i].State)), mdCode(string(r.Reasons[i].Reason)), number(int64(r.Reasons[i].Count))}
	})
	m.failures(r)
	const most = 20
	n := min(len(r.Burndown), most)
	when := func(t time.Time) string { return moment(t, zone) }
	if n > 0 && r.At.Sub(r.Burndown[0].At) < 2*time.Hour {
		when = func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04:05 MST") }
	}
	m.table("Burndown", []string{"when", "-left", "-merged"}, n, func(i int) []string {
		p := r.Burndown[i]
		if n == most {
			p = r.Burndown[i*(len(r.Burndown)-1)/(most-1)] // the first, the last, and some between
		}
		return []string{when(p.At), number(int64(p.Left)), number(int64(p.Merged))}
	})
	return m.w.Flush()
}

// markdown writes; an error sticks to the writer and comes out of Flush.
type markdown struct{ w *bufio.Writer }

func (m *markdown) f(format string, args ...any) { fmt.Fprintf(m.w, format, args...) }

// table writes a heading and a table of at most maxRows rows. A column whose name begins with - is aligned to the right.
func (m *markdown) table(title string, columns []string, rows int, row func(i int) []string) {
	if rows == 0 {
		return
	}
	m.f("## %s\n\n|", title)
	for _, c := range columns {
		m.f(" %s |", strings.TrimPrefix(c, "-"))
	}
	m.f("\n|")
	for _, c := range columns {
		if strings.HasPrefix(c, "-") {
			m.f("--:|")
		} else {
			m.f("---|")
		}
	}
	m.f("\n")
	for i := range min(rows, maxRows) {
		m.f("|")
		for _, c := range row(i) {
			m.f(" %s |", c)
		}
		m.f("\n")
	}
	if rows > maxRows {
		m.f("\n… and %s more\n", number(int64(rows-maxRows)))
	}
	m.f("\n")
}

func (m *markdown) figures(r Report) {
	facts := figures(r)
	m.table("In numbers", []string{"what", "-figure", "of"}, len(facts), func(i int) []string {
		return []string{facts[i].name, strings.ReplaceAll(facts[i].value, "$", `\$`), facts[i].markdown()}
	})
}

func (m *markdown) waiting(r Report) {
	m.table("Waiting", []string{"for", "to", "-targets", "-longest", "that one"}, len(r.Waiting), func(i int) []string {
		x := r.Waiting[i]
		return []string{mdOwner(x.Who), mdText(x.What), number(int64(x.Count)), ago(r.At, x.Since), mdCode(short(x.Example))}
	})
}

func (m *markdown) failures(r Report) {
	if len(r.Failures) == 0 {
		return
	}
	m.f("## Failures\n\n")
	for _, c := range r.Failures {
		m.f("- **%d ×** %s: %s\n  for example %s: %s\n", c.Count, mdCode(string(c.Reason)), mdCode(c.Form), mdCode(short(c.Example.Component)), mdCode(clip(line(c.Example.Message), 300)))
	}
	if r.Unlisted.Targets > 0 {
		m.f("\n… and %s more, of %s\n", plural(r.Unlisted.Targets, "target"), plural(r.Unlisted.Clusters, "kind"))
	}
	m.f("\n")
}

func tallyCells(t Tally) []string {
	var cells []string
	for _, n := range []int{t.Targets, t.Waiting, t.Working, t.Ready, t.Open, t.Merged, t.Closed, t.Failed, t.Other} {
		cells = append(cells, number(int64(n)))
	}
	return cells
}

// figure is one number that people ask for.
type figure struct {
	name, value, note string
	foreign           bool // the note holds words that are not ours
}

func (f figure) markdown() string {
	if f.foreign {
		return mdText(f.note)
	}
	return f.note
}

// figures are the report's single numbers, those that are known.
func figures(r Report) []figure {
	var list []figure
	add := func(when bool, name, value, note string) {
		if when {
			list = append(list, figure{name: name, value: value, note: note})
		}
	}
	if e := r.Estimate; e != nil {
		name, left := "pull requests open by about", plural(e.Pulls, "pull request")+" left to open"
		if e.Pulls == 0 {
			name, left = "attempts ended by about", plural(e.Attempts, "attempt")+" left"
		}
		if len(e.AtLeast) > 0 {
			name = strings.TrimSuffix(name, " by about") + " at the earliest"
			left += "; waits for " + strings.Join(e.AtLeast, ", ")
		}
		if e.Why != "" {
			left += "; " + e.Why
		}
		list = append(list, figure{name, moment(e.Done, r.At.Location()), clip(line(left), 300), true})
	}
	add(true, "cost", r.Money.Total.String(), plural(r.Effort.Calls, "call")+" to models")
	add(r.Total.Merged > 0 && r.Money.Total > 0, "cost of a merged change", r.Money.PerMerged.String(), "everything spent, over the merged ones")
	add(r.Money.PerAttempt > 0, "cost of an attempt", r.Money.PerAttempt.String(), "of those that were not remembered")
	add(r.Money.Wasted > 0, "spent on nothing", r.Money.Wasted.String(), "targets that failed or were closed, and attempts that failed")
	add(r.Effort.Attempts > 0, "attempts", number(int64(r.Effort.Attempts)), fmt.Sprintf("%s in all; %d remembered from equal ones", plural(r.Effort.Rounds, "round"), r.Effort.Remembered))
	add(r.Total.Merged > 0 && r.Effort.Attempts > 0, "attempts behind a merged change", decimal(r.Effort.AttemptsPerMerged), decimal(r.Effort.RoundsPerMerged)+map[bool]string{true: " round", false: " rounds"}[r.Effort.RoundsPerMerged == 1])
	add(r.ToMerge.Measured > 0, "time to merge", seconds(r.ToMerge.P50), "median; nine of ten within "+seconds(r.ToMerge.P90))
	add(r.Rates.CI.Of > 0, "CI passed", percent(r.Rates.CI), of(r.Rates.CI, "pull request", "whose checks ended"))
	add(r.Rates.Unchanged.Of > 0, "merged unchanged", percent(r.Rates.Unchanged), of(r.Rates.Unchanged, "decided pull request", ""))
	if e := r.Evidence; e != nil {
		add(true, "evidence for merging without a person", map[bool]string{true: "enough", false: "not enough"}[e.Open], e.Says)
	}
	add(r.Rates.Reverted.Of > 0, "reverted", percent(r.Rates.Reverted), of(r.Rates.Reverted, "merged change", ""))
	add(r.Rates.Deployed.Of > 0, "deployed well", percent(r.Rates.Deployed), of(r.Rates.Deployed, "deployment", ""))
	add(r.Rates.Vetoed.Of > 0, "vetoed by the judge", percent(r.Rates.Vetoed), of(r.Rates.Vetoed, "judged attempt", fmt.Sprintf("; %d of them corrected", r.Rates.Corrected.N)))
	add(r.Saved.Changes > 0, "people's time saved", minutes(r.Saved.Minutes), fmt.Sprintf("assuming %s minutes a change, reviews not taken off", decimal(r.Saved.MinutesPerChange)))
	return list
}

func of(r Ratio, what, more string) string {
	s := fmt.Sprintf("%s of %s", number(int64(r.N)), plural(r.Of, what))
	if more == "" || strings.HasPrefix(more, ";") {
		return s + more
	}
	return s + " " + more
}

// mdText makes any text one line that Markdown shows as it is: whatever could be markup is escaped, and no person and
// no issue is named by it.
func mdText(s string) string {
	var out strings.Builder
	s = line(s)
	for i, r := range s {
		// A line that begins with one of the first is a list, a heading or a rule; so is one with a number before . or ).
		first := strings.TrimLeft(s[:i], "0123456789") == ""
		if first && strings.ContainsRune("-+=.)", r) || strings.ContainsRune("\\`*_[]<>|~&$!#{}@", r) || r == ':' && strings.HasPrefix(s[i+1:], "/") || r == '.' && i >= 3 && strings.EqualFold(s[i-3:i], "www") {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
		if r == '@' || r == '#' {
			out.WriteRune('\u200b')
		}
	}
	return out.String()
}

// mdCode makes any text a code span that fits into a table, where a bar cannot be escaped for sure.
func mdCode(s string) string {
	s = strings.ReplaceAll(line(s), "|", "¦")
	if s == "" {
		return ""
	}
	run, longest := 0, 0
	for _, r := range s {
		if r == '`' {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	fence := strings.Repeat("`", longest+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}

func mdOwner(s string) string {
	switch s {
	case "", byGaggle, byCI, byNobody:
		return ownerName(s)
	}
	return mdCode(s)
}
