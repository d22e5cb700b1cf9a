package github

import (
	"context"
	"iter"
	"net/http"
	"slices"
	"strconv"

	gh "github.com/google/go-github/v92/github"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// most is GitHub's limit on the length of a body, in characters.
const most = 65536

// mostTitle is what GitHub takes of a title.
const mostTitle = 256

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
	if err := forge.SayWhy(ctx, f, repo, number, comment, most); err != nil {
		return err
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
