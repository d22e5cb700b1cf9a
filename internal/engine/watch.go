package engine

import (
	"context"
	"fmt"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/guard"
	"gaggle/internal/policy"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// A merged change is watched for a week, often at first: for its deployment, and for a revert.
const (
	watchFirst = time.Minute
	watchFor   = 7 * 24 * time.Hour
)

// watched says that a merged pull request is still worth a look.
func watched(f fleet.Follow, now time.Time) bool {
	return !f.MergedAt.IsZero() && !f.Reverted && f.MergeSHA != "" && now.Sub(f.MergedAt) < watchFor
}

// watch looks at what became of a merged change. Whoever answers for the campaign is told what went wrong; the owner of the component has seen it.
func (e *Engine) watch(ctx context.Context, h *hold, t fleet.Target, repo fleet.Repository) error {
	f, err := e.store.Follow(ctx, t.ID)
	if err != nil {
		return err
	}
	now, note := e.store.Now(), ""
	host, err := e.cfg.Forge(repo.Forge)
	if err != nil {
		return err
	}
	if d, can := host.(forge.Deployments); can { // a failed one, too: it may be repaired
		list, err := d.Deployments(ctx, repo, f.MergeSHA)
		if err != nil && fleet.CodeOf(err) != fleet.CodeUnsupported {
			return err
		}
		if health := deployed(list); health != f.Deploy {
			f.Deploy = health
			if health != "" {
				note = "its deployment: " + health
			}
		}
	}
	if e.cfg.Reverted != nil {
		const git = "This reverts commit " // its own words; a host's button names the pull request instead
		signs := []string{git + f.MergeSHA, git + t.HeadCommit, fmt.Sprintf("Reverts %s#%d", repo.Name, t.PullNumber)}
		by, err := e.cfg.Reverted(ctx, repo, f.MergeSHA, signs...)
		if err != nil {
			return err
		}
		if by != "" {
			f.Reverted, note = true, fmt.Sprintf("it was reverted by %.12s", by)
		}
	}
	f.LookAgain = now.Add(min(max(e.patience(), now.Sub(f.MergedAt)/4), 6*time.Hour))
	return h.end(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.SaveFollow(ctx, f); err != nil || note == "" {
			return err
		}
		return tx.Record(ctx, store.Event{Campaign: t.Campaign, Target: t.ID, Component: t.Component, Kind: "note", Actor: "forge", Message: note})
	})
}

// deployed sums up the deployments of a commit: the newest of each environment counts, and a failure anywhere is one.
func deployed(list []forge.Deployment) string {
	sum, seen := "", map[string]bool{}
	for _, d := range list {
		if seen[d.Environment] || d.State == "inactive" {
			continue
		}
		seen[d.Environment] = true
		switch {
		case d.State == "failure":
			return "failure"
		case d.State == "pending":
			sum = "pending"
		case d.State == "success" && sum == "":
			sum = "success"
		}
	}
	return sum
}

// evidence is how sure it is that people merge what this campaign makes as it is, by the waves before one.
func (e *Engine) evidence(ctx context.Context, c *spec.Campaign, wave int) (policy.Evidence, error) {
	outcomes, err := e.store.Outcomes(ctx, c.Metadata.Name)
	if err != nil {
		return policy.Evidence{}, err
	}
	good, all := 0, 0
	for _, o := range outcomes {
		if o.Wave >= wave || o.State != fleet.Merged && o.State != fleet.Closed || o.MergedBy == "auto" {
			continue
		}
		all += o.Targets
		if o.State == fleet.Merged && !o.Reverted && !o.Touched {
			good += o.Targets
		}
	}
	return policy.Prove(good, all, c.Merge.Evidence), nil
}

// Evidence is what the waves before one say about merging a campaign's changes without a person; ok says that the campaign asks for it.
func (e *Engine) Evidence(ctx context.Context, campaign string, wave int) (proof policy.Evidence, ok bool, err error) {
	_, c, err := e.campaign(ctx, campaign)
	if err != nil || c.Merge.Policy != spec.MergeAuto {
		return policy.Evidence{}, false, err
	}
	proof, err = e.evidence(ctx, c, wave)
	return proof, true, err
}

