package git_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

const secret = "s3cr3t-t0ken-never-shown"

// host serves a folder of repositories over HTTP with git's own program, asking for a password.
type host struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // Authorization headers
}

func newHost(t *testing.T, root string, encrypted bool) *host {
	t.Helper()
	execPath, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(execPath)), "git-http-backend"), Stderr: io.Discard,
		Env:        []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=gaggle", "GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=http.receivepack", "GIT_CONFIG_VALUE_0=true", "GIT_CONFIG_KEY_1=safe.directory", "GIT_CONFIG_VALUE_1=*"},
		InheritEnv: []string{"PATH"},
	}
	h := &host{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.seen = append(h.seen, r.Header.Get("Authorization"))
		h.mu.Unlock()
		if user, password, ok := r.BasicAuth(); !ok || user != "bot" || password != secret {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		if p := r.Header.Get("Git-Protocol"); p != "" {
			backend := *backend
			backend.Env = append(backend.Env[:len(backend.Env):len(backend.Env)], "GIT_PROTOCOL="+p)
			backend.ServeHTTP(w, r)
			return
		}
		backend.ServeHTTP(w, r)
	})
	if encrypted {
		h.Server = httptest.NewTLSServer(handler)
	} else {
		h.Server = httptest.NewServer(handler)
	}
	t.Cleanup(h.Close)
	return h
}

func (h *host) requests() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.seen)
}

func bareCopy(t *testing.T, src *source, root, name string) {
	t.Helper()
	src.git("clone", "--quiet", "--bare", src.dir, filepath.Join(root, name))
}

// spyStore puts a git in front of the real one that writes down its arguments, its environment, its descendants' command lines.
func spyStore(t *testing.T, credentials func(context.Context, string) (string, string, error)) (*git.Store, func() string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	script := fmt.Sprintf("#!/bin/sh\n{ echo \"$@\"; env; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; } >> '%s'\n(while kill -0 $$ 2>/dev/null; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' >> '%s'; done) 3<&- &\nexec git \"$@\"\n", log, log)
	program := filepath.Join(dir, "spying-git")
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := git.Open(git.Config{Dir: filepath.Join(dir, "mirrors"), Program: program, AllowFile: true, Credentials: credentials})
	if err != nil {
		t.Fatal(err)
	}
	return s, func() string {
		var all strings.Builder
		data, _ := os.ReadFile(log)
		all.Write(data)
		filepath.WalkDir(filepath.Join(dir, "mirrors"), func(p string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				data, _ := os.ReadFile(p)
				all.Write(data)
			}
			return nil
		})
		return all.String()
	}
}

