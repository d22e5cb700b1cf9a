package ops

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/store"
)

// SyncInput names where repositories come from.
type SyncInput struct {
	From string `json:"from"`
}

// SyncOutput says what a sync found.
type SyncOutput struct {
	Repositories int             `json:"repositories"`
	Components   int             `json:"components"`
	New          int             `json:"new"`
	Changed      int             `json:"changed"`
	Unchanged    int             `json:"unchanged"`
	Gone         int             `json:"gone"`
	Problems     []fleet.Problem `json:"problems"`
}

// Sync TEMP
func (o *Ops) Sync(ctx context.Context, in SyncInput) (*SyncOutput, error) {
	out := &SyncOutput{}
	entries, err := os.ReadDir(in.From)
	if err != nil {
		return nil, err
	}
	abs, _ := filepath.Abs(in.From)
	for _, e := range entries {
		repo := fleet.Repository{Name: e.Name(), URL: "file://" + filepath.Join(abs, e.Name()), Forge: "local", DefaultBranch: "main"}
		head, err := o.git.Refresh(ctx, repo, 0)
		if err != nil {
			out.Problems = append(out.Problems, fleet.Problem{Repository: e.Name(), Message: err.Error()})
			continue
		}
		repo.Head, repo.Tree, repo.DefaultBranch, repo.SyncedAt = head.Commit, head.Tree, head.Branch, time.Now()
		ref := fleet.Ref("component", "", e.Name())
		if err := o.store.Tx(ctx, func(tx *store.Tx) error {
			return tx.PutRepository(ctx, store.RepositoryInventory{Repository: repo, Components: []fleet.Component{{Ref: ref, Name: e.Name(), Namespace: "default", Kind: "Component", Repository: repo.Name, Path: "."}}})
		}); err != nil {
			return nil, err
		}
		out.Repositories++
		out.Components++
	}
	return out, nil
}

// Refresh TEMP
func (o *Ops) Refresh(ctx context.Context) error { return nil }

// ComponentsInput narrows.
type ComponentsInput struct{ Owner string }

// Components lists the fleet's components by reference.
func (o *Ops) Components(ctx context.Context, in ComponentsInput) ([]fleet.Component, error) {
	all, err := o.store.Components(ctx)
	if err != nil || in.Owner == "" {
		return all, err
	}
	owner := fleet.Ref(fleet.ParseRef(in.Owner, "group", ""))
	mine := []fleet.Component{}
	for _, c := range all {
		if c.Owner == owner {
			mine = append(mine, c)
		}
	}
	return mine, nil
}

// ComponentDetail is everything that is known of a component.
type ComponentDetail struct {
	fleet.Component
	Repository fleet.Repository `json:"repositoryDetail"`
	Targets    []fleet.Target   `json:"targets"`
	Problems   []fleet.Problem  `json:"problems"`
}

// Component tells everything about one component.
func (o *Ops) Component(ctx context.Context, ref string) (*ComponentDetail, error) {
	c, err := o.store.Component(ctx, fleet.Ref(fleet.ParseRef(ref, "component", "")))
	if err != nil {
		return nil, err
	}
	d := &ComponentDetail{Component: c}
	repo, err := o.store.Repository(ctx, c.Repository)
	if err != nil {
		return nil, err
	}
	d.Repository = repo.Repository
	if d.Targets, err = o.store.Targets(ctx, store.Filter{Component: c.Ref}); err != nil {
		return nil, err
	}
	d.Problems, err = o.store.Problems(ctx, c.Repository)
	return d, err
}
