package azure

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// What the host takes, in characters.
const (
	MostTitle   = 400
	MostBody    = 4000
	mostComment = 150_000
)

func number(n int) string { return strconv.Itoa(n) }

// Find implements forge.Forge.
func (f *Forge) Find(ctx context.Context, repo fleet.Repository, branch string) (forge.Pull, error) {
	p, err := f.find(ctx, repo, branch, "")
	if err != nil {
		return forge.Pull{}, err
	}
	if p == nil {
		f.mu.Lock()
		if len(f.fresh) > 20000 {
			clear(f.fresh)
		}
		f.fresh[repo.URL+"\n"+branch] = true
		f.mu.Unlock()
		return forge.Pull{}, forge.NotFound(repo, "with head "+branch)
	}
	return f.toPull(repo, p), nil
}

// find returns the open pull request with that head, one into base where there are several, or else the newest; nil when
// there is none.
func (f *Forge) find(ctx context.Context, repo fleet.Repository, branch, base string) (*pullRequest, error) {
	at, err := f.place(repo)
	if err != nil {
		return nil, err
	}
	var list values[*pullRequest]
	q := url.Values{"searchCriteria.sourceRefName": {heads + branch}, "searchCriteria.status": {"all"}, "$top": {"100"}}
	if err := f.on(ctx, repo, http.MethodGet, "/pullrequests", q, nil, &list); err != nil {
		return nil, missing(repo, err, forge.NotFound(repo, "with head "+branch))
	}
	var best *pullRequest
	rank := func(p *pullRequest) int {
		switch {
		case p.Status == "active" && p.Target == heads+base:
			return 2
		case p.Status == "active":
			return 1
		}
		return 0
	}
	for _, p := range list.Value { // the newest come first
		if p.Source == heads+branch && p.Fork == nil && (best == nil || rank(p) > rank(best)) {
			best = p
		}
	}
	if best == nil {
		return nil, nil
	}
	f.learn(at, best.Repository)
	return f.get(ctx, repo, best.Number) // whole
}

type reference struct {
	ID string `json:"id"`
}

type newPull struct {
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Source      string      `json:"sourceRefName"`
	Target      string      `json:"targetRefName"`
	Draft       bool        `json:"isDraft"`
	Labels      []label     `json:"labels,omitempty"`
	Reviewers   []reference `json:"reviewers,omitempty"`
}

// Open implements forge.Forge. The host refuses a second one with the same head and base, so it is not asked first. A
// reviewer whom the host does not know, or does not take, is left out, as the returned pull request shows.
func (f *Forge) Open(ctx context.Context, spec forge.PullSpec) (forge.Pull, error) {
	spec, err := spec.Whole(MostTitle, MostBody)
	if err != nil {
		return forge.Pull{}, err
	}
	at, err := f.place(spec.Repo)
	if err != nil {
		return forge.Pull{}, err
	}
	reviewers, err := f.userIDs(ctx, spec.Reviewers)
	if err != nil {
		return forge.Pull{}, err
	}
	in := newPull{Title: spec.Title, Description: spec.Body, Source: heads + spec.HeadBranch, Target: heads + spec.BaseBranch, Draft: spec.Draft}
	for _, name := range forge.Lacking(nil, spec.Labels) {
		in.Labels = append(in.Labels, label{name})
	}
	for _, id := range reviewers {
		in.Reviewers = append(in.Reviewers, reference{id})
	}
	var p pullRequest
	create := func() error { return f.on(ctx, spec.Repo, http.MethodPost, "/pullrequests", nil, in, &p) }
	if err = create(); len(reviewers) > 0 && transport.StatusOf(err) == http.StatusBadRequest && transport.Says(err, "reviewer", "identity", "identities") {
		in.Reviewers, reviewers = nil, nil
		err = create()
	}
	f.mu.Lock()
	fresh := f.fresh[spec.Repo.URL+"\n"+spec.HeadBranch]
	delete(f.fresh, spec.Repo.URL+"\n"+spec.HeadBranch)
	f.mu.Unlock()
	switch {
	case err == nil:
		f.learn(at, p.Repository)
		// A branch that never had a pull request has been pushed because of what is new on it.
		if !fresh {
			if err := f.notEmpty(ctx, spec, p.Number); err != nil {
				return forge.Pull{}, err
			}
		}
		return f.dress(ctx, spec, &p, reviewers)
	case transport.Says(err, "GitPullRequestExists", "TF401179"):
		found, err := f.find(ctx, spec.Repo, spec.HeadBranch, spec.BaseBranch)
		if err != nil {
			return forge.Pull{}, err
		}
		if found == nil || found.Status != "active" {
			return forge.Pull{}, fleet.Errorf(fleet.CodeConflict, "a pull request with head %s came and went", spec.HeadBranch)
		}
		if err := f.notEmpty(ctx, spec, found.Number); err != nil {
			return forge.Pull{}, err
		}
		return f.update(ctx, spec, found, reviewers)
	case transport.Says(err, "GitPullRequestCannotBeActivated", "TF401398"):
		return forge.Pull{}, &fleet.Error{Code: fleet.CodeNotFound, Message: "repository " + spec.Repo.Name + " lacks branch " + spec.HeadBranch + " or " + spec.BaseBranch, Err: err}
	}
	return forge.Pull{}, missing(spec.Repo, err, err)
}