func TestCredentialsReachTheHostAndNothingElse(t *testing.T) {
	root := t.TempDir()
	src := newSource(t, map[string]string{"a.txt": "a\n"})
	bareCopy(t, src, root, "a.git")
	h := newHost(t, root, false)
	asked := ""
	store, traces := spyStore(t, func(_ context.Context, url string) (string, string, error) {
		asked = url
		return "bot", secret, nil
	})
	repo := fleet.Repository{Name: "acme/a", URL: h.URL + "/a.git"}
	head := refresh(t, store, repo)
	if asked != repo.URL || head.Commit != src.git("rev-parse", "HEAD") {
		t.Fatalf("head %+v, asked for %q", head, asked)
	}
	refresh(t, store, repo)
	spec := spec
	spec.Base = head.Commit
	sha, err := store.Commit(t.Context(), repo, spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Push(t.Context(), repo, sha, "gaggle/x", ""); err != nil {
		t.Fatal(err)
	}
	if got, err := store.RemoteBranch(t.Context(), repo, "gaggle/x"); err != nil || got != sha {
		t.Fatalf("branch %q, %v", got, err)
	}
	if all := traces(); strings.Contains(all, secret) || !strings.Contains(all, "ls-remote") {
		t.Fatal("the secret stands in arguments, environment or files")
	}
}

// TestTheFirstLookIsOneFetch counts what a mirror costs its host when the forge has named the default branch, rightly or not.
func TestTheFirstLookIsOneFetch(t *testing.T) {
	root := t.TempDir()
	src := newSource(t, map[string]string{"a.txt": "a\n"})
	src.git("branch", "old")
	src.git("branch", "same")
	src.commit("second", map[string]string{"a.txt": "b\n"})
	src.git("branch", "-f", "same")
	bareCopy(t, src, root, "a.git")
	modern := newSource(t, map[string]string{"a.txt": "a\n"}, "--object-format=sha256")
	bareCopy(t, modern, root, "sha256.git")
	bareCopy(t, newSource(t, nil), root, "empty.git")
	bareCopy(t, src, root, "unborn.git")
	runGit(t, filepath.Join(root, "unborn.git"), "symbolic-ref", "HEAD", "refs/heads/none")
	h := newHost(t, root, false)
	store, _ := spyStore(t, func(context.Context, string) (string, string, error) { return "bot", secret, nil })
	// A fetch is a refusal, the greeting, the branches and the objects; a question beforehand is three more.
	for _, c := range []struct {
		repo, branch string
		requests     int // 0: as many as it takes
		commit       string
		code         fleet.Code
	}{
		{"a", "main", 4, src.git("rev-parse", "main"), ""},
		{"a", "", 7, src.git("rev-parse", "main"), ""},
		{"a", "old", 0, src.git("rev-parse", "main"), ""},
		{"a", "gone", 0, src.git("rev-parse", "main"), ""},
		{"a", "-x", 7, src.git("rev-parse", "main"), ""},
		{"unborn", "main", 0, src.git("rev-parse", "main"), ""},
		{"sha256", "main", 0, modern.git("rev-parse", "main"), ""},
		{"empty", "main", 0, "", fleet.CodeRepoEmpty},
		{"none", "main", 2, "", fleet.CodeRepoGone},
	} {
		before := h.requests()
		repo := fleet.Repository{Name: c.repo + " as " + c.branch, URL: h.URL + "/" + c.repo + ".git", DefaultBranch: c.branch}
		head, err := store.Refresh(t.Context(), repo, 0)
		if fleet.CodeOf(err) != c.code && err != nil || err == nil && (c.code != "" || head.Branch != "main" || head.Commit != c.commit || len(head.Tree) != len(c.commit)) {
			t.Errorf("%s: %+v, %v", repo.Name, head, err)
		}
		if n := h.requests() - before; n != c.requests && c.requests > 0 {
			t.Errorf("%s: %d requests, want %d", repo.Name, n, c.requests)
		}
		if c.code != "" {
			continue
		}
		if refs, err := os.ReadDir(filepath.Join(store.Dir(), git.Escape(repo.Name)+".git", "refs", "gaggle")); err != nil || len(refs) != 1 {
			t.Errorf("%s: the mirror's refs are %v, %v", repo.Name, refs, err)
		}
	}
}

func TestASecretInTheURLIsKeptOut(t *testing.T) {
	root := t.TempDir()
	src := newSource(t, map[string]string{"a.txt": "a\n"})
	bareCopy(t, src, root, "a.git")
	h := newHost(t, root, false)
	store, traces := spyStore(t, nil)
	u, _ := url.Parse(h.URL + "/a.git")
	u.User = url.UserPassword("bot", secret)
	refresh(t, store, fleet.Repository{Name: "a", URL: u.String()})
	u.Path = "/none.git"
	_, err := store.Refresh(t.Context(), fleet.Repository{Name: "none", URL: u.String()}, 0)
	wantCode(t, err, fleet.CodeRepoGone)
	u.User = url.UserPassword("bot", "wrong"+secret)
	_, err2 := store.Refresh(t.Context(), fleet.Repository{Name: "wrong", URL: u.String()}, 0)
	wantCode(t, err2, fleet.CodeForgeAuth)
	_, err3 := store.Refresh(t.Context(), fleet.Repository{Name: "bad", URL: "ftp://bot:" + secret + "@x/y"}, 0)
	wantCode(t, err3, fleet.CodeInvalid)
	if all := traces() + fmt.Sprint(err, err2, err3); strings.Contains(all, secret) {
		t.Fatal("the secret stands in arguments, environment, files or errors")
	}
}

func TestARedirectDoesNotGetTheSecret(t *testing.T) {
	root := t.TempDir()
	bareCopy(t, newSource(t, map[string]string{"a.txt": "a\n"}), root, "a.git")
	thief := newHost(t, root, false) // another port is another host
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, thief.URL+r.URL.String(), http.StatusFound)
	}))
	defer front.Close()
	store, _ := spyStore(t, func(context.Context, string) (string, string, error) { return "bot", secret, nil })
	_, err := store.Refresh(t.Context(), fleet.Repository{Name: "a", URL: front.URL + "/a.git"}, 0)
	wantCode(t, err, fleet.CodeForgeAuth)
	for _, header := range thief.seen {
		if header != "" {
			t.Fatal("the other host was given the credential")
		}
	}
}

func TestHTTPS(t *testing.T) {
	root := t.TempDir()
	src := newSource(t, map[string]string{"a.txt": "a\n"})
	bareCopy(t, src, root, "a.git")
	h := newHost(t, root, true)
	var pemFile bytes.Buffer
	if err := pem.Encode(&pemFile, &pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw}); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pemFile.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	store, _ := spyStore(t, func(context.Context, string) (string, string, error) { return "bot", secret, nil })
	repo := fleet.Repository{Name: "a", URL: h.URL + "/a.git"}
	_, err := store.Refresh(t.Context(), repo, 0)
	if err == nil {
		t.Fatal("an unknown certificate was accepted")
	}
	t.Setenv("GIT_SSL_CAINFO", ca)
	if head := refresh(t, store, repo); head.Commit != src.git("rev-parse", "HEAD") {
		t.Fatalf("head %+v", head)
	}
}

