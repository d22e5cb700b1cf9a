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
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const giteaParallel = 4

// BenchmarkGitea compares a script campaign from cold to 100 open pull requests with a bare loop of clone, edit, push and
// one API call at the same parallelism, on a real Gitea, and with multi-gitter where it is on the PATH; then each again with nothing
// new. The server is named by GITEA_URL, and GITEA_TOKEN may make organisations on it; GITEA_REPOS is how many repositories,
// if not 100:
//
//	GITEA_URL=http://127.0.0.1:3000 GITEA_TOKEN=… go test -tags full -run '^$' -bench Gitea -benchtime 1x ./cmd/gaggle
//
// Each has repositories of its own, made just before. There are as many rounds as contenders, and each begins once, is
// second once, and so on: a server is slower at first, and with every repository that it has.
func BenchmarkGitea(b *testing.B) {
	site, token := strings.TrimRight(os.Getenv("GITEA_URL"), "/"), os.Getenv("GITEA_TOKEN")
	if site == "" || token == "" {
		b.Skip("set GITEA_URL and GITEA_TOKEN to a Gitea that may be filled")
	}
	g := &giteaBench{b: b, dir: b.TempDir(), site: site, token: token, repos: 100}
	if n, err := strconv.Atoi(os.Getenv("GITEA_REPOS")); err == nil && n > 0 {
		g.repos = n
	}
	g.self = filepath.Join(g.dir, "gaggle")
	if out, err := exec.Command("go", "build", "-o", g.self, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for name, text := range map[string]string{"bench.yaml": benchCampaign, "edit.sh": "#!/bin/sh\nsed -i s/hello/goodbye/ README.md\n"} {
		if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	g.seed()
	stamp := time.Now().Unix()
	type contender struct {
		name       string
		cold, warm func(b *testing.B, org string)
	}
	all := []contender{
		{"loop", g.loop, nil},
		{"gaggle", func(b *testing.B, org string) {
			g.gaggle(b, org, "fleet", "sync", "--from", "gitea:"+org)
			g.campaign(b, org)
		}, g.campaign},
	}
	if _, err := exec.LookPath("multi-gitter"); err == nil {
		all = append(all, contender{"multi-gitter", g.multiGitter, g.multiGitter})
	}
	for round := range all {
		for i := range all {
			c := all[(round+i)%len(all)]
			org := fmt.Sprintf("bench%d-%s%d", stamp, c.name[:2], round)
			g.fill(org)
			b.Run(fmt.Sprintf("%s/round=%d", c.name, round+1), func(b *testing.B) { measure(b, func() { c.cold(b, org) }) })
			if round > 0 {
				continue
			}
			if c.warm != nil {
				b.Run(c.name+"-again", func(b *testing.B) { measure(b, func() { c.warm(b, org) }) })
			}
			if c.name == "gaggle" {
				b.Run("gaggle-follow-once", func(b *testing.B) { measure(b, func() { g.gaggle(b, org, "follow", "--once") }) })
			}
		}
	}
}

type giteaBench struct {
	b           *testing.B
	dir         string
	self        string // this program
	site, token string
	repos       int
}

// gaggle runs this program with a data folder for the organisation.
func (g *giteaBench) gaggle(b *testing.B, org string, args ...string) {
	b.Helper()
	g.run(b, []string{"GITEA_URL=" + g.site, "GITEA_TOKEN=" + g.token}, g.self, append([]string{"--data", filepath.Join(g.dir, "data-"+org)}, args...)...)
}

func (g *giteaBench) campaign(b *testing.B, org string) {
	b.Helper()
	g.gaggle(b, org, "run", "--parallel", fmt.Sprint(giteaParallel), filepath.Join(g.dir, "bench.yaml"))
}

func (g *giteaBench) multiGitter(b *testing.B, org string) {
	b.Helper()
	g.run(b, []string{"GITEA_TOKEN=" + g.token}, "multi-gitter", "run", filepath.Join(g.dir, "edit.sh"), "--platform", "gitea", "--base-url", g.site, "--org", org, "--git-type", "cmd",
		"--concurrent", fmt.Sprint(giteaParallel), "--branch", "bench", "--commit-message", "Say goodbye", "--pr-title", "Say goodbye", "--pr-body", "x", "--conflict-strategy", "skip", "--plain-output", "--log-file", "-",
		"--author-name", "a", "--author-email", "a@example.com")
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
	for i := range g.repos {
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
				if out, err := exec.Command("sh", "-c", script, "sh", g.clone(org, name), filepath.Join(g.dir, "loop", org, name)).CombinedOutput(); err != nil {
					b.Errorf("%v: %s", err, strings.ReplaceAll(string(out), g.token, "…"))
				}
				if status, reply, err := g.api("POST", "/repos/"+org+"/"+name+"/pulls", map[string]any{"head": "bench", "base": "main", "title": "Say goodbye", "body": "x"}); err != nil || status != http.StatusCreated {
					b.Errorf("%v: %d %s", err, status, reply)
				}
			}
		})
	}
	for i := range g.repos {
		names <- fmt.Sprintf("r%03d", i)
	}
	close(names)
	wg.Wait()
}
