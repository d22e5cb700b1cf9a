package bitbucket

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// Merge implements forge.Forge. Bitbucket takes no head that is expected. So where the branch stands is read just before, from the
// branch itself: the pull request may not know of a push yet. What was merged is read afterwards: when it is something else, for
// somebody pushed in between, that is said as a conflict, though nothing can be undone.
func (f *Cloud) Merge(ctx context.Context, repo fleet.Repository, number int, spec forge.MergeSpec) error {
	strategy := map[forge.Method]string{"": "merge_commit", forge.MethodMerge: "merge_commit", forge.MethodSquash: "squash", forge.MethodRebase: "rebase_fast_forward"}[spec.Method]
	if strategy == "" {
		return fleet.Errorf(fleet.CodeInvalid, "there is no merge method %s", spec.Method)
	}
	p, err := f.get(ctx, repo, number)
	if err != nil {
		return err
	}
	if done, err := f.settled(ctx, repo, p, spec); done || err != nil {
		return err
	}
	unsupported := &fleet.Error{Code: fleet.CodeUnsupported, Message: "the repository does not allow the merge method " + string(spec.Method), Err: forge.ErrUnsupported}
	if allowed := p.Destination.Branch.Strategies; len(allowed) > 0 && !slices.Contains(allowed, strategy) {
		return unsupported
	}
	at, err := f.pullAt(repo, number, "/merge")
	if err != nil {
		return err
	}
	h, err := f.http.JSON(ctx, http.MethodPost, at, map[string]any{"type": "pullrequest_merge_parameters", "merge_strategy": strategy, "close_source_branch": false}, nil)
	if task := h.Get("Location"); err == nil && task != "" { // it merges in the background
		err = f.wait(ctx, task, number)
	}
	if err == nil {
		return f.verify(ctx, repo, number, spec)
	}
	switch transport.StatusOf(err) {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict:
	default:
		return err
	}
	refusal := err
	if p, err = f.get(ctx, repo, number); err != nil {
		return err
	}
	if done, err := f.settled(ctx, repo, p, spec); done || err != nil {
		return err
	}
	say := func(code fleet.Code, what string) error {
		return &fleet.Error{Code: code, Message: "#" + strconv.Itoa(number) + " " + what, Err: refusal}
	}
	switch {
	case transport.Says(refusal, "archived"):
		return archived(repo, refusal)
	case transport.Says(refusal, "merge strategy", "merge_strategy"):
		return unsupported
	case transport.StatusOf(refusal) == http.StatusConflict:
		return say(fleet.CodeConflict, "could not be merged while its branches moved")
	case transport.Says(refusal, "conflict"):
		return say(fleet.CodeMergeConflict, "conflicts with its base")
	case transport.Says(refusal, "privilege scopes"):
		return refusal
	}
	if conflicts, err := f.conflicts(ctx, repo, p, true); err != nil || conflicts {
		return errors.Join(err, say(fleet.CodeMergeConflict, "conflicts with its base"))
	}
	return say(fleet.CodeProtected, "is held back by the rules of the base branch")
}

// settled says whether a merge has come to its end without being asked for.
func (f *Cloud) settled(ctx context.Context, repo fleet.Repository, p *cloudPull, spec forge.MergeSpec) (bool, error) {
	at := "#" + strconv.Itoa(p.ID)
	switch {
	case p.State == "MERGED":
		return true, nil
	case p.State != "OPEN":
		return false, fleet.Errorf(fleet.CodeConflict, "%s is closed", at)
	case p.Draft:
		return false, fleet.Errorf(fleet.CodeForge, "%s is a draft", at)
	case spec.ExpectHead == "":
		return false, nil
	}
	if short := p.Source.Commit.Hash; short == "" || !strings.HasPrefix(spec.ExpectHead, short) {
		return false, moved(at)
	}
	head, err := f.tip(ctx, repo, p.Source.Branch.Name)
	if err == nil && head != spec.ExpectHead {
		err = moved(at)
	}
	return false, err
}

// tip is where a branch stands; "" when there is none.
func (f *Cloud) tip(ctx context.Context, repo fleet.Repository, branch string) (string, error) {
	at, err := f.at(repo, "/refs/branches/"+url.PathEscape(branch)+"?fields=target.hash")
	if err != nil {
		return "", err
	}
	var b struct{ Target cloudCommit }
	_, err = f.http.JSON(ctx, http.MethodGet, at, nil, &b)
	if transport.StatusOf(err) == http.StatusNotFound {
		return "", nil
	}
	return b.Target.Hash, err
}

// wait looks at a merge that goes on in the background until it has ended.
func (f *Cloud) wait(ctx context.Context, task string, number int) error {
	if !same(f.api, task) {
		return fleet.Errorf(fleet.CodeForge, "the forge's merge goes on at another host")
	}
	for range 10 {
		var now struct {
			Status string `json:"task_status"` // PENDING, SUCCESS
		}
		if _, err := f.http.JSON(ctx, http.MethodGet, task, nil, &now); err != nil || now.Status == "SUCCESS" {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return unmerged("#" + strconv.Itoa(number))
}

// verify reads what was merged.
func (f *Cloud) verify(ctx context.Context, repo fleet.Repository, number int, spec forge.MergeSpec) error {
	if spec.ExpectHead == "" {
		return nil
	}
	p, err := f.get(ctx, repo, number)
	if err != nil {
		return err
	}
	name := "#" + strconv.Itoa(number)
	if p.State != "MERGED" {
		return unmerged(name)
	}
	return asExpected(name, p.Source.Commit.Hash, spec)
}
