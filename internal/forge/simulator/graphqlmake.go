package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A refusal of GraphQL, which comes beside whatever worked.
func refusal(kind, say string, path ...any) map[string]any {
	return map[string]any{"type": kind, "path": path, "message": say}
}

func (c *call) graph(data map[string]any, problems ...any) {
	reply := map[string]any{"data": data}
	if len(problems) > 0 {
		reply["errors"] = problems
	}
	c.json(http.StatusOK, reply)
}

func (g github) find(c *call, text func(string) string) {
	slug := text("owner") + "/" + text("name")
	if to := c.host.moved[strings.ToLower(slug)]; to != "" {
		slug = to
	}
	r := c.host.repos[strings.ToLower(slug)]
	if r == nil {
		c.graph(map[string]any{"repository": nil}, refusal("NOT_FOUND", "Could not resolve to a Repository with the name '"+slug+"'.", "repository"))
		return
	}
	list, err := c.host.list(c.ctx, r, func(p *Pull) bool { return p.Head == text("branch") })
	if err != nil {
		c.fail(http.StatusInternalServerError, err.Error())
		return
	}
	names, nodes := []any{}, []any{}
	for _, l := range r.Labels {
		names = append(names, map[string]any{"name": l})
	}
	for _, p := range list[:min(20, len(list))] {
		nodes = append(nodes, g.pullNode(c, p))
	}
	c.graph(map[string]any{"repository": map[string]any{"id": "R_" + strconv.Itoa(r.ID), "labels": map[string]any{"nodes": names}, "pullRequests": map[string]any{"nodes": nodes}}})
}

func (g github) make(c *call, query string, text func(string) string, draft bool) {
	var r *Repo
	for _, x := range c.host.repos {
		if "R_"+strconv.Itoa(x.ID) == text("repo") {
			r = x
		}
	}
	if r == nil {
		c.graph(map[string]any{"createPullRequest": nil}, refusal("NOT_FOUND", "Could not resolve to a node", "createPullRequest"))
		return
	}
	var problems []any
	nested := map[string]any{"nameWithOwner": r.Slug}
	for i := 0; text(fmt.Sprintf("l%d", i)) != ""; i++ {
		name := text(fmt.Sprintf("l%d", i))
		if alias := fmt.Sprintf("n%d", i); strings.Contains(query, alias+":createLabel") {
			if slices.Contains(r.Labels, name) {
				problems = append(problems, refusal("UNPROCESSABLE", "Name has already been taken", alias))
			}
			r.Labels = add(r.Labels, name)
		}
		if slices.Contains(r.Labels, name) {
			nested[fmt.Sprintf("l%d", i)] = map[string]any{"id": "LA_" + name}
		}
	}
	teams := map[string]any{}
	for i := range 20 {
		if name := text(fmt.Sprintf("u%d", i)); name != "" && name != "stranger" {
			nested[fmt.Sprintf("u%d", i)] = map[string]any{"nodes": []any{map[string]any{"id": "U_" + name + "2", "login": name + "2"}, map[string]any{"id": "U_" + name, "login": name}}}
		}
		if name := text(fmt.Sprintf("t%d", i)); name != "" {
			teams[fmt.Sprintf("t%d", i)] = map[string]any{"id": "T_" + name}
		}
	}
	nested["owner"] = teams
	refuse := func(say string) {
		c.graph(map[string]any{"createPullRequest": nil}, append(problems, refusal("UNPROCESSABLE", say, "createPullRequest"))...)
	}
	if r.Archived {
		refuse("Repository was archived so is read-only.")
		return
	}
	p, err := c.host.create(c.ctx, r, Pull{Title: text("title"), Body: text("body"), Head: text("branch"), Base: text("base"), Draft: draft})
	if err != nil {
		refuse("Something of the branches is wrong: " + err.Error())
		return
	}
	node := g.pullNode(c, p)
	node["id"], node["repository"] = "PR_"+strconv.Itoa(p.ID), nested
	c.graph(map[string]any{"createPullRequest": map[string]any{"pullRequest": node}}, problems...)
}

func (g github) dress(c *call, id string, variables map[string]any) {
	for _, r := range c.host.repos {
		for _, p := range r.pulls {
			if "PR_"+strconv.Itoa(p.ID) != id {
				continue
			}
			for kind, list := range map[string]*[]string{"labels": &p.Labels, "users": &p.Reviewers, "teams": &p.Reviewers} {
				ids, _ := variables[kind].([]any)
				for _, x := range ids {
					_, name, _ := strings.Cut(fmt.Sprint(x), "_")
					if kind == "teams" {
						name = "team/" + name
					}
					*list = add(*list, name)
				}
			}
			p.Updated = time.Now().UTC()
			c.graph(map[string]any{})
			return
		}
	}
	c.graph(map[string]any{"addLabelsToLabelable": nil}, refusal("NOT_FOUND", "Could not resolve to a node", "addLabelsToLabelable"))
}
