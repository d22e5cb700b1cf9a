package gitea

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// Find implements forge.Forge. In a repository where the account never made a pull request there is none to find, which
// costs no call: one that another account made is met by Open.
func (f *Forge) Find(ctx context.Context, repo fleet.Repository, branch string) (forge.Pull, error) {
	fresh, err := f.isFresh(ctx, repo)
	if err != nil {
		return forge.Pull{}, err
	}
	if fresh {
		return forge.Pull{}, forge.NotFound(repo, "with head "+branch)
	}
	p, err := f.find(ctx, repo, repo.DefaultBranch, branch)
	if err != nil {
		return forge.Pull{}, err
	}
	if p == nil {
		return forge.Pull{}, forge.NotFound(repo, "with head "+branch)
	}
	return f.pull(repo, p, ""), nil
}

// find returns the open pull request with that head, or else the newest; nil when there is none. The server looks one
// up by base and head, whichever it meets first, so only one that is open, or none at all, settles it in one call.
func (f *Forge) find(ctx context.Context, repo fleet.Repository, base, branch string) (*sdk.PullRequest, error) {
	api, owner, name, err := f.at(ctx, repo)
	if err != nil {
		return nil, err
	}
	if base != "" {
		p, _, err := api.GetPullRequestByBaseHead(owner, name, base, branch)
		err = transport.Error(ctx, err)
		switch {
		case err == nil && p.State == sdk.StateOpen:
			return p, nil
		case transport.StatusOf(err) == http.StatusNotFound:
			return nil, f.none(ctx, repo, err)
		case err != nil:
			return nil, err
		}
	}
	var newest *sdk.PullRequest
	pages := newPager()
	for {
		list, resp, err := api.ListRepoPullRequests(owner, name, sdk.ListPullRequestsOptions{ListOptions: pages.ListOptions, State: sdk.StateAll})
		if err = transport.Error(ctx, err); err != nil {
			return nil, f.missing(ctx, repo, err, forge.NotFound(repo, "with head "+branch))
		}
		for _, p := range list { // the newest come first
			if p.Head == nil || p.Head.Ref != branch || p.Base == nil || p.Head.RepoID != p.Base.RepoID {
				continue
			}
			if p.State == sdk.StateOpen || base != "" {
				return p, nil
			}
			if newest == nil {
				newest = p
			}
		}
		if !pages.next(resp, len(list)) {
			return newest, nil
		}
	}
}

// none is nil where a 404 only says that there is no such pull request. The server words that of a repository alike, so
// a body that says nothing costs a second call.
func (f *Forge) none(ctx context.Context, repo fleet.Repository, err error) error {
	if transport.Says(err, "pull request does not exist", "pull_request") {
		return nil
	}
	absent := forge.NotFound(repo, "")
	if err = f.missing(ctx, repo, err, absent); err == absent {
		return nil
	}
	return err
}

// mostTitle is what the server takes of a title, behind the word that marks a draft.
const mostTitle = 255 - len("WIP: ")

