package local

import (
	"context"
	"iter"
	"strconv"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/git"
)

// Follow implements forge.Follower. One that nobody touched costs the reading of a few small files: its own, those of its
// two branches, and that of its checks. No git runs and no lock is taken unless a branch moved.
func (f *Forge) Follow(ctx context.Context, among []forge.PullRef, since time.Time) iter.Seq2[forge.Pull, error] {
	return func(yield func(forge.Pull, error) bool) {
		hosts := map[string]*git.Hosted{}
		for _, ref := range among {
			if ctx.Err() != nil {
				yield(forge.Pull{}, context.Cause(ctx))
				return
			}
			p, changed, err := f.followed(ctx, hosts, ref, since)
			if err != nil {
				p = ref.Unread()
			}
			if (changed || err != nil) && !yield(p, err) {
				return
			}
		}
	}
}

func (f *Forge) followed(ctx context.Context, hosts map[string]*git.Hosted, ref forge.PullRef, since time.Time) (p forge.Pull, changed bool, err error) {
	s, err := f.shelf(ref.Repo)
	if err != nil {
		return p, false, err
	}
	rec, err := s.read(ref.Number)
	if err != nil {
		return p, false, err
	}
	if rec == nil {
		return p, false, forge.NotFound(ref.Repo, "#"+strconv.Itoa(ref.Number))
	}
	if rec.State != forge.StateOpen {
		return rec.Pull, !rec.UpdatedAt.Before(since), nil
	}
	still, err := f.still(ctx, hosts, ref.Repo, rec)
	if err != nil {
		return p, false, err
	}
	if !still {
		p, err = f.Get(ctx, ref.Repo, ref.Number)
		return p, true, err
	}
	p, at, err := s.show(rec)
	return p, !at.Before(since), err
}

// still says whether the branches stand where they stood when the pull request was last brought up to date.
func (f *Forge) still(ctx context.Context, hosts map[string]*git.Hosted, repo fleet.Repository, rec *record) (bool, error) {
	host := hosts[repo.URL]
	if host == nil {
		var err error
		if host, err = f.hosted(repo.Name, repo.URL); err != nil {
			return false, err
		}
		hosts[repo.URL] = host
	}
	head, err := host.Branch(ctx, rec.HeadBranch)
	if err != nil {
		return false, err
	}
	base, err := host.Branch(ctx, rec.BaseBranch)
	return rec.Landing == nil && head == rec.HeadSHA && base == rec.BaseSeen && rec.Compared == pairOf(base, head), err
}

// show is a pull request as others see it, with what its checks come to, and when any of it last changed.
func (s *shelf) show(rec *record) (forge.Pull, time.Time, error) {
	p, at := rec.Pull, rec.UpdatedAt
	if p.State != forge.StateOpen {
		return p, at, nil
	}
	list, err := s.checks(p.HeadSHA)
	p.CI = forge.Sum(plain(list))
	for _, c := range list {
		if c.At.After(at) {
			at = c.At
		}
	}
	return p, at, err
}

func pairOf(base, head string) string { return base + " " + head }
