package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gaggle/internal/fleet"
)

// Effort is what an estimate depends on besides the snapshot.
type Effort struct {
	Attempt  time.Duration // what one attempt takes: the median so far, or the most that it may take
	Measured int           // attempts that the median is of; 0 for the most
	Parallel int           // attempts at once; at least 1
	Forges   []Forge
	Held     int // ready targets that wait for their owners' time
}

// Forge is where a campaign's pull requests are opened.
type Forge struct {
	Name   string
	Closed time.Time // it wants no calls before this time; zero for at once
	Quotas []Quota
	Pulls  []int // to be opened, by wave; those of waves beyond it are none
}

// Bound is what an estimate is bound by.
type Bound string

// The bounds.
const (
	BoundNothing  Bound = "nothing"  // there is nothing left to do
	BoundAttempts Bound = "attempts" // making the changes
	BoundForge    Bound = "forge"    // opening the pull requests, at the pace that a forge allows
	BoundSoak     Bound = "soak"     // waves that soak
	BoundPeople   Bound = "people"   // people, CI and deployments that waves wait for
)

// Estimate says when a campaign's own work is done: when every attempt has ended and, unless in a dry run, every pull request is open.
type Estimate struct {
	Done     time.Time `json:"done,omitzero"` // by then; zero when it cannot be told
	AtLeast  []string  `json:"atLeast"`       // what it waits for besides, for as long as that takes; then Done is the earliest time
	Bound    Bound     `json:"bound"`         // what takes most of the time
	Why      string    `json:"why,omitempty"` // the same in words, as a clause
	Attempts int       `json:"attempts"`      // to be made
	Pulls    int       `json:"pulls"`         // pull requests to be opened

	AttemptSeconds float64 `json:"attemptSeconds"` // that one attempt is taken for
	Measured       int     `json:"measured"`       // attempts that this is the median of; 0: it is the most that one may take
	Parallel       int     `json:"parallel"`       // attempts at once
}

// Text is the estimate as one line; "" when nothing is left to do.
func (e Estimate) Text(now time.Time, dryRun bool) string {
	if e.Bound == BoundNothing {
		return ""
	}
	what := "its pull requests are open"
	if dryRun || e.Pulls == 0 {
		what = "its attempts have ended"
	}
	text := what + " by about " + clock(e.Done, now)
	if len(e.AtLeast) > 0 {
		text = what + " at " + clock(e.Done, now) + " at the earliest: it waits for " + enumerate(e.AtLeast)
	}
	if e.Why != "" {
		text += "; " + e.Why
	}
	return text
}

// stage is waves that are worked on together.
type stage struct {
	attempts int
	waves    []int
}

// Predict estimates when a campaign's own work is done if nothing goes wrong and it has the machine and the forges to itself: attempts at the pace so
// far, pull requests at the pace that the forges allow, waves one after another with their soaks. It is pure. More work, fewer
// at once, or less left of a forge's limits never make it earlier.
func Predict(s Snapshot, e Effort, now time.Time) Estimate {
	e.Parallel = max(e.Parallel, 1)
	out := Estimate{Bound: BoundNothing, AtLeast: []string{}, AttemptSeconds: e.Attempt.Round(time.Millisecond).Seconds(), Measured: e.Measured, Parallel: e.Parallel}
	if s.State != fleet.CampaignActive && s.State != fleet.CampaignPaused {
		return out
	}
	forges := make([]Forge, len(e.Forges))
	for i, f := range e.Forges {
		forges[i] = f
		forges[i].Quotas = slices.Clone(f.Quotas)
		for q := range forges[i].Quotas {
			forges[i].Quotas[q].open(now)
		}
		if s.DryRun {
			forges[i].Pulls = nil
		}
	}
	spent := map[Bound]time.Duration{}
	words := map[Bound]string{}
	at := now
	var waits []string
	last := 0
	for _, st := range s.stages() {
		if st.attempts == 0 && pullsIn(forges, st.waves) == 0 {
			continue
		}
		for ; last < st.waves[0]; last++ { // what keeps this stage waiting
			soak, who := s.keeps(last, at, now)
			if soak.After(at) {
				spent[BoundSoak] += soak.Sub(at)
				at = soak
			}
			waits = append(waits, who...)
		}
		rounds := (st.attempts + e.Parallel - 1) / e.Parallel
		made := at.Add(time.Duration(rounds) * e.Attempt)
		spent[BoundAttempts] += made.Sub(at)
		open := made
		for i := range forges {
			by, why := forges[i].open(pullsIn(forges[i:i+1], st.waves), at)
			if by.After(open) {
				open = by
				words[BoundForge] = why
			}
		}
		spent[BoundForge] += open.Sub(made)
		at = open
		out.Attempts += st.attempts
		out.Pulls += pullsIn(forges, st.waves)
	}
	if out.Attempts == 0 && out.Pulls == 0 {
		return out
	}
	switch {
	case s.DryRun:
	case s.State == fleet.CampaignPaused:
		waits = append(waits, "somebody to resume it")
	case s.Approval == ApprovalWave || s.Approval == ApprovalTarget:
		waits = append(waits, "people to approve changes")
	}
	if e.Held > 0 && !s.DryRun {
		waits = append(waits, "owners' time")
	}
	out.Done, out.AtLeast = at, append(out.AtLeast, unique(waits)...)
	words[BoundAttempts] = e.words(out.Attempts)
	words[BoundSoak] = fmt.Sprintf("its waves soak for %s each", short(s.Gate.Soak))
	out.Bound, out.Why = BoundAttempts, words[BoundAttempts]
	if len(out.AtLeast) > 0 && spent[BoundAttempts]+spent[BoundForge]+spent[BoundSoak] == 0 {
		out.Bound, out.Why = BoundPeople, ""
	}
	for _, b := range []Bound{BoundForge, BoundSoak} {
		if spent[b] > spent[out.Bound] {
			out.Bound, out.Why = b, words[b]
		}
	}
	return out
}

