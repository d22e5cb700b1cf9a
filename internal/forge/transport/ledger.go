package transport

import (
	"encoding/json"
	"time"
)

// How slices of a budget are given out.
const (
	sliceTTL   = 10 * time.Second // what a limiter was granted is its own for so long
	sliceGrace = 5 * time.Second  // and nobody else's for so much longer: clocks differ, and what was sent must arrive
	sliceMost  = 64               // calls in a slice
	refresh    = time.Second      // a limiter that is in use looks at the books as often
	silence    = 10 * time.Minute // a host that told no numbers is not expected to for so long
	scouting   = 3 * time.Second  // others wait for so long for the call that finds out how many are left, then another one does
	moment     = 20 * time.Millisecond
	paceMargin = time.Second // between a grant and the arrival of what it is for
)

// The budgets that hosts tell apart.
const (
	poolCore    = "core"
	poolGraphQL = "graphql"
)

// ledger is what the limiters of one credential agree on. It is decided on purely: settle takes what a limiter knows and
// the time, and returns what that one may do.
//
// The promise: what is granted and not accounted for, together with what is left to grant, is never more than what the host
// last said is left. A limiter accounts for a call once the host's answer to it has been counted in low.
type ledger struct {
	Closed  time.Time           `json:"closed,omitzero"` // no call before this time
	Pools   map[string]*pool    `json:"pools,omitempty"`
	Made    []mark              `json:"made,omitempty"` // what was made or changed in the last hour, oldest first
	Holders map[string]*holding `json:"holders,omitempty"`
}

// pool is one budget of calls, as the host told it.
type pool struct {
	Low     int           `json:"low"` // calls left, by the lowest number told in this window
	Limit   int           `json:"limit,omitempty"`
	Reset   time.Time     `json:"reset,omitzero"`   // when the window ends; zero as long as nothing is known
	Window  time.Duration `json:"window,omitempty"` // how long windows seem to be
	Refills bool          `json:"refills,omitempty"`
	Started time.Time     `json:"started,omitzero"` // when the latest call was sent whose answer is counted in Low
	Silent  time.Time     `json:"silent,omitzero"`  // until then the host is taken to tell no numbers
	Scout   time.Time     `json:"scout,omitzero"`   // when a call was last sent to find out
	By      string        `json:"by,omitempty"`     // by whom
}

// mark is so many things made at a time.
type mark struct {
	At time.Time `json:"at"`
	N  int       `json:"n"`
}

// holding is what one limiter was granted and has not accounted for.
type holding struct {
	Until time.Time      `json:"until"`
	Left  map[string]int `json:"left,omitempty"` // by pool
}

// told is what answers of the host said about a pool.
type told struct {
	low, limit int
	reset      time.Time
	refills    bool
	silent     bool // they said nothing
	started    time.Time
}

// ask is what a limiter knows and wants.
type ask struct {
	holder string
	closed time.Time
	told   map[string]told // since it last asked
	left   map[string]int  // granted, and not accounted for
	want   map[string]int  // calls that wait for a grant
	writes int             // of them or others, those that make something and wait for their turn
	gone   bool            // it asks no more
}

// grant is what a limiter may do.
type grant struct {
	closed  time.Time
	until   time.Time // of the slices
	pools   map[string]share
	writes  int
	wait    time.Duration // until more may be made, when writes were asked and none granted
	holders int           // limiters in use, the asker among them
}

// share is a limiter's part of a pool.
type share struct {
	open  bool // the host tells no numbers: any number of calls
	calls int
	scout bool // it is one that finds out
	reset time.Time
	wait  time.Duration // until there is more, when calls were asked and none granted
	why   string
}

// readLedger reads what is kept; what cannot be read is begun anew.
func readLedger(kept string) *ledger {
	b := &ledger{}
	if kept == "" || json.Unmarshal([]byte(kept), b) != nil {
		b = &ledger{}
	}
	if b.Pools == nil {
		b.Pools = map[string]*pool{}
	}
	if b.Holders == nil {
		b.Holders = map[string]*holding{}
	}
	return b
}

func (b *ledger) text() (string, error) {
	data, err := json.Marshal(b)
	return string(data), err
}

// known says whether the host's numbers hold.
func (p *pool) known(now time.Time) bool { return now.Before(p.Reset) }

// reset is when the host's numbers change; zero while there are none.
func (p *pool) reset(now time.Time) time.Time {
	if p.known(now) {
		return p.Reset
	}
	return time.Time{}
}

// learn takes in what the host said.
func (p *pool) learn(t told, now time.Time) {
	const jitter = 2 * time.Second // a host that reckons its windows anew with each answer rounds differently
	switch {
	case t.silent:
		if !p.known(now) {
			p.Silent = now.Add(silence)
		}
		if t.started.After(p.Started) {
			p.Started = t.started
		}
		return
	case p.known(now) && t.reset.Before(p.Reset.Add(-jitter)) && !t.refills:
		return // of an earlier window
	case p.known(now) && !t.refills && !t.reset.After(p.Reset.Add(jitter)):
		p.Low = min(p.Low, t.low) // answers overtake each other: the smallest number of a window is the newest
	case p.known(now) && t.refills && t.started.Before(p.Started):
		return
	default:
		p.Low, p.Reset = t.low, t.reset
	}
	if p.Window = max(p.Window, time.Minute); t.reset.Sub(now) > time.Minute+jitter {
		p.Window = max(p.Window, time.Hour)
	}
	if t.reset.After(p.Reset) {
		p.Reset = t.reset
	}
	if t.limit > 0 {
		p.Limit = t.limit
	}
	if t.started.After(p.Started) {
		p.Started = t.started
	}
	p.Refills, p.Silent = t.refills, time.Time{}
}

