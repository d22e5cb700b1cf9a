package github

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v92/github"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// most is GitHub's limit on the length of a body, in characters.
const most = 65536

// Find implements forge.Forge.
func (f *Forge) Find(ctx context.Context, repo fleet.Repository, branch string) (forge.Pull, error) {
	owner, name, err := f.slug(repo)
	if err != nil {
		return forge.Pull{}, err
	}
	p, err := f.find(ctx, repo, owner, name, branch)
	if err != nil {
		return forge.Pull{}, err
	}
	if p == nil {
		f.mu.Lock()
		f.absent[repo.URL+"\n"+branch] = time.Now()
		f.mu.Unlock()
		return forge.Pull{}, forge.NotFound(repo, "with head "+branch)
	}
	return toPull(repo, p), nil
}

// find returns the open pull request with that head, or else the newest; nil when there is none.
func (f *Forge) find(ctx context.Context, repo fleet.Repository, owner, name, branch string) (*gh.PullRequest, error) {
	for range 2 {
		list, resp, err := f.api.PullRequests.List(ctx, owner, name, &gh.PullRequestListOptions{State: "all", Head: owner + ":" + branch, Sort: "created", Direction: "desc", ListOptions: gh.ListOptions{PerPage: 30}})
		if err = transport.Error(ctx, err); err != nil {
			return nil, f.missing(ctx, repo, owner, name, err, forge.NotFound(repo, "with head "+branch))
		}
		list = slices.DeleteFunc(list, func(p *gh.PullRequest) bool { return p.GetHead().GetRef() != branch })
		if i := slices.IndexFunc(list, func(p *gh.PullRequest) bool { return p.GetState() == "open" }); i >= 0 {
			return list[i], nil
		}
		if len(list) > 0 {
			return list[0], nil
		}
		// The filter wants the owner's present name, so an empty list from a repository that moved says nothing.
		if resp.Request == nil || strings.Contains(resp.Request.URL.Path, "/repos/"+owner+"/"+name+"/") {
			return nil, nil
		}
		r, _, err := f.api.Repositories.Get(ctx, owner, name)
		if err = transport.Error(ctx, err); err != nil {
			return nil, err
		}
		owner, name = r.GetOwner().GetLogin(), r.GetName()
	}
	return nil, nil
}

// isAbsent says whether Find looked a moment ago and saw none, and forgets it.
func (f *Forge) isAbsent(repo fleet.Repository, branch string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := repo.URL + "\n" + branch
	at, ok := f.absent[key]
	delete(f.absent, key)
	for k, at := range f.absent {
		if time.Since(at) > time.Hour {
			delete(f.absent, k)
		}
	}
	return ok && time.Since(at) < time.Minute
}

// Open implements forge.Forge. A reviewer whom GitHub does not know there is left out, as the returned pull request shows.
func (f *Forge) Open(ctx context.Context, spec forge.PullSpec) (forge.Pull, error) {
	spec.Title = strings.TrimSpace(spec.Title)
	if spec.BaseBranch == "" {
		spec.BaseBranch = spec.Repo.DefaultBranch
	}
	if spec.Title == "" || spec.HeadBranch == "" || spec.BaseBranch == "" || spec.HeadBranch == spec.BaseBranch {
		return forge.Pull{}, fleet.Errorf(fleet.CodeInvalid, "a pull request needs a title, a head branch and another base branch")
	}
	spec.Body = forge.Clip(spec.Body, most)
	owner, name, err := f.slug(spec.Repo)
	if err != nil {
		return forge.Pull{}, err
	}
	if !f.isAbsent(spec.Repo, spec.HeadBranch) {
		p, err := f.find(ctx, spec.Repo, owner, name, spec.HeadBranch)
		if err != nil {
			return forge.Pull{}, err
		}
		if p != nil && p.GetState() == "open" {
			return f.update(ctx, spec, owner, name, p)
		}
	}
	p, _, err := f.api.PullRequests.Create(ctx, owner, name, gh.CreatePullRequest{
		Title: &spec.Title, Body: &spec.Body, Head: spec.HeadBranch, Base: spec.BaseBranch, Draft: &spec.Draft,
	})
	err = transport.Error(ctx, err)
	switch {
	case err == nil:
		return f.dress(ctx, spec, owner, name, p, false)
	case transport.Says(err, "already exists"):
		if p, err = f.find(ctx, spec.Repo, owner, name, spec.HeadBranch); err != nil {
			return forge.Pull{}, err
		}
		if p != nil && p.GetState() == "open" {
			return f.update(ctx, spec, owner, name, p)
		}
		return forge.Pull{}, fleet.Errorf(fleet.CodeConflict, "a pull request with head %s came and went", spec.HeadBranch)
	case transport.Says(err, "no commits between"):
		return forge.Pull{}, &fleet.Error{Code: fleet.CodeForge, Message: "branch " + spec.HeadBranch + " has no commit that " + spec.BaseBranch + " lacks", Err: err}
	case transport.StatusOf(err) == http.StatusUnprocessableEntity && transport.Says(err, `"field":"head"`, `"field":"base"`, `"field": "head"`, `"field": "base"`):
		return forge.Pull{}, &fleet.Error{Code: fleet.CodeNotFound, Message: "repository " + spec.Repo.Name + " lacks branch " + spec.HeadBranch + " or " + spec.BaseBranch, Err: err}
	}
	return forge.Pull{}, f.missing(ctx, spec.Repo, owner, name, err, fleet.Errorf(fleet.CodeForgeAuth, "the credential may not open pull requests in %s", spec.Repo.Name))
}

