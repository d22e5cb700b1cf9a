package gitlab

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	sdk "gitlab.com/gitlab-org/api/client-go/v2"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// AddComment implements forge.Commenter.
func (f *Forge) AddComment(ctx context.Context, repo fleet.Repository, number int, body string) error {
	body = forge.Clip(body, most)
	return f.change(ctx, repo, func(pid any) error {
		_, _, err := f.api.Notes.CreateMergeRequestNote(pid, int64(number), &sdk.CreateMergeRequestNoteOptions{Body: &body}, sdk.WithContext(ctx))
		return err
	})
}

// Comments implements forge.Commenter.
func (f *Forge) Comments(ctx context.Context, repo fleet.Repository, number int) ([]forge.Comment, error) {
	notes, err := f.notes(ctx, repo, number)
	var all []forge.Comment
	for _, n := range notes {
		all = append(all, forge.Comment{Author: n.Author.Username, Body: n.Body, CreatedAt: at(n.CreatedAt)})
	}
	return all, err
}

func at(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// notes are what people said, oldest first; what GitLab itself notes is left out.
func (f *Forge) notes(ctx context.Context, repo fleet.Repository, number int) ([]*sdk.Note, error) {
	pid, _, err := f.project(repo)
	if err != nil {
		return nil, err
	}
	opt := &sdk.ListMergeRequestNotesOptions{OrderBy: sdk.Ptr("created_at"), Sort: sdk.Ptr("asc"), ListOptions: sdk.ListOptions{PerPage: 100}}
	var all []*sdk.Note
	for {
		list, resp, err := f.api.Notes.ListMergeRequestNotes(pid, int64(number), opt, sdk.WithContext(ctx))
		if err = transport.Error(ctx, err); err != nil {
			return nil, f.missing(ctx, repo, err, forge.NotFound(repo, "!"+strconv.Itoa(number)))
		}
		for _, n := range list {
			if !n.System {
				all = append(all, n)
			}
		}
		if !following(&opt.ListOptions, resp) {
			return all, nil
		}
	}
}

// Reviews implements forge.Reviews. GitLab has no reviews that ask for changes; approvals are no remarks.
func (f *Forge) Reviews(ctx context.Context, repo fleet.Repository, number int, since time.Time) ([]forge.Remark, error) {
	notes, err := f.notes(ctx, repo, number)
	if err != nil {
		return nil, err
	}
	pid, slug, err := f.project(repo)
	if err != nil {
		return nil, err
	}
	var all []forge.Remark
	for _, n := range notes {
		if at(n.CreatedAt).Before(since) {
			continue
		}
		r := forge.Remark{ID: "note-" + strconv.FormatInt(n.ID, 10), Author: n.Author.Username, Body: n.Body, CreatedAt: at(n.CreatedAt)}
		if n.Position != nil {
			r.File, r.Line = n.Position.NewPath, int(n.Position.NewLine)
		}
		key := slug + "\n" + strconv.FormatInt(n.Author.ID, 10)
		f.mu.Lock()
		write, known := f.rights[key]
		f.mu.Unlock()
		if !known {
			m, _, err := f.api.ProjectMembers.GetInheritedProjectMember(pid, n.Author.ID, sdk.WithContext(ctx))
			if err = transport.Error(ctx, err); err != nil && transport.StatusOf(err) != http.StatusNotFound {
				return nil, err
			}
			write = err == nil && m.AccessLevel >= sdk.DeveloperPermissions
			f.mu.Lock()
			f.rights[key] = write
			f.mu.Unlock()
		}
		r.MayWrite = write
		all = append(all, r)
	}
	return all, nil
}

// DeleteBranch implements forge.BranchDeleter.
func (f *Forge) DeleteBranch(ctx context.Context, repo fleet.Repository, branch, expect string) error {
	pid, _, err := f.project(repo)
	if err != nil {
		return err
	}
	b, _, err := f.api.Branches.GetBranch(pid, branch, sdk.WithContext(ctx))
	if err = transport.Error(ctx, err); transport.StatusOf(err) == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if b.Commit != nil && expect != "" && b.Commit.ID != expect {
		return fleet.Errorf(fleet.CodeConflict, "branch %s moved to %s", branch, b.Commit.ID)
	}
	err = f.change(ctx, repo, func(pid any) error {
		_, err := f.api.Branches.DeleteBranch(pid, branch, sdk.WithContext(ctx))
		return err
	})
	if transport.StatusOf(err) == http.StatusNotFound {
		return nil
	}
	if transport.Says(err, "protected") {
		return &fleet.Error{Code: fleet.CodeProtected, Message: "branch " + branch + " is protected", Err: err}
	}
	return err
}

// Check implements forge.Checker.
func (f *Forge) Check(ctx context.Context) (forge.Account, []forge.Ability, error) {
	user, _, err := f.api.Users.CurrentUser(sdk.WithContext(ctx))
	if err = transport.Error(ctx, err); err != nil {
		return forge.Account{}, nil, err
	}
	account := forge.Account{Name: user.Username}
	rebase := forge.Ability{Name: "merging by rebase", Detail: "not supported: the project's settings say how it merges"}
	token, _, err := f.api.PersonalAccessTokens.GetSinglePersonalAccessToken(sdk.WithContext(ctx))
	if err = transport.Error(ctx, err); err != nil {
		return account, []forge.Ability{{Name: "merge requests", OK: true, Detail: "GitLab does not tell the scopes of this kind of token; it needs api"}, rebase}, nil
	}
	account.Scopes = token.Scopes
	can := forge.Ability{Name: "merge requests", OK: slices.Contains(token.Scopes, "api")}
	if !can.OK {
		can.Detail = "the token lacks the scope api"
	}
	push := forge.Ability{Name: "pushing", OK: can.OK || slices.Contains(token.Scopes, "write_repository")}
	if !push.OK {
		push.Detail = "the token lacks the scope write_repository"
	}
	return account, []forge.Ability{can, push, rebase}, nil
}

// Checks implements forge.Checks.
func (f *Forge) Checks(ctx context.Context, repo fleet.Repository, commit string) ([]forge.Check, error) {
	pid, _, err := f.project(repo)
	if err != nil {
		return nil, err
	}
	opt := &sdk.GetCommitStatusesOptions{ListOptions: sdk.ListOptions{PerPage: 100}}
	var all []forge.Check
	for {
		list, resp, err := f.api.Commits.GetCommitStatuses(pid, commit, opt, sdk.WithContext(ctx))
		if err = transport.Error(ctx, err); err != nil {
			return nil, f.missing(ctx, repo, err, fleet.Errorf(fleet.CodeNotFound, "repository %s has no commit %s", repo.Name, commit))
		}
		for _, s := range list {
			c := forge.Check{Name: s.Name, State: forge.CheckPending, URL: s.TargetURL, Summary: s.Description}
			switch s.Status {
			case "success":
				c.State = forge.CheckPassed
			case "failed":
				if c.State = forge.CheckFailed; s.AllowFailure {
					c.State = forge.CheckSkipped
				}
				c.Log = strconv.FormatInt(s.ID, 10)
			case "canceled", "skipped", "manual":
				c.State = forge.CheckSkipped
			}
			all = append(all, c)
		}
		if !following(&opt.ListOptions, resp) {
			return all, nil
		}
	}
}

// CheckLog implements forge.Checks.
func (f *Forge) CheckLog(ctx context.Context, repo fleet.Repository, log string, limit int64) ([]byte, error) {
	pid, _, err := f.project(repo)
	if err != nil {
		return nil, err
	}
	job, err := strconv.ParseInt(log, 10, 64)
	if err != nil {
		return nil, forge.Unsupported("only jobs of GitLab CI have logs to read")
	}
	text, _, err := f.api.Jobs.GetTraceFile(pid, job, sdk.WithContext(ctx))
	if err = transport.Error(ctx, err); transport.StatusOf(err) == http.StatusNotFound {
		return nil, forge.Unsupported("only jobs of GitLab CI have logs to read")
	}
	if err != nil {
		return nil, err
	}
	return transport.LastBytes(text, limit)
}

// Rerun implements forge.Rerunner, for jobs of GitLab CI. GitLab retries a job once and refuses it then, so a refusal is
// fine where the newest job of that name runs, or has passed.
func (f *Forge) Rerun(ctx context.Context, repo fleet.Repository, commit string, check forge.Check) error {
	none := forge.Unsupported("only jobs of GitLab CI can be run again, and " + check.Name + " is none that failed")
	job, err := strconv.ParseInt(check.Log, 10, 64)
	if err != nil {
		return none
	}
	err = f.change(ctx, repo, func(pid any) error {
		_, _, err := f.api.Jobs.RetryJob(pid, job, sdk.WithContext(ctx))
		return err
	})
	if transport.StatusOf(err) == http.StatusForbidden {
		now, look := f.Checks(ctx, repo, commit)
		if look != nil {
			return look
		}
		if slices.ContainsFunc(now, func(c forge.Check) bool { return c.Name == check.Name && c.State != forge.CheckFailed }) {
			return nil
		}
	}
	return f.missing(ctx, repo, err, none)
}

// Deployments implements forge.Deployments, among the project's newest hundred.
func (f *Forge) Deployments(ctx context.Context, repo fleet.Repository, commit string) ([]forge.Deployment, error) {
	pid, _, err := f.project(repo)
	if err != nil {
		return nil, err
	}
	list, _, err := f.api.Deployments.ListProjectDeployments(pid, &sdk.ListProjectDeploymentsOptions{OrderBy: sdk.Ptr("created_at"), Sort: sdk.Ptr("desc"), ListOptions: sdk.ListOptions{PerPage: 100}}, sdk.WithContext(ctx))
	if err = transport.Error(ctx, err); err != nil {
		return nil, f.missing(ctx, repo, err, err)
	}
	all := []forge.Deployment{}
	for _, d := range list {
		if d.SHA != commit {
			continue
		}
		out := forge.Deployment{State: "pending", At: at(d.CreatedAt)}
		if d.Environment != nil {
			out.Environment = d.Environment.Name
		}
		switch d.Status {
		case "success":
			out.State = "success"
		case "failed":
			out.State = "failure"
		case "canceled", "skipped":
			out.State = "inactive"
		}
		all = append(all, out)
	}
	return all, nil
}
