package gitea

import (
	"cmp"
	"context"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"gaggle/internal/forge"
)

const (
	atOnce   = 16               // reads of a pass that are under way at once
	fluxMost = 100              // pull requests in flux that a pass reads
	restPart = 25               // of those at rest, a pass reads one in so many
	settling = 10 * time.Second // the server finds out about a conflict within less
	youth    = 5 * time.Minute  // how long a head without any check may still get its first
)

// memory is what the driver has seen of a pull request. The server bumps its time for what people do, and neither for a
// conflict nor for a check, so what may change without that is read again by what it last looked like.
type memory struct {
	head, base string
	headSeen   time.Time // first
	refuses    bool      // said not to be mergeable, though it is no draft
	refused    time.Time // first, for this head and base
	read       time.Time
	clash      bool // for longer than the server needs to find out
	ci         forge.CheckState
}

// flux says that a pull request is about to change.
func (m memory) flux(now time.Time) bool {
	return m.refuses && !m.clash || m.ci == forge.CheckPending || m.ci == forge.CheckNone && now.Sub(m.headSeen) < youth
}

func memoryKey(slug string, number int) string {
	return strings.ToLower(slug) + "#" + strconv.Itoa(number)
}

// remember takes in what the server says of a pull request. It says "not mergeable" also while it finds out, so that
// becomes a conflict only when it says so for some time, or was found so long after anybody touched it: a process that looks
// just once would never know.
func (f *Forge) remember(key string, p *sdk.PullRequest, ci forge.CheckState) (conflicts bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.State != sdk.StateOpen || p.Head == nil || p.Base == nil {
		delete(f.memories, key)
		return false
	}
	now := f.now()
	m := f.memories[key]
	refuses := !p.Mergeable && !p.Draft && cutDraft(p.Title) == p.Title
	quiet := m.head == "" && p.Updated != nil && now.Sub(*p.Updated) >= settling
	if m.head != p.Head.Sha {
		m = memory{headSeen: now}
	}
	if m.head != p.Head.Sha || m.base != p.Base.Sha || !m.refuses {
		m.refused = now
	}
	m.head, m.base, m.refuses, m.read = p.Head.Sha, p.Base.Sha, refuses, now
	m.clash = refuses && (quiet || now.Sub(m.refused) >= settling)
	if ci != "" {
		m.ci = ci
	}
	if len(f.memories) > 20000 {
		clear(f.memories)
	}
	f.memories[key] = m
	return m.clash
}

// Follow implements forge.Follower. A search for each fifty pull requests that people touched, another for the repositories that
// somebody pushed to, and two calls for each pull request that these name or that was in flux: with its checks under way, or
// with a conflict that may be none. Of those at rest each pass reads one in 25.
func (f *Forge) Follow(ctx context.Context, among []forge.PullRef, since time.Time) iter.Seq2[forge.Pull, error] {
	return func(yield func(forge.Pull, error) bool) {
		due := among
		if !since.IsZero() {
			var err error
			if due, err = f.due(ctx, among, since.Add(-5*time.Second)); err != nil { // clocks differ
				yield(forge.Pull{}, err)
				return
			}
		}
		for some := range slices.Chunk(due, atOnce) {
			pulls, errs := make([]forge.Pull, len(some)), make([]error, len(some))
			var wg sync.WaitGroup
			for i, ref := range some {
				wg.Go(func() { pulls[i], errs[i] = f.read(ctx, ref) })
			}
			wg.Wait()
			for i, ref := range some {
				if errs[i] != nil {
					pulls[i] = ref.Unread()
				}
				if !yield(pulls[i], errs[i]) {
					return
				}
			}
		}
	}
}

// read reads a pull request with its checks.
func (f *Forge) read(ctx context.Context, ref forge.PullRef) (forge.Pull, error) {
	raw, err := f.get(ctx, ref.Repo, ref.Number)
	if err != nil {
		return forge.Pull{}, err
	}
	if p := toPull(ref.Repo, raw); p.State != forge.StateOpen || p.HeadSHA == "" {
		return f.pull(ref.Repo, raw, ""), nil
	}
	checks, err := f.Checks(ctx, ref.Repo, raw.Head.Sha)
	if err != nil {
		return forge.Pull{}, err
	}
	return f.pull(ref.Repo, raw, forge.Sum(checks)), nil
}

// due picks what a pass reads. An error in among comes out when it is read.
func (f *Forge) due(ctx context.Context, among []forge.PullRef, since time.Time) ([]forge.PullRef, error) {
	type watched struct {
		forge.PullRef
		slug, key string
		memory
	}
	all := make([]*watched, 0, len(among))
	byKey, bySlug := map[string]*watched{}, map[string][]*watched{}
	var due []forge.PullRef
	for _, ref := range among {
		slug, err := forge.Slug(ref.Repo, f.site.Path)
		if err != nil {
			due = append(due, ref)
			continue
		}
		slug = strings.ToLower(slug)
		w := &watched{PullRef: ref, slug: slug, key: memoryKey(slug, ref.Number)}
		all, byKey[w.key], bySlug[slug] = append(all, w), w, append(bySlug[slug], w)
	}
	known := func(slug string, id int64) string { // a repository that was renamed is listed under its new name
		if slug = strings.ToLower(slug); bySlug[slug] != nil {
			return slug
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.slugs[id]
	}
	take := func(w *watched) {
		if w != nil && byKey[w.key] == w {
			delete(byKey, w.key)
			due = append(due, w.PullRef)
		}
	}
	for issue, err := range f.mine(ctx, since) {
		if err != nil {
			return nil, err
		}
		take(byKey[memoryKey(known(issue.Repository.FullName, issue.Repository.ID), int(issue.Index))])
	}
	pushed, err := f.pushed(ctx, since)
	if err != nil {
		return nil, err
	}
	for _, r := range pushed {
		for _, w := range bySlug[known(r.FullName, r.ID)] {
			take(w)
		}
	}
	f.mu.Lock()
	for _, w := range all {
		w.memory = f.memories[w.key]
	}
	f.mu.Unlock()
	slices.SortStableFunc(all, func(a, b *watched) int { return cmp.Or(a.read.Compare(b.read), cmp.Compare(a.key, b.key)) })
	now, flux, rest := f.now(), fluxMost, max(1, len(all)/restPart)
	for _, w := range all {
		switch quota := map[bool]*int{true: &flux, false: &rest}[w.flux(now)]; {
		case byKey[w.key] != w || *quota == 0:
		default:
			*quota--
			take(w)
		}
	}
	return due, nil
}

// pushed are the repositories that somebody pushed to since a time, the newest first: at most four pages, which is more than
// moves between two passes anywhere but on a large public server.
func (f *Forge) pushed(ctx context.Context, since time.Time) (all []*sdk.Repository, err error) {
	for page := 1; page <= 4; page++ {
		var reply struct{ Data []*sdk.Repository }
		_, err := f.http.JSON(ctx, http.MethodGet, f.site.String()+"/api/v1/repos/search?sort=updated&order=desc&limit=50&page="+strconv.Itoa(page), nil, &reply)
		if err != nil {
			return nil, err
		}
		for _, r := range reply.Data {
			if r == nil || r.Updated.Before(since) {
				return all, nil
			}
			all = append(all, r)
		}
		if len(reply.Data) == 0 {
			break
		}
	}
	return all, nil
}
