package transport

import (
	"context"
	"time"
)

// settle asks the books for what one call needs, and says how long there is none of it. Calls that wait at the same time are
// asked for together.
func (l *Limiter) settle(ctx context.Context, graphql, write bool) (must, error) {
	write = write && len(l.limits.paces()) > 0
	l.mu.Lock()
	name := l.pool(graphql)
	if l.pools[name] == nil {
		l.pools[name] = &purse{}
	}
	mine := l.pools[name]
	mine.waiting++
	if write {
		l.writers++
	}
	before := l.begun
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		mine.waiting--
		if write {
			l.writers--
		}
	}()
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return must{}, context.Cause(ctx)
	}
	l.mu.Lock()
	asked := l.ended > before
	l.mu.Unlock()
	var err error
	if !asked {
		err = l.ask(ctx)
	}
	<-l.turn
	if err != nil {
		return must{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	p := l.pools[l.pool(graphql)]
	switch {
	case now.Before(l.closed):
		return must{mustWait, l.closed.Sub(now), "the forge wants no calls for now"}, nil
	case p != nil && !p.open && p.free <= 0 && now.Before(p.dry):
		return must{mustWait, p.dry.Sub(now), p.why}, nil
	case write && l.tokens <= 0 && now.Before(l.dry):
		return must{mustWait, l.dry.Sub(now), paced}, nil
	}
	return must{what: mustAsk}, nil // or take what there is now
}

// Release gives back what was granted and not used, for others to have at once. It is for a limiter that is not used any more, or not
// for some time.
func (l *Limiter) Release(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-l.turn }()
	l.mu.Lock()
	used, name := l.begun > 0, l.at
	l.until = time.Time{} // nothing that was granted is taken any more
	l.mu.Unlock()
	if !used {
		return nil
	}
	return l.amend(ctx, name, true)
}

// ask amends the books under the name that the credential has now. The caller has the turn.
func (l *Limiter) ask(ctx context.Context) error {
	name, err := l.name(ctx)
	if err != nil {
		return err
	}
	return l.amend(ctx, name, false)
}

// amend tells the books what is known, and takes what they grant, which is nothing for one that is gone. The caller has the turn.
func (l *Limiter) amend(ctx context.Context, name string, gone bool) error {
	l.mu.Lock()
	if name != l.at { // another token: another budget
		if l.at != "" {
			l.pools, l.closed = map[string]*purse{}, time.Time{}
		}
		l.at, l.until, l.tokens = name, time.Time{}, 0
	}
	now := l.now()
	if now.Sub(l.settled) >= refresh {
		l.tokens = 0 // of calls that were given up
	}
	a := ask{holder: l.holder, closed: l.closed, told: map[string]told{}, left: map[string]int{}, want: map[string]int{}, writes: max(l.writers-l.tokens, 0), gone: gone}
	for name, p := range l.pools {
		if p.told != nil {
			a.told[name] = *p.told
		}
		ended := !p.reset.IsZero() && !now.Before(p.reset)
		if ended || p.scout || !now.Before(l.until) {
			p.free = 0
		}
		if ended {
			p.lost = 0
		}
		a.left[name] = p.free + p.out + p.lost
		if p.free <= 0 && !p.open {
			a.want[name] = p.waiting
		}
	}
	if gone {
		a.want, a.writes = nil, 0
	}
	l.begun++
	round := l.begun
	l.mu.Unlock()

	var g grant
	err := l.books.Amend(ctx, name, func(kept string) (string, error) {
		b := readLedger(kept)
		now = l.now()
		g = b.settle(a, l.limits, now)
		return b.text()
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended, l.settled, l.until = round, now, g.until
	if g.closed.After(l.closed) {
		l.closed = g.closed
	}
	for name, s := range g.pools {
		p := l.pools[name]
		if p == nil {
			p = &purse{}
			l.pools[name] = p
		}
		if t, said := a.told[name]; said && p.told != nil && *p.told == t {
			p.told = nil
		}
		p.open, p.scout, p.reset, p.dry, p.why = s.open, s.scout, s.reset, now.Add(s.wait), s.why
		p.free += s.calls
	}
	if gone {
		l.until = time.Time{}
	}
	l.tokens += g.writes
	l.dry = now.Add(g.wait)
	l.most = max(1, l.limits.AtOnce/max(g.holders, 1))
	return nil
}

// close lets no call through for a while, also none of those who share the books.
func (l *Limiter) close(ctx context.Context, wait time.Duration) {
	l.mu.Lock()
	until := l.now().Add(min(wait, closedMost))
	if !until.After(l.closed) {
		l.mu.Unlock()
		return
	}
	l.closed = until
	l.mu.Unlock()
	l.announce(ctx)
}

// announce tells the others what is known, also when the call's caller has gone. When that fails, the next settling does.
func (l *Limiter) announce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	select {
	case l.turn <- struct{}{}:
		_ = l.ask(ctx)
		<-l.turn
	case <-ctx.Done():
	}
}
