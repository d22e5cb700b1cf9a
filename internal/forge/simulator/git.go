package simulator

import (
	"net/http"
	"net/http/cgi"
	"os/exec"
	"path/filepath"
	"strings"
)

// git serves clones and pushes of the repositories over HTTP, with git's own server, to whoever has the token.
func (s *server) git(w http.ResponseWriter, r *http.Request) {
	_, secret, _ := r.BasicAuth()
	if secret != s.host.cfg.Token {
		w.Header().Set("WWW-Authenticate", `Basic realm="simulator"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	slug, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"), "scm/"), ".git/")
	if project, path, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/org/"), "/_git/"); ok {
		slug, rest, _ = strings.Cut(path, "/")
		slug = project + "/" + slug
	}
	s.host.mu.Lock()
	s.host.calls["git"]++
	key := strings.ToLower(slug)
	if to, ok := s.host.moved[key]; ok {
		key = strings.ToLower(to)
	}
	repo := s.host.repos[key]
	s.host.mu.Unlock()
	exec, err := exec.CommandContext(r.Context(), "git", "--exec-path").Output()
	if repo == nil || err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	to := r.Clone(r.Context())
	to.URL.Path = "/" + filepath.Base(repo.Path) + "/" + rest
	(&cgi.Handler{Path: filepath.Join(strings.TrimSpace(string(exec)), "git-http-backend"), Root: "/", Env: []string{
		"GIT_PROJECT_ROOT=" + filepath.Dir(repo.Path), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.receivepack", "GIT_CONFIG_VALUE_0=true",
	}}).ServeHTTP(w, to)
}
