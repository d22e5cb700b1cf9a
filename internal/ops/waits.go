package ops

import (
	"context"
	"fmt"
	"strings"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/rollout"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// waits says in one line what each campaign waits for, by what is stored and the same decisions that the engine takes.
func (o *Ops) waits(ctx context.Context, campaigns []CampaignStatus) error {
	alive, err := o.store.Alive(ctx, "")
	if err != nil {
		return err
	}
	e := engine.New(engine.Config{Store: o.store})
	for i := range campaigns {
		if campaigns[i].Waits, err = o.waitOf(ctx, e, &campaigns[i], len(alive) > 0); err != nil {
			return err
		}
	}
	return nil
}

// waitOf says what one campaign waits for; "" when for nothing. working is whether anybody works on any campaign now.
func (o *Ops) waitOf(ctx context.Context, e *engine.Engine, s *CampaignStatus, working bool) (string, error) {
	begun := s.States[fleet.Queued] + s.States[fleet.Changing] + s.States[fleet.Revising]
	if s.State == fleet.CampaignActive && begun > 0 && !working {
		return fmt.Sprintf("no run is at work on what is begun, %d in all (gaggle run %s)", begun, s.Name), nil
	}
	wait, err := e.Waits(ctx, s.Name)
	if err != nil {
		return "", err
	}
	if s.State == fleet.CampaignPaused && strings.HasPrefix(s.Message, "paused") {
		return s.Message, nil // by whom
	}
	if wait.Message == "" {
		return o.nextPlan(ctx, s.Campaign)
	}
	return strings.TrimSuffix(wait.Message, engine.SeeStatus(s.Name)), nil
}

// nextPlan says when a recurring campaign is planned again; "" for one that does not recur.
func (o *Ops) nextPlan(ctx context.Context, row store.Campaign) (string, error) {
	c, err := storedSpec(row)
	if err != nil || c.Rollout.Schedule == "" || row.State == fleet.CampaignCanceled {
		return "", err
	}
	schedule, err := spec.ParseSchedule(c.Rollout.Schedule)
	if err != nil {
		return "", err
	}
	due, next := rollout.Due(schedule, o.plannedAt(ctx, row), o.cfg.Clock())
	switch {
	case due:
		return "it is due to be planned again, by gaggle follow", nil
	case next.IsZero():
		return "", nil
	}
	return "gaggle follow plans it again at " + next.Format("2006-01-02 15:04 MST"), nil
}
