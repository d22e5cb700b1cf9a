package ops

import (
	"context"
	"fmt"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/policy"
	"gaggle/internal/store"
)

// TargetsInput lists a campaign's targets.
type TargetsInput struct {
	Campaign string        `json:"campaign"`
	States   []fleet.State `json:"states,omitempty"`
	Owner    string        `json:"owner,omitempty"` // a reference; a name alone is a group
	After    int64         `json:"after,omitempty"` // the last ID of the page before
	Limit    int           `json:"limit,omitempty"` // Defaults to 1000
}

// Targets lists targets by ID, a page at a time.
func (o *Ops) Targets(ctx context.Context, in TargetsInput) ([]fleet.Target, error) {
	if in.Campaign != "" {
		if _, err := o.campaign(ctx, in.Campaign); err != nil {
			return nil, err
		}
	}
	owner := in.Owner
	if owner != "" {
		owner = fleet.Ref(fleet.ParseRef(owner, "group", ""))
	}
	page, err := o.store.Targets(ctx, store.Filter{Campaign: in.Campaign, States: in.States, Owner: owner, After: in.After, Limit: in.Limit})
	if err == nil && len(page) == 0 && owner != "" && in.After == 0 {
		err = o.anOwner(ctx, owner, map[string]bool{})
	}
	return page, err
}

// TargetInput names one target.
type TargetInput struct {
	Campaign  string `json:"campaign"`
	Component string `json:"component"`
	Attempt   int    `json:"attempt,omitempty"` // number; 0 for the newest
}

// TargetDetail is everything that is known of a target.
type TargetDetail struct {
	fleet.Target
	Risk        *policy.Risk     `json:"risk,omitempty"`     // of its diff; nil while there is none
	Evidence    *policy.Evidence `json:"evidence,omitempty"` // for merging it without a person; nil where the campaign never does
	Shared      []Sharer         `json:"shared,omitempty"`   // whose changes are in its pull request, too
	AttemptList []fleet.Attempt  `json:"attemptList"`
	Events      []store.Event    `json:"events"`
}

// Sharer is a target that shares a pull request.
type Sharer struct {
	Campaign  string `json:"campaign"`
	Component string `json:"component"`
}

// shared lists whose changes are in a target's pull request besides its own.
func (o *Ops) shared(ctx context.Context, t fleet.Target) ([]Sharer, error) {
	if t.Batch <= 0 {
		return nil, nil
	}
	leader, err := o.store.Target(ctx, t.Batch)
	if err != nil {
		return nil, err
	}
	rest, err := o.store.Batch(ctx, leader.ID)
	var list []Sharer
	for _, other := range append([]fleet.Target{leader}, rest...) {
		if other.ID != t.ID && other.PullNumber == t.PullNumber {
			list = append(list, Sharer{other.Campaign, other.Component})
		}
	}
	return list, err
}

func (o *Ops) target(ctx context.Context, in TargetInput) (fleet.Target, error) {
	if _, err := o.campaign(ctx, in.Campaign); err != nil {
		return fleet.Target{}, err
	}
	ref := fleet.Ref(fleet.ParseRef(in.Component, "component", ""))
	got, err := o.store.Targets(ctx, store.Filter{Campaign: in.Campaign, Component: ref})
	if err == nil && len(got) == 0 {
		err = o.noTarget(ctx, in.Campaign, ref)
	}
	if err != nil {
		return fleet.Target{}, err
	}
	return got[0], nil
}

// suggestFrom is among how many targets the one that may be meant is looked for.
const suggestFrom = 20_000

func (o *Ops) noTarget(ctx context.Context, campaign, ref string) error {
	targets, err := o.store.Targets(ctx, store.Filter{Campaign: campaign, Limit: suggestFrom})
	if err != nil {
		return err
	}
	known := make([]string, len(targets))
	for i, t := range targets {
		known[i] = t.Component
	}
	return missingRef(fmt.Sprintf("campaign %q has no target %s", campaign, ref), ref, known, "gaggle status "+campaign+" --targets lists them")
}

// Show tells everything about one target.
func (o *Ops) Show(ctx context.Context, in TargetInput) (*TargetDetail, error) {
	t, err := o.target(ctx, in)
	if err != nil {
		return nil, err
	}
	d := &TargetDetail{Target: t}
	if d.AttemptList, err = o.store.Attempts(ctx, t.ID); err != nil {
		return nil, err
	}
	if d.Shared, err = o.shared(ctx, t); err != nil {
		return nil, err
	}
	e, err := o.engine(ctx, 1, false)
	if err != nil {
		return nil, err
	}
	if d.Risk, err = e.Risk(ctx, t, d.AttemptList); err != nil {
		return nil, err
	}
	if proof, asked, err := e.Evidence(ctx, in.Campaign, t.Wave); err != nil {
		return nil, err
	} else if asked {
		d.Evidence = &proof
	}
	d.Events, err = o.store.Events(ctx, in.Campaign, t.ID, 0, 1000)
	return d, err
}

// Diff returns the target's diff: what is proposed, or the best effort of an attempt that failed.
func (o *Ops) Diff(ctx context.Context, in TargetInput) ([]byte, error) {
	t, err := o.target(ctx, in)
	if err != nil {
		return nil, err
	}
	if t.DiffKey == "" {
		return nil, &fleet.Error{Code: fleet.CodeNotFound, Message: fmt.Sprintf("%s is %s and has no diff", t.Component, t.State)}
	}
	return o.store.GetRecord(ctx, t.DiffKey)
}

// Record returns what an attempt left under a name: "log" is what the agent printed, "transcript" its traffic with models.
func (o *Ops) Record(ctx context.Context, in TargetInput, name string) ([]byte, error) {
	t, err := o.target(ctx, in)
	if err != nil {
		return nil, err
	}
	attempts, err := o.store.Attempts(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	for i := len(attempts) - 1; i >= 0; i-- {
		if a := attempts[i]; in.Attempt == 0 || a.Number == in.Attempt {
			data, err := o.store.GetRecord(ctx, engine.RecordKey(a.ID, name))
			if fleet.CodeOf(err) == fleet.CodeNotFound && err != nil {
				return nil, &fleet.Error{Code: fleet.CodeNotFound, Message: fmt.Sprintf("attempt %d at %s left no %s", a.Number, t.Component, name)}
			}
			return data, err
		}
	}
	return nil, &fleet.Error{Code: fleet.CodeNotFound, Message: fmt.Sprintf("%s has no such attempt", t.Component), Hint: "gaggle show lists its attempts"}
}

// EventsInput asks for a campaign's events.
type EventsInput struct {
	Campaign  string `json:"campaign"`
	Component string `json:"component,omitempty"` // of this target only
	After     int64  `json:"after,omitempty"`     // the sequence number of the last event seen
	Limit     int    `json:"limit,omitempty"`     // Defaults to 1000
}

// Events lists events after a sequence number, oldest first, a page at a time.
func (o *Ops) Events(ctx context.Context, in EventsInput) ([]store.Event, error) {
	if in.Limit <= 0 {
		in.Limit = 1000
	}
	if in.Component == "" {
		if _, err := o.campaign(ctx, in.Campaign); err != nil {
			return nil, err
		}
		return o.store.Events(ctx, in.Campaign, 0, in.After, in.Limit)
	}
	t, err := o.target(ctx, TargetInput{Campaign: in.Campaign, Component: in.Component})
	if err != nil {
		return nil, err
	}
	return o.store.Events(ctx, in.Campaign, t.ID, in.After, in.Limit)
}