// Open implements forge.Forge. A reviewer whom the server does not take is left out, as the returned pull request shows.
func (f *Forge) Open(ctx context.Context, spec forge.PullSpec) (forge.Pull, error) {
	spec, err := spec.Whole(mostTitle, 0)
	if err != nil {
		return forge.Pull{}, err
	}
	api, owner, name, err := f.at(ctx, spec.Repo)
	if err != nil {
		return forge.Pull{}, err
	}
	ids, err := f.labelIDs(ctx, spec.Repo, spec.Labels)
	if err != nil {
		return forge.Pull{}, err
	}
	title := spec.Title
	if spec.Draft {
		title = wip + title
	}
	// The server refuses a second one with the same head and base, so asking first would only cost a call. It looks and then
	// makes, though, so two requests at once make two.
	defer f.alone(memoryKey(owner+"/"+name, 0) + spec.HeadBranch)()
	opt := sdk.CreatePullRequestOption{Head: spec.HeadBranch, Base: spec.BaseBranch, Title: title, Body: spec.Body, Labels: ids, Reviewers: spec.Reviewers}
	p, _, err := api.CreatePullRequest(owner, name, opt)
	err = transport.Error(ctx, err)
	f.met(owner + "/" + name) // also where the answer was lost
	if transport.StatusOf(err) == http.StatusUnprocessableEntity && transport.Says(err, "reviewer", "user does not exist") || transport.StatusOf(err) == http.StatusNotFound && len(spec.Reviewers) > 0 && transport.Says(err, "user") {
		opt.Reviewers, spec.Reviewers = nil, nil
		p, _, err = api.CreatePullRequest(owner, name, opt)
		err = transport.Error(ctx, err)
	}
	switch status := transport.StatusOf(err); {
	case err == nil && p.Head != nil && p.Head.Sha != "" && p.Head.Sha == p.MergeBase:
		if err := f.Close(ctx, spec.Repo, int(p.Index), ""); err != nil {
			return forge.Pull{}, err
		}
		return forge.Pull{}, nothing(spec, nil) // newer servers make empty ones
	case err == nil:
		return f.dress(ctx, spec, p, ids)
	case status == http.StatusConflict || transport.Says(err, "already exists"):
		if p, err = f.find(ctx, spec.Repo, spec.BaseBranch, spec.HeadBranch); err != nil {
			return forge.Pull{}, err
		}
		if p == nil || p.State != sdk.StateOpen {
			return forge.Pull{}, fleet.Errorf(fleet.CodeConflict, "a pull request with head %s came and went", spec.HeadBranch)
		}
		return f.update(ctx, spec, p, ids)
	case transport.Says(err, "no changes", "nothing to compare", "no commits"):
		return forge.Pull{}, nothing(spec, err)
	default:
		if status == http.StatusNotFound {
			if _, _, look := api.GetRepoBranch(owner, name, spec.HeadBranch); look == nil { // a busy server takes what it cannot read now for missing
				return forge.Pull{}, &fleet.Error{Code: fleet.CodeForge, Message: "the forge does not find branch " + spec.HeadBranch + " although it has it", Err: errors.Join(forge.ErrPassing, err)}
			}
		}
		return forge.Pull{}, f.missing(ctx, spec.Repo, err, fleet.Errorf(fleet.CodeNotFound, "repository %s lacks branch %s or %s", spec.Repo.Name, spec.HeadBranch, spec.BaseBranch))
	}
}

// update brings an open pull request up to the spec, and calls only where something differs.
func (f *Forge) update(ctx context.Context, spec forge.PullSpec, p *sdk.PullRequest, ids []int64) (forge.Pull, error) {
	now := toPull(spec.Repo, p)
	if now.Title != spec.Title || now.Body != spec.Body || now.BaseBranch != spec.BaseBranch {
		api, owner, name, err := f.at(ctx, spec.Repo)
		if err != nil {
			return forge.Pull{}, err
		}
		opt := sdk.EditPullRequestOption{Title: spec.Title, Body: &spec.Body}
		if now.Draft {
			opt.Title = wip + spec.Title
		}
		if now.BaseBranch != spec.BaseBranch {
			opt.Base = spec.BaseBranch
		}
		p, _, err = api.EditPullRequest(owner, name, p.Index, opt)
		if err = transport.Error(ctx, err); err != nil {
			return forge.Pull{}, f.missing(ctx, spec.Repo, err, forge.NotFound(spec.Repo, "#"+strconv.Itoa(now.Number)))
		}
	}
	return f.dress(ctx, spec, p, ids)
}

