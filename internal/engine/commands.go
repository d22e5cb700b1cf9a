package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"gaggle/internal/fleet"
	"gaggle/internal/publish"
	"gaggle/internal/store"
)

// Start stores the campaign, or brings the stored one up to the plan. Waves that are open keep their targets; everything
// that is still pending, and what is new, is dealt into the waves after them. Pending targets that no longer match are
// skipped; targets at rest stay there until Retry or Rerun.
func (e *Engine) Start(ctx context.Context, p Plan, actor string) error {
	data, err := json.Marshal(p.Spec)
	if err != nil {
		return err
	}
	name := p.Spec.Metadata.Name
	return e.store.Tx(ctx, func(tx *store.Tx) error {
		row, err := tx.Campaign(ctx, name)
		switch {
		case err != nil && fleet.CodeOf(err) == fleet.CodeNotFound:
			row = store.Campaign{Name: name, File: p.Spec.File, Spec: string(data), ChangeHash: p.Spec.ChangeHash(), State: fleet.CampaignActive, DryRun: p.DryRun, Priority: p.Spec.Rollout.Priority}
			fresh, waves := deal(p, row, nil)
			row.Waves = waves
			if err := tx.AddCampaign(ctx, &row); err != nil {
				return err
			}
			if err := tx.Record(ctx, store.Event{Campaign: name, Kind: "campaign", Actor: actor, Message: fmt.Sprintf("started with %s in %s", fleet.Count(len(fresh), "target"), fleet.Count(len(waves), "wave"))}); err != nil {
				return err
			}
			_, err = tx.AddTargets(ctx, fresh)
			return err
		case err != nil:
			return err
		case row.State == fleet.CampaignCanceled:
			return &fleet.Error{Code: fleet.CodeConflict, Message: fmt.Sprintf("campaign %q was canceled", name), Hint: "give the file another metadata.name to start anew"}
		}
		return e.update(ctx, tx, &row, p, string(data), actor)
	})
}

// update brings a stored campaign up to a new plan.
func (e *Engine) update(ctx context.Context, tx *store.Tx, row *store.Campaign, p Plan, data, actor string) error {
	places, planned := places{}, p.components()
	if row.DryRun && !p.DryRun {
		// What the dry run made is proposed wave by wave, like everything else.
		row.OpenWaves, row.ApprovedWave, row.AskedWave, row.Reached = 0, 0, 0, nil
	}
	if err := tx.EachTarget(ctx, store.Filter{Campaign: row.Name}, func(t fleet.Target) error {
		places.add(t)
		return nil
	}); err != nil {
		return err
	}
	was := make(map[string]int, len(places))
	for ref, at := range places {
		was[ref] = at.wave
	}
	fresh, sizes := deal(p, *row, places)
	changed := row.Spec != data || row.DryRun != p.DryRun || !slices.Equal(row.Waves, sizes)
	if err := tx.EachTarget(ctx, store.Filter{Campaign: row.Name, States: []fleet.State{fleet.Pending, fleet.Skipped}}, func(t fleet.Target) error {
		at := places[t.Component]
		switch {
		case t.State == fleet.Skipped && planned[t.Component]:
			changed = true
			t.Wave = at.wave
			return tx.Move(ctx, &t, store.Move{To: fleet.Pending, Actor: actor, Message: "it matches again"})
		case t.State == fleet.Skipped:
		case !planned[t.Component] && p.Partial:
			return tx.SetWave(ctx, t.ID, len(sizes)) // behind the last wave, until a run that means it
		case !planned[t.Component] && !p.Partial:
			changed = true
			return tx.Move(ctx, &t, store.Move{To: fleet.Skipped, Actor: actor, Reason: fleet.CodeNotFound, Message: "it no longer matches"})
		case at.wave != was[t.Component]:
			return tx.SetWave(ctx, t.ID, at.wave)
		}
		return nil
	}); err != nil {
		return err
	}
	if _, err := tx.AddTargets(ctx, fresh); err != nil {
		return err
	}
	if row.State == fleet.CampaignDone && changed {
		row.State, row.Reason, row.Message = fleet.CampaignActive, "", ""
	}
	if !changed && len(fresh) == 0 {
		return nil
	}
	row.File, row.Spec, row.ChangeHash, row.DryRun, row.Waves, row.Priority = p.Spec.File, data, p.Spec.ChangeHash(), p.DryRun, sizes, p.Spec.Rollout.Priority
	return tx.SaveCampaign(ctx, row, actor, fmt.Sprintf("planned again: %s in %s, %d new", fleet.Count(len(p.Targets), "target"), fleet.Count(len(sizes), "wave"), len(fresh)))
}

// Selection says which of a campaign's targets a command concerns.
type Selection struct {
	Campaign   string
	Components []string // references; empty for all
	States     []fleet.State
}

