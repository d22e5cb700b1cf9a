package demo

import (
	"context"
	"fmt"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/ops"
)

// finish says how it ended, why, and what to look at next.
func (d *demo) finish(ctx context.Context, plan *ops.Plan, out *ops.RunOutput) (bool, error) {
	r, err := d.result(ctx, plan)
	if err != nil {
		return false, err
	}
	pulls, err := d.ops.Pulls(ctx, ops.PullsInput{})
	if err != nil {
		return false, err
	}

	d.say.head("How it ended")
	for _, row := range table(r) {
		d.say.row(row)
	}
	d.say.line("")
	for _, c := range out.Status.Campaigns {
		d.say.step("%s: %s; %s", fleet.Count(c.Targets, "target"), counts(c.States), fleet.Count(len(pulls), "open pull request"))
		asked := "asked"
		if !d.real {
			asked = "asked of the rule-driven model"
		}
		d.say.note("%s %s, %d tokens, %s", fleet.Count(int(c.Calls), "question"), asked, c.Tokens, c.Spent)
		if c.Message != "" {
			d.say.note("%s", c.Message)
		}
	}
	d.next(plan.Campaign, r)

	if d.real || !d.mine {
		return out.Status.Failed() == 0, nil
	}
	if diffs := differences(r); len(diffs) > 0 {
		d.say.head("This is not how the demo is meant to end")
		for _, diff := range diffs {
			d.say.line("  " + d.say.paint(bad, diff))
		}
		return false, nil
	}
	return true, nil
}

// result gathers what is known of every component.
func (d *demo) result(ctx context.Context, plan *ops.Plan) (result, error) {
	r := result{out: plan.Out, components: map[string]fleet.Component{}, own: map[string]string{}}
	components, err := d.ops.Components(ctx, ops.ComponentsInput{})
	if err != nil {
		return r, err
	}
	for _, c := range components {
		r.components[c.Ref] = c
	}
	targets, err := d.ops.Targets(ctx, ops.TargetsInput{Campaign: plan.Campaign})
	if err != nil {
		return r, err
	}
	for _, t := range targets {
		in := ops.TargetInput{Campaign: plan.Campaign, Component: t.Component}
		detail, err := d.ops.Show(ctx, in)
		if err != nil {
			return r, err
		}
		r.targets = append(r.targets, *detail)
		log, err := d.ops.Record(ctx, in, "log")
		if err != nil && fleet.CodeOf(err) != fleet.CodeNotFound {
			return r, err
		}
		r.own[t.Component] = ownCheck(log)
	}
	return r, nil
}

func counts(n map[fleet.State]int) string {
	var parts []string
	for _, s := range fleet.States {
		if n[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[s], s))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// next shows the commands that are worth a try now.
func (d *demo) next(campaign string, r result) {
	d.say.head("What to look at next")
	try := func(what string, args ...string) {
		d.say.line("  " + what)
		d.say.command(d.gaggle(args...))
	}
	pull := map[string][]string{} // the words that name a component's pull request
	for _, t := range r.targets {
		if t.PullNumber > 0 {
			pull[short(t.Component)] = []string{t.Repository, fmt.Sprint(t.PullNumber)}
		}
	}
	tried := map[string]bool{}
	failed := false
	for _, t := range r.targets {
		tried[short(t.Component)] = len(t.AttemptList) > 0
		failed = failed || t.State == fleet.Failed
	}
	if failed {
		try("what failed; then, when its cause is gone: again", "status", campaign, "--state", "failed")
		d.say.command(d.gaggle("retry", campaign))
		d.say.command(d.gaggle("resume", campaign))
		d.say.command(d.program("demo", "--dir", d.dir))
	}
	if len(pull) > 0 {
		try("the pull requests, and one as its owner reads it", "pr", "list")
	}
	if words := pull["tide-tables"]; words != nil {
		d.say.command(d.gaggle(append([]string{"pr", "show"}, words...)...))
	}
	if tried["refund-ledger"] {
		try("the tests that were gamed: what was found, round by round", "show", campaign, "refund-ledger")
	}
	if tried["depot-scanner"] {
		try("a diff, and every word between the agent and the model", "diff", campaign, "depot-scanner")
		d.say.command(d.gaggle("transcript", campaign, "depot-scanner"))
	}
	try("why a component is in or out", "plan", "--why", "card-vault,gift-notes", d.campaign())
	if words := pull["parcel-labels"]; words != nil {
		try("merge one; the next run sees it", append([]string{"pr", "merge"}, words...)...)
	}
	if d.real {
		try("a change of your own: write another name and prompt into campaign.yaml, then", "run", d.campaign())
		return
	}
	d.say.line("  a change of your own: write another name and prompt into campaign.yaml, or set a key for a real model, then")
	d.say.command(d.program("demo", "--dir", d.dir))
}
