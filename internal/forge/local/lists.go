package local

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/git"
)

// List implements forge.Lister.
func (f *Forge) List(ctx context.Context, repo *fleet.Repository, states ...forge.State) iter.Seq2[forge.Pull, error] {
	return func(yield func(forge.Pull, error) bool) {
		shelves, err := f.shelves(repo)
		if err != nil {
			yield(forge.Pull{}, err)
			return
		}
		hosts := map[string]*git.Hosted{}
		for _, s := range shelves {
			numbers, err := s.numbers()
			if err != nil {
				yield(forge.Pull{}, err)
				return
			}
			for _, n := range numbers {
				pull, err := f.listed(ctx, hosts, s, n)
				if ctx.Err() != nil {
					yield(forge.Pull{}, context.Cause(ctx))
					return
				}
				if err == nil && (pull.Number == 0 || len(states) > 0 && !slices.Contains(states, pull.State)) {
					continue
				}
				if !yield(pull, err) {
					return
				}
			}
		}
	}
}

// listed reads one pull request for a list, where a repository that is gone must not hide the others. It returns
// no number for one that was deleted meanwhile.
func (f *Forge) listed(ctx context.Context, hosts map[string]*git.Hosted, s *shelf, number int) (forge.Pull, error) {
	rec, err := s.read(number) // whole files are renamed into place, so no lock is needed to read one
	if err != nil {
		return forge.Pull{Number: number}, err
	}
	if rec == nil {
		return forge.Pull{}, nil
	}
	if rec.State != forge.StateOpen {
		return rec.Pull, nil
	}
	repo := fleet.Repository{Name: rec.Repository, URL: rec.RepoURL}
	if still, err := f.still(ctx, hosts, repo, rec); err == nil && still {
		pull, _, err := s.show(rec)
		return pull, err
	}
	pull, err := f.Get(ctx, repo, number)
	if err != nil {
		return rec.Pull, err
	}
	return pull, nil
}

func (f *Forge) shelves(repo *fleet.Repository) ([]*shelf, error) {
	if repo != nil {
		s, err := f.shelf(*repo)
		return []*shelf{s}, err
	}
	entries, err := os.ReadDir(filepath.Join(f.cfg.Dir, "pulls"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, broken(err, "the pull requests cannot be listed")
	}
	var list []*shelf
	for _, e := range entries {
		if e.IsDir() {
			list = append(list, &shelf{filepath.Join(f.cfg.Dir, "pulls", e.Name())})
		}
	}
	return list, nil
}