// each runs do, in one transaction a page, over the targets selected, and counts those for which it returned true.
func (e *Engine) each(ctx context.Context, sel Selection, do func(tx *store.Tx, t *fleet.Target) (bool, error)) (int, error) {
	for _, ref := range sel.Components {
		got, err := e.store.Targets(ctx, store.Filter{Campaign: sel.Campaign, Component: ref})
		if err != nil {
			return 0, err
		}
		if len(got) == 0 {
			return 0, &fleet.Error{Code: fleet.CodeNotFound, Message: fmt.Sprintf("campaign %q has no target %q", sel.Campaign, ref), Hint: "gaggle status " + sel.Campaign + " lists its targets"}
		}
	}
	done, after := 0, int64(0)
	for {
		page, err := e.store.Targets(ctx, store.Filter{Campaign: sel.Campaign, States: sel.States, After: after, Limit: 500})
		if err != nil || len(page) == 0 {
			return done, err
		}
		after = page[len(page)-1].ID
		n := 0
		err = e.store.Tx(ctx, func(tx *store.Tx) error {
			n = 0
			for i := range page {
				if len(sel.Components) > 0 && !slices.Contains(sel.Components, page[i].Component) {
					continue
				}
				did, err := do(tx, &page[i])
				if err != nil && fleet.CodeOf(err) != fleet.CodeConflict {
					return err
				}
				if did && err == nil {
					n++
				}
			}
			return nil
		})
		if err != nil {
			return done, err
		}
		done += n
	}
}

// Approve lets ready targets be proposed: those of the selection, or, when it names none, also the wave that waits.
func (e *Engine) Approve(ctx context.Context, sel Selection, actor string) (int, error) {
	row, err := e.store.Campaign(ctx, sel.Campaign)
	if err != nil {
		return 0, err
	}
	if row.DryRun {
		return 0, &fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf("campaign %q is a dry run", sel.Campaign), Hint: "run it without --dry-run; what is ready is not paid twice"}
	}
	if len(sel.Components) == 0 && row.ApprovedWave < row.OpenWaves {
		row.ApprovedWave = row.OpenWaves
		if err := e.store.Tx(ctx, func(tx *store.Tx) error {
			return tx.SaveCampaign(ctx, &row, actor, fmt.Sprintf("approved up to wave %d", row.ApprovedWave))
		}); err != nil {
			return 0, err
		}
	}
	sel.States = []fleet.State{fleet.Ready}
	return e.each(ctx, sel, func(tx *store.Tx, t *fleet.Target) (bool, error) {
		t.Approved = true
		if err := tx.Save(ctx, t); err != nil {
			return false, err
		}
		if err := tx.Record(ctx, store.Event{Campaign: t.Campaign, Target: t.ID, Component: t.Component, Kind: "note", Actor: actor, Message: "approved"}); err != nil {
			return false, err
		}
		return true, tx.Wake(ctx, store.Job{Target: t.ID, Campaign: t.Campaign, Lane: store.LaneSteps})
	})
}

// Retry queues failed targets again, or those of the selection in any other rest that a person may leave.
func (e *Engine) Retry(ctx context.Context, sel Selection, actor string) (int, error) {
	sel.States = []fleet.State{fleet.Failed}
	if len(sel.Components) > 0 {
		sel.States = []fleet.State{fleet.Failed, fleet.Canceled, fleet.Closed, fleet.Skipped}
	}
	return e.requeue(ctx, sel, actor, "a person asked for a retry", func(fleet.Target) bool { return true })
}

// Rerun queues targets again whose result is out of date: their base has moved (by heads: repository name to tree), or
// the campaign's change is another one.
func (e *Engine) Rerun(ctx context.Context, sel Selection, heads map[string]string, actor string) (int, error) {
	row, err := e.store.Campaign(ctx, sel.Campaign)
	if err != nil {
		return 0, err
	}
	sel.States = []fleet.State{fleet.Ready, fleet.Unchanged, fleet.Failed, fleet.Merged, fleet.Skipped}
	return e.requeue(ctx, sel, actor, "the base or the change is new", func(t fleet.Target) bool {
		tree, known := heads[t.Repository]
		return known && (t.ChangeHash != row.ChangeHash || t.BaseTree != tree)
	})
}

