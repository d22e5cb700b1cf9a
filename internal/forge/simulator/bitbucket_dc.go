package simulator

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// bitbucketDC counts what each change of a pull request does to its version.
type bitbucketDC struct{ versions map[*Pull]int }

// BitbucketDC serves the API of Bitbucket Data Center, below /rest, until the test ends, and returns the site's URL.
func BitbucketDC(t testing.TB, h *Host, seen func(Exchange)) string {
	return start(t, h, bitbucketDC{map[*Pull]int{}}, seen)
}

func (bitbucketDC) authorized(h http.Header, token string) bool {
	return h.Get("Authorization") == "Bearer "+token && h.Get("X-Atlassian-Token") == "no-check"
}

func (b bitbucketDC) limit(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "0")
	b.problem(w, http.StatusTooManyRequests, "Rate limit exceeded")
}

// problem takes the name of an exception before its message, as "Name: message".
func (bitbucketDC) problem(w http.ResponseWriter, status int, say string) {
	e := map[string]any{"context": nil, "message": say, "exceptionName": nil}
	if name, message, ok := strings.Cut(say, "Exception: "); ok {
		e["message"], e["exceptionName"] = message, "com.atlassian.bitbucket."+name+"Exception"
	}
	e["conflicted"] = strings.Contains(say, "conflicts")
	if strings.Contains(say, "InvalidPullRequestReviewers") {
		e["reviewerErrors"] = []any{map[string]any{"context": "stranger", "message": "stranger is not a user."}}
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{e}})
}

func (bitbucketDC) page(http.ResponseWriter, url.Values, int, int, *url.URL) (int, int) { return 0, 0 }

func (b bitbucketDC) routes(s *server) {
	below := func(api, pattern string, do func(*call)) {
		method, path, _ := strings.Cut(pattern, " ")
		prefix := "/rest/" + api + "/latest/projects/"
		s.handle(method+" "+prefix+"{owner}/repos/{repo}"+path, func(c *call) {
			owner, name := c.r.PathValue("owner"), c.r.PathValue("repo")
			rest := strings.TrimPrefix(c.r.URL.RequestURI(), prefix+owner+"/repos/"+name)
			if _, moved := c.host.moved[strings.ToLower(owner+"/"+name)]; !moved && c.host.repos[strings.ToLower(owner+"/"+name)] == nil {
				c.fail(http.StatusNotFound, "repository.NoSuchRepositoryException: Repository "+owner+"/"+name+" does not exist.")
				return
			}
			if c.at(owner+"/"+name, func(to string) string {
				owner, name, _ := strings.Cut(to, "/")
				return prefix + owner + "/repos/" + name + rest
			}) {
				do(c)
			}
		})
	}
	on := func(pattern string, do func(*call)) { below("api", pattern, do) }
	pull := func(pattern string, do func(*call, *Pull)) {
		on(pattern, func(c *call) {
			n, _ := strconv.Atoi(c.r.PathValue("n"))
			p, err := c.host.pull(c.ctx, c.repo, n)
			if err != nil {
				c.fail(http.StatusNotFound, "pull.NoSuchPullRequestException: Pull request "+strconv.Itoa(n)+" does not exist in "+c.repo.Slug+".")
				return
			}
			do(c, p)
		})
	}
	on("GET ", func(c *call) { c.json(http.StatusOK, b.repo(c.repo)) })
	on("GET /pull-requests", func(c *call) {
		q := c.r.URL.Query()
		list, err := c.host.list(c.ctx, c.repo, func(p *Pull) bool {
			return b.state(q, p) && (q.Get("at") == "" || q.Get("at") == "refs/heads/"+p.Head && q.Get("direction") == "OUTGOING")
		})
		if err != nil {
			c.fail(http.StatusInternalServerError, err.Error())
			return
		}
		dcPage(c, list, func(p *Pull) any { return b.pull(c, p) })
	})
	on("POST /pull-requests", b.create)
	pull("GET /pull-requests/{n}", func(c *call, p *Pull) { c.json(http.StatusOK, b.pull(c, p)) })
	pull("PUT /pull-requests/{n}", b.edit)
	pull("POST /pull-requests/{n}/decline", func(c *call, p *Pull) {
		if b.current(c, p) {
			p.State, p.Updated = "closed", time.Now().UTC()
			b.versions[p]++
			c.json(http.StatusOK, b.pull(c, p))
		}
	})
	pull("POST /pull-requests/{n}/merge", b.merge)
	pull("GET /pull-requests/{n}/merge", func(c *call, p *Pull) {
		c.host.mergeable(c.ctx, p)
		conflicts, _ := c.host.mergeable(c.ctx, p)
		outcome := map[bool]string{true: "CONFLICTED", false: "CLEAN"}[conflicts]
		c.json(http.StatusOK, map[string]any{"canMerge": !conflicts, "conflicted": conflicts, "outcome": outcome, "vetoes": []any{}})
	})
	pull("GET /pull-requests/{n}/activities", func(c *call, p *Pull) {
		list := slices.Clone(p.Comments)
		slices.Reverse(list)
		dcPage(c, list, func(x Comment) any { return b.activity(x) })
	})
	pull("POST /pull-requests/{n}/comments", func(c *call, p *Pull) {
		var in struct{ Text string }
		if c.read(&in) {
			was := p.Updated
			x := c.host.comment(p, in.Text)
			p.Updated = was // the server does not touch the pull request
			c.json(http.StatusCreated, b.comment(x))
		}
	})
	on("GET /branches", func(c *call) {
		tips, _, err := c.host.tips(c.ctx, c.repo, c.r.URL.Query().Get("filterText"))
		if err != nil || tips[0] == "" {
			tips = nil
		}
		name := c.r.URL.Query().Get("filterText")
		dcPage(c, tips, func(sha string) any {
			return map[string]any{"id": "refs/heads/" + name, "displayId": name, "type": "BRANCH", "latestCommit": sha}
		})
	})
	below("branch-utils", "DELETE /branches", func(c *call) {
		var in struct{ Name, EndPoint string }
		if !c.read(&in) {
			return
		}
		branch := strings.TrimPrefix(in.Name, "refs/heads/")
		tips, repo, err := c.host.tips(c.ctx, c.repo, branch)
		switch {
		case err != nil:
			c.fail(http.StatusInternalServerError, err.Error())
		case tips[0] != "" && in.EndPoint != "" && in.EndPoint != tips[0], branch == c.repo.Default:
			c.fail(http.StatusBadRequest, "The ref does not point to that commit.")
		case tips[0] != "" && repo.DeleteBranch(c.ctx, branch, tips[0]) != nil:
			c.fail(http.StatusInternalServerError, "git")
		default:
			c.w.WriteHeader(http.StatusNoContent)
		}
	})
	b.site(s)
}

