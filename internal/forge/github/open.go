package github

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	gh "github.com/google/go-github/v92/github"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// Open implements forge.Forge. A reviewer whom GitHub does not know there is left out, as the returned pull request shows.
// GraphQL makes a pull request and what it needs in two calls, where REST takes a call for each part; what GraphQL does
// not do as expected is left to REST, whose refusals are well known.
func (f *Forge) Open(ctx context.Context, spec forge.PullSpec) (forge.Pull, error) {
	spec, err := spec.Whole(mostTitle, most)
	if err != nil {
		return forge.Pull{}, err
	}
	owner, name, err := f.slug(spec.Repo)
	if err != nil {
		return forge.Pull{}, err
	}
	none := f.vacant(spec.Repo, spec.HeadBranch)
	if none == nil {
		p, vacancy, err := f.find(ctx, spec.Repo, spec.HeadBranch)
		if err != nil {
			return forge.Pull{}, err
		}
		if p != nil && p.State == forge.StateOpen {
			return f.update(ctx, spec, owner, name, *p)
		}
		none = vacancy
	}
	if none != nil {
		made, err := f.make(ctx, spec, none)
		if err != nil {
			return forge.Pull{}, err
		}
		if made != nil {
			return f.finish(ctx, spec, owner, name, made)
		}
	}
	p, _, err := f.api.PullRequests.Create(ctx, owner, name, gh.CreatePullRequest{
		Title: &spec.Title, Body: &spec.Body, Head: spec.HeadBranch, Base: spec.BaseBranch, Draft: &spec.Draft,
	})
	err = transport.Error(ctx, err)
	switch {
	case err == nil:
		return f.dress(ctx, spec, owner, name, toPull(spec.Repo, p), false)
	case transport.Says(err, "already exists"):
		p, _, err := f.find(ctx, spec.Repo, spec.HeadBranch)
		if err != nil {
			return forge.Pull{}, err
		}
		if p != nil && p.State == forge.StateOpen {
			return f.update(ctx, spec, owner, name, *p)
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
func (f *Forge) update(ctx context.Context, spec forge.PullSpec, owner, name string, p forge.Pull) (forge.Pull, error) {
	if p.Title != spec.Title || p.Body != spec.Body || p.BaseBranch != spec.BaseBranch {
		change := &gh.PullRequest{Title: &spec.Title, Body: &spec.Body}
		if p.BaseBranch != spec.BaseBranch {
			change.Base = &gh.PullRequestBranch{Ref: &spec.BaseBranch}
		}
		edited, _, err := f.api.PullRequests.Edit(ctx, owner, name, p.Number, change)
		if err != nil {
			return forge.Pull{}, readOnly(spec.Repo, transport.Error(ctx, err))
		}
		p = toPull(spec.Repo, edited)
	}
	return f.dress(ctx, spec, owner, name, p, true)
}

// dress adds the labels and reviewers that are missing.
func (f *Forge) dress(ctx context.Context, spec forge.PullSpec, owner, name string, pull forge.Pull, known bool) (forge.Pull, error) {
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
	wanted := forge.Lacking(append(slices.Clone(pull.Reviewers), pull.Author), spec.Reviewers) // GitHub asks nobody to review their own
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
		if slug, team := teamOf(w); team {
			ask.TeamReviewers = append(ask.TeamReviewers, slug)
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
