package catalog

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"gaggle/internal/fleet"
)

// Outcome is what came of looking at a repository.
type Outcome string

// The outcomes of a sync.
const (
	Read      Outcome = "read"      // the result replaces whatever was known of the repository
	Unchanged Outcome = "unchanged" // what is known stays; only Repository is news
	Empty     Outcome = "empty"     // there is no commit yet: nothing but the repository and its problem is known
	Gone      Outcome = "gone"      // it is not there any more: its components are to be forgotten
	Failed    Outcome = "failed"    // it could not be read this time: what is known stays, its problems are news
)

// Result is what a sync says of one repository.
type Result struct {
	Outcome    Outcome
	Repository fleet.Repository // with head, tree and time when it could be reached, otherwise as it was known; OptOut is left to the reader of Settings
	Previous   string           // the tree that was known before; "" for none
	Components []fleet.Component
	Entities   []fleet.Entity
	Problems   []fleet.Problem
	Settings   *Settings // nil without a .gaggle.yaml
	Memo       []byte    // to be stored beside the repository and handed back as Known.Memo; only this package reads it
}

// Known is what an earlier sync said of a repository. Without the memo it is read again.
type Known struct {
	Repository fleet.Repository
	Memo       []byte
}

// Options are the dependencies and settings of a sync.
type Options struct {
	Mirrors Mirrors
	// Known returns what is known of a repository, and whether anything is. Defaults to nothing being known. It is called by
	// one goroutine at a time.
	Known func(name string) (Known, bool)
	// MaxAge is how old the last look at a remote may be for it not to be asked again. Defaults to 0: always ask.
	MaxAge time.Duration
	// Parallel is how many repositories are read at the same time. Defaults to 8; most of it is waiting for remotes.
	Parallel int
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Summary counts a sync.
type Summary struct {
	Repositories int             `json:"repositories"`
	Outcomes     map[Outcome]int `json:"outcomes"`
	Components   int             `json:"components"` // of the repositories that were read
	Problems     int             `json:"problems"`
}

// Sync looks at every repository and hands each one's result to each: one after another, in the order of names, as soon
// as it is there. It keeps no results, only the references that are taken.
//
// A reference belongs to the first repository by name that describes it; a component that was inferred gives way to
// one that is described. So what one repository says may change what holds for another that was handed out before:
// that one is handed out again, and its later result replaces the earlier one. When a reference moves from one
// repository to another, the new owner may be handed out before the old one: the last result that holds it is right.
//
// It ends with the first error of each, or with ctx. What is wrong with a repository is among its problems.
func Sync(ctx context.Context, repos []fleet.Repository, o Options, each func(Result) error) (Summary, error) {
	o.Parallel = cmp.Or(max(0, o.Parallel), 8)
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &syncer{options: o, each: each, claims: map[string]*claim{}, aside: map[string][]*look{}, summary: Summary{Repositories: len(repos), Outcomes: map[Outcome]int{}}}
	repos = slices.SortedFunc(slices.Values(repos), func(a, b fleet.Repository) int { return cmp.Compare(a.Name, b.Name) })
	looks := make([]*look, len(repos))
	for i, repo := range repos {
		looks[i] = &look{repo: repo}
		if o.Known == nil {
			continue
		}
		if k, ok := o.Known(repo.Name); ok {
			looks[i].known, looks[i].memo = k.Repository, readMemo(k)
		}
	}
	err := s.run(ctx, looks)
	return s.summary, err
}

type syncer struct {
	options Options
	each    func(Result) error
	claims  map[string]*claim  // by reference
	aside   map[string][]*look // by the reference that their inferred components gave way with
	summary Summary
}

// claim says who has a reference.
type claim struct {
	by       *look
	inferred bool
}

// look is one repository on its way through a sync.
type look struct {
	repo    fleet.Repository
	known   fleet.Repository
	memo    *memo
	reading *reading // dropped once it is handed out
	err     error
	same    bool  // the tree is the one that the memo is about
	counted count // what the summary has of it
}

// memo is what has to be remembered of a repository to know that reading it again would say the same.
type memo struct {
	Rules    int      `json:"rules"` // rulesVersion
	URL      string   `json:"url"`
	Branch   string   `json:"branch"`
	Tree     string   `json:"tree"`
	Held     []string `json:"held"`               // references that it has
	Lost     []string `json:"lost,omitempty"`     // references that it describes and another one has
	Inferred string   `json:"inferred,omitempty"` // the one of Held that was inferred
	Aside    string   `json:"aside,omitempty"`    // the reference that an inferred component gave way with
}

// rulesVersion changes whenever the same tree would be read differently, so that everything is read again.
const rulesVersion = 2

func readMemo(k Known) *memo {
	var m memo
	if len(k.Memo) == 0 || json.Unmarshal(k.Memo, &m) != nil || m.Rules != rulesVersion || m.Tree != k.Repository.Tree {
		return nil
	}
	return &m
}

func (s *syncer) run(ctx context.Context, looks []*look) error {
	g, ctx := errgroup.WithContext(ctx)
	// The window bounds how far the readers run ahead of a slow repository, and so the memory of results that wait for it.
	window := make(chan chan *look, 8*s.options.Parallel)
	g.Go(func() error {
		defer close(window)
		var readers errgroup.Group
		readers.SetLimit(s.options.Parallel)
		defer readers.Wait() // none of them fails, and none outlives the sync
		for _, l := range looks {
			done := make(chan *look, 1)
			select {
			case window <- done:
			case <-ctx.Done():
				return ctx.Err()
			}
			readers.Go(func() error {
				s.look(ctx, l)
				done <- l
				return nil
			})
		}
		return nil
	})
	g.Go(func() error {
		for done := range window {
			select {
			case l := <-done:
				if err := s.settle(ctx, l); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return s.takeBack(ctx)
	})
	return g.Wait()
}

// look reads a repository, unless its tree is the one that is known.
func (s *syncer) look(ctx context.Context, l *look) {
	head, err := s.options.Mirrors.Refresh(ctx, l.repo, s.options.MaxAge)
	if err != nil {
		l.err = err
		return
	}
	l.repo.DefaultBranch, l.repo.Head, l.repo.Tree, l.repo.SyncedAt = head.Branch, head.Commit, head.Tree, s.options.Now().UTC()
	if m := l.memo; m != nil && m.Tree == head.Tree && m.URL == l.repo.URL && m.Branch == head.Branch {
		l.same = true
		return
	}
	s.read(ctx, l)
}

func (s *syncer) read(ctx context.Context, l *look) {
	l.same = false
	l.reading, l.err = read(ctx, s.options.Mirrors, l.repo)
}

// settle holds what a repository says against the others and hands it out.
func (s *syncer) settle(ctx context.Context, l *look) error {
	if l.same && !s.stillHolds(l) {
		s.read(ctx, l)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	switch {
	case l.err != nil:
		return s.failed(l)
	case l.same:
		for _, ref := range l.memo.Held {
			s.claims[ref] = &claim{l, ref == l.memo.Inferred}
		}
		if ref := l.memo.Aside; ref != "" {
			s.aside[ref] = append(s.aside[ref], l)
		}
		return s.hand(l, Result{Outcome: Unchanged, Repository: l.repo})
	}
	return s.claim(ctx, l, false)
}

// stillHolds reports whether a repository that is as it was has the references that it had, and no other. Whether an
// inferred component still has to stand aside is seen when all are there, by takeBack.
func (s *syncer) stillHolds(l *look) bool {
	for _, ref := range l.memo.Held {
		if s.claims[ref] != nil {
			return false
		}
	}
	for _, ref := range l.memo.Lost {
		if c := s.claims[ref]; c == nil || c.inferred {
			return false
		}
	}
	return true
}

func (s *syncer) failed(l *look) error {
	r := Result{Outcome: Failed, Repository: l.repo}
	p := &problems{repository: l.repo.Name}
	code := fleet.CodeOf(l.err)
	switch code {
	case fleet.CodeRepoGone:
		r.Outcome = Gone
	case fleet.CodeRepoEmpty:
		r.Outcome = Empty
	}
	p.add(string(code), place{}, fleet.HintOf(l.err), "%s", l.err.Error())
	r.Problems = p.done()
	if r.Outcome == Failed {
		if r.Repository = l.known; l.known.Name == "" {
			r.Repository = l.repo
			r.Repository.DefaultBranch, r.Repository.Head, r.Repository.Tree = "", "", ""
		}
		if l.memo != nil { // it keeps what it has
			for _, ref := range l.memo.Held {
				if s.claims[ref] == nil {
					s.claims[ref] = &claim{l, ref == l.memo.Inferred}
				}
			}
		}
	} else {
		r.Repository.DefaultBranch, r.Repository.Head, r.Repository.Tree = "", "", ""
		r.Repository.SyncedAt = s.options.Now().UTC()
	}
	return s.hand(l, r)
}

// claim gives a repository the references that are free, and hands it out. aside makes an inferred component give way
// even to a name that is still free.
func (s *syncer) claim(ctx context.Context, l *look, aside bool) error {
	rd := l.reading
	l.reading = nil
	p := &problems{repository: l.repo.Name, list: rd.problems}
	r := Result{Outcome: Read, Repository: l.repo, Settings: rd.settings}
	m := memo{Rules: rulesVersion, URL: l.repo.URL, Branch: l.repo.DefaultBranch, Tree: l.repo.Tree}
	var displaced []*look
	for _, d := range rd.described {
		ref := d.ref()
		isInferred := d.component != nil && d.component.Inferred
		c := s.claims[ref]
		if isInferred {
			if aside || c != nil || l.memo != nil && l.memo.Aside == ref || len(s.aside[ref]) > 0 {
				m.Aside = ref
				setAside(d.component)
				s.aside[ref] = append(s.aside[ref], l)
				ref = d.ref()
				c = s.claims[ref]
			}
			m.Inferred = ref
		}
		if c != nil && !(c.inferred && c.by != l) {
			owner := "this repository"
			if c.by != l {
				owner = "repository " + c.by.repo.Name
				m.Lost = append(m.Lost, ref)
			}
			p.add(ProblemDuplicate, d.at, "references are unique in the fleet: rename one of the two", "%s is described in %s already", ref, owner)
			continue
		}
		if c != nil {
			displaced = append(displaced, c.by)
		}
		s.claims[ref] = &claim{l, isInferred}
		m.Held = append(m.Held, ref)
		if d.component != nil {
			r.Components = append(r.Components, *d.component)
		} else {
			r.Entities = append(r.Entities, *d.entity)
		}
	}
	r.Problems = p.done()
	r.Memo, _ = json.Marshal(m) // strings and numbers always can be
	l.memo = &m
	if err := s.hand(l, r); err != nil {
		return err
	}
	for _, d := range displaced {
		if err := s.again(ctx, d, true); err != nil {
			return err
		}
	}
	return nil
}

// again reads a repository a second time, because a reference that it has, or gave way with, changed hands.
func (s *syncer) again(ctx context.Context, l *look, aside bool) error {
	for ref, c := range s.claims {
		if c.by == l {
			delete(s.claims, ref)
		}
	}
	s.read(ctx, l)
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.err != nil {
		return s.failed(l)
	}
	return s.claim(ctx, l, aside)
}

// takeBack gives names that inferred components gave way with in vain to the first of them by name.
func (s *syncer) takeBack(ctx context.Context) error {
	aside := s.aside
	s.aside = map[string][]*look{}
	for _, ref := range slices.Sorted(maps.Keys(aside)) {
		if s.claims[ref] != nil {
			continue
		}
		l := slices.MinFunc(aside[ref], func(a, b *look) int { return cmp.Compare(a.repo.Name, b.repo.Name) })
		l.memo = nil
		if err := s.again(ctx, l, false); err != nil {
			return err
		}
	}
	return nil
}

func (s *syncer) hand(l *look, r Result) error {
	r.Previous = l.known.Tree
	if l.counted.outcome != "" { // handed out before
		s.summary.add(l.counted, -1)
	}
	l.counted = count{r.Outcome, len(r.Components), len(r.Problems)}
	s.summary.add(l.counted, 1)
	return s.each(r)
}

type count struct {
	outcome              Outcome
	components, problems int
}

func (s *Summary) add(c count, times int) {
	s.Outcomes[c.outcome] += times
	s.Components += times * c.components
	s.Problems += times * c.problems
}
