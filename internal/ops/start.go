package ops

import (
	"context"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/publish"
)

// start stores a plan.
func (o *Ops) start(ctx context.Context, e *engine.Engine, p *Plan, dryRun bool) error {
	branch, err := o.branches(ctx, p.Campaign)
	if err != nil {
		return err
	}
	return e.Start(ctx, p.enginePlan(branch, dryRun), o.cfg.Actor)
}

// branches returns what names a campaign's branches, by the fleet as it is now.
func (o *Ops) branches(ctx context.Context, campaign string) (func(component, repository string) string, error) {
	components, err := o.store.Components(ctx)
	if err != nil {
		return nil, err
	}
	byRef, perRepo := make(map[string]fleet.Component, len(components)), map[string]int{}
	for _, c := range components {
		byRef[c.Ref] = c
		perRepo[c.Repository]++
	}
	return func(component, repository string) string {
		return publish.Branch(campaign, byRef[component], perRepo[repository] == 1)
	}, nil
}