// mergeRule says whether the campaign's rule lets auto merge the pull request, and how risky its diff is.
func (v *visit) mergeRule(ctx context.Context) (bool, policy.Risk, error) {
	facts, risk, err := v.mergeFacts(ctx)
	if err != nil {
		return false, risk, err
	}
	rule, err := v.e.mergeWhen(v.t.Campaign, v.c)
	if err != nil {
		return false, risk, err
	}
	allowed, err := rule.Allows(facts)
	return allowed, risk, err
}

// mergeWhen is the campaign's rule, compiled once a version of its file.
func (e *Engine) mergeWhen(name string, c *spec.Campaign) (*spec.MergeRule, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l, ok := e.loaded[name]
	if ok && l.spec == c && l.merge != nil {
		return l.merge, nil
	}
	rule, err := spec.CompileMerge(orWord(c.Merge.When, spec.DefaultMergeWhen))
	if err == nil && ok && l.spec == c {
		l.merge = rule
	}
	return rule, err
}

// mergeFacts is what the rule may look at.
func (v *visit) mergeFacts(ctx context.Context) (spec.MergeFacts, policy.Risk, error) {
	f := spec.MergeFacts{Checks: v.f.CI, Files: v.t.Stat.Files, Lines: v.t.Stat.Added + v.t.Stat.Deleted, Approvals: len(v.f.Approvals), Wave: v.t.Wave + 1,
		Owner: v.t.Owner, Component: v.t.Component, OptOut: v.e.owner(v.t.Owner).Merge != ""}
	if f.Checks == "before" {
		f.Checks = "failed"
	}
	attempts, err := v.e.store.Attempts(ctx, v.t.ID)
	if err != nil {
		return f, policy.Risk{}, err
	}
	rounds := lastRounds(attempts)
	if len(rounds) > 0 {
		last := rounds[len(rounds)-1]
		f.Findings = len(last.Findings)
		if last.Verdict != nil {
			f.Verdict = map[bool]string{true: "pass", false: "veto"}[last.Verdict.Pass]
		}
	}
	risk, touched, err := v.e.risk(ctx, v.t, len(rounds))
	f.Risk, f.TestsTouched = risk.Score, touched.Tests
	return f, risk, err
}

// lastRounds are those of the newest attempt.
func lastRounds(attempts []fleet.Attempt) []fleet.Round {
	if len(attempts) == 0 {
		return nil
	}
	return attempts[len(attempts)-1].Rounds
}

// Risk weighs a target's diff, the component and its history, as merging by itself does. A target without a diff has none.
func (e *Engine) Risk(ctx context.Context, t fleet.Target, attempts []fleet.Attempt) (*policy.Risk, error) {
	if t.DiffKey == "" || t.Stat.Files == 0 {
		return nil, nil
	}
	risk, _, err := e.risk(ctx, t, len(lastRounds(attempts)))
	if err != nil {
		return nil, err
	}
	return &risk, nil
}

func (e *Engine) risk(ctx context.Context, t fleet.Target, rounds int) (policy.Risk, guard.Touched, error) {
	diff, err := e.store.GetRecord(ctx, t.DiffKey)
	if err != nil {
		return policy.Risk{}, guard.Touched{}, err
	}
	touched := guard.Touches(diff)
	facts := policy.RiskFacts{Stat: t.Stat, SourceTouched: touched.Source, TestsTouched: touched.Tests, BuildTouched: touched.Build, Rounds: rounds}
	if e.cfg.Dependents != nil {
		if facts.Dependents, err = e.cfg.Dependents(ctx, t.Component); err != nil {
			return policy.Risk{}, touched, err
		}
	}
	past, err := e.store.History(ctx, t.Component)
	facts.Merged, facts.Reverted, facts.Failed = past.Merged, past.Reverted, past.Failed
	return policy.Score(facts), touched, err
}
