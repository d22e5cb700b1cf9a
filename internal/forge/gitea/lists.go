package gitea

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

func (f *Forge) path(repo fleet.Repository, rest string) (string, error) {
	slug, err := forge.Slug(repo, f.site.Path)
	if err != nil {
		return "", err
	}
	owner, name, _ := strings.Cut(slug, "/")
	return f.site.String() + "/api/v1/repos/" + url.PathEscape(owner) + "/" + url.PathEscape(name) + rest, nil
}

// List implements forge.Lister. Without a repository it lists those that the credential's account made.
func (f *Forge) List(ctx context.Context, repo *fleet.Repository, states ...forge.State) iter.Seq2[forge.Pull, error] {
	wanted := func(p forge.Pull) bool { return len(states) == 0 || slices.Contains(states, p.State) }
	if repo == nil {
		return func(yield func(forge.Pull, error) bool) {
			for issue, err := range f.mine(ctx, time.Time{}) {
				if err != nil {
					yield(forge.Pull{}, err)
					return
				}
				of := fleet.Repository{Name: issue.Repository.FullName, URL: f.site.String() + "/" + issue.Repository.FullName + ".git"}
				if !wanted(forge.Pull{State: issueState(issue)}) {
					continue
				}
				p, err := f.Get(ctx, of, int(issue.Index))
				if err != nil {
					p = forge.Pull{Repository: of.Name, Number: int(issue.Index)}
				}
				if (err != nil || wanted(p)) && !yield(p, err) {
					return
				}
			}
		}
	}
	return func(yield func(forge.Pull, error) bool) {
		api, owner, name, err := f.at(ctx, *repo)
		if err != nil {
			yield(forge.Pull{}, err)
			return
		}
		opt := sdk.ListPullRequestsOptions{State: sdk.StateAll}
		if slices.Equal(states, []forge.State{forge.StateOpen}) {
			opt.State = sdk.StateOpen
		}
		pages := newPager()
		for {
			opt.ListOptions = pages.ListOptions
			list, resp, err := api.ListRepoPullRequests(owner, name, opt)
			if err = transport.Error(ctx, err); err != nil {
				yield(forge.Pull{}, f.missing(ctx, *repo, err, err))
				return
			}
			for _, p := range list {
				if pull := f.pull(*repo, p, ""); wanted(pull) && !yield(pull, nil) {
					return
				}
			}
			if !pages.next(resp, len(list)) {
				return
			}
		}
	}
}

func issueState(i *sdk.Issue) forge.State {
	switch {
	case i.PullRequest != nil && i.PullRequest.HasMerged:
		return forge.StateMerged
	case i.State == sdk.StateOpen:
		return forge.StateOpen
	}
	return forge.StateClosed
}

// mine yields the pull requests that the account made, of the whole server, newest first; those that changed since a
// time when one is given.
func (f *Forge) mine(ctx context.Context, since time.Time) iter.Seq2[*sdk.Issue, error] {
	return func(yield func(*sdk.Issue, error) bool) {
		q := url.Values{"type": {"pulls"}, "created": {"true"}, "state": {"all"}, "limit": {"50"}}
		if !since.IsZero() {
			q.Set("since", since.UTC().Format(time.RFC3339))
		}
		pages := newPager()
		for {
			q.Set("page", strconv.Itoa(pages.Page))
			var list []*sdk.Issue
			h, err := f.http.JSON(ctx, http.MethodGet, f.site.String()+"/api/v1/repos/issues/search?"+q.Encode(), nil, &list)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, i := range list {
				if i != nil && i.Repository != nil && !yield(i, nil) {
					return
				}
			}
			resp := &sdk.Response{Response: &http.Response{Header: h}}
			if strings.Contains(h.Get("Link"), `rel="next"`) {
				resp.NextPage = pages.Page + 1
			}
			if !pages.next(resp, len(list)) {
				return
			}
		}
	}
}

// Discover implements forge.Discoverer. The server names no heads in its lists.
func (f *Forge) Discover(ctx context.Context, scope forge.Scope) iter.Seq2[fleet.Repository, error] {
	return func(yield func(fleet.Repository, error) bool) {
		api, err := f.api(ctx)
		if err != nil {
			yield(fleet.Repository{}, err)
			return
		}
		pages := newPager()
		user := false
		for {
			var list []*sdk.Repository
			var resp *sdk.Response
			if user {
				list, resp, err = api.ListUserRepos(scope.Owner, sdk.ListReposOptions{ListOptions: pages.ListOptions})
			} else {
				list, resp, err = api.ListOrgRepos(scope.Owner, sdk.ListOrgReposOptions{ListOptions: pages.ListOptions})
			}
			err = transport.Error(ctx, err)
			if transport.StatusOf(err) == http.StatusNotFound && !user {
				user = true
				continue
			}
			if transport.StatusOf(err) == http.StatusNotFound {
				err = &fleet.Error{Code: fleet.CodeNotFound, Message: "the forge knows no organisation or user " + scope.Owner, Hint: "the credential may also lack the right to see it"}
			}
			if err != nil {
				yield(fleet.Repository{}, err)
				return
			}
			for _, r := range list {
				t := forge.Traits{Archived: r.Archived, Fork: r.Fork, Topics: r.Topics, Visibility: "public", Size: int64(r.Size) << 10}
				if r.Internal {
					t.Visibility = "internal"
				} else if r.Private {
					t.Visibility = "private"
				}
				out := fleet.Repository{Name: r.FullName, URL: f.site.String() + "/" + r.FullName + ".git", Forge: f.site.Host, DefaultBranch: r.DefaultBranch, Archived: r.Archived}
				if scope.Takes(t) && !yield(out, nil) {
					return
				}
			}
			if !pages.next(resp, len(list)) {
				return
			}
		}
	}
}
