package bitbucket

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

const (
	atOnce   = 8  // reads of a pass that are under way at once
	fluxMost = 50 // pull requests in flux that a pass reads
	youth    = 5 * time.Minute
)

// cloudSeen is what a pass has seen of a pull request. Bitbucket counts neither a status nor a push to the base as a change
// of it, so what may change without that is read again, by what it last looked like.
type cloudSeen struct {
	head     string
	headSeen time.Time // first
	ci       forge.CheckState
	pushed   bool      // somebody pushed to its repository since it was read
	read     time.Time // by itself, with its conflicts
	asked    time.Time // for its statuses
}

// flux says that a pull request is about to change.
func (s cloudSeen) flux(now time.Time) bool {
	return s.pushed || s.ci == forge.CheckPending || s.ci == forge.CheckNone && now.Sub(s.headSeen) < youth
}

// cloudFollows is what following remembers. Lists are by workspace and author, and name a repository as it is called now.
type cloudFollows struct {
	mu      sync.Mutex
	of      map[string]string     // the workspace that a repository is in now, by the slug that the fleet has
	slugs   map[string]string     // that slug by the repository's uuid
	authors map[string][]string   // uuids by workspace
	through map[string]time.Time  // until when lists were gone through without a gap, by workspace and author
	last    map[string]*cloudPull // pull requests as the host last gave them, by slug and number
	seen    map[string]cloudSeen  // likewise
}

// learn remembers what a pull request says of its repository and its author.
func (f *Cloud) learn(repo fleet.Repository, p *cloudPull) {
	slug, err := f.slug(repo)
	if err != nil || p.ID == 0 {
		return
	}
	slug = strings.ToLower(slug)
	m := &f.follows
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of == nil || len(m.of) > 1<<17 || len(m.seen) > 1<<17 || len(m.last) > 1<<17 {
		m.of, m.slugs, m.authors, m.through = map[string]string{}, map[string]string{}, map[string][]string{}, map[string]time.Time{}
		m.last, m.seen = map[string]*cloudPull{}, map[string]cloudSeen{}
	}
	m.last[pullKey(slug, p.ID)] = p
	if uuid := p.Destination.Repository.UUID; uuid != "" {
		m.slugs[uuid] = slug
	}
	workspace, _, _ := strings.Cut(strings.ToLower(p.Destination.Repository.FullName), "/")
	if workspace == "" {
		return
	}
	m.of[slug] = workspace
	if uuid := p.Author.UUID; uuid != "" && !slices.Contains(m.authors[workspace], uuid) && len(m.authors[workspace]) < 10 {
		m.authors[workspace] = append(m.authors[workspace], uuid)
	}
}

// part is what is looked at closer.
type part int

const (
	alone    part = 1 << iota // the pull request by itself: a call
	statuses                  // a call
	merges                    // whether it can be merged: two calls, unless that was asked within the hour
	all      = alone | statuses | merges
)

// pass is one look at pull requests.
type pass struct {
	*Cloud
	keys   []string // slug and number, as the fleet has them
	bySlug map[string][]string
	refs   map[string]forge.PullRef
	began  time.Time
	gone   map[string]bool // workspaces and authors whose lists were gone through, so that what is remembered is as it stands
	places int             // workspaces
	due    []string        // what is read, in order
	taken  map[string]part
}

func (p *pass) take(key string, what part) {
	if p.taken[key] == 0 {
		p.due = append(p.due, key)
	}
	p.taken[key] |= what
}

// workspaces are where the pull requests are.
func (p *pass) workspaces() []string {
	m := &p.follows
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for slug := range p.bySlug {
		now := m.of[slug]
		if now == "" {
			now, _, _ = strings.Cut(slug, "/")
		}
		if !slices.Contains(all, now) {
			all = append(all, now)
		}
	}
	slices.Sort(all)
	return all
}

// mine finds the slug that the fleet has for a repository: one that was renamed is listed under its new name.
func (p *pass) mine(uuid, name string) string {
	m := &p.follows
	m.mu.Lock()
	defer m.mu.Unlock()
	return cmp.Or(m.slugs[uuid], strings.ToLower(name))
}

// Follow implements forge.Follower. For each workspace one call lists fifty pull requests that people touched, and one a
// hundred repositories that somebody pushed to; the first time, fifty of those that are open. What was touched is read with its
// statuses and conflicts, and so are fifty of those in flux: whose repository was pushed to, whose statuses are under way, or
// which are too young to have any. Of those at rest some take their turn in each pass: see rest.
func (f *Cloud) Follow(ctx context.Context, among []forge.PullRef, since time.Time) iter.Seq2[forge.Pull, error] {
	return func(yield func(forge.Pull, error) bool) {
		refs, keys, ok := forge.Index(among, func(ref forge.PullRef) (string, error) {
			slug, err := f.slug(ref.Repo)
			return pullKey(slug, ref.Number), err
		}, yield)
		if !ok {
			return
		}
		p := &pass{Cloud: f, began: f.now(), keys: keys, bySlug: map[string][]string{}, refs: refs, gone: map[string]bool{}, taken: map[string]part{}}
		for _, key := range keys {
			slug, _, _ := strings.Cut(key, "#")
			p.bySlug[slug] = append(p.bySlug[slug], key)
		}
		if err := p.look(ctx, since); err != nil {
			yield(forge.Pull{}, err)
			return
		}
		for some := range slices.Chunk(p.due, atOnce) {
			pulls, errs := make([]forge.Pull, len(some)), make([]error, len(some))
			var wg sync.WaitGroup
			for i, key := range some {
				wg.Go(func() { pulls[i], errs[i] = p.read(ctx, key) })
			}
			wg.Wait()
			for i, key := range some {
				if errs[i] != nil {
					pulls[i] = p.refs[key].Unread()
				}
				if !yield(pulls[i], errs[i]) {
					return
				}
			}
		}
	}
}

// known is a pull request as the host last gave it, with what was seen of it.
func (p *pass) known(key string) (*cloudPull, cloudSeen) {
	m := &p.follows
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last[key], m.seen[key]
}

// read looks at a pull request as closely as it was taken for.
func (p *pass) read(ctx context.Context, key string) (forge.Pull, error) {
	ref, what := p.refs[key], p.taken[key]
	raw, s := p.known(key)
	var err error
	if raw == nil || what&alone != 0 {
		if raw, err = p.get(ctx, ref.Repo, ref.Number); err != nil {
			return forge.Pull{}, err
		}
	}
	out, err := p.pull(ctx, ref.Repo, raw)
	if err != nil {
		return out, err
	}
	now := p.now()
	if s.head != raw.Source.Commit.Hash {
		s = cloudSeen{head: raw.Source.Commit.Hash, headSeen: now}
	}
	if out.State == forge.StateOpen {
		if what&statuses != 0 || s.ci == "" {
			checks, err := p.Checks(ctx, ref.Repo, out.HeadSHA)
			if err != nil {
				return out, err
			}
			s.ci, s.asked = forge.Sum(checks), now
		}
		if what&merges != 0 || !p.tried(raw) {
			if out.Conflicts, err = p.conflicts(ctx, ref.Repo, raw, s.pushed); err != nil {
				return out, err
			}
			s.pushed = false
		} else {
			out.Conflicts = p.clashed(raw)
		}
		if what&alone != 0 {
			s.read = now
		}
		out.CI = s.ci
	}
	m := &p.follows
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen != nil {
		m.seen[key] = s
	}
	return out, nil
}
