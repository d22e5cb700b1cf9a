package simulator

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func (bitbucketCloud) uuid(name string) string { return "{" + name + "}" }

func (b bitbucketCloud) user(name string) map[string]any {
	return map[string]any{"type": "user", "uuid": b.uuid(name), "nickname": name, "display_name": strings.ToUpper(name), "account_id": "557058:" + name}
}

func (bitbucketCloud) repo(c *call, r *Repo) map[string]any {
	branch := map[string]any{"type": "branch", "name": r.Default}
	if strings.Contains(c.r.URL.Query().Get("fields"), "mainbranch.target") && r.Path != "" { // not unless it is asked for
		if tips, _, err := c.host.tips(c.ctx, r, r.Default); err == nil && tips[0] != "" {
			branch["target"] = map[string]any{"type": "commit", "hash": tips[0]}
		}
	}
	out := map[string]any{"type": "repository", "uuid": "{repo-" + strconv.Itoa(r.ID) + "}", "full_name": r.Slug, "is_private": r.Visibility != "public", "size": r.Size << 10, "mainbranch": branch}
	if r.Fork {
		out["parent"] = map[string]any{"type": "repository", "full_name": "else/where"}
	}
	return out
}

func (b bitbucketCloud) pull(c *call, p *Pull) map[string]any {
	short := func(sha string) map[string]any {
		return map[string]any{"type": "commit", "hash": sha[:min(12, len(sha))]}
	}
	reviewers, participants := []any{}, []any{}
	for _, r := range p.Reviewers {
		reviewers = append(reviewers, b.user(r))
		participants = append(participants, map[string]any{"type": "participant", "role": "REVIEWER", "user": b.user(r), "approved": false, "state": nil, "participated_on": nil})
	}
	for _, x := range comments(p, true) {
		participants = append(participants, map[string]any{"type": "participant", "role": "PARTICIPANT", "user": b.user(x.Author), "approved": x.Verdict == "approved", "state": x.Verdict, "participated_on": x.At.UTC().Format(time.RFC3339Nano)})
	}
	repo := map[string]any{"type": "repository", "uuid": "{repo-" + strconv.Itoa(p.repo.ID) + "}", "full_name": p.repo.Slug}
	out := map[string]any{
		"type": "pullrequest", "id": p.Number, "title": p.Title, "description": p.Body, "summary": map[string]any{"raw": p.Body, "markup": "markdown"}, "state": cloudState(p), "draft": p.Draft, "author": b.user(p.Author),
		"source":       map[string]any{"branch": map[string]any{"name": p.Head}, "commit": short(p.HeadSHA), "repository": repo},
		"destination":  map[string]any{"branch": map[string]any{"name": p.Base, "merge_strategies": []string{"merge_commit", "squash", "fast_forward", "rebase_fast_forward"}}, "repository": repo},
		"merge_commit": nil, "reviewers": reviewers, "participants": participants, "created_on": p.Created.Format(time.RFC3339Nano), "updated_on": p.Updated.Format(time.RFC3339Nano),
		"links": map[string]any{"html": map[string]any{"href": c.url + "/" + p.repo.Slug + "/pull-requests/" + strconv.Itoa(p.Number)}},
	}
	if tips, _, err := c.host.tips(c.ctx, p.repo, p.Base); err == nil {
		out["destination"].(map[string]any)["commit"] = short(tips[0])
	}
	if p.State == "merged" {
		out["merge_commit"] = short(p.MergeSHA)
	}
	return out
}

func (b bitbucketCloud) comment(x Comment) map[string]any {
	out := map[string]any{"type": "pullrequest_comment", "id": x.ID, "content": map[string]any{"raw": x.Body}, "user": b.user(x.Author), "created_on": x.At.UTC().Format(time.RFC3339Nano), "deleted": false}
	if x.File != "" {
		out["inline"] = map[string]any{"path": x.File, "from": nil, "to": x.Line}
	}
	return out
}

