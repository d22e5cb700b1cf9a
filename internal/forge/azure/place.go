package azure

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/forge/transport"
)

// site is an organisation of Services, or a collection of a server.
type site struct {
	url      *url.URL
	people   *url.URL // of the identities
	releases *url.URL
	org      string // of Services; "" for a server
}

const services, old = "dev.azure.com", ".visualstudio.com"

func parseSite(raw string) (site, error) {
	u, err := url.Parse(strings.TrimRight(raw, "/"))
	bad := &fleet.Error{Code: fleet.CodeInvalid, Message: "the URL of an Azure DevOps names an organisation or a collection", Hint: "such as https://dev.azure.com/ORG, or https://tfs.example.com/tfs/DefaultCollection"}
	if err != nil || u.Host == "" {
		return site{}, bad
	}
	host := strings.ToLower(u.Host)
	path := strings.Trim(u.Path, "/")
	s := site{url: u, people: u, releases: u}
	switch {
	case host == services:
		s.org = path
		s.people = &url.URL{Scheme: u.Scheme, Host: "vssps." + services, Path: "/" + path}
		s.releases = &url.URL{Scheme: u.Scheme, Host: "vsrm." + services, Path: "/" + path}
	case strings.HasSuffix(host, old):
		s.org = strings.TrimSuffix(host, old)
		s.people = &url.URL{Scheme: u.Scheme, Host: s.org + ".vssps" + old}
		s.releases = &url.URL{Scheme: u.Scheme, Host: s.org + ".vsrm" + old}
		path = s.org
	}
	if path == "" || s.org != "" && strings.Contains(path, "/") {
		return site{}, bad
	}
	return s, nil
}

// Hosts are the hosts of the clone URLs that belong to an organisation or a server.
func Hosts(raw string) []string {
	s, err := parseSite(raw)
	if err != nil {
		return nil
	}
	if s.org == "" {
		return []string{strings.ToLower(s.url.Host)}
	}
	return []string{services, strings.ToLower(s.org) + old, "ssh." + services, "vs-ssh" + old}
}

// Holds says whether a clone URL is one of the organisation or collection at a URL.
func Holds(raw, clone string) bool {
	s, err := parseSite(raw)
	if err != nil {
		return false
	}
	_, ok := s.place(clone)
	return ok
}

// place is a project and a repository in it, by their names.
type place struct{ project, name string }

func (p place) key() string { return strings.ToLower(p.project + "/" + p.name) }

// place reads a clone URL:
//
//	https://[user@]dev.azure.com/ORG/PROJECT/_git/REPO    git@ssh.dev.azure.com:v3/ORG/PROJECT/REPO
//	https://ORG.visualstudio.com/[DefaultCollection/]PROJECT/_git/REPO    ORG@vs-ssh.visualstudio.com:v3/ORG/PROJECT/REPO
//	https://HOST/tfs/COLLECTION/PROJECT/_git/REPO    ssh://HOST:22/tfs/COLLECTION/PROJECT/_git/REPO
//
// A project may be left out where its repository has the same name.
func (s site) place(clone string) (place, bool) {
	host, path := "", ""
	if u, err := url.Parse(clone); err == nil && strings.Contains(clone, "://") {
		if host, path = u.Host, u.Path; u.Scheme == "ssh" {
			host = u.Hostname()
		}
	} else if before, after, ok := strings.Cut(clone, ":"); ok {
		host = before[strings.LastIndexByte(before, '@')+1:]
		if path, err = url.PathUnescape(after); err != nil {
			return place{}, false
		}
	}
	host, path = strings.ToLower(host), strings.Trim(path, "/")
	parts := strings.Split(path, "/")
	for _, p := range parts {
		if p == "" || p == "." || p == ".." {
			return place{}, false
		}
	}
	if host == "ssh."+services || host == "vs-ssh"+old {
		if len(parts) != 4 || parts[0] != "v3" || s.org == "" || !strings.EqualFold(parts[1], s.org) {
			return place{}, false
		}
		return place{parts[2], parts[3]}, true
	}
	n := len(parts)
	if n < 2 || parts[n-2] != "_git" && parts[n-2] != "_ssh" {
		return place{}, false
	}
	above, name := parts[:n-2], parts[n-1]
	switch {
	case s.org != "" && host == services:
		if len(above) == 0 || !strings.EqualFold(above[0], s.org) {
			return place{}, false
		}
		above = above[1:]
	case s.org != "" && host == strings.ToLower(s.org)+old:
		if len(above) > 0 && strings.EqualFold(above[0], "DefaultCollection") {
			above = above[1:]
		}
	case s.org == "" && (host == strings.ToLower(s.url.Host) || host == strings.ToLower(s.url.Hostname())):
		under := strings.Split(strings.Trim(s.url.Path, "/"), "/")
		if len(above) < len(under) || !strings.EqualFold(strings.Join(above[:len(under)], "/"), strings.Join(under, "/")) {
			return place{}, false
		}
		above = above[len(under):]
	default:
		return place{}, false
	}
	switch len(above) {
	case 0:
		return place{name, name}, true
	case 1:
		return place{above[0], name}, true
	}
	return place{}, false
}