// dress adds the labels and reviewers that are missing: on a server that takes them when a pull request is made, none.
func (f *Forge) dress(ctx context.Context, spec forge.PullSpec, p *sdk.PullRequest, ids []int64) (forge.Pull, error) {
	pull := toPull(spec.Repo, p)
	api, owner, name, err := f.at(ctx, spec.Repo)
	if err != nil {
		return forge.Pull{}, err
	}
	if len(forge.Lacking(pull.Labels, spec.Labels)) > 0 {
		all, _, err := api.AddIssueLabels(owner, name, p.Index, sdk.IssueLabelsOption{Labels: ids})
		if err = transport.Error(ctx, err); err != nil {
			f.forgetLabels(owner + "/" + name)
			return forge.Pull{}, err
		}
		pull.Labels = nil
		for _, l := range all {
			pull.Labels = append(pull.Labels, l.Name)
		}
	}
	wanted := forge.Lacking(append(slices.Clone(pull.Reviewers), pull.Author), spec.Reviewers)
	if len(wanted) == 0 {
		return pull, nil
	}
	reviews, _, err := api.ListPullReviews(owner, name, p.Index, sdk.ListPullReviewsOptions{})
	if err = transport.Error(ctx, err); err != nil {
		return forge.Pull{}, err
	}
	var done []string // who has reviewed is not asked again
	for _, r := range reviews {
		if r.Reviewer != nil && r.State != sdk.ReviewStateRequestReview {
			done = append(done, r.Reviewer.UserName)
		}
	}
	if wanted = forge.Lacking(done, wanted); len(wanted) == 0 {
		return pull, nil
	}
	_, err = api.CreateReviewRequests(owner, name, p.Index, sdk.PullReviewRequestOptions{Reviewers: wanted})
	switch err = transport.Error(ctx, err); {
	case err == nil:
		pull.Reviewers = append(pull.Reviewers, wanted...)
	case transport.StatusOf(err) != http.StatusUnprocessableEntity && transport.StatusOf(err) != http.StatusNotFound:
		return forge.Pull{}, err
	}
	return pull, nil
}

// Get implements forge.Forge.
func (f *Forge) Get(ctx context.Context, repo fleet.Repository, number int) (forge.Pull, error) {
	p, err := f.get(ctx, repo, number)
	if err != nil {
		return forge.Pull{}, err
	}
	return f.pull(repo, p, ""), nil
}

func (f *Forge) get(ctx context.Context, repo fleet.Repository, number int) (*sdk.PullRequest, error) {
	api, owner, name, err := f.at(ctx, repo)
	if err != nil {
		return nil, err
	}
	p, _, err := api.GetPullRequest(owner, name, int64(number))
	if err = transport.Error(ctx, err); err != nil {
		return nil, f.missing(ctx, repo, err, forge.NotFound(repo, "#"+strconv.Itoa(number)))
	}
	if p.Base != nil {
		f.mu.Lock()
		f.slugs[p.Base.RepoID] = strings.ToLower(owner + "/" + name)
		f.mu.Unlock()
	}
	return p, nil
}

// Close implements forge.Forge. The comment comes first, so that a pull request is never closed without its reason.
func (f *Forge) Close(ctx context.Context, repo fleet.Repository, number int, comment string) error {
	p, err := f.get(ctx, repo, number)
	if err != nil || p.State != sdk.StateOpen {
		return err
	}
	if err := forge.SayWhy(ctx, f, repo, number, comment, 0); err != nil {
		return err
	}
	api, owner, name, err := f.at(ctx, repo)
	if err != nil {
		return err
	}
	closed := sdk.StateClosed
	_, _, err = api.EditPullRequest(owner, name, int64(number), sdk.EditPullRequestOption{State: &closed})
	return f.missing(ctx, repo, transport.Error(ctx, err), forge.NotFound(repo, "#"+strconv.Itoa(number)))
}

func nothing(spec forge.PullSpec, err error) error {
	return &fleet.Error{Code: fleet.CodeForge, Message: "branch " + spec.HeadBranch + " has no commit that " + spec.BaseBranch + " lacks", Err: err}
}

