package engine

import (
	"context"

	"gaggle/internal/fleet"
	"gaggle/internal/rollout"
	"gaggle/internal/store"
)

// outside adds to a snapshot what the judge, CI, deployments and people said of its targets, as far as the gate asks and
// somebody waits for it.
func (e *Engine) outside(ctx context.Context, row store.Campaign, s *rollout.Snapshot) error {
	waits, proposed, merged := row.OpenWaves < len(row.Waves), 0, 0
	for _, w := range s.Waves {
		waits = waits || w.Targets[fleet.Pending] > 0
		proposed += w.Targets[fleet.Proposed]
		merged += w.Targets[fleet.Merged]
	}
	if !waits {
		return nil
	}
	if s.Gate.Vetoed < 1 {
		vetoed, err := e.store.FailedBecause(ctx, row.Name, fleet.CodeVeto)
		if err != nil {
			return err
		}
		for wave, n := range vetoed {
			if wave < len(s.Waves) {
				s.Waves[wave].Vetoed = n
			}
		}
	}
	checks := s.Gate.Checks > 0 && proposed+merged > 0
	if s.DryRun || !checks && (merged == 0 || s.Gate.Reverted >= 1 && s.Gate.Deployed <= 0) {
		return nil
	}
	outcomes, err := e.store.Outcomes(ctx, row.Name)
	if err != nil {
		return err
	}
	red := sum(s.Waves, outcomes)
	if !checks || !red {
		return nil
	}
	return e.stillRed(ctx, row.Name, s.Waves)
}

// sum adds to the waves what is known about their pull requests, and reports whether CI failed for one that is open. What nobody has
// asked about yet, and what is red, is pending.
func sum(waves []rollout.Cohort, outcomes []store.Outcome) (red bool) {
	known := make([]int, len(waves))
	for _, o := range outcomes {
		if o.Wave >= len(waves) {
			continue
		}
		w := &waves[o.Wave]
		switch {
		case o.State == fleet.Merged && o.CI == "passed":
			w.CIPassed += o.Targets
		case o.State == fleet.Merged && o.CI == "failed":
			w.CIFailed += o.Targets
		case o.State == fleet.Proposed && o.CI == "passed":
			w.CIPassed += o.Targets
			known[o.Wave] += o.Targets
		case o.State == fleet.Proposed && (o.CI == "none" || o.CI == "before"): // nothing, or nothing about the change
			known[o.Wave] += o.Targets
		case o.State == fleet.Proposed && o.CI == "failed":
			red = true
		}
		if o.State != fleet.Merged {
			continue
		}
		if o.Reverted {
			w.Reverted += o.Targets
		}
		switch o.Deploy {
		case "success":
			w.Deployed += o.Targets
		case "failure":
			w.DeployFailed += o.Targets
		case "pending":
			w.DeployPending += o.Targets
		}
	}
	for i := range waves {
		waves[i].CIPending = max(0, waves[i].Targets[fleet.Proposed]-known[i])
	}
	return red
}

// stillRed moves those red pull requests from pending to failed about which Gaggle does nothing more by itself.
func (e *Engine) stillRed(ctx context.Context, campaign string, waves []rollout.Cohort) error {
	for after := int64(0); ; {
		page, err := e.store.Followed(ctx, campaign, []fleet.State{fleet.Proposed}, after, 500)
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1].ID
		for _, t := range page {
			f := t.Follow
			if t.Wave >= len(waves) || f.CI != "failed" || f.Asked == "" && !f.Touched && f.HandsOff == "" {
				continue
			}
			w := &waves[t.Wave]
			w.CIFailed++
			w.CIPending = max(0, w.CIPending-1)
		}
	}
}