// ids stay when names change.
type ids struct{ project, repo string }

func (f *Forge) place(repo fleet.Repository) (place, error) {
	at, ok := f.site.place(repo.URL)
	if !ok {
		return at, &fleet.Error{Code: fleet.CodeInvalid, Message: "repository " + repo.Name + " has a clone URL that names no repository of " + f.site.url.String(), Hint: "such as " + f.site.url.String() + "/PROJECT/_git/REPOSITORY"}
	}
	return at, nil
}

// learn remembers the ids of a repository that was asked for by its name.
func (f *Forge) learn(at place, r repository) {
	if r.ID == "" || r.Project.ID == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known[at.key()] = ids{r.Project.ID, r.ID}
	f.names[r.ID] = at.key()
}

func (f *Forge) ids(at place) (ids, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id, ok := f.known[at.key()]
	return id, ok
}

// on makes a call about a repository: by its id once that is known, and by its name again when nothing has that id any more.
func (f *Forge) on(ctx context.Context, repo fleet.Repository, method, rest string, q url.Values, in, out any) error {
	at, err := f.place(repo)
	if err != nil {
		return err
	}
	if id, ok := f.ids(at); ok {
		err := f.call(ctx, method, "/_apis/git/repositories/"+url.PathEscape(id.repo)+rest, q, in, out)
		if !gone(err) {
			return err
		}
		f.mu.Lock()
		delete(f.known, at.key())
		f.mu.Unlock()
	}
	return f.call(ctx, method, "/"+url.PathEscape(at.project)+"/_apis/git/repositories/"+url.PathEscape(at.name)+rest, q, in, out)
}

// within makes a call about the project of a repository.
func (f *Forge) within(ctx context.Context, repo fleet.Repository, method, rest string, q url.Values, in, out any) error {
	at, err := f.project(ctx, repo)
	if err != nil {
		return err
	}
	return f.call(ctx, method, "/"+url.PathEscape(at.project)+"/_apis"+rest, q, in, out)
}

// project returns the ids of a repository and of its project.
func (f *Forge) project(ctx context.Context, repo fleet.Repository) (ids, error) {
	at, err := f.place(repo)
	if err != nil {
		return ids{}, err
	}
	if id, ok := f.ids(at); ok {
		return id, nil
	}
	var r repository
	if err := f.on(ctx, repo, http.MethodGet, "", nil, nil, &r); err != nil {
		return ids{}, missing(repo, err, err)
	}
	f.learn(at, r)
	return ids{r.Project.ID, r.ID}, nil
}

// gone recognises that a repository or its project is not there, which a disabled one is not either.
func gone(err error) bool {
	return transport.StatusOf(err) == http.StatusNotFound && transport.Says(err, "GitRepositoryNotFound", "TF401019", "ProjectDoesNotExist", "TF200016")
}

// missing says what a 404 is about: the whole repository, or what was asked of it.
func missing(repo fleet.Repository, err, what error) error {
	if gone(err) {
		return &fleet.Error{Code: fleet.CodeRepoGone, Message: "Azure DevOps has no repository " + repo.Name + " for this credential", Hint: "it was renamed, disabled or deleted, or the credential may not see it", Err: err}
	}
	if transport.StatusOf(err) == http.StatusNotFound {
		return what
	}
	return err
}

// title is the name of the organisation or collection.
func (s site) title() string {
	if s.org != "" {
		return s.org
	}
	return s.url.Path[strings.LastIndexByte(s.url.Path, '/')+1:]
}