// alone waits until nobody else of this process works on a branch.
func (f *Forge) alone(key string) (done func()) {
	f.mu.Lock()
	gate := f.gates[key]
	if gate == nil {
		gate = &sync.Mutex{}
		f.gates[key] = gate
	}
	f.mu.Unlock()
	gate.Lock()
	return gate.Unlock
}

// Merge implements forge.Forge. A server that is still finding out whether a pull request can be merged says the same as of
// a conflict, so it is looked at a few times, and a conflict is one that the server has spoken of for longer than it needs.
func (f *Forge) Merge(ctx context.Context, repo fleet.Repository, number int, spec forge.MergeSpec) error {
	style := map[forge.Method]sdk.MergeStyle{"": sdk.MergeStyleMerge, forge.MethodMerge: sdk.MergeStyleMerge, forge.MethodSquash: sdk.MergeStyleSquash, forge.MethodRebase: sdk.MergeStyleRebase}[spec.Method]
	if style == "" {
		return fleet.Errorf(fleet.CodeInvalid, "there is no merge method %s", spec.Method)
	}
	slug, err := forge.Slug(repo, f.site.Path)
	if err != nil {
		return err
	}
	defer f.alone(memoryKey(slug, number))() // two at once are both made
	for looks := 0; ; looks++ {
		// Over JSON, for the library drops the words of a refusal.
		path, err := f.path(repo, "/pulls/"+strconv.Itoa(number)+"/merge")
		if err != nil {
			return err
		}
		_, err = f.http.JSON(ctx, http.MethodPost, path, sdk.MergePullRequestOption{Style: style, HeadCommitId: spec.ExpectHead}, nil)
		switch transport.StatusOf(err) {
		case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusForbidden, http.StatusLocked:
		default:
			return err
		}
		p, look := f.get(ctx, repo, number)
		if look != nil {
			return look
		}
		refusal := refused(p, spec, err, f.pull(repo, p, "").Conflicts)
		if refusal == nil || !busy(err) || looks >= 3 {
			return refusal
		}
		select {
		case <-time.After(400 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// busy says that the same merge may go through in a moment: the server has not compared the branches yet, or the base
// moved while it merged.
func busy(err error) bool {
	return transport.Says(err, "try again later", "cannot lock ref", "incorrect old value", "push out of date")
}

// refused says why the server would not merge. conflicts: it is known to conflict.
func refused(p *sdk.PullRequest, spec forge.MergeSpec, err error, conflicts bool) error {
	at := "pull request #" + strconv.FormatInt(p.Index, 10)
	say := func(code fleet.Code, message string) error {
		return &fleet.Error{Code: code, Message: message, Err: err}
	}
	switch {
	case p.HasMerged:
		return nil
	case p.State != sdk.StateOpen:
		return say(fleet.CodeConflict, at+" is closed")
	case spec.ExpectHead != "" && p.Head != nil && p.Head.Sha != spec.ExpectHead:
		return say(fleet.CodeConflict, "the head of "+at+" moved")
	case p.Draft || cutDraft(p.Title) != p.Title:
		return say(fleet.CodeForge, at+" is a draft")
	case transport.Says(err, "head out of date"):
		return say(fleet.CodeConflict, "the head of "+at+" moved")
	case transport.Says(err, "protected", "approvals", "required status", "not allowed to merge", "official review"):
		return say(fleet.CodeProtected, "the rules of the base branch hold "+at+" back")
	case transport.Says(err, "merge style"):
		return &fleet.Error{Code: fleet.CodeUnsupported, Message: "the repository does not allow the merge method " + string(spec.Method), Err: forge.ErrUnsupported}
	case transport.StatusOf(err) == http.StatusConflict && !busy(err), conflicts:
		return say(fleet.CodeMergeConflict, at+" conflicts with its base")
	case busy(err), !p.Mergeable:
		return &fleet.Error{Code: fleet.CodeForge, Message: "the forge cannot merge " + at + " right now", Err: forge.ErrPassing}
	}
	return err
}
