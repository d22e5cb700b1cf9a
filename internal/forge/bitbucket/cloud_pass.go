package bitbucket

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// look finds out what is read in this pass.
func (p *pass) look(ctx context.Context, since time.Time) error {
	all := p.workspaces()
	p.places = len(all)
	for _, workspace := range all {
		authors, err := p.authors(ctx, workspace)
		if err != nil {
			return err
		}
		for _, author := range authors {
			if err := p.list(ctx, workspace, author, since); err != nil {
				return err
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
			p.take(key, statuses|merges)
		}
		return nil
	}
	p.rest()
	return nil
}

// list goes through the open pull requests of an author, once, and through those that anybody touched. When that leaves a gap
// behind the last time, as a pass over few pull requests may, what is remembered may be old.
func (p *pass) list(ctx context.Context, workspace, author string, since time.Time) error {
	m, of := &p.follows, workspace+" "+author
	m.mu.Lock()
	through := m.through[of]
	m.mu.Unlock()
	whole := through.IsZero() || since.IsZero()
	var queries []string
	if whole {
		queries = append(queries, query("", "-created_on", "OPEN"))
	}
	if !since.IsZero() {
		queries = append(queries, query("updated_on>="+stamp(since), "-updated_on"))
	}
	named := map[string]bool{}
	for i, q := range queries {
		for raw, err := range pages[cloudPull](ctx, p.Cloud, p.authored(workspace, author)+q) {
			if refused(err) {
				return nil // hidden from the credential: all are read one by one
			}
			if err != nil {
				return err
			}
			key := pullKey(p.mine(raw.Destination.Repository.UUID, raw.Destination.Repository.FullName), raw.ID)
			named[key] = true
			if ref, ok := p.refs[key]; ok {
				p.learn(ref.Repo, &raw)
				if i == len(queries)-1 {
					p.take(key, statuses|merges)
				}
				continue
			}
			m.mu.Lock()
			if m.last != nil {
				m.last[key] = &raw // for a pass that asks for it
			}
			m.mu.Unlock()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if whole { // what was open before and is not listed is not open any more
		maps.DeleteFunc(m.last, func(key string, raw *cloudPull) bool {
			return raw.State == "OPEN" && raw.of() == of && !named[key]
		})
	}
	if p.gone[of] = whole || !since.After(through); p.gone[of] && m.through != nil {
		m.through[of] = p.began
	}
	return nil
}

// of is the list that a pull request is in.
func (p *cloudPull) of() string {
	workspace, _, _ := strings.Cut(strings.ToLower(p.Destination.Repository.FullName), "/")
	return workspace + " " + p.Author.UUID
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
			if s := p.follows.seen[key]; p.follows.seen != nil {
				s.pushed = true
				p.follows.seen[key] = s
			}
		}
		p.follows.mu.Unlock()
	}
	return nil
}

// rest takes what is in flux, and some of what is not, each longest unread first: one in 200 by itself with its conflicts, in
// case a list left something out, and the statuses of one in 20, as far as 65 calls for a thousand go, less those that
// the lists of further workspaces take. What no list gave is
// closed, or somebody else's, and is read by itself soon.
func (p *pass) rest() {
	m := &p.follows
	m.mu.Lock()
	defer m.mu.Unlock()
	turns := func(last func(cloudSeen) time.Time, take func(key string, raw *cloudPull, s cloudSeen)) {
		keys := slices.Clone(p.keys)
		slices.SortStableFunc(keys, func(a, b string) int { return last(m.seen[a]).Compare(last(m.seen[b])) })
		for _, key := range keys {
			if raw := m.last[key]; raw == nil || raw.State == "OPEN" {
				take(key, raw, m.seen[key])
			}
		}
	}
	calls := max(4, len(p.keys)*20/1000, len(p.keys)*65/1000-2*(p.places-1))
	spend := func(key string, what part, raw *cloudPull, s cloudSeen) {
		if _, known := p.hashes.get(hashKey(raw.Destination.Repository.UUID, raw.Source.Commit.Hash)); !known {
			calls--
		}
		if what&alone != 0 {
			calls--
		}
		if what&statuses != 0 || s.ci == "" {
			calls--
		}
		if what&merges != 0 || !p.tried(raw) {
			calls -= 2
		}
		p.take(key, what)
	}
	now, flux, single := p.now(), fluxMost, max(1, len(p.keys)/200)
	turns(func(s cloudSeen) time.Time { return s.read }, func(key string, raw *cloudPull, s cloudSeen) {
		switch in := s.flux(now) || raw == nil; {
		case p.taken[key] != 0:
		case in && flux > 0 && (raw == nil || s.pushed):
			flux--
			p.take(key, all)
		case in && flux > 0:
			flux--
			p.take(key, statuses|p.stale(raw))
		case !in && single > 0:
			single--
			spend(key, alone|merges, raw, s)
		}
	})
	turns(func(s cloudSeen) time.Time { return s.asked }, func(key string, raw *cloudPull, s cloudSeen) {
		if calls <= 0 || p.taken[key] != 0 || raw == nil {
			return
		}
		spend(key, statuses|p.stale(raw), raw, s)
	})
}

// stale says that a pull request has to be read, for what is remembered of it may be old.
func (p *pass) stale(raw *cloudPull) part {
	if p.gone[raw.of()] {
		return 0
	}
	return alone
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
		if _, err := p.get(ctx, p.refs[key].Repo, p.refs[key].Number); forge.Passing(err) || ctx.Err() != nil {
			return nil, err
		}
		p.take(key, statuses|merges) // or it says why not when it is read
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
