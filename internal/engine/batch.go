package engine

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/publish"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// A batch is ready targets of one repository and owner that share a pull request, a commit each. One leads: the branch and
// everything that is done about the pull request are its own. The others follow: no step is taken for them, and they end as the
// pull request does. What goes wrong with it takes it apart, because nobody could say whose change is to blame.
const (
	mostTogether  = 20        // changes in one pull request
	batchPatience = time.Hour // that a ready change waits for others under way
)

// company lists the ready targets that may share a pull request with t, and counts those that will soon. It runs in a
// transaction that holds the lock of batches, or whose result is only shown.
func (e *Engine) company(ctx context.Context, tx *store.Tx, c *spec.Campaign, t fleet.Target) (ready []fleet.Target, busy int, err error) {
	all, err := tx.Beside(ctx, t)
	if err != nil {
		return nil, 0, err
	}
	rows := map[string]store.Campaign{}
	for _, other := range all {
		row, known := rows[other.Campaign]
		if !known {
			if row, err = tx.Campaign(ctx, other.Campaign); err != nil {
				return nil, 0, err
			}
			rows[row.Name] = row
		}
		oc, err := e.specOf(row)
		if err != nil {
			return nil, 0, err
		}
		switch {
		case oc.PullRequest.Batch != c.PullRequest.Batch || row.State != fleet.CampaignActive || row.DryRun:
		case other.State != fleet.Ready:
			busy++
		case mayPropose(row, oc, other) && len(ready) < mostTogether-1:
			leased, err := tx.Leased(ctx, other.ID)
			if err != nil {
				return nil, 0, err
			}
			if !leased { // otherwise it is being proposed by itself
				ready = append(ready, other)
			}
		}
	}
	if len(ready) == mostTogether-1 || e.store.Now().Sub(t.UpdatedAt) > batchPatience {
		busy = 0
	}
	return ready, busy, nil
}

// place takes a place for a ready target's pull request, or says what it waits for. ready are those that go into it, too.
func (e *Engine) place(ctx context.Context, tx *store.Tx, c *spec.Campaign, t fleet.Target) (held string, ready []fleet.Target, err error) {
	if c.PullRequest.Batch != "" && t.Batch == 0 {
		busy := 0
		if ready, busy, err = e.company(ctx, tx, c, t); err != nil {
			return "", nil, err
		}
		if busy > 0 {
			return fmt.Sprintf("for %s of repository %s that may share its pull request", fleet.Count(busy, "other change"), t.Repository), nil, nil
		}
	}
	held, err = e.admit(ctx, tx, c, t)
	return held, ready, err
}

// lead makes t the leader of the others.
func (e *Engine) lead(ctx context.Context, tx *store.Tx, t *fleet.Target, others []fleet.Target) error {
	t.Batch = t.ID
	if err := tx.Save(ctx, t); err != nil {
		return err
	}
	for _, o := range others {
		o.Batch = t.ID
		if err := tx.Save(ctx, &o); err != nil {
			return err
		}
		if _, err := tx.Hold(ctx, o.ID, ""); err != nil {
			return err
		}
		if err := tx.Record(ctx, store.Event{Campaign: o.Campaign, Target: o.ID, Component: o.Component, Kind: "note", Actor: e.cfg.Actor,
			Message: fmt.Sprintf("it goes into one pull request with %s of campaign %s", t.Component, t.Campaign)}); err != nil {
			return err
		}
	}
	return nil
}

// wakeWaiting wakes the ready targets that may have waited for t. Whoever decides to wait has said so before this looks, or
// decides after t has moved: both hold the lock of batches.
func (e *Engine) wakeWaiting(ctx context.Context, tx *store.Tx, t fleet.Target) error {
	if err := tx.LockBatches(ctx); err != nil {
		return err
	}
	all, err := tx.Beside(ctx, t)
	for _, o := range all {
		if o.State != fleet.Ready || o.Held == "" {
			continue
		}
		if _, err := tx.Hold(ctx, o.ID, ""); err != nil {
			return err
		}
		if err := tx.Wake(ctx, store.Job{Target: o.ID, Campaign: o.Campaign, Lane: store.LaneSteps}); err != nil {
			return err
		}
	}
	return err
}

