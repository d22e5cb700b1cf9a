package engine

import (
	"context"
	"errors"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/guard"
	"gaggle/internal/policy"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// facts gathers what policy decides by.
func (v *visit) facts(ctx context.Context) (policy.PullFacts, error) {
	rules := v.e.owner(v.t.Owner)
	open, _, _ := rules.Window(v.now)
	f := policy.PullFacts{
		Active: v.row.State == fleet.CampaignActive, Touched: v.f.Touched, HandsOff: v.f.HandsOff, Asked: v.f.Asked, Draft: v.pull.Draft, Conflicts: v.pull.Conflicts,
		CI: v.f.CI, Blamed: len(v.blamed) > 0, Requests: len(v.asks), Revisions: v.f.Revisions, MaxRevisions: v.c.PullRequest.Revisions,
		Policy: v.c.Merge.Policy, Approvals: v.f.Approvals, Objectors: v.f.Objectors, OwnerSays: rules.Merge, Window: open, Queued: v.pull.Queued,
		Rested: v.now.Sub(v.f.ActiveAt), RemindAfter: v.c.PullRequest.RemindAfter, Reminded: -1, CloseAfter: v.c.PullRequest.CloseAfter, Refreshed: -1,
	}
	if f.CI == "before" {
		f.CI = "failed"
	}
	if !v.f.Reminded.IsZero() && v.f.Reminded.After(v.f.ActiveAt.Add(-time.Second)) {
		f.Reminded = v.now.Sub(v.f.Reminded)
	}
	if !v.f.Refreshed.IsZero() {
		f.Refreshed = v.now.Sub(v.f.Refreshed)
	}
	all := []*visit{v}
	for _, t := range v.mates {
		mate := *v
		mate.t = t
		var err error
		if mate.row, mate.c, err = v.e.campaign(ctx, t.Campaign); err != nil {
			return f, err
		}
		f.Active = f.Active && mate.row.State == fleet.CampaignActive
		f.Policy = policy.Stricter(f.Policy, mate.c.Merge.Policy)
		all = append(all, &mate)
	}
	if f.Policy != spec.MergeAuto || len(f.Approvals) > 0 {
		return f, nil
	}
	f.Rule, f.Evidence = true, true
	var riskiest policy.Risk
	for _, one := range all {
		rule, risk, err := one.mergeRule(ctx)
		if err != nil {
			return f, err
		}
		evidence, err := one.e.evidence(ctx, one.c, one.t.Wave)
		if err != nil {
			return f, err
		}
		if f.Risk == "" || risk.Score > riskiest.Score {
			riskiest, f.Risk = risk, "risk "+risk.String()
		}
		if f.Evidence {
			f.Proof = evidence.String() // the first that is not enough, or the last
		}
		f.Rule, f.Evidence = f.Rule && rule, f.Evidence && evidence.Open
	}
	return f, nil
}

// merge merges the pull request as it was verified and approved, or not at all.
func (v *visit) merge(ctx context.Context, why string) error {
	by := "auto"
	if len(v.f.Approvals) > 0 {
		by = "approved"
	}
	// Who merges is written down first: afterwards nobody could tell.
	v.f.MergedBy = by
	if err := v.e.record(ctx, v.t.ID, func(ctx context.Context, tx *store.Tx) error { return tx.SaveFollow(ctx, v.f) }); err != nil {
		return err
	}
	err := v.host.Merge(ctx, v.repo, v.t.PullNumber, forge.MergeSpec{Method: forge.Method(v.c.Merge.Method), ExpectHead: v.t.HeadCommit})
	switch code := fleet.CodeOf(err); {
	case err == nil:
	case errors.Is(err, forge.ErrQueued):
		return v.save(ctx, "handed to the forge to merge: "+why)
	case code == fleet.CodeMergeConflict:
		v.f.MergedBy = ""
		if really, err := v.conflicts(ctx); err != nil || !really {
			return errors.Join(err, v.save(ctx, ""))
		}
		return v.begin(ctx, fleet.Revision{Kind: fleet.ReviseBase}, "the base moved in the way of the change")
	case code == fleet.CodeConflict, forge.Passing(err), ctx.Err() != nil:
		return err // the next pass sees what became of it
	default:
		v.f.MergedBy = ""
		return v.ask(ctx, "merge: "+err.Error(), "it could not be merged: "+err.Error())
	}
	got, err := v.host.Get(ctx, v.repo, v.t.PullNumber)
	if err != nil || got.State != forge.StateMerged {
		return err // the next pass sees it
	}
	v.pull, v.merging = got, why
	return v.rest(ctx)
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
