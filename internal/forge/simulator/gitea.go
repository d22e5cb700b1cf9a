package simulator

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

type gitea struct{}

// Gitea serves the API of Gitea, below /api/v1, until the test ends, and returns the site's URL.
func Gitea(t testing.TB, h *Host) string { return start(t, h, gitea{}, nil) }

func (gitea) authorized(h http.Header, token string) bool {
	return h.Get("Authorization") == "token "+token
}

func (g gitea) limit(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "0")
	g.problem(w, http.StatusTooManyRequests, "Too many requests")
}

func (gitea) problem(w http.ResponseWriter, status int, say string) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"message":` + strconv.Quote(say) + `,"url":"/api/swagger"}`))
}

func (gitea) page(w http.ResponseWriter, q url.Values, total, pageCap int, self *url.URL) (int, int) {
	w.Header().Set("X-Total-Count", strconv.Itoa(total))
	return linked(w, "", q, "limit", 30, total, pageCap, self)
}

func (g gitea) routes(s *server) {
	on := func(pattern string, do func(*call)) {
		method, path, _ := strings.Cut(pattern, " ")
		s.handle(method+" /api/v1/repos/{owner}/{repo}"+path, func(c *call) {
			slug := c.r.PathValue("owner") + "/" + c.r.PathValue("repo")
			rest := strings.TrimPrefix(c.r.URL.RequestURI(), "/api/v1/repos/"+slug)
			if c.at(slug, func(to string) string { return "/api/v1/repos/" + to + rest }) {
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
	on("GET /labels", func(c *call) { paged(c, c.repo.Labels, func(n string) any { return g.label(c, c.repo, n) }) })
	on("POST /labels", func(c *call) {
		var in struct{ Name string }
		if c.read(&in) {
			c.repo.Labels = append(c.repo.Labels, in.Name)
			c.json(http.StatusCreated, g.label(c, c.repo, in.Name))
		}
	})
	on("GET /pulls", func(c *call) {
		list, err := c.host.list(c.ctx, c.repo, func(p *Pull) bool { return c.r.URL.Query().Get("state") == "all" || p.State == "open" })
		if err != nil {
			c.fail(http.StatusInternalServerError, err.Error())
			return
		}
		paged(c, list, func(p *Pull) any { return g.pull(c, p) })
	})
	on("POST /pulls", g.create)
	pull("GET /pulls/{n}", func(c *call, p *Pull) {
		c.host.mergeable(c.ctx, p)
		c.json(http.StatusOK, g.pull(c, p))
	})
	on("GET /pulls/{base}/{head...}", func(c *call) { // the first that it meets, whatever its state
		for _, p := range c.repo.pulls {
			if p.Base == c.r.PathValue("base") && p.Head == c.r.PathValue("head") {
				if err := c.host.look(c.ctx, p); err != nil {
					c.fail(http.StatusInternalServerError, err.Error())
					return
				}
				c.json(http.StatusOK, g.pull(c, p))
				return
			}
		}
		c.fail(http.StatusNotFound, "pull request does not exist [id: 0, repo_id: 0]")
	})
	pull("PATCH /pulls/{n}", g.edit)
	pull("POST /pulls/{n}/merge", g.merge)
	pull("POST /pulls/{n}/requested_reviewers", func(c *call, p *Pull) {
		var in struct{ Reviewers []string }
		if c.read(&in) {
			p.Reviewers, p.Updated = add(p.Reviewers, in.Reviewers...), time.Now().UTC()
			c.json(http.StatusCreated, []any{})
		}
	})
	pull("GET /pulls/{n}/reviews", func(c *call, p *Pull) {
		paged(c, comments(p, true), func(x Comment) any {
			state := map[string]string{"approved": "APPROVED", "changes_requested": "REQUEST_CHANGES"}[x.Verdict]
			out := map[string]any{"id": x.ID, "body": x.Body, "state": state, "user": login(x.Author), "submitted_at": stamp(x.At), "official": x.Official}
			if x.File != "" { // the words are a comment of the review's
				out["body"], out["comments_count"] = "", 1
			}
			return out
		})
	})
	pull("GET /pulls/{n}/reviews/{id}/comments", func(c *call, p *Pull) {
		out := []any{}
		for _, x := range p.Comments {
			if strconv.Itoa(x.ID) == c.r.PathValue("id") && x.File != "" {
				out = append(out, map[string]any{"id": x.ID, "body": x.Body, "user": login(x.Author), "created_at": stamp(x.At), "path": x.File, "position": x.Line, "pull_request_review_id": x.ID})
			}
		}
		c.json(http.StatusOK, out)
	})
	pull("GET /issues/{n}/comments", func(c *call, p *Pull) { // not paged, whatever is asked
		out := []any{}
		for _, x := range comments(p, false) {
			out = append(out, github{}.comment(x))
		}
		c.json(http.StatusOK, out)
	})
	pull("POST /issues/{n}/comments", func(c *call, p *Pull) {
		if c.repo.Archived {
			c.fail(http.StatusLocked, "repository is archived")
			return
		}
		var in struct{ Body string }
		if c.read(&in) {
			c.json(http.StatusCreated, github{}.comment(c.host.comment(p, in.Body)))
		}
	})
	pull("POST /issues/{n}/labels", func(c *call, p *Pull) {
		var in struct{ Labels []int }
		if c.read(&in) {
			p.Labels, p.Updated = add(p.Labels, g.names(c, c.repo, in.Labels)...), time.Now().UTC()
			c.json(http.StatusOK, g.labels(c, p))
		}
	})
	g.teamRoutes(s, on)
	on("GET /commits/{ref}/status", func(c *call) {
		out := []any{}
		for i, x := range c.repo.Checks {
			if x.Commit == c.r.PathValue("ref") {
				out = append(out, map[string]any{"id": i + 1, "context": x.Name, "status": x.State, "description": x.Log})
			}
		}
		c.json(http.StatusOK, map[string]any{"sha": c.r.PathValue("ref"), "total_count": len(out), "statuses": out})
	})
	on("GET /branches/{branch...}", func(c *call) {
		tips, _, err := c.host.tips(c.ctx, c.repo, c.r.PathValue("branch"))
		if err != nil || tips[0] == "" {
			c.fail(http.StatusNotFound, "Not Found")
			return
		}
		c.json(http.StatusOK, map[string]any{"name": c.r.PathValue("branch"), "protected": c.repo.Protected, "commit": map[string]any{"id": tips[0]}})
	})
	on("DELETE /branches/{branch...}", func(c *call) {
		tips, repo, err := c.host.tips(c.ctx, c.repo, c.r.PathValue("branch"))
		if err != nil || tips[0] == "" || repo.DeleteBranch(c.ctx, c.r.PathValue("branch"), tips[0]) != nil {
			c.fail(http.StatusNotFound, "Not Found")
			return
		}
		c.w.WriteHeader(http.StatusNoContent)
	})
	for kind, path := range map[string]string{"org": "/api/v1/orgs/{owner}/repos", "user": "/api/v1/users/{owner}/repos"} {
		s.handle("GET "+path, func(c *call) {
			list := c.host.owned(c.r.PathValue("owner"))
			if (kind == "user") != (c.r.PathValue("owner") == Self) {
				c.fail(http.StatusNotFound, "Not Found")
				return
			}
			paged(c, list, func(r *Repo) any { return g.repo(c, r) })
		})
	}
	s.handle("GET /api/v1/repos/issues/search", g.search)
	s.handle("GET /api/v1/repos/search", g.pushed)
	s.handle("GET /api/v1/orgs/{owner}/labels", func(c *call) {
		paged(c, c.host.cfg.OrgLabels, func(n string) any {
			return map[string]any{"id": 1000 + slices.Index(c.host.cfg.OrgLabels, n), "name": n}
		})
	})
	s.handle("GET /api/v1/user", func(c *call) { c.json(http.StatusOK, login(Self)) })
	s.handle("GET /api/v1/user/repos", func(c *call) { c.json(http.StatusOK, []any{}) })
	s.handle("GET /api/v1/user/orgs", func(c *call) {
		c.fail(http.StatusForbidden, "token does not have at least one of required scope(s): [read:organization]")
	})
}

func (gitea) label(c *call, r *Repo, name string) map[string]any {
	if i := slices.Index(c.host.cfg.OrgLabels, name); i >= 0 && !slices.Contains(r.Labels, name) {
		return map[string]any{"id": 1000 + i, "name": name}
	}
	return map[string]any{"id": slices.Index(r.Labels, name) + 1, "name": name}
}

func (gitea) names(c *call, r *Repo, ids []int) []string {
	var out []string
	for _, id := range ids {
		if org := c.host.cfg.OrgLabels; id >= 1000 && id < 1000+len(org) {
			out = append(out, org[id-1000])
		}
		if id > 0 && id <= len(r.Labels) {
			out = append(out, r.Labels[id-1])
		}
	}
	return out
}

func (g gitea) labels(c *call, p *Pull) []any {
	out := []any{}
	for _, l := range p.Labels {
		out = append(out, g.label(c, p.repo, l))
	}
	return out
}

func (gitea) repo(c *call, r *Repo) map[string]any {
	owner, name, _ := strings.Cut(r.Slug, "/")
	return map[string]any{"id": r.ID, "name": name, "full_name": r.Slug, "owner": login(owner), "default_branch": r.Default, "archived": r.Archived, "fork": r.Fork,
		"private": r.Visibility != "public", "internal": r.Visibility == "internal", "size": r.Size, "topics": r.Topics, "permissions": map[string]any{"admin": !r.Lesser, "push": true, "pull": true}, "clone_url": c.url + "/" + r.Slug + ".git", "updated_at": stamp(r.updated)}
}

func (g gitea) pull(c *call, p *Pull) map[string]any {
	reviewers := []any{}
	for _, r := range p.Reviewers {
		reviewers = append(reviewers, login(r))
	}
	out := map[string]any{
		"id": p.ID, "number": p.Number, "html_url": c.url + "/" + p.repo.Slug + "/pulls/" + strconv.Itoa(p.Number), "title": p.Title, "body": p.Body, "state": p.State,
		"draft": draft(p.Title), "labels": g.labels(c, p), "requested_reviewers": reviewers, "user": login(p.Author), "merged": p.State == "merged", "mergeable": p.State == "open" && p.asked >= 2 && !p.dirty && !draft(p.Title),
		"head": map[string]any{"label": p.Head, "ref": p.Head, "sha": p.HeadSHA, "repo_id": p.repo.ID}, "base": map[string]any{"label": p.Base, "ref": p.Base, "sha": p.base, "repo_id": p.repo.ID},
		"created_at": stamp(p.Created), "updated_at": stamp(p.Updated),
	}
	if p.State == "merged" {
		out["state"], out["merged_at"], out["merge_commit_sha"] = "closed", stamp(p.Updated), p.MergeSHA
	}
	return out
}

func draft(title string) bool { return strings.HasPrefix(strings.ToUpper(title), "WIP:") }

func (g gitea) create(c *call) {
	var in struct {
		Title, Body, Head, Base string
		Labels                  []int
		Reviewers               []string
	}
	if !c.read(&in) {
		return
	}
	if c.repo.Archived {
		c.fail(http.StatusLocked, "repository is archived")
		return
	}
	if slices.Contains(in.Reviewers, "stranger") {
		c.fail(http.StatusNotFound, "user does not exist [uid: 0, name: stranger]")
		return
	}
	p, err := c.host.create(c.ctx, c.repo, Pull{Title: in.Title, Body: in.Body, Head: in.Head, Base: in.Base, Labels: g.names(c, c.repo, in.Labels), Reviewers: add(nil, in.Reviewers...)})
	switch {
	case errors.Is(err, errMissing):
		c.fail(http.StatusNotFound, "The target couldn't be found.")
	case errors.Is(err, errExists):
		c.fail(http.StatusConflict, "pull request already exists for these targets [id: 1, issue_id: 1, head_repo_id: 1, base_repo_id: 1, head_branch: "+in.Head+", base_branch: "+in.Base+"]")
	case errors.Is(err, errNothing):
		c.fail(http.StatusUnprocessableEntity, "There are no changes between the head and the base")
	case err != nil:
		c.fail(http.StatusInternalServerError, err.Error())
	default:
		c.json(http.StatusCreated, g.pull(c, p))
	}
}

func (g gitea) edit(c *call, p *Pull) {
	var in struct {
		Title, Base string
		Body, State *string
	}
	if !c.read(&in) {
		return
	}
	if in.Title != "" {
		p.Title = in.Title
	}
	if in.Base != "" {
		p.Base = in.Base
	}
	if in.Body != nil {
		p.Body = *in.Body
	}
	if in.State != nil && p.State != "merged" {
		p.State = *in.State
	}
	p.Updated = time.Now().UTC()
	c.json(http.StatusCreated, g.pull(c, p))
}

func (g gitea) merge(c *call, p *Pull) {
	var in struct {
		Do   string
		Head string `json:"head_commit_id"`
	}
	if !c.read(&in) {
		return
	}
	if c.repo.Archived {
		c.fail(http.StatusLocked, "repository is archived")
		return
	}
	if p.dirty {
		c.fail(http.StatusMethodNotAllowed, "Please try again later")
		return
	}
	if draft(p.Title) && p.State == "open" {
		c.fail(http.StatusMethodNotAllowed, "Work in progress PRs cannot be merged")
		return
	}
	switch err := c.host.merge(c.ctx, p, in.Do, in.Head); {
	case err == nil:
		c.w.WriteHeader(http.StatusOK)
	case errors.Is(err, errHead):
		c.fail(http.StatusConflict, "head out of date")
	case errors.Is(err, errProtected):
		c.fail(http.StatusMethodNotAllowed, "Does not have enough approvals")
	case errors.Is(err, errConflict):
		c.fail(http.StatusConflict, "merge conflict")
	case errors.Is(err, errClosed):
		c.fail(http.StatusNotFound, "Not Found")
	default:
		c.fail(http.StatusInternalServerError, err.Error())
	}
}

// pushed lists repositories, those first that somebody pushed to last.
func (g gitea) pushed(c *call) {
	var all []*Repo
	for _, r := range c.host.repos {
		if _, err := c.host.list(c.ctx, r, func(*Pull) bool { return false }); err != nil {
			c.fail(http.StatusInternalServerError, err.Error())
			return
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *Repo) int { return cmp.Or(b.updated.Compare(a.updated), a.ID-b.ID) })
	from, to := c.vendor.page(c.w, c.r.URL.Query(), len(all), c.host.cfg.PageCap, c.r.URL)
	out := []any{}
	for _, r := range all[from:to] {
		out = append(out, g.repo(c, r))
	}
	c.json(http.StatusOK, map[string]any{"ok": true, "data": out})
}

func (g gitea) search(c *call) {
	var all []*Pull
	since, _ := time.Parse(time.RFC3339, c.r.URL.Query().Get("since"))
	for _, r := range c.host.repos {
		list, err := c.host.list(c.ctx, r, func(p *Pull) bool { return p.Author == Self && !p.Updated.Before(since) })
		if err != nil {
			c.fail(http.StatusInternalServerError, err.Error())
			return
		}
		all = append(all, list...)
	}
	slices.SortFunc(all, func(a, b *Pull) int { return b.ID - a.ID })
	paged(c, all, func(p *Pull) any {
		state := p.State
		if state == "merged" {
			state = "closed"
		}
		return map[string]any{"id": p.ID, "number": p.Number, "title": p.Title, "state": state, "pull_request": map[string]any{"merged": p.State == "merged"},
			"created_at": stamp(p.Created), "updated_at": stamp(p.Updated), "repository": map[string]any{"id": p.repo.ID, "full_name": p.repo.Slug}}
	})
}
