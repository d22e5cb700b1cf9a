package search

import (
	"context"
	"iter"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

// Trees opens the committed content of repositories. The mirrors do it; tests do it from memory.
type Trees interface {
	// Open returns the tree with that object id. A tree that the mirror lost is an error.
	Open(ctx context.Context, repo fleet.Repository, tree string) (Tree, error)
}

// Tree is one tree's files. It is used by one goroutine at a time and closed after use.
type Tree interface {
	// Files lists every file below the tree in the byte order of the whole paths, which is git's own.
	Files() iter.Seq2[File, error]
	// Read calls each with every blob's content, in the order of oids; nil for a blob larger than limit, which is not an
	// error. The content is each's to keep. Read may be called while Files is being ranged over.
	Read(oids []string, limit int64, each func(i int, content []byte) error) error
	Close() error
}

// File is one entry of a tree that is not itself a tree. Its size is that of the blob.
type File = git.Entry
