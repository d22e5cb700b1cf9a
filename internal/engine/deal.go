package engine

import (
	"context"

	"gaggle/internal/fleet"
	"gaggle/internal/rollout"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// Plan is a campaign with the targets that planning chose, in the order in which waves take them.
type Plan struct {
	Spec    *spec.Campaign
	Targets []fleet.Target // their waves are dealt by Start
	// Cohorts holds, for each target, the entries of rollout.waves whose cohort it belongs to (spec.Cohorts). Nil when there are none.
	Cohorts [][]int
	DryRun  bool
	// Partial says that the targets are a part of those that match (--limit, --only): the others wait for another run.
	Partial bool
}

func (p Plan) components() map[string]bool {
	set := make(map[string]bool, len(p.Targets))
	for _, t := range p.Targets {
		set[t.Component] = true
	}
	return set
}

// Preview returns the wave of each of the plan's targets, and the waves' sizes, as Start would deal them. Nothing is changed.
func Preview(ctx context.Context, s *store.Store, p Plan) (waves, sizes []int, err error) {
	row, err := s.Campaign(ctx, p.Spec.Metadata.Name)
	if err != nil && fleet.CodeOf(err) != fleet.CodeNotFound {
		return nil, nil, err
	}
	stored := places{}
	if err == nil && row.State != fleet.CampaignCanceled {
		for after := int64(0); ; {
			page, err := s.Targets(ctx, store.Filter{Campaign: row.Name, After: after})
			if err != nil {
				return nil, nil, err
			}
			if len(page) == 0 {
				break
			}
			for _, t := range page {
				stored.add(t)
			}
			after = page[len(page)-1].ID
		}
		if row.DryRun && !p.DryRun {
			row.OpenWaves = 0
		}
	} else {
		row = store.Campaign{}
	}
	fresh, sizes := deal(p, row, stored)
	for _, t := range fresh {
		stored.add(t)
	}
	for _, t := range p.Targets {
		waves = append(waves, stored[t.Component].wave)
	}
	return waves, sizes, nil
}

// place is where a target of a stored campaign is.
type place struct {
	state fleet.State
	wave  int
}

// places are a stored campaign's targets, by component.
type places map[string]*place

func (all places) add(t fleet.Target) { all[t.Component] = &place{t.State, t.Wave} }

// waits reports whether a target that is planned has its turn still to come, so that it is dealt.
func (at *place) waits(open int) bool {
	return at == nil || at.state == fleet.Skipped || at.state == fleet.Pending && at.wave >= open
}

// deal gives each target of the plan that has not had its turn a wave, and returns those that are new to the campaign and the
// waves' sizes. Places are changed to where pending targets belong now.
func deal(p Plan, row store.Campaign, all places) (fresh []fleet.Target, sizes []int) {
	planned := p.components()
	var had []int // targets that had their turn, by wave
	for ref, at := range all {
		if at.state == fleet.Pending && (at.wave >= row.OpenWaves || p.Partial && !planned[ref]) || planned[ref] && at.waits(row.OpenWaves) {
			continue
		}
		for len(had) <= at.wave {
			had = append(had, 0)
		}
		had[at.wave]++
	}
	var waiting []*fleet.Target
	var cohorts [][]int
	for i := range p.Targets {
		if !all[p.Targets[i].Component].waits(row.OpenWaves) {
			continue
		}
		waiting, cohorts = append(waiting, &p.Targets[i]), append(cohorts, nil)
		if p.Cohorts != nil {
			cohorts[len(cohorts)-1] = p.Cohorts[i]
		}
	}
	waves, sizes := rollout.Deal(Waves(p.Spec), cohorts, had, row.OpenWaves)
	for i, t := range waiting {
		t.Wave = waves[i]
		if at := all[t.Component]; at != nil {
			at.wave = waves[i]
		} else {
			fresh = append(fresh, *t)
		}
	}
	return fresh, sizes
}

// Waves are a campaign's waves in rollout's words.
func Waves(c *spec.Campaign) []rollout.Wave {
	waves := make([]rollout.Wave, len(c.Rollout.Waves))
	for i, w := range c.Rollout.Waves {
		waves[i] = rollout.Wave(w)
	}
	return waves
}
