package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/publish"
	"gaggle/internal/store"
)

// Closing is what became of a campaign's open pull requests when they were closed together.
type Closing struct {
	Closed int       `json:"closed"` // open before
	Ended  int       `json:"ended"`  // found closed, or gone
	Merged int       `json:"merged"` // found merged
	Kept   []Trouble `json:"kept"`   // closed, and their branches are still there
	Failed []Trouble `json:"failed"` // may still be open
}

// Trouble is what went wrong with one target's pull request.
type Trouble struct {
	Component  string     `json:"component"`
	Repository string     `json:"repository"`
	Number     int        `json:"number,omitempty"`
	Branch     string     `json:"branch,omitempty"`
	Code       fleet.Code `json:"code"`
	Message    string     `json:"message"`
}

// ClosePulls closes the open pull requests of a campaign, removes their branches where nobody else pushed to them, and lets their
// targets rest as closed. Each one is recorded when it is done, so the same call goes on after a kill. What fails on one pull request is in the result; an
// error means that the machine is broken or that ctx ended.
func (e *Engine) ClosePulls(ctx context.Context, campaign, comment, actor string) (Closing, error) {
	c := &closer{engine: e, comment: comment, actor: actor, weary: map[string]bool{}, out: Closing{Kept: []Trouble{}, Failed: []Trouble{}}}
	err := c.all(ctx, campaign)
	if ctx.Err() != nil {
		err = &fleet.Error{Code: fleet.CodeInterrupted, Message: "stopped", Hint: "the same command closes the others"}
	}
	order := func(a, b Trouble) int { return strings.Compare(a.Component, b.Component) }
	slices.SortFunc(c.out.Kept, order)
	slices.SortFunc(c.out.Failed, order)
	return c.out, err
}

// all closes the pull requests of every target that has an open one, or may have.
func (c *closer) all(ctx context.Context, campaign string) error {
	var g errgroup.Group
	g.SetLimit(lookers)
	for after := int64(0); ; {
		page, err := c.engine.store.Targets(ctx, store.Filter{Campaign: campaign, States: []fleet.State{fleet.Proposed, fleet.Revising}, After: after, Limit: 500})
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].ID
		for _, t := range page {
			g.Go(func() error { return c.close(ctx, t) })
		}
	}
	begun, err := c.engine.begun(ctx, campaign)
	for _, t := range begun {
		g.Go(func() error { return c.close(ctx, t) })
	}
	return errors.Join(err, g.Wait())
}

// begun lists ready targets that may have a pull request all the same: a worker that opened it died before it could say so.
func (e *Engine) begun(ctx context.Context, campaign string) ([]fleet.Target, error) {
	row, c, err := e.campaign(ctx, campaign)
	if err != nil || row.DryRun {
		return nil, err
	}
	waits := map[int64]bool{}
	for after := (fleet.Target{}); ; {
		page, err := e.store.Held(ctx, campaign, after, 500)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1]
		for _, t := range page {
			waits[t.ID] = true
		}
	}
	var list []fleet.Target
	for after := int64(0); ; {
		page, err := e.store.Targets(ctx, store.Filter{Campaign: campaign, States: []fleet.State{fleet.Ready}, After: after, Limit: 500})
		if err != nil || len(page) == 0 {
			return list, err
		}
		after = page[len(page)-1].ID
		for _, t := range page {
			if !waits[t.ID] && !t.Follows() && mayPropose(row, c, t) {
				list = append(list, t)
			}
		}
	}
}

// closer closes pull requests, several at once.
type closer struct {
	engine         *Engine
	comment, actor string

	mu    sync.Mutex
	weary map[string]bool // forges that have not answered for long
	out   Closing
}

// close closes the pull request of one target. An error is one that ends the whole command.
func (c *closer) close(ctx context.Context, t fleet.Target) error {
	if ctx.Err() != nil {
		return nil
	}
	if t.Follows() {
		return c.drop(ctx, t)
	}
	repo, err := c.engine.store.Repository(ctx, t.Repository)
	var got publish.Withdrawn
	if err == nil {
		err = c.patiently(ctx, repo.Forge, func() (err error) {
			got, err = c.withdraw(ctx, repo.Repository, &t)
			return err
		})
	}
	trouble := Trouble{t.Component, t.Repository, t.PullNumber, t.Branch, fleet.CodeOf(err), ""}
	switch gone := trouble.Code == fleet.CodeNotFound || trouble.Code == fleet.CodeRepoGone; {
	case err == nil && got.Pull.Number == 0:
		return nil // it was never opened
	case err == nil:
		err = c.rest(ctx, t, got)
	case ctx.Err() != nil:
		return nil
	case gone && t.PullNumber > 0:
		got.Pull.State = forge.StateClosed
		err = c.rest(ctx, t, got)
	case trouble.Code == fleet.CodeDatabase:
		return err
	default:
		trouble.Message = c.engine.clean(err.Error())
		c.note(func(out *Closing) { out.Failed = append(out.Failed, trouble) })
		return nil
	}
	if err != nil {
		return err
	}
	c.note(func(out *Closing) {
		switch got.Pull.State {
		case forge.StateOpen:
			out.Closed++
		case forge.StateMerged:
			out.Merged++
		default:
			out.Ended++
		}
		if got.Kept != nil {
			trouble.Code, trouble.Message = fleet.CodeOf(got.Kept), c.engine.clean(got.Kept.Error())
			out.Kept = append(out.Kept, trouble)
		}
	})
	return nil
}

