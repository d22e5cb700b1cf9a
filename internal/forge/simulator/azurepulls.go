package simulator

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (*azure) reviewer(p *Pull, name string) map[string]any {
	out := human(name)
	out["vote"] = 0
	for _, c := range comments(p, true) {
		if c.Author == name {
			out["vote"] = map[string]int{"approved": 10, "changes_requested": -5}[c.Verdict]
		}
	}
	return out
}

func (a *azure) pull(p *Pull, brief bool) map[string]any {
	reviewers, tags := []any{}, []any{}
	all := p.Reviewers
	for _, c := range comments(p, true) {
		all = add(all, c.Author)
	}
	for _, r := range all {
		reviewers = append(reviewers, a.reviewer(p, r))
	}
	for i, l := range p.Labels {
		tags = append(tags, map[string]any{"id": guid(0xd0, i), "name": l, "active": true})
	}
	out := map[string]any{
		"pullRequestId": p.Number, "codeReviewId": p.Number, "status": map[string]string{"open": "active", "closed": "abandoned", "merged": "completed"}[p.State], "title": p.Title, "description": p.Body, "isDraft": p.Draft,
		"sourceRefName": "refs/heads/" + p.Head, "targetRefName": "refs/heads/" + p.Base, "createdBy": human(p.Author), "creationDate": p.Created.Format(time.RFC3339Nano),
		"reviewers": reviewers, "repository": a.repo(p.repo), "mergeStatus": "succeeded", "lastMergeSourceCommit": map[string]any{"commitId": p.HeadSHA}, "supportsIterations": true,
	}
	if p.State != "open" {
		out["closedDate"] = p.Updated.Format(time.RFC3339Nano)
	}
	switch {
	case p.State == "merged":
		out["lastMergeCommit"] = map[string]any{"commitId": p.MergeSHA}
	case a.jobs[p] != nil:
		out["mergeStatus"], out["completionQueueTime"] = "queued", p.Updated.Format(time.RFC3339Nano)
	case p.dirty:
		out["mergeStatus"] = "conflicts"
	case p.State == "open" && p.asked < 2:
		out["mergeStatus"] = "queued"
	}
	if !brief {
		out["labels"] = tags
	} else if text := []rune(p.Body); len(text) > 400 {
		out["description"] = string(text[:400])
	}
	return out
}

func (a *azure) list(c *call, repos []*Repo) {
	q := c.r.URL.Query()
	wanted := map[string]string{"": "open", "active": "open", "abandoned": "closed", "completed": "merged"}[q.Get("searchCriteria.status")]
	var all []*Pull
	for _, r := range repos {
		list, err := c.host.list(c.ctx, r, func(p *Pull) bool {
			if err := a.advance(c, p); err != nil {
				return false
			}
			if p.asked == 1 { // by now the host has found out
				c.host.mergeable(c.ctx, p)
			}
			source, creator := q.Get("searchCriteria.sourceRefName"), q.Get("searchCriteria.creatorId")
			return (wanted == "" || p.State == wanted) && (source == "" || source == "refs/heads/"+p.Head) && (creator == "" || creator == personID(p.Author))
		})
		if err != nil {
			c.fail(http.StatusInternalServerError, err.Error())
			return
		}
		all = append(all, list...)
	}
	slices.SortStableFunc(all, func(x, y *Pull) int { return y.ID - x.ID })
	from, to := a.page(c.w, q, len(all), c.host.cfg.PageCap, nil)
	collection(c, all[from:to], func(p *Pull) any { return a.pull(p, true) })
}

