package ops

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// campaign reads a campaign; when there is none of that name, the error says which one may be meant.
func (o *Ops) campaign(ctx context.Context, name string) (store.Campaign, error) {
	row, err := o.store.Campaign(ctx, name)
	if err == nil || fleet.CodeOf(err) != fleet.CodeNotFound {
		return row, err
	}
	rows, listErr := o.store.Campaigns(ctx)
	if listErr != nil {
		return row, listErr
	}
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.Name
	}
	return row, missing(fmt.Sprintf("there is no campaign %q", name), name, names, "gaggle status lists the campaigns of this data folder")
}

// repository reads a repository of the fleet; when there is none of that name, the error says which one may be meant.
func (o *Ops) repository(ctx context.Context, name string) (fleet.Repository, error) {
	r, err := o.store.Repository(ctx, name)
	if err == nil || fleet.CodeOf(err) != fleet.CodeNotFound {
		return r.Repository, err
	}
	all, listErr := o.store.Repositories(ctx)
	if listErr != nil {
		return fleet.Repository{}, listErr
	}
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = r.Name
	}
	return fleet.Repository{}, missing(fmt.Sprintf("there is no repository %q in the fleet", name), name, names, "gaggle fleet list names them all")
}

// missing is the error for a name that is not there.
func missing(message, name string, candidates []string, hint string) error {
	if near := spec.Nearest(name, candidates); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return &fleet.Error{Code: fleet.CodeNotFound, Message: message, Hint: hint}
}

// missingRef is missing for an entity reference. The hint shows the part that people type.
func missingRef(message, ref string, candidates []string, hint string) error {
	_, _, name := fleet.ParseRef(ref, "component", "")
	names := make([]string, 0, len(candidates))
	for _, c := range candidates {
		_, _, n := fleet.ParseRef(c, "component", "")
		if n == name { // right but for its kind or namespace
			shown := strings.TrimPrefix(c, "component:default/")
			return missing(message, shown, []string{shown}, hint)
		}
		names = append(names, n)
	}
	near := spec.Nearest(name, names)
	if i := slices.Index(names, near); near != "" && i >= 0 {
		shown := strings.TrimPrefix(candidates[i], "component:default/")
		return missing(message, shown, []string{shown}, hint)
	}
	return missing(message, "", nil, hint)
}
