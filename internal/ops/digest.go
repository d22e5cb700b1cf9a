package ops

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/report"
)

// DigestInput asks what concerns an owner, over all campaigns.
type DigestInput struct {
	Owner string        `json:"owner,omitempty"` // a reference; a name alone is a group. "" for every owner whom something concerns
	Since time.Duration `json:"since,omitempty"` // what came to rest earlier is left out. Defaults to DigestSince
}

// DigestSince is how far back a digest looks when nothing else is said.
const DigestSince = 7 * 24 * time.Hour

// Validate checks the input.
func (in DigestInput) Validate() error {
	if in.Since < 0 {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "--since takes a length of time above 0", Hint: "such as 24h or 168h"}
	}
	return nil
}

// DigestOutput is one digest an owner, those of whom most is asked first.
type DigestOutput struct {
	Digests []report.Digest `json:"digests"`
}

// Digest gathers what waits for owners, what comes, and what came to rest. An owner who is named has a digest even when
// there is nothing to tell.
func (o *Ops) Digest(ctx context.Context, in DigestInput) (*DigestOutput, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	if _, err := o.owners.current(); err != nil {
		return nil, err
	}
	now := o.cfg.Clock()
	since := now.Add(-cmp.Or(in.Since, DigestSince))
	only := ""
	if in.Owner != "" {
		only = fleet.Ref(fleet.ParseRef(in.Owner, "group", ""))
	}
	rows, err := o.store.Campaigns(ctx)
	if err != nil {
		return nil, err
	}
	byOwner := map[string][]report.Input{}
	owners := map[string]bool{} // whom any target belongs to
	for _, row := range rows {
		all, err := o.facts(ctx, row, factsWanted{target: func(t fleet.Target) bool {
			owners[t.Owner] = true
			return (only == "" || t.Owner == only) && (!t.State.AtRest() || !t.UpdatedAt.Before(since))
		}})
		if err != nil {
			return nil, err
		}
		for owner, part := range split(all) {
			byOwner[owner] = append(byOwner[owner], part)
		}
	}
	if only != "" {
		if err := o.anOwner(ctx, only, owners); err != nil {
			return nil, err
		}
		byOwner[only] = append([]report.Input{}, byOwner[only]...)
	}
	out := &DigestOutput{Digests: []report.Digest{}}
	for owner, campaigns := range byOwner {
		d := report.DigestInput{Owner: owner, Campaigns: campaigns, Now: now, Since: since}
		if free, next, why := o.ownerRules(owner).Window(now); !free {
			d.Quiet, d.Next = why, next
		}
		if one := report.BuildDigest(d); only != "" || !one.Empty() {
			out.Digests = append(out.Digests, one)
		}
	}
	slices.SortFunc(out.Digests, func(a, b report.Digest) int {
		return cmp.Or(cmp.Compare(b.Asked(), a.Asked()), cmp.Compare(a.Owner, b.Owner))
	})
	return out, nil
}

// split takes a campaign apart by owner.
func split(all report.Input) map[string]report.Input {
	parts := map[string]report.Input{}
	ownerOf := make(map[int64]string, len(all.Targets))
	for _, t := range all.Targets {
		ownerOf[t.ID] = t.Owner
		part := parts[t.Owner]
		part.Campaign = all.Campaign
		part.Targets = append(part.Targets, t)
		parts[t.Owner] = part
	}
	for _, e := range all.Events {
		part := parts[ownerOf[e.Target]]
		part.Events = append(part.Events, e)
		parts[ownerOf[e.Target]] = part
	}
	for _, p := range all.Pulls {
		part := parts[ownerOf[p.Target]]
		part.Pulls = append(part.Pulls, p)
		parts[ownerOf[p.Target]] = part
	}
	return parts
}

// anOwner refuses an owner of whom nobody has heard, neither the fleet nor a campaign, and says who may be meant.
func (o *Ops) anOwner(ctx context.Context, ref string, known map[string]bool) error {
	components, err := o.store.Components(ctx)
	if err != nil || known[ref] {
		return err
	}
	var names []string
	for _, c := range components {
		if c.Owner == ref {
			return nil
		}
		known[c.Owner] = true
	}
	for name := range known {
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	hint := "gaggle fleet list shows the owners"
	if near := nearestOwner(ref, names); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return &fleet.Error{Code: fleet.CodeNotFound, Message: fmt.Sprintf("nothing in the fleet belongs to %s", ref), Hint: hint}
}
