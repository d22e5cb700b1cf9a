package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// graphql answers the operations that the driver sends, told apart by their names; it does not interpret queries.
func (g github) graphql(c *call) {
	var in struct {
		Query     string
		Variables map[string]any
	}
	if !c.read(&in) {
		return
	}
	_, after, _ := strings.Cut(in.Query, " ") // after query or mutation
	name, _, _ := strings.Cut(after, "(")
	text := func(k string) string { s, _ := in.Variables[k].(string); return s }
	window := func(total int) (from, to int, info map[string]any) {
		from, _ = strconv.Atoi(text("after"))
		to = min(from+min(100, c.host.cfg.PageCap), total)
		return from, to, map[string]any{"hasNextPage": to < total, "endCursor": strconv.Itoa(to)}
	}
	c.host.calls["graphql "+name]++
	switch name {
	case "Repositories":
		list := c.host.owned(text("owner"))
		if fork, ok := in.Variables["fork"].(bool); ok {
			list = slices.DeleteFunc(list, func(r *Repo) bool { return r.Fork != fork })
		}
		if len(list) == 0 {
			c.json(http.StatusOK, map[string]any{"data": map[string]any{"repositoryOwner": nil}})
			return
		}
		from, to, info := window(len(list))
		nodes := []any{}
		for _, r := range list[from:to] {
			nodes = append(nodes, g.node(c, r))
		}
		c.json(http.StatusOK, map[string]any{"data": map[string]any{"repositoryOwner": map[string]any{"repositories": map[string]any{"nodes": nodes, "pageInfo": info}}}})
	case "Follow":
		data, problems := map[string]any{}, []any{}
		for i := 0; in.Variables[fmt.Sprintf("o%d", i)] != nil; i++ {
			alias := fmt.Sprintf("p%d", i)
			slug := text(fmt.Sprintf("o%d", i)) + "/" + text(fmt.Sprintf("r%d", i))
			if to := c.host.moved[strings.ToLower(slug)]; to != "" {
				slug = to
			}
			r := c.host.repos[strings.ToLower(slug)]
			if r == nil {
				data[alias] = nil
				problems = append(problems, map[string]any{"type": "NOT_FOUND", "path": []any{alias}, "message": "Could not resolve to a Repository"})
				continue
			}
			n, _ := in.Variables[fmt.Sprintf("n%d", i)].(float64)
			p, err := c.host.pull(c.ctx, r, int(n))
			if err != nil {
				data[alias] = map[string]any{"pullRequest": nil}
				problems = append(problems, map[string]any{"type": "NOT_FOUND", "path": []any{alias, "pullRequest"}, "message": "Could not resolve to a PullRequest"})
				continue
			}
			data[alias] = map[string]any{"pullRequest": g.pullNode(c, p)}
		}
		reply := map[string]any{"data": data}
		if len(problems) > 0 {
			reply["errors"] = problems
		}
		c.json(http.StatusOK, reply)
	case "Own":
		var all []*Pull
		states, _ := in.Variables["states"].([]any)
		for _, r := range c.host.repos {
			list, err := c.host.list(c.ctx, r, func(p *Pull) bool {
				return p.Author == Self && (len(states) == 0 || slices.Contains(states, any(strings.ToUpper(p.State))))
			})
			if err != nil {
				c.fail(http.StatusInternalServerError, err.Error())
				return
			}
			all = append(all, list...)
		}
		slices.SortFunc(all, func(a, b *Pull) int { return b.ID - a.ID })
		from, to, info := window(len(all))
		nodes := []any{}
		for _, p := range all[from:to] {
			nodes = append(nodes, g.pullNode(c, p))
		}
		c.json(http.StatusOK, map[string]any{"data": map[string]any{"viewer": map[string]any{"pullRequests": map[string]any{"nodes": nodes, "pageInfo": info}}}})
	case "Find":
		g.find(c, text)
	case "Make":
		g.make(c, in.Query, text, in.Variables["draft"] == true)
	case "Dress":
		g.dress(c, text("pull"), in.Variables)
	case "Enqueue", "Queued":
		g.queue(c, name, text("id"), text("head"))
	default:
		c.json(http.StatusOK, map[string]any{"errors": []any{map[string]any{"message": "no operation " + name}}})
	}
}

