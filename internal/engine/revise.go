package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gaggle/internal/agent"
	"gaggle/internal/attempt"
	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/git"
	"gaggle/internal/policy"
	"gaggle/internal/publish"
	"gaggle/internal/spec"
	"gaggle/internal/store"
	"gaggle/internal/verify/distill"
)

const (
	maxFeedback = 8_000     // bytes handed to an agent
	maxLog      = 512 << 10 // bytes of a job's log that are read, from its end
	maxChecks   = 3         // failing checks that an agent hears of at once
)

// begin starts a revision: the reason is kept with the target, and an attempt, or the push alone, is woken up. What is done also is
// done in the same transaction, before.
func (v *visit) begin(ctx context.Context, task fleet.Revision, why string, also ...func(context.Context, *store.Tx) error) error {
	v.f.Task = &task
	v.f.Updated, v.f.ActiveAt = settled(v.host, v.pull, v.now), v.now
	lane := store.LaneAttempts
	if task.Push {
		lane = store.LaneSteps
	}
	return v.h.end(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, do := range also {
			if err := do(ctx, tx); err != nil {
				return err
			}
		}
		if err := tx.SaveFollow(ctx, v.f); err != nil {
			return err
		}
		return tx.Move(ctx, &v.t, store.Move{To: fleet.Revising, Actor: v.e.cfg.Actor, Message: why, Next: &store.Job{Lane: lane}})
	})
}

// reviewTask is what reviewers ask for, as an agent is told.
func (v *visit) reviewTask() fleet.Revision {
	var b strings.Builder
	b.WriteString("The change was proposed. People with write access to the repository ask for this; do what they ask as far as the change as such allows, and say of each what you did, or why not:\n")
	for _, r := range v.asks {
		b.WriteString("\n- " + agent.Printable(r.Author, 100))
		if r.File != "" {
			fmt.Fprintf(&b, ", at %s", agent.Printable(r.File, 300))
			if r.Line > 0 {
				fmt.Fprintf(&b, ":%d", r.Line)
			}
		}
		b.WriteString(": " + strings.ReplaceAll(agent.Printable(r.Body, 2000), "\n", "\n  ") + "\n")
		if b.Len() > maxFeedback {
			break
		}
	}
	v.f.Asks = nil
	return fleet.Revision{Kind: fleet.ReviseReview, Feedback: v.e.clean(agent.Printable(b.String(), maxFeedback)), Replies: said(v.asks...)}
}

// ciTask is what the failing checks say, distilled as a verifier's output is.
func (v *visit) ciTask(ctx context.Context) (fleet.Revision, error) {
	c := v.host.(forge.Checks) // it told that they failed
	var b strings.Builder
	b.WriteString("The change was proposed, and checks of the code host fail because of it. Mend what the change broke:\n")
	for i, check := range v.blamed {
		if i == maxChecks {
			fmt.Fprintf(&b, "\n%d more checks fail.\n", len(v.blamed)-maxChecks)
			break
		}
		fmt.Fprintf(&b, "\n%s failed:\n", agent.Printable(check.Name, 200))
		text := []byte(check.Summary)
		if check.Log != "" {
			log, err := c.CheckLog(ctx, v.repo, check.Log, maxLog)
			switch {
			case err == nil:
				text = log
			case forge.Passing(err):
				return fleet.Revision{}, err
			}
		}
		failures, cut := distill.Failures(distill.Input{Text: text, Exit: 1})
		for _, line := range distill.Render(failures, cut, distill.MaxLines) {
			b.WriteString("  " + agent.Printable(line, 400) + "\n")
		}
	}
	return fleet.Revision{Kind: fleet.ReviseCI, Feedback: v.e.clean(agent.Printable(b.String(), maxFeedback))}, nil
}

// revise takes a revising target one step further: an attempt, or what follows it.
func (e *Engine) revise(ctx context.Context, h *hold, c *spec.Campaign, t fleet.Target) error {
	f, err := e.store.Follow(ctx, t.ID)
	if err != nil {
		return err
	}
	order, err := e.order(ctx, c, t)
	if err != nil {
		return err
	}
	if f.Task == nil || f.Task.Push {
		if held, err := h.take(ctx); err != nil || !held {
			return errors.Join(err, store.ErrSnooze{For: time.Second})
		}
		if f.Task == nil { // nothing to do after all
			return e.proposed(ctx, h, f, t, "there is nothing to revise")
		}
		return e.push(ctx, h, c, t, f, order)
	}
	if order.Seed, err = e.seed(ctx, t, *f.Task); err != nil {
		return err
	}
	if f.Task.Kind == fleet.ReviseRetry {
		if err := e.reverse(ctx, &order, c, t); err != nil {
			return err
		}
	}
	order.Feedback, order.Replay = f.Task.Feedback, f.Task.Kind == fleet.ReviseBase
	if f.Task.Kind == fleet.ReviseCI || f.Task.Kind == fleet.ReviseReview {
		order.Base = git.Head{Branch: order.Repository.DefaultBranch, Commit: t.BaseCommit, Tree: t.BaseTree}
	}
	return e.attempt(ctx, h, c, t, order, func(tx *store.Tx, t *fleet.Target) error { return tx.Save(ctx, t) },
		func(ctx context.Context, t fleet.Target, a fleet.Attempt, out attempt.Outcome, failure error) error {
			return e.settleRevision(ctx, h, t, f, a, c, out, failure)
		})
}

