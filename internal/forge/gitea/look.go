package gitea

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// AddComment implements forge.Commenter.
func (f *Forge) AddComment(ctx context.Context, repo fleet.Repository, number int, body string) error {
	api, owner, name, err := f.at(ctx, repo)
	if err != nil {
		return err
	}
	_, _, err = api.CreateIssueComment(owner, name, int64(number), sdk.CreateIssueCommentOption{Body: body})
	return f.missing(ctx, repo, transport.Error(ctx, err), forge.NotFound(repo, "#"+strconv.Itoa(number)))
}

// Comments implements forge.Commenter.
func (f *Forge) Comments(ctx context.Context, repo fleet.Repository, number int) ([]forge.Comment, error) {
	list, err := f.comments(ctx, repo, number, time.Time{})
	var all []forge.Comment
	for _, c := range list {
		all = append(all, forge.Comment{Author: userName(c.Poster), Body: c.Body, CreatedAt: c.Created})
	}
	return all, err
}

func (f *Forge) comments(ctx context.Context, repo fleet.Repository, number int, since time.Time) (all []*sdk.Comment, err error) {
	api, owner, name, err := f.at(ctx, repo)
	if err != nil {
		return nil, err
	}
	pages := newPager()
	for {
		list, resp, err := api.ListIssueComments(owner, name, int64(number), sdk.ListIssueCommentOptions{ListOptions: pages.ListOptions, Since: since})
		if err = transport.Error(ctx, err); err != nil {
			return nil, f.missing(ctx, repo, err, forge.NotFound(repo, "#"+strconv.Itoa(number)))
		}
		fresh := 0
		for _, c := range list { // servers that do not page this list give all of it for every page
			if !slices.ContainsFunc(all, func(have *sdk.Comment) bool { return have.ID == c.ID }) {
				all = append(all, c)
				fresh++
			}
		}
		if fresh == 0 || !pages.next(resp, len(list)) {
			return all, nil
		}
	}
}

func userName(u *sdk.User) string {
	if u == nil {
		return ""
	}
	return u.UserName
}

// DeleteBranch implements forge.BranchDeleter.
func (f *Forge) DeleteBranch(ctx context.Context, repo fleet.Repository, branch, expect string) error {
	api, owner, name, err := f.at(ctx, repo)
	if err != nil {
		return err
	}
	b, _, err := api.GetRepoBranch(owner, name, branch)
	if err = transport.Error(ctx, err); transport.StatusOf(err) == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if b.Commit != nil && expect != "" && b.Commit.ID != expect {
		return fleet.Errorf(fleet.CodeConflict, "branch %s moved to %s", branch, b.Commit.ID)
	}
	_, _, err = api.DeleteRepoBranch(owner, name, branch)
	if err = transport.Error(ctx, err); transport.StatusOf(err) == http.StatusNotFound {
		return nil
	}
	if transport.StatusOf(err) == http.StatusForbidden {
		return &fleet.Error{Code: fleet.CodeProtected, Message: "branch " + branch + " is protected", Err: err}
	}
	return err
}

// Check implements forge.Checker. The server does not tell the scopes of a token, so what can be tried without harm is tried.
func (f *Forge) Check(ctx context.Context) (forge.Account, []forge.Ability, error) {
	api, err := f.api(ctx)
	if err != nil {
		return forge.Account{}, nil, err
	}
	user, _, err := api.GetMyUserInfo()
	if err = transport.Error(ctx, err); err != nil {
		if transport.StatusOf(err) == http.StatusForbidden {
			err = &fleet.Error{Code: fleet.CodeForgeAuth, Message: "the token lacks the scope read:user", Err: err}
		}
		return forge.Account{}, nil, err
	}
	try := func(name, scope, path string) forge.Ability {
		_, err := f.http.JSON(ctx, http.MethodGet, f.site.String()+"/api/v1"+path, nil, nil)
		if err != nil {
			return forge.Ability{Name: name, Detail: "the token lacks the scope " + scope}
		}
		return forge.Ability{Name: name, OK: true}
	}
	return forge.Account{Name: user.UserName}, []forge.Ability{
		try("repositories", "write:repository", "/user/repos?limit=1"),
		try("pull requests", "write:issue", "/repos/issues/search?limit=1&type=pulls"),
		try("organisations", "read:organization", "/user/orgs?limit=1"),
		{Name: "heads in lists", Detail: "the server does not give them: git is asked"},
		{Name: "logs of checks", Detail: "not supported"},
		{Name: "deployments", Detail: "not supported"},
	}, nil
}

