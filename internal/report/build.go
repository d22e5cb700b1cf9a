package report

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"gaggle/internal/fleet"
)

// DefaultMinutes is what a person is assumed to need for one change: finding the place, changing it, building it and
// opening the pull request.
const DefaultMinutes = 20

// life is what the history says of one target.
type life struct {
	since, opened, merged time.Time
	attempts, rounds      int
	lost                  fleet.Money // spent on attempts that failed or were lost
	pull                  PullFacts
}

// builder holds what the parts of a report share.
type builder struct {
	in    Input
	index map[int64]int // of a target in in.Targets and lives
	lives []life
	steps []step // of the burndown, in the order of time
}

func newBuilder(in Input) *builder {
	b := &builder{in: in, index: make(map[int64]int, len(in.Targets)), lives: make([]life, len(in.Targets))}
	for i := range in.Targets {
		b.index[in.Targets[i].ID] = i
	}
	b.history()
	for _, p := range in.Pulls {
		if i, ok := b.index[p.Target]; ok {
			b.pull(i, p)
		}
	}
	return b
}

// Build reckons a report. Attempts, events and pull requests of targets that are not among Targets are left out.
func Build(in Input) Report {
	if in.MinutesPerChange <= 0 {
		in.MinutesPerChange = DefaultMinutes
	}
	b := newBuilder(in)
	r := Report{Campaign: in.Campaign, At: in.Now, Estimate: in.Estimate, Evidence: in.Evidence, Burndown: b.burndown()}
	b.effort(&r)
	b.tallies(&r)
	b.waiting(&r)
	b.failures(&r)
	b.worth(&r)
	r.Rows = b.rows()
	return r
}

// pull adds what is known of a target's pull request to what its events say.
func (b *builder) pull(i int, p PullFacts) {
	l := &b.lives[i]
	l.pull = p
	if !p.OpenedAt.IsZero() {
		l.opened = p.OpenedAt
	}
	if !p.MergedAt.IsZero() {
		l.merged = p.MergedAt
	}
}

// tallies counts the targets as a whole, and by state, wave, owner and reason.
func (b *builder) tallies(r *Report) {
	states := map[fleet.State]int{}
	waves := map[int]*Tally{}
	type reason struct {
		state  fleet.State
		reason fleet.Code
	}
	reasons := map[reason]int{}
	owners := map[string][]int{}
	for i := range b.in.Targets {
		t := &b.in.Targets[i]
		r.Total.add(t.State)
		states[t.State]++
		if waves[t.Wave] == nil {
			waves[t.Wave] = &Tally{}
		}
		waves[t.Wave].add(t.State)
		owners[t.Owner] = append(owners[t.Owner], i)
		if t.Reason != "" && t.State.AtRest() {
			reasons[reason{t.State, t.Reason}]++
		}
	}
	r.States = []InState{}
	for _, s := range fleet.States {
		if states[s] > 0 {
			r.States = append(r.States, InState{s, states[s]})
		}
	}
	r.Waves = []Wave{}
	for _, n := range slices.Sorted(maps.Keys(waves)) {
		w := Wave{Number: n + 1, Opened: n < b.in.Campaign.OpenWaves, Tally: *waves[n]}
		if n < len(b.in.Waves) {
			w.Name = b.in.Waves[n]
		}
		r.Waves = append(r.Waves, w)
	}
	r.Reasons = []Reason{}
	for k, n := range reasons {
		r.Reasons = append(r.Reasons, Reason{k.state, k.reason, n})
	}
	slices.SortFunc(r.Reasons, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.State, b.State), cmp.Compare(a.Reason, b.Reason))
	})
	r.Owners = []Owner{}
	for name, targets := range owners {
		r.Owners = append(r.Owners, b.owner(name, targets))
	}
	slices.SortFunc(r.Owners, func(a, b Owner) int {
		return cmp.Or(cmp.Compare(b.Left(), a.Left()), cmp.Compare(b.Targets, a.Targets), cmp.Compare(a.Owner, b.Owner))
	})
}

func (b *builder) owner(name string, targets []int) Owner {
	o := Owner{Owner: name}
	var took []time.Duration
	for _, i := range targets {
		state, l := b.in.Targets[i].State, &b.lives[i]
		o.add(state)
		if opened := l.openSince(); (state == fleet.Proposed || state == fleet.Revising) && (o.OldestOpen.IsZero() || opened.Before(o.OldestOpen)) {
			o.OldestOpen = opened
		}
		if d, ok := l.toMerge(state); ok {
			took = append(took, d)
		}
	}
	o.ToMerge = spread(took)
	return o
}

// openSince is when an open pull request was opened, as far as that is known.
func (l *life) openSince() time.Time {
	if l.opened.IsZero() {
		return l.since
	}
	return l.opened
}

// toMerge is how long a merged target's pull request was open.
func (l *life) toMerge(s fleet.State) (time.Duration, bool) {
	if s != fleet.Merged || l.opened.IsZero() || l.merged.Before(l.opened) {
		return 0, false
	}
	return l.merged.Sub(l.opened), true
}

// spread takes percentiles by nearest rank.
func spread(took []time.Duration) Spread {
	if len(took) == 0 {
		return Spread{}
	}
	slices.Sort(took)
	rank := func(percent int) int64 { return int64(took[(len(took)*percent+99)/100-1] / time.Second) }
	return Spread{len(took), rank(50), rank(90)}
}

// rows orders the targets by wave and component.
func (b *builder) rows() []Row {
	rows := make([]Row, len(b.in.Targets))
	for i := range rows {
		l := &b.lives[i]
		rows[i] = Row{&b.in.Targets[i], l.since, l.opened, l.merged, l.pull.CI, l.pull.Deploy, l.pull.Reverted, l.pull.Touched}
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Wave, b.Wave), cmp.Compare(a.Component, b.Component), cmp.Compare(a.ID, b.ID))
	})
	return rows
}
