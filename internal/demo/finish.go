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
	r := result{out: plan.Out, owners: map[string]fleet.Component{}}
	components, err := d.ops.Components(ctx, ops.ComponentsInput{})
	if err != nil {
		return false, err
	}
	for _, c := range components {
		r.owners[c.Ref] = c
	}
	name := plan.Campaign
	targets, err := d.ops.Targets(ctx, ops.TargetsInput{Campaign: name})
	if err != nil {
		return false, err
	}
	for _, t := range targets {
		detail, err := d.ops.Show(ctx, ops.TargetInput{Campaign: name, Component: t.Component})
		if err != nil {
			return false, err
		}
		r.targets = append(r.targets, *detail)
	}
	pulls, err := d.ops.Pulls(ctx, ops.PullsInput{})
	if err != nil {
		return false, err
	}

	d.say.head("How it ended")
	for _, row := range table(r) {
		for i, why := range row.why {
			name, end := row.name, row.end
			if i > 0 {
				name, end = "", ""
			}
			d.say.line(fmt.Sprintf("  %-18s ", name) + d.say.paint(row.how, fmt.Sprintf("%-10s", end)) + " " + d.say.paint(plainText, clip(why, 110)))
		}
	}
	for _, c := range out.Status.Campaigns {
		d.say.line("")
		cost := fmt.Sprintf("%d model calls, %d tokens, %s", c.Calls, c.Tokens, c.Spent)
		if !d.real {
			cost = fmt.Sprintf("%d model calls, %d tokens, all to the rule-driven model: %s", c.Calls, c.Tokens, c.Spent)
		}
		d.say.step("%d targets: %s; %d open pull requests; %s", c.Targets, counts(c.States), len(pulls), cost)
	}
	for _, w := range out.Waits {
		d.say.note("%s", w.Message)
	}
	d.next(r)

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

func counts(n map[fleet.State]int) string {
	var parts []string
	for _, s := range fleet.States {
		if n[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[s], s))
		}
	}
	return strings.Join(parts, ", ")
}

// next shows the commands that are worth a try now.
func (d *demo) next(r result) {
	d.say.head("What to look at next")
	try := func(what string, args ...string) {
		d.say.line("  " + what)
		d.say.command(d.gaggle(args...))
	}
	try("the pull requests, and one of them as its owner reads it", "pr", "list")
	for _, t := range r.targets {
		if t.PullNumber > 0 && short(t.Component) == "tide-tables" {
			d.say.command(d.gaggle("pr", "show", t.Repository, fmt.Sprint(t.PullNumber)))
		}
	}
	if len(r.targets) > 0 {
		try("two rounds: what the guards caught, and what became of it", "show", campaignName, "refund-ledger")
		try("what would be merged", "diff", campaignName, "depot-scanner")
		try("every word between the agent and the model", "transcript", campaignName, "carrier-quotes")
	}
	try("why a component is in or out", "plan", "--why", "card-vault", d.campaign())
	for _, t := range r.targets {
		if t.PullNumber > 0 && short(t.Component) == "parcel-labels" {
			try("merge one; the next run sees it", "pr", "merge", t.Repository, fmt.Sprint(t.PullNumber))
		}
	}
	if d.real {
		d.say.line("  the same again after a change of campaign.yaml")
		d.say.command(d.gaggle("run", d.campaign()))
	} else {
		d.say.line("  the same again after a change of campaign.yaml, or with a key set: then the real model does it")
		d.say.command(d.program("demo", "--dir", d.dir))
	}
}
