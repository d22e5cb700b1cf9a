package bitbucket

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

var dcStates = map[forge.State]string{forge.StateOpen: "OPEN", forge.StateMerged: "MERGED", forge.StateClosed: "DECLINED"}

// List implements forge.Lister. Without a repository it lists those that the credential's account made.
func (f *DataCenter) List(ctx context.Context, repo *fleet.Repository, states ...forge.State) iter.Seq2[forge.Pull, error] {
	q := url.Values{"order": {"NEWEST"}, "limit": {"100"}}
	if len(states) == 1 {
		q.Set("state", dcStates[states[0]])
	}
	at := f.site.String() + "/rest/api/latest/dashboard/pull-requests"
	if repo == nil {
		q.Set("role", "AUTHOR")
	} else {
		if len(states) != 1 {
			q.Set("state", "ALL")
		}
		var err error
		if at, err = f.at(*repo, "api", "/pull-requests"); err != nil {
			return failed[forge.Pull](err)
		}
	}
	return func(yield func(forge.Pull, error) bool) {
		for p, err := range starts[dcPull](ctx, f, at, q) {
			if err != nil {
				if repo != nil {
					err = f.missing(ctx, *repo, err, err)
				}
				yield(forge.Pull{}, err)
				return
			}
			name := p.To.Repository.Project.Key + "/" + p.To.Repository.Slug
			if repo != nil {
				name = repo.Name
			}
			if pull := p.pull(name); wanted(states, pull) && !yield(pull, nil) {
				return
			}
		}
	}
}

// glance is what Follow saw of a pull request: the server counts comments, but does not say when there was one.
type glance struct {
	state, looks string
	ci           forge.CheckState
	at           time.Time // when it last changed, or was seen to have
}

func look(p *dcPull) string {
	var b strings.Builder
	fmt.Fprint(&b, p.State, p.Version, p.Updated, p.From.Commit, p.Draft, p.Properties.Comments, p.conflicts())
	for _, r := range p.Reviewers {
		fmt.Fprint(&b, r.User.Name, r.Status)
	}
	return b.String()
}

// learn remembers where a repository is and who made a pull request in it.
func (f *DataCenter) learn(repo fleet.Repository, p *dcPull) {
	slug, err := f.slug(repo)
	if err != nil || p.ID == 0 {
		return
	}
	f.places.put(strconv.Itoa(p.To.Repository.ID), strings.ToLower(slug))
	f.authors.mu.Lock()
	defer f.authors.mu.Unlock()
	if name := p.Author.User.Name; name != "" && !slices.Contains(f.authors.names, name) && len(f.authors.names) < 10 {
		f.authors.names = append(f.authors.names, name)
	}
}

// Follow implements forge.Follower: one call for a hundred open pull requests, one for their builds, and one for those that
// were closed; and one for each of those whose branches moved, so that the server looks for conflicts. What is in no list is
// asked for, unless it was seen to be at rest. The server does not tell replies to comments: they are seen with the next other
// change.
func (f *DataCenter) Follow(ctx context.Context, among []forge.PullRef, since time.Time) iter.Seq2[forge.Pull, error] {
	return func(yield func(forge.Pull, error) bool) {
		left, order, ok := forge.Index(among, func(ref forge.PullRef) (string, error) {
			slug, err := f.slug(ref.Repo)
			return pullKey(slug, ref.Number), err
		}, yield)
		if !ok {
			return
		}
		if len(left) == 0 {
			return
		}
		names, err := f.followed(ctx, left[order[0]])
		if err != nil {
			yield(forge.Pull{}, err)
			return
		}
		found := map[string]dcPull{}
		for _, name := range names {
			queries := []url.Values{{"state": {"OPEN"}}}
			if !since.IsZero() {
				queries = append(queries, url.Values{"closedSince": {strconv.Itoa(int(f.now().Sub(since).Seconds()) + 60)}})
			}
			for _, q := range queries {
				q.Set("role", "AUTHOR")
				q.Set("user", name)
				q.Set("limit", "100")
				for p, err := range starts[dcPull](ctx, f, f.site.String()+"/rest/api/latest/dashboard/pull-requests", q) {
					if transport.StatusOf(err) == http.StatusUnauthorized || transport.StatusOf(err) == http.StatusNotFound {
						break // this credential lists nobody: one by one, then
					}
					if err != nil {
						yield(forge.Pull{}, err)
						return
					}
					if key, ok := f.meant(left, &p); ok {
						found[key] = p
					}
				}
			}
		}
		builds, err := f.builds(ctx, found)
		if err != nil {
			yield(forge.Pull{}, err)
			return
		}
		tries := fluxMost // branches move a few at a time; after a first pass over many, the next ones go on
		for _, key := range order {
			ref := left[key]
			was, known := f.seen.get(key)
			p, ok := found[key]
			if !ok {
				if known && was.state != "OPEN" && !since.IsZero() {
					continue
				}
				one, err := f.get(ctx, ref.Repo, ref.Number)
				if err != nil {
					if !yield(ref.Unread(), err) {
						return
					}
					continue
				}
				p = *one
			}
			f.learn(ref.Repo, &p)
			if stale := !p.Properties.MergeResult.Current; stale && tries > 0 {
				tries--
				if err := f.try(ctx, ref.Repo, &p); err != nil {
					if !yield(ref.Unread(), err) {
						return
					}
					continue
				}
			}
			pull := p.pull(ref.Repo.Name)
			pull.CI = builds[p.From.Commit]
			now := glance{p.State, look(&p), pull.CI, pull.UpdatedAt}
			switch {
			case known && (now.looks != was.looks || now.ci != was.ci):
				now.at = f.now()
			case known && was.at.After(now.at):
				now.at = was.at
			}
			f.seen.put(key, now)
			if (since.IsZero() || !now.at.Before(since.Add(-5*time.Second))) && !yield(pull, nil) {
				return
			}
		}
	}
}