// update brings an open pull request up to the spec, and calls only where something differs.
func (f *Forge) update(ctx context.Context, spec forge.PullSpec, owner, name string, p *gh.PullRequest) (forge.Pull, error) {
	if p.GetTitle() != spec.Title || p.GetBody() != spec.Body || p.GetBase().GetRef() != spec.BaseBranch {
		change := &gh.PullRequest{Title: &spec.Title, Body: &spec.Body}
		if p.GetBase().GetRef() != spec.BaseBranch {
			change.Base = &gh.PullRequestBranch{Ref: &spec.BaseBranch}
		}
		var err error
		if p, _, err = f.api.PullRequests.Edit(ctx, owner, name, p.GetNumber(), change); err != nil {
			return forge.Pull{}, readOnly(spec.Repo, transport.Error(ctx, err))
		}
	}
	return f.dress(ctx, spec, owner, name, p, true)
}

// dress adds the labels and reviewers that are missing.
func (f *Forge) dress(ctx context.Context, spec forge.PullSpec, owner, name string, p *gh.PullRequest, known bool) (forge.Pull, error) {
	pull := toPull(spec.Repo, p)
	if labels := forge.Lacking(pull.Labels, spec.Labels); len(labels) > 0 {
		all, err := f.addLabels(ctx, owner, name, pull.Number, labels)
		if err != nil {
			return forge.Pull{}, err
		}
		pull.Labels = nil
		for _, l := range all {
			pull.Labels = append(pull.Labels, l.GetName())
		}
	}
	wanted := forge.Lacking(append(pull.Reviewers, pull.Author), spec.Reviewers) // GitHub asks nobody to review their own
	if known && len(wanted) > 0 {
		// Who has reviewed is no longer requested, and is not to be asked again.
		reviews, _, err := f.api.PullRequests.ListReviews(ctx, owner, name, pull.Number, &gh.ListOptions{PerPage: 100})
		if err = transport.Error(ctx, err); err != nil {
			return forge.Pull{}, err
		}
		var done []string
		for _, r := range reviews {
			done = append(done, r.GetUser().GetLogin())
		}
		wanted = forge.Lacking(done, wanted)
	}
	if len(wanted) == 0 {
		return pull, nil
	}
	var ask gh.ReviewersRequest
	for _, w := range wanted {
		if _, team, ok := strings.Cut(w, "/"); ok {
			ask.TeamReviewers = append(ask.TeamReviewers, team)
		} else {
			ask.Reviewers = append(ask.Reviewers, w)
		}
	}
	asked, _, err := f.api.PullRequests.RequestReviewers(ctx, owner, name, pull.Number, ask)
	if err = transport.Error(ctx, err); err != nil {
		if transport.StatusOf(err) == http.StatusUnprocessableEntity {
			return pull, nil
		}
		return forge.Pull{}, err
	}
	pull.Reviewers = requested(asked)
	return pull, nil
}

