package git

import (
	"context"
	"iter"
	"slices"

	"gaggle/internal/fleet"
)

// Tree reads one tree of a mirror: the list of its files, and their contents through one process that is started by
// the first Read. One goroutine may use it at a time; its context bounds the life of its processes.
type Tree struct {
	ctx   context.Context
	store *Store
	repo  fleet.Repository
	oid   string
	blobs *BlobReader
}

// Tree opens a tree. Nothing is read yet, so a tree that is not there is an error of Files.
func (s *Store) Tree(ctx context.Context, repo fleet.Repository, oid string) *Tree {
	return &Tree{ctx: ctx, store: s, repo: repo, oid: oid}
}

// Files lists every file below the tree, as Entries does.
func (t *Tree) Files() iter.Seq2[Entry, error] { return t.store.Entries(t.ctx, t.repo, t.oid) }

// Read calls each with the content of every object, in the order of oids; nil for one larger than limit, which is not
// an error. The content is each's to keep. Read may be called while Files is being ranged over.
func (t *Tree) Read(oids []string, limit int64, each func(i int, content []byte) error) error {
	if len(oids) == 0 {
		return nil
	}
	if t.blobs == nil {
		var err error
		if t.blobs, err = t.store.Blobs(t.ctx, t.repo); err != nil {
			return err
		}
	}
	i := 0
	return t.blobs.Each(slices.Values(oids), limit, func(_ string, _ int64, content []byte) error {
		i++
		return each(i-1, content)
	})
}

// Close ends the process, if one was started.
func (t *Tree) Close() error {
	if t.blobs != nil {
		t.blobs.Close()
	}
	return nil
}
