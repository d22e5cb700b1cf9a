package transport

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// learn reads the budget from an answer, and reports whether it tells one. Others hear of it at once when nobody knew, or when the
// answer is a refusal.
func (l *Limiter) learn(ctx context.Context, a *admission, status int, h http.Header) bool {
	told, news := l.read(a, status, h)
	if news {
		l.announce(ctx)
	}
	return told
}

func (l *Limiter) read(a *admission, status int, h http.Header) (tells, news bool) {
	number := func(names ...string) (int64, bool) {
		for _, name := range names {
			if n, err := strconv.ParseInt(h.Get(name), 10, 64); err == nil && n >= 0 {
				return min(n, 1<<40), true
			}
		}
		return 0, false
	}
	now := l.now()
	t := told{started: a.started}
	remaining, ok := number("X-RateLimit-Remaining", "RateLimit-Remaining")
	reset, ok2 := number("X-RateLimit-Reset", "RateLimit-Reset")
	if !ok2 {
		reset, ok2 = number("X-RateLimit-Interval-Seconds")
		t.refills = ok2
	}
	resource := h.Get("X-RateLimit-Resource")
	pool := poolCore
	if resource == poolGraphQL {
		pool = poolGraphQL
	}
	switch {
	case ok && ok2 && (resource == "" || resource == poolCore || resource == poolGraphQL):
		t.low, t.reset = int(min(remaining, 1<<30)), time.Unix(reset, 0)
		if reset < 1<<30 { // seconds to go instead of a time
			t.reset = now.Add(time.Duration(reset) * time.Second)
		}
		if date, err := http.ParseTime(h.Get("Date")); err == nil && reset >= 1<<30 && !t.reset.After(now) {
			t.reset = now.Add(t.reset.Sub(date)) // our clock is ahead
		}
		if t.reset.After(now.Add(25 * time.Hour)) {
			return false, false // nonsense must not close the forge for good
		}
		if n, ok := number("X-RateLimit-Limit", "RateLimit-Limit"); ok {
			t.limit = int(min(n, 1<<30))
		}
		a.answered, a.about = true, pool
		if !t.reset.After(now) {
			t.silent, a.answered = true, false // a budget without an end says nothing
		}
	case ok && resource != "" && resource != poolCore && resource != poolGraphQL:
		// Search has a budget of its own, which its refusals speak for.
		a.answered, a.about = true, resource
		return false, false
	case status >= 500 || status == http.StatusForbidden || status == http.StatusTooManyRequests:
		return false, false
	default:
		t.silent, pool = true, a.pool
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pools[pool]
	if l.pools[a.pool] != a.purse {
		return !t.silent, false // another token has come since
	}
	if p == nil {
		p = &purse{}
		l.pools[pool] = p
	}
	p.note(t, now)
	news = status >= 400 && t.low == 0 && !t.silent || !p.open && !now.Before(p.reset)
	if !t.silent { // people use the same token, too
		p.open = false
		p.free = min(p.free, max(t.low-l.limits.reserve(t.limit), 0))
	}
	return !t.silent, news
}

// note keeps what an answer told until the books are amended, together with what others told.
func (p *purse) note(t told, now time.Time) {
	if p.told == nil {
		p.told = &t
		return
	}
	was := *p.told
	if was.silent || t.silent {
		if !t.silent {
			*p.told = t
		} else if was.silent {
			p.told = &t
		}
		return
	}
	// Two answers come to what a pool would make of them.
	both := pool{Low: was.low, Limit: was.limit, Reset: was.reset, Refills: was.refills, Started: was.started}
	both.learn(t, now)
	p.told = &told{low: both.Low, limit: both.Limit, reset: both.Reset, refills: both.Refills, started: both.Started}
}
