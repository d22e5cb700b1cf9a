package bitbucket

import (
	"cmp"
	"context"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

const (
	atOnce   = 8  // reads of a pass that are under way at once
	fluxMost = 50 // pull requests in flux that a pass reads
	restPart = 25 // of those at rest, a pass reads one in so many
	youth    = 5 * time.Minute
)

// cloudSeen is what a pass has seen of a pull request. Bitbucket counts neither a status nor a push to the base as a change
// of it, so what may change without that is read again, by what it last looked like.
type cloudSeen struct {
	head     string
	headSeen time.Time // first
	ci       forge.CheckState
	pushed   bool // somebody pushed to its repository since it was read
	read     time.Time
	ended    bool
}

// flux says that a pull request is about to change.
func (s cloudSeen) flux(now time.Time) bool {
	return s.pushed || s.ci == forge.CheckPending || s.ci == forge.CheckNone && now.Sub(s.headSeen) < youth
}

// cloudFollows is what following remembers. Lists are by workspace and author, and name a repository as it is called now.
type cloudFollows struct {
	mu      sync.Mutex
	of      map[string]string    // the workspace that a repository is in now, by the slug that the fleet has
	slugs   map[string]string    // that slug by the repository's uuid
	authors map[string][]string  // uuids by workspace
	seen    map[string]cloudSeen // by slug and number
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
	if m.of == nil || len(m.of) > 1<<17 || len(m.seen) > 1<<17 {
		m.of, m.slugs, m.authors, m.seen = map[string]string{}, map[string]string{}, map[string][]string{}, map[string]cloudSeen{}
	}
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

func (f *Cloud) remember(key string, p *cloudPull, ci forge.CheckState) {
	m := &f.follows
	m.mu.Lock()
	defer m.mu.Unlock()
	now := f.now()
	s := m.seen[key]
	if s.head != p.Source.Commit.Hash {
		s = cloudSeen{head: p.Source.Commit.Hash, headSeen: now}
	}
	s.ci, s.pushed, s.read, s.ended = ci, false, now, p.State != "OPEN"
	if m.seen != nil {
		m.seen[key] = s
	}
}

// pass is one look at pull requests.
type pass struct {
	*Cloud
	keys   []string // slug and number, as the fleet has them
	bySlug map[string][]string
	refs   map[string]forge.PullRef
	found  map[string]*cloudPull
	due    []string // what is read, in order
	taken  map[string]bool
}

func (p *pass) take(key string) {
	if !p.taken[key] {
		p.taken[key], p.due = true, append(p.due, key)
	}
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
// hundred repositories that somebody pushed to. What was touched is read with its statuses and conflicts, and so are fifty of
// those in flux: whose repository was pushed to, whose statuses are under way, or which are too young to have any. Of those at
// rest each pass reads one in 25. The first pass lists
// all that are open, and asks for the others one by one.
func (f *Cloud) Follow(ctx context.Context, among []forge.PullRef, since time.Time) iter.Seq2[forge.Pull, error] {
	return func(yield func(forge.Pull, error) bool) {
		p := &pass{Cloud: f, bySlug: map[string][]string{}, refs: map[string]forge.PullRef{}, found: map[string]*cloudPull{}, taken: map[string]bool{}}
		for _, ref := range among {
			slug, err := f.slug(ref.Repo)
			if err != nil {
				if !yield(forge.Pull{Repository: ref.Repo.Name, Number: ref.Number}, err) {
					return
				}
				continue
			}
			slug = strings.ToLower(slug)
			key := slug + "#" + strconv.Itoa(ref.Number)
			p.keys, p.bySlug[slug], p.refs[key] = append(p.keys, key), append(p.bySlug[slug], key), ref
		}
		if err := p.look(ctx, since); err != nil {
			yield(forge.Pull{}, err)
			return
		}
		for some := range slices.Chunk(p.due, atOnce) {
			pulls, errs := make([]forge.Pull, len(some)), make([]error, len(some))
			var wg sync.WaitGroup
			for i, key := range some {
				wg.Go(func() { pulls[i], errs[i] = p.read(ctx, key, p.found[key]) })
			}
			wg.Wait()
			for i, key := range some {
				if errs[i] != nil {
					pulls[i] = forge.Pull{Repository: p.refs[key].Repo.Name, Number: p.refs[key].Number}
				}
				if !yield(pulls[i], errs[i]) {
					return
				}
			}
		}
	}
}

// read completes a pull request with its statuses and conflicts, and gets it first where no list gave it.
func (p *pass) read(ctx context.Context, key string, raw *cloudPull) (forge.Pull, error) {
	ref := p.refs[key]
	p.follows.mu.Lock()
	pushed := p.follows.seen[key].pushed
	p.follows.mu.Unlock()
	var err error
	if raw == nil {
		if raw, err = p.get(ctx, ref.Repo, ref.Number); err != nil {
			return forge.Pull{}, err
		}
	}
	p.learn(ref.Repo, raw)
	out, err := p.pull(ctx, ref.Repo, raw)
	if err != nil || out.State != forge.StateOpen {
		p.remember(key, raw, "")
		return out, err
	}
	checks, err := p.Checks(ctx, ref.Repo, out.HeadSHA)
	if err != nil {
		return out, err
	}
	out.CI = forge.Sum(checks)
	out.Conflicts, err = p.conflicts(ctx, ref.Repo, raw, pushed)
	p.remember(key, raw, out.CI)
	return out, err
}

// look finds out what is read in this pass.
func (p *pass) look(ctx context.Context, since time.Time) error {
	for _, workspace := range p.workspaces() {
		authors, err := p.authors(ctx, workspace)
		if err != nil {
			return err
		}
		q := query("", "-created_on", "OPEN")
		if !since.IsZero() {
			q = query("updated_on>="+stamp(since), "-updated_on")
		}
		for _, author := range authors {
			for raw, err := range pages[cloudPull](ctx, p.Cloud, p.authored(workspace, author)+q) {
				if refused(err) {
					break // hidden from the credential: those at rest are read one by one
				}
				if err != nil {
					return err
				}
				key := p.mine(raw.Destination.Repository.UUID, raw.Destination.Repository.FullName) + "#" + strconv.Itoa(raw.ID)
				if _, ok := p.refs[key]; ok && p.found[key] == nil {
					p.found[key] = &raw
					p.take(key)
				}
			}
		}
		if since.IsZero() {
			continue
		}
		if err := p.pushed(ctx, workspace, since); err != nil {
			return err
		}
	}
	if since.IsZero() {
		for _, key := range p.keys {
			p.take(key)
		}
		return nil
	}
	p.rest()
	return nil
}

// pushed marks the pull requests of repositories that somebody pushed to: their base may have moved.
func (p *pass) pushed(ctx context.Context, workspace string, since time.Time) error {
	type repository struct {
		UUID     string
		FullName string `json:"full_name"`
	}
	v := url.Values{"pagelen": {"100"}, "sort": {"-updated_on"}, "q": {"updated_on>=" + stamp(since)}, "fields": {"next,values.uuid,values.full_name"}}
	for r, err := range pages[repository](ctx, p.Cloud, p.api.String()+"/repositories/"+url.PathEscape(workspace)+"?"+v.Encode()) {
		if refused(err) {
			return nil
		}
		if err != nil {
			return err
		}
		keys := p.bySlug[p.mine(r.UUID, r.FullName)]
		p.follows.mu.Lock()
		for _, key := range keys {
			if s, ok := p.follows.seen[key]; ok {
				s.pushed = true
				p.follows.seen[key] = s
			}
		}
		p.follows.mu.Unlock()
	}
	return nil
}

// rest takes what is in flux, and its share of what is not, the longest unread first.
func (p *pass) rest() {
	m := &p.follows
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := slices.Clone(p.keys)
	slices.SortStableFunc(keys, func(a, b string) int { return m.seen[a].read.Compare(m.seen[b].read) })
	now, flux, rest := p.now(), fluxMost, max(1, len(keys)/restPart)
	for _, key := range keys {
		quota := &rest
		if m.seen[key].flux(now) {
			quota = &flux
		}
		if *quota > 0 && !m.seen[key].ended && !p.taken[key] {
			*quota--
			p.take(key)
		}
	}
}

// authors are those whose pull requests are followed in a workspace; the first time, that of one of them.
func (p *pass) authors(ctx context.Context, workspace string) ([]string, error) {
	known := func() []string {
		m := &p.follows
		m.mu.Lock()
		defer m.mu.Unlock()
		return slices.Clone(m.authors[workspace])
	}
	for _, key := range p.keys {
		if len(known()) > 0 {
			break
		}
		if owner, _, _ := strings.Cut(key, "/"); owner != workspace {
			continue
		}
		raw, err := p.get(ctx, p.refs[key].Repo, p.refs[key].Number)
		if err == nil {
			p.found[key] = raw
			p.take(key)
		} else if forge.Passing(err) || ctx.Err() != nil {
			return nil, err
		} else {
			p.take(key) // and says why when it is read
		}
		break
	}
	return known(), nil
}

func refused(err error) bool {
	status := transport.StatusOf(err)
	return status == http.StatusForbidden || status == http.StatusNotFound || status == http.StatusGone
}

// stamp is a time in a query, a little earlier: clocks differ.
func stamp(t time.Time) string { return t.Add(-5 * time.Second).UTC().Format(time.RFC3339) }
