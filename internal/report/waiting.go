package report

import (
	"cmp"
	"slices"
	"strings"

	"gaggle/internal/fleet"
)

// Those who are waited for, besides owners.
const (
	byGaggle = "Gaggle"
	byCI     = "CI"
	byNobody = "nobody known"
)

const nextWave = "open the next wave once the gate allows it"

// waiting groups what is not at rest, and what failed, by who can take it on.
func (b *builder) waiting(r *Report) {
	type wait struct{ who, what string }
	groups := map[wait]*Waiting{}
	for i := range b.in.Targets {
		t := &b.in.Targets[i]
		who, what := b.waitsFor(t, &b.lives[i])
		if what == "" {
			continue
		}
		since := b.lives[i].since
		if t.State == fleet.Proposed {
			since = b.lives[i].openSince()
		}
		g := groups[wait{who, what}]
		if g == nil {
			g = &Waiting{Who: who, What: what, Since: since, Example: t.Component}
			groups[wait{who, what}] = g
		}
		g.Count++
		if since.Before(g.Since) || since.Equal(g.Since) && t.Component < g.Example {
			g.Since, g.Example = since, t.Component
		}
	}
	r.Waiting = []Waiting{}
	for _, g := range groups {
		r.Waiting = append(r.Waiting, *g)
	}
	slices.SortFunc(r.Waiting, func(a, b Waiting) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), a.Since.Compare(b.Since), cmp.Compare(a.Who, b.Who), cmp.Compare(a.What, b.What))
	})
}

// waitsFor says who can bring a target on, and how; what is "" for one that nothing is to be done about.
func (b *builder) waitsFor(t *fleet.Target, l *life) (who, what string) {
	if b.in.Campaign.State == fleet.CampaignCanceled {
		return "", ""
	}
	author := orNobody(b.in.Campaign.Owner)
	paused := b.in.Campaign.State == fleet.CampaignPaused
	switch t.State {
	case fleet.Pending, fleet.Queued:
		switch {
		case paused:
			return author, "resume the campaign"
		case t.State == fleet.Pending:
			return byGaggle, nextWave
		}
		return byGaggle, "start the attempt"
	case fleet.Changing, fleet.Revising:
		return byGaggle, "end the attempt"
	case fleet.Ready:
		switch {
		case paused:
			return author, "resume the campaign"
		case b.in.Campaign.DryRun:
			return author, "look at the diffs, then run without --dry-run"
		case t.Wave >= b.in.Campaign.OpenWaves:
			return byGaggle, nextWave
		case b.in.Campaign.Approval && !t.Approved:
			return author, "approve the changes"
		case t.Held != "":
			return orNobody(t.Owner), "have time for it: " + clip(line(t.Held), 200)
		}
		return byGaggle, "open the pull request"
	case fleet.Proposed:
		return b.reviewOf(t, &l.pull)
	case fleet.Failed:
		return author, "look at the failures: retry or cancel"
	}
	return "", ""
}

// reviewOf says who can bring an open pull request on, and how.
func (b *builder) reviewOf(t *fleet.Target, p *PullFacts) (who, what string) {
	owner := orNobody(t.Owner)
	gaggleMerges := b.in.Campaign.Merge == "approved" || b.in.Campaign.Merge == "auto"
	switch {
	case p.Touched:
		return owner, "finish what a person pushed to it"
	case p.HandsOff != "":
		return owner, "go on without Gaggle, as a person asked"
	case p.Asked != "":
		_, why, found := strings.Cut(p.Asked, ": ")
		if !found {
			why = p.Asked
		}
		return owner, "take over: " + clip(line(why), 200)
	case p.CI == "pending":
		return byCI, "end the checks"
	case p.CI == "failed":
		return owner, "look at the red checks"
	case p.Approved && gaggleMerges && p.CI != "before":
		return byGaggle, "merge what is approved"
	case p.Approved:
		return owner, "merge what is approved"
	case p.CI == "before":
		return owner, "review and merge, although checks fail that fail without the change, too"
	case b.in.Campaign.Merge == "approved":
		return owner, "review"
	}
	return owner, "review and merge"
}

func orNobody(owner string) string {
	if owner == "" {
		return byNobody
	}
	return owner
}
