package simulator

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

type bitbucketCloud struct{ tasks map[*Pull]*completion } // merges in the background

// BitbucketCloud serves the API of Bitbucket Cloud, below /2.0, until the test ends, and returns the site's URL. Members of
// every workspace are Self, ann, bob, mallory and leaver; leaver cannot be a reviewer.
func BitbucketCloud(t testing.TB, h *Host, seen func(Exchange)) string {
	return start(t, h, bitbucketCloud{map[*Pull]*completion{}}, seen)
}

func (bitbucketCloud) authorized(h http.Header, token string) bool {
	r := http.Request{Header: h}
	_, secret, basic := r.BasicAuth()
	return h.Get("Authorization") == "Bearer "+token || basic && secret == token
}

func (b bitbucketCloud) limit(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "0")
	b.problem(w, http.StatusTooManyRequests, "Rate limit for this resource has been exceeded")
}

func (bitbucketCloud) problem(w http.ResponseWriter, status int, say string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"type":"error","error":{"message":` + strconv.Quote(say) + `}}`))
}

func (bitbucketCloud) page(http.ResponseWriter, url.Values, int, int, *url.URL) (int, int) {
	return 0, 0
}

func (b bitbucketCloud) routes(s *server) {
	on := func(pattern string, do func(*call)) {
		method, path, _ := strings.Cut(pattern, " ")
		s.handle(method+" /2.0/repositories/{owner}/{repo}"+path, func(c *call) {
			if b.at(c) {
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
	on("GET ", func(c *call) { b.give(c, http.StatusOK, b.repo(c, c.repo)) })
	on("GET /pullrequests", func(c *call) {
		list, err := c.host.list(c.ctx, c.repo, b.asked(c))
		if err != nil {
			c.fail(http.StatusInternalServerError, err.Error())
			return
		}
		cloudPage(c, 50, list, func(p *Pull) any { return b.pull(c, p) })
	})
	on("POST /pullrequests", b.create)
	pull("GET /pullrequests/{n}", func(c *call, p *Pull) { b.give(c, http.StatusOK, b.pull(c, p)) })
	pull("PUT /pullrequests/{n}", b.edit)
	pull("POST /pullrequests/{n}/decline", func(c *call, p *Pull) {
		if p.State != "open" {
			c.fail(http.StatusBadRequest, "This pull request is already closed.")
			return
		}
		p.State, p.Updated = "closed", time.Now().UTC()
		c.json(http.StatusOK, b.pull(c, p))
	})
	pull("POST /pullrequests/{n}/merge", b.merge)
	pull("GET /pullrequests/{n}/merge/task-status/{task}", b.task)
	pull("GET /pullrequests/{n}/diffstat", func(c *call, p *Pull) {
		c.w.Header().Set("Location", c.url+"/2.0/repositories/"+c.repo.Slug+"/diffstat/"+url.PathEscape(c.repo.Slug+":"+p.HeadSHA+"\r"+p.Base)+"?from_pullrequest_id="+strconv.Itoa(p.Number))
		c.w.WriteHeader(http.StatusFound)
	})
	on("GET /diffstat/{spec...}", func(c *call) {
		n, _ := strconv.Atoi(c.r.URL.Query().Get("from_pullrequest_id"))
		p, err := c.host.pull(c.ctx, c.repo, n)
		status := []string{"modified"}
		if err == nil {
			c.host.mergeable(c.ctx, p) // it finds out at once
			if conflicts, _ := c.host.mergeable(c.ctx, p); conflicts {
				status = append(status, "merge conflict")
			}
		}
		cloudPage(c, 5000, status, func(s string) any { return map[string]any{"type": "diffstat", "status": s, "lines_added": 1} })
	})
	pull("GET /pullrequests/{n}/comments", func(c *call, p *Pull) {
		list := comments(p, false)
		if after, ok := strings.CutPrefix(c.r.URL.Query().Get("q"), "created_on>="); ok {
			since, _ := time.Parse(time.RFC3339Nano, after)
			list = slices.DeleteFunc(slices.Clone(list), func(x Comment) bool { return x.At.Before(since) })
		}
		cloudPage(c, 100, list, func(x Comment) any { return b.comment(x) })
	})
	pull("POST /pullrequests/{n}/comments", func(c *call, p *Pull) {
		var in struct{ Content struct{ Raw string } }
		if c.read(&in) {
			c.json(http.StatusCreated, b.comment(c.host.comment(p, in.Content.Raw)))
		}
	})
	on("GET /commit/{commit}", func(c *call) {
		for _, p := range c.repo.pulls {
			for _, sha := range []string{p.HeadSHA, p.MergeSHA} {
				if sha != "" && strings.HasPrefix(sha, c.r.PathValue("commit")) {
					b.give(c, http.StatusOK, map[string]any{"type": "commit", "hash": sha})
					return
				}
			}
		}
		c.fail(http.StatusNotFound, "Commit not found")
	})
	on("GET /commit/{commit}/statuses", func(c *call) {
		list := slices.DeleteFunc(slices.Clone(c.repo.Checks), func(x Check) bool { return x.Commit != c.r.PathValue("commit") })
		cloudPage(c, 100, list, func(x Check) any {
			at := "https://ci.example.com/" + x.Name
			if x.Log != "" {
				at = c.url + "/" + c.repo.Slug + "/pipelines/results/" + strconv.Itoa(slices.Index(c.repo.Checks, x)+1)
			}
			return map[string]any{"type": "build", "key": x.Name, "name": x.Name + " #12", "state": bitbucketState(x), "url": at, "description": "said by CI"}
		})
	})
	on("GET /pipelines/{n}/steps", func(c *call) {
		if n, _ := strconv.Atoi(c.r.PathValue("n")); n < 1 || n > len(c.repo.Checks) {
			c.fail(http.StatusNotFound, "Not found")
			return
		}
		cloudPage(c, 100, []string{"SUCCESSFUL", "FAILED"}, func(result string) any {
			return map[string]any{"type": "pipeline_step", "uuid": "{" + result + "}", "state": map[string]any{"type": "pipeline_step_state_completed", "name": "COMPLETED", "result": map[string]any{"type": "pipeline_step_state_completed_" + strings.ToLower(result), "name": result}}}
		})
	})
	on("GET /pipelines/{n}/steps/{step}/log", func(c *call) {
		n, _ := strconv.Atoi(c.r.PathValue("n"))
		if c.r.PathValue("step") == "{FAILED}" {
			_, _ = c.w.Write([]byte(c.repo.Checks[n-1].Log))
		}
	})
	on("GET /pipelines/{n}", func(c *call) {
		n, _ := strconv.Atoi(c.r.PathValue("n"))
		c.json(http.StatusOK, map[string]any{"type": "pipeline", "build_number": n, "target": map[string]any{"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "gaggle/a",
			"commit": map[string]any{"type": "commit", "hash": c.repo.Checks[n-1].Commit}, "selector": map[string]any{"type": "branches", "pattern": "gaggle/*"}}})
	})
	on("POST /pipelines", func(c *call) {
		var in struct {
			Target struct {
				Name   string `json:"ref_name"`
				Commit struct{ Hash string }
			}
		}
		if !c.read(&in) {
			return
		}
		for i, x := range c.repo.Checks {
			if x.Commit == in.Target.Commit.Hash && in.Target.Name != "" && x.Log != "" {
				c.repo.rerun(strconv.Itoa(i + 1))
			}
		}
		c.json(http.StatusCreated, map[string]any{"type": "pipeline", "build_number": len(c.repo.Checks) + 1})
	})
	on("GET /deployments", func(c *call) {
		cloudPage(c, 100, c.repo.Deploys, func(d Deploy) any {
			return map[string]any{"type": "deployment", "environment": map[string]any{"type": "deployment_environment", "uuid": "{" + d.Environment + "}"}, "release": map[string]any{"type": "deployment_release", "commit": map[string]any{"type": "commit", "hash": d.Commit[:12]}},
				"state": map[string]any{"type": "deployment_state_completed", "name": "COMPLETED", "status": map[string]any{"type": "deployment_state_completed_status", "name": d.State}, "started_on": stamp(time.Now())}}
		})
	})
	on("GET /environments", func(c *call) {
		cloudPage(c, 100, c.repo.Deploys, func(d Deploy) any {
			return map[string]any{"type": "deployment_environment", "uuid": "{" + d.Environment + "}", "name": d.Environment}
		})
	})
	on("GET /refs/branches/{branch...}", func(c *call) {
		tips, _, err := c.host.tips(c.ctx, c.repo, c.r.PathValue("branch"))
		if err != nil || tips[0] == "" {
			c.fail(http.StatusNotFound, "Branch not found")
			return
		}
		b.give(c, http.StatusOK, map[string]any{"type": "branch", "name": c.r.PathValue("branch"), "target": map[string]any{"type": "commit", "hash": tips[0]}})
	})
	on("DELETE /refs/branches/{branch...}", func(c *call) {
		tips, repo, err := c.host.tips(c.ctx, c.repo, c.r.PathValue("branch"))
		if err != nil || tips[0] == "" || repo.DeleteBranch(c.ctx, c.r.PathValue("branch"), tips[0]) != nil {
			c.fail(http.StatusNotFound, "Branch not found")
			return
		}
		c.w.WriteHeader(http.StatusNoContent)
	})
	b.workspaces(s)
}

// workspaces serves what does not belong to one repository.
func (b bitbucketCloud) workspaces(s *server) {
	s.handle("GET /2.0/repositories/{owner}", func(c *call) {
		list := c.host.owned(c.r.PathValue("owner"))
		if after, ok := strings.CutPrefix(c.r.URL.Query().Get("q"), "updated_on>="); ok {
			since, _ := time.Parse(time.RFC3339, after)
			for _, r := range list {
				_, _ = c.host.list(c.ctx, r, func(*Pull) bool { return false })
			}
			list = slices.DeleteFunc(list, func(r *Repo) bool { return r.updated.Before(since) })
		} else if len(list) == 0 {
			c.fail(http.StatusNotFound, "No workspace with identifier '"+c.r.PathValue("owner")+"'.")
			return
		}
		cloudPage(c, 100, list, func(r *Repo) any { return b.repo(c, r) })
	})
	s.handle("GET /2.0/user", func(c *call) {
		c.w.Header().Set("X-OAuth-Scopes", "read:repository:bitbucket, write:repository:bitbucket, read:pullrequest:bitbucket, write:pullrequest:bitbucket, read:user:bitbucket, read:workspace:bitbucket")
		b.give(c, http.StatusOK, b.user(Self))
	})
	s.handle("GET /2.0/user/workspaces", func(c *call) {
		var names []string
		for _, r := range c.host.repos {
			owner, _, _ := strings.Cut(r.Slug, "/")
			names = add(names, owner)
		}
		slices.Sort(names)
		cloudPage(c, 100, names, func(n string) any {
			return map[string]any{"type": "workspace_access", "workspace": map[string]any{"type": "workspace_base", "slug": n}}
		})
	})
	s.handle("GET /2.0/workspaces/{owner}/members", func(c *call) {
		cloudPage(c, 100, []string{Self, "ann", "bob", "mallory", "leaver"}, func(n string) any {
			return map[string]any{"type": "workspace_membership", "user": b.user(n)}
		})
	})
	s.handle("GET /2.0/workspaces/{owner}/pullrequests/{user}", func(c *call) {
		var all []*Pull
		take := b.asked(c)
		for _, r := range c.host.owned(c.r.PathValue("owner")) {
			list, err := c.host.list(c.ctx, r, func(p *Pull) bool { return b.uuid(p.Author) == c.r.PathValue("user") && take(p) })
			if err != nil {
				c.fail(http.StatusInternalServerError, err.Error())
				return
			}
			all = append(all, list...)
		}
		slices.SortFunc(all, func(a, b *Pull) int { return b.ID - a.ID })
		cloudPage(c, 50, all, func(p *Pull) any { return b.pull(c, p) })
	})
	s.handle("GET /2.0/workspaces/{owner}/permissions/repositories/{repo}", func(c *call) {
		if !b.at(c) {
			return
		}
		if c.r.URL.Query().Get("q") != `permission>"read"` {
			c.fail(http.StatusBadRequest, "the simulator knows no other query")
			return
		}
		var names []string
		for _, p := range c.repo.pulls {
			for _, x := range p.Comments {
				if x.MayWrite {
					names = add(names, x.Author)
				}
			}
		}
		cloudPage(c, 100, names, func(n string) any {
			return map[string]any{"type": "repository_permission", "permission": "write", "user": b.user(n)}
		})
	})
}

// at finds the repository, or says where it went. The host says so alike of what reads and of what changes.
func (bitbucketCloud) at(c *call) bool {
	slug := c.r.PathValue("owner") + "/" + c.r.PathValue("repo")
	key := strings.ToLower(slug)
	if to, ok := c.host.moved[key]; ok && c.host.repos[key] == nil {
		c.w.Header().Set("Location", c.url+strings.Replace(c.r.URL.RequestURI(), "/"+slug, "/"+to, 1))
		c.fail(http.StatusMovedPermanently, "Repository moved")
		return false
	}
	if c.repo = c.host.repos[key]; c.repo == nil {
		c.fail(http.StatusNotFound, "Repository "+slug+" not found")
		return false
	}
	return true
}

// asked is the filter of a list of pull requests: states, and as much of the query language as is needed.
func (bitbucketCloud) asked(c *call) func(*Pull) bool {
	q := c.r.URL.Query()
	states := q["state"]
	if len(states) == 0 {
		states = []string{"OPEN"}
	}
	return func(p *Pull) bool {
		if !slices.Contains(states, cloudState(p)) {
			return false
		}
		for term := range strings.SplitSeq(q.Get("q"), " AND ") {
			if name, ok := strings.CutPrefix(term, "source.branch.name="); ok {
				var branch string
				if json.Unmarshal([]byte(name), &branch) != nil || branch != p.Head {
					return false
				}
			} else if after, ok := strings.CutPrefix(term, "updated_on>="); ok {
				since, err := time.Parse(time.RFC3339, after)
				if err != nil || p.Updated.Before(since) {
					return false
				}
			} else if term != "" {
				return false
			}
		}
		return true
	}
}

func cloudState(p *Pull) string {
	return map[string]string{"open": "OPEN", "merged": "MERGED", "closed": "DECLINED"}[p.State]
}
