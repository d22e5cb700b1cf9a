package ops

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/verify/distill"
)

const (
	sweepStart  = 5 * time.Minute // within which CI begins, or there is none
	sweepOdd    = 3               // answers that make no sense before a forge is believed to mean it
	sweepLog    = 512 << 10       // bytes of a job's log that are read, from its end
	sweepShown  = 20              // lines of a failure that are shown
	sweepBlamed = 5               // failing checks of one change whose logs are read
)

// baseChecks is what failed on a base; asked for once.
type baseChecks struct {
	mu     sync.Mutex
	known  bool
	failed map[string]bool
}

// follow looks at the checks until each has settled, or the time is over.
func (s *sweep) follow(ctx context.Context) error {
	deadline := s.o.cfg.Clock().Add(s.timeout)
	for {
		now := s.o.cfg.Clock()
		last := !now.Before(deadline)
		if err := s.look(ctx, now, last); err != nil {
			return err
		}
		var next time.Time
		for _, t := range s.trials {
			if t.outcome == "" && (next.IsZero() || t.next.Before(next)) {
				next = t.next
			}
		}
		if next.IsZero() || ctx.Err() != nil {
			return ctx.Err()
		}
		wait := min(next.Sub(s.o.cfg.Clock()), deadline.Sub(s.o.cfg.Clock()))
		if err := s.o.pause(ctx, max(wait, 10*time.Millisecond)); err != nil {
			return err
		}
	}
}

// look looks at the trials that are due, at all of them when it is for the last time.
func (s *sweep) look(ctx context.Context, now time.Time, last bool) error {
	var g errgroup.Group
	g.SetLimit(sweepAtOnce)
	for _, t := range s.trials {
		if t.outcome != "" || t.next.After(now) && !last || s.hushed(t, now) && !last {
			continue
		}
		g.Go(func() error {
			if err := s.lookAt(ctx, t, now, last); err != nil || t.outcome == "" || ctx.Err() != nil {
				return err
			}
			if s.delete(ctx, []SweepBranch{t.branch}) {
				t.branch.Commit = ""
			}
			return nil
		})
	}
	return g.Wait()
}

// hushed says that the trial's forge asked to be left alone for longer.
func (s *sweep) hushed(t *trial, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until := s.quiet[t.repo.Forge]
	if !until.After(now) {
		return false
	}
	t.next = until
	return true
}

// lookAt reads a trial's checks once.
func (s *sweep) lookAt(ctx context.Context, t *trial, now time.Time, last bool) error {
	// Later looks are rarer: CI that has taken long takes longer still.
	t.next = now.Add(max(s.every, min(now.Sub(t.pushed)/8, 2*time.Minute)))
	list, err := t.forge.Checks(ctx, t.repo, t.branch.Commit)
	if err == nil {
		t.odd, t.checks = 0, list
		err = s.judge(ctx, t, now, last)
	}
	code := fleet.CodeOf(err)
	switch {
	case err == nil || ctx.Err() != nil:
		return nil
	case code == fleet.CodeDatabase:
		return err
	case code == fleet.CodeUnsupported:
		return s.settle(ctx, t, SweepUnsupported, code, s.clean(err.Error()))
	case forge.Passing(err):
		if after, ok := forge.RetryAfter(err); ok {
			s.mu.Lock()
			s.quiet[t.repo.Forge] = now.Add(after)
			s.mu.Unlock()
		}
	default:
		t.odd++ // a commit that was just pushed may not be known everywhere yet
	}
	if last || t.odd >= sweepOdd {
		return s.settle(ctx, t, SweepUnknown, code, s.clean(err.Error()))
	}
	return nil
}

// judge settles a trial when its checks have ended. What has ended is believed once it is seen twice: one job may start another.
func (s *sweep) judge(ctx context.Context, t *trial, now time.Time, last bool) error {
	sum := forge.Sum(t.checks)
	var b strings.Builder
	for _, c := range t.checks {
		fmt.Fprintf(&b, "%q %s\n", c.Name, c.State)
	}
	stands := b.String() == t.seen && len(t.checks) > 0
	t.seen = b.String()
	switch {
	case sum == forge.CheckNone && now.Sub(t.pushed) < sweepStart && !last, sum == forge.CheckPending && !last, !stands && sum != forge.CheckNone && !last:
		return nil
	case sum == forge.CheckNone:
		return s.settle(ctx, t, SweepNoChecks, "", "")
	case sum == forge.CheckPassed:
		return s.settle(ctx, t, SweepPassed, "", "")
	}
	failing := slices.DeleteFunc(slices.Clone(t.checks), func(c forge.Check) bool { return c.State != forge.CheckFailed })
	if len(failing) == 0 {
		return s.settle(ctx, t, SweepTimedOut, "", "")
	}
	before, err := s.onBase(ctx, t)
	if err != nil && (!last || !forge.Passing(err)) {
		return err
	}
	t.before = before
	blamed := slices.DeleteFunc(failing, func(c forge.Check) bool { return before[c.Name] })
	if len(blamed) == 0 {
		if sum == forge.CheckPending {
			return s.settle(ctx, t, SweepTimedOut, "", "")
		}
		return s.settle(ctx, t, SweepBefore, "", "")
	}
	t.causes = nil
	for _, c := range blamed[:min(len(blamed), sweepBlamed)] {
		cause, err := s.cause(ctx, t, c, last)
		if err != nil {
			return err
		}
		t.causes = append(t.causes, cause)
	}
	return s.settle(ctx, t, SweepFailed, "", "")
}

// onBase says which checks fail on the commit that was changed.
func (s *sweep) onBase(ctx context.Context, t *trial) (map[string]bool, error) {
	key := t.repo.Name + " " + t.target.BaseCommit
	s.mu.Lock()
	b := s.bases[key]
	if b == nil {
		b = &baseChecks{}
		s.bases[key] = b
	}
	s.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known {
		return b.failed, nil
	}
	list, err := t.forge.Checks(ctx, t.repo, t.target.BaseCommit)
	if err != nil && fleet.CodeOf(err) != fleet.CodeNotFound {
		return nil, err
	}
	b.known, b.failed = true, map[string]bool{}
	for _, c := range list {
		if c.State == forge.CheckFailed {
			b.failed[c.Name] = true
		}
	}
	return b.failed, nil
}

// cause reads why a check fails: out of its log as a verifier's output is read, or out of what it says of itself.
func (s *sweep) cause(ctx context.Context, t *trial, c forge.Check, last bool) (cause, error) {
	text := []byte(c.Summary)
	if c.Log != "" {
		log, err := t.forge.CheckLog(ctx, t.repo, c.Log, sweepLog)
		switch {
		case err == nil:
			text = log
		case forge.Passing(err) && !last:
			return cause{}, err
		}
	}
	out := cause{component: t.target.Component, repository: t.repo.Name, check: s.clean(c.Name), url: c.URL}
	if strings.TrimSpace(string(text)) != "" {
		failures, cut := distill.Failures(distill.Input{Text: text, Exit: 1})
		for _, line := range distill.Render(failures, cut, sweepShown) {
			out.lines = append(out.lines, s.cleanLine(line))
		}
		if len(failures) > 0 && len(failures[0].Lines) > 0 {
			out.line = s.clean(failures[0].Lines[0])
		}
	}
	out.line = cmp.Or(out.line, "it says nothing about why")
	return out, nil
}