// Checks implements forge.Checks.
func (f *Forge) Checks(ctx context.Context, repo fleet.Repository, commit string) ([]forge.Check, error) {
	var all []forge.Check
	for page := 1; ; page++ {
		path, err := f.path(repo, "/commits/"+url.PathEscape(commit)+"/status?limit=50&page="+strconv.Itoa(page))
		if err != nil {
			return nil, err
		}
		var combined sdk.CombinedStatus
		if _, err := f.http.JSON(ctx, http.MethodGet, path, nil, &combined); err != nil {
			return nil, f.missing(ctx, repo, err, fleet.Errorf(fleet.CodeNotFound, "repository %s has no commit %s", repo.Name, commit))
		}
		fresh := false
		for _, s := range combined.Statuses { // servers that do not page this list give all of it for every page
			if slices.ContainsFunc(all, func(c forge.Check) bool { return c.Name == s.Context }) {
				continue
			}
			c := forge.Check{Name: s.Context, State: forge.CheckFailed, URL: s.TargetURL, Summary: s.Description}
			switch s.State {
			case sdk.StatusSuccess:
				c.State = forge.CheckPassed
			case sdk.StatusPending:
				c.State = forge.CheckPending
			case sdk.StatusWarning, "skipped":
				c.State = forge.CheckSkipped
			}
			all, fresh = append(all, c), true
		}
		if !fresh || len(all) >= combined.TotalCount {
			return all, nil
		}
	}
}

// CheckLog implements forge.Checks.
func (f *Forge) CheckLog(context.Context, fleet.Repository, string, int64) ([]byte, error) {
	return nil, forge.Unsupported("a Gitea's statuses name no log")
}

// Reviews implements forge.Reviews.
func (f *Forge) Reviews(ctx context.Context, repo fleet.Repository, number int, since time.Time) ([]forge.Remark, error) {
	said, err := f.comments(ctx, repo, number, since)
	if err != nil {
		return nil, err
	}
	api, owner, name, err := f.at(ctx, repo)
	if err != nil {
		return nil, err
	}
	var all []forge.Remark
	// A review shows what its author might do when it was made. It also vouches for what they said before, and soon after.
	official := map[string]time.Time{}
	for _, c := range said {
		all = append(all, forge.Remark{ID: "comment-" + strconv.FormatInt(c.ID, 10), Author: userName(c.Poster), Body: c.Body, CreatedAt: c.Created})
	}
	pages := newPager()
	for {
		list, resp, err := api.ListPullReviews(owner, name, int64(number), sdk.ListPullReviewsOptions{ListOptions: pages.ListOptions})
		if err = transport.Error(ctx, err); err != nil {
			return nil, err
		}
		for _, r := range list {
			verdict := map[sdk.ReviewStateType]string{sdk.ReviewStateApproved: "approved", sdk.ReviewStateRequestChanges: "changes_requested"}[r.State]
			if r.State == sdk.ReviewStatePending || r.State == sdk.ReviewStateRequestReview {
				continue
			}
			if who := userName(r.Reviewer); r.Official && r.Submitted.After(official[who]) {
				official[who] = r.Submitted
			}
			if verdict != "" || r.Body != "" {
				all = append(all, forge.Remark{ID: "review-" + strconv.FormatInt(r.ID, 10), Author: userName(r.Reviewer), Body: r.Body, Verdict: verdict, CreatedAt: r.Submitted})
			}
			if r.CodeCommentsCount == 0 || r.Submitted.Before(since) {
				continue
			}
			lines, _, err := api.ListPullReviewComments(owner, name, int64(number), r.ID)
			if err = transport.Error(ctx, err); err != nil {
				return nil, err
			}
			for _, l := range lines {
				all = append(all, forge.Remark{ID: "line-" + strconv.FormatInt(l.ID, 10), Author: userName(l.Reviewer), Body: l.Body, File: l.Path, Line: int(l.LineNum), CreatedAt: l.Created})
			}
		}
		if !pages.next(resp, len(list)) {
			break
		}
	}
	all = slices.DeleteFunc(all, func(r forge.Remark) bool { return r.CreatedAt.Before(since) })
	may := map[string]bool{}
	for i := range all {
		r := &all[i]
		if r.Author == "" {
			continue
		}
		write, known := may[r.Author]
		if !known {
			if write, err = f.mayWrite(ctx, api, owner, name, r.Author); err != nil {
				return nil, err
			}
			may[r.Author] = write
		}
		if until := official[r.Author]; !write && !until.IsZero() && !r.CreatedAt.After(until.Add(trusted)) {
			if write, err = f.reviewed(ctx, api, owner, name, number); err != nil {
				return nil, err
			}
		}
		r.MayWrite = write
	}
	slices.SortStableFunc(all, func(a, b forge.Remark) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, nil
}
