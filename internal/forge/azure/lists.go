package azure

import (
	"cmp"
	"context"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// pageSize is how many are asked for; the host may give fewer a page.
const pageSize = 500

// paged follows a list to its end, which is an empty page: the host may cap pages, and does not say so. Something that moves
// from page to page meanwhile may come twice.
func paged[T any](q url.Values, get func(url.Values, any) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for skip := 0; ; {
			page := url.Values{"$top": {strconv.Itoa(pageSize)}, "$skip": {strconv.Itoa(skip)}}
			for k, v := range q {
				page[k] = v
			}
			var list values[T]
			if err := get(page, &list); err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, x := range list.Value {
				if !yield(x, nil) {
					return
				}
			}
			if skip += len(list.Value); len(list.Value) == 0 {
				return
			}
		}
	}
}

// List implements forge.Lister. Bodies are cut at 400 characters. Without a repository it lists those that the credential's
// account made, project by project.
func (f *Forge) List(ctx context.Context, repo *fleet.Repository, states ...forge.State) iter.Seq2[forge.Pull, error] {
	wanted := func(p forge.Pull) bool { return len(states) == 0 || slices.Contains(states, p.State) }
	q := url.Values{"searchCriteria.status": {"all"}}
	if slices.Equal(states, []forge.State{forge.StateOpen}) {
		q.Set("searchCriteria.status", "active")
	}
	if repo == nil {
		return func(yield func(forge.Pull, error) bool) {
			all, err := f.mine(ctx, q)
			if err != nil {
				yield(forge.Pull{}, err)
				return
			}
			for _, p := range all {
				name := f.name(p.Repository)
				if pull := f.toPull(fleet.Repository{Name: name}, p); wanted(pull) && !yield(pull, nil) {
					return
				}
			}
		}
	}
	return func(yield func(forge.Pull, error) bool) {
		seen := map[int]bool{}
		get := func(q url.Values, out any) error {
			return f.on(ctx, *repo, http.MethodGet, "/pullrequests", q, nil, out)
		}
		for p, err := range paged[*pullRequest](q, get) {
			if err != nil {
				yield(forge.Pull{}, missing(*repo, err, err))
				return
			}
			pull := f.toPull(*repo, p)
			if wanted(pull) && !seen[p.Number] && !yield(pull, nil) {
				return
			}
			seen[p.Number] = true
		}
	}
}