// create makes a pull request, or overwrites the one that is open with the same branches.
func (b bitbucketCloud) create(c *call) {
	type end struct{ Branch struct{ Name string } }
	var in struct {
		Title, Description  string
		Source, Destination end
		Reviewers           []struct{ UUID string }
		Draft               bool
	}
	if !c.read(&in) {
		return
	}
	reviewers, err := reviewersOf(in.Reviewers)
	if err != nil {
		c.fail(http.StatusBadRequest, "reviewers: "+err.Error())
		return
	}
	p, err := c.host.create(c.ctx, c.repo, Pull{Title: in.Title, Body: in.Description, Head: in.Source.Branch.Name, Base: in.Destination.Branch.Name, Reviewers: reviewers, Draft: in.Draft})
	switch {
	case errors.Is(err, errMissing):
		c.fail(http.StatusBadRequest, "branch not found: "+in.Source.Branch.Name)
		return
	case errors.Is(err, errNothing):
		c.fail(http.StatusBadRequest, "There are no changes to be pulled")
		return
	case errors.Is(err, errExists):
		p.Title, p.Body, p.Reviewers, p.Draft, p.Updated = in.Title, in.Description, reviewers, in.Draft, time.Now().UTC()
	case err != nil:
		c.fail(http.StatusInternalServerError, err.Error())
		return
	}
	b.give(c, http.StatusCreated, b.pull(c, p))
}

func (b bitbucketCloud) edit(c *call, p *Pull) {
	var in struct {
		Title, Description *string
		Destination        struct{ Branch struct{ Name string } }
		Reviewers          []struct{ UUID string }
		Draft              *bool
	}
	if !c.read(&in) {
		return
	}
	reviewers, err := reviewersOf(in.Reviewers)
	if err != nil {
		c.fail(http.StatusBadRequest, "reviewers: "+err.Error())
		return
	}
	if p.State != "open" {
		c.fail(http.StatusBadRequest, "This pull request is already closed.")
		return
	}
	if in.Title != nil {
		p.Title = *in.Title
	}
	if in.Description != nil {
		p.Body = *in.Description
	}
	if in.Destination.Branch.Name != "" {
		p.Base = in.Destination.Branch.Name
	}
	if in.Draft != nil {
		p.Draft = *in.Draft
	}
	p.Reviewers, p.Updated = reviewers, time.Now().UTC()
	b.give(c, http.StatusOK, b.pull(c, p))
}

func (b bitbucketCloud) merge(c *call, p *Pull) {
	var in struct {
		Type     string
		Strategy string `json:"merge_strategy"`
	}
	if !c.read(&in) {
		return
	}
	method := map[string]string{"merge_commit": "merge", "squash": "squash", "rebase_fast_forward": "rebase"}[in.Strategy]
	if strings.HasPrefix(p.Title, "Slow") && p.State == "open" {
		b.tasks[p] = &completion{method: method}
		c.w.Header().Set("Location", c.url+"/2.0/repositories/"+p.repo.Slug+"/pullrequests/"+strconv.Itoa(p.Number)+"/merge/task-status/1")
		c.w.WriteHeader(http.StatusAccepted)
		return
	}
	if b.land(c, p, method) {
		c.json(http.StatusOK, b.pull(c, p))
	}
}

// task is a merge in the background: it is made the second time that anybody looks.
func (b bitbucketCloud) task(c *call, p *Pull) {
	task := b.tasks[p]
	if task == nil {
		c.fail(http.StatusNotFound, "No such task")
		return
	}
	if task.looks++; task.looks < 2 {
		c.json(http.StatusOK, map[string]any{"task_status": "PENDING"})
	} else if p.State == "merged" || b.land(c, p, task.method) {
		c.json(http.StatusOK, map[string]any{"task_status": "SUCCESS", "merge_result": b.pull(c, p)})
	}
}

// land merges, or says why not.
func (b bitbucketCloud) land(c *call, p *Pull, method string) bool {
	switch err := c.host.merge(c.ctx, p, method, ""); {
	case err == nil:
		return true
	case errors.Is(err, errDraft):
		c.fail(http.StatusBadRequest, "This pull request is a draft.")
	case errors.Is(err, errProtected):
		c.fail(http.StatusBadRequest, "2 approvals are required")
	case errors.Is(err, errConflict):
		c.fail(http.StatusBadRequest, "You can't merge until you resolve all merge conflicts.")
	case errors.Is(err, errClosed):
		c.fail(http.StatusBadRequest, "This pull request is already closed.")
	default:
		c.w.WriteHeader(http.StatusConflict)
	}
	return false
}
