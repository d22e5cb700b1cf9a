//go:build full

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

const batchCampaign = `apiVersion: gaggle/v1
kind: Campaign
metadata: {name: kill, description: Say goodbye}
select: {where: "true"}
change:
  run: sed -i s/hello/goodbye/ README.md
judge: {mode: off}
pullRequest: {batch: upkeep}
`

// TestKilledWithSharedPullRequests kills a run over monorepos whose components share pull requests: in the end each change is in
// exactly one, and no branch is left over.
func TestKilledWithSharedPullRequests(t *testing.T) {
	if _, err := exec.LookPath("bwrap"); err != nil {
		t.Fatal("missing part: bubblewrap")
	}
	const repos, components, kills = 8, 4, 40
	dir := t.TempDir()
	campaign := filepath.Join(dir, "kill.yaml")
	if err := os.WriteFile(campaign, []byte(batchCampaign), 0o644); err != nil {
		t.Fatal(err)
	}
	for r := range repos {
		seed := filepath.Join(dir, "seed")
		for c := range components {
			part := filepath.Join(seed, fmt.Sprintf("part%d", c))
			if err := os.MkdirAll(part, 0o755); err != nil {
				t.Fatal(err)
			}
			entity := fmt.Sprintf("apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: r%d-part%d}\nspec: {type: service, lifecycle: production, owner: us}\n", r, c)
			for name, text := range map[string]string{"catalog-info.yaml": entity, "README.md": "hello\n"} {
				if err := os.WriteFile(filepath.Join(part, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		git(t, seed, "init", "-q", "-b", "main")
		git(t, seed, "add", "-A")
		git(t, seed, "commit", "-qm", "init")
		git(t, dir, "clone", "-q", "--bare", "seed", filepath.Join("repos", fmt.Sprintf("r%d.git", r)))
		if err := os.RemoveAll(seed); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	output(t, gaggle(t, dir, data, "fleet", "sync", "--from", filepath.Join(dir, "repos")))
	killRuns(t, kills, 200*time.Millisecond, rand.New(rand.NewPCG(2026, 11)), func() *exec.Cmd { return gaggle(t, dir, data, "run", campaign) })
	output(t, gaggle(t, dir, data, "run", campaign))

	var pulls []forge.Pull
	if err := json.Unmarshal([]byte(output(t, gaggle(t, dir, data, "pr", "list", "--state", "all", "--json"))), &pulls); err != nil {
		t.Fatal(err)
	}
	branch := map[string]string{} // by repository and number
	for _, p := range pulls {
		branch[fmt.Sprint(p.Repository, "#", p.Number)] = p.HeadBranch
	}
	shared, targets := 0, 0
	dec := json.NewDecoder(strings.NewReader(output(t, gaggle(t, dir, data, "status", "kill", "--targets", "--json"))))
	for dec.More() {
		var target fleet.Target
		if err := dec.Decode(&target); err != nil {
			t.Fatal(err)
		}
		targets++
		if target.Batch > 0 {
			shared++
		}
		own := branch[fmt.Sprint(target.Repository, "#", target.PullNumber)]
		if target.State != fleet.Proposed || own == "" {
			t.Errorf("%s is %s with pull request %d of %v", target.Component, target.State, target.PullNumber, branch)
			continue
		}
		bare := filepath.Join(dir, "repos", target.Repository+".git")
		for _, at := range strings.Fields(git(t, bare, "for-each-ref", "--format=%(refname:short)")) {
			if got := git(t, bare, "show", at+":"+target.Path+"/README.md"); (got == "goodbye") != (at == own) {
				t.Errorf("%s holds %q on %s; its pull request is from %s", target.Component, got, at, own)
			}
		}
	}
	heads := 0
	for r := range repos {
		heads += len(strings.Fields(git(t, filepath.Join(dir, "repos", fmt.Sprintf("r%d.git", r)), "for-each-ref", "--format=%(refname)", "refs/heads/gaggle")))
	}
	if targets != repos*components || heads != len(pulls) || shared < targets/2 {
		t.Errorf("%d targets, %d of them share; %d pull requests from %d branches", targets, shared, len(pulls), heads)
	}
	noLeftovers(t, data)
}
