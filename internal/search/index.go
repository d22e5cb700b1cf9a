package search

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"gaggle/internal/fleet"
)

// Config is what an Index needs.
type Config struct {
	Dir      string // of the shards; made when it is missing
	Trees    Trees  // where shards are made from; without it a missing shard is an error
	Limits   Limits // what is searched of one repository
	Parallel int    // repositories that Select looks at at the same time. Defaults to the number of CPUs.
}

// Index is the content of a fleet. Many goroutines and many processes may use one folder at the same time: a shard
// is only ever replaced by an equal one, with a rename. Two that miss the same shard both make it; that is only work done twice.
type Index struct {
	cfg  Config
	home string // the folder of this format and these limits
}

// Open returns the index in a folder. It reads nothing yet.
func Open(cfg Config) *Index {
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Parallel <= 0 {
		cfg.Parallel = runtime.GOMAXPROCS(0)
	}
	sum := sha256.Sum256(fmt.Append(nil, formatVersion, cfg.Limits))
	return &Index{cfg: cfg, home: filepath.Join(cfg.Dir, fmt.Sprintf("v%d-%s", formatVersion, hex.EncodeToString(sum[:4])))}
}

const (
	shardSuffix = ".shard"
	tempPrefix  = ".new-"
)

func (x *Index) path(tree string) (string, error) {
	if (len(tree) != 40 && len(tree) != 64) || strings.Trim(tree, "0123456789abcdef") != "" {
		return "", fleet.Errorf(fleet.CodeInternal, "search: %s is not a tree id", quote(tree))
	}
	return filepath.Join(x.home, tree[:2], tree+shardSuffix), nil
}

// Ensure makes the shard of the repository's tree unless there is one. previous, when not "", is the tree that the
// repository was at before: what is equal is taken over from its shard.
func (x *Index) Ensure(ctx context.Context, repo fleet.Repository, previous string) (Stats, error) {
	path, err := x.path(repo.Tree)
	if err != nil {
		return Stats{}, err
	}
	if s, err := openShard(path); err == nil {
		defer s.close()
		return s.footer.stats, nil
	}
	return x.make(ctx, repo, previous)
}

// make writes a shard beside its place and renames it there, readable by its owner only. It is not synced to disk: what
// a power cut leaves behind is found damaged by its checksums and made again. Only its owner may read it, for it holds other people's code.
func (x *Index) make(ctx context.Context, repo fleet.Repository, previous string) (stats Stats, err error) {
	if x.cfg.Trees == nil {
		return stats, fleet.Errorf(fleet.CodeNotFound, "the content of %s is not indexed", repo.Name)
	}
	path, err := x.path(repo.Tree)
	if err != nil {
		return stats, err
	}
	defer func() {
		if err != nil {
			err = x.explain(repo, err)
		}
	}()
	tree, err := x.cfg.Trees.Open(ctx, repo, repo.Tree)
	if err != nil {
		return stats, err
	}
	defer tree.Close()
	var old *shard
	if oldPath, err := x.path(previous); err == nil && previous != repo.Tree {
		if old, err = openShard(oldPath); err == nil {
			defer old.close()
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return stats, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix+"*")
	if err != nil {
		return stats, err
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if stats, err = newBuilder(f, x.cfg.Limits, old).build(ctx, tree); err != nil {
		return stats, err
	}
	return stats, os.Rename(f.Name(), path)
}

func (x *Index) explain(repo fleet.Repository, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &fleet.Error{Code: fleet.CodeDiskFull, Message: "the content of " + repo.Name + " could not be indexed", Hint: "make room on the disk of " + x.cfg.Dir, Err: err}
	}
	var known *fleet.Error
	if errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("index %s: %w", repo.Name, err)
	}
	return &fleet.Error{Code: fleet.CodeInternal, Message: "the content of " + repo.Name + " could not be indexed", Err: err}
}

// with calls f with the shard of the repository's tree, which is made when it is missing and made again when it is
// damaged. f may be called more than once and must forget what it had.
func (x *Index) with(ctx context.Context, repo fleet.Repository, f func(*shard) error) error {
	path, err := x.path(repo.Tree)
	if err != nil {
		return err
	}
	const tries = 3
	for try := 1; ; try++ {
		s, err := openShard(path)
		if err == nil {
			err = f(s)
			s.close()
			if !errors.Is(err, errCorrupt) {
				return err
			}
		} else if !errors.Is(err, errCorrupt) && !errors.Is(err, fs.ErrNotExist) {
			return x.explain(repo, err)
		}
		if try == tries {
			return x.explain(repo, err)
		}
		if _, err := x.make(ctx, repo, ""); err != nil {
			return err
		}
	}
}

// Match looks at the components of one repository. The hits are those of Place.Paths, in their order.
func (x *Index) Match(ctx context.Context, p Place, q *Query) ([]Hit, error) {
	if q.Empty() || p.Repository.Tree == "" {
		hits := make([]Hit, len(p.Paths))
		for i, dir := range p.Paths {
			hits[i] = Hit{Path: cleanDir(dir), Matched: q.Empty()}
		}
		return hits, nil
	}
	var hits []Hit
	err := x.with(ctx, p.Repository, func(s *shard) error {
		hits = make([]Hit, 0, len(p.Paths))
		r := newSearch(ctx, s, q, p)
		for _, dir := range p.Paths {
			hit, err := r.component(dir)
			if err != nil {
				return err
			}
			hits = append(hits, hit)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return hits, nil
}

// Select looks at the places as they come, several at a time, and hands each one's hits, or its error, to each:
// one after another, in no particular order. It ends with the places, or with the first error that each returns, or with ctx.
func (x *Index) Select(ctx context.Context, q *Query, places iter.Seq[Place], each func(Place, []Hit, error) error) error {
	g, ctx := errgroup.WithContext(ctx)
	todo := make(chan Place, x.cfg.Parallel)
	g.Go(func() error {
		defer close(todo)
		for p := range places {
			select {
			case todo <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	var turn sync.Mutex
	for range x.cfg.Parallel {
		g.Go(func() error {
			for p := range todo {
				hits, err := x.Match(ctx, p, q)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				turn.Lock()
				err = each(p, hits, err)
				turn.Unlock()
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// Collect removes the shards of trees that live does not name, and what killed processes left, when older than age.
// A shard that turns out to be wanted after all is made again, so a wrong guess costs time only.
func (x *Index) Collect(ctx context.Context, live map[string]bool, age time.Duration) (removed int, bytes int64, err error) {
	before := time.Now().Add(-age)
	err = filepath.WalkDir(x.cfg.Dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another process was quicker
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		tree, isShard := strings.CutSuffix(d.Name(), shardSuffix)
		if !d.Type().IsRegular() || !isShard && !strings.HasPrefix(d.Name(), tempPrefix) {
			return nil
		}
		if isShard && live[tree] && filepath.Dir(filepath.Dir(path)) == x.home {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.ModTime().After(before) {
			return nil
		}
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		removed, bytes = removed+1, bytes+info.Size()
		return nil
	})
	return removed, bytes, err
}
