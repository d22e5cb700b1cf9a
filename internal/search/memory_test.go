package search

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gaggle/internal/fleet"
)

// memory is Trees without git: a tree's id is the hash of its files.
type memory struct {
	mu    sync.Mutex
	trees map[string]memoryTree
	reads atomic.Int64
	opens atomic.Int64
}

type memoryTree struct {
	of    *memory
	files []File
	blobs map[string][]byte
}

func (m *memory) put(files map[string]string) fleet.Repository {
	t := memoryTree{of: m, blobs: map[string][]byte{}}
	all := sha1.New()
	for path, content := range files {
		mode := "100644"
		if target, ok := strings.CutPrefix(content, "link:"); ok {
			mode, content = "120000", target
		}
		sum := sha1.Sum([]byte(content))
		oid := hex.EncodeToString(sum[:])
		t.blobs[oid] = []byte(content)
		t.files = append(t.files, File{Path: path, Mode: mode, OID: oid, Size: int64(len(content))})
	}
	slices.SortFunc(t.files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	fmt.Fprint(all, t.files)
	id := hex.EncodeToString(all.Sum(nil))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.trees == nil {
		m.trees = map[string]memoryTree{}
	}
	m.trees[id] = t
	return fleet.Repository{Name: "r-" + id[:6], Tree: id}
}

func (m *memory) Open(_ context.Context, _ fleet.Repository, tree string) (Tree, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opens.Add(1)
	t, ok := m.trees[tree]
	if !ok {
		return nil, fleet.Errorf(fleet.CodeRepoGone, "no tree %s", tree)
	}
	return t, nil
}

func (t memoryTree) Files() iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		for _, f := range t.files {
			if !yield(f, nil) {
				return
			}
		}
	}
}

func (t memoryTree) Read(oids []string, limit int64, each func(int, []byte) error) error {
	for i, oid := range oids {
		content, ok := t.blobs[oid]
		if !ok {
			return fleet.Errorf(fleet.CodeMirrorCorrupt, "no blob %s", oid)
		}
		t.of.reads.Add(1)
		if int64(len(content)) > limit {
			content = nil
		} else {
			content = append([]byte{}, content...)
		}
		if err := each(i, content); err != nil {
			return err
		}
	}
	return nil
}

func (t memoryTree) Close() error { return nil }

func open(t testing.TB, m *memory) *Index {
	t.Helper()
	return Open(Config{Dir: t.TempDir(), Trees: m})
}
