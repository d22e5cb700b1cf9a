package ops

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/store"
)

// FollowInput says which campaigns' pull requests are followed.
type FollowInput struct {
	Campaigns []string      `json:"campaigns,omitempty"` // none: all that are not over
	Every     time.Duration `json:"every,omitempty"`     // between two looks. Defaults to FollowEvery
	Once      bool          `json:"once,omitempty"`      // look once, do what is to be done, and stop
	Parallel  int           `json:"parallel,omitempty"`  // attempts at once; 0 for one a processor
}

// Validate checks the input.
func (in FollowInput) Validate() error {
	if in.Every != 0 && in.Every < time.Second {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "--every is at least one second"}
	}
	if in.Parallel < 0 {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "--parallel takes a positive number"}
	}
	return nil
}

// Follow takes open pull requests to their end: it answers CI and reviewers, merges by the campaigns' policy, opens the next
// waves, and returns when every target rests. It may be stopped and started at any time.
func (o *Ops) Follow(ctx context.Context, in FollowInput, progress func(store.Event)) (*RunOutput, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	names, err := o.followed(ctx, in.Campaigns)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return &RunOutput{Status: Status{Campaigns: []CampaignStatus{}}, Waits: []engine.Pause{}}, nil
	}
	e, err := o.engine(ctx, in.Parallel, true)
	if err != nil {
		return nil, err
	}
	return o.work(ctx, names, progress, func() ([]engine.Pause, error) {
		if !in.Once {
			return o.followOn(ctx, e, names, cmp.Or(in.Every, FollowEvery))
		}
		if err := o.planDue(ctx, e, names); err != nil {
			return nil, err
		}
		return e.FollowOnce(ctx, names)
	})
}

// followOn follows campaigns, and plans those with a schedule again when they are due.
func (o *Ops) followOn(ctx context.Context, e *engine.Engine, names []string, every time.Duration) (waits []engine.Pause, err error) {
	planning, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var planErr error
	wg.Go(func() {
		if planErr = o.keepPlanning(planning, e, names); planErr != nil {
			stop()
		}
	})
	waits, err = e.Follow(planning, names, every)
	stop()
	wg.Wait()
	if planErr != nil {
		return nil, planErr
	}
	return waits, err
}

// followed are the campaigns that are meant.
func (o *Ops) followed(ctx context.Context, names []string) ([]string, error) {
	if len(names) > 0 {
		var all error
		for _, name := range names {
			_, err := o.campaign(ctx, name)
			all = errors.Join(all, err)
		}
		return slices.Compact(slices.Sorted(slices.Values(names))), all
	}
	rows, err := o.store.Campaigns(ctx)
	for _, row := range rows {
		c, err := storedSpec(row)
		if err != nil {
			return nil, err
		}
		if row.State == fleet.CampaignActive || row.State == fleet.CampaignPaused || row.State == fleet.CampaignDone && c.Rollout.Schedule != "" {
			names = append(names, row.Name)
		}
	}
	return names, err
}