// with gathers what the pull request of a leader holds besides its own change.
func (e *Engine) with(ctx context.Context, leader fleet.Target) ([]publish.Proposal, error) {
	if !leader.Leads() {
		return nil, nil
	}
	all, err := e.store.Batch(ctx, leader.ID)
	var list []publish.Proposal
	for _, t := range all {
		if t.State != fleet.Ready && t.State != fleet.Proposed {
			continue
		}
		_, c, err := e.campaign(ctx, t.Campaign)
		if err != nil {
			return nil, err
		}
		order, err := e.order(ctx, c, t)
		if err != nil && fleet.CodeOf(err) == fleet.CodeNotFound { // gone from the fleet: it fails by itself
			if err := e.alone(ctx, t.ID, err); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		p, err := e.proposal(ctx, c, t, order)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, err
}

// alone takes a change that does not fit on the others out of the batch.
func (e *Engine) alone(ctx context.Context, id int64, why error) error {
	return e.store.Tx(ctx, func(tx *store.Tx) error {
		t, err := tx.Target(ctx, id)
		if err != nil || !t.Follows() {
			return err
		}
		return e.letOut(ctx, tx, t, fleet.Alone, "it gets a pull request of its own: "+why.Error())
	})
}

// letOut takes a target that follows out of its batch, and has it go on by itself. At rest it stays as it is.
func (e *Engine) letOut(ctx context.Context, tx *store.Tx, t fleet.Target, batch int64, why string, asks ...fleet.Asked) error {
	next := &store.Job{Target: t.ID, Campaign: t.Campaign, Lane: store.LaneSteps}
	t.Batch = batch
	switch t.State {
	case fleet.Ready:
		if err := tx.Save(ctx, &t); err != nil {
			return err
		}
		if err := tx.Record(ctx, store.Event{Campaign: t.Campaign, Target: t.ID, Component: t.Component, Kind: "note", Actor: e.cfg.Actor, Message: why}); err != nil {
			return err
		}
		return tx.Wake(ctx, *next)
	case fleet.Proposed:
		t.PullNumber, t.PullURL, t.HeadCommit = 0, "", ""
		if err := tx.SaveFollow(ctx, fleet.Follow{Target: t.ID, Campaign: t.Campaign, Asks: asks}); err != nil {
			return err
		}
		return tx.Move(ctx, &t, store.Move{To: fleet.Ready, Actor: e.cfg.Actor, Message: why, Next: next})
	}
	return nil
}

// disband lets everybody out who follows a leader, but those that stay.
func (e *Engine) disband(ctx context.Context, tx *store.Tx, leader int64, why string, stays func(fleet.Target) bool) error {
	all, err := tx.Batch(ctx, leader)
	if err != nil {
		return err
	}
	for _, t := range all {
		if stays == nil || !stays(t) {
			if err := e.letOut(ctx, tx, t, 0, why); err != nil {
				return err
			}
		}
	}
	return nil
}

// leave takes a target out of its batch before a person moves it somewhere else: its leader's pull request is made again without
// it, or those that it leads go on by themselves. t is as stored afterwards, but for its Batch.
func (e *Engine) leave(ctx context.Context, tx *store.Tx, t *fleet.Target) error {
	if t.Batch <= 0 {
		t.Batch = 0
		return nil
	}
	now, err := tx.Target(ctx, t.ID)
	if err != nil {
		return err
	}
	*t = now
	switch {
	case t.Leads():
		err = e.disband(ctx, tx, t.ID, "the pull request that it shared is given up: it gets its own", nil)
	case t.Follows():
		t.PullNumber, t.PullURL, t.HeadCommit = 0, "", ""
		var leader fleet.Target
		if leader, err = tx.Target(ctx, t.Batch); err == nil {
			err = tx.Wake(ctx, store.Job{Target: leader.ID, Campaign: leader.Campaign, Lane: store.LaneSteps})
		}
	}
	t.Batch = 0
	return err
}

// together moves those that follow a leader as it moves itself, with what is known about the pull request. f is the leader's.
func (e *Engine) together(ctx context.Context, tx *store.Tx, leader fleet.Target, f fleet.Follow, move store.Move) error {
	if !leader.Leads() {
		return nil
	}
	all, err := tx.Batch(ctx, leader.ID)
	if err != nil {
		return err
	}
	for _, t := range all {
		if t.State != fleet.Proposed && t.State != fleet.Ready || !fleet.CanMove(t.State, move.To) {
			continue
		}
		t.PullNumber, t.PullURL, t.HeadCommit = leader.PullNumber, leader.PullURL, leader.HeadCommit
		if err := tx.SaveFollow(ctx, mirrored(f, t)); err != nil {
			return err
		}
		if err := tx.Move(ctx, &t, move); err != nil {
			return err
		}
	}
	return nil
}

// mirrored is what is known about the pull request that a target shares, for that target.
func mirrored(leader fleet.Follow, t fleet.Target) fleet.Follow {
	f := leader
	f.Target, f.Campaign, f.Base = t.ID, t.Campaign, t.BaseCommit
	f.Task, f.Asks, f.With = nil, nil, nil
	return f
}

// mirror keeps what is known about those that follow as fresh as their leader's, so that gates and reports count them.
func (v *visit) mirror(ctx context.Context, tx *store.Tx) error {
	for _, t := range v.mates {
		was, err := tx.Follow(ctx, t.ID)
		if err != nil {
			return err
		}
		if f := v.f; was.CI == f.CI && was.Touched == f.Touched && was.Asked == f.Asked && was.HandsOff == f.HandsOff && was.Head == f.Head {
			continue
		}
		if err := tx.SaveFollow(ctx, mirrored(v.f, t)); err != nil {
			return err
		}
	}
	return nil
}

// mates are the targets that share the pull request, and whether it holds any that no longer does.
func (e *Engine) mates(ctx context.Context, leader fleet.Target, f fleet.Follow) (mates []fleet.Target, stale bool, err error) {
	if !leader.Leads() {
		return nil, false, nil
	}
	all, err := e.store.Batch(ctx, leader.ID)
	for _, t := range all {
		if t.State == fleet.Proposed {
			mates = append(mates, t)
		}
	}
	for _, id := range f.With {
		stale = stale || !slices.ContainsFunc(mates, func(t fleet.Target) bool { return t.ID == id })
	}
	return mates, stale, err
}

// split takes the pull request apart: it keeps the leader's change, and each other one gets a pull request of its own, with what
// reviewers said about its files.
func (v *visit) split(ctx context.Context, why string) error {
	mine, theirs, err := v.share(ctx)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("This pull request holds %s, and %s. So it is taken apart: it keeps the change of campaign %s in %s, and these get pull requests of their own:\n", fleet.Count(len(v.mates)+1, "change"), why, publish.Code(v.t.Campaign), publish.Code(v.t.Component))
	for _, t := range v.mates {
		text += fmt.Sprintf("- campaign %s in %s\n", publish.Code(t.Campaign), publish.Code(t.Component))
	}
	if err := v.comment(ctx, "split/"+v.f.Head, text); err != nil {
		return err
	}
	v.f.Asked, v.f.Asks = "", mine
	v.t.Batch = fleet.Alone
	return v.begin(ctx, fleet.Revision{Kind: fleet.ReviseSplit, Push: true}, why+": its pull request is taken apart", func(ctx context.Context, tx *store.Tx) error {
		all, err := tx.Batch(ctx, v.t.ID)
		if err != nil {
			return err
		}
		for _, t := range all {
			if err := v.e.letOut(ctx, tx, t, fleet.Alone, "the pull request that it shared is taken apart: "+why, theirs[t.ID]...); err != nil {
				return err
			}
		}
		return nil
	})
}

// share says which change each open remark is about: by its file, or else the leader's.
func (v *visit) share(ctx context.Context) (mine []fleet.Asked, theirs map[int64][]fleet.Asked, err error) {
	theirs = map[int64][]fleet.Asked{}
	touches := func(t fleet.Target, file string) (bool, error) {
		diff, err := v.e.store.GetRecord(ctx, t.DiffKey)
		return bytes.Contains(diff, []byte(" b/"+file+"\n")), err
	}
	atFiles := func(r forge.Remark) bool { return r.File != "" }
	for _, ask := range v.asks {
		if strings.TrimSpace(ask.Body) == "" && slices.ContainsFunc(v.asks, atFiles) {
			continue // a verdict whose words stand at files
		}
		whose := v.t.ID
		if ask.File != "" {
			for _, t := range append([]fleet.Target{v.t}, v.mates...) {
				yes, err := touches(t, ask.File)
				if err != nil {
					return nil, nil, err
				}
				if yes {
					whose = t.ID
					break
				}
			}
		}
		if whose == v.t.ID {
			mine = append(mine, kept(ask))
		} else {
			theirs[whose] = append(theirs[whose], kept(ask))
		}
	}
	return mine, theirs, nil
}

// kept is a remark as it waits to be taken up.
func kept(r forge.Remark) fleet.Asked {
	return fleet.Asked{ID: r.ID, Author: r.Author, Body: forge.Clip(r.Body, 4000), File: r.File, Line: r.Line}
}
