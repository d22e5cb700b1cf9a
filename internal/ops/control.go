package ops

import (
	"context"
	"fmt"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
)

// SelectInput names a campaign, and targets of it by component reference; none for all.
type SelectInput struct {
	Campaign   string   `json:"campaign"`
	Components []string `json:"components,omitempty"`
	Why        string   `json:"why,omitempty"`
}

// Validate checks the input.
func (in SelectInput) Validate() error {
	if in.Campaign == "" {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "no campaign is named", Hint: "gaggle status lists the campaigns"}
	}
	return nil
}

// CountOutput says how many targets were concerned.
type CountOutput struct {
	Targets int `json:"targets"`
}

func (in SelectInput) selection() engine.Selection {
	sel := engine.Selection{Campaign: in.Campaign}
	for _, ref := range in.Components {
		sel.Components = append(sel.Components, fleet.Ref(fleet.ParseRef(ref, "component", "")))
	}
	return sel
}

func (o *Ops) control(ctx context.Context, in SelectInput, do func(e *engine.Engine, sel engine.Selection) (int, error)) (*CountOutput, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	if _, err := o.campaign(ctx, in.Campaign); err != nil {
		return nil, err
	}
	for _, ref := range in.Components {
		if _, err := o.target(ctx, TargetInput{Campaign: in.Campaign, Component: ref}); err != nil {
			return nil, err
		}
	}
	e, err := o.engine(ctx, 1, false)
	if err != nil {
		return nil, err
	}
	n, err := do(e, in.selection())
	return &CountOutput{Targets: n}, err
}

// moved is control for what was asked for by name: where none of the targets named is in a state for it, that is an error.
func (o *Ops) moved(ctx context.Context, in SelectInput, what string, do func(e *engine.Engine, sel engine.Selection) (int, error)) (*CountOutput, error) {
	out, err := o.control(ctx, in, do)
	if err != nil || out.Targets > 0 || len(in.Components) == 0 {
		return out, err
	}
	t, err := o.target(ctx, TargetInput{Campaign: in.Campaign, Component: in.Components[0]})
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("nothing was %s: %s is %s", what, t.Component, t.State)
	if more := len(in.Components) - 1; more > 0 {
		text += fmt.Sprintf(", and %d more are in no state for it either", more)
	}
	return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: text, Hint: "gaggle show " + in.Campaign + " " + in.Components[0] + " says why"}
}

// Approve lets ready targets be proposed.
func (o *Ops) Approve(ctx context.Context, in SelectInput) (*CountOutput, error) {
	return o.moved(ctx, in, "approved", func(e *engine.Engine, sel engine.Selection) (int, error) { return e.Approve(ctx, sel, o.cfg.Actor) })
}

// Retry queues failed targets again; named ones also from other rests.
func (o *Ops) Retry(ctx context.Context, in SelectInput) (*CountOutput, error) {
	return o.moved(ctx, in, "queued again", func(e *engine.Engine, sel engine.Selection) (int, error) { return e.Retry(ctx, sel, o.cfg.Actor) })
}

// Rerun queues targets again whose base or change is new.
func (o *Ops) Rerun(ctx context.Context, in SelectInput) (*CountOutput, error) {
	if err := o.Refresh(ctx); err != nil {
		return nil, err
	}
	heads, err := o.trees(ctx)
	if err != nil {
		return nil, err
	}
	return o.control(ctx, in, func(e *engine.Engine, sel engine.Selection) (int, error) {
		return e.Rerun(ctx, sel, heads, o.cfg.Actor)
	})
}

// Pause stops new steps of a campaign.
func (o *Ops) Pause(ctx context.Context, in SelectInput) (*CountOutput, error) {
	why := in.Why
	if why == "" {
		why = "paused by " + o.cfg.Actor
	}
	return o.control(ctx, in, func(e *engine.Engine, sel engine.Selection) (int, error) {
		return 0, e.Pause(ctx, sel.Campaign, o.cfg.Actor, why)
	})
}

// Resume lets a paused campaign go on.
func (o *Ops) Resume(ctx context.Context, in SelectInput) (*CountOutput, error) {
	return o.control(ctx, in, func(e *engine.Engine, sel engine.Selection) (int, error) {
		return 0, e.Resume(ctx, sel.Campaign, o.cfg.Actor)
	})
}

// Cancel stops a campaign, or some of its targets, for good.
func (o *Ops) Cancel(ctx context.Context, in SelectInput) (*CountOutput, error) {
	return o.moved(ctx, in, "canceled", func(e *engine.Engine, sel engine.Selection) (int, error) { return e.Cancel(ctx, sel, o.cfg.Actor) })
}