func (e *Engine) requeue(ctx context.Context, sel Selection, actor, why string, want func(fleet.Target) bool) (int, error) {
	row, err := e.store.Campaign(ctx, sel.Campaign)
	if err != nil {
		return 0, err
	}
	if row.State == fleet.CampaignCanceled {
		return 0, &fleet.Error{Code: fleet.CodeConflict, Message: fmt.Sprintf("campaign %q was canceled", sel.Campaign)}
	}
	n, err := e.each(ctx, sel, func(tx *store.Tx, t *fleet.Target) (bool, error) {
		if !want(*t) {
			return false, nil
		}
		if err := e.leave(ctx, tx, t); err != nil {
			return false, err
		}
		t.Approved = false
		return true, tx.Move(ctx, t, store.Move{To: fleet.Queued, Actor: actor, Message: why, Next: &store.Job{Lane: store.LaneAttempts}})
	})
	if err != nil || n == 0 || row.State != fleet.CampaignDone {
		return n, err
	}
	row.State, row.Reason, row.Message = fleet.CampaignActive, "", ""
	return n, e.store.Tx(ctx, func(tx *store.Tx) error { return tx.SaveCampaign(ctx, &row, actor, why) })
}

// Pause stops new steps; attempts under way end.
func (e *Engine) Pause(ctx context.Context, campaign, actor, why string) error {
	return e.setState(ctx, campaign, actor, fleet.CampaignPaused, "", why, fleet.CampaignActive)
}

// Resume lets a paused campaign go on.
func (e *Engine) Resume(ctx context.Context, campaign, actor string) error {
	if err := e.setState(ctx, campaign, actor, fleet.CampaignActive, "", "", fleet.CampaignPaused); err != nil {
		return err
	}
	// What was woken up during the pause was left alone, so wake it up again.
	for state, lane := range map[fleet.State]store.Lane{fleet.Queued: store.LaneAttempts, fleet.Ready: store.LaneSteps} {
		if _, err := e.each(ctx, Selection{Campaign: campaign, States: []fleet.State{state}}, func(tx *store.Tx, t *fleet.Target) (bool, error) {
			return true, tx.Wake(ctx, store.Job{Target: t.ID, Campaign: campaign, Lane: lane})
		}); err != nil {
			return err
		}
	}
	return nil
}

// Cancel stops a campaign for good, or the selected targets only. Open pull requests are withdrawn.
func (e *Engine) Cancel(ctx context.Context, sel Selection, actor string) (int, error) {
	if len(sel.Components) == 0 {
		if err := e.setState(ctx, sel.Campaign, actor, fleet.CampaignCanceled, "", "canceled by "+actor, fleet.CampaignActive, fleet.CampaignPaused, fleet.CampaignDone); err != nil {
			return 0, err
		}
	}
	sel.States = []fleet.State{fleet.Proposed, fleet.Revising}
	var open []fleet.Target
	if _, err := e.each(ctx, sel, func(_ *store.Tx, t *fleet.Target) (bool, error) { open = append(open, *t); return true, nil }); err != nil {
		return 0, err
	}
	for _, t := range open {
		if t.Follows() {
			continue // its leader's is made again without it
		}
		repo, err := e.store.Repository(ctx, t.Repository)
		if err != nil {
			return 0, err
		}
		w := publish.Withdrawal{Repository: repo.Repository, Number: t.PullNumber, Branch: t.Branch, Head: t.HeadCommit, Comment: "Campaign " + t.Campaign + " was canceled by " + actor + "."}
		if _, err := e.cfg.Publisher.Withdraw(ctx, w); err != nil {
			return 0, err
		}
	}
	_, c, err := e.campaign(ctx, sel.Campaign)
	if err != nil {
		return 0, err
	}
	sel.States = []fleet.State{fleet.Pending, fleet.Queued, fleet.Changing, fleet.Ready, fleet.Proposed, fleet.Revising}
	return e.each(ctx, sel, func(tx *store.Tx, t *fleet.Target) (bool, error) {
		if c.PullRequest.Batch != "" { // before any row is written: whoever gathers writes rows, too
			if err := tx.LockBatches(ctx); err != nil {
				return false, err
			}
		}
		if err := e.leave(ctx, tx, t); err != nil {
			return false, err
		}
		if err := tx.DropReplies(ctx, t.ID); err != nil {
			return false, err
		}
		if err := tx.Move(ctx, t, store.Move{To: fleet.Canceled, Actor: actor, Message: "canceled by " + actor}); err != nil || c.PullRequest.Batch == "" {
			return err == nil, err
		}
		return true, e.wakeWaiting(ctx, tx, *t)
	})
}

func (e *Engine) setState(ctx context.Context, campaign, actor string, to fleet.CampaignState, reason fleet.Code, why string, from ...fleet.CampaignState) error {
	row, err := e.store.Campaign(ctx, campaign)
	if err != nil {
		return err
	}
	if row.State == to {
		return nil
	}
	if !slices.Contains(from, row.State) {
		return &fleet.Error{Code: fleet.CodeConflict, Message: fmt.Sprintf("campaign %q is %s", campaign, row.State)}
	}
	row.State, row.Reason, row.Message = to, reason, why
	return e.store.Tx(ctx, func(tx *store.Tx) error {
		return tx.SaveCampaign(ctx, &row, actor, string(to))
	})
}
