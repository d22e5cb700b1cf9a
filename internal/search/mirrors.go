package search

import (
	"context"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

// Mirrors reads trees from the bare mirrors of a store.
func Mirrors(store *git.Store) Trees { return mirrors{store} }

type mirrors struct{ store *git.Store }

func (m mirrors) Open(ctx context.Context, repo fleet.Repository, tree string) (Tree, error) {
	return m.store.Tree(ctx, repo, tree), nil
}
