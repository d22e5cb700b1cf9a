package simulator

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

type github struct{}

// GitHub serves the API of GitHub Enterprise, below /api/v3 and at /api/graphql, until the test ends, and returns the
// site's URL. seen, unless nil, is told of each exchange.
func GitHub(t testing.TB, h *Host, seen func(Exchange)) string { return start(t, h, github{}, seen) }

func (github) authorized(h http.Header, token string) bool {
	return h.Get("Authorization") == "Bearer "+token
}

func (g github) limit(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "0")
	g.problem(w, http.StatusForbidden, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
}

func (github) problem(w http.ResponseWriter, status int, say string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"message":` + strconv.Quote(say) + `,"documentation_url":"https://docs.github.com/rest","status":"` + strconv.Itoa(status) + `"}`))
}

func (github) page(w http.ResponseWriter, q url.Values, total, pageCap int, self *url.URL) (int, int) {
	return linked(w, "", q, "per_page", 30, total, min(pageCap, 100), self)
}

func (g github) routes(s *server) {
	on := func(pattern string, do func(*call)) {
		method, path, _ := strings.Cut(pattern, " ")
		s.handle(method+" /api/v3/repos/{owner}/{repo}"+path, func(c *call) {
			slug := c.r.PathValue("owner") + "/" + c.r.PathValue("repo")
			rest := strings.TrimPrefix(c.r.URL.RequestURI(), "/api/v3/repos/"+slug)
			c.w.Header().Set("X-OAuth-Scopes", "repo, workflow")
			if c.at(slug, func(to string) string {
				return "/api/v3/repositories/" + strconv.Itoa(c.host.repos[strings.ToLower(to)].ID) + rest
			}) {
				do(c)
			}
		})
		s.handle(method+" /api/v3/repositories/{id}"+path, func(c *call) {
			for _, r := range c.host.repos {
				if strconv.Itoa(r.ID) == c.r.PathValue("id") {
					c.repo = r
					do(c)
					return
				}
			}
			c.fail(http.StatusNotFound, "Not Found")
		})
	}
	pull := func(pattern string, do func(*call, *Pull)) {
		on(pattern, func(c *call) {
			if p := c.number("n"); p != nil {
				do(c, p)
			}
		})
	}
	on("GET ", func(c *call) { c.json(http.StatusOK, g.repo(c.repo)) })
	on("GET /pulls", g.pulls)
	on("POST /pulls", g.create)
	pull("GET /pulls/{n}", func(c *call, p *Pull) {
		out := g.pull(c, p)
		out["mergeable"], out["mergeable_state"] = nil, "unknown"
		if dirty, known := c.host.mergeable(c.ctx, p); known {
			out["mergeable"], out["mergeable_state"] = !dirty, map[bool]string{true: "dirty", false: "clean"}[dirty]
		}
		c.json(http.StatusOK, out)
	})
	pull("PATCH /pulls/{n}", g.edit)
	pull("PUT /pulls/{n}/merge", g.merge)
	pull("POST /pulls/{n}/requested_reviewers", g.ask)
	pull("GET /pulls/{n}/reviews", func(c *call, p *Pull) {
		paged(c, comments(p, true), func(x Comment) any {
			state := map[string]string{"approved": "APPROVED", "changes_requested": "CHANGES_REQUESTED"}[x.Verdict]
			return map[string]any{"id": x.ID, "body": x.Body, "state": state, "user": login(x.Author), "submitted_at": stamp(x.At)}
		})
	})
	pull("GET /pulls/{n}/comments", func(c *call, _ *Pull) { c.json(http.StatusOK, []any{}) })
	pull("GET /issues/{n}/comments", func(c *call, p *Pull) { paged(c, comments(p, false), g.comment) })
	pull("POST /issues/{n}/comments", func(c *call, p *Pull) {
		var in struct{ Body string }
		if c.read(&in) {
			c.json(http.StatusCreated, g.comment(c.host.comment(p, in.Body)))
		}
	})
	pull("POST /issues/{n}/labels", func(c *call, p *Pull) {
		var in struct{ Labels []string }
		if c.read(&in) {
			c.repo.Labels = add(c.repo.Labels, in.Labels...)
			p.Labels, p.Updated = add(p.Labels, in.Labels...), time.Now().UTC()
			c.json(http.StatusOK, labels(p.Labels))
		}
	})
	on("GET /collaborators/{user}/permission", func(c *call) {
		level := "read"
		for _, p := range c.repo.pulls {
			for _, x := range p.Comments {
				if x.Author == c.r.PathValue("user") && x.MayWrite {
					level = "write"
				}
			}
		}
		c.json(http.StatusOK, map[string]any{"permission": level, "role_name": level, "user": login(c.r.PathValue("user"))})
	})
	on("GET /commits/{ref}/check-runs", func(c *call) {
		runs := []any{}
		for i, x := range c.repo.Checks {
			if x.Commit != c.r.PathValue("ref") {
				continue
			}
			run := map[string]any{"id": i + 1, "name": x.Name, "head_sha": x.Commit, "status": "completed", "conclusion": x.State, "app": map[string]any{"slug": "github-actions"}}
			if x.State == "pending" {
				run["status"], run["conclusion"] = "in_progress", nil
			}
			runs = append(runs, run)
		}
		c.json(http.StatusOK, map[string]any{"total_count": len(runs), "check_runs": runs})
	})
	on("GET /commits/{ref}/status", func(c *call) {
		c.json(http.StatusOK, map[string]any{"state": "pending", "sha": c.r.PathValue("ref"), "total_count": 0, "statuses": []any{}})
	})
	on("POST /actions/jobs/{job}/rerun", func(c *call) {
		switch found, started := c.repo.rerun(c.r.PathValue("job")); {
		case !found:
			c.fail(http.StatusNotFound, "Not Found")
		case !started:
			c.fail(http.StatusForbidden, "The workflow run containing this job is already running")
		default:
			c.json(http.StatusCreated, map[string]any{})
		}
	})
	on("GET /actions/jobs/{job}/logs", func(c *call) {
		c.w.Header().Set("Location", c.url+"/api/v3/logs/"+strconv.Itoa(c.repo.ID)+"/"+c.r.PathValue("job"))
		c.w.WriteHeader(http.StatusFound)
	})
	s.handle("GET /api/v3/logs/{repo}/{job}", func(c *call) {
		for _, r := range c.host.repos {
			if job, err := strconv.Atoi(c.r.PathValue("job")); err == nil && strconv.Itoa(r.ID) == c.r.PathValue("repo") && job <= len(r.Checks) {
				_, _ = c.w.Write([]byte(r.Checks[job-1].Log))
			}
		}
	})
	on("GET /deployments", func(c *call) {
		out := []any{}
		for i, d := range c.repo.Deploys {
			if d.Commit == c.r.URL.Query().Get("sha") {
				out = append(out, map[string]any{"id": i + 1, "sha": d.Commit, "environment": d.Environment, "created_at": stamp(time.Now())})
			}
		}
		c.json(http.StatusOK, out)
	})
	on("GET /deployments/{deployment}/statuses", func(c *call) {
		id, _ := strconv.Atoi(c.r.PathValue("deployment"))
		c.json(http.StatusOK, []any{map[string]any{"id": id, "state": c.repo.Deploys[id-1].State, "created_at": stamp(time.Now())}})
	})
	on("GET /git/ref/heads/{branch...}", func(c *call) {
		tips, _, err := c.host.tips(c.ctx, c.repo, c.r.PathValue("branch"))
		if err != nil || tips[0] == "" {
			c.fail(http.StatusNotFound, "Not Found")
			return
		}
		c.json(http.StatusOK, map[string]any{"ref": "refs/heads/" + c.r.PathValue("branch"), "object": map[string]any{"type": "commit", "sha": tips[0]}})
	})
	on("DELETE /git/refs/heads/{branch...}", func(c *call) {
		tips, repo, err := c.host.tips(c.ctx, c.repo, c.r.PathValue("branch"))
		if err != nil || tips[0] == "" || repo.DeleteBranch(c.ctx, c.r.PathValue("branch"), tips[0]) != nil {
			c.fail(http.StatusUnprocessableEntity, "Reference does not exist")
			return
		}
		c.w.WriteHeader(http.StatusNoContent)
	})
	s.handle("GET /api/v3/user", func(c *call) {
		c.w.Header().Set("X-OAuth-Scopes", "repo, workflow")
		c.json(http.StatusOK, login(Self))
	})
	s.handle("POST /api/graphql", g.graphql)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func login(name string) map[string]any { return map[string]any{"login": name, "type": "User"} }

func labels(names []string) []any {
	out := []any{}
	for i, n := range names {
		out = append(out, map[string]any{"id": i + 1, "name": n})
	}
	return out
}

// comments are those that are reviews, or those that are not.
func comments(p *Pull, reviews bool) []Comment {
	var out []Comment
	for _, c := range p.Comments {
		if reviews == (c.Verdict != "") {
			out = append(out, c)
		}
	}
	return out
}

func (github) comment(c Comment) any {
	return map[string]any{"id": c.ID, "body": c.Body, "user": login(c.Author), "created_at": stamp(c.At), "updated_at": stamp(c.At)}
}

func (github) repo(r *Repo) map[string]any {
	owner, name, _ := strings.Cut(r.Slug, "/")
	return map[string]any{"id": r.ID, "name": name, "full_name": r.Slug, "owner": login(owner), "default_branch": r.Default, "archived": r.Archived}
}

func (g github) pull(c *call, p *Pull) map[string]any {
	reviewers := []any{}
	for _, r := range p.Reviewers {
		reviewers = append(reviewers, login(r))
	}
	owner, _, _ := strings.Cut(p.repo.Slug, "/")
	out := map[string]any{
		"id": p.ID, "node_id": "PR_" + strconv.Itoa(p.ID), "number": p.Number, "html_url": c.url + "/" + p.repo.Slug + "/pull/" + strconv.Itoa(p.Number), "title": p.Title, "body": p.Body, "state": p.State,
		"draft": p.Draft, "labels": labels(p.Labels), "requested_reviewers": reviewers, "user": login(p.Author), "merged_at": nil, "merge_commit_sha": p.MergeSHA,
		"head": map[string]any{"ref": p.Head, "sha": p.HeadSHA, "label": owner + ":" + p.Head}, "base": map[string]any{"ref": p.Base, "sha": p.base, "label": owner + ":" + p.Base},
		"created_at": stamp(p.Created), "updated_at": stamp(p.Updated),
	}
	if p.State == "merged" {
		out["state"], out["merged_at"] = "closed", stamp(p.Updated)
	}
	return out
}

func (g github) pulls(c *call) {
	q := c.r.URL.Query()
	list, err := c.host.list(c.ctx, c.repo, func(p *Pull) bool {
		owner, _, _ := strings.Cut(p.repo.Slug, "/")
		state := p.State
		if state == "merged" {
			state = "closed"
		}
		return (q.Get("head") == "" || strings.EqualFold(q.Get("head"), owner+":"+p.Head)) && (q.Get("state") == "all" || q.Get("state") == state || q.Get("state") == "" && state == "open")
	})
	if err != nil {
		c.fail(http.StatusInternalServerError, err.Error())
		return
	}
	paged(c, list, func(p *Pull) any { return g.pull(c, p) })
}

func invalid(c *call, rest string) {
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	c.w.WriteHeader(http.StatusUnprocessableEntity)
	_, _ = c.w.Write([]byte(`{"message":"Validation Failed","errors":[{"resource":"PullRequest",` + rest + `}],"documentation_url":"https://docs.github.com/rest","status":"422"}`))
}

func (g github) create(c *call) {
	var in struct {
		Title, Body, Head, Base string
		Draft                   bool
	}
	if !c.read(&in) {
		return
	}
	if c.repo.Archived {
		c.fail(http.StatusForbidden, "Repository was archived so is read-only.")
		return
	}
	p, err := c.host.create(c.ctx, c.repo, Pull{Title: in.Title, Body: in.Body, Head: in.Head, Base: in.Base, Draft: in.Draft})
	switch {
	case errors.Is(err, errMissing):
		invalid(c, `"field":"head","code":"invalid"`)
	case errors.Is(err, errExists):
		owner, _, _ := strings.Cut(c.repo.Slug, "/")
		invalid(c, `"code":"custom","message":`+strconv.Quote("A pull request already exists for "+owner+":"+in.Head+"."))
	case errors.Is(err, errNothing):
		invalid(c, `"code":"custom","message":`+strconv.Quote("No commits between "+in.Base+" and "+in.Head))
	case err != nil:
		c.fail(http.StatusInternalServerError, err.Error())
	default:
		c.json(http.StatusCreated, g.pull(c, p))
	}
}

func (g github) edit(c *call, p *Pull) {
	var in struct{ Title, Body, State, Base *string }
	if !c.read(&in) {
		return
	}
	for to, from := range map[*string]*string{&p.Title: in.Title, &p.Body: in.Body, &p.Base: in.Base} {
		if from != nil {
			*to = *from
		}
	}
	if in.State != nil && p.State != "merged" {
		p.State = *in.State
	}
	p.Updated = time.Now().UTC()
	c.json(http.StatusOK, g.pull(c, p))
}

func (g github) merge(c *call, p *Pull) {
	var in struct {
		SHA    string
		Method string `json:"merge_method"`
	}
	if !c.read(&in) {
		return
	}
	if c.repo.Queue && p.State == "open" {
		c.fail(http.StatusMethodNotAllowed, "Repository rule violations found\n\nChanges must be made through the merge queue\n\n")
		return
	}
	switch err := c.host.merge(c.ctx, p, in.Method, in.SHA); {
	case err == nil:
		c.json(http.StatusOK, map[string]any{"sha": p.MergeSHA, "merged": true, "message": "Pull Request successfully merged"})
	case errors.Is(err, errHead):
		c.fail(http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	case errors.Is(err, errDraft):
		c.fail(http.StatusMethodNotAllowed, "Pull Request is still a draft")
	case errors.Is(err, errChecks):
		c.fail(http.StatusMethodNotAllowed, "Required status check \"build\" is expected.")
	case errors.Is(err, errProtected):
		c.fail(http.StatusMethodNotAllowed, "At least 1 approving review is required by reviewers with write access.")
	case errors.Is(err, errConflict), errors.Is(err, errClosed):
		c.fail(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	default:
		c.fail(http.StatusInternalServerError, err.Error())
	}
}

func (g github) ask(c *call, p *Pull) {
	var in struct{ Reviewers []string }
	if !c.read(&in) {
		return
	}
	if slices.Contains(in.Reviewers, "stranger") {
		c.fail(http.StatusUnprocessableEntity, "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the repository.")
		return
	}
	p.Reviewers, p.Updated = add(p.Reviewers, in.Reviewers...), time.Now().UTC()
	c.json(http.StatusCreated, g.pull(c, p))
}
