package fake

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/dice"
	"gaggle/internal/git"
)

// Forge keeps pull requests in memory, over repositories whose clone URL is a path on this machine.
type Forge struct {
	git  *git.Store
	dice *dice.Dice[outcome]
	now  func() time.Time

	mu    sync.Mutex
	repos map[string][]*pull // by repository name; number n stands at n-1
}

type pull struct {
	forge.Pull
	url      string
	before   forge.Pull // as it was before the last change, for stale answers
	comments []forge.Comment
	seen     string // head and base when the head was last seen not to be in the base
}

var (
	_ forge.Forge     = (*Forge)(nil)
	_ forge.Lister    = (*Forge)(nil)
	_ forge.Commenter = (*Forge)(nil)
)

// New makes an empty forge.
func New(store *git.Store, seed uint64, faults Faults) *Forge {
	return &Forge{git: store, now: time.Now, repos: map[string][]*pull{}, dice: newDice(seed, faults)}
}

// Calls is how often the forge was called, for tests that count what a run costs.
func (f *Forge) Calls() int { return f.dice.Rolls() }

// call runs one method under the lock, with whatever fault the dice say.
func (f *Forge) call(ctx context.Context, name string, do func(stale bool) error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	o := f.dice.Roll(name)
	if err := o.before(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := do(o == stale); err != nil {
		return err
	}
	return o.after()
}

// Open implements forge.Forge.
func (f *Forge) Open(ctx context.Context, spec forge.PullSpec) (out forge.Pull, err error) {
	if spec.BaseBranch == "" {
		spec.BaseBranch = spec.Repo.DefaultBranch
	}
	err = f.call(ctx, "open "+spec.Repo.Name+" "+spec.HeadBranch, func(bool) error {
		if strings.TrimSpace(spec.Title) == "" || spec.HeadBranch == spec.BaseBranch {
			return fleet.Errorf(fleet.CodeInvalid, "a pull request needs a title, a head branch and another base branch")
		}
		host, head, base, err := f.branches(ctx, spec.Repo.URL, spec.HeadBranch, spec.BaseBranch)
		if err != nil {
			return err
		}
		if head == "" || base == "" {
			return fleet.Errorf(fleet.CodeNotFound, "repository %s lacks branch %s or %s", spec.Repo.Name, spec.HeadBranch, spec.BaseBranch)
		}
		for _, p := range f.repos[spec.Repo.Name] {
			if p.HeadBranch != spec.HeadBranch {
				continue
			}
			if err := f.look(ctx, p); err != nil {
				return err
			}
			if p.State == forge.StateOpen {
				p.change(f, func() {
					p.Title, p.Body, p.BaseBranch = spec.Title, spec.Body, spec.BaseBranch
					p.Labels, p.Reviewers = add(p.Labels, spec.Labels), add(p.Reviewers, spec.Reviewers)
				})
				out = p.copy()
				return nil
			}
		}
		if in, err := host.Contains(ctx, base, head); err != nil || in {
			if err == nil {
				err = fleet.Errorf(fleet.CodeForge, "there is nothing between %s and %s", spec.BaseBranch, spec.HeadBranch)
			}
			return err
		}
		number := len(f.repos[spec.Repo.Name]) + 1
		now := f.now().UTC()
		p := &pull{url: spec.Repo.URL, Pull: forge.Pull{
			Repository: spec.Repo.Name, Number: number, URL: "fake://" + spec.Repo.Name + "/" + strconv.Itoa(number), Title: spec.Title, Body: spec.Body,
			Labels: add(nil, spec.Labels), Reviewers: add(nil, spec.Reviewers), State: forge.StateOpen, Draft: spec.Draft, Author: "fake",
			HeadBranch: spec.HeadBranch, HeadSHA: head, BaseBranch: spec.BaseBranch, CreatedAt: now, UpdatedAt: now,
		}}
		p.before = p.Pull
		f.repos[spec.Repo.Name] = append(f.repos[spec.Repo.Name], p)
		out = p.copy()
		return nil
	})
	if err != nil {
		out = forge.Pull{} // a caller that lost the answer did not see the number
	}
	return out, err
}

// Find implements forge.Forge.
func (f *Forge) Find(ctx context.Context, repo fleet.Repository, branch string) (out forge.Pull, err error) {
	err = f.call(ctx, "find "+repo.Name+" "+branch, func(stale bool) error {
		for _, p := range slices.Backward(f.repos[repo.Name]) {
			if p.HeadBranch == branch {
				return f.show(ctx, p, stale, &out)
			}
		}
		return forge.NotFound(repo, "with head "+branch)
	})
	return out, err
}

// Get implements forge.Forge.
func (f *Forge) Get(ctx context.Context, repo fleet.Repository, number int) (out forge.Pull, err error) {
	err = f.on(ctx, "get", repo, number, func(p *pull, stale bool) error { return f.show(ctx, p, stale, &out) })
	return out, err
}

// Close implements forge.Forge.
func (f *Forge) Close(ctx context.Context, repo fleet.Repository, number int, comment string) error {
	return f.on(ctx, "close", repo, number, func(p *pull, _ bool) error {
		if err := f.look(ctx, p); err != nil || p.State != forge.StateOpen {
			return err
		}
		p.change(f, func() { p.State = forge.StateClosed })
		if comment != "" {
			p.comments = append(p.comments, forge.Comment{Author: "fake", Body: comment, CreatedAt: p.UpdatedAt})
		}
		return nil
	})
}

// Merge implements forge.Forge.
func (f *Forge) Merge(ctx context.Context, repo fleet.Repository, number int, spec forge.MergeSpec) error {
	if spec.Method == "" {
		spec.Method = forge.MethodMerge
	}
	return f.on(ctx, "merge", repo, number, func(p *pull, _ bool) error {
		if err := f.look(ctx, p); err != nil {
			return err
		}
		switch {
		case p.State == forge.StateMerged:
			return nil
		case p.State == forge.StateClosed, spec.ExpectHead != "" && spec.ExpectHead != p.HeadSHA:
			return fleet.Errorf(fleet.CodeConflict, "pull request #%d is closed, or its head moved", number)
		case p.Draft:
			return fleet.Errorf(fleet.CodeForge, "pull request #%d is a draft", number)
		}
		host, err := f.git.Hosted(path(p.url))
		if err != nil {
			return err
		}
		m, err := host.PrepareMerge(ctx, git.MergeSpec{Method: git.MergeMethod(spec.Method), Base: p.BaseBranch, Head: p.HeadSHA, Message: p.Title, Author: git.Identity{Name: "fake", Email: "fake@localhost"}, Date: f.now()})
		if err != nil {
			return err
		}
		if err := host.Land(ctx, m); err != nil {
			return err
		}
		p.change(f, func() { p.State, p.MergeSHA = forge.StateMerged, m.To })
		return nil
	})
}

// AddComment implements forge.Commenter.
func (f *Forge) AddComment(ctx context.Context, repo fleet.Repository, number int, body string) error {
	return f.on(ctx, "comment", repo, number, func(p *pull, _ bool) error {
		p.comments = append(p.comments, forge.Comment{Author: "fake", Body: body, CreatedAt: f.now().UTC()})
		return nil
	})
}

// Comments implements forge.Commenter.
func (f *Forge) Comments(ctx context.Context, repo fleet.Repository, number int) (list []forge.Comment, err error) {
	err = f.on(ctx, "comments", repo, number, func(p *pull, _ bool) error {
		list = slices.Clone(p.comments)
		return nil
	})
	return list, err
}

// List implements forge.Lister. It may fail halfway, as a host's second page does.
func (f *Forge) List(ctx context.Context, repo *fleet.Repository, states ...forge.State) iter.Seq2[forge.Pull, error] {
	return func(yield func(forge.Pull, error) bool) {
		f.mu.Lock()
		var all []*pull
		for name, pulls := range f.repos {
			if repo == nil || repo.Name == name {
				all = append(all, pulls...)
			}
		}
		f.mu.Unlock()
		slices.SortFunc(all, func(a, b *pull) int {
			if c := strings.Compare(a.Repository, b.Repository); c != 0 {
				return c
			}
			return b.Number - a.Number
		})
		const page = 10
		for i, p := range all {
			var out forge.Pull
			show := func(bool) error { return f.show(ctx, p, false, &out) }
			var err error
			if i%page == 0 {
				err = f.call(ctx, "list "+strconv.Itoa(i/page), show)
			} else {
				f.mu.Lock()
				err = show(false)
				f.mu.Unlock()
			}
			if err != nil {
				yield(forge.Pull{}, err)
				return
			}
			if (len(states) == 0 || slices.Contains(states, out.State)) && !yield(out, nil) {
				return
			}
		}
	}
}

func (f *Forge) on(ctx context.Context, verb string, repo fleet.Repository, number int, do func(p *pull, stale bool) error) error {
	return f.call(ctx, verb+" "+repo.Name+" "+strconv.Itoa(number), func(stale bool) error {
		pulls := f.repos[repo.Name]
		if number < 1 || number > len(pulls) {
			return forge.NotFound(repo, "#"+strconv.Itoa(number))
		}
		return do(pulls[number-1], stale)
	})
}

func (f *Forge) show(ctx context.Context, p *pull, stale bool, out *forge.Pull) error {
	if err := f.look(ctx, p); err != nil {
		return err
	}
	if *out = p.copy(); stale {
		*out = p.before
	}
	return nil
}

// look brings an open pull request up to what its branches say.
func (f *Forge) look(ctx context.Context, p *pull) error {
	if p.State != forge.StateOpen {
		return nil
	}
	host, head, base, err := f.branches(ctx, p.url, p.HeadBranch, p.BaseBranch)
	if err != nil {
		return err
	}
	if head == "" {
		p.change(f, func() { p.State = forge.StateClosed })
		return nil
	}
	if head != p.HeadSHA {
		p.change(f, func() { p.HeadSHA = head })
	}
	if base == "" || p.seen == head+base {
		return nil
	}
	p.seen = head + base
	in, err := host.Contains(ctx, base, head)
	if in {
		p.change(f, func() { p.State, p.MergeSHA = forge.StateMerged, base })
	}
	return err
}

func (f *Forge) branches(ctx context.Context, url, headBranch, baseBranch string) (host *git.Hosted, head, base string, err error) {
	if host, err = f.git.Hosted(path(url)); err != nil {
		return nil, "", "", err
	}
	if head, err = host.Branch(ctx, headBranch); err == nil {
		base, err = host.Branch(ctx, baseBranch)
	}
	return host, head, base, err
}

func (p *pull) change(f *Forge, do func()) {
	p.before = p.copy()
	do()
	p.UpdatedAt = f.now().UTC()
}

func (p *pull) copy() forge.Pull {
	c := p.Pull
	c.Labels, c.Reviewers = slices.Clone(c.Labels), slices.Clone(c.Reviewers)
	return c
}

func path(url string) string {
	remote, err := git.ParseRemote(url)
	if err != nil || remote.Path == "" {
		return "/nonexistent" // the fake serves local paths only, which Hosted then says
	}
	return remote.Path
}

func add(have, more []string) []string {
	out := slices.Clone(have)
	for _, m := range more {
		if m != "" && !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

func containsFake(err error) bool { return strings.Contains(err.Error(), "the fake forge") }