func TestRemotesThatAreNotUsable(t *testing.T) {
	store, _ := git.Open(git.Config{Dir: t.TempDir(), AllowFile: true})
	m := newMark(t)
	evil := m.script(t.TempDir(), "evil")
	for _, u := range []string{"", "ext::" + evil, "ext::sh -c touch% " + m.path, "-u" + evil, "--upload-pack=" + evil, "ssh://-oProxyCommand=" + evil + "/x", "-oProxyCommand=" + evil + ":x", "git://example.com/x", "http://example.com/x",
		"ftp://x/y", "file://host/x", "relative/path", "a\nb", "https:///x", "fd::3", "ssh://a;touch " + m.path + "/x", "ssh://user:pass@host/x", "transport::address"} {
		_, err := store.Refresh(t.Context(), fleet.Repository{Name: "x", URL: u}, 0)
		if fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Errorf("%q: %v (%s)", u, err, fleet.CodeOf(err))
		}
	}
	m.check()
	for u, protocol := range map[string]string{"/srv/a.git": "file", "file:///srv/a.git": "file", "git@host:a/b.git": "ssh", "host:a": "ssh", "ssh://git@host:22/a": "ssh", "https://host/a": "https", "http://127.0.0.1:3000/a": "http"} {
		if r, err := git.ParseRemote(u); err != nil || r.Protocol != protocol {
			t.Errorf("%q: %+v, %v", u, r, err)
		}
	}
	closed, err := git.Open(git.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = closed.Refresh(t.Context(), fleet.Repository{Name: "x", URL: "/srv/a.git"}, 0)
	wantCode(t, err, fleet.CodeInvalid)
}

func TestPushRespectsWhatIsThere(t *testing.T) {
	src := newSource(t, map[string]string{"a.txt": "a\n"})
	store, repo := newStore(t), src.repo()
	head := refresh(t, store, repo)
	commit := func(message string) string {
		spec := spec
		spec.Base, spec.Message = head.Commit, message
		sha, err := store.Commit(t.Context(), repo, spec)
		if err != nil {
			t.Fatal(err)
		}
		return sha
	}
	one, two := commit("one"), commit("two")
	push := func(sha, expect string) error { return store.Push(t.Context(), repo, sha, "gaggle/x", expect) }
	if err := push(one, ""); err != nil {
		t.Fatal(err)
	}
	wantCode(t, push(two, ""), fleet.CodeBranchTaken)
	wantCode(t, push(two, head.Commit), fleet.CodeBranchTaken)
	if err := push(two, one); err != nil { // its own, and no fast-forward
		t.Fatal(err)
	}
	if err := push(two, one); err != nil { // done before
		t.Fatal(err)
	}
	src.git("branch", "--quiet", "-D", "gaggle/x")
	wantCode(t, push(one, two), fleet.CodeBranchTaken)
	src.git("branch", "gaggle", "main") // a branch in place of the folder
	if err := push(one, ""); err == nil {
		t.Fatal("pushed below a branch")
	}
	src.git("branch", "-D", "gaggle")
	src.commit("the base moves", map[string]string{"b.txt": "b\n"}) // the mirror does not know it
	if err := push(one, ""); err != nil {
		t.Fatal(err)
	}
	refresh(t, store, repo)
	if err := store.Push(t.Context(), repo, two, "gaggle/y", ""); err != nil {
		t.Fatal(err)
	}
	if got := src.git("rev-list", "--count", "gaggle/y"); got != "2" {
		t.Fatalf("the pushed branch has %s commits", got)
	}
	for _, bad := range []string{"", "a..b", "-x", "x.lock", "a b", "x/", "refs/../x"} {
		if err := store.Push(t.Context(), repo, one, bad, ""); err == nil {
			t.Errorf("pushed to %q", bad)
		}
	}
}

func TestAHooksWordIsHeardOverTheNetworkOnly(t *testing.T) {
	root := t.TempDir()
	src := newSource(t, map[string]string{"a.txt": "a\n"})
	bareCopy(t, src, root, "a.git")
	hook := filepath.Join(root, "a.git", "hooks", "pre-receive")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\necho 'GH006: Protected branch update failed' >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	h := newHost(t, root, false)
	store, _ := spyStore(t, func(context.Context, string) (string, string, error) { return "bot", secret, nil })
	for url, want := range map[string]fleet.Code{h.URL + "/a.git": fleet.CodeProtected, filepath.Join(root, "a.git"): ""} {
		repo := fleet.Repository{Name: "r" + string(want), URL: url}
		spec := spec
		spec.Base = refresh(t, store, repo).Commit
		sha, err := store.Commit(t.Context(), repo, spec)
		if err != nil {
			t.Fatal(err)
		}
		err = store.Push(t.Context(), repo, sha, "gaggle/x"+string(want), "")
		if want == "" && err != nil || want != "" && fleet.CodeOf(err) != want {
			t.Errorf("%s: %v (%s)", url, err, fleet.CodeOf(err))
		}
	}
}
