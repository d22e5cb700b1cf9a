package bitbucket

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// AddComment implements forge.Commenter.
func (f *DataCenter) AddComment(ctx context.Context, repo fleet.Repository, number int, body string) error {
	at, err := f.pullAt(repo, number, "/comments")
	if err != nil {
		return err
	}
	_, err = f.http.JSON(ctx, http.MethodPost, at, map[string]any{"text": forge.Clip(body, longestBody)}, nil)
	return f.missing(ctx, repo, err, forge.NotFound(repo, "#"+strconv.Itoa(number)))
}

type dcComment struct {
	ID       int64       `json:"id"`
	Text     string      `json:"text"`
	Author   dcUser      `json:"author"`
	Created  int64       `json:"createdDate"`
	State    string      `json:"state"` // PENDING: of a review that is not published
	Comments []dcComment `json:"comments"`
}

type dcActivity struct {
	ID      int64      `json:"id"`
	Action  string     `json:"action"`
	Created int64      `json:"createdDate"`
	User    dcUser     `json:"user"`
	Comment *dcComment `json:"comment"`
	Anchor  *struct {
		Path string `json:"path"`
		Line int    `json:"line"`
	} `json:"commentAnchor"`
}

// remarks are the comments with their replies, and who approved or wants changes, oldest first.
func (f *DataCenter) remarks(ctx context.Context, repo fleet.Repository, number int) ([]forge.Remark, error) {
	at, err := f.pullAt(repo, number, "/activities")
	if err != nil {
		return nil, err
	}
	var all []forge.Remark
	for a, err := range starts[dcActivity](ctx, f, at, url.Values{"limit": {"500"}}) {
		if err != nil {
			return nil, f.missing(ctx, repo, err, forge.NotFound(repo, "#"+strconv.Itoa(number)))
		}
		switch {
		case a.Action == "COMMENTED" && a.Comment != nil:
			file, line := "", 0
			if a.Anchor != nil {
				file, line = a.Anchor.Path, a.Anchor.Line
			}
			var tell func(c dcComment)
			tell = func(c dcComment) {
				r := forge.Remark{ID: "comment-" + strconv.FormatInt(c.ID, 10), Author: c.Author.Name, Body: c.Text, File: file, Line: line, CreatedAt: time.UnixMilli(c.Created).UTC()}
				if c.State != "PENDING" && !slices.ContainsFunc(all, func(have forge.Remark) bool { return have.ID == r.ID }) {
					all = append(all, r)
				}
				for _, reply := range c.Comments {
					tell(reply)
				}
			}
			tell(*a.Comment)
		case a.Action == "APPROVED", a.Action == "REVIEWED":
			verdict := "approved"
			if a.Action == "REVIEWED" {
				verdict = "changes_requested"
			}
			all = append(all, forge.Remark{ID: "activity-" + strconv.FormatInt(a.ID, 10), Author: a.User.Name, Verdict: verdict, CreatedAt: time.UnixMilli(a.Created).UTC()})
		}
	}
	slices.Reverse(all) // the server has the newest first, and counts in milliseconds
	slices.SortStableFunc(all, func(a, b forge.Remark) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, nil
}

// Comments implements forge.Commenter.
func (f *DataCenter) Comments(ctx context.Context, repo fleet.Repository, number int) ([]forge.Comment, error) {
	said, err := f.remarks(ctx, repo, number)
	var all []forge.Comment
	for _, r := range said {
		if r.Verdict == "" {
			all = append(all, forge.Comment{Author: r.Author, Body: r.Body, CreatedAt: r.CreatedAt})
		}
	}
	return all, err
}

// Reviews implements forge.Reviews: the activities of the pull request, and one call for each new author.
func (f *DataCenter) Reviews(ctx context.Context, repo fleet.Repository, number int, since time.Time) ([]forge.Remark, error) {
	all, err := f.remarks(ctx, repo, number)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r forge.Remark) bool { return r.CreatedAt.Before(since.Truncate(time.Millisecond)) })
	for i := range all {
		if all[i].MayWrite, err = f.mayWrite(ctx, repo, all[i].Author); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// mayWrite asks whether a user may push, and believes the answer for some minutes.
func (f *DataCenter) mayWrite(ctx context.Context, repo fleet.Repository, user string) (bool, error) {
	slug, err := f.slug(repo)
	if err != nil || user == "" {
		return false, err
	}
	known, ok := f.writers.get(slug)
	if !ok || f.now().Sub(known.at) > rightsAge {
		known = writers{f.now(), map[string]bool{}}
	}
	if may, ok := known.know[user]; ok {
		return may, nil
	}
	key, name, _ := strings.Cut(slug, "/")
	may := false
	q := url.Values{"filter": {user}, "permission": {"REPO_WRITE"}, "permission.projectKey": {key}, "permission.repositorySlug": {name}, "limit": {"100"}}
	for u, err := range starts[dcUser](ctx, f, f.site.String()+"/rest/api/latest/users", q) {
		if status := transport.StatusOf(err); status >= 400 && status < 500 {
			break
		}
		if err != nil {
			return false, err
		}
		if may = u.Name == user; may {
			break
		}
	}
	fresh := writers{known.at, map[string]bool{user: may}} // a copy: others may be reading
	for k, v := range known.know {
		fresh.know[k] = v
	}
	f.writers.put(slug, fresh)
	return may, nil
}

// DeleteBranch implements forge.BranchDeleter. The server compares the commit itself.
func (f *DataCenter) DeleteBranch(ctx context.Context, repo fleet.Repository, branch, expect string) error {
	at, err := f.at(repo, "branch-utils", "/branches")
	if err != nil {
		return err
	}
	in := map[string]any{"name": heads + branch, "dryRun": false}
	if expect != "" {
		in["endPoint"] = expect
	}
	_, err = f.http.JSON(ctx, http.MethodDelete, at, in, nil)
	switch status := transport.StatusOf(err); {
	case transport.Says(err, "archived"):
		return archived(repo, err)
	case status == http.StatusNotFound:
		return f.missing(ctx, repo, err, nil)
	case status != http.StatusBadRequest && status != http.StatusUnauthorized && status != http.StatusForbidden && status != http.StatusConflict:
		return err
	}
	now, look := f.tip(ctx, repo, branch)
	switch {
	case forge.Passing(look):
		return look
	case look != nil:
		return err
	case now == "":
		return nil
	case expect != "" && now != expect:
		return fleet.Errorf(fleet.CodeConflict, "branch %s moved to %s", branch, now)
	}
	return &fleet.Error{Code: fleet.CodeProtected, Message: "branch " + branch + " is protected", Err: err}
}

// tip is where a branch stands; "" when there is none.
func (f *DataCenter) tip(ctx context.Context, repo fleet.Repository, branch string) (string, error) {
	at, err := f.at(repo, "api", "/branches")
	if err != nil {
		return "", err
	}
	for b, err := range starts[dcRef](ctx, f, at, url.Values{"filterText": {branch}, "limit": {"100"}}) {
		if err != nil {
			return "", err
		}
		if b.ID == heads+branch {
			return b.Commit, nil
		}
	}
	return "", nil
}

// Check implements forge.Checker. The server does not tell what a token allows, so what can be tried without harm is tried.
func (f *DataCenter) Check(ctx context.Context) (forge.Account, []forge.Ability, error) {
	token, err := f.credential(ctx)
	if err != nil {
		return forge.Account{}, nil, err
	}
	name, err := f.whoami(ctx, token)
	if err != nil {
		return forge.Account{}, nil, err
	}
	var page struct{ Values []struct{} }
	_, err = f.http.JSON(ctx, http.MethodGet, f.site.String()+"/rest/api/latest/repos?permission=REPO_WRITE&limit=1", nil, &page)
	if err != nil && transport.StatusOf(err) != http.StatusUnauthorized {
		return forge.Account{}, nil, err
	}
	write := forge.Ability{Name: "pull requests and pushing", OK: len(page.Values) > 0}
	if !write.OK {
		write.Detail = "the account has no repository that it may write to"
	}
	return forge.Account{Name: name}, []forge.Ability{
		write,
		{Name: "labels", Detail: "Bitbucket's pull requests have none: they are left out"},
		{Name: "heads in lists", Detail: "the server does not give them: git is asked"},
		{Name: "logs of checks", Detail: "not supported: builds run elsewhere"},
		{Name: "deployments", Detail: "not supported"},
	}, nil
}

// Checks implements forge.Checks.
func (f *DataCenter) Checks(ctx context.Context, repo fleet.Repository, commit string) ([]forge.Check, error) {
	if _, err := f.slug(repo); err != nil {
		return nil, err
	}
	type status struct{ Key, Name, State, URL, Description string }
	var all []forge.Check
	for s, err := range starts[status](ctx, f, f.site.String()+"/rest/build-status/latest/commits/"+url.PathEscape(commit), url.Values{"orderBy": {"NEWEST"}, "limit": {"100"}}) {
		if err != nil {
			return nil, f.missing(ctx, repo, err, fleet.Errorf(fleet.CodeNotFound, "repository %s has no commit %s", repo.Name, commit))
		}
		state := map[string]forge.CheckState{"SUCCESSFUL": forge.CheckPassed, "FAILED": forge.CheckFailed, "INPROGRESS": forge.CheckPending}[s.State]
		if state == "" {
			state = forge.CheckSkipped
		}
		all = append(all, forge.Check{Name: checkName(s.Name, s.Key), State: state, URL: s.URL, Summary: s.Description})
	}
	return all, nil
}

// CheckLog implements forge.Checks.
func (f *DataCenter) CheckLog(context.Context, fleet.Repository, string, int64) ([]byte, error) {
	return nil, forge.Unsupported("Bitbucket Data Center has no logs: builds run elsewhere")
}
