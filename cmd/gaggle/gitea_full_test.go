//go:build full

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	giteaRepos    = 100
	giteaParallel = 4
)

// BenchmarkGitea compares a script campaign from cold to 100 open pull requests with a bare loop of clone, edit, push and
// one API call at the same parallelism, on a real Gitea; then each again with nothing new, and multi-gitter beside them where it
// is on the PATH. The server is named by GITEA_URL, and GITEA_TOKEN may make organisations on it:
//
//	GITEA_URL=http://127.0.0.1:3000 GITEA_TOKEN=… go test -tags full -run '^$' -bench Gitea -benchtime 1x ./cmd/gaggle
func BenchmarkGitea(b *testing.B) {
	site, token := strings.TrimRight(os.Getenv("GITEA_URL"), "/"), os.Getenv("GITEA_TOKEN")
	if site == "" || token == "" {
		b.Skip("set GITEA_URL and GITEA_TOKEN to a Gitea that may be filled")
	}
	g := &giteaBench{b: b, dir: b.TempDir(), site: site, token: token}
	self := filepath.Join(g.dir, "gaggle")
	if out, err := exec.Command("go", "build", "-o", self, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	g.seed()
	stamp := time.Now().Unix()
	tools := []string{"loop", "gaggle", "multi-gitter"}
	orgs := map[string]string{}
	for _, tool := range tools {
		if _, err := exec.LookPath("multi-gitter"); tool == "multi-gitter" && err != nil {
			continue
		}
		orgs[tool] = fmt.Sprintf("bench%d-%s", stamp, tool[:2])
		g.fill(orgs[tool])
	}
	b.Run("loop", func(b *testing.B) { measure(b, func() { g.loop(b, orgs["loop"]) }) })
	gaggle := func(b *testing.B, args ...string) {
		g.run(b, []string{"GITEA_URL=" + site, "GITEA_TOKEN=" + token}, self, append([]string{"--data", filepath.Join(g.dir, "data")}, args...)...)
	}
	campaign := filepath.Join(g.dir, "bench.yaml")
	if err := os.WriteFile(campaign, []byte(benchCampaign), 0o644); err != nil {
		b.Fatal(err)
	}
	work := func(b *testing.B) { gaggle(b, "run", "--parallel", fmt.Sprint(giteaParallel), campaign) }
	b.Run("gaggle", func(b *testing.B) {
		measure(b, func() {
			gaggle(b, "fleet", "sync", "--from", "gitea:"+orgs["gaggle"])
			work(b)
		})
	})
	b.Run("gaggle-again", func(b *testing.B) { measure(b, func() { work(b) }) })
	b.Run("gaggle-follow-once", func(b *testing.B) { measure(b, func() { gaggle(b, "follow", "--once") }) })
	if orgs["multi-gitter"] == "" {
		return
	}
	script := filepath.Join(g.dir, "edit.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nsed -i s/hello/goodbye/ README.md\n"), 0o755); err != nil {
		b.Fatal(err)
	}
	peer := func(b *testing.B) {
		measure(b, func() {
			g.run(b, []string{"GITEA_TOKEN=" + token}, "multi-gitter", "run", script, "--platform", "gitea", "--base-url", site, "--org", orgs["multi-gitter"], "--git-type", "cmd",
				"--concurrent", fmt.Sprint(giteaParallel), "--branch", "bench", "--commit-message", "Say goodbye", "--pr-title", "Say goodbye", "--pr-body", "x", "--conflict-strategy", "skip", "--plain-output", "--log-file", "-",
				"--author-name", "a", "--author-email", "a@example.com")
		})
	}
	b.Run("multi-gitter", peer)
	b.Run("multi-gitter-again", peer)
}

type giteaBench struct {
	b           *testing.B
	dir         string
	site, token string
}

func (g *giteaBench) run(b *testing.B, env []string, name string, args ...string) {
	b.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + g.dir}, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v: %s", name, err, strings.ReplaceAll(string(out), g.token, "…"))
	}
}

func (g *giteaBench) api(method, path string, body any) (int, []byte, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequest(method, g.site+"/api/v1"+path, bytes.NewReader(data))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "token "+g.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	return resp.StatusCode, reply, err
}

// seed makes the repository that all start as.
func (g *giteaBench) seed() {
	script := `set -e
git init -q -b main "$1"; cd "$1"
git config user.name a; git config user.email a@example.com; git config gc.auto 0
for i in $(seq 30); do echo "file $i" > f$i.txt; done
echo hello > README.md; git add -A; git commit -qm init`
	g.run(g.b, nil, "sh", "-c", script, "sh", filepath.Join(g.dir, "seed"))
}

func (g *giteaBench) clone(org, repo string) string {
	u, err := url.Parse(g.site)
	if err != nil {
		g.b.Fatal(err)
	}
	u.User = url.UserPassword("bench", g.token)
	return u.String() + "/" + org + "/" + repo + ".git"
}

// fill makes an organisation of repositories.
func (g *giteaBench) fill(org string) {
	g.b.Helper()
	if status, reply, err := g.api("POST", "/orgs", map[string]any{"username": org}); err != nil || status != http.StatusCreated {
		g.b.Fatalf("organisation %s: %v: %d %s", org, err, status, reply)
	}
	for i := range giteaRepos {
		name := fmt.Sprintf("r%03d", i)
		if status, reply, err := g.api("POST", "/orgs/"+org+"/repos", map[string]any{"name": name, "default_branch": "main"}); err != nil || status != http.StatusCreated {
			g.b.Fatalf("repository %s: %v: %d %s", name, err, status, reply)
		}
		g.run(g.b, nil, "git", "-C", filepath.Join(g.dir, "seed"), "push", "-q", g.clone(org, name), "main")
	}
	time.Sleep(5 * time.Second) // the server takes note of pushes in the background
}

// loop is the work itself and nothing else.
func (g *giteaBench) loop(b *testing.B, org string) {
	names := make(chan string)
	var wg sync.WaitGroup
	for range giteaParallel {
		wg.Go(func() {
			for name := range names {
				script := `set -e
git clone -q --depth 1 "$1" "$2"; cd "$2"; sed -i s/hello/goodbye/ README.md
git -c user.name=a -c user.email=a@example.com commit -qam "Say goodbye"; git push -q origin HEAD:refs/heads/bench`
				if out, err := exec.Command("sh", "-c", script, "sh", g.clone(org, name), filepath.Join(g.dir, "loop", name)).CombinedOutput(); err != nil {
					b.Errorf("%v: %s", err, strings.ReplaceAll(string(out), g.token, "…"))
				}
				if status, reply, err := g.api("POST", "/repos/"+org+"/"+name+"/pulls", map[string]any{"head": "bench", "base": "main", "title": "Say goodbye", "body": "x"}); err != nil || status != http.StatusCreated {
					b.Errorf("%v: %d %s", err, status, reply)
				}
			}
		})
	}
	for i := range giteaRepos {
		names <- fmt.Sprintf("r%03d", i)
	}
	close(names)
	wg.Wait()
}
