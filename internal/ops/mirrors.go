package ops

import (
	"context"
	"iter"
	"slices"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
	"gaggle/internal/search"
)

// trees gives search the committed content of the mirrors.
type trees struct{ git *git.Store }

// Open implements search.Trees.
func (t trees) Open(ctx context.Context, repo fleet.Repository, tree string) (search.Tree, error) {
	blobs, err := t.git.Blobs(ctx, repo)
	if err != nil {
		return nil, err
	}
	return &mirrorTree{ctx, t.git, repo, tree, blobs}, nil
}

type mirrorTree struct {
	ctx   context.Context
	git   *git.Store
	repo  fleet.Repository
	tree  string
	blobs *git.BlobReader
}

// Files implements search.Tree.
func (m *mirrorTree) Files() iter.Seq2[search.File, error] {
	return func(yield func(search.File, error) bool) {
		for e, err := range m.git.Entries(m.ctx, m.repo, m.tree) {
			if !yield(search.File{Path: e.Path, Mode: e.Mode, OID: e.OID, Size: e.Size}, err) {
				return
			}
		}
	}
}

// Read implements search.Tree.
func (m *mirrorTree) Read(oids []string, limit int64, each func(i int, content []byte) error) error {
	i := 0
	return m.blobs.Each(slices.Values(oids), limit, func(_ string, _ int64, content []byte) error {
		i++
		return each(i-1, content)
	})
}

// Close implements search.Tree.
func (m *mirrorTree) Close() error {
	m.blobs.Close()
	return nil
}
