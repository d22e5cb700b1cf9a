package local

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/git"
)

// Config says where the forge lives.
type Config struct {
	Dir    string           // folder of the pull requests and of the copies; made when needed
	Git    *git.Store       // starts git
	Author git.Identity     // of pull requests and merges; defaults to Gaggle
	Now    func() time.Time // defaults to time.Now
}

// Forge is the embedded forge. Any number of goroutines and processes may use one folder at once.
type Forge struct{ cfg Config }

var (
	_ forge.Forge         = (*Forge)(nil)
	_ forge.Lister        = (*Forge)(nil)
	_ forge.Commenter     = (*Forge)(nil)
	_ forge.PushTarget    = (*Forge)(nil)
	_ forge.BranchDeleter = (*Forge)(nil)
	_ forge.Follower      = (*Forge)(nil)
	_ forge.Checks        = (*Forge)(nil)
	_ forge.Rerunner      = (*Forge)(nil)
	_ forge.Reviews       = (*Forge)(nil)
)

// New returns the forge in a folder. It touches nothing yet.
func New(cfg Config) (*Forge, error) {
	if cfg.Dir == "" || cfg.Git == nil {
		return nil, fleet.Errorf(fleet.CodeInternal, "the local forge needs a folder and git")
	}
	if cfg.Author.Name == "" {
		cfg.Author = git.Identity{Name: "Gaggle", Email: "gaggle@localhost"}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Forge{cfg}, nil
}

// copyPath is where the copy of a repository lies whose clone URL is not on this machine; "" for one that is.
func (f *Forge) copyPath(name, url string) (string, error) {
	remote, err := git.ParseRemote(url)
	if err != nil || remote.Path != "" {
		return "", err
	}
	return filepath.Join(f.cfg.Dir, "repos", git.Escape(name)+".git"), nil
}

// hosted opens the repository that holds the branches.
func (f *Forge) hosted(name, url string) (*git.Hosted, error) {
	path, err := f.copyPath(name, url)
	if err != nil {
		return nil, err
	}
	if path == "" {
		remote, err := git.ParseRemote(url)
		if err != nil {
			return nil, err
		}
		path = remote.Path
	}
	return f.cfg.Git.Hosted(path)
}

// PushURL is the repository's own path, or that of its copy, which is made or brought up to date.
func (f *Forge) PushURL(ctx context.Context, repo fleet.Repository) (string, error) {
	path, err := f.copyPath(repo.Name, repo.URL)
	if err != nil || path == "" {
		return repo.URL, err
	}
	s, err := f.shelf(repo)
	if err != nil {
		return "", err
	}
	ctx, unlock, err := s.lock(ctx, true)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := f.cfg.Git.MakeHosted(ctx, repo, path); err != nil {
		return "", err
	}
	return path, nil
}

// Open implements forge.Forge.
func (f *Forge) Open(ctx context.Context, spec forge.PullSpec) (forge.Pull, error) {
	spec.BaseBranch = orString(spec.BaseBranch, spec.Repo.DefaultBranch)
	spec.Title = strings.Join(strings.Fields(spec.Title), " ")
	if spec.Title == "" || !git.ValidBranch(spec.HeadBranch) || !git.ValidBranch(spec.BaseBranch) || spec.HeadBranch == spec.BaseBranch {
		return forge.Pull{}, fleet.Errorf(fleet.CodeInvalid, "a pull request needs a title, a head branch and another base branch")
	}
	s, err := f.shelf(spec.Repo)
	if err != nil {
		return forge.Pull{}, err
	}
	host, err := f.hosted(spec.Repo.Name, spec.Repo.URL)
	if err != nil {
		return forge.Pull{}, err
	}
	ctx, unlock, err := s.lock(ctx, true)
	if err != nil {
		return forge.Pull{}, err
	}
	defer unlock()
	head, err := host.Branch(ctx, spec.HeadBranch)
	if err != nil {
		return forge.Pull{}, err
	}
	if head == "" {
		return forge.Pull{}, fleet.Errorf(fleet.CodeNotFound, "repository %s has no branch %s", spec.Repo.Name, spec.HeadBranch)
	}
	earlier, err := s.withHead(spec.HeadBranch)
	if err != nil {
		return forge.Pull{}, err
	}
	for _, rec := range earlier {
		if rec.State != forge.StateOpen {
			continue
		}
		if err := f.observe(ctx, s, host, rec); err != nil {
			return forge.Pull{}, err
		}
		if rec.State == forge.StateOpen {
			err := f.update(s, rec, spec)
			return rec.Pull, err
		}
	}
	return f.create(ctx, s, host, spec, head, earlier)
}

func (f *Forge) create(ctx context.Context, s *shelf, host *git.Hosted, spec forge.PullSpec, head string, earlier []*record) (forge.Pull, error) {
	base, err := host.Branch(ctx, spec.BaseBranch)
	if err != nil {
		return forge.Pull{}, err
	}
	if base == "" {
		return forge.Pull{}, fleet.Errorf(fleet.CodeNotFound, "repository %s has no branch %s", spec.Repo.Name, spec.BaseBranch)
	}
	if in, err := host.Contains(ctx, base, head); err != nil {
		return forge.Pull{}, err
	} else if in {
		return forge.Pull{}, fleet.Errorf(fleet.CodeForge, "branch %s has no commit that %s lacks", spec.HeadBranch, spec.BaseBranch)
	}
	remote, err := git.ParseRemote(spec.Repo.URL)
	if err != nil {
		return forge.Pull{}, err
	}
	now := f.cfg.Now().UTC()
	rec := &record{RepoURL: remote.URL, BaseSeen: base, Pull: forge.Pull{
		Repository: spec.Repo.Name, Title: spec.Title, Body: spec.Body, State: forge.StateOpen, Draft: spec.Draft,
		Labels: union(nil, spec.Labels), Reviewers: union(nil, spec.Reviewers), Author: f.cfg.Author.Name,
		HeadBranch: spec.HeadBranch, HeadSHA: head, BaseBranch: spec.BaseBranch, CreatedAt: now, UpdatedAt: now,
	}}
	if err := s.add(rec, earlier); err != nil {
		return forge.Pull{}, err
	}
	return rec.Pull, nil
}

// update brings an open pull request up to the spec, and writes only when something differs.
func (f *Forge) update(s *shelf, rec *record, spec forge.PullSpec) error {
	labels, reviewers := union(rec.Labels, spec.Labels), union(rec.Reviewers, spec.Reviewers)
	if rec.Title == spec.Title && rec.Body == spec.Body && rec.BaseBranch == spec.BaseBranch && len(labels) == len(rec.Labels) && len(reviewers) == len(rec.Reviewers) {
		return nil
	}
	if rec.BaseBranch != spec.BaseBranch {
		rec.BaseSeen = ""
	}
	rec.Title, rec.Body, rec.BaseBranch, rec.Labels, rec.Reviewers = spec.Title, spec.Body, spec.BaseBranch, labels, reviewers
	rec.UpdatedAt = f.cfg.Now().UTC()
	return s.write(rec)
}

// observe brings an open pull request up to what the branches say, as a host does when somebody pushes: a head that
// moved, a head that came into the base by another way, a head branch that was deleted, a merge that was killed.
func (f *Forge) observe(ctx context.Context, s *shelf, host *git.Hosted, rec *record) error {
	if rec.State != forge.StateOpen {
		return nil
	}
	head, err := host.Branch(ctx, rec.HeadBranch)
	if err != nil {
		return err
	}
	base, err := host.Branch(ctx, rec.BaseBranch)
	if err != nil {
		return err
	}
	before := *rec
	if head != "" {
		rec.HeadSHA = head
	}
	landed := false
	if base != "" && (base != rec.BaseSeen || rec.HeadSHA != before.HeadSHA || rec.Landing != nil) {
		if rec.Landing != nil {
			if landed, err = host.Contains(ctx, base, rec.Landing.To); err != nil {
				return err
			}
			if landed {
				rec.MergeSHA = rec.Landing.To
			}
		}
		if !landed {
			if landed, err = host.Contains(ctx, base, rec.HeadSHA); err != nil {
				return err
			}
			if landed {
				rec.MergeSHA = base
			}
		}
		rec.Landing, rec.BaseSeen = nil, base
	}
	switch pair := pairOf(base, rec.HeadSHA); {
	case landed:
		rec.State, rec.Conflicts = forge.StateMerged, false
	case head == "":
		rec.State, rec.Conflicts = forge.StateClosed, false
	case base != "" && pair != rec.Compared:
		if rec.Conflicts, err = host.Conflicts(ctx, base, head); err != nil {
			return err
		}
		rec.Compared = pair
	}
	if rec.State == before.State && rec.HeadSHA == before.HeadSHA && rec.BaseSeen == before.BaseSeen && rec.Compared == before.Compared && before.Landing == nil {
		return nil
	}
	if rec.State != before.State || rec.HeadSHA != before.HeadSHA {
		rec.UpdatedAt = f.cfg.Now().UTC()
	}
	return s.write(rec)
}

// with locks the shelf, reads one pull request, brings it up to date and hands it over.
func (f *Forge) with(ctx context.Context, repo fleet.Repository, number int, use func(context.Context, *shelf, *git.Hosted, *record) error) error {
	s, err := f.shelf(repo)
	if err != nil {
		return err
	}
	ctx, unlock, err := s.lock(ctx, false)
	if err != nil {
		return err
	}
	defer unlock()
	rec, err := s.read(number)
	if err != nil {
		return err
	}
	if rec == nil {
		return forge.NotFound(repo, "#"+strconv.Itoa(number))
	}
	host, err := f.hosted(repo.Name, repo.URL)
	if err != nil {
		return err
	}
	if err := f.observe(ctx, s, host, rec); err != nil {
		return err
	}
	return use(ctx, s, host, rec)
}

// Get implements forge.Forge.
func (f *Forge) Get(ctx context.Context, repo fleet.Repository, number int) (pull forge.Pull, err error) {
	err = f.with(ctx, repo, number, func(_ context.Context, s *shelf, _ *git.Hosted, rec *record) (err error) {
		pull, _, err = s.show(rec)
		return err
	})
	return pull, err
}

// Find implements forge.Forge.
func (f *Forge) Find(ctx context.Context, repo fleet.Repository, branch string) (forge.Pull, error) {
	s, err := f.shelf(repo)
	if err != nil {
		return forge.Pull{}, err
	}
	_, unlock, err := s.lock(ctx, false)
	if err != nil {
		return forge.Pull{}, err
	}
	found, err := s.withHead(branch)
	unlock()
	if err != nil {
		return forge.Pull{}, err
	}
	if len(found) == 0 {
		return forge.Pull{}, forge.NotFound(repo, "with head "+branch)
	}
	return f.Get(ctx, repo, found[0].Number)
}

// Close implements forge.Forge.
func (f *Forge) Close(ctx context.Context, repo fleet.Repository, number int, comment string) error {
	return f.with(ctx, repo, number, func(_ context.Context, s *shelf, _ *git.Hosted, rec *record) error {
		if rec.State != forge.StateOpen {
			return nil
		}
		rec.State, rec.Conflicts, rec.UpdatedAt = forge.StateClosed, false, f.cfg.Now().UTC()
		if comment != "" {
			rec.say(f, comment, rec.UpdatedAt)
		}
		return s.write(rec)
	})
}

// Merge implements forge.Forge.
func (f *Forge) Merge(ctx context.Context, repo fleet.Repository, number int, spec forge.MergeSpec) error {
	return f.with(ctx, repo, number, func(ctx context.Context, s *shelf, host *git.Hosted, rec *record) error {
		switch {
		case rec.State == forge.StateMerged:
			return nil
		case rec.State == forge.StateClosed:
			return fleet.Errorf(fleet.CodeConflict, "pull request #%d is closed", number)
		case spec.ExpectHead != "" && spec.ExpectHead != rec.HeadSHA:
			return fleet.Errorf(fleet.CodeConflict, "the head of pull request #%d moved", number)
		case rec.Draft:
			return fleet.Errorf(fleet.CodeForge, "pull request #%d is a draft", number)
		}
		now := f.cfg.Now().UTC()
		m, err := host.PrepareMerge(ctx, git.MergeSpec{
			Method: git.MergeMethod(orString(string(spec.Method), string(forge.MethodMerge))), Base: rec.BaseBranch, Head: rec.HeadSHA,
			Message: mergeMessage(rec, spec.Method), Author: f.cfg.Author, Date: now,
		})
		if err != nil {
			return err
		}
		rec.Landing = &m
		if err := s.write(rec); err != nil {
			return err
		}
		if err := host.Land(ctx, m); err != nil {
			return err
		}
		rec.State, rec.MergeSHA, rec.UpdatedAt, rec.Landing = forge.StateMerged, m.To, now, nil
		return s.write(rec)
	})
}

func mergeMessage(rec *record, method forge.Method) string {
	number := "#" + strconv.Itoa(rec.Number)
	if method == forge.MethodSquash {
		return strings.TrimRight(rec.Title+" ("+number+")\n\n"+rec.Body, "\n")
	}
	return "Merge pull request " + number + " from " + rec.HeadBranch + "\n\n" + rec.Title
}

// DeleteBranch implements forge.BranchDeleter.
func (f *Forge) DeleteBranch(ctx context.Context, repo fleet.Repository, branch, expect string) error {
	host, err := f.hosted(repo.Name, repo.URL)
	if err != nil {
		return err
	}
	return host.DeleteBranch(ctx, branch, expect)
}

func orString(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// union adds what is new to a list, in order, without doubles or blanks.
func union(have, more []string) []string {
	out := slices.Clone(have)
	for _, m := range more {
		if m = strings.TrimSpace(m); m != "" && !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}