// site serves what does not belong to one repository.
func (b bitbucketDC) site(s *server) {
	s.handle("GET /rest/api/latest/application-properties", func(c *call) {
		c.w.Header().Set("X-AUSERNAME", Self)
		c.json(http.StatusOK, map[string]any{"version": "9.4.0", "buildNumber": "9004000", "buildDate": "1700000000000", "displayName": "Bitbucket"})
	})
	s.handle("GET /rest/api/latest/repos", func(c *call) {
		q := c.r.URL.Query()
		var list []*Repo
		for _, r := range c.host.repos {
			owner, _, _ := strings.Cut(r.Slug, "/")
			if (q.Get("projectkey") == "" || strings.EqualFold(owner, q.Get("projectkey"))) && (q.Get("archived") == "ALL" || !r.Archived) {
				list = append(list, r)
			}
		}
		slices.SortFunc(list, func(a, b *Repo) int { return a.ID - b.ID })
		dcPage(c, list, func(r *Repo) any { return b.repo(r) })
	})
	s.handle("GET /rest/api/latest/labels/{label}/labeled", func(c *call) {
		var list []*Repo
		for _, r := range c.host.repos {
			if slices.Contains(r.Topics, c.r.PathValue("label")) {
				list = append(list, r)
			}
		}
		slices.SortFunc(list, func(a, b *Repo) int { return a.ID - b.ID })
		dcPage(c, list, func(r *Repo) any { return b.repo(r) })
	})
	s.handle("GET /rest/api/latest/dashboard/pull-requests", func(c *call) {
		q := c.r.URL.Query()
		var all []*Pull
		for _, r := range c.host.repos {
			list, err := c.host.list(c.ctx, r, func(p *Pull) bool {
				seconds, err := strconv.Atoi(q.Get("closedSince"))
				recent := err != nil || p.State != "open" && time.Since(p.Updated) < time.Duration(seconds)*time.Second
				user := q.Get("user")
				return (user == "" && p.Author == Self || user == p.Author) && recent && (q.Get("state") == "" || b.state(q, p))
			})
			if err != nil {
				c.fail(http.StatusInternalServerError, err.Error())
				return
			}
			all = append(all, list...)
		}
		slices.SortFunc(all, func(a, b *Pull) int { return b.ID - a.ID })
		dcPage(c, all, func(p *Pull) any { return b.pull(c, p) })
	})
	s.handle("GET /rest/api/latest/users", func(c *call) {
		q := c.r.URL.Query()
		var names []string
		for _, name := range []string{Self, "ann", "bob", "mallory"} {
			if strings.Contains(name+"@example.com", q.Get("filter")) && (q.Get("permission") == "" || b.writes(c, q, name)) {
				names = append(names, name)
			}
		}
		dcPage(c, names, func(n string) any { return b.user(n) })
	})
	s.handle("POST /rest/build-status/latest/commits/stats", func(c *call) {
		var commits []string
		if !c.read(&commits) {
			return
		}
		out := map[string]any{}
		for _, sha := range commits {
			count := map[string]int{"successful": 0, "failed": 0, "inProgress": 0, "cancelled": 0, "unknown": 0}
			any := false
			for _, r := range c.host.repos {
				for _, x := range r.Checks {
					if x.Commit == sha {
						count[map[string]string{"SUCCESSFUL": "successful", "FAILED": "failed", "INPROGRESS": "inProgress"}[bitbucketState(x)]]++
						any = true
					}
				}
			}
			if any {
				out[sha] = count
			}
		}
		c.json(http.StatusOK, out)
	})
	s.handle("GET /rest/build-status/latest/commits/{commit}", func(c *call) {
		var list []Check
		for _, r := range c.host.repos {
			for _, x := range r.Checks {
				if x.Commit == c.r.PathValue("commit") {
					list = append(list, x)
				}
			}
		}
		dcPage(c, list, func(x Check) any {
			return map[string]any{"key": "ci-" + x.Name, "name": x.Name + " #7", "state": bitbucketState(x), "url": "https://ci.example.com/" + x.Name, "description": "said by CI"}
		})
	})
}