// addLabels sends the object that GitHub describes, where the library sends a bare list.
func (f *Forge) addLabels(ctx context.Context, owner, name string, number int, labels []string) (all []*gh.Label, err error) {
	req, err := f.api.NewRequest(ctx, http.MethodPost, fmt.Sprintf("repos/%s/%s/issues/%d/labels", owner, name, number), map[string]any{"labels": labels})
	if err == nil {
		_, err = f.api.Do(req, &all)
	}
	return all, transport.Error(ctx, err)
}

// Get implements forge.Forge.
func (f *Forge) Get(ctx context.Context, repo fleet.Repository, number int) (forge.Pull, error) {
	_, _, p, err := f.get(ctx, repo, number)
	if err != nil {
		return forge.Pull{}, err
	}
	return toPull(repo, p), nil
}

func (f *Forge) get(ctx context.Context, repo fleet.Repository, number int) (owner, name string, p *gh.PullRequest, err error) {
	if owner, name, err = f.slug(repo); err != nil {
		return "", "", nil, err
	}
	p, _, err = f.api.PullRequests.Get(ctx, owner, name, number)
	if err = transport.Error(ctx, err); err != nil {
		err = f.missing(ctx, repo, owner, name, err, forge.NotFound(repo, "#"+strconv.Itoa(number)))
	}
	return owner, name, p, err
}

// Close implements forge.Forge. The comment comes first, so that a pull request is never closed without its reason.
func (f *Forge) Close(ctx context.Context, repo fleet.Repository, number int, comment string) error {
	owner, name, p, err := f.get(ctx, repo, number)
	if err != nil || p.GetState() != "open" {
		return err
	}
	if comment != "" {
		said, err := f.Comments(ctx, repo, number)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(said, func(c forge.Comment) bool { return c.Body == comment }) {
			if err := f.AddComment(ctx, repo, number, comment); err != nil {
				return err
			}
		}
	}
	_, _, err = f.api.PullRequests.Edit(ctx, owner, name, number, &gh.PullRequest{State: new("closed")})
	return readOnly(repo, transport.Error(ctx, err))
}

// Merge implements forge.Forge. A branch that demands a merge queue gets the pull request through that.
func (f *Forge) Merge(ctx context.Context, repo fleet.Repository, number int, spec forge.MergeSpec) error {
	if spec.Method == "" {
		spec.Method = forge.MethodMerge
	}
	if !slices.Contains([]forge.Method{forge.MethodMerge, forge.MethodSquash, forge.MethodRebase}, spec.Method) {
		return fleet.Errorf(fleet.CodeInvalid, "there is no merge method %s", spec.Method)
	}
	owner, name, err := f.slug(repo)
	if err != nil {
		return err
	}
	_, _, err = f.api.PullRequests.Merge(ctx, owner, name, number, "", &gh.PullRequestOptions{MergeMethod: string(spec.Method), SHA: spec.ExpectHead})
	err = transport.Error(ctx, err)
	switch transport.StatusOf(err) {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusForbidden:
	default:
		return err
	}
	_, _, p, look := f.get(ctx, repo, number)
	if look != nil {
		return look
	}
	refusal := refused(number, p, spec, err)
	if fleet.CodeOf(refusal) == fleet.CodeProtected && transport.Says(err, "merge queue") {
		return f.enqueue(ctx, p, spec)
	}
	return refusal
}

// refused says why GitHub would not merge.
func refused(number int, p *gh.PullRequest, spec forge.MergeSpec, err error) error {
	at := "pull request #" + strconv.Itoa(number)
	say := func(code fleet.Code, message string) error {
		return &fleet.Error{Code: code, Message: message, Err: err}
	}
	switch {
	case p.MergedAt != nil || p.GetMerged():
		return nil
	case p.GetState() != "open":
		return say(fleet.CodeConflict, at+" is closed")
	case spec.ExpectHead != "" && p.GetHead().GetSHA() != spec.ExpectHead:
		return say(fleet.CodeConflict, "the head of "+at+" moved")
	case p.GetDraft():
		return say(fleet.CodeForge, at+" is a draft")
	case transport.Says(err, "merge commits are not allowed", "squash merges are not allowed", "rebase merges are not allowed"):
		return &fleet.Error{Code: fleet.CodeUnsupported, Message: "the repository does not allow the merge method " + string(spec.Method), Err: forge.ErrUnsupported}
	case transport.Says(err, "base branch was modified", "head branch was modified"):
		return say(fleet.CodeConflict, "a branch of "+at+" moved")
	case dirty(p):
		return say(fleet.CodeMergeConflict, at+" conflicts with its base")
	case p.Mergeable == nil && transport.Says(err, "not mergeable"): // GitHub is still finding out
		return &fleet.Error{Code: fleet.CodeForge, Message: "GitHub does not know yet whether " + at + " can be merged", Err: forge.ErrPassing}
	case p.GetMergeableState() == "blocked" || transport.Says(err, "protected", "required", "review", "rule", "merge queue"):
		return say(fleet.CodeProtected, "the rules of the base branch hold "+at+" back")
	}
	return err
}

