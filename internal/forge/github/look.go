package github

import (
	"cmp"
	"context"
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

// Check implements forge.Checker.
func (f *Forge) Check(ctx context.Context) (forge.Account, []forge.Ability, error) {
	user, resp, err := f.api.Users.Get(ctx, "")
	if err = transport.Error(ctx, err); err != nil {
		if transport.StatusOf(err) == http.StatusForbidden && transport.Says(err, "integration") {
			return forge.Account{Name: "GitHub App"}, []forge.Ability{{Name: "pull requests", OK: true, Detail: "as the installation's permissions allow"}}, nil
		}
		return forge.Account{}, nil, err
	}
	account := forge.Account{Name: user.GetLogin()}
	for s := range strings.SplitSeq(resp.Header.Get("X-OAuth-Scopes"), ",") {
		if s = strings.TrimSpace(s); s != "" {
			account.Scopes = append(account.Scopes, s)
		}
	}
	if resp.Header.Values("X-OAuth-Scopes") == nil {
		return account, []forge.Ability{{Name: "pull requests", OK: true, Detail: "a fine-grained token: it needs contents and pull requests (write), and checks, statuses and metadata (read)"}}, nil
	}
	has := func(wanted ...string) bool {
		return slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(account.Scopes, w) })
	}
	ability := func(name, without string, wanted ...string) forge.Ability {
		if has(wanted...) {
			return forge.Ability{Name: name, OK: true}
		}
		return forge.Ability{Name: name, Detail: without}
	}
	return account, []forge.Ability{
		ability("pull requests", "the token lacks the scope repo (public_repo does for public repositories)", "repo", "public_repo"),
		ability("private repositories", "the token lacks the scope repo", "repo"),
		ability("changes to workflows", "the token lacks the scope workflow: pushes that touch .github/workflows are refused", "workflow"),
		ability("teams as reviewers", "the token lacks the scope read:org", "read:org", "write:org", "admin:org"),
	}, nil
}

// Checks implements forge.Checks: check runs and the older statuses, two calls.
func (f *Forge) Checks(ctx context.Context, repo fleet.Repository, commit string) ([]forge.Check, error) {
	owner, name, err := f.slug(repo)
	if err != nil {
		return nil, err
	}
	var all []forge.Check
	opt := &gh.ListCheckRunsOptions{Filter: new("latest"), ListOptions: gh.ListOptions{PerPage: 100}}
	for {
		runs, resp, err := f.api.Checks.ListCheckRunsForRef(ctx, owner, name, commit, opt)
		if err = transport.Error(ctx, err); err != nil {
			return nil, f.missing(ctx, repo, owner, name, err, fleet.Errorf(fleet.CodeNotFound, "repository %s has no commit %s", repo.Name, commit))
		}
		for _, r := range runs.CheckRuns {
			c := forge.Check{Name: r.GetName(), State: runState(r), URL: cmp.Or(r.GetHTMLURL(), r.GetDetailsURL()), Summary: r.GetOutput().GetSummary()}
			if r.GetApp().GetSlug() == "github-actions" && c.State == forge.CheckFailed {
				c.Log = strconv.FormatInt(r.GetID(), 10)
			}
			all = append(all, c)
		}
		if opt.Page = resp.NextPage; opt.Page == 0 {
			break
		}
	}
	status, _, err := f.api.Repositories.GetCombinedStatus(ctx, owner, name, commit, &gh.ListOptions{PerPage: 100})
	if err = transport.Error(ctx, err); err != nil {
		return nil, err
	}
	for _, s := range status.Statuses {
		state := map[string]forge.CheckState{"success": forge.CheckPassed, "pending": forge.CheckPending}[s.GetState()]
		all = append(all, forge.Check{Name: s.GetContext(), State: cmp.Or(state, forge.CheckFailed), URL: s.GetTargetURL(), Summary: s.GetDescription()})
	}
	return all, nil
}

func runState(r *gh.CheckRun) forge.CheckState {
	if r.GetStatus() != "completed" {
		return forge.CheckPending
	}
	switch r.GetConclusion() {
	case "success":
		return forge.CheckPassed
	case "neutral", "skipped", "cancelled", "stale":
		return forge.CheckSkipped
	}
	return forge.CheckFailed
}

// CheckLog implements forge.Checks, for jobs of GitHub Actions.
func (f *Forge) CheckLog(ctx context.Context, repo fleet.Repository, log string, limit int64) ([]byte, error) {
	owner, name, err := f.slug(repo)
	if err != nil {
		return nil, err
	}
	job, err := strconv.ParseInt(log, 10, 64)
	if err != nil {
		return nil, forge.Unsupported("only jobs of GitHub Actions have logs to read")
	}
	at, _, err := f.api.Actions.GetWorkflowJobLogs(ctx, owner, name, job, 3)
	if err = transport.Error(ctx, err); err != nil {
		return nil, err
	}
	return f.http.Tail(ctx, at.String(), limit)
}

// Rerun implements forge.Rerunner, for jobs of GitHub Actions. A workflow that is running already is running it again.
func (f *Forge) Rerun(ctx context.Context, repo fleet.Repository, commit string, check forge.Check) error {
	owner, name, err := f.slug(repo)
	if err != nil {
		return err
	}
	job, err := strconv.ParseInt(check.Log, 10, 64)
	if err != nil {
		return forge.Unsupported("only jobs of GitHub Actions can be run again: " + check.Name + " of commit " + commit + " is none that failed")
	}
	_, err = f.api.Actions.RerunJobByID(ctx, owner, name, job)
	if err = transport.Error(ctx, err); transport.Says(err, "already running") {
		return nil
	}
	return f.missing(ctx, repo, owner, name, err, forge.Unsupported("GitHub has no job of "+check.Name+" any more"))
}

