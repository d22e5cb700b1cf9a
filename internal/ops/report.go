package ops

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/report"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// ReportInput asks how a campaign stands.
type ReportInput struct {
	Campaign string  `json:"campaign"`
	Minutes  float64 `json:"minutes,omitempty"` // that a person is assumed to need for one change. Defaults to DefaultMinutes
}

// DefaultMinutes is how long a person is assumed to need for one change.
const DefaultMinutes = report.DefaultMinutes

// maxMinutes is a year's work on one change.
const maxMinutes = 100_000

// Validate checks the input.
func (in ReportInput) Validate() error {
	if in.Campaign == "" {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "no campaign is named", Hint: "gaggle report CAMPAIGN"}
	}
	if in.Minutes < 0 || in.Minutes > maxMinutes || math.IsNaN(in.Minutes) {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf("nobody needs %v minutes for a change", in.Minutes), Hint: fmt.Sprintf("--minutes takes a number above 0; %d is assumed otherwise", DefaultMinutes)}
	}
	return nil
}

// Report says how a campaign stands, in any state that it may be in.
func (o *Ops) Report(ctx context.Context, in ReportInput) (*report.Report, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	row, err := o.campaign(ctx, in.Campaign)
	if err != nil {
		return nil, err
	}
	all, err := o.facts(ctx, row, factsWanted{attempts: true})
	if err != nil {
		return nil, err
	}
	if row.State == fleet.CampaignActive {
		waits, err := engine.New(engine.Config{Store: o.store}).Waits(ctx, row.Name)
		if err != nil {
			return nil, err
		}
		all.Campaign.Why = waits.Message
	}
	s, err := engine.New(engine.Config{Store: o.store}).Standing(ctx, row.Name)
	if err != nil {
		return nil, err
	}
	if e, err := o.estimateCampaign(ctx, row, s); err != nil {
		return nil, err
	} else if e != nil {
		all.Estimate = &report.Estimate{Done: e.Done, AtLeast: e.AtLeast, Bound: string(e.Bound), Why: e.Why, Attempts: e.Attempts, Pulls: e.Pulls}
	}
	if proof, asked, err := engine.New(engine.Config{Store: o.store}).Evidence(ctx, row.Name, max(row.OpenWaves-1, 0)); err != nil {
		return nil, err
	} else if asked {
		all.Evidence = &report.Evidence{Unchanged: proof.Unchanged, Decided: proof.Decided, Lower: proof.Lower, Threshold: proof.Threshold, Open: proof.Open, Says: proof.String()}
	}
	all.Now, all.MinutesPerChange = o.cfg.Clock(), in.Minutes
	r := report.Build(all)
	return &r, nil
}

// factsWanted says which of a campaign's facts are read.
type factsWanted struct {
	attempts bool
	// target leaves out those for which it is false. nil leaves out none.
	target func(fleet.Target) bool
}

// factsPage is how many targets are read together with what belongs to them: large, because a page costs a look through the campaign.
const factsPage = 5000

// movesPage is how many moves are read together.
const movesPage = 5000

// facts reads what is reported of a campaign, a page at a time, and keeps no more of it than reports use: a diff, a log or
// what a verifier said never comes into memory.
func (o *Ops) facts(ctx context.Context, row store.Campaign, want factsWanted) (report.Input, error) {
	in := report.Input{Campaign: report.Campaign{Name: row.Name, State: row.State, DryRun: row.DryRun, Why: row.Message, OpenWaves: row.OpenWaves, CreatedAt: row.CreatedAt}}
	c, err := storedSpec(row)
	if err != nil {
		return in, err
	}
	in.Campaign.Owner, in.Campaign.Description, in.Campaign.Merge = c.Metadata.Owner, c.Metadata.Description, c.Merge.Policy
	for i := range row.Waves {
		in.Waves = append(in.Waves, c.Rollout.Title(i))
	}
	in.Campaign.Approval = c.Rollout.Approval == spec.ApprovalWave || c.Rollout.Approval == spec.ApprovalTarget
	for after := int64(0); ; {
		page, err := o.store.Followed(ctx, row.Name, nil, after, factsPage)
		if err != nil {
			return in, err
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].ID
		var ids []int64
		for _, t := range page {
			if want.target != nil && !want.target(t.Target) {
				continue
			}
			ids = append(ids, t.ID)
			t.Approved = t.Approved || c.Rollout.Approval == spec.ApprovalWave && t.Wave < row.ApprovedWave
			in.Targets = append(in.Targets, brief(t.Target))
			if t.PullNumber != 0 {
				in.Pulls = append(in.Pulls, pullFacts(t.Follow))
			}
		}
		if want.attempts {
			attempts, err := o.store.AttemptsOf(ctx, ids)
			if err != nil {
				return in, err
			}
			in.Attempts = append(in.Attempts, attempts...)
		}
	}
	if len(in.Targets) == 0 {
		return in, nil
	}
	kept := make(map[int64]bool, len(in.Targets))
	for i := range in.Targets {
		kept[in.Targets[i].ID] = true
	}
	for after := int64(0); ; {
		page, err := o.store.Moves(ctx, row.Name, after, movesPage)
		if err != nil {
			return in, err
		}
		for _, e := range page {
			if kept[e.Target] {
				in.Events = append(in.Events, report.Event{At: e.At, Target: e.Target, From: known(e.From), To: known(e.To)})
			}
		}
		if len(page) < movesPage {
			return in, nil
		}
		after = page[len(page)-1].Seq
	}
}

// known is the state as the one copy of its name that the program holds: a history has many.
func known(s fleet.State) fleet.State {
	if i := slices.Index(fleet.States, s); i >= 0 {
		return fleet.States[i]
	}
	return s
}

// brief leaves out of a target what no report shows.
func brief(t fleet.Target) fleet.Target {
	t.ChangeHash, t.BaseCommit, t.BaseTree, t.ResultTree, t.DiffKey, t.Branch, t.HeadCommit = "", "", "", "", "", "", ""
	return t
}

// pullFacts is what is known of a pull request, in the report's words.
func pullFacts(f fleet.Follow) report.PullFacts {
	return report.PullFacts{
		Target: f.Target, OpenedAt: f.OpenedAt, MergedAt: f.MergedAt, CI: f.CI, Deploy: f.Deploy, Reverted: f.Reverted, Touched: f.Touched,
		HandsOff: f.HandsOff, Asked: f.Asked, Approved: len(f.Approvals) > 0 && len(f.Objectors) == 0,
	}
}