// writes says whether somebody who commented may push.
func (bitbucketDC) writes(c *call, q url.Values, name string) bool {
	r := c.host.repos[strings.ToLower(q.Get("permission.projectKey")+"/"+q.Get("permission.repositorySlug"))]
	if r == nil || q.Get("permission") != "REPO_WRITE" {
		return false
	}
	for _, p := range r.pulls {
		for _, x := range p.Comments {
			if x.Author == name && x.MayWrite {
				return true
			}
		}
	}
	return false
}

func (bitbucketDC) state(q url.Values, p *Pull) bool {
	s := q.Get("state")
	return s == "ALL" || s == dcState(p) || s == "" && p.State == "open"
}

func dcState(p *Pull) string {
	return map[string]string{"open": "OPEN", "merged": "MERGED", "closed": "DECLINED"}[p.State]
}

// bitbucketState words a check as both kinds of Bitbucket do.
func bitbucketState(x Check) string {
	return cmp.Or(map[string]string{"success": "SUCCESSFUL", "failure": "FAILED", "pending": "INPROGRESS"}[x.State], x.State)
}

// dcPage sends one page, with at most as many as the host allows, and says where the next one starts.
func dcPage[T any](c *call, list []T, show func(T) any) {
	q := c.r.URL.Query()
	limit, from := 25, 0
	if n, err := strconv.Atoi(q.Get("limit")); err == nil {
		limit = n
	}
	if n, err := strconv.Atoi(q.Get("start")); err == nil {
		from = min(n, len(list))
	}
	limit = min(limit, c.host.cfg.PageCap)
	to := min(from+limit, len(list))
	values := []any{}
	for _, x := range list[from:to] {
		values = append(values, show(x))
	}
	out := map[string]any{"size": to - from, "limit": limit, "start": from, "isLastPage": to == len(list), "values": values}
	if to < len(list) {
		out["nextPageStart"] = to
	}
	c.json(http.StatusOK, out)
}

// current compares the version that a request was made with.
func (b bitbucketDC) current(c *call, p *Pull) bool {
	switch {
	case p.State != "open":
		c.fail(http.StatusConflict, "pull.IllegalPullRequestStateException: This pull request has already been "+dcState(p)+".")
	case c.r.URL.Query().Get("version") != strconv.Itoa(b.versions[p]):
		c.fail(http.StatusConflict, "pull.PullRequestOutOfDateException: You are attempting to modify a pull request based on out-of-date information.")
	default:
		return true
	}
	return false
}

func (b bitbucketDC) merge(c *call, p *Pull) {
	var in struct{ StrategyID string }
	if !c.read(&in) || !b.current(c, p) {
		return
	}
	method := map[string]string{"no-ff": "merge", "squash": "squash", "rebase-ff-only": "rebase"}[in.StrategyID]
	switch err := c.host.merge(c.ctx, p, method, ""); {
	case err == nil:
		b.versions[p]++
		c.json(http.StatusOK, b.pull(c, p))
	case errors.Is(err, errConflict):
		c.fail(http.StatusConflict, "pull.PullRequestMergeVetoedException: The pull request has conflicts and cannot be merged.")
	case errors.Is(err, errProtected), errors.Is(err, errDraft):
		c.fail(http.StatusConflict, "pull.PullRequestMergeVetoedException: Merging the pull request has been vetoed.")
	default:
		c.fail(http.StatusInternalServerError, err.Error())
	}
}
