package simulator

import (
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// azure is one organisation, called org; the first part of a slug is the project.
type azure struct{ jobs map[*Pull]*completion }

// completion is what the host does in the background once a pull request is asked to be completed.
type completion struct {
	method, head string
	looks        int
}

// AzureDevOps serves the API of Azure DevOps until the test ends, and returns the URL of the organisation.
func AzureDevOps(t testing.TB, h *Host, seen func(Exchange)) string {
	return start(t, h, &azure{map[*Pull]*completion{}}, seen) + "/org"
}

func (*azure) authorized(h http.Header, token string) bool {
	_, secret, _ := (&http.Request{Header: h}).BasicAuth()
	return secret == token
}

func (a *azure) limit(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "0")
	w.Header().Set("X-RateLimit-Resource", "core-ish")
	a.problem(w, http.StatusTooManyRequests, "TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource 'Concurrency' in namespace 'User'.")
}

func (*azure) problem(w http.ResponseWriter, status int, say string) { explain(w, status, "", say) }

// explain sends an error with the name of the exception behind it.
func explain(w http.ResponseWriter, status int, key, say string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"$id":"1","innerException":null,"message":%s,"typeName":%s,"typeKey":%s,"errorCode":0,"eventId":3000}`, strconv.Quote(say), strconv.Quote("Microsoft.TeamFoundation.Git.Server."+key), strconv.Quote(key))
}

func (*azure) page(_ http.ResponseWriter, q url.Values, total, pageCap int, _ *url.URL) (from, to int) {
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(q.Get(name)); err == nil && n >= 0 {
			return n
		}
		return otherwise
	}
	from = min(number("$skip", 0), total)
	return from, min(from+min(number("$top", 101), pageCap), total)
}

// collection sends a list in the envelope that lists come in.
func collection[T any](c *call, list []T, show func(T) any) {
	out := []any{}
	for _, x := range list {
		out = append(out, show(x))
	}
	c.json(http.StatusOK, map[string]any{"value": out, "count": len(out)})
}

func guid(kind byte, n int) string { return fmt.Sprintf("%02x000000-0000-4000-8000-%012x", kind, n) }

func projectID(name string) string {
	return guid(0xa0, int(crc32.ChecksumIEEE([]byte(strings.ToLower(name)))))
}

func personID(name string) string { return guid(0xb0, userID(name)) }

func repoID(r *Repo) string { return guid(0xc0, r.ID) }

// find is the repository of a path, by id in any project or by name in one; nil where the host would not say that there is one.
func (c *call) find() *Repo {
	project, name := c.r.PathValue("project"), c.r.PathValue("repo")
	for _, r := range c.host.repos {
		if repoID(r) == name && !r.Archived {
			return r
		}
	}
	if r := c.host.repos[strings.ToLower(project+"/"+name)]; r != nil && !r.Archived {
		return r
	}
	return nil
}

func (a *azure) routes(s *server) {
	on := func(pattern string, do func(*call)) {
		method, path, _ := strings.Cut(pattern, " ")
		for _, project := range []string{"", "/{project}"} {
			s.handle(method+" /org"+project+"/_apis/git/repositories/{repo}"+path, func(c *call) {
				if c.r.URL.Query().Get("api-version") != "7.1" {
					explain(c.w, http.StatusBadRequest, "VssVersionOutOfRangeException", "The requested REST API version is out of range for this server.")
				} else if c.repo = c.find(); c.repo == nil {
					explain(c.w, http.StatusNotFound, "GitRepositoryNotFoundException", "TF401019: The Git repository with name or identifier "+c.r.PathValue("repo")+" does not exist or you do not have permissions for the operation you are attempting.")
				} else {
					do(c)
				}
			})
		}
	}
	pull := func(pattern string, do func(*call, *Pull)) {
		on(pattern, func(c *call) {
			n, _ := strconv.Atoi(c.r.PathValue("n"))
			p, err := c.host.pull(c.ctx, c.repo, n)
			if errors.Is(err, errMissing) {
				explain(c.w, http.StatusNotFound, "GitPullRequestNotFoundException", "TF401180: The requested pull request was not found.")
			} else if err = errors.Join(err, a.advance(c, p)); err != nil {
				c.fail(http.StatusInternalServerError, err.Error())
			} else {
				do(c, p)
			}
		})
	}
	on("GET ", func(c *call) { c.json(http.StatusOK, a.repo(c.repo)) })
	on("GET /pullrequests", func(c *call) { a.list(c, []*Repo{c.repo}) })
	on("POST /pullrequests", a.create)
	on("GET /diffs/commits", a.diff)
	on("POST /pullrequestquery", a.query)
	on("GET /refs", a.refs)
	on("POST /refs", a.updateRefs)
	pull("GET /pullrequests/{n}", func(c *call, p *Pull) {
		c.host.mergeable(c.ctx, p)
		c.json(http.StatusOK, a.pull(p, false))
	})
	pull("PATCH /pullrequests/{n}", a.edit)
	pull("POST /pullrequests/{n}/labels", func(c *call, p *Pull) {
		var in struct{ Name string }
		if c.read(&in) {
			p.Labels = add(p.Labels, in.Name)
			c.json(http.StatusOK, map[string]any{"id": guid(0xd0, len(p.Labels)), "name": in.Name, "active": true})
		}
	})
	pull("PUT /pullrequests/{n}/reviewers/{id}", func(c *call, p *Pull) {
		for _, k := range known {
			if personID(k) == c.r.PathValue("id") {
				p.Reviewers = add(p.Reviewers, k)
				c.json(http.StatusOK, a.reviewer(p, k))
				return
			}
		}
		explain(c.w, http.StatusBadRequest, "GitPullRequestInvalidReviewer", "TF401186: The reviewer does not exist.")
	})
	for _, path := range []string{"/org/_apis/git/repositories", "/org/{project}/_apis/git/repositories"} {
		s.handle("GET "+path, a.repositories)
	}
	s.handle("GET /org/_apis/projects", func(c *call) {
		names := a.projects(c)
		from, to := a.page(c.w, c.r.URL.Query(), len(names), c.host.cfg.PageCap, nil)
		collection(c, names[from:to], func(n string) any { return project(n) })
	})
	s.handle("GET /org/{project}/_apis/git/pullrequests", func(c *call) {
		list, ok := a.inProject(c)
		if ok {
			a.list(c, list)
		}
	})
	a.looks(s, on, pull)
}

func (*azure) projects(c *call) (names []string) {
	for _, r := range c.host.repos {
		name, _, _ := strings.Cut(r.Slug, "/")
		names = add(names, name)
	}
	slices.Sort(names)
	return names
}

// inProject are the repositories of the project that the path names.
func (a *azure) inProject(c *call) (list []*Repo, ok bool) {
	for _, name := range a.projects(c) {
		if p := c.r.PathValue("project"); strings.EqualFold(name, p) || projectID(name) == p {
			return c.host.owned(name), true
		}
	}
	explain(c.w, http.StatusNotFound, "ProjectDoesNotExistWithNameException", "TF200016: The following project does not exist: "+c.r.PathValue("project")+".")
	return nil, false
}

func (a *azure) repositories(c *call) {
	var list []*Repo
	if c.r.PathValue("project") == "" {
		for _, name := range a.projects(c) {
			list = append(list, c.host.owned(name)...)
		}
	} else if of, ok := a.inProject(c); ok {
		list = of
	} else {
		return
	}
	collection(c, list, func(r *Repo) any { return a.repo(r) })
}

func project(name string) map[string]any {
	return map[string]any{"id": projectID(name), "name": name, "state": "wellFormed", "visibility": "private"}
}

func (*azure) repo(r *Repo) map[string]any {
	owner, name, _ := strings.Cut(r.Slug, "/")
	of := project(owner)
	if r.Visibility == "public" {
		of["visibility"] = "public"
	}
	return map[string]any{"id": repoID(r), "name": name, "project": of, "defaultBranch": "refs/heads/" + r.Default, "size": r.Size << 10, "isDisabled": r.Archived, "isFork": r.Fork}
}

func human(name string) map[string]any {
	return map[string]any{"id": personID(name), "displayName": strings.ToUpper(name), "uniqueName": name}
}
