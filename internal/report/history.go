package report

import (
	"cmp"
	"slices"
	"time"

	"gaggle/internal/fleet"
)

// maxPoints bounds the burndown: more than a screen shows.
const maxPoints = 200

// step is a change of the two numbers of the burndown.
type step struct {
	at           int64 // nanoseconds since 1970
	left, merged int8
}

// history walks the events in the order of time, and fills the lives and the steps.
func (b *builder) history() {
	moves := make([]int32, 0, len(b.in.Events))
	for i := range b.in.Events {
		if _, ok := b.index[b.in.Events[i].Target]; ok && b.in.Events[i].To != "" {
			moves = append(moves, int32(i))
		}
	}
	slices.SortStableFunc(moves, func(x, y int32) int { return b.in.Events[x].At.Compare(b.in.Events[y].At) })

	states := make([]fleet.State, len(b.in.Targets))
	steps := make([]step, 0, len(moves)+len(states))
	begin := func(i int, at time.Time) {
		states[i] = fleet.Pending
		steps = append(steps, step{at: b.nanos(at), left: 1})
	}
	for _, m := range moves {
		e := &b.in.Events[m]
		i := b.index[e.Target]
		if states[i] == "" {
			begin(i, earliest(b.in.Targets[i].CreatedAt, e.At))
		}
		steps = append(steps, step{b.nanos(e.At), bit(!e.To.AtRest()) - bit(!states[i].AtRest()), bit(e.To == fleet.Merged) - bit(states[i] == fleet.Merged)})
		if states[i] = e.To; e.To == b.in.Targets[i].State {
			b.lives[i].since = e.At
		}
		switch e.To {
		case fleet.Proposed:
			if e.From != fleet.Revising {
				b.lives[i].opened = e.At
			}
		case fleet.Merged:
			b.lives[i].merged = e.At
		}
	}
	for i := range states {
		t := &b.in.Targets[i]
		if states[i] == "" {
			begin(i, earliest(t.CreatedAt, b.in.Campaign.CreatedAt))
		}
		if b.lives[i].since.IsZero() {
			b.lives[i].since = t.UpdatedAt
		}
	}
	slices.SortStableFunc(steps, func(x, y step) int { return cmp.Compare(x.at, y.at) })
	b.steps = steps
}

// burndown thins the steps out to maxPoints. What the events do not tell, the last point makes good: it is how the
// targets stand.
func (b *builder) burndown() []Point {
	steps := b.steps
	points := []Point{}
	now := b.nanos(b.in.Now)
	if len(steps) > 0 && steps[0].at < now {
		from := steps[0].at
		width := max((now-from)/(maxPoints-2), 1)
		left, merged := 0, 0
		next := 0
		for at := from; at < now && next < len(steps); at += width {
			for next < len(steps) && steps[next].at <= at {
				left += int(steps[next].left)
				merged += int(steps[next].merged)
				next++
			}
			if n := len(points); n == 0 || points[n-1].Left != left || points[n-1].Merged != merged {
				points = append(points, Point{time.Unix(0, at).In(b.in.Now.Location()), left, merged})
			}
		}
	}
	last := Point{At: b.in.Now}
	for i := range b.in.Targets {
		last.Left += int(bit(!b.in.Targets[i].State.AtRest()))
		last.Merged += int(bit(b.in.Targets[i].State == fleet.Merged))
	}
	return append(points, last)
}

// nanos places a time on the burndown's axis: not known and not yet mean now, and nothing was before 1970.
func (b *builder) nanos(t time.Time) int64 {
	if t.IsZero() || t.After(b.in.Now) {
		t = b.in.Now
	}
	if t.Before(time.Unix(0, 0)) {
		return 0
	}
	return t.UnixNano()
}

func bit(b bool) int8 {
	if b {
		return 1
	}
	return 0
}

// earliest returns the earlier of two times that are known.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
