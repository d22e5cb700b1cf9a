package forge

import (
	"net/url"
	"strings"

	"gaggle/internal/fleet"
)

// Slug is the path of a repository on its host, without slashes around it and without ".git": what stands in the clone
// URL, whatever name the fleet gave the repository. under is the path that the host itself lives below.
func Slug(repo fleet.Repository, under string) (string, error) {
	path := ""
	if u, err := url.Parse(repo.URL); err == nil && strings.Contains(repo.URL, "://") {
		path = u.Path
		if u.Scheme != "ssh" {
			if p := strings.TrimSuffix(under, "/") + "/"; strings.HasPrefix(path, p) {
				path = path[len(p):]
			}
		}
	} else if _, after, ok := strings.Cut(repo.URL, ":"); ok {
		path = after
	}
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	for s := range strings.SplitSeq(path, "/") {
		if s == "" || s == "." || s == ".." {
			return "", fleet.Errorf(fleet.CodeInvalid, "repository %s has a clone URL that names no repository of its forge", repo.Name)
		}
	}
	if !strings.Contains(path, "/") {
		return "", fleet.Errorf(fleet.CodeInvalid, "repository %s has a clone URL that names no repository of its forge", repo.Name)
	}
	return path, nil
}
