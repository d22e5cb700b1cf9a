package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/policy"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// lookers is how many pull requests are looked at together; the forge's own limiter decides how many calls are under way.
const lookers = 8

// fresh is how long a pull request that was just opened is left alone by runs that are not there to follow: they see when
// it is merged or closed, but do not ask after its checks.
const fresh = 10 * time.Minute

// followLoop makes a pass over the open pull requests every so often, until ctx ends.
func (e *Engine) followLoop(ctx context.Context, campaigns []string, every time.Duration) error {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if err := e.pass(ctx, campaigns); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// pass looks once at the pull requests of the campaigns, in as few calls as the forges allow, and lets go on what waited
// for its owner's time. A forge that does not answer is asked again by the next pass.
func (e *Engine) pass(ctx context.Context, campaigns []string) error {
	byForge := map[string][]stop{}
	leaders := map[int64]bool{} // of shared pull requests that were come across
	repos := map[string]fleet.Repository{}
	for _, name := range campaigns {
		for after := int64(0); ; {
			page, err := e.store.Followed(ctx, name, []fleet.State{fleet.Proposed, fleet.Merged}, after, 500)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			after = page[len(page)-1].ID
			for _, t := range page {
				if t.State == fleet.Merged && !watched(t.Follow, e.store.Now()) {
					continue
				}
				elsewhere := t.Follows() && t.State == fleet.Proposed // its leader is looked at
				if elsewhere {
					if leaders[t.Batch] {
						continue
					}
					leader, err := e.store.Target(ctx, t.Batch)
					if err != nil {
						return err
					}
					leaders[t.Batch] = true
					if leader.State != fleet.Proposed || slices.Contains(campaigns, leader.Campaign) {
						continue // no step is due on it, or it comes by itself
					}
					t.Target = leader
				}
				repo, known := repos[t.Repository]
				if !known {
					stored, err := e.store.Repository(ctx, t.Repository)
					if err != nil && fleet.CodeOf(err) != fleet.CodeNotFound {
						return err
					}
					repo = stored.Repository
					repos[t.Repository] = repo
				}
				byForge[repo.Forge] = append(byForge[repo.Forge], stop{t, repo, elsewhere})
			}
		}
	}
	for name, stops := range byForge {
		if err := e.passForge(ctx, name, stops); err != nil {
			return err
		}
	}
	return e.letGo(ctx, campaigns)
}

// stop is one target on the way of a pass.
type stop struct {
	store.Followed
	repo      fleet.Repository
	elsewhere bool // another campaign's, which shares its pull request with one that is followed
}

// passForge looks at the pull requests of one forge.
func (e *Engine) passForge(ctx context.Context, name string, stops []stop) error {
	began := e.store.Now()
	trouble := &troubles{engine: e, forge: name}
	host, err := e.cfg.Forge(name)
	if err != nil {
		return trouble.note(ctx, stops[0].Campaign, err)
	}
	open := map[string]stop{}
	var refs, young []forge.PullRef
	asked := map[string]bool{} // campaigns of refs
	var born time.Time         // by the host's clock: of the youngest
	var due []stop
	_, clock := host.(forge.Clock)
	for _, s := range stops {
		if s.elsewhere {
			due = append(due, s)
		} else if s.State == fleet.Proposed {
			open[pullKey(s.repo.Name, s.PullNumber)] = s
			ref := forge.PullRef{Repo: s.repo, Number: s.PullNumber}
			if clock && !e.eager && s.Follow.LookedAt.IsZero() && !s.Follow.Changed.IsZero() && s.Follow.LookAgain.After(began) {
				young = append(young, ref)
				if s.Follow.Changed.After(born) {
					born = s.Follow.Changed
				}
				continue
			}
			refs = append(refs, ref)
			asked[s.Campaign] = true
		} else if !s.Follow.LookAgain.After(began) {
			due = append(due, s)
		}
	}
	var g errgroup.Group
	g.SetLimit(lookers)
	visit := func(s stop, pull *forge.Pull) {
		g.Go(func() error {
			err := e.stopAt(ctx, s, pull)
			if err != nil && (fleet.CodeOf(err) == fleet.CodeConflict || errors.Is(err, store.ErrFenced)) {
				trouble.missed() // somebody else moved it meanwhile: what was seen is not taken in
				return nil
			}
			if err == nil || ctx.Err() != nil {
				return nil
			}
			return trouble.note(ctx, s.Campaign, err)
		})
	}
	follower, bulk := host.(forge.Follower)
	follow := func(refs []forge.PullRef, since time.Time) error {
		for pull, err := range follower.Follow(ctx, refs, since) {
			s, ours := open[pullKey(pull.Repository, pull.Number)]
			switch {
			case err != nil && pull.Number == 0:
				if err := trouble.note(ctx, stops[0].Campaign, err); err != nil {
					return err
				}
			case !ours:
			case err != nil:
				delete(open, pullKey(pull.Repository, pull.Number))
				visit(s, nil) // asked alone it says what is wrong
			default:
				delete(open, pullKey(pull.Repository, pull.Number))
				if !quiet(s, pull, began) {
					visit(s, &pull)
				}
			}
		}
		return nil
	}
	if bulk && len(young) > 0 {
		// Only what happened after they were opened; drivers look a few seconds further back, because clocks differ.
		if err := follow(young, born.Add(7*time.Second)); err != nil {
			return errors.Join(err, g.Wait())
		}
	}
	seen := time.Time{} // by the host's clock: up to when this pass saw everything
	if bulk && len(refs) > 0 {
		since, err := e.followedSince(ctx, name, asked)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		if err := follow(refs, since); err != nil {
			return errors.Join(err, g.Wait())
		}
		seen = hostTime(host, began, e.store.Now())
	}
	for _, s := range open { // those that stand as they stood
		if !bulk || !s.Follow.LookAgain.After(began) || e.eager && s.Follow.LookedAt.IsZero() {
			visit(s, nil)
		}
	}
	for _, s := range due {
		visit(s, nil)
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if seen.IsZero() || !trouble.none() || ctx.Err() != nil {
		return nil // what failed is shown again by the next pass
	}
	return e.rememberFollowed(ctx, name, asked, seen)
}

func pullKey(repo string, number int) string { return fmt.Sprint(repo, "#", number) }

// quiet says that nothing about a pull request is new, and that nothing is due on it by time alone.
func quiet(s stop, pull forge.Pull, now time.Time) bool {
	f := s.Follow
	return pull.State == forge.StateOpen && pull.HeadSHA == f.Head && pull.UpdatedAt.Equal(f.Updated) && !pull.Conflicts &&
		(pull.CI == "" || string(pull.CI) == f.CI || pull.CI == forge.CheckFailed && f.CI == "before") && f.LookAgain.After(now)
}

// stopAt takes one target's lease and attends to its pull request.
func (e *Engine) stopAt(ctx context.Context, s stop, pull *forge.Pull) error {
	h := &hold{engine: e, target: s.ID}
	defer h.release(ctx)
	if held, err := h.take(ctx); err != nil || !held {
		return err // whoever has it looks
	}
	t, err := e.store.Target(ctx, s.ID)
	if err != nil || t.State != s.State || t.PullNumber != s.PullNumber {
		return err
	}
	if t.State == fleet.Merged {
		return e.watch(ctx, h, t, s.repo)
	}
	row, c, err := e.campaign(ctx, t.Campaign)
	if err != nil {
		return err
	}
	return e.attend(ctx, h, row, c, t, s.repo, pull)
}

// letGoAtOnce is how many waiting targets one transaction looks at.
const letGoAtOnce = 100

// letGo gives ready targets that waited for their owner's time their place, when there is one now.
func (e *Engine) letGo(ctx context.Context, campaigns []string) error {
	for _, name := range campaigns {
		row, c, err := e.campaign(ctx, name)
		if err != nil {
			return err
		}
		for after := (fleet.Target{Wave: -1}); row.State == fleet.CampaignActive; {
			held, err := e.store.Held(ctx, name, after, letGoAtOnce)
			if err != nil {
				return err
			}
			if len(held) == 0 {
				break
			}
			after = held[len(held)-1]
			if err := e.store.Tx(ctx, func(tx *store.Tx) error {
				for _, t := range held {
					if !mayPropose(row, c, t) {
						continue // whoever lets it wakes it up
					}
					why, _, err := e.place(ctx, tx, c, t)
					switch {
					case err != nil:
						return err
					case why == "":
						err = tx.Wake(ctx, store.Job{Target: t.ID, Campaign: t.Campaign, Lane: store.LaneSteps})
					case why != t.Held:
						_, err = tx.Hold(ctx, t.ID, why)
					}
					if err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// admit takes a place for a ready target's pull request, or says what it waits for. What takes a change back waits for nobody.
func (e *Engine) admit(ctx context.Context, tx *store.Tx, c *spec.Campaign, t fleet.Target) (held string, err error) {
	if c.Change.Reverts != "" {
		return tx.TakeSlot(ctx, t, store.SlotLimits{})
	}
	rules := e.owner(t.Owner)
	if open, next, why := rules.Window(e.store.Now()); !open {
		return policy.Until(why, next), nil
	}
	return tx.TakeSlot(ctx, t, rules.Limits)
}

// OwnerRules is what an owner's time allows. Its zero value allows everything at any time.
type OwnerRules struct {
	Limits store.SlotLimits
	// When says whether the owner may be disturbed now; if not, why, and from when. nil is always.
	When func(now time.Time) (open bool, next time.Time, why string)
	// Merge narrows the campaign's policy: never or approved. "" leaves it.
	Merge string
}

// Window is When, or always.
func (r OwnerRules) Window(now time.Time) (bool, time.Time, string) {
	if r.When == nil {
		return true, time.Time{}, ""
	}
	return r.When(now)
}

func (e *Engine) owner(name string) OwnerRules {
	if e.cfg.Owners == nil {
		return OwnerRules{}
	}
	return e.cfg.Owners(name)
}
