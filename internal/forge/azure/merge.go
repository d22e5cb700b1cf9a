package azure

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

type completion struct {
	Status       string `json:"status"`
	SourceCommit commit `json:"lastMergeSourceCommit"`
	Options      struct {
		Strategy     string `json:"mergeStrategy"`
		DeleteSource bool   `json:"deleteSourceBranch"`
		Transition   bool   `json:"transitionWorkItems"`
	} `json:"completionOptions"`
}

// waits are the pauses between looks at a pull request that is being completed: 13 seconds in all.
var waits = [...]time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second}

// Merge implements forge.Forge. The host completes in the background, so it is looked at until it has, or has refused.
// Policies are never bypassed.
func (f *Forge) Merge(ctx context.Context, repo fleet.Repository, n int, spec forge.MergeSpec) error {
	strategy := map[forge.Method]string{"": "noFastForward", forge.MethodMerge: "noFastForward", forge.MethodSquash: "squash", forge.MethodRebase: "rebase"}[spec.Method]
	if strategy == "" {
		return fleet.Errorf(fleet.CodeInvalid, "there is no merge method %s", spec.Method)
	}
	p, err := f.get(ctx, repo, n)
	if err != nil || p.Status == "completed" {
		return err
	}
	if err := unfit(p, spec); err != nil {
		return err
	}
	in := completion{Status: "completed", SourceCommit: p.SourceCommit}
	in.Options.Strategy = strategy
	err = f.on(ctx, repo, http.MethodPatch, "/pullrequests/"+number(n), nil, in, p)
	switch transport.StatusOf(err) {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict:
		p, look := f.get(ctx, repo, n)
		if look != nil {
			return look
		}
		err = refused(p, spec, err)
		if fleet.CodeOf(err) == fleet.CodeProtected && f.forbids(ctx, p, strategy) {
			err = &fleet.Error{Code: fleet.CodeUnsupported, Message: "the policies of the base branch do not allow to merge by " + strategy, Err: forge.ErrUnsupported}
		}
		return err
	}
	if err != nil {
		return err
	}
	for _, wait := range waits { // what the reply says of an attempt may be about an earlier one
		if p.Status == "completed" {
			return nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if p, err = f.get(ctx, repo, n); err != nil {
			return err
		}
		if p.Status == "active" && p.SourceCommit == in.SourceCommit && (p.MergeStatus == "queued" || p.MergeStatus == "succeeded" || p.MergeStatus == "notSet") {
			continue
		}
		return refused(p, spec, nil)
	}
	if p.completing() {
		return forge.Queued(n, "still being completed")
	}
	return &fleet.Error{Code: fleet.CodeForge, Message: "Azure DevOps has not completed pull request #" + number(n) + " yet", Err: forge.ErrPassing}
}

// unfit says why a pull request that is read cannot be merged.
func unfit(p *pullRequest, spec forge.MergeSpec) error {
	at := "pull request #" + number(p.Number)
	switch {
	case p.Status != "active":
		return fleet.Errorf(fleet.CodeConflict, "%s is closed", at)
	case spec.ExpectHead != "" && p.SourceCommit.ID != spec.ExpectHead:
		return fleet.Errorf(fleet.CodeConflict, "the head of %s moved", at)
	case p.Draft:
		return fleet.Errorf(fleet.CodeForge, "%s is a draft", at)
	case p.SourceCommit.ID == "": // completing it would merge whatever the head is by then
		return &fleet.Error{Code: fleet.CodeForge, Message: "Azure DevOps does not know the head of " + at + " yet", Err: forge.ErrPassing}
	}
	return nil
}

// refused says why the host would not merge; nil when it did after all.
func refused(p *pullRequest, spec forge.MergeSpec, err error) error {
	if p.Status == "completed" {
		return nil
	}
	if err := unfit(p, spec); err != nil {
		return err
	}
	at := "pull request #" + number(p.Number)
	say := func(code fleet.Code, message string) error {
		return &fleet.Error{Code: code, Message: message, Err: err}
	}
	switch {
	case transport.Says(err, "GitPullRequestStale", "TF401192"):
		return say(fleet.CodeConflict, "the head of "+at+" moved")
	case p.MergeStatus == "conflicts":
		return say(fleet.CodeMergeConflict, at+" conflicts with its base")
	case p.MergeStatus == "rejectedByPolicy", transport.Says(err, "RejectedByPolicy", "TF402455"):
		return say(fleet.CodeProtected, "the policies of the base branch hold "+at+" back")
	case err != nil:
		return err
	}
	return &fleet.Error{Code: fleet.CodeForge, Message: "Azure DevOps could not complete " + at, Err: fmt.Errorf("%w: %.300q", forge.ErrPassing, p.Failure)}
}

// forbids says whether a policy allows other strategies only. When that cannot be read, none does.
func (f *Forge) forbids(ctx context.Context, p *pullRequest, strategy string) bool {
	all, err := f.evaluations(ctx, p.Repository.Project.ID, p.Number)
	return err == nil && slices.ContainsFunc(all, func(e evaluation) bool {
		s := e.Configuration.Settings
		allowed := map[string]bool{"noFastForward": s.NoFastForward, "squash": s.Squash || s.OnlySquash, "rebase": s.Rebase}[strategy]
		return e.Configuration.Type.ID == strategyPolicy && e.Configuration.Enabled && e.Configuration.Blocking && !allowed
	})
}
