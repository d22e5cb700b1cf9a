package ops

import (
	"context"
	"fmt"
	"strings"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/guard"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// RevertInput says what of a campaign is taken back.
type RevertInput struct {
	Campaign   string   `json:"campaign"`
	Components []string `json:"components,omitempty"` // none: all
	Wave       int      `json:"wave,omitempty"`       // 1-based; 0 for all
	DryRun     bool     `json:"dryRun,omitempty"`
	Why        string   `json:"why,omitempty"` // shown in the pull requests
}

// Validate checks the input.
func (in RevertInput) Validate() error {
	if in.Wave < 0 {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "--wave takes a positive number"}
	}
	return SelectInput{Campaign: in.Campaign}.Validate()
}

// Revert opens pull requests that take back what a campaign had merged. They are a campaign of their own, named after the
// first one, and verified like any change; no agent and no judge is asked.
func (o *Ops) Revert(ctx context.Context, in RevertInput, progress func(store.Event)) (*RunOutput, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	row, err := o.campaign(ctx, in.Campaign)
	if err != nil {
		return nil, err
	}
	c, err := storedSpec(row)
	if err != nil {
		return nil, err
	}
	if c.Change.Reverts != "" {
		return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf("campaign %q takes back %q itself", in.Campaign, c.Change.Reverts), Hint: "run a campaign that makes the change again"}
	}
	if in.Wave > len(row.Waves) {
		return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf("campaign %q has %d waves", in.Campaign, len(row.Waves))}
	}
	p, err := o.reversal(ctx, *c, in)
	if err != nil {
		return nil, err
	}
	e, err := o.engine(ctx, 0, true)
	if err != nil {
		return nil, err
	}
	names := []string{p.Spec.Metadata.Name}
	return o.work(ctx, names, progress, func() ([]engine.Pause, error) {
		if err := e.Start(ctx, p, o.cfg.Actor); err != nil {
			return nil, err
		}
		return e.Run(ctx, names)
	})
}

// reversal is the campaign that takes another one back, over what that one had merged.
func (o *Ops) reversal(ctx context.Context, c spec.Campaign, in RevertInput) (engine.Plan, error) {
	name := in.Campaign
	if len(name) > 63-len("-revert") {
		name = strings.TrimRight(name[:63-len("-revert")], "-")
	}
	name += "-revert"
	rules := guard.Rules()
	allow := make([]string, len(rules))
	for i, r := range rules {
		allow[i] = r.Name // what was right to merge is taken back as a whole, tests included
	}
	why := in.Why
	if why == "" {
		why = fmt.Sprintf("Takes back what campaign %s had merged here.", in.Campaign)
	}
	c.Metadata.Name, c.Metadata.Description = name, why
	c.Change = spec.Change{Agent: spec.AgentRevert, Reverts: in.Campaign, Paths: []string{"**", "//**"}, Env: c.Change.Env, Egress: c.Change.Egress}
	c.Select = spec.Select{}
	c.Limits.Attempts = 1 // what stands in the way today will tomorrow
	c.Guard.Allow, c.Judge = allow, spec.Judge{Mode: spec.JudgeOff}
	c.PullRequest.Title, c.PullRequest.Body, c.PullRequest.Batch = "Revert: "+c.PullRequest.Title, "", ""
	c.Rollout.Waves, c.Rollout.Approval, c.Rollout.Gate = []spec.Wave{{Share: 10_000}}, spec.ApprovalNone, spec.Gate{}
	p := engine.Plan{Spec: &c, DryRun: in.DryRun, Partial: true}

	branch, err := o.branches(ctx, name)
	if err != nil {
		return p, err
	}
	wanted := refs(in.Components)
	for after := int64(0); ; {
		page, err := o.store.Targets(ctx, store.Filter{Campaign: in.Campaign, States: []fleet.State{fleet.Merged}, After: after})
		if err != nil {
			return p, err
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].ID
		for _, t := range page {
			if len(wanted) > 0 && !wanted[t.Component] || in.Wave > 0 && t.Wave != in.Wave-1 {
				continue
			}
			p.Targets = append(p.Targets, fleet.Target{Campaign: name, Component: t.Component, Repository: t.Repository, Path: t.Path, Owner: t.Owner,
				Branch: branch(t.Component, t.Repository)})
		}
	}
	if len(p.Targets) == 0 {
		return p, &fleet.Error{Code: fleet.CodeNotFound, Message: "nothing of this campaign is merged, so there is nothing to take back", Hint: "gaggle pr close ends open pull requests; gaggle status " + in.Campaign + " shows where its targets are"}
	}
	return p, nil
}
