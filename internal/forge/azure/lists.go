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