// seed is the diff that a revision starts from: none where it starts anew.
func (e *Engine) seed(ctx context.Context, t fleet.Target, task fleet.Revision) ([]byte, error) {
	if task.Kind == fleet.ReviseRetry || t.DiffKey == "" {
		return nil, nil
	}
	return e.store.GetRecord(ctx, t.DiffKey)
}

// settleRevision records how a revision's attempt ended. What it made is pushed in a step of its own, so that a crash in
// between costs a push and no attempt.
func (e *Engine) settleRevision(ctx context.Context, h *hold, t fleet.Target, f fleet.Follow, a fleet.Attempt, c *spec.Campaign, out attempt.Outcome, failure error) error {
	next := e.conclude(ctx, &a, out, failure)
	t.Usage.Merge(a.Usage)
	task := f.Task
	if n := len(a.Rounds); n > 0 {
		task.Summary = agent.Printable(a.Rounds[n-1].Summary, 2000)
	}
	again := func(after time.Duration) error {
		return h.endAttempt(ctx, &a, func(ctx context.Context, tx *store.Tx) error {
			if _, err := e.keep(ctx, tx, &a, out, failure); err != nil {
				return err
			}
			return errors.Join(tx.SaveFollow(ctx, f), tx.Save(ctx, &t), tx.Wake(ctx, store.Job{Target: t.ID, Campaign: t.Campaign, Lane: store.LaneAttempts, After: after}))
		})
	}
	switch {
	case a.State == "lost":
		return again(0)
	case next == fleet.Failed && policy.MayRetry(a.Reason, t.Attempts, c.Limits.Attempts+f.Revisions):
		return again(retryAfter(t.Attempts))
	}
	changed := next == fleet.Ready && (out.Tree != t.ResultTree || out.Base.Commit != t.BaseCommit)
	task.Push, task.Unchanged = true, !changed
	f.Tried = append(f.Tried, tried(*task, next, a))
	switch {
	case changed:
		t.BaseCommit, t.BaseTree, t.ResultTree, t.Stat = out.Base.Commit, out.Base.Tree, out.Tree, out.Stat
	case next == fleet.Ready:
		f.Asked = map[string]string{fleet.ReviseCI: "ci: another try changed nothing"}[task.Kind]
	case next == fleet.Unchanged && task.Kind == fleet.ReviseBase:
		f.Asked = "base: the base seems to hold the change already"
	default:
		f.Asked = task.Kind + ": " + orWord(a.Message, "the attempt changed nothing")
	}
	return h.endAttempt(ctx, &a, func(ctx context.Context, tx *store.Tx) error {
		key, err := e.keep(ctx, tx, &a, out, failure)
		if err != nil {
			return err
		}
		if changed {
			t.DiffKey = key
		}
		return errors.Join(tx.SaveFollow(ctx, f), tx.Save(ctx, &t), tx.Wake(ctx, store.Job{Target: t.ID, Campaign: t.Campaign, Lane: store.LaneSteps}))
	})
}

// tried is one line about a revision, for people.
func tried(task fleet.Revision, state fleet.State, a fleet.Attempt) string {
	why := map[string]string{fleet.ReviseCI: "because of its checks", fleet.ReviseReview: "for reviewers", fleet.ReviseBase: "because the base moved", fleet.ReviseRetry: "from the start, because somebody asked"}[task.Kind]
	line := fmt.Sprintf("%s, in %s", why, fleet.Count(len(a.Rounds), "round"))
	if a.Usage.Cost > 0 {
		line += " for " + a.Usage.Cost.String()
	}
	if state != fleet.Ready && a.Message != "" {
		line += ": " + agent.Printable(clipLine(a.Message, 200), 250)
	}
	return line
}

