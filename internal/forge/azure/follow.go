package azure

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

const (
	atOnce   = 16              // reads of a pass that are under way at once
	fluxMost = 50              // pull requests in flux whose checks a pass reads
	youth    = 5 * time.Minute // how long a head without any check may still get its first
)

// memory is what the driver has seen of an open pull request beyond what lists tell.
type memory struct {
	head, votes string
	headSeen    time.Time // first
	heard       time.Time // when comments were read
	checked     time.Time // when checks were read
	said        time.Time // the last comment or vote
	ci          forge.CheckState
}

// flux says that a pull request is about to change.
func (m memory) flux(now time.Time) bool {
	return m.ci == forge.CheckPending || m.ci == forge.CheckNone && now.Sub(m.headSeen) < youth
}

func (p *pullRequest) key() string { return p.Repository.ID + "#" + number(p.Number) }

// votes are what the reviewers think, as lists tell it.
func (p *pullRequest) votes() (all string) {
	for _, r := range p.Reviewers {
		all += fmt.Sprintf("%s %d\n", r.ID, r.Vote)
	}
	return all
}

func (f *Forge) remembered(p *pullRequest) memory {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.memories[p.key()]
}

// sight is a pull request in a pass.
type sight struct {
	ref  forge.PullRef
	p    *pullRequest
	ci   forge.CheckState
	err  error
	look part
}

// part is what is looked at closer.
type part int

const (
	talk   part = 1 << iota // comments and votes: a call
	checks                  // two calls
	merge                   // a call: the host finds out about conflicts with a base that moved when somebody asks
)

// Follow implements forge.Follower: a call for each page of the open pull requests that the account made, in each project that
// has one, another for the builds that ended there, and one for each of those followed that is not open any more. Lists tell
// the head, the votes and conflicts of a pull request, and neither its checks nor its comments. Those are read of each that
// has another head or other votes, or that a build ended for; the checks, of those that have some under way; and of the rest,
// the comments of one in 25 and the checks of one in 75, or of fewer where there are many projects. Every open one is given, its body cut at 400 characters; its time is
// that of the last comment or vote that was seen.
func (f *Forge) Follow(ctx context.Context, among []forge.PullRef, since time.Time) iter.Seq2[forge.Pull, error] {
	return func(yield func(forge.Pull, error) bool) {
		seen, projects, err := f.sights(ctx, among)
		if err == nil {
			var due []*sight
			if due, err = f.due(ctx, seen, projects, since); err == nil {
				each(due, func(s *sight) { f.read(ctx, s) })
			}
		}
		if err != nil {
			yield(forge.Pull{}, err)
			return
		}
		for _, s := range seen {
			pull := s.ref.Unread()
			if s.err == nil {
				pull = f.toPull(s.ref.Repo, s.p)
				pull.CI = s.ci
			}
			if !yield(pull, s.err) {
				return
			}
		}
	}
}

// each does something for all, some at once.
func each(all []*sight, do func(*sight)) {
	for some := range slices.Chunk(all, atOnce) {
		var wg sync.WaitGroup
		for _, s := range some {
			wg.Go(func() { do(s) })
		}
		wg.Wait()
	}
}

