package ops

import (
	"context"
	"encoding/json"
	"time"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/rollout"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// planEvery is how often schedules are looked at.
const planEvery = 20 * time.Second

// keepPlanning plans recurring campaigns again whenever their schedules say so, until ctx ends.
func (o *Ops) keepPlanning(ctx context.Context, e *engine.Engine, names []string) error {
	t := time.NewTicker(planEvery)
	defer t.Stop()
	for {
		if err := o.planDue(ctx, e, names); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// planDue plans those of the campaigns again that are due.
func (o *Ops) planDue(ctx context.Context, e *engine.Engine, names []string) error {
	refreshed := false
	for _, name := range names {
		row, err := o.store.Campaign(ctx, name)
		if err != nil {
			return err
		}
		c, err := storedSpec(row)
		if err != nil {
			return err
		}
		if c.Rollout.Schedule == "" || row.State != fleet.CampaignActive && row.State != fleet.CampaignDone {
			continue
		}
		schedule, err := spec.ParseSchedule(c.Rollout.Schedule)
		if err != nil {
			return err
		}
		now := o.cfg.Clock()
		if due, _ := rollout.Due(schedule, o.plannedAt(ctx, row), now); !due {
			continue
		}
		if !refreshed {
			if _, err := o.Sync(ctx, SyncInput{}); err != nil {
				return o.later(ctx, name, err)
			}
			refreshed = true
		}
		if err := o.recur(ctx, e, row, c); err != nil {
			if err := o.later(ctx, name, err); err != nil {
				return err
			}
			continue
		}
		if err := o.planned(ctx, name, now); err != nil {
			return err
		}
	}
	return nil
}

// later notes, once for as long as it is the same, why a campaign could not be planned again now, and returns what no later
// try would get past.
func (o *Ops) later(ctx context.Context, campaign string, err error) error {
	switch fleet.CodeOf(err) {
	case fleet.CodeDatabase, fleet.CodeInternal:
		return err
	}
	key, text := "unplanned/"+campaign, o.redact.String(err.Error())
	if was, _, memoErr := o.store.Memo(ctx, key); memoErr != nil || was == text || ctx.Err() != nil {
		return memoErr
	}
	return o.store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.Remember(ctx, key, text); err != nil {
			return err
		}
		return tx.Record(ctx, store.Event{Campaign: campaign, Kind: "note", Actor: "gaggle", Reason: fleet.CodeOf(err), Message: "it is due, and could not be planned again yet: " + text})
	})
}

// recur plans a campaign again: new components that match join it, and those whose base is another one since are looked at
// again when they still match. Nothing is said when there is nothing to do.
func (o *Ops) recur(ctx context.Context, e *engine.Engine, row store.Campaign, c *spec.Campaign) error {
	p, err := o.planSpec(ctx, c, PlanInput{})
	if err != nil {
		return err
	}
	if err := o.start(ctx, e, p, row.DryRun); err != nil {
		return err
	}
	if len(p.Targets) == 0 {
		return nil
	}
	sel := engine.Selection{Campaign: row.Name}
	for _, t := range p.Targets {
		sel.Components = append(sel.Components, t.Component)
	}
	heads, err := o.trees(ctx)
	if err != nil {
		return err
	}
	_, err = e.Rerun(ctx, sel, heads, o.cfg.Actor)
	return err
}

// plannedAt is when a campaign was planned last.
func (o *Ops) plannedAt(ctx context.Context, row store.Campaign) time.Time {
	text, _, err := o.store.Memo(ctx, "planned/"+row.Name)
	if err == nil {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return at
		}
	}
	return row.CreatedAt
}

func (o *Ops) planned(ctx context.Context, name string, at time.Time) error {
	return o.store.Tx(ctx, func(tx *store.Tx) error { return tx.Remember(ctx, "planned/"+name, at.Format(time.RFC3339Nano)) })
}

// trees are the default branches' trees by repository.
func (o *Ops) trees(ctx context.Context) (map[string]string, error) {
	repos, err := o.store.Repositories(ctx)
	heads := make(map[string]string, len(repos))
	for _, r := range repos {
		heads[r.Name] = r.Tree
	}
	return heads, err
}

// storedSpec reads the file of a campaign as it was stored.
func storedSpec(row store.Campaign) (*spec.Campaign, error) {
	var c spec.Campaign
	if err := json.Unmarshal([]byte(row.Spec), &c); err != nil {
		return nil, &fleet.Error{Code: fleet.CodeInternal, Message: "the stored file of campaign " + row.Name + " cannot be read", Err: err}
	}
	return &c, nil
}
