package bitbucket

import (
	"context"
	"errors"
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
func (f *Cloud) AddComment(ctx context.Context, repo fleet.Repository, number int, body string) error {
	at, err := f.pullAt(repo, number, "/comments")
	if err != nil {
		return err
	}
	in := map[string]any{"content": map[string]any{"raw": forge.Clip(body, longestBody)}}
	_, err = f.http.JSON(ctx, http.MethodPost, at, in, nil)
	return f.missing(ctx, repo, err, forge.NotFound(repo, "#"+strconv.Itoa(number)))
}

type cloudComment struct {
	ID        int64     `json:"id"`
	User      cloudUser `json:"user"`
	CreatedOn time.Time `json:"created_on"`
	Deleted   bool      `json:"deleted"`
	Pending   bool      `json:"pending"`
	Content   struct {
		Raw string `json:"raw"`
	} `json:"content"`
	Inline *struct {
		Path string `json:"path"`
		From *int   `json:"from"`
		To   *int   `json:"to"`
	} `json:"inline"`
}

// comments are what people said since a time, oldest first.
func (f *Cloud) comments(ctx context.Context, repo fleet.Repository, number int, since time.Time) ([]cloudComment, error) {
	q := url.Values{"pagelen": {"100"}, "sort": {"created_on"}}
	if !since.IsZero() {
		q.Set("q", "created_on>="+since.UTC().Format("2006-01-02T15:04:05.000000Z07:00"))
	}
	at, err := f.pullAt(repo, number, "/comments?"+q.Encode())
	if err != nil {
		return nil, err
	}
	var all []cloudComment
	for c, err := range pages[cloudComment](ctx, f, at) {
		if err != nil {
			return nil, f.missing(ctx, repo, err, forge.NotFound(repo, "#"+strconv.Itoa(number)))
		}
		if !c.Deleted && !c.Pending {
			all = append(all, c)
		}
	}
	return all, nil
}

// Comments implements forge.Commenter.
func (f *Cloud) Comments(ctx context.Context, repo fleet.Repository, number int) ([]forge.Comment, error) {
	list, err := f.comments(ctx, repo, number, time.Time{})
	var all []forge.Comment
	for _, c := range list {
		all = append(all, forge.Comment{Author: c.User.name(), Body: c.Content.Raw, CreatedAt: c.CreatedOn})
	}
	return all, err
}

// Reviews implements forge.Reviews: the comments, and where each participant stands now. Who may write is known to
// administrators of the repository; to others, nobody does.
func (f *Cloud) Reviews(ctx context.Context, repo fleet.Repository, number int, since time.Time) ([]forge.Remark, error) {
	list, err := f.comments(ctx, repo, number, since)
	if err != nil {
		return nil, err
	}
	var all []forge.Remark
	var who []string
	for _, c := range list {
		r := forge.Remark{ID: "comment-" + strconv.FormatInt(c.ID, 10), Author: c.User.name(), Body: c.Content.Raw, CreatedAt: c.CreatedOn}
		if in := c.Inline; in != nil {
			r.File = in.Path
			if line := in.To; line != nil {
				r.Line = *line
			} else if in.From != nil {
				r.Line = *in.From
			}
		}
		all, who = append(all, r), append(who, c.User.UUID)
	}
	at, err := f.pullAt(repo, number, "?fields=participants")
	if err != nil {
		return nil, err
	}
	var p struct {
		Participants []struct {
			User  cloudUser
			State string     // approved, changes_requested, or nothing
			On    *time.Time `json:"participated_on"`
		}
	}
	if _, err := f.http.JSON(ctx, http.MethodGet, at, nil, &p); err != nil {
		return nil, err
	}
	for _, x := range p.Participants {
		if (x.State == "approved" || x.State == "changes_requested") && x.On != nil && !x.On.Before(since) {
			all = append(all, forge.Remark{ID: "review-" + x.User.UUID + "-" + strconv.FormatInt(x.On.UnixMicro(), 10), Author: x.User.name(), Verdict: x.State, CreatedAt: *x.On})
			who = append(who, x.User.UUID)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	may, err := f.mayWrite(ctx, repo)
	for i := range all {
		all[i].MayWrite = who[i] != "" && may[who[i]]
	}
	slices.SortStableFunc(all, func(a, b forge.Remark) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, err
}

// DeleteBranch implements forge.BranchDeleter.
func (f *Cloud) DeleteBranch(ctx context.Context, repo fleet.Repository, branch, expect string) error {
	head, err := f.tip(ctx, repo, branch)
	if err != nil || head == "" {
		return err
	}
	if expect != "" && head != expect {
		return fleet.Errorf(fleet.CodeConflict, "branch %s moved to %s", branch, head)
	}
	at, err := f.at(repo, "/refs/branches/"+url.PathEscape(branch))
	if err != nil {
		return err
	}
	_, err = f.http.JSON(ctx, http.MethodDelete, at, nil, nil)
	switch {
	case transport.StatusOf(err) == http.StatusNotFound:
		return nil
	case transport.Says(err, "privilege scopes"):
		return err
	case transport.StatusOf(err) == http.StatusForbidden || transport.StatusOf(err) == http.StatusBadRequest:
		return &fleet.Error{Code: fleet.CodeProtected, Message: "branch " + branch + " is protected", Err: err}
	}
	return err
}

// Check implements forge.Checker. Bitbucket names the scopes of a token in the header of a reply, and in a refusal for want
// of one; access tokens, which belong to nobody, may not ask who they are.
func (f *Cloud) Check(ctx context.Context) (forge.Account, []forge.Ability, error) {
	var me cloudUser
	h, err := f.http.JSON(ctx, http.MethodGet, f.api.String()+"/user", nil, &me)
	account := forge.Account{Name: me.name()}
	scopes := strings.FieldsFunc(h.Get("X-OAuth-Scopes"), func(r rune) bool { return r == ',' || r == ' ' })
	if transport.StatusOf(err) == http.StatusForbidden {
		account.Name, scopes, err = "an access token", granted(err), nil
	}
	if err != nil {
		if transport.StatusOf(err) == http.StatusUnauthorized {
			err = errors.Join(&fleet.Error{Code: fleet.CodeForgeAuth, Message: "Bitbucket does not take the token", Hint: "an API token is written as email:token, an access token alone"}, err)
		}
		return forge.Account{}, nil, err
	}
	account.Scopes = scopes
	ability := func(name string, any ...string) forge.Ability {
		if len(scopes) == 0 {
			return forge.Ability{Name: name, OK: true, Detail: "Bitbucket does not tell the scopes of this token; it needs " + any[0]}
		}
		if slices.ContainsFunc(any, func(s string) bool { return slices.Contains(scopes, s) }) {
			return forge.Ability{Name: name, OK: true}
		}
		return forge.Ability{Name: name, Detail: "the token lacks the scope " + any[0]}
	}
	return account, []forge.Ability{
		ability("pull requests", "write:pullrequest:bitbucket", "pullrequest:write"),
		ability("pushing", "write:repository:bitbucket", "repository:write", "pullrequest:write"),
		ability("reviewers by name", "read:workspace:bitbucket", "account", "account:write"),
		ability("logs of Pipelines", "read:pipeline:bitbucket", "pipeline", "pipeline:write"),
		ability("running Pipelines again", "write:pipeline:bitbucket", "pipeline:write"),
		{Name: "rights of reviewers", OK: true, Detail: "known in repositories that the account administers; elsewhere no comment counts as an instruction"},
		{Name: "labels", Detail: "Bitbucket's pull requests have none: they are left out"},
	}, nil
}
