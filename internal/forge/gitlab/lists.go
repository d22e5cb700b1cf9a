package gitlab

import (
	"context"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	sdk "gitlab.com/gitlab-org/api/client-go/v2"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// following moves on to the next page, where the server names one; a number of pages it leaves out for long lists.
func following(opt *sdk.ListOptions, resp *sdk.Response) bool {
	opt.Page = resp.NextPage
	return resp.NextPage > 0
}

// pathOf is the project's path in a full reference such as "group/project!5".
func pathOf(m *sdk.BasicMergeRequest) string {
	if m.References == nil {
		return ""
	}
	path, _, _ := strings.Cut(m.References.Full, "!")
	return path
}

// List implements forge.Lister. Without a repository it lists those that the credential's account made.
func (f *Forge) List(ctx context.Context, repo *fleet.Repository, states ...forge.State) iter.Seq2[forge.Pull, error] {
	wanted := func(p forge.Pull) bool { return len(states) == 0 || slices.Contains(states, p.State) }
	state := "all"
	if slices.Equal(states, []forge.State{forge.StateOpen}) {
		state = "opened"
	}
	if repo == nil {
		return func(yield func(forge.Pull, error) bool) {
			for m, err := range f.mine(ctx, state, nil) {
				if err != nil {
					yield(forge.Pull{}, err)
					return
				}
				if p := toPull(pathOf(m), m); wanted(p) && !yield(p, nil) {
					return
				}
			}
		}
	}
	return func(yield func(forge.Pull, error) bool) {
		pid, _, err := f.project(*repo)
		if err != nil {
			yield(forge.Pull{}, err)
			return
		}
		opt := &sdk.ListProjectMergeRequestsOptions{State: &state, OrderBy: sdk.Ptr("created_at"), Sort: sdk.Ptr("desc"), ListOptions: sdk.ListOptions{PerPage: 100}}
		for {
			list, resp, err := f.api.MergeRequests.ListProjectMergeRequests(pid, opt, sdk.WithContext(ctx))
			if err = transport.Error(ctx, err); err != nil {
				yield(forge.Pull{}, f.missing(ctx, *repo, err, err))
				return
			}
			for _, m := range list {
				if p := toPull(repo.Name, m); wanted(p) && !yield(p, nil) {
					return
				}
			}
			if !following(&opt.ListOptions, resp) {
				return
			}
		}
	}
}

// mine yields the merge requests that the account made, of the whole server, newest first.
func (f *Forge) mine(ctx context.Context, state string, since *time.Time) iter.Seq2[*sdk.BasicMergeRequest, error] {
	return func(yield func(*sdk.BasicMergeRequest, error) bool) {
		opt := &sdk.ListMergeRequestsOptions{Scope: sdk.Ptr("created_by_me"), State: &state, OrderBy: sdk.Ptr("created_at"), Sort: sdk.Ptr("desc"), UpdatedAfter: since, ListOptions: sdk.ListOptions{PerPage: 100}}
		for {
			list, resp, err := f.api.MergeRequests.ListMergeRequests(opt, sdk.WithContext(ctx))
			if err = transport.Error(ctx, err); err != nil {
				yield(nil, err)
				return
			}
			for _, m := range list {
				if !yield(m, nil) {
					return
				}
			}
			if !following(&opt.ListOptions, resp) {
				return
			}
		}
	}
}

// TellsHeads implements forge.HeadTeller.
func (f *Forge) TellsHeads() bool { return true }

// Discover implements forge.Discoverer: a call for each hundred projects of a group with all its subgroups, or of a user,
// and one for the heads of each fifty. A head that GitLab does not tell is left out: git is asked for it.
func (f *Forge) Discover(ctx context.Context, scope forge.Scope) iter.Seq2[fleet.Repository, error] {
	return func(yield func(fleet.Repository, error) bool) {
		var ids []int64
		var held []fleet.Repository
		flush := func() bool {
			told, err := f.heads(ctx, ids)
			if _, limited := forge.RetryAfter(err); limited || ctx.Err() != nil {
				yield(fleet.Repository{}, err)
				return false
			}
			for i, r := range held {
				if at := told[ids[i]]; at[0] == r.DefaultBranch {
					r.Head = at[1]
				}
				if !yield(r, nil) {
					return false
				}
			}
			ids, held = ids[:0], held[:0]
			return true
		}
		for p, err := range f.projects(ctx, scope) {
			if err != nil {
				yield(fleet.Repository{}, err)
				return
			}
			ids = append(ids, p.ID)
			held = append(held, fleet.Repository{Name: p.PathWithNamespace, URL: f.site.String() + "/" + p.PathWithNamespace + ".git", Forge: f.site.Host, DefaultBranch: p.DefaultBranch, Archived: p.Archived})
			if len(ids) == headsAtOnce && !flush() {
				return
			}
		}
		if len(ids) > 0 {
			flush()
		}
	}
}

// projects yields those of a scope that pass its filter.
func (f *Forge) projects(ctx context.Context, scope forge.Scope) iter.Seq2[*sdk.Project, error] {
	return func(yield func(*sdk.Project, error) bool) {
		pages := sdk.ListOptions{PerPage: 100, Page: 1}
		user := false
		for {
			var list []*sdk.Project
			var resp *sdk.Response
			var err error
			if user {
				list, resp, err = f.api.Projects.ListUserProjects(scope.Owner, &sdk.ListProjectsOptions{ListOptions: pages, OrderBy: sdk.Ptr("id"), Sort: sdk.Ptr("asc")}, sdk.WithContext(ctx))
			} else {
				opt := &sdk.ListGroupProjectsOptions{ListOptions: pages, IncludeSubGroups: sdk.Ptr(true), WithShared: sdk.Ptr(false), OrderBy: sdk.Ptr("id"), Sort: sdk.Ptr("asc")}
				if !scope.Archived {
					opt.Archived = sdk.Ptr(false)
				}
				list, resp, err = f.api.Groups.ListGroupProjects(scope.Owner, opt, sdk.WithContext(ctx))
			}
			err = transport.Error(ctx, err)
			if transport.StatusOf(err) == http.StatusNotFound && !user && !strings.Contains(scope.Owner, "/") {
				user = true
				continue
			}
			if transport.StatusOf(err) == http.StatusNotFound {
				err = &fleet.Error{Code: fleet.CodeNotFound, Message: "GitLab knows no group or user " + scope.Owner, Hint: "the credential may also lack the right to see it"}
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, p := range list {
				t := forge.Traits{Archived: p.Archived, Fork: p.ForkedFromProject != nil, Topics: p.Topics, Visibility: string(p.Visibility)}
				if p.Statistics != nil {
					t.Size = p.Statistics.RepositorySize
				}
				if scope.Takes(t) && !yield(p, nil) {
					return
				}
			}
			if !following(&pages, resp) {
				return
			}
		}
	}
}
