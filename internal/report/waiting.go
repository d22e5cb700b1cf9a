package report

import (
	"cmp"
	"slices"

	"gaggle/internal/fleet"
)

// Those who are waited for, besides owners.
const (
	byGaggle = "Gaggle"
	byCI     = "CI"
	byNobody = "nobody known"
)

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
	author := orNobody(b.in.Campaign.Owner)
	paused := b.in.Campaign.State == fleet.CampaignPaused
	switch t.State {
	case fleet.Pending, fleet.Queued:
		switch {
		case paused:
			return author, "resume the campaign"
		case t.State == fleet.Pending:
			return byGaggle, "open the next wave once the gate allows it"
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
		case b.in.Campaign.Approval && !t.Approved:
			return author, "approve the changes"
		}
		return byGaggle, "open the pull request"
	case fleet.Proposed:
		switch l.pull.CI {
		case "pending":
			return byCI, "end the checks"
		case "failed":
			return orNobody(t.Owner), "look at the red checks"
		}
		return orNobody(t.Owner), "review and merge"
	case fleet.Failed:
		return author, "look at the failures: retry or cancel"
	}
	return "", ""
}

func orNobody(owner string) string {
	if owner == "" {
		return byNobody
	}
	return owner
}