// sights finds the pull requests of a pass in the lists of their projects, and reads those that no list has.
func (f *Forge) sights(ctx context.Context, among []forge.PullRef) (seen []*sight, projects []string, err error) {
	left := map[string]*sight{}
	for _, ref := range among {
		s := &sight{ref: ref}
		at, err := f.place(ref.Repo)
		key := at.key() + "#" + number(ref.Number)
		switch {
		case err != nil:
			s.err = err
			seen = append(seen, s)
			continue
		case left[key] != nil: // named twice
			continue
		}
		seen, left[key] = append(seen, s), s
		name := at.project
		if id, ok := f.ids(at); ok {
			name = id.project // also when the project is renamed
		}
		if !slices.ContainsFunc(projects, func(p string) bool { return strings.EqualFold(p, name) }) {
			projects = append(projects, name)
		}
	}
	if len(left) == 0 {
		return seen, nil, nil
	}
	me, err := f.me(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, project := range projects {
		for _, creator := range f.followed(project, me.ID) {
			q := url.Values{"searchCriteria.status": {"active"}, "searchCriteria.creatorId": {creator}}
			for p, err := range f.byProject(ctx, project, q) {
				if gone(err) {
					break // each of its pull requests says so
				}
				if err != nil {
					return nil, nil, err
				}
				if key, s := f.among(left, p); s != nil {
					s.p = p
					delete(left, key)
				}
				if len(left) == 0 {
					return seen, projects, nil
				}
			}
		}
	}
	var rest []*sight // closed, made by another account, or gone
	for _, s := range left {
		rest = append(rest, s)
	}
	each(rest, func(s *sight) {
		if s.p, s.err = f.get(ctx, s.ref.Repo, s.ref.Number); s.err == nil && s.p.Status == "active" {
			f.follow(s.p)
		}
	})
	return seen, projects, nil
}

// among finds a listed pull request among those that are followed, also when its repository has a new name.
func (f *Forge) among(left map[string]*sight, p *pullRequest) (key string, s *sight) {
	f.mu.Lock()
	key = f.names[p.Repository.ID] + "#" + number(p.Number)
	f.mu.Unlock()
	if s = left[key]; s != nil {
		return key, s
	}
	at := place{p.Repository.Project.Name, p.Repository.Name}
	key = at.key() + "#" + number(p.Number)
	if s = left[key]; s != nil {
		f.learn(at, p.Repository)
	}
	return key, s
}

// followed are those whose open pull requests are listed in a project: the account's own, and those of accounts it had before.
func (f *Forge) followed(project, me string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []string{me}
	for id := range f.creators[strings.ToLower(project)] {
		if id != me && len(out) < 10 {
			out = append(out, id)
		}
	}
	return out
}

func (f *Forge) follow(p *pullRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, project := range []string{strings.ToLower(p.Repository.Project.Name), strings.ToLower(p.Repository.Project.ID)} {
		if f.creators[project] == nil {
			f.creators[project] = map[string]bool{}
		}
		f.creators[project][p.Author.ID] = true
	}
}

// due picks the pull requests that are looked at closer; of the others it says what is remembered.
func (f *Forge) due(ctx context.Context, seen []*sight, projects []string, since time.Time) (due []*sight, err error) {
	built := map[string]bool{}
	if !since.IsZero() {
		if built, err = f.built(ctx, projects, since); err != nil {
			return nil, err
		}
	}
	type watched struct {
		*sight
		memory
	}
	now := f.now()
	var rest []watched
	f.mu.Lock()
	for _, s := range seen {
		if s.err != nil || s.p.Status != "active" || s.p.SourceCommit.ID == "" {
			continue
		}
		m, known := f.memories[s.p.key()]
		if s.ci = m.ci; m.head != s.p.SourceCommit.ID {
			s.ci = ""
		}
		changed := known && (m.head != s.p.SourceCommit.ID || m.votes != s.p.votes())
		if since.IsZero() || changed || built[s.p.key()] || built[s.p.Repository.ID+" "+s.p.Source] {
			s.look = talk | checks
		} else {
			rest = append(rest, watched{s, m})
		}
	}
	f.mu.Unlock()
	turns := func(last func(memory) time.Time, take func(watched)) {
		slices.SortStableFunc(rest, func(a, b watched) int {
			return cmp.Or(last(a.memory).Compare(last(b.memory)), cmp.Compare(a.p.key(), b.p.key()))
		})
		for _, w := range rest {
			take(w)
		}
	}
	// For those at rest, 79 calls for a thousand, less where the lists of further projects take some, but no less than 20.
	calls := max(len(rest)*20/1000, len(rest)*79/1000-2*(len(projects)-1))
	quiet := max(1, calls/2)
	flux, calm := fluxMost, max(1, (calls-quiet)/3)
	turns(func(m memory) time.Time { return m.checked }, func(w watched) {
		if w.flux(now) && flux > 0 {
			flux--
			w.look |= checks
		} else if !w.flux(now) && calm > 0 {
			calm--
			w.look |= checks | merge
		}
	})
	turns(func(m memory) time.Time { return m.heard }, func(w watched) {
		if quiet > 0 {
			quiet--
			w.look |= talk
		}
	})
	return slices.DeleteFunc(slices.Clone(seen), func(s *sight) bool { return s.look == 0 }), nil
}

// built are the pull requests, and the branches, for which a build ended since a time. A token that may not read builds finds
// out about checks later.
func (f *Forge) built(ctx context.Context, projects []string, since time.Time) (map[string]bool, error) {
	all := map[string]bool{}
	for _, project := range projects {
		var list values[build]
		q := url.Values{"minTime": {since.Add(-time.Minute).UTC().Format(time.RFC3339)}, "queryOrder": {"finishTimeDescending"}, "$top": {"1000"}}
		err := f.call(ctx, http.MethodGet, "/"+url.PathEscape(project)+"/_apis/build/builds", q, nil, &list)
		if err != nil && !refuses(err) {
			return nil, err
		}
		for _, b := range list.Value {
			all[b.Repository.ID+" "+b.Branch] = true
			if n, ok := strings.CutPrefix(b.Branch, "refs/pull/"); ok {
				all[b.Repository.ID+"#"+strings.TrimSuffix(n, "/merge")] = true
			}
		}
	}
	return all, nil
}

// read looks at a pull request closer.
func (f *Forge) read(ctx context.Context, s *sight) {
	head, id := s.p.SourceCommit.ID, s.p.Repository
	var said time.Time
	sum := s.ci
	if s.look&merge != 0 {
		if _, s.err = f.get(ctx, s.ref.Repo, s.ref.Number); s.err != nil {
			return
		}
	}
	if s.look&checks != 0 {
		var list []forge.Check
		if list, s.err = f.checks(ctx, s.ref.Repo, ids{id.Project.ID, id.ID}, s.p.Number, head); s.err != nil {
			return
		}
		sum = forge.Sum(list)
	}
	if s.look&talk != 0 {
		if said, s.err = f.lastSaid(ctx, s.ref.Repo, s.p.Number); s.err != nil {
			return
		}
	}
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.memories[s.p.key()]
	if m.head != head {
		m = memory{head: head, headSeen: now, said: m.said}
	}
	m.votes, s.ci = s.p.votes(), sum
	if s.look&checks != 0 {
		m.ci, m.checked = sum, now
	}
	if s.look&talk != 0 {
		m.said, m.heard = said, now
	}
	if len(f.memories) > 20000 {
		clear(f.memories)
	}
	f.memories[s.p.key()] = m
}

// lastSaid is when somebody last commented or voted.
func (f *Forge) lastSaid(ctx context.Context, repo fleet.Repository, n int) (last time.Time, err error) {
	threads, err := f.threads(ctx, repo, n)
	for _, t := range threads {
		said := t.said()
		if _, _, at, ok := t.vote(); ok {
			said = append(said, comment{Published: moment{at}})
		}
		for _, c := range said {
			if c.Published.After(last) {
				last = c.Published.Time
			}
		}
	}
	return last, err
}
