package simulator

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (bitbucketDC) user(name string) map[string]any {
	return map[string]any{"name": name, "slug": name, "displayName": strings.ToUpper(name), "emailAddress": name + "@example.com", "active": true, "type": "NORMAL"}
}

func (bitbucketDC) repo(r *Repo) map[string]any {
	owner, name, _ := strings.Cut(r.Slug, "/")
	out := map[string]any{"id": r.ID, "slug": name, "name": name, "archived": r.Archived, "public": r.Visibility == "public", "state": "AVAILABLE",
		"project": map[string]any{"key": strings.ToUpper(owner), "type": "NORMAL"}}
	if r.Fork {
		out["origin"] = map[string]any{"id": 999}
	}
	return out
}

func (b bitbucketDC) pull(c *call, p *Pull) map[string]any {
	part := func(name, status string) map[string]any {
		return map[string]any{"user": b.user(name), "role": "REVIEWER", "approved": status == "APPROVED", "status": status}
	}
	reviewers := []any{}
	for _, r := range p.Reviewers {
		status := "UNAPPROVED"
		for _, x := range p.Comments {
			if x.Author == r && x.Verdict != "" {
				status = map[string]string{"approved": "APPROVED", "changes_requested": "NEEDS_WORK"}[x.Verdict]
			}
		}
		reviewers = append(reviewers, part(r, status))
	}
	ref := func(branch, sha string) map[string]any {
		return map[string]any{"id": "refs/heads/" + branch, "displayId": branch, "latestCommit": sha, "type": "BRANCH", "repository": b.repo(p.repo)}
	}
	base := ""
	if tips, _, err := c.host.tips(c.ctx, p.repo, p.Base); err == nil {
		base = tips[0]
	}
	author := part(p.Author, "UNAPPROVED")
	author["role"] = "AUTHOR"
	properties := map[string]any{"commentCount": len(comments(p, false))}
	out := map[string]any{
		"id": p.Number, "version": b.versions[p], "title": p.Title, "description": p.Body, "state": dcState(p), "open": p.State == "open", "closed": p.State != "open", "draft": p.Draft, "locked": false,
		"createdDate": p.Created.UnixMilli(), "updatedDate": p.Updated.UnixMilli(), "fromRef": ref(p.Head, p.HeadSHA), "toRef": ref(p.Base, base), "author": author, "reviewers": reviewers, "participants": []any{},
		"links": map[string]any{"self": []any{map[string]any{"href": c.url + "/projects/" + strings.Replace(p.repo.Slug, "/", "/repos/", 1) + "/pull-requests/" + strconv.Itoa(p.Number)}}},
	}
	switch p.State {
	case "open":
		outcome := map[bool]string{true: "CONFLICTED", false: "CLEAN"}[p.dirty]
		properties["mergeResult"] = map[string]any{"outcome": outcome, "current": p.asked >= 2} // as it was when somebody asked
	case "merged":
		properties["mergeCommit"] = map[string]any{"id": p.MergeSHA, "displayId": p.MergeSHA[:11]}
		fallthrough
	default:
		out["closedDate"] = p.Updated.UnixMilli()
	}
	out["properties"] = properties
	return out
}

func (b bitbucketDC) comment(x Comment) map[string]any {
	return map[string]any{"id": x.ID, "version": 0, "text": x.Body, "author": b.user(x.Author), "createdDate": x.At.UnixMilli(), "updatedDate": x.At.UnixMilli(), "state": "OPEN", "severity": "NORMAL", "comments": []any{}}
}

func (b bitbucketDC) activity(x Comment) map[string]any {
	out := map[string]any{"id": x.ID, "createdDate": x.At.UnixMilli(), "user": b.user(x.Author)}
	switch x.Verdict {
	case "approved":
		out["action"] = "APPROVED"
	case "changes_requested":
		out["action"] = "REVIEWED"
	default:
		out["action"], out["commentAction"], out["comment"] = "COMMENTED", "ADDED", b.comment(x)
		if x.File != "" {
			out["commentAnchor"] = map[string]any{"path": x.File, "line": x.Line, "lineType": "ADDED", "fileType": "TO", "diffType": "EFFECTIVE"}
		}
	}
	return out
}

type dcReviewers []struct{ User struct{ Name string } }

func (list dcReviewers) names() (names []string, strange bool) {
	for _, r := range list {
		names = add(names, r.User.Name)
	}
	return names, slices.Contains(names, "stranger")
}

func (b bitbucketDC) create(c *call) {
	var in struct {
		Title, Description string
		Draft              bool
		FromRef, ToRef     struct{ ID string }
		Reviewers          dcReviewers
	}
	if !c.read(&in) {
		return
	}
	if c.repo.Archived {
		c.fail(http.StatusConflict, "repository.ArchivedRepositoryException: Creating pull requests isn't supported on archived repositories.")
		return
	}
	reviewers, strange := in.Reviewers.names()
	if strange {
		c.fail(http.StatusConflict, "pull.InvalidPullRequestReviewersException: Errors encountered while adding some reviewers to this pull request.")
		return
	}
	branch := func(id string) string { return strings.TrimPrefix(id, "refs/heads/") }
	p, err := c.host.create(c.ctx, c.repo, Pull{Title: in.Title, Body: in.Description, Draft: in.Draft, Head: branch(in.FromRef.ID), Base: branch(in.ToRef.ID), Reviewers: reviewers})
	switch {
	case errors.Is(err, errMissing):
		c.fail(http.StatusNotFound, "repository.NoSuchBranchException: Branch \""+branch(in.FromRef.ID)+"\" does not exist.")
	case errors.Is(err, errExists):
		c.fail(http.StatusConflict, "pull.DuplicatePullRequestException: Only one pull request may be open for a given source and target branch")
	case errors.Is(err, errNothing):
		c.fail(http.StatusConflict, "pull.EmptyPullRequestException: \""+in.ToRef.ID+"\" is already up-to-date with branch \""+in.FromRef.ID+"\"")
	case err != nil:
		c.fail(http.StatusInternalServerError, err.Error())
	default:
		c.json(http.StatusCreated, b.pull(c, p))
	}
}

func (b bitbucketDC) edit(c *call, p *Pull) {
	var in struct {
		Version            int
		Title, Description *string
		Draft              *bool
		ToRef              struct{ ID string }
		Reviewers          dcReviewers
	}
	if !c.read(&in) {
		return
	}
	reviewers, strange := in.Reviewers.names()
	switch {
	case strange:
		c.fail(http.StatusConflict, "pull.InvalidPullRequestReviewersException: Errors encountered while adding some reviewers to this pull request.")
		return
	case in.Version != b.versions[p]:
		c.fail(http.StatusConflict, "pull.PullRequestOutOfDateException: You are attempting to modify a pull request based on out-of-date information.")
		return
	}
	if in.Title != nil {
		p.Title = *in.Title
	}
	if in.Description != nil {
		p.Body = *in.Description
	}
	if in.Draft != nil {
		p.Draft = *in.Draft
	}
	if to := strings.TrimPrefix(in.ToRef.ID, "refs/heads/"); to != "" {
		p.Base = to
	}
	p.Reviewers, p.Updated = reviewers, time.Now().UTC()
	b.versions[p]++
	c.json(http.StatusOK, b.pull(c, p))
}
