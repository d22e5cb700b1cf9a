package simulator

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// word is GitLab's word for the state of a check.
func (gitlab) word(state string) string {
	if state == "failure" {
		return "failed"
	}
	return state
}

// graphql answers the operations that the driver sends, told apart by their names; it does not interpret queries.
func (g gitlab) graphql(c *call) {
	var in struct {
		Query     string
		Variables struct {
			After      string
			Names, IDs []string
		}
	}
	if !c.read(&in) {
		return
	}
	_, after, _ := strings.Cut(in.Query, "query ")
	name, _, _ := strings.Cut(after, "(")
	c.host.calls["graphql "+name]++
	switch name {
	case "Open":
		var all []*Pull
		for _, r := range c.host.repos {
			list, err := c.host.list(c.ctx, r, func(p *Pull) bool { return p.Author == Self && p.State == "open" })
			if err != nil {
				c.fail(http.StatusInternalServerError, err.Error())
				return
			}
			all = append(all, list...)
		}
		slices.SortFunc(all, func(a, b *Pull) int { return b.ID - a.ID })
		from, _ := strconv.Atoi(in.Variables.After)
		from = min(from, len(all))
		to := min(from+min(100, c.host.cfg.PageCap), len(all))
		nodes := []any{}
		for _, p := range all[from:to] {
			nodes = append(nodes, g.node(c, p))
		}
		info := map[string]any{"hasNextPage": to < len(all), "endCursor": strconv.Itoa(to)}
		c.json(http.StatusOK, map[string]any{"data": map[string]any{"currentUser": map[string]any{"authoredMergeRequests": map[string]any{"nodes": nodes, "pageInfo": info}}}})
	case "Users":
		nodes := []any{}
		for _, name := range in.Variables.Names {
			if name != "stranger" {
				c.host.people[userID(name)] = name
				nodes = append(nodes, map[string]any{"id": "gid://gitlab/User/" + strconv.Itoa(userID(name)), "username": name})
			}
		}
		c.json(http.StatusOK, map[string]any{"data": map[string]any{"users": map[string]any{"nodes": nodes}}})
	case "Heads":
		nodes := []any{}
		for _, r := range c.host.repos {
			if !slices.Contains(in.Variables.IDs, "gid://gitlab/Project/"+strconv.Itoa(r.ID)) {
				continue
			}
			node := map[string]any{"id": "gid://gitlab/Project/" + strconv.Itoa(r.ID), "repository": nil}
			if r.Path != "" {
				if tips, _, err := c.host.tips(c.ctx, r, r.Default); err == nil && tips[0] != "" {
					node["repository"] = map[string]any{"rootRef": r.Default, "tree": map[string]any{"lastCommit": map[string]any{"sha": tips[0]}}}
				}
			}
			nodes = append(nodes, node)
		}
		c.json(http.StatusOK, map[string]any{"data": map[string]any{"projects": map[string]any{"nodes": nodes}}})
	default:
		c.json(http.StatusOK, map[string]any{"errors": []any{map[string]any{"message": "no operation " + name}}})
	}
}

// node is a merge request as GraphQL has it. Reading it makes GitLab find out nothing.
func (g gitlab) node(c *call, p *Pull) map[string]any {
	if p.asked > 0 {
		c.host.mergeable(c.ctx, p) // what somebody asked for has been found out meanwhile
	}
	names, reviewers := []any{}, []any{}
	for _, l := range p.Labels {
		names = append(names, map[string]any{"title": l})
	}
	for _, r := range p.Reviewers {
		reviewers = append(reviewers, map[string]any{"username": r})
	}
	var pipeline any
	if sum := p.repo.sum(p.HeadSHA); sum != "" {
		pipeline = map[string]any{"status": strings.ToUpper(g.word(sum))}
	}
	return map[string]any{"iid": strconv.Itoa(p.Number), "title": p.Title, "description": p.Body, "draft": strings.HasPrefix(p.Title, "Draft:"),
		"webUrl": c.url + "/" + p.repo.Slug + "/-/merge_requests/" + strconv.Itoa(p.Number), "sourceBranch": p.Head, "targetBranch": p.Base, "diffHeadSha": p.HeadSHA,
		"createdAt": p.Created.Format(time.RFC3339Nano), "updatedAt": p.Updated.Format(time.RFC3339Nano), "projectId": p.repo.ID, "reference": p.repo.Slug + "!" + strconv.Itoa(p.Number),
		"author": map[string]any{"username": p.Author}, "labels": map[string]any{"nodes": names}, "reviewers": map[string]any{"nodes": reviewers},
		"conflicts": p.dirty, "detailedMergeStatus": strings.ToUpper(g.status(p)), "autoMergeEnabled": p.queue && p.State == "open", "headPipeline": pipeline}
}

// board puts a merge request on the train.
func (g gitlab) board(c *call, p *Pull) {
	var in struct{ SHA string }
	if !c.read(&in) {
		return
	}
	switch {
	case !c.repo.Queue:
		c.fail(http.StatusForbidden, "403 Forbidden")
	case p.State != "open" || p.queue || p.dirty || strings.HasPrefix(p.Title, "Draft:"):
		c.fail(http.StatusBadRequest, "Failed to merge")
	case in.SHA != "" && in.SHA != p.HeadSHA:
		c.fail(http.StatusConflict, "SHA does not match HEAD of source branch: "+p.HeadSHA)
	default:
		p.queue = true
		c.json(http.StatusCreated, []any{map[string]any{"id": 1, "status": "idle"}})
	}
}