// notEmpty abandons a pull request again that changes nothing, which the host takes all the same.
func (f *Forge) notEmpty(ctx context.Context, spec forge.PullSpec, n int) error {
	var diff struct {
		Ahead int `json:"aheadCount"`
	}
	q := url.Values{"baseVersion": {spec.BaseBranch}, "baseVersionType": {"branch"}, "targetVersion": {spec.HeadBranch}, "targetVersionType": {"branch"}, "diffCommonCommit": {"true"}, "$top": {"1"}}
	if err := f.on(ctx, spec.Repo, http.MethodGet, "/diffs/commits", q, nil, &diff); err != nil {
		return missing(spec.Repo, err, err)
	}
	if diff.Ahead > 0 {
		return nil
	}
	if err := f.Close(ctx, spec.Repo, n, ""); err != nil {
		return err
	}
	return fleet.Errorf(fleet.CodeForge, "branch %s has no commit that %s lacks", spec.HeadBranch, spec.BaseBranch)
}

// update brings an open pull request up to the spec, and calls only where something differs.
func (f *Forge) update(ctx context.Context, spec forge.PullSpec, p *pullRequest, reviewers []string) (forge.Pull, error) {
	in := map[string]string{}
	for key, pair := range map[string][2]string{"title": {p.Title, spec.Title}, "description": {p.Description, spec.Body}, "targetRefName": {p.Target, heads + spec.BaseBranch}} {
		if pair[0] != pair[1] {
			in[key] = pair[1]
		}
	}
	if len(in) > 0 {
		var now pullRequest
		if err := f.on(ctx, spec.Repo, http.MethodPatch, "/pullrequests/"+number(p.Number), nil, in, &now); err != nil {
			return forge.Pull{}, missing(spec.Repo, err, forge.NotFound(spec.Repo, "#"+number(p.Number)))
		}
		p.Title, p.Description, p.Target = now.Title, now.Description, now.Target
	}
	return f.dress(ctx, spec, p, reviewers)
}

// dress adds the labels and reviewers that are missing: where the host took them with the pull request, none.
func (f *Forge) dress(ctx context.Context, spec forge.PullSpec, p *pullRequest, reviewers []string) (forge.Pull, error) {
	path := "/pullrequests/" + number(p.Number)
	pull := f.toPull(spec.Repo, p)
	for _, name := range forge.Lacking(pull.Labels, spec.Labels) {
		err := f.on(ctx, spec.Repo, http.MethodPost, path+"/labels", nil, label{name}, nil)
		if transport.StatusOf(err) == http.StatusBadRequest { // a name that the host does not take
			continue
		}
		if err != nil {
			return forge.Pull{}, missing(spec.Repo, err, err)
		}
		pull.Labels = append(pull.Labels, name)
	}
	for _, id := range reviewers {
		if id == p.Author.ID || slices.ContainsFunc(p.Reviewers, func(r person) bool { return r.ID == id }) {
			continue
		}
		var now person
		err := f.on(ctx, spec.Repo, http.MethodPut, path+"/reviewers/"+url.PathEscape(id), nil, map[string]any{"id": id, "vote": 0}, &now)
		switch transport.StatusOf(err) {
		case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound: // somebody whom the host does not take
			continue
		}
		if err != nil {
			return forge.Pull{}, err
		}
		pull.Reviewers = append(pull.Reviewers, now.name())
	}
	return pull, nil
}

// Get implements forge.Forge.
func (f *Forge) Get(ctx context.Context, repo fleet.Repository, n int) (forge.Pull, error) {
	p, err := f.get(ctx, repo, n)
	if err != nil {
		return forge.Pull{}, err
	}
	return f.toPull(repo, p), nil
}

func (f *Forge) get(ctx context.Context, repo fleet.Repository, n int) (*pullRequest, error) {
	at, err := f.place(repo)
	if err != nil {
		return nil, err
	}
	var p pullRequest
	if err := f.on(ctx, repo, http.MethodGet, "/pullrequests/"+number(n), nil, nil, &p); err != nil {
		return nil, missing(repo, err, forge.NotFound(repo, "#"+number(n)))
	}
	f.learn(at, p.Repository)
	return &p, nil
}

// Close implements forge.Forge. The comment comes first, so that a pull request is never closed without its reason.
func (f *Forge) Close(ctx context.Context, repo fleet.Repository, n int, comment string) error {
	p, err := f.get(ctx, repo, n)
	if err != nil || p.Status != "active" {
		return err
	}
	if err := forge.SayWhy(ctx, f, repo, n, comment, mostComment); err != nil {
		return err
	}
	err = f.on(ctx, repo, http.MethodPatch, "/pullrequests/"+number(n), nil, map[string]string{"status": "abandoned"}, nil)
	if transport.StatusOf(err) == http.StatusBadRequest { // somebody was faster
		if p, look := f.get(ctx, repo, n); look != nil || p.Status != "active" {
			return look
		}
	}
	return missing(repo, err, forge.NotFound(repo, "#"+number(n)))
}