// stages are the open waves, then each of the others.
func (s Snapshot) stages() []stage {
	var all []stage
	for i, c := range s.Waves {
		n := in(c, fleet.Pending, fleet.Queued, fleet.Changing)
		if last := len(all) - 1; last >= 0 && c.Opened {
			all[last].attempts += n
			all[last].waves = append(all[last].waves, i)
			continue
		}
		all = append(all, stage{n, []int{i}})
	}
	return all
}

// keeps says until when a wave soaks that reaches the rest of its gate at a time, and for whom it waits besides.
func (s Snapshot) keeps(wave int, reaches, now time.Time) (soaks time.Time, who []string) {
	c, g := s.Waves[wave], s.Gate
	h := Check(c, g, s.DryRun, now)
	if h.Verdict == Passed && (c.Opened || h.Counted == 0) || s.DryRun {
		return reaches, nil
	}
	if !h.Reached || !c.Opened {
		if g.Merged > 0 || g.MinMerged > 0 {
			who = append(who, "people to merge")
		}
		if g.Checks > 0 {
			who = append(who, "CI")
		}
		if g.Deployed > 0 {
			who = append(who, "deployments")
		}
	}
	switch {
	case !h.Soaks.IsZero() && c.Opened:
		return h.Soaks, who
	case h.Counted > 0:
		return reaches.Add(g.Soak), who
	}
	return reaches, who
}

// open says when so many pull requests can all be open, the first of them at a time, and what keeps them.
func (f *Forge) open(n int, from time.Time) (time.Time, string) {
	if n == 0 {
		return from, ""
	}
	by, why := from, ""
	if f.Closed.After(by) {
		by, why = f.Closed, fmt.Sprintf("%s wants no calls until %s", f.Name, clock(f.Closed, from))
	}
	begin := by
	for i := range f.Quotas {
		q := &f.Quotas[i]
		before := *q
		if at := q.take(n*max(q.Each, 1), begin); at.After(by) {
			by, why = at, before.words(f.Name, begin)
		}
	}
	return by, why
}

// words says how a forge's limit keeps pull requests.
func (q Quota) words(forge string, at time.Time) string {
	each, this := "each "+short(q.Window), "until "+clock(q.Reset, at)
	switch q.Window {
	case time.Minute:
		each, this = "a minute", "this minute"
	case time.Hour:
		each, this = "an hour", "this hour"
	}
	text := fmt.Sprintf("at the pace of %s: %s %s allowed", forge, fleet.Count(q.pulls(q.Limit), "pull request"), each)
	if q.pulls(q.Limit) == 0 {
		text = fmt.Sprintf("at the pace of %s: %d %s %s allowed", forge, q.Limit, q.What, each)
	}
	if q.begun(at) {
		text += fmt.Sprintf(", %d left %s", q.pulls(q.Left), this)
	}
	if q.Each > 1 {
		text += fmt.Sprintf(" (%d %s, %d each)", q.Limit, q.What, q.Each)
	}
	return text
}

// words says how long attempts take.
func (e Effort) words(n int) string {
	text := fmt.Sprintf("%s of %s", fleet.Count(n, "attempt"), short(e.Attempt))
	if e.Measured == 0 {
		text = fmt.Sprintf("%s of at most %s", fleet.Count(n, "attempt"), short(e.Attempt))
	}
	return text + fmt.Sprintf(", %d at once", e.Parallel)
}

// pullsIn adds up the pull requests of some waves.
func pullsIn(forges []Forge, waves []int) int {
	sum := 0
	for _, f := range forges {
		for _, w := range waves {
			if w < len(f.Pulls) {
				sum += max(f.Pulls[w], 0)
			}
		}
	}
	return sum
}

func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// enumerate joins as people do.
func enumerate(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// short writes a duration with its one or two largest units.
func short(d time.Duration) string {
	switch {
	case d >= 24*time.Hour:
		return trim(d.Round(time.Hour), 24*time.Hour, "d", time.Hour, "h")
	case d >= time.Hour:
		return trim(d.Round(time.Minute), time.Hour, "h", time.Minute, "min")
	case d >= time.Minute:
		return trim(d.Round(time.Second), time.Minute, "min", time.Second, "s")
	case d >= time.Second:
		return d.Round(time.Second).String()
	}
	return "under 1s"
}

func trim(d, unit time.Duration, name string, small time.Duration, smallName string) string {
	text := fmt.Sprintf("%d %s", d/unit, name)
	if rest := d % unit / small; rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return text
}
