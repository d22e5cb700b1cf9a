package bitbucket

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// List implements forge.Lister. Without a repository it lists those that the credential's account made. Heads are as the
// host gives them in lists, which may be shortened.
func (f *Cloud) List(ctx context.Context, repo *fleet.Repository, states ...forge.State) iter.Seq2[forge.Pull, error] {
	var names []string
	for _, s := range states {
		names = append(names, map[forge.State][]string{forge.StateOpen: {"OPEN"}, forge.StateMerged: {"MERGED"}, forge.StateClosed: {"DECLINED", "SUPERSEDED"}}[s]...)
	}
	if repo == nil {
		return f.mine(ctx, query("", "-created_on", names...), states)
	}
	at, err := f.at(*repo, "/pullrequests"+query("", "-created_on", names...))
	if err != nil {
		return failed[forge.Pull](err)
	}
	return func(yield func(forge.Pull, error) bool) {
		for p, err := range pages[cloudPull](ctx, f, at) {
			if err != nil {
				yield(forge.Pull{}, f.missing(ctx, *repo, err, err))
				return
			}
			if pull := toPull(repo.Name, &p); wanted(states, pull) && !yield(pull, nil) {
				return
			}
		}
	}
}

// mine lists the account's pull requests of all its workspaces, newest first within each.
func (f *Cloud) mine(ctx context.Context, query string, states []forge.State) iter.Seq2[forge.Pull, error] {
	return func(yield func(forge.Pull, error) bool) {
		var me cloudUser
		if _, err := f.http.JSON(ctx, http.MethodGet, f.api.String()+"/user?fields=uuid", nil, &me); err != nil {
			yield(forge.Pull{}, err)
			return
		}
		type access struct{ Workspace struct{ Slug string } }
		for w, err := range pages[access](ctx, f, f.api.String()+"/user/workspaces?pagelen=100") {
			if err != nil {
				yield(forge.Pull{}, err)
				return
			}
			for p, err := range pages[cloudPull](ctx, f, f.authored(w.Workspace.Slug, me.UUID)+query) {
				if err != nil {
					yield(forge.Pull{}, err)
					return
				}
				if pull := toPull(p.Destination.Repository.FullName, &p); wanted(states, pull) && !yield(pull, nil) {
					return
				}
			}
		}
	}
}

func (f *Cloud) authored(workspace, uuid string) string {
	return f.api.String() + "/workspaces/" + url.PathEscape(workspace) + "/pullrequests/" + url.PathEscape(uuid)
}

// TellsHeads implements forge.HeadTeller.
func (f *Cloud) TellsHeads() bool { return true }

// Discover implements forge.Discoverer: one call for a hundred repositories of a workspace, or of a project as
// "workspace/KEY", with their heads.
func (f *Cloud) Discover(ctx context.Context, scope forge.Scope) iter.Seq2[fleet.Repository, error] {
	workspace, project, _ := strings.Cut(scope.Owner, "/")
	var q []string
	if project != "" {
		q = append(q, "project.key="+quote(project))
	}
	v := url.Values{"pagelen": {"100"}, "sort": {"created_on"}, "fields": {"next,values.full_name,values.is_private,values.size,values.parent.full_name,values.mainbranch.name,values.mainbranch.target.hash"}}
	if len(q) > 0 {
		v.Set("q", strings.Join(q, " AND "))
	}
	type repository struct {
		FullName   string `json:"full_name"`
		Private    bool   `json:"is_private"`
		Size       int64
		Parent     *struct{}
		MainBranch *struct {
			Name   string
			Target cloudCommit
		}
	}
	return func(yield func(fleet.Repository, error) bool) {
		for r, err := range pages[repository](ctx, f, f.api.String()+"/repositories/"+url.PathEscape(workspace)+"?"+v.Encode()) {
			if status := transport.StatusOf(err); status == http.StatusNotFound || status == http.StatusGone {
				err = &fleet.Error{Code: fleet.CodeNotFound, Message: "Bitbucket knows no workspace " + workspace, Hint: "the credential may also lack the right to see it"}
			}
			if err != nil {
				yield(fleet.Repository{}, err)
				return
			}
			t := forge.Traits{Fork: r.Parent != nil, Visibility: "public", Size: r.Size}
			if r.Private {
				t.Visibility = "private"
			}
			out := fleet.Repository{Name: r.FullName, URL: f.site.String() + "/" + r.FullName + ".git", Forge: f.site.Host}
			if b := r.MainBranch; b != nil {
				out.DefaultBranch = b.Name
				if len(b.Target.Hash) >= 40 {
					out.Head = b.Target.Hash
				}
			}
			if scope.Takes(t) && !yield(out, nil) {
				return
			}
		}
	}
}
