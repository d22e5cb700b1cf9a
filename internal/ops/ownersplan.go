package ops

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// PlannedOwner is what a campaign would ask of one owner, and what the owner's time allows.
type PlannedOwner struct {
	Owner         string    `json:"owner,omitempty"`
	Targets       int       `json:"targets"`
	Open          int       `json:"open"`                    // pull requests that are open now, over all campaigns
	PerOwner      int       `json:"perOwner,omitempty"`      // that may be open at once; absent for any number
	PerRepository int       `json:"perRepository,omitempty"` // the same, of one repository
	Quiet         string    `json:"quiet,omitempty"`         // why the owner is left alone now
	Next          time.Time `json:"next,omitzero"`           // until then, when that is known
	Merge         string    `json:"merge,omitempty"`         // the most that Gaggle merges by itself: never, approved
}

// dueOwners says of a plan's owners what their time allows, those with the most targets first.
func (o *Ops) dueOwners(ctx context.Context, targets []PlannedTarget) ([]PlannedOwner, error) {
	if _, err := o.owners.current(); err != nil {
		return nil, err
	}
	open, err := o.store.OpenPulls(ctx)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, t := range targets {
		counts[t.Owner]++
	}
	now := o.cfg.Clock()
	all := make([]PlannedOwner, 0, len(counts))
	for name, n := range counts {
		rules := o.ownerRules(name)
		p := PlannedOwner{Owner: name, Targets: n, Open: open[name], PerRepository: rules.Limits.PerRepository, Merge: rules.Merge}
		if name != "" {
			p.PerOwner = rules.Limits.PerOwner
		}
		if free, next, why := rules.Window(now); !free {
			p.Quiet, p.Next = why, next
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b PlannedOwner) int {
		return cmp.Or(cmp.Compare(b.Targets, a.Targets), cmp.Compare(a.Owner, b.Owner))
	})
	return all, nil
}