// mine are the pull requests that the account made, newest first.
func (f *Forge) mine(ctx context.Context, q url.Values) ([]*pullRequest, error) {
	me, err := f.me(ctx)
	if err != nil {
		return nil, err
	}
	q.Set("searchCriteria.creatorId", me.ID)
	var all []*pullRequest
	seen := map[string]bool{}
	projects := func(q url.Values, out any) error { return f.call(ctx, http.MethodGet, "/_apis/projects", q, nil, out) }
	for project, err := range paged[project](nil, projects) {
		if err != nil {
			return nil, err
		}
		for p, err := range f.byProject(ctx, project.ID, q) {
			if err != nil {
				return nil, err
			}
			if key := p.Repository.ID + number(p.Number); !seen[key] {
				seen[key] = true
				all = append(all, p)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *pullRequest) int { return b.Created.Compare(a.Created.Time) })
	return all, nil
}

func (f *Forge) byProject(ctx context.Context, project string, q url.Values) iter.Seq2[*pullRequest, error] {
	return paged[*pullRequest](q, func(q url.Values, out any) error {
		return f.call(ctx, http.MethodGet, "/"+url.PathEscape(project)+"/_apis/git/pullrequests", q, nil, out)
	})
}

// Follow implements forge.Follower: a call for each page of the open pull requests that the account made, in each project
// that has one, and one for each of those followed that is not open any more. The host tells no time of a change, so every
// open one is given, its body cut at 400 characters.
func (f *Forge) Follow(ctx context.Context, among []forge.PullRef, _ time.Time) iter.Seq2[forge.Pull, error] {
	return func(yield func(forge.Pull, error) bool) {
		left := map[string]forge.PullRef{}
		var projects []string
		for _, ref := range among {
			at, err := f.place(ref.Repo)
			if err != nil {
				if !yield(forge.Pull{Repository: ref.Repo.Name, Number: ref.Number}, err) {
					return
				}
				continue
			}
			left[at.key()+"#"+number(ref.Number)] = ref
			name := at.project
			if id, ok := f.ids(at); ok {
				name = id.project // also when the project is renamed
			}
			if !slices.ContainsFunc(projects, func(p string) bool { return strings.EqualFold(p, name) }) {
				projects = append(projects, name)
			}
		}
		me, err := f.me(ctx)
		if err != nil && len(left) > 0 {
			yield(forge.Pull{}, err)
			return
		}
		for _, project := range projects {
			for _, creator := range f.followed(project, me.ID) {
				for p, err := range f.byProject(ctx, project, url.Values{"searchCriteria.status": {"active"}, "searchCriteria.creatorId": {creator}}) {
					if gone(err) {
						break // each of its pull requests says so
					}
					if err != nil {
						yield(forge.Pull{}, err)
						return
					}
					key, ref, ok := f.among(left, p)
					if !ok {
						continue
					}
					delete(left, key)
					if !yield(f.toPull(ref.Repo, p), nil) {
						return
					}
					if len(left) == 0 {
						return
					}
				}
			}
		}
		for _, ref := range left { // closed, made by another account, or gone
			p, err := f.get(ctx, ref.Repo, ref.Number)
			pull := forge.Pull{Repository: ref.Repo.Name, Number: ref.Number}
			if err == nil {
				pull = f.toPull(ref.Repo, p)
				if p.Status == "active" {
					f.follow(p)
				}
			}
			if !yield(pull, err) {
				return
			}
		}
	}
}

// among finds a listed pull request among those that are followed, also when its repository has a new name.
func (f *Forge) among(left map[string]forge.PullRef, p *pullRequest) (key string, ref forge.PullRef, ok bool) {
	f.mu.Lock()
	key = f.names[p.Repository.ID] + "#" + number(p.Number)
	f.mu.Unlock()
	if ref, ok = left[key]; ok {
		return key, ref, true
	}
	at := place{p.Repository.Project.Name, p.Repository.Name}
	key = at.key() + "#" + number(p.Number)
	if ref, ok = left[key]; ok {
		f.learn(at, p.Repository)
	}
	return key, ref, ok
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

// name is what a repository is called in the fleet.
func (*Forge) name(r repository) string {
	plain := func(s string) string {
		return strings.Map(func(c rune) rune {
			if unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("._-+~", c) {
				return c
			}
			return '-'
		}, s)
	}
	return plain(r.Project.Name) + "/" + plain(r.Name)
}

// Discover implements forge.Discoverer: one call for all repositories of the organisation or collection when the owner is its
// name, or of the project that the owner names. A disabled repository counts as archived. The host knows no topics, and
// names no heads in its lists.
func (f *Forge) Discover(ctx context.Context, scope forge.Scope) iter.Seq2[fleet.Repository, error] {
	return func(yield func(fleet.Repository, error) bool) {
		whole := f.site.title()
		path := "/_apis/git/repositories"
		if owner, project, ok := strings.Cut(scope.Owner, "/"); ok && strings.EqualFold(owner, whole) {
			path = "/" + url.PathEscape(project) + path
		} else if !strings.EqualFold(scope.Owner, whole) {
			path = "/" + url.PathEscape(scope.Owner) + path
		}
		var list values[repository]
		if err := f.call(ctx, http.MethodGet, path, nil, nil, &list); err != nil {
			if transport.StatusOf(err) == http.StatusNotFound {
				err = &fleet.Error{Code: fleet.CodeNotFound, Message: whole + " has no project " + scope.Owner, Hint: "a project, or " + whole + " for all of them; the credential may also lack the right to see it"}
			}
			yield(fleet.Repository{}, err)
			return
		}
		alike := map[string]int{} // "a b" and "a-b" read alike
		for _, r := range list.Value {
			alike[strings.ToLower(f.name(r))]++
		}
		for _, r := range list.Value {
			t := forge.Traits{Archived: r.Disabled, Fork: r.Fork, Size: r.Size, Visibility: cmp.Or(r.Project.Visibility, "private")}
			if t.Visibility == "organization" {
				t.Visibility = "internal"
			}
			if !scope.Takes(t) {
				continue
			}
			at := place{r.Project.Name, r.Name}
			f.learn(at, r)
			name := f.name(r)
			if alike[strings.ToLower(name)] > 1 {
				name += "-" + r.ID[max(0, len(r.ID)-8):]
			}
			out := fleet.Repository{Name: name, URL: f.site.url.String() + "/" + url.PathEscape(at.project) + "/_git/" + url.PathEscape(at.name), Forge: f.site.url.Host + f.site.url.Path,
				DefaultBranch: strings.TrimPrefix(r.DefaultBranch, heads), Archived: r.Disabled}
			if !yield(out, nil) {
				return
			}
		}
	}
}