func (a *azure) create(c *call) {
	var in struct {
		Title, Description string
		Source             string `json:"sourceRefName"`
		Target             string `json:"targetRefName"`
		Draft              bool   `json:"isDraft"`
		Labels             []struct{ Name string }
		Reviewers          []struct{ ID string }
	}
	if !c.read(&in) {
		return
	}
	if len(in.Description) > 4000 && len([]rune(in.Description)) > 4000 || len([]rune(in.Title)) > 400 {
		explain(c.w, http.StatusBadRequest, "InvalidArgumentValueException", "Invalid argument value. Parameter name: A description for a pull request must not be longer than 4000 characters.")
		return
	}
	pull := Pull{Title: in.Title, Body: in.Description, Head: strings.TrimPrefix(in.Source, "refs/heads/"), Base: strings.TrimPrefix(in.Target, "refs/heads/"), Draft: in.Draft}
	for _, l := range in.Labels {
		pull.Labels = add(pull.Labels, l.Name)
	}
	for _, r := range in.Reviewers {
		for _, k := range known {
			if personID(k) == r.ID {
				pull.Reviewers = add(pull.Reviewers, k)
			}
		}
	}
	if len(pull.Reviewers) != len(in.Reviewers) {
		explain(c.w, http.StatusBadRequest, "GitPullRequestInvalidReviewer", "TF401186: The reviewer does not exist.")
		return
	}
	p, err := c.host.create(c.ctx, c.repo, pull)
	if errors.Is(err, errNothing) { // it is made all the same
		tips, _, tipErr := c.host.tips(c.ctx, c.repo, pull.Head, pull.Base)
		if err = tipErr; err == nil {
			c.host.nextID++
			p = &pull
			p.ID, p.Number, p.State, p.HeadSHA, p.Author, p.Created, p.Updated, p.repo, p.seen = c.host.nextID, len(c.repo.pulls)+1, "open", tips[0], Self, time.Now().UTC(), time.Now().UTC(), c.repo, tips[0]+tips[1]
			c.repo.pulls = append(c.repo.pulls, p)
		}
	}
	switch {
	case errors.Is(err, errMissing):
		explain(c.w, http.StatusBadRequest, "GitPullRequestCannotBeActivated", "TF401398: The pull request cannot be activated because the source and/or the target branch no longer exists, or the requested refs are not branches")
	case errors.Is(err, errExists):
		explain(c.w, http.StatusConflict, "GitPullRequestExistsException", "TF401179: An active pull request for the source and target branch already exists.")
	case err != nil:
		c.fail(http.StatusInternalServerError, err.Error())
	default:
		c.json(http.StatusCreated, a.pull(p, false))
	}
}

func (a *azure) edit(c *call, p *Pull) {
	var in struct {
		Title, Description *string
		Target             *string `json:"targetRefName"`
		Status             string
		Source             struct {
			ID string `json:"commitId"`
		} `json:"lastMergeSourceCommit"`
		Options struct {
			Strategy string `json:"mergeStrategy"`
		} `json:"completionOptions"`
	}
	if !c.read(&in) {
		return
	}
	if p.State != "open" {
		explain(c.w, http.StatusBadRequest, "GitPullRequestNotEditableException", "TF401181: The pull request cannot be edited due to its state.")
		return
	}
	for to, from := range map[*string]*string{&p.Title: in.Title, &p.Body: in.Description, &p.Base: in.Target} {
		if from != nil {
			*to = strings.TrimPrefix(*from, "refs/heads/")
		}
	}
	switch in.Status {
	case "abandoned":
		p.State = "closed"
	case "completed":
		switch {
		case in.Source.ID == "":
			explain(c.w, http.StatusBadRequest, "InvalidArgumentValueException", "Invalid argument value.\r\nParameter name: You must specify a valid LastMergeSourceCommit to perform this operation.")
			return
		case p.Draft:
			explain(c.w, http.StatusBadRequest, "InvalidArgumentValueException", "A draft cannot be completed.")
			return
		case in.Source.ID != p.HeadSHA:
			explain(c.w, http.StatusConflict, "GitPullRequestStaleException", "TF401192: The source branch has been modified since the last merge attempt.")
			return
		case p.repo.Protected, slices.Contains(p.repo.Refuses, in.Options.Strategy):
			explain(c.w, http.StatusForbidden, "GitPullRequestUpdateRejectedByPolicyException", "TF402455: The pull request cannot be completed because policies are not met.")
			return
		}
		method := map[string]string{"noFastForward": "merge", "squash": "squash", "rebase": "rebase"}[in.Options.Strategy]
		a.jobs[p] = &completion{method: method, head: in.Source.ID}
	}
	p.Updated = time.Now().UTC()
	c.json(http.StatusOK, a.pull(p, false))
}

// advance does what is to be done in the background, the second time that anybody looks.
func (a *azure) advance(c *call, p *Pull) error {
	job := a.jobs[p]
	if job == nil {
		return nil
	}
	if job.looks++; job.looks < 2 {
		return nil
	}
	delete(a.jobs, p)
	err := c.host.merge(c.ctx, p, job.method, job.head)
	if errors.Is(err, errConflict) || errors.Is(err, errHead) || errors.Is(err, errClosed) {
		return nil
	}
	return err
}

func (*azure) diff(c *call) {
	q := c.r.URL.Query()
	tips, repo, err := c.host.tips(c.ctx, c.repo, q.Get("baseVersion"), q.Get("targetVersion"))
	if err != nil || tips[0] == "" || tips[1] == "" {
		explain(c.w, http.StatusNotFound, "GitUnresolvableToCommitException", "TF401175: The version descriptor could not be resolved.")
		return
	}
	in, err := repo.Contains(c.ctx, tips[0], tips[1])
	if err != nil {
		c.fail(http.StatusInternalServerError, err.Error())
		return
	}
	ahead := 1
	if in {
		ahead = 0
	}
	c.json(http.StatusOK, map[string]any{"aheadCount": ahead, "behindCount": 0, "baseCommit": tips[0], "targetCommit": tips[1]})
}
