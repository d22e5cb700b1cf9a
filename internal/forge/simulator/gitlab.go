package simulator

import (
	"errors"
	"hash/crc32"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

type gitlab struct{}

// GitLab serves the API of GitLab, below /api/v4, until the test ends, and returns the site's URL.
func GitLab(t testing.TB, h *Host) string { return start(t, h, gitlab{}, nil) }

func (gitlab) authorized(h http.Header, token string) bool {
	return h.Get("Authorization") == "Bearer "+token && h.Get("Private-Token") == ""
}

func (g gitlab) limit(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "0")
	g.problem(w, http.StatusTooManyRequests, "Retry later")
}

func (gitlab) problem(w http.ResponseWriter, status int, say string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"message":` + strconv.Quote(say) + `}`))
}

func (gitlab) page(w http.ResponseWriter, q url.Values, total, pageCap int, self *url.URL) (int, int) {
	from, to := linked(w, "", q, "per_page", 20, total, min(pageCap, 100), self)
	if to < total {
		page, _ := strconv.Atoi(q.Get("page"))
		w.Header().Set("X-Next-Page", strconv.Itoa(max(page, 1)+1))
	}
	return from, to
}

func (g gitlab) routes(s *server) {
	on := func(pattern string, do func(*call)) {
		method, path, _ := strings.Cut(pattern, " ")
		s.handle(method+" /api/v4/projects/{project}"+path, func(c *call) {
			slug := c.r.PathValue("project")
			for _, r := range c.host.repos {
				if strconv.Itoa(r.ID) == slug {
					slug = r.Slug
				}
			}
			if c.host.moved[strings.ToLower(slug)] != "" && c.r.Method != http.MethodGet {
				c.fail(http.StatusMethodNotAllowed, "Non GET methods are not allowed for moved projects")
				return
			}
			rest := strings.TrimPrefix(c.r.URL.RequestURI(), "/api/v4/projects/"+url.PathEscape(slug))
			if c.at(slug, func(to string) string {
				return "/api/v4/projects/" + strconv.Itoa(c.host.repos[strings.ToLower(to)].ID) + rest
			}) {
				do(c)
			}
		})
	}
	pull := func(pattern string, do func(*call, *Pull)) {
		on(pattern, func(c *call) {
			if p := c.number("n"); p != nil {
				do(c, p)
			}
		})
	}
	on("GET ", func(c *call) { c.json(http.StatusOK, g.repo(c, c.repo)) })
	on("GET /merge_requests", func(c *call) {
		q := c.r.URL.Query()
		list, err := c.host.list(c.ctx, c.repo, func(p *Pull) bool {
			return (q.Get("source_branch") == "" || q.Get("source_branch") == p.Head) && (q["iids[]"] == nil || slices.Contains(q["iids[]"], strconv.Itoa(p.Number))) && (q.Get("state") == "all" || q.Get("state") == "opened" && p.State == "open")
		})
		if err != nil {
			c.fail(http.StatusInternalServerError, err.Error())
			return
		}
		paged(c, list, func(p *Pull) any {
			if q.Get("with_merge_status_recheck") == "true" {
				c.host.mergeable(c.ctx, p)
			}
			return g.pull(c, p, false)
		})
	})
	on("POST /merge_requests", g.create)
	pull("GET /merge_requests/{n}", func(c *call, p *Pull) {
		c.host.mergeable(c.ctx, p)
		c.json(http.StatusOK, g.pull(c, p, true))
	})
	pull("PUT /merge_requests/{n}", g.edit)
	pull("PUT /merge_requests/{n}/merge", g.merge)
	pull("POST /merge_trains/merge_requests/{n}", g.board)
	pull("GET /merge_requests/{n}/notes", func(c *call, p *Pull) {
		paged(c, comments(p, false), func(x Comment) any { return g.note(x) })
	})
	pull("POST /merge_requests/{n}/notes", func(c *call, p *Pull) {
		var in struct{ Body string }
		if c.read(&in) {
			c.json(http.StatusCreated, g.note(c.host.comment(p, in.Body)))
		}
	})
	on("GET /members/all/{user}", func(c *call) {
		for _, p := range c.repo.pulls {
			for _, x := range p.Comments {
				if strconv.Itoa(userID(x.Author)) == c.r.PathValue("user") && x.MayWrite {
					c.json(http.StatusOK, map[string]any{"id": userID(x.Author), "username": x.Author, "access_level": 30})
					return
				}
			}
		}
		c.fail(http.StatusNotFound, "404 Not found")
	})
	on("GET /repository/commits/{ref}/statuses", func(c *call) {
		out := []any{}
		for i, x := range c.repo.Checks {
			if x.Commit == c.r.PathValue("ref") {
				out = append(out, map[string]any{"id": i + 1, "name": x.Name, "sha": x.Commit, "status": g.word(x.State)})
			}
		}
		c.json(http.StatusOK, out)
	})
	on("POST /jobs/{job}/retry", func(c *call) {
		switch found, started := c.repo.rerun(c.r.PathValue("job")); {
		case !found:
			c.fail(http.StatusNotFound, "404 Not found")
		case !started:
			c.fail(http.StatusForbidden, "403 Forbidden - Job is not retryable")
		default:
			c.json(http.StatusCreated, map[string]any{"id": 1000, "status": "pending"})
		}
	})
	on("GET /jobs/{job}/trace", func(c *call) {
		if job, err := strconv.Atoi(c.r.PathValue("job")); err == nil && job <= len(c.repo.Checks) {
			_, _ = c.w.Write([]byte(c.repo.Checks[job-1].Log))
			return
		}
		c.fail(http.StatusNotFound, "404 Not found")
	})
	on("GET /deployments", func(c *call) {
		out := []any{}
		for i, d := range c.repo.Deploys {
			out = append(out, map[string]any{"id": i + 1, "sha": d.Commit, "status": d.State, "environment": map[string]any{"name": d.Environment}, "created_at": stamp(time.Now())})
		}
		c.json(http.StatusOK, out)
	})
	on("GET /repository/branches/{branch}", func(c *call) {
		tips, _, err := c.host.tips(c.ctx, c.repo, c.r.PathValue("branch"))
		if err != nil || tips[0] == "" {
			c.fail(http.StatusNotFound, "404 Branch Not Found")
			return
		}
		c.json(http.StatusOK, map[string]any{"name": c.r.PathValue("branch"), "commit": map[string]any{"id": tips[0]}})
	})
	on("DELETE /repository/branches/{branch}", func(c *call) {
		tips, repo, err := c.host.tips(c.ctx, c.repo, c.r.PathValue("branch"))
		if err != nil || tips[0] == "" || repo.DeleteBranch(c.ctx, c.r.PathValue("branch"), tips[0]) != nil {
			c.fail(http.StatusNotFound, "404 Branch Not Found")
			return
		}
		c.w.WriteHeader(http.StatusNoContent)
	})
	s.handle("POST /api/graphql", g.graphql)
	s.handle("GET /api/v4/groups/{owner}/projects", func(c *call) {
		list := c.host.owned(c.r.PathValue("owner"))
		if len(list) == 0 {
			c.fail(http.StatusNotFound, "404 Group Not Found")
			return
		}
		if c.r.URL.Query().Get("archived") == "false" {
			list = slices.DeleteFunc(list, func(r *Repo) bool { return r.Archived })
		}
		paged(c, list, func(r *Repo) any { return g.repo(c, r) })
	})
	s.handle("GET /api/v4/users/{owner}/projects", func(c *call) { c.fail(http.StatusNotFound, "404 User Not Found") })
	s.handle("GET /api/v4/merge_requests", func(c *call) {
		var all []*Pull
		after, _ := time.Parse(time.RFC3339, c.r.URL.Query().Get("updated_after"))
		for _, r := range c.host.repos {
			list, err := c.host.list(c.ctx, r, func(p *Pull) bool { return p.Author == Self && !p.Updated.Before(after) })
			if err != nil {
				c.fail(http.StatusInternalServerError, err.Error())
				return
			}
			all = append(all, list...)
		}
		slices.SortFunc(all, func(a, b *Pull) int { return b.ID - a.ID })
		paged(c, all, func(p *Pull) any { return g.pull(c, p, false) })
	})
	s.handle("GET /api/v4/users", func(c *call) {
		out := []any{}
		if name := c.r.URL.Query().Get("username"); name != "stranger" {
			out = append(out, user(name))
		}
		c.json(http.StatusOK, out)
	})
	s.handle("GET /api/v4/user", func(c *call) { c.json(http.StatusOK, user(Self)) })
	s.handle("GET /api/v4/personal_access_tokens/self", func(c *call) {
		c.json(http.StatusOK, map[string]any{"id": 1, "scopes": []string{"read_api", "write_repository"}})
	})
}

func userID(name string) int { return int(crc32.ChecksumIEEE([]byte(name)) >> 1) }

func user(name string) map[string]any { return map[string]any{"id": userID(name), "username": name} }

func (gitlab) note(c Comment) any {
	return map[string]any{"id": c.ID, "body": c.Body, "author": user(c.Author), "created_at": c.At.Format(time.RFC3339Nano), "system": false}
}

func (gitlab) repo(c *call, r *Repo) map[string]any {
	out := map[string]any{"id": r.ID, "path_with_namespace": r.Slug, "default_branch": r.Default, "archived": r.Archived, "visibility": r.Visibility, "topics": r.Topics, "merge_trains_enabled": r.Queue}
	if r.Fork {
		out["forked_from_project"] = map[string]any{"id": 1}
	}
	return out
}

// status is what stands in the way of a merge. Where nobody asked since a branch moved, GitLab does not know.
func (gitlab) status(p *Pull) string {
	switch {
	case p.State != "open":
		return "not_open"
	case p.repo.Protected:
		return "not_approved"
	case p.repo.MustPass && p.repo.sum(p.HeadSHA) == "pending":
		return "ci_still_running"
	case p.repo.MustPass && p.repo.sum(p.HeadSHA) != "success":
		return "ci_must_pass"
	case p.asked == 0:
		return "unchecked"
	case p.asked == 1:
		return "checking"
	case p.dirty:
		return "conflict"
	}
	return "mergeable"
}

func (g gitlab) pull(c *call, p *Pull, full bool) map[string]any {
	reviewers := []any{}
	for _, r := range p.Reviewers {
		reviewers = append(reviewers, user(r))
	}
	state := p.State
	if state == "open" {
		state = "opened"
	}
	status := g.status(p)
	out := map[string]any{
		"id": p.ID, "iid": p.Number, "project_id": p.repo.ID, "source_project_id": p.repo.ID, "target_project_id": p.repo.ID, "title": p.Title, "description": p.Body, "state": state,
		"web_url": c.url + "/" + p.repo.Slug + "/-/merge_requests/" + strconv.Itoa(p.Number), "draft": strings.HasPrefix(p.Title, "Draft:"), "labels": append([]string{}, p.Labels...), "reviewers": reviewers,
		"author": user(p.Author), "source_branch": p.Head, "sha": p.HeadSHA, "target_branch": p.Base, "merge_commit_sha": nil, "merge_when_pipeline_succeeds": p.queue && p.State == "open", "detailed_merge_status": status, "has_conflicts": p.dirty,
		"references": map[string]any{"full": p.repo.Slug + "!" + strconv.Itoa(p.Number)}, "created_at": p.Created.Format(time.RFC3339Nano), "updated_at": p.Updated.Format(time.RFC3339Nano),
	}
	if p.MergeSHA != "" {
		out["merge_commit_sha"] = p.MergeSHA
	}
	if sum := p.repo.sum(p.HeadSHA); full && sum != "" {
		out["head_pipeline"] = map[string]any{"id": 1, "sha": p.HeadSHA, "status": g.word(sum)}
	}
	if full && p.State == "open" {
		base := "0000"
		if tips, repo, err := c.host.tips(c.ctx, p.repo, p.Base); err == nil {
			if in, err := repo.Contains(c.ctx, tips[0], p.HeadSHA); err == nil && in {
				base = p.HeadSHA
			}
		}
		out["diff_refs"] = map[string]any{"base_sha": base, "head_sha": p.HeadSHA, "start_sha": base}
	}
	return out
}

func (g gitlab) create(c *call) {
	var in struct {
		Title, Description, Labels string
		Head                       string `json:"source_branch"`
		Base                       string `json:"target_branch"`
		Reviewers                  []int  `json:"reviewer_ids"`
	}
	if !c.read(&in) {
		return
	}
	if c.repo.Archived {
		c.fail(http.StatusForbidden, "403 Forbidden - the project is archived")
		return
	}
	pull := Pull{Title: in.Title, Body: in.Description, Head: in.Head, Base: in.Base, Reviewers: c.host.named(nil, in.Reviewers)}
	if in.Labels != "" {
		pull.Labels = strings.Split(in.Labels, ",")
	}
	p, err := c.host.create(c.ctx, c.repo, pull)
	if errors.Is(err, errNothing) { // GitLab makes it all the same
		c.host.nextID++
		tips, _, tipErr := c.host.tips(c.ctx, c.repo, in.Head, in.Base)
		if err = tipErr; err == nil {
			p = &pull
			p.ID, p.Number, p.State, p.HeadSHA, p.Author, p.Created, p.Updated, p.repo, p.seen = c.host.nextID, len(c.repo.pulls)+1, "open", tips[0], Self, time.Now().UTC(), time.Now().UTC(), c.repo, tips[0]+tips[1]
			c.repo.pulls = append(c.repo.pulls, p)
		}
	}
	switch {
	case errors.Is(err, errMissing):
		c.w.WriteHeader(http.StatusBadRequest)
		_, _ = c.w.Write([]byte(`{"message":{"source_branch":["does not exist"]}}`))
	case errors.Is(err, errExists):
		c.w.WriteHeader(http.StatusConflict)
		_, _ = c.w.Write([]byte(`{"message":["Another open merge request already exists for this source branch: !` + strconv.Itoa(p.Number) + `"]}`))
	case err != nil:
		c.fail(http.StatusInternalServerError, err.Error())
	default:
		c.json(http.StatusCreated, g.pull(c, p, true))
	}
}

func (h *Host) named(have []string, ids []int) []string {
	for _, id := range ids {
		have = add(have, h.people[id])
	}
	return have
}

func (g gitlab) edit(c *call, p *Pull) {
	var in struct {
		Title, Description, Event *string
		Base                      *string `json:"target_branch"`
		AddLabels                 string  `json:"add_labels"`
		StateEvent                string  `json:"state_event"`
		Reviewers                 []int   `json:"reviewer_ids"`
	}
	if !c.read(&in) {
		return
	}
	for to, from := range map[*string]*string{&p.Title: in.Title, &p.Body: in.Description, &p.Base: in.Base} {
		if from != nil {
			*to = *from
		}
	}
	if in.AddLabels != "" {
		p.Labels = add(p.Labels, strings.Split(in.AddLabels, ",")...)
	}
	if in.Reviewers != nil {
		p.Reviewers = c.host.named(nil, in.Reviewers)
	}
	if in.StateEvent == "close" && p.State == "open" {
		p.State = "closed"
	}
	p.Updated = time.Now().UTC()
	c.json(http.StatusOK, g.pull(c, p, true))
}

func (g gitlab) merge(c *call, p *Pull) {
	var in struct {
		SHA    string
		Squash bool
		Auto   bool `json:"auto_merge"`
	}
	if !c.read(&in) {
		return
	}
	if strings.HasPrefix(p.Title, "Draft:") || p.dirty {
		c.fail(http.StatusMethodNotAllowed, "405 Method Not Allowed")
		return
	}
	method := "merge"
	if in.Squash {
		method = "squash"
	}
	switch err := c.host.merge(c.ctx, p, method, in.SHA); {
	case errors.Is(err, errChecks) && in.Auto && p.repo.sum(p.HeadSHA) == "pending":
		p.queue = true
		c.json(http.StatusOK, g.pull(c, p, true))
	case err == nil:
		c.json(http.StatusOK, g.pull(c, p, true))
	case errors.Is(err, errHead):
		c.fail(http.StatusConflict, "SHA does not match HEAD of source branch: "+p.HeadSHA)
	case errors.Is(err, errConflict):
		c.fail(http.StatusUnprocessableEntity, "Branch cannot be merged")
	case errors.Is(err, errProtected), errors.Is(err, errClosed), errors.Is(err, errChecks):
		c.fail(http.StatusMethodNotAllowed, "405 Method Not Allowed")
	default:
		c.fail(http.StatusInternalServerError, err.Error())
	}
}