// queue takes a pull request into the merge queue, or tells of it.
func (g github) queue(c *call, name, id, head string) {
	var p *Pull
	for _, r := range c.host.repos {
		for _, x := range r.pulls {
			if "PR_"+strconv.Itoa(x.ID) == id {
				p = x
			}
		}
	}
	refuse := func(kind, say string) {
		c.json(http.StatusOK, map[string]any{"data": map[string]any{"enqueuePullRequest": nil}, "errors": []any{map[string]any{"type": kind, "path": []any{"enqueuePullRequest"}, "message": say}}})
	}
	switch {
	case p == nil:
		refuse("NOT_FOUND", "Could not resolve to a node with the global id of '"+id+"'")
	case c.host.look(c.ctx, p) != nil:
		c.fail(http.StatusInternalServerError, "the branches cannot be read")
	case name == "Queued":
		c.json(http.StatusOK, map[string]any{"data": map[string]any{"node": map[string]any{"isInMergeQueue": p.queue, "state": strings.ToUpper(p.State), "headRefOid": p.HeadSHA}}})
	case p.State != "open" || p.HeadSHA != head:
		refuse("UNPROCESSABLE", "Head branch was modified. Review and try the merge again.")
	case p.queue:
		refuse("UNPROCESSABLE", "Pull request Pull request is already in the queue")
	case p.repo.Protected:
		refuse("UNPROCESSABLE", "Pull request Protected branch rules not configured for this branch or not met")
	default:
		p.queue = true
		c.json(http.StatusOK, map[string]any{"data": map[string]any{"enqueuePullRequest": map[string]any{"mergeQueueEntry": map[string]any{"id": "MQE_1"}}}})
	}
}

func (g github) node(c *call, r *Repo) map[string]any {
	topics := []any{}
	for _, t := range r.Topics {
		topics = append(topics, map[string]any{"topic": map[string]any{"name": t}})
	}
	out := map[string]any{"nameWithOwner": r.Slug, "url": c.url + "/" + r.Slug, "isArchived": r.Archived, "isFork": r.Fork, "visibility": strings.ToUpper(r.Visibility),
		"diskUsage": r.Size, "repositoryTopics": map[string]any{"nodes": topics}, "defaultBranchRef": nil}
	if r.Path == "" {
		return out
	}
	if tips, _, err := c.host.tips(c.ctx, r, r.Default); err == nil && tips[0] != "" {
		out["defaultBranchRef"] = map[string]any{"name": r.Default, "target": map[string]any{"oid": tips[0], "tree": map[string]any{"oid": tips[0]}}}
	}
	return out
}

func (g github) pullNode(c *call, p *Pull) map[string]any {
	names, reviewers := []any{}, []any{}
	for _, l := range p.Labels {
		names = append(names, map[string]any{"name": l})
	}
	for _, r := range p.Reviewers {
		who := map[string]any{"login": r}
		if slug, team := strings.CutPrefix(r, "team/"); team {
			who = map[string]any{"slug": slug}
		}
		reviewers = append(reviewers, map[string]any{"requestedReviewer": who})
	}
	out := map[string]any{"number": p.Number, "url": c.url + "/" + p.repo.Slug + "/pull/" + strconv.Itoa(p.Number), "title": p.Title, "body": p.Body, "isDraft": p.Draft,
		"state": strings.ToUpper(p.State), "headRefName": p.Head, "headRefOid": p.HeadSHA, "baseRefName": p.Base, "isCrossRepository": false, "createdAt": stamp(p.Created), "updatedAt": stamp(p.Updated),
		"author": map[string]any{"login": p.Author}, "mergeCommit": nil, "labels": map[string]any{"nodes": names}, "reviewRequests": map[string]any{"nodes": reviewers},
		"repository": map[string]any{"nameWithOwner": p.repo.Slug}}
	out["mergeable"], out["isInMergeQueue"], out["autoMergeRequest"] = "UNKNOWN", p.queue && p.State == "open", nil
	if dirty, known := c.host.mergeable(c.ctx, p); known {
		out["mergeable"] = map[bool]string{true: "CONFLICTING", false: "MERGEABLE"}[dirty]
	}
	var rollup any
	if sum := p.repo.sum(p.HeadSHA); sum != "" {
		rollup = map[string]any{"state": strings.ToUpper(sum)}
	}
	out["commits"] = map[string]any{"nodes": []any{map[string]any{"commit": map[string]any{"statusCheckRollup": rollup}}}}
	if p.MergeSHA != "" {
		out["mergeCommit"] = map[string]any{"oid": p.MergeSHA}
	}
	return out
}