// followed are the authors of what is followed; the first time, that of one pull request.
func (f *DataCenter) followed(ctx context.Context, first forge.PullRef) ([]string, error) {
	names := func() []string {
		f.authors.mu.Lock()
		defer f.authors.mu.Unlock()
		return slices.Clone(f.authors.names)
	}
	if known := names(); len(known) > 0 {
		return known, nil
	}
	if _, err := f.get(ctx, first.Repo, first.Number); err != nil && (forge.Passing(err) || fleet.CodeOf(err) == fleet.CodeForgeAuth) {
		return nil, err
	}
	return names(), nil
}

// meant finds the reference that a listed pull request is meant by: a repository that moved is listed where it is now.
func (f *DataCenter) meant(left map[string]forge.PullRef, p *dcPull) (string, bool) {
	key := pullKey(p.To.Repository.Project.Key+"/"+p.To.Repository.Slug, p.ID)
	if _, ok := left[key]; ok {
		return key, true
	}
	slug, ok := f.places.get(strconv.Itoa(p.To.Repository.ID))
	key = pullKey(slug, p.ID)
	if ok {
		_, ok = left[key]
	}
	return key, ok
}

// builds sums up what builds say of the heads of open pull requests, a call for each hundred.
func (f *DataCenter) builds(ctx context.Context, pulls map[string]dcPull) (map[string]forge.CheckState, error) {
	var commits []string
	for _, p := range pulls {
		if p.State == "OPEN" {
			commits = append(commits, p.From.Commit)
		}
	}
	slices.Sort(commits)
	commits = slices.Compact(commits)
	sums := map[string]forge.CheckState{}
	for chunk := range slices.Chunk(commits, 100) {
		var stats map[string]struct{ Successful, Failed, InProgress, Cancelled, Unknown int }
		if _, err := f.http.JSON(ctx, http.MethodPost, f.site.String()+"/rest/build-status/latest/commits/stats", chunk, &stats); err != nil {
			if status := transport.StatusOf(err); status >= 400 && status < 500 {
				return sums, nil // not said
			}
			return nil, err
		}
		for _, c := range chunk {
			s := stats[c]
			switch {
			case s.InProgress > 0:
				sums[c] = forge.CheckPending
			case s.Failed > 0:
				sums[c] = forge.CheckFailed
			case s.Successful+s.Cancelled+s.Unknown > 0:
				sums[c] = forge.CheckPassed
			default:
				sums[c] = forge.CheckNone
			}
		}
	}
	return sums, nil
}

// Discover implements forge.Discoverer: a call for a thousand repositories of a project, or of a person as "~name". The
// server names no heads in its lists. Topics are its labels of repositories.
func (f *DataCenter) Discover(ctx context.Context, scope forge.Scope) iter.Seq2[fleet.Repository, error] {
	return func(yield func(fleet.Repository, error) bool) {
		labelled, err := f.labelled(ctx, scope.Topics)
		if err != nil {
			yield(fleet.Repository{}, err)
			return
		}
		q := url.Values{"projectkey": {scope.Owner}, "limit": {"1000"}}
		if scope.Archived {
			q.Set("archived", "ALL")
		}
		for r, err := range starts[dcRepository](ctx, f, f.site.String()+"/rest/api/latest/repos", q) {
			if err != nil {
				yield(fleet.Repository{}, err)
				return
			}
			if !strings.EqualFold(r.Project.Key, scope.Owner) {
				continue // a server before 8.0 takes no key, and lists all
			}
			t := forge.Traits{Archived: r.Archived, Fork: r.Origin != nil, Visibility: "private", Topics: labelled[r.ID]}
			if r.Public {
				t.Visibility = "public"
			}
			slug := r.Project.Key + "/" + r.Slug
			out := fleet.Repository{Name: slug, URL: f.site.String() + "/scm/" + strings.ToLower(r.Project.Key) + "/" + r.Slug + ".git", Forge: f.site.Host, DefaultBranch: strings.TrimPrefix(r.DefaultBranch, heads), Archived: r.Archived}
			if scope.Takes(t) && !yield(out, nil) {
				return
			}
		}
	}
}

// labelled are the wanted labels of repositories, by number.
func (f *DataCenter) labelled(ctx context.Context, wanted []string) (map[int][]string, error) {
	all := map[int][]string{}
	for _, label := range wanted {
		for r, err := range starts[dcRepository](ctx, f, f.site.String()+"/rest/api/latest/labels/"+url.PathEscape(label)+"/labeled", url.Values{"type": {"REPOSITORY"}, "limit": {"1000"}}) {
			if transport.StatusOf(err) == http.StatusNotFound {
				break
			}
			if err != nil {
				return nil, err
			}
			all[r.ID] = append(all[r.ID], label)
		}
	}
	return all, nil
}
