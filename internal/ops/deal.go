package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/rollout"
	"gaggle/internal/spec"
)

// deal puts the chosen components into waves, in an order that is the same whenever it is planned, as a run would do it: what
// an earlier run has begun stays where it is.
func (o *Ops) deal(ctx context.Context, choices []*choice, components []fleet.Component, c *spec.Campaign, in PlanInput) (*Plan, error) {
	p := &Plan{Campaign: c.Metadata.Name, Targets: []PlannedTarget{}, Out: []LeftOut{}, spec: c, partial: in.Limit > 0 || len(in.Only) > 0}
	var chosen []*choice
	for _, ch := range choices {
		if ch.out == nil {
			chosen = append(chosen, ch)
		}
	}
	if err := intoCohorts(chosen, c); err != nil {
		return nil, err
	}
	spread(chosen, c.Metadata.Name)
	if c.Rollout.Order == spec.OrderRisk {
		carefully(chosen, components)
	}
	if in.Limit > 0 && len(chosen) > in.Limit {
		chosen = first(chosen, c, in.Limit)
	}
	for _, ch := range choices {
		if ch.out != nil {
			p.Out = append(p.Out, *ch.out)
		}
	}
	for _, ch := range chosen {
		p.Targets = append(p.Targets, PlannedTarget{Component: ch.component.Ref, Repository: ch.component.Repository, Path: ch.component.Path, Owner: ch.component.Owner,
			Why: strings.Join(ch.why, ", "), Examples: ch.examples, cohorts: ch.cohorts})
	}
	waves, sizes, err := engine.Preview(ctx, o.store, p.enginePlan(func(string, string) string { return "" }, false))
	if err != nil {
		return nil, err
	}
	for i, wave := range waves {
		p.Targets[i].Wave = wave + 1
	}
	slices.SortStableFunc(p.Targets, func(a, b PlannedTarget) int { return a.Wave - b.Wave })
	p.Waves = append([]int{}, sizes...)
	for i := range sizes {
		p.WaveNames = append(p.WaveNames, c.Rollout.Title(i))
	}
	if strings.Join(p.WaveNames, "") == "" {
		p.WaveNames = nil
	}
	return p, nil
}

// intoCohorts says of each component to which waves' cohorts it belongs.
func intoCohorts(chosen []*choice, c *spec.Campaign) error {
	if !slices.ContainsFunc(c.Rollout.Waves, spec.Wave.Cohort) {
		return nil
	}
	cohorts, err := spec.CompileCohorts(c.Rollout.Waves)
	if err != nil {
		return err
	}
	for _, ch := range chosen {
		if ch.cohorts, err = cohorts.Of(ch.component, ch.repo.Repository); err != nil {
			var why *fleet.Error
			if errors.As(err, &why) && why.Err != nil {
				ch.why = append(ch.why, fmt.Sprintf("rollout.waves has no answer for it (%v)", why.Err))
			}
		}
	}
	return nil
}

// first keeps the targets of the first waves and leaves the others out. They keep their order: what a wave takes does not hang on the limit.
func first(chosen []*choice, c *spec.Campaign, limit int) []*choice {
	belongs := make([][]int, len(chosen))
	for i, ch := range chosen {
		belongs[i] = ch.cohorts
	}
	waves, _ := rollout.Deal(engine.Waves(c), belongs, nil, 0)
	wave := make(map[*choice]int, len(chosen))
	for i, ch := range chosen {
		wave[ch] = waves[i]
	}
	slices.SortStableFunc(chosen, func(a, b *choice) int { return cmp.Compare(wave[a], wave[b]) })
	for _, ch := range chosen[limit:] {
		ch.leave("limit", fmt.Sprintf("--limit %d", limit))
	}
	return chosen[:limit]
}

// enginePlan is the plan in the engine's words.
func (p *Plan) enginePlan(branch func(component, repository string) string, dryRun bool) engine.Plan {
	out := engine.Plan{Spec: p.spec, DryRun: dryRun, Partial: p.partial}
	for _, t := range p.Targets {
		out.Targets = append(out.Targets, fleet.Target{
			Campaign: p.Campaign, Component: t.Component, Repository: t.Repository, Path: t.Path, Owner: t.Owner,
			Branch: branch(t.Component, t.Repository),
		})
		out.Cohorts = append(out.Cohorts, t.cohorts)
	}
	return out
}