// Reviews implements forge.Reviews: comments, reviews and comments on lines, three calls and one for each new author.
func (f *Forge) Reviews(ctx context.Context, repo fleet.Repository, number int, since time.Time) ([]forge.Remark, error) {
	owner, name, err := f.slug(repo)
	if err != nil {
		return nil, err
	}
	var all []forge.Remark
	keep := func(id int64, kind string, user *gh.User, at time.Time, r forge.Remark) {
		if at.Before(since) {
			return
		}
		r.ID, r.Author, r.CreatedAt = kind+strconv.FormatInt(id, 10), user.GetLogin(), at
		all = append(all, r)
	}
	issue := &gh.IssueListCommentsOptions{ListOptions: gh.ListOptions{PerPage: 100}}
	if !since.IsZero() {
		issue.Since = &since
	}
	for {
		list, resp, err := f.api.Issues.ListComments(ctx, owner, name, number, issue)
		if err = transport.Error(ctx, err); err != nil {
			return nil, f.missing(ctx, repo, owner, name, err, forge.NotFound(repo, "#"+strconv.Itoa(number)))
		}
		for _, c := range list {
			keep(c.GetID(), "comment-", c.User, c.GetCreatedAt().Time, forge.Remark{Body: c.GetBody()})
		}
		if issue.Page = resp.NextPage; issue.Page == 0 {
			break
		}
	}
	pages := &gh.ListOptions{PerPage: 100}
	for {
		list, resp, err := f.api.PullRequests.ListReviews(ctx, owner, name, number, pages)
		if err = transport.Error(ctx, err); err != nil {
			return nil, err
		}
		for _, r := range list {
			verdict := map[string]string{"APPROVED": "approved", "CHANGES_REQUESTED": "changes_requested"}[r.GetState()]
			if r.GetState() != "PENDING" && (verdict != "" || r.GetBody() != "") {
				keep(r.GetID(), "review-", r.User, r.GetSubmittedAt().Time, forge.Remark{Body: r.GetBody(), Verdict: verdict})
			}
		}
		if pages.Page = resp.NextPage; pages.Page == 0 {
			break
		}
	}
	lines := &gh.PullRequestListCommentsOptions{Since: since, ListOptions: gh.ListOptions{PerPage: 100}}
	for {
		list, resp, err := f.api.PullRequests.ListComments(ctx, owner, name, number, lines)
		if err = transport.Error(ctx, err); err != nil {
			return nil, err
		}
		for _, c := range list {
			keep(c.GetID(), "line-", c.User, c.GetCreatedAt().Time, forge.Remark{Body: c.GetBody(), File: c.GetPath(), Line: c.GetLine()})
		}
		if lines.Page = resp.NextPage; lines.Page == 0 {
			break
		}
	}
	for i := range all {
		if all[i].MayWrite, err = f.mayWrite(ctx, owner, name, all[i].Author); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b forge.Remark) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, nil
}

// mayWrite asks for a user's right to push, and believes the answer for some minutes.
func (f *Forge) mayWrite(ctx context.Context, owner, name, user string) (bool, error) {
	if user == "" {
		return false, nil
	}
	key := strings.ToLower(owner + "/" + name + "\n" + user)
	f.mu.Lock()
	known, ok := f.rights[key]
	f.mu.Unlock()
	if ok && time.Since(known.at) < 5*time.Minute {
		return known.write, nil
	}
	level, _, err := f.api.Repositories.GetPermissionLevel(ctx, owner, name, user)
	if err = transport.Error(ctx, err); err != nil && transport.StatusOf(err) != http.StatusNotFound {
		return false, err
	}
	write := err == nil && slices.Contains([]string{"admin", "write", "maintain"}, level.GetPermission())
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.rights) > 10000 {
		clear(f.rights)
	}
	f.rights[key] = permission{write, time.Now()}
	return write, nil
}

// Deployments implements forge.Deployments.
func (f *Forge) Deployments(ctx context.Context, repo fleet.Repository, commit string) ([]forge.Deployment, error) {
	owner, name, err := f.slug(repo)
	if err != nil {
		return nil, err
	}
	list, _, err := f.api.Repositories.ListDeployments(ctx, owner, name, &gh.DeploymentsListOptions{SHA: commit, ListOptions: gh.ListOptions{PerPage: 100}})
	if err = transport.Error(ctx, err); err != nil {
		return nil, f.missing(ctx, repo, owner, name, err, err)
	}
	all := make([]forge.Deployment, 0, len(list))
	for _, d := range list {
		out := forge.Deployment{Environment: d.GetEnvironment(), State: "pending", At: d.GetCreatedAt().Time}
		statuses, _, err := f.api.Repositories.ListDeploymentStatuses(ctx, owner, name, d.GetID(), &gh.ListOptions{PerPage: 1})
		if err = transport.Error(ctx, err); err != nil {
			return nil, err
		}
		if len(statuses) > 0 {
			out.At = statuses[0].GetCreatedAt().Time
			switch s := statuses[0].GetState(); s {
			case "success", "inactive":
				out.State = s
			case "failure", "error":
				out.State = "failure"
			}
		}
		all = append(all, out)
	}
	return all, nil
}