// settle takes in what a limiter knows, and grants what it may do.
func (b *ledger) settle(a ask, limits Limits, now time.Time) grant {
	if most := now.Add(closedMost); b.Closed.After(most) {
		b.Closed = most // clocks were set back
	}
	if a.closed.After(b.Closed) {
		b.Closed = a.closed
	}
	for name, t := range a.told {
		if b.Pools[name] == nil {
			b.Pools[name] = &pool{}
		}
		b.Pools[name].learn(t, now)
	}
	own := &holding{Until: now.Add(sliceTTL), Left: map[string]int{}}
	for name, n := range a.left {
		if n > 0 {
			own.Left[name] = n
		}
	}
	b.Holders[a.holder] = own
	if a.gone && len(own.Left) == 0 {
		delete(b.Holders, a.holder)
	}
	b.bury(now)
	g := grant{closed: b.Closed, until: own.Until, pools: map[string]share{}}
	for _, h := range b.Holders {
		if now.Before(h.Until) {
			g.holders++
		}
	}
	for name, n := range a.want {
		if b.Pools[name] == nil && n > 0 {
			b.Pools[name] = &pool{}
		}
	}
	refused := now.Before(b.Closed)
	for name, p := range b.Pools {
		s := b.share(name, a, p, limits, now)
		own.Left[name] += s.calls
		g.pools[name] = s
		refused = refused || s.wait > 0
	}
	if a.writes > 0 && !refused {
		g.writes, g.wait = b.make(a.writes, limits, now)
	}
	return g
}

// bury takes what the dead were granted back into the budget, once an answer to a call that was sent after their time tells how much
// of it they used.
func (b *ledger) bury(now time.Time) {
	for id, h := range b.Holders {
		over := h.Until.Add(sliceGrace)
		if now.Before(over) && h.Until.Before(now.Add(2*sliceTTL)) {
			continue
		}
		for name, n := range h.Left {
			if p := b.Pools[name]; n <= 0 || p == nil || !p.known(now) || !p.Started.Before(over) {
				delete(h.Left, name)
			}
		}
		if len(h.Left) == 0 {
			delete(b.Holders, id)
		}
	}
}

// share grants calls of a pool.
func (b *ledger) share(name string, a ask, p *pool, limits Limits, now time.Time) share {
	want := a.want[name]
	if !p.known(now) {
		if now.Before(p.Silent) {
			return share{open: true}
		}
		return b.scout(name, a.holder, p, want, now)
	}
	s := share{reset: p.Reset}
	if want <= 0 {
		return s
	}
	reserve := limits.reserve(p.Limit)
	held, dead, back := 0, 0, p.Reset // calls that the living and the dead were granted
	for _, h := range b.Holders {
		n := h.Left[name]
		if n <= 0 {
			continue
		}
		if over := h.Until.Add(sliceGrace); now.Before(over) {
			held += n
			if over.Before(back) {
				back = over
			}
		} else {
			dead += n
		}
	}
	left := p.Low - reserve - held
	free := left - dead
	switch {
	case free > 0:
		s.calls = min(max(free/4, 1), max(want, sliceMost), sliceMost*4)
	case left > 0: // what is left may be the dead ones': a call finds out
		return b.scout(name, a.holder, p, want, now)
	default:
		s.wait, s.why = p.Reset.Sub(now), "the budget of calls is used up"
		if p.Low > reserve && back.Before(p.Reset) {
			s.wait, s.why = back.Sub(now), "other processes have what is left of the budget of calls"
		}
	}
	return s
}

// scout has one call go ahead of the others while nobody knows how many are left.
func (b *ledger) scout(name, asker string, p *pool, want int, now time.Time) share {
	if want <= 0 {
		return share{}
	}
	sent, since := b.Holders[p.By], now.Sub(p.Scout)
	under := sent != nil && sent.Left[name] > 0 && now.Before(sent.Until)
	if under && since >= 0 && since < scouting {
		return share{reset: p.reset(now), wait: moment, why: "the forge has not said yet how many calls are left"}
	}
	p.Scout, p.By = now, asker
	return share{calls: 1, scout: true, reset: p.reset(now)}
}

// make grants things to be made, or says how long none may be.
func (b *ledger) make(n int, limits Limits, now time.Time) (granted int, wait time.Duration) {
	b.prune(now)
	granted = n
	for _, pace := range limits.paces() {
		made, first := 0, time.Time{}
		for _, m := range b.Made {
			if m.At.After(now.Add(-pace.window - paceMargin)) {
				if made == 0 {
					first = m.At
				}
				made += m.N
			}
		}
		if room := max(pace.most-made, 0); room < granted {
			granted = room
			if room == 0 {
				wait = max(wait, first.Add(pace.window+paceMargin).Sub(now), time.Millisecond)
			}
		}
	}
	if granted > 0 {
		b.Made = append(b.Made, mark{now, granted})
		wait = 0
	}
	return granted, wait
}

// prune forgets what was made more than an hour ago, and keeps one mark a minute of what was made more than a minute ago.
func (b *ledger) prune(now time.Time) {
	var kept []mark
	for _, m := range b.Made {
		if !m.At.After(now.Add(-time.Hour-paceMargin)) || m.At.After(now.Add(time.Minute)) || m.N <= 0 {
			continue
		}
		if last := len(kept) - 1; last >= 0 && m.At.Before(now.Add(-time.Minute)) && kept[last].At.Truncate(time.Minute).Equal(m.At.Truncate(time.Minute)) {
			kept[last] = mark{m.At, kept[last].N + m.N}
			continue
		}
		kept = append(kept, m)
	}
	b.Made = kept
}
