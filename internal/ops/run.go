package ops

import (
	"cmp"
	"context"
	"time"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/store"
)

// RunInput starts a campaign, or goes on with it.
type RunInput struct {
	File     string   `json:"file,omitempty"`     // a campaign file: planned, then run
	Campaign string   `json:"campaign,omitempty"` // instead of File: go on with what was planned
	DryRun   bool     `json:"dryRun,omitempty"`
	Only     []string `json:"only,omitempty"`
	Limit    int      `json:"limit,omitempty"`
	Parallel int      `json:"parallel,omitempty"` // attempts at once; 0 for the campaign's, or one a processor

	Follow bool          `json:"follow,omitempty"` // go on until every target rests
	Every  time.Duration `json:"every,omitempty"`  // between two looks at the pull requests. Defaults to FollowEvery
}

// FollowEvery is how often open pull requests are looked at when nothing else is said.
const FollowEvery = time.Minute

// Validate checks the input.
func (in RunInput) Validate() error {
	if (in.File == "") == (in.Campaign == "") {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "name a campaign file, or a campaign to go on with", Hint: "gaggle run campaign.yaml"}
	}
	if in.Follow && in.DryRun {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "a dry run opens no pull request that could be followed", Hint: "leave --follow or --dry-run out"}
	}
	if in.Every != 0 && in.Every < time.Second {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "--every is at least one second"}
	}
	if in.Parallel < 0 || in.Limit < 0 {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "--parallel and --limit take positive numbers"}
	}
	return nil
}

// RunOutput is where a run ended.
type RunOutput struct {
	Status Status         `json:"status"`
	Waits  []engine.Pause `json:"waits"`
}

// Run plans the campaign, stores it, and works it until nothing is left that can be done now. progress, when not nil, is called with every new
// event, in order, while the run goes on.
func (o *Ops) Run(ctx context.Context, in RunInput, progress func(store.Event)) (*RunOutput, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	name := in.Campaign
	var p *Plan
	parallel := in.Parallel
	if in.File != "" {
		c, err := ReadCampaign(in.File)
		if err != nil {
			return nil, err
		}
		name = c.Metadata.Name
		if parallel == 0 {
			parallel = c.Limits.Parallel
		}
		if err := o.Refresh(ctx); err != nil {
			return nil, err
		}
		if p, err = o.planSpec(ctx, c, PlanInput{File: in.File, Only: in.Only, Limit: in.Limit}); err != nil {
			return nil, err
		}
	}
	if p == nil {
		if _, err := o.campaign(ctx, name); err != nil {
			return nil, err // before the sandbox is tried
		}
	}
	e, err := o.engine(ctx, parallel, true)
	if err != nil {
		return nil, err
	}
	return o.work(ctx, []string{name}, progress, func() ([]engine.Pause, error) {
		if p != nil {
			if err := o.start(ctx, e, p, in.DryRun); err != nil {
				return nil, err
			}
			if err := o.planned(ctx, name, o.cfg.Clock()); err != nil {
				return nil, err
			}
		}
		if in.Follow {
			return o.followOn(ctx, e, []string{name}, cmp.Or(in.Every, FollowEvery))
		}
		return e.Run(ctx, []string{name})
	})
}

// work calls do, which works the campaigns, tells their events meanwhile, and says where that ended.
func (o *Ops) work(ctx context.Context, names []string, progress func(store.Event), do func() ([]engine.Pause, error)) (*RunOutput, error) {
	stop, err := o.tail(ctx, names, progress)
	if err != nil {
		return nil, err
	}
	waits, err := do()
	if tailErr := stop(); err == nil {
		err = tailErr
	}
	if err != nil {
		return nil, err
	}
	out := &RunOutput{Status: Status{Campaigns: []CampaignStatus{}}, Waits: append([]engine.Pause{}, waits...)}
	for _, name := range names {
		status, err := o.Status(ctx, StatusInput{Campaign: name})
		if err != nil {
			return nil, err
		}
		out.Status.Campaigns = append(out.Status.Campaigns, status.Campaigns...)
	}
	return out, nil
}

// Status is where campaigns stand.
type Status struct {
	Campaigns []CampaignStatus `json:"campaigns"`
}

