package transport

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

// Limits are what a host is known to bear from one credential.
type Limits struct {
	WritesPerMinute int // requests that make or change something; 0: no limit of our own
	WritesPerHour   int // the same
	CallsPerHour    int // that a host grants without telling how many are left, for estimates; 0: nothing is known
	AtOnce          int // requests under way; defaults to 32
	Reserve         int // calls of the budget, a tenth of it at most, that are left to people who use the same token; defaults to 0
}

type pace struct {
	window time.Duration
	most   int
}

func (l Limits) paces() []pace {
	var all []pace
	for _, p := range []pace{{time.Minute, l.WritesPerMinute}, {time.Hour, l.WritesPerHour}} {
		if p.most > 0 {
			all = append(all, p)
		}
	}
	return all
}

// reserve is what is left to others of a budget of so many calls, 0 for one that is not known.
func (l Limits) reserve(limit int) int {
	if limit > 0 {
		return min(l.Reserve, limit/10)
	}
	return l.Reserve
}

// Limiter holds requests back before the host refuses them. One is shared by everything in a process that uses the same token, and
// with Share several processes' agree on one budget: each takes slices of it, so that most calls ask nobody.
type Limiter struct {
	limits Limits
	now    func() time.Time
	pause  func(ctx context.Context, d time.Duration, news <-chan struct{}) error
	slots  chan struct{}
	turn   chan struct{} // who holds its one place may amend the books
	books  Books
	name   func(context.Context) (string, error)
	holder string

	mu      sync.Mutex
	at      string    // the name in the books that all below is about
	settled time.Time // when the books were last looked at
	until   time.Time // of what was granted then
	begun   int       // times that they were
	ended   int       // the last of these that went well
	closed  time.Time // no call before this time
	pools   map[string]*purse
	most    int           // calls under way at once
	flying  int           // calls under way
	calls   int           // so far
	writers int           // calls that wait to make something
	tokens  int           // granted for that
	dry     time.Time     // nothing more may be made before this time
	news    chan struct{} // closed when those who wait should look again
}

// purse is this limiter's part of a pool.
type purse struct {
	open    bool // any number of calls
	scout   bool // the one granted is to find out, and soon
	free    int  // granted, not taken
	out     int  // under way
	lost    int  // taken and not answered: the host may have counted them
	lostAt  int  // number of the last call before the latest of these was lost
	waiting int  // calls that wait for a grant
	reset   time.Time
	told    *told     // since the books were last amended
	dry     time.Time // there is nothing before this time
	why     string
}

// NewLimiter makes one. now defaults to time.Now.
func NewLimiter(limits Limits, now func() time.Time) *Limiter {
	if limits.AtOnce <= 0 {
		limits.AtOnce = 32
	}
	if now == nil {
		now = time.Now
	}
	l := &Limiter{limits: limits, now: now, pause: pause, slots: make(chan struct{}, limits.AtOnce), turn: make(chan struct{}, 1), holder: rand.Text()[:12],
		pools: map[string]*purse{}, most: limits.AtOnce, news: make(chan struct{})}
	return l.Share(&memory{}, func(context.Context) (string, error) { return "", nil })
}

// Share has the limiter agree with all others that use the same books and name. It is for before the first call, and returns the
// limiter. name is asked whenever the books are.
func (l *Limiter) Share(books Books, name func(context.Context) (string, error)) *Limiter {
	l.books, l.name = books, name
	return l
}

const (
	// patience is the longest that a call waits; a longer wait is the caller's, who has other work meanwhile.
	patience = time.Second
	// closedMost is the longest that a host is taken to want no calls without being asked again.
	closedMost = time.Hour
)

// admission is a call that was let through. It belongs to one goroutine.
type admission struct {
	pool     string
	purse    *purse
	number   int
	started  time.Time
	sent     bool   // the host may count it
	answered bool   // and has said where a budget stands since
	about    string // that budget
}

// admit lets a call through, which the caller then leaves.
func (l *Limiter) admit(ctx context.Context, graphql, write bool) (*admission, error) {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for {
		a, must, news := l.take(graphql, write)
		var err error
		switch must.what {
		case mustGo:
			return a, nil
		case mustAsk:
			must, err = l.settle(ctx, graphql, write)
		}
		wait := must.wait
		if err == nil && must.what == mustWait && wait > patience {
			err = Limited(wait, must.why)
		}
		if err == nil && wait > 0 {
			err = l.pause(ctx, wait, news)
		}
		if err != nil {
			<-l.slots
			return nil, err
		}
	}
}

// pause waits for a time, or for news.
func pause(ctx context.Context, d time.Duration, news <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-news:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// leave ends a call.
func (l *Limiter) leave(a *admission) {
	<-l.slots
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flying--
	p := a.purse
	p.out--
	switch {
	case !a.sent && !p.open:
		p.free++
	case a.sent && !a.answered && l.now().Before(p.reset):
		p.lost, p.lostAt = p.lost+1, l.calls
	case a.answered && a.about == a.pool && a.number > p.lostAt:
		p.lost = 0
	}
	l.tell()
}

// tell wakes those who wait.
func (l *Limiter) tell() {
	close(l.news)
	l.news = make(chan struct{})
}

// pool names the budget that a call counts against.
func (l *Limiter) pool(graphql bool) string {
	if graphql && l.pools[poolGraphQL] != nil {
		return poolGraphQL
	}
	return poolCore // also for hosts that do not tell them apart
}

// What a call must do before it is sent.
const (
	mustGo   = iota
	mustAsk  // ask the books
	mustRoom // wait until another call has ended
	mustWait
)

type must struct {
	what int
	wait time.Duration
	why  string
}

// take takes a call from what was granted, or says what must be done first. The channel closes when it is to be tried again.
func (l *Limiter) take(graphql, write bool) (*admission, must, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	write = write && len(l.limits.paces()) > 0
	now := l.now()
	m := l.obstacle(graphql, write, now)
	if m.what == mustGo && l.flying >= l.most {
		m = must{what: mustRoom, wait: time.Minute}
	}
	if m.what != mustGo {
		return nil, m, l.news
	}
	name := l.pool(graphql)
	p := l.pools[name]
	if write {
		l.tokens--
	}
	if !p.open {
		p.free--
	}
	p.out++
	l.flying++
	l.calls++
	return &admission{pool: name, purse: p, number: l.calls, started: now}, m, nil
}

// obstacle is what keeps a call from being taken from what was granted.
func (l *Limiter) obstacle(graphql, write bool, now time.Time) must {
	if wait := l.closed.Sub(now); wait > 0 {
		return must{mustWait, wait, "the forge wants no calls for now"}
	}
	if now.Before(l.settled) || now.Sub(l.settled) >= refresh || !now.Before(l.until) {
		return must{what: mustAsk}
	}
	p := l.pools[l.pool(graphql)]
	if p == nil || !p.open && (p.free <= 0 || !p.reset.IsZero() && !now.Before(p.reset)) {
		if p != nil && p.told == nil && p.dry.Sub(now) > patience {
			return must{mustWait, p.dry.Sub(now), p.why}
		}
		return must{what: mustAsk}
	}
	if write && l.tokens <= 0 {
		if wait := l.dry.Sub(now); wait > patience {
			return must{mustWait, wait, paced}
		}
		return must{what: mustAsk}
	}
	return must{}
}

const paced = "enough was made for now: the forge limits how much is made in a minute or an hour"

// Limited is the error of a call that has to wait.
func Limited(wait time.Duration, why string) error {
	return &fleet.Error{Code: fleet.CodeForgeRateLimit, Message: why, Err: &forge.RateLimit{After: wait}}
}
