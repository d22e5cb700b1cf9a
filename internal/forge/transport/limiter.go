package transport

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

// Limits are what a host is known to bear.
type Limits struct {
	WritesPerMinute int // requests that make or change something; 0: no limit of our own
	AtOnce          int // requests under way; defaults to 32
	Reserve         int // calls of the budget that are left to people who use the same token; defaults to 0
}

// Limiter holds requests back before the host refuses them. One is shared by everything that uses the same token.
type Limiter struct {
	limits Limits
	now    func() time.Time
	slots  chan struct{}

	mu        sync.Mutex
	remaining int // calls left until reset, as the host said and counted down since; -1 when it says nothing
	limit     int
	reset     time.Time
	closed    time.Time   // no call before this time
	writes    []time.Time // of the last minute
}

// NewLimiter makes one. now defaults to time.Now.
func NewLimiter(limits Limits, now func() time.Time) *Limiter {
	if limits.AtOnce <= 0 {
		limits.AtOnce = 32
	}
	if now == nil {
		now = time.Now
	}
	return &Limiter{limits: limits, now: now, slots: make(chan struct{}, limits.AtOnce), remaining: -1}
}

// Budget is how many calls are left and when there are more again; ok is false when the host does not say.
func (l *Limiter) Budget() (remaining int, reset time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.remaining, l.reset, l.remaining >= 0 && l.now().Before(l.reset)
}

// patience is the longest that a call waits; a longer wait is the caller's, who has other work meanwhile.
const patience = time.Second

// admit takes a slot, which the caller gives back.
func (l *Limiter) admit(ctx context.Context, write bool) error {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for {
		wait, why := l.take(write)
		if wait <= 0 {
			return nil
		}
		if wait > patience {
			l.leave()
			return Limited(wait, why)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			l.leave()
			return context.Cause(ctx)
		}
	}
}

func (l *Limiter) leave() { <-l.slots }

// take takes a call from the budget, or says how long there is none.
func (l *Limiter) take(write bool) (time.Duration, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if wait := l.closed.Sub(now); wait > 0 {
		return wait, "the forge wants no calls for now"
	}
	known := l.remaining >= 0 && now.Before(l.reset)
	if known && l.remaining <= l.limits.Reserve {
		return l.reset.Sub(now), "the budget of calls is used up"
	}
	if write && l.limits.WritesPerMinute > 0 {
		for len(l.writes) > 0 && now.Sub(l.writes[0]) >= time.Minute {
			l.writes = l.writes[1:]
		}
		if len(l.writes) >= l.limits.WritesPerMinute {
			return l.writes[0].Add(time.Minute).Sub(now), "enough was made for this minute"
		}
		l.writes = append(l.writes, now)
	}
	if known {
		l.remaining--
	}
	return 0, ""
}

// learn reads the budget from a reply.
func (l *Limiter) learn(h http.Header) {
	number := func(names ...string) (int64, bool) {
		for _, name := range names {
			if n, err := strconv.ParseInt(h.Get(name), 10, 64); err == nil && n >= 0 {
				return n, true
			}
		}
		return 0, false
	}
	remaining, ok := number("X-RateLimit-Remaining", "RateLimit-Remaining")
	reset, ok2 := number("X-RateLimit-Reset", "RateLimit-Reset", "X-RateLimit-Interval-Seconds")
	if !ok || !ok2 {
		return
	}
	at := time.Unix(reset, 0)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if reset < 1<<30 { // seconds to go instead of a time
		at = now.Add(time.Duration(reset) * time.Second)
	}
	if at.After(now.Add(25 * time.Hour)) {
		return // nonsense must not close the forge for good
	}
	if r := h.Get("X-RateLimit-Resource"); r != "" && r != "core" {
		return // GraphQL and search have budgets of their own, which their refusals speak for
	}
	// Replies overtake each other: within one window the smallest number is the newest.
	if at.Equal(l.reset) && l.remaining >= 0 {
		remaining = min(remaining, int64(l.remaining))
	}
	l.remaining, l.reset = int(min(remaining, 1<<30)), at
	if n, ok := number("X-RateLimit-Limit", "RateLimit-Limit"); ok {
		l.limit = int(min(n, 1<<30))
	}
}

// close lets no call through for a while.
func (l *Limiter) close(wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := l.now().Add(wait); until.After(l.closed) {
		l.closed = until
	}
}

// Limited is the error of a call that has to wait.
func Limited(wait time.Duration, why string) error {
	return &fleet.Error{Code: fleet.CodeForgeRateLimit, Message: why, Err: &forge.RateLimit{After: wait}}
}