// CampaignStatus is where one campaign stands.
type CampaignStatus struct {
	store.Campaign
	Targets int                 `json:"targets"`
	States  map[fleet.State]int `json:"states"`
	Waits   string              `json:"waits,omitempty"` // what it waits for, when that was asked for; "" when for nothing
	// Estimate says when its own work will be done, when that was asked for; nil when nothing is left of that.
	Estimate *Estimate        `json:"estimate,omitempty"`
	ByWave   []WaveStatus     `json:"byWave"`
	Held     []store.HeldBack `json:"held"`  // ready targets that wait for their owners' time, the most frequent reasons first
	Spent    fleet.Money      `json:"spent"` // micro-dollars
	Calls    int64            `json:"calls"` // to models
	Tokens   int64            `json:"tokens"`
}

// WaveStatus is where one wave stands.
type WaveStatus struct {
	Wave   int                 `json:"wave"` // 1-based
	Name   string              `json:"name,omitempty"`
	Open   bool                `json:"open"`
	States map[fleet.State]int `json:"states"`
}

// StatusInput asks for one campaign, or for all.
type StatusInput struct {
	Campaign string `json:"campaign,omitempty"`
	Waits    bool   `json:"waits,omitempty"`    // say what each waits for
	Estimate bool   `json:"estimate,omitempty"` // and, of one campaign, when its own work will be done
}

// Status counts targets by campaign, wave and state.
func (o *Ops) Status(ctx context.Context, in StatusInput) (*Status, error) {
	var rows []store.Campaign
	var err error
	if in.Campaign != "" {
		var row store.Campaign
		row, err = o.campaign(ctx, in.Campaign)
		rows = []store.Campaign{row}
	} else {
		rows, err = o.store.Campaigns(ctx)
	}
	if err != nil {
		return nil, err
	}
	counts, err := o.store.Counts(ctx, in.Campaign)
	if err != nil {
		return nil, err
	}
	byCampaign := map[string][]store.Count{}
	for _, c := range counts {
		byCampaign[c.Campaign] = append(byCampaign[c.Campaign], c)
	}
	held, err := o.store.HeldBack(ctx, in.Campaign)
	if err != nil {
		return nil, err
	}
	byHeld := map[string][]store.HeldBack{}
	for _, h := range held {
		byHeld[h.Campaign] = append(byHeld[h.Campaign], h)
	}
	out := &Status{Campaigns: []CampaignStatus{}}
	for _, row := range rows {
		cs := CampaignStatus{Campaign: row, States: map[fleet.State]int{}, ByWave: []WaveStatus{}, Held: append([]store.HeldBack{}, byHeld[row.Name]...)}
		c, err := storedSpec(row)
		if err != nil {
			return nil, err
		}
		for i := range row.Waves {
			cs.ByWave = append(cs.ByWave, WaveStatus{Wave: i + 1, Name: c.Rollout.Title(i), Open: i < row.OpenWaves, States: map[fleet.State]int{}})
		}
		for _, n := range byCampaign[row.Name] {
			cs.Targets += n.Targets
			cs.States[n.State] += n.Targets
			if n.Wave < len(cs.ByWave) {
				cs.ByWave[n.Wave].States[n.State] += n.Targets
			}
		}
		spent, err := o.store.Spent(ctx, engine.ScopeCampaign(row.Name))
		if err != nil {
			return nil, err
		}
		cs.Spent, cs.Calls, cs.Tokens = spent.Cost, spent.Calls, spent.Tokens
		out.Campaigns = append(out.Campaigns, cs)
	}
	if in.Estimate && len(out.Campaigns) == 1 {
		s, err := engine.New(engine.Config{Store: o.store}).Standing(ctx, rows[0].Name)
		if err != nil {
			return nil, err
		}
		if out.Campaigns[0].Estimate, err = o.estimateCampaign(ctx, rows[0], s); err != nil {
			return nil, err
		}
	}
	if in.Waits {
		if err := o.waits(ctx, out.Campaigns); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Failed says how many targets of all the campaigns failed.
func (s Status) Failed() int {
	n := 0
	for _, c := range s.Campaigns {
		n += c.States[fleet.Failed]
	}
	return n
}
