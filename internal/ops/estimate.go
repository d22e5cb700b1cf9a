package ops

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge/transport"
	"gaggle/internal/rollout"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// Estimate is when a campaign's own work will be done, with the same as one line.
type Estimate struct {
	rollout.Estimate
	Text string `json:"text"`
}

// pullCost is what opening one pull request takes on each kind of forge: calls, and of these, such as make or change something.
var pullCost = map[string]struct{ calls, writes int }{
	"github": {3, 2}, "gitlab": {2, 1}, "gitea": {3, 1}, "bitbucket": {3, 1}, "bitbucket-dc": {2, 1}, "azure": {2, 1},
}

// estimatePlan says when a plan would be done if it was run now; nil when nothing is left of it.
func (o *Ops) estimatePlan(ctx context.Context, p *Plan) (*Estimate, error) {
	s := rollout.Snapshot{State: fleet.CampaignActive, Gate: rollout.Gate(p.spec.Rollout.Gate), Approval: rollout.Approval(p.spec.Rollout.Approval), Waves: make([]rollout.Cohort, len(p.Waves))}
	states := map[string]fleet.State{}
	row, err := o.store.Campaign(ctx, p.Campaign)
	switch {
	case fleet.CodeOf(err) == fleet.CodeNotFound && err != nil:
	case err != nil:
		return nil, err
	case row.State != fleet.CampaignCanceled:
		if states, err = o.store.States(ctx, p.Campaign); err != nil {
			return nil, err
		}
		for i := range s.Waves {
			s.Waves[i].Opened = i < row.OpenWaves && !row.DryRun // whose diffs are proposed wave by wave
			if i < len(row.Reached) && s.Waves[i].Opened {
				s.Waves[i].Reached = row.Reached[i]
			}
		}
	}
	for i := range s.Waves {
		s.Waves[i].Targets = map[fleet.State]int{}
	}
	type place struct {
		forge string
		wave  int
	}
	unopened := map[place]map[string]int{} // targets by repository
	for _, t := range p.Targets {
		state := cmp.Or(states[t.Component], fleet.Pending)
		if t.Wave < 1 || t.Wave > len(s.Waves) {
			continue
		}
		s.Waves[t.Wave-1].Targets[state]++
		if slices.Contains([]fleet.State{fleet.Pending, fleet.Queued, fleet.Changing, fleet.Ready}, state) {
			at := place{p.repos[t.Repository].Forge, t.Wave - 1}
			if unopened[at] == nil {
				unopened[at] = map[string]int{}
			}
			unopened[at][t.Repository]++
		}
	}
	var left []store.Unopened
	for at, repos := range unopened {
		u := store.Unopened{Forge: at.forge, Wave: at.wave, Repositories: len(repos)}
		for _, n := range repos {
			u.Targets += n
		}
		left = append(left, u)
	}
	return o.estimate(ctx, p.spec, s, left, 0)
}

// estimateCampaign says when a stored campaign's own work will be done; nil when nothing is left of it.
func (o *Ops) estimateCampaign(ctx context.Context, row store.Campaign, s rollout.Snapshot) (*Estimate, error) {
	if row.State != fleet.CampaignActive && row.State != fleet.CampaignPaused {
		return nil, nil
	}
	c, err := storedSpec(row)
	if err != nil {
		return nil, err
	}
	left, err := o.store.Unopened(ctx, row.Name)
	if err != nil {
		return nil, err
	}
	held, err := o.store.HeldCount(ctx, row.Name)
	if err != nil {
		return nil, err
	}
	return o.estimate(ctx, c, s, left, held)
}

func (o *Ops) estimate(ctx context.Context, c *spec.Campaign, s rollout.Snapshot, left []store.Unopened, held int) (*Estimate, error) {
	if len(left) == 0 {
		return nil, nil
	}
	now := o.cfg.Clock()
	effort := rollout.Effort{Held: held, Parallel: c.Limits.Parallel}
	if effort.Parallel <= 0 {
		effort.Parallel = runtime.NumCPU()
	}
	alive, err := o.store.Alive(ctx, "")
	if err != nil {
		return nil, err
	}
	effort.Parallel *= max(len(alive), 1)
	if effort.Attempt, effort.Measured, err = o.store.AttemptTime(ctx, c.Metadata.Name); err != nil {
		return nil, err
	}
	if effort.Measured == 0 {
		effort.Attempt = c.Limits.Wall
	}
	slices.SortFunc(left, func(a, b store.Unopened) int {
		return cmp.Or(cmp.Compare(a.Forge, b.Forge), cmp.Compare(a.Wave, b.Wave))
	})
	for _, u := range left {
		i := len(effort.Forges) - 1
		if i < 0 || effort.Forges[i].Name != u.Forge {
			f, err := o.pace(ctx, u.Forge, now)
			if err != nil {
				return nil, err
			}
			effort.Forges = append(effort.Forges, f)
			i++
		}
		f := &effort.Forges[i]
		f.Pulls = append(f.Pulls, make([]int, max(0, u.Wave+1-len(f.Pulls)))...)
		if c.PullRequest.Batch != "" {
			u.Targets = u.Repositories // about: those of several owners, and those that are not ready together, have one each
		}
		f.Pulls[u.Wave] += u.Targets
	}
	e := Estimate{Estimate: rollout.Predict(s, effort, now)}
	if e.Text = e.Estimate.Text(now, s.DryRun); e.Text == "" {
		return nil, nil
	}
	return &e, nil
}

// pace is how fast pull requests can be opened on a forge, by what the processes that use its credential know. A forge whose credential
// cannot be read now, or only by asking a person, is taken at its general pace.
func (o *Ops) pace(ctx context.Context, name string, now time.Time) (rollout.Forge, error) {
	f := rollout.Forge{Name: name}
	c, ok := o.cfg.Forges.named(name)
	if !ok {
		return f, nil
	}
	kept := ""
	if c.Keyring == "" {
		if at, err := c.budget(ctx); err == nil {
			if kept, err = o.store.ForgeBudget(ctx, at); err != nil {
				return f, err
			}
		}
	}
	standing := transport.ReadStanding(kept, c.limits(), now)
	cost := pullCost[c.Kind]
	f.Closed = standing.Closed
	for _, l := range []struct {
		what string
		each int
		used []transport.Used
	}{{"requests that make or change something", cost.writes, standing.Paces}, {"calls", cost.calls, standing.Budgets}} {
		for _, u := range l.used {
			f.Quotas = append(f.Quotas, rollout.Quota{What: l.what, Each: l.each, Limit: u.Limit, Window: u.Window, Left: u.Left, Reset: u.Reset})
		}
	}
	return f, nil
}
