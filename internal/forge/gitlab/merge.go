package gitlab

import (
	"context"
	"net/http"
	"strconv"
	"time"

	sdk "gitlab.com/gitlab-org/api/client-go/v2"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// Merge implements forge.Forge. GitLab finds out in the background whether something can be merged, and refuses meanwhile,
// so it is looked at a few times. One whose checks must pass and still run is left to GitLab to merge; a project with merge
// trains gets it on the train.
func (f *Forge) Merge(ctx context.Context, repo fleet.Repository, number int, spec forge.MergeSpec) error {
	opt := &sdk.AcceptMergeRequestOptions{}
	switch spec.Method {
	case "", forge.MethodMerge:
		opt.Squash = sdk.Ptr(false)
	case forge.MethodSquash:
		opt.Squash = sdk.Ptr(true)
	case forge.MethodRebase:
		return forge.Unsupported("a GitLab project's settings say how it merges: rebasing cannot be asked for")
	default:
		return fleet.Errorf(fleet.CodeInvalid, "there is no merge method %s", spec.Method)
	}
	if spec.ExpectHead != "" {
		opt.SHA = &spec.ExpectHead
	}
	train, err := f.runsTrain(ctx, repo)
	if err != nil {
		return err
	}
	if train {
		return f.board(ctx, repo, number, spec)
	}
	for looks := 0; ; looks++ {
		var merged *sdk.MergeRequest
		err := f.change(ctx, repo, func(pid any) (err error) {
			merged, _, err = f.api.MergeRequests.AcceptMergeRequest(pid, int64(number), opt, sdk.WithContext(ctx))
			return err
		})
		if err == nil && merged.State == "opened" && merged.MergeWhenPipelineSucceeds {
			return forge.Queued(number, "merged once its pipeline has passed")
		}
		switch transport.StatusOf(err) {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusConflict, http.StatusUnprocessableEntity:
		default:
			return err
		}
		m, look := f.get(ctx, repo, number)
		if look != nil {
			return look
		}
		refusal := refused(m, spec, err)
		if fleet.CodeOf(refusal) == fleet.CodeProtected && waits(m) && opt.AutoMerge == nil {
			opt.AutoMerge, opt.SHA = sdk.Ptr(true), &m.SHA // refused so far because its checks run
			continue
		}
		if !forge.Passing(refusal) || looks >= 2 {
			return refusal
		}
		select {
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// refused says why GitLab would not merge.
func refused(m *sdk.MergeRequest, spec forge.MergeSpec, err error) error {
	at := "merge request !" + strconv.FormatInt(m.IID, 10)
	say := func(code fleet.Code, message string) error {
		return &fleet.Error{Code: code, Message: message, Err: err}
	}
	switch {
	case m.State == "merged":
		return nil
	case m.MergeWhenPipelineSucceeds && (spec.ExpectHead == "" || m.SHA == spec.ExpectHead):
		return forge.Queued(int(m.IID), "merged by GitLab once its turn comes")
	case m.State == "closed":
		return say(fleet.CodeConflict, at+" is closed")
	case spec.ExpectHead != "" && m.SHA != spec.ExpectHead:
		return say(fleet.CodeConflict, "the head of "+at+" moved")
	case m.Draft:
		return say(fleet.CodeForge, at+" is a draft")
	case m.HasConflicts || m.DetailedMergeStatus == "conflict" || m.DetailedMergeStatus == "need_rebase":
		return say(fleet.CodeMergeConflict, at+" conflicts with its base")
	}
	switch m.DetailedMergeStatus {
	case "checking", "unchecked", "preparing", "approvals_syncing", "mergeable", "locked_paths", "":
		if transport.StatusOf(err) != http.StatusUnauthorized && transport.StatusOf(err) != http.StatusForbidden {
			return &fleet.Error{Code: fleet.CodeForge, Message: "GitLab does not know yet whether " + at + " can be merged", Err: forge.ErrPassing}
		}
	}
	return say(fleet.CodeProtected, "the rules of the project hold "+at+" back")
}

// waits says that only checks that still run hold a merge request back.
func waits(m *sdk.MergeRequest) bool {
	return m.DetailedMergeStatus == "ci_still_running" || m.DetailedMergeStatus == "ci_must_pass" && full("", m).CI == forge.CheckPending
}

// runsTrain says whether a project merges by trains, which a plain merge would run down.
func (f *Forge) runsTrain(ctx context.Context, repo fleet.Repository) (bool, error) {
	pid, slug, err := f.project(repo)
	if err != nil {
		return false, err
	}
	f.mu.Lock()
	train, known := f.trains[slug]
	f.mu.Unlock()
	if known {
		return train, nil
	}
	p, _, err := f.api.Projects.GetProject(pid, nil, sdk.WithContext(ctx))
	if err = transport.Error(ctx, err); err != nil {
		return false, f.missing(ctx, repo, err, err)
	}
	f.mu.Lock()
	f.trains[slug] = p.MergeTrainsEnabled
	f.mu.Unlock()
	return p.MergeTrainsEnabled, nil
}

// board puts a merge request on its project's train, now or once its pipeline has passed.
func (f *Forge) board(ctx context.Context, repo fleet.Repository, number int, spec forge.MergeSpec) error {
	opt := &sdk.AddMergeRequestToMergeTrainOptions{AutoMerge: sdk.Ptr(true), Squash: sdk.Ptr(spec.Method == forge.MethodSquash)}
	if spec.ExpectHead != "" {
		opt.SHA = &spec.ExpectHead
	}
	err := f.change(ctx, repo, func(pid any) error {
		_, _, err := f.api.MergeTrains.AddMergeRequestToMergeTrain(pid, int64(number), opt, sdk.WithContext(ctx))
		return err
	})
	if err == nil {
		return forge.Queued(number, "on the merge train")
	}
	if status := transport.StatusOf(err); status == 0 || status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
		return err
	}
	if _, slug, err := f.project(repo); err == nil { // perhaps there is no train any more
		f.mu.Lock()
		delete(f.trains, slug)
		f.mu.Unlock()
	}
	m, look := f.get(ctx, repo, number)
	if look != nil {
		return look
	}
	return refused(m, spec, err)
}