// push brings the pull request up to what the revision made, answers whom it was made for, and proposes again.
func (e *Engine) push(ctx context.Context, h *hold, c *spec.Campaign, t fleet.Target, f fleet.Follow, order attempt.Order) error {
	v := &visit{e: e, h: h, c: c, t: t, f: f, repo: order.Repository, now: e.store.Now()}
	var err error
	if v.host, err = e.cfg.Forge(v.repo.Forge); err != nil {
		return err
	}
	summary, unchanged := f.Task.Summary, f.Task.Unchanged
	if unchanged {
		if v.pull, err = v.host.Get(ctx, v.repo, t.PullNumber); err != nil {
			return err
		}
	} else {
		p, err := e.proposal(ctx, c, t, order)
		if err != nil {
			return err
		}
		p.Revision = true
		v.f.With = nil
		for _, other := range p.With {
			v.f.With = append(v.f.With, other.Target.ID)
		}
		if f.Base == t.BaseCommit && f.Task.Kind != fleet.ReviseSplit {
			p.Onto = t.HeadCommit
		}
		got, err := e.cfg.Publisher.Publish(ctx, p)
		var misfit *publish.Misfit
		switch code := fleet.CodeOf(err); {
		case err == nil:
			v.pull = got.Pull
		case errors.As(err, &misfit):
			return errors.Join(e.alone(ctx, misfit.Target, misfit.Err), store.ErrSnooze{})
		case code == fleet.CodeBranchTaken: // a person was faster: what they pushed stays
			v.f.Task = nil
			return e.proposed(ctx, h, v.f, v.t, "somebody pushed to the branch meanwhile, so the revision was dropped")
		case code == fleet.CodeForgeRateLimit:
			return store.ErrSnooze{For: publish.RetryAfter(err)}
		case forge.Passing(err), code == fleet.CodeForge, code == fleet.CodeConflict, ctx.Err() != nil:
			return orSnooze(ctx, err)
		default:
			v.f.Asked, v.f.Task = "push: "+err.Error(), nil
			return e.proposed(ctx, h, v.f, v.t, "the revision could not be pushed: "+err.Error())
		}
		if v.pull.State == forge.StateOpen {
			if v.t.HeadCommit != got.Head {
				v.f.Approvals = nil // they were about what stood there before
			}
			v.t.HeadCommit = got.Head
			v.f.Head, v.f.Base, v.f.CI, v.f.Reruns, v.f.LookedAt, v.f.Changed = got.Head, t.BaseCommit, "", nil, time.Time{}, v.pull.UpdatedAt
		}
		if err := e.record(ctx, t.ID, func(ctx context.Context, tx *store.Tx) error { return keepProvenance(ctx, tx, p, got) }); err != nil {
			return err
		}
	}
	if v.pull.State != forge.StateOpen {
		v.f.Task = nil
		return v.rest(ctx)
	}
	if err := v.answer(ctx, summary, unchanged); err != nil {
		return orSnooze(ctx, err)
	}
	note := "the revision was pushed"
	if unchanged {
		note = "nothing was revised: " + orWord(clipLine(summary, 200), "another try changed nothing")
	}
	v.f.Task, v.f.ActiveAt = nil, v.now
	return e.proposed(ctx, h, v.f, v.t, note)
}

// orSnooze has a step taken again soon, instead of by River's ever longer delays.
func orSnooze(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	if wait, ok := forge.RetryAfter(err); ok {
		return store.ErrSnooze{For: max(wait, time.Second)}
	}
	return store.ErrSnooze{For: 2 * time.Second}
}

// answer tells whom a revision was made for what was done, or why not.
func (v *visit) answer(ctx context.Context, summary string, unchanged bool) error {
	task := v.f.Task
	var b strings.Builder
	for _, r := range task.Replies {
		fmt.Fprintf(&b, "> %s (@%s)\n", strings.ReplaceAll(r.Body, "\n", " "), r.Author)
	}
	switch {
	case unchanged && task.Kind == fleet.ReviseBase:
		b.WriteString("The base moved in the way of this change, and making it again led to nothing: the base seems to hold it already.")
	case unchanged:
		b.WriteString("\n" + strings.TrimSpace("Nothing was changed. "+summary))
	case task.Kind == fleet.ReviseBase:
		fmt.Fprintf(&b, "\nMade again on the base as it is now (%.12s).", v.t.BaseCommit)
	default:
		fmt.Fprintf(&b, "\nDone in %.12s. %s", v.t.HeadCommit, summary)
	}
	if len(task.Replies) == 0 && !unchanged {
		return nil // the new commit and the body say it
	}
	if v.f.Asked != "" {
		b.WriteString("\n\nGaggle does not go on by itself here: push to the branch, or say `/gaggle retry` or `/gaggle skip`.")
	}
	key := fmt.Sprintf("answer/%s/%d", task.Kind, len(v.f.Tried))
	return v.comment(ctx, key, strings.TrimSpace(b.String()))
}

// proposed ends a revision: the pull request is as it should be, or is left as it was. No pass has looked at it meanwhile.
func (e *Engine) proposed(ctx context.Context, h *hold, f fleet.Follow, t fleet.Target, why string) error {
	f.LookAgain = time.Time{}
	return h.end(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.SaveFollow(ctx, f); err != nil {
			return err
		}
		return tx.Move(ctx, &t, store.Move{To: fleet.Proposed, Actor: e.cfg.Actor, Message: why})
	})
}
