package simulator

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Team is a team of the organisation that a repository belongs to, where the vendor has such.
type Team struct {
	ID         int
	Name       string
	Permission string            // none, read, write, admin, owner
	Units      map[string]string // what it may do with each part, such as repo.code
	Members    []string
}

var levels = []string{"none", "read", "write", "admin", "owner"}

func most(level, other string) string {
	return levels[max(slices.Index(levels, level), slices.Index(levels, other), 0)]
}

func (t Team) has(user string) bool { return slices.Contains(t.Members, user) }

func (t Team) unit(name string) string {
	if t.Permission == "admin" || t.Permission == "owner" {
		return t.Permission
	}
	return most(t.Units[name], "none")
}

// teamRoutes are those that tell who may do what. A team that may do something with the code leaves no trace in what the server
// calls somebody's permission, unless the team has a permission of its own.
func (g gitea) teamRoutes(s *server, on func(string, func(*call))) {
	on("GET /collaborators/{user}/permission", func(c *call) {
		user := c.r.PathValue("user")
		if c.repo.Lesser && user != Self {
			c.fail(http.StatusForbidden, "Only admins can query all permissions, repo admins can query all repo permissions, collaborators can query only their own")
			return
		}
		level := most(g.access(c.repo, user), "read")
		c.json(http.StatusOK, map[string]any{"permission": level, "role_name": level})
	})
	on("GET /teams", func(c *call) {
		if c.repo.Person {
			c.fail(http.StatusMethodNotAllowed, "repo is not owned by an organization")
			return
		}
		out := []any{}
		for _, t := range c.repo.Teams {
			units := map[string]string{}
			for _, name := range []string{"repo.code", "repo.issues", "repo.pulls", "repo.wiki"} {
				if mode := t.unit(name); mode != "none" {
					units[name] = mode
				}
			}
			out = append(out, map[string]any{"id": t.ID, "name": t.Name, "permission": t.Permission, "units_map": units, "organization": nil})
		}
		c.json(http.StatusOK, out)
	})
	on("GET /assignees", func(c *call) { // also those who may only read pull requests
		out := []any{}
		for _, user := range g.people(c.repo) {
			may := slices.Index(levels, g.access(c.repo, user)) >= 2
			for _, t := range c.repo.Teams {
				may = may || t.has(user) && (t.unit("repo.pulls") != "none" || slices.Index(levels, t.unit("repo.code")) >= 2)
			}
			if may {
				out = append(out, login(user))
			}
		}
		c.json(http.StatusOK, out)
	})
	s.handle("GET /api/v1/teams/{id}/members", func(c *call) {
		belongs, found := false, (*Team)(nil)
		for _, r := range c.host.repos {
			for i := range r.Teams {
				if strconv.Itoa(r.Teams[i].ID) == c.r.PathValue("id") {
					found = &r.Teams[i]
				}
				belongs = belongs || r.Teams[i].has(Self)
			}
		}
		switch {
		case found == nil || !belongs:
			c.fail(http.StatusNotFound, "not found")
		case !found.has(Self):
			c.fail(http.StatusForbidden, "Must be a team member")
		default:
			from, to := c.vendor.page(c.w, c.r.URL.Query(), len(found.Members), c.host.cfg.PageCap, c.r.URL)
			c.w.Header().Del("Link")
			out := []any{}
			for _, m := range found.Members[from:to] {
				out = append(out, login(m))
			}
			c.json(http.StatusOK, out)
		}
	})
	s.handle("GET /api/v1/users/{user}/orgs/{org}/permissions", func(c *call) {
		level := "none"
		for _, r := range c.host.owned(c.r.PathValue("org")) {
			for _, t := range r.Teams {
				if t.has(c.r.PathValue("user")) {
					level = most(level, t.Permission)
				}
			}
		}
		rank := slices.Index(levels, level)
		c.json(http.StatusOK, map[string]any{"can_read": rank > 0, "can_write": rank > 1, "is_admin": rank > 2, "is_owner": rank > 3})
	})
}

// access is what the server keeps for a person: as a collaborator, and by what teams may do as a whole.
func (gitea) access(r *Repo, user string) string {
	level := most(r.Collaborators[user], "none")
	if owner, _, _ := strings.Cut(r.Slug, "/"); r.Person && owner == user {
		level = "owner"
	}
	for _, t := range r.Teams {
		if t.has(user) {
			level = most(level, t.Permission)
		}
	}
	for _, p := range r.pulls {
		for _, x := range p.Comments {
			if x.Author == user && x.MayWrite {
				level = most(level, "write")
			}
		}
	}
	return level
}

// people are all that anything is known of.
func (gitea) people(r *Repo) []string {
	owner, _, _ := strings.Cut(r.Slug, "/")
	all := []string{owner, Self}
	for user := range r.Collaborators {
		all = append(all, user)
	}
	for _, t := range r.Teams {
		all = append(all, t.Members...)
	}
	for _, p := range r.pulls {
		for _, x := range p.Comments {
			all = append(all, x.Author)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