// withdraw closes it; one that was opened and not recorded is looked for first.
func (c *closer) withdraw(ctx context.Context, repo fleet.Repository, t *fleet.Target) (publish.Withdrawn, error) {
	if t.State == fleet.Ready {
		host, err := c.engine.cfg.Forge(repo.Forge)
		if err != nil {
			return publish.Withdrawn{}, err
		}
		found, err := host.Find(ctx, repo, t.Branch)
		if fleet.CodeOf(err) == fleet.CodeNotFound || err == nil && found.State != forge.StateOpen {
			return publish.Withdrawn{}, nil
		}
		if err != nil {
			return publish.Withdrawn{}, err
		}
		t.PullNumber, t.PullURL, t.HeadCommit = found.Number, found.URL, found.HeadSHA
	}
	return c.engine.cfg.Publisher.Withdraw(ctx, publish.Withdrawal{Repository: repo, Number: t.PullNumber, Branch: t.Branch, Head: t.HeadCommit, Comment: c.comment})
}

// rest records how the pull request ended, whatever its target has been moved to meanwhile.
func (c *closer) rest(ctx context.Context, t fleet.Target, got publish.Withdrawn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute) // it is closed: write that down
	defer cancel()
	move := store.Move{To: fleet.Closed, Actor: c.actor, Message: "closed by " + c.actor + " together with all pull requests of the campaign"}
	switch got.Pull.State {
	case forge.StateMerged:
		move = store.Move{To: fleet.Merged, Actor: "forge", Message: "its pull request was merged"}
	case forge.StateClosed:
		move.Actor, move.Message = "forge", "its pull request was closed before"
	}
	return c.engine.store.Tx(ctx, func(tx *store.Tx) error {
		now, err := tx.Target(ctx, t.ID)
		if err != nil || !fleet.CanMove(now.State, move.To) {
			return err // whoever moved it saw the same
		}
		now.PullNumber, now.PullURL, now.HeadCommit = t.PullNumber, t.PullURL, t.HeadCommit
		f, err := tx.Follow(ctx, t.ID)
		if err != nil {
			return err
		}
		if move.To == fleet.Merged {
			f.Campaign, f.MergedAt, f.MergeSHA, f.MergedBy = t.Campaign, c.engine.store.Now(), got.Pull.MergeSHA, orWord(f.MergedBy, "people")
			f.LookAgain = f.MergedAt.Add(watchFirst)
			if err := tx.SaveFollow(ctx, f); err != nil {
				return err
			}
		} else if err := c.engine.disband(ctx, tx, now.ID, "the pull request that it shared was closed: it gets its own", func(o fleet.Target) bool { return o.Campaign == now.Campaign }); err != nil {
			return err
		}
		return errors.Join(c.engine.together(ctx, tx, now, f, move), tx.Move(ctx, &now, move))
	})
}

// drop ends a target whose change is in another one's pull request. One of the same campaign ends with it.
func (c *closer) drop(ctx context.Context, t fleet.Target) error {
	return c.engine.store.Tx(ctx, func(tx *store.Tx) error {
		leader, err := tx.Target(ctx, t.Batch)
		if err != nil || leader.Campaign == t.Campaign && !leader.State.AtRest() {
			return err
		}
		if err := c.engine.leave(ctx, tx, &t); err != nil || !fleet.CanMove(t.State, fleet.Closed) {
			return err
		}
		c.note(func(out *Closing) { out.Closed++ })
		return tx.Move(ctx, &t, store.Move{To: fleet.Closed, Actor: c.actor, Message: "taken out of the pull request that it shared, together with all of the campaign"})
	})
}

func (c *closer) note(do func(out *Closing)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do(&c.out)
}

const (
	tries       = 8                // calls of a forge that does not answer
	longestWait = 20 * time.Minute // that a forge may ask for
)

// patiently repeats a call for as long as a later one may succeed. Once a forge has used up the patience for one
// pull request, it gets one call for each other.
func (c *closer) patiently(ctx context.Context, forgeName string, do func() error) error {
	asked := 0
	for try := 1; ; try++ {
		err := do()
		if err == nil || !forge.Passing(err) || ctx.Err() != nil {
			return err
		}
		c.mu.Lock()
		weary := c.weary[forgeName]
		c.weary[forgeName] = weary || try == tries
		c.mu.Unlock()
		if weary || try == tries {
			return err
		}
		wait := 50 * time.Millisecond << try
		if after, ok := forge.RetryAfter(err); ok {
			if wait = max(after, 10*time.Millisecond); wait > longestWait {
				return err
			}
			asked++
			try = asked / 10 // it says when to come back, so it may take longer
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}