// List implements forge.Lister. Without a repository it lists those that the credential's account made.
func (f *Forge) List(ctx context.Context, repo *fleet.Repository, states ...forge.State) iter.Seq2[forge.Pull, error] {
	if repo == nil {
		return f.listOwn(ctx, states)
	}
	return func(yield func(forge.Pull, error) bool) {
		owner, name, err := f.slug(*repo)
		if err != nil {
			yield(forge.Pull{}, err)
			return
		}
		opt := &gh.PullRequestListOptions{State: "all", Sort: "created", Direction: "desc", ListOptions: gh.ListOptions{PerPage: 100}}
		if slices.Equal(states, []forge.State{forge.StateOpen}) {
			opt.State = "open"
		}
		for {
			list, resp, err := f.api.PullRequests.List(ctx, owner, name, opt)
			if err = transport.Error(ctx, err); err != nil {
				yield(forge.Pull{}, f.missing(ctx, *repo, owner, name, err, err))
				return
			}
			for _, p := range list {
				if pull := toPull(*repo, p); (len(states) == 0 || slices.Contains(states, pull.State)) && !yield(pull, nil) {
					return
				}
			}
			if opt.Page = resp.NextPage; opt.Page == 0 {
				return
			}
		}
	}
}

// AddComment implements forge.Commenter.
func (f *Forge) AddComment(ctx context.Context, repo fleet.Repository, number int, body string) error {
	owner, name, err := f.slug(repo)
	if err != nil {
		return err
	}
	_, _, err = f.api.Issues.CreateComment(ctx, owner, name, number, gh.IssueCommentRequest{Body: forge.Clip(body, most)})
	return readOnly(repo, transport.Error(ctx, err))
}

// Comments implements forge.Commenter.
func (f *Forge) Comments(ctx context.Context, repo fleet.Repository, number int) ([]forge.Comment, error) {
	owner, name, err := f.slug(repo)
	if err != nil {
		return nil, err
	}
	var all []forge.Comment
	opt := &gh.IssueListCommentsOptions{ListOptions: gh.ListOptions{PerPage: 100}}
	for {
		list, resp, err := f.api.Issues.ListComments(ctx, owner, name, number, opt)
		if err = transport.Error(ctx, err); err != nil {
			return nil, f.missing(ctx, repo, owner, name, err, forge.NotFound(repo, "#"+strconv.Itoa(number)))
		}
		for _, c := range list {
			all = append(all, forge.Comment{Author: c.GetUser().GetLogin(), Body: c.GetBody(), CreatedAt: c.GetCreatedAt().Time})
		}
		if opt.Page = resp.NextPage; opt.Page == 0 {
			return all, nil
		}
	}
}

// DeleteBranch implements forge.BranchDeleter.
func (f *Forge) DeleteBranch(ctx context.Context, repo fleet.Repository, branch, expect string) error {
	owner, name, err := f.slug(repo)
	if err != nil {
		return err
	}
	ref, _, err := f.api.Git.GetRef(ctx, owner, name, "heads/"+branch)
	if err = transport.Error(ctx, err); transport.StatusOf(err) == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if at := ref.GetObject().GetSHA(); expect != "" && at != expect {
		return fleet.Errorf(fleet.CodeConflict, "branch %s moved to %s", branch, at)
	}
	_, err = f.api.Git.DeleteRef(ctx, owner, name, "heads/"+branch)
	if err = transport.Error(ctx, err); transport.StatusOf(err) == http.StatusUnprocessableEntity {
		return nil // somebody was faster
	}
	return readOnly(repo, err)
}
