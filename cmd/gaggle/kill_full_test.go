//go:build full

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

const (
	killTargets = 200
	kills       = 100
)

const killCampaign = `apiVersion: gaggle/v1
kind: Campaign
metadata: {name: kill, description: Say goodbye}
select: {where: "true"}
change:
  run: |
    if grep -q nothing README.md; then exit 0; fi
    sed -i s/hello/goodbye/ README.md
judge: {mode: off}
rollout: {waves: [20, 100%], gate: {success: 0.5}}
`

// gaggle starts the program on a data folder.
func gaggle(t *testing.T, dir, data string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, append([]string{"--data", data}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{asProgram + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + dir, "USER=tester"}
	return cmd
}

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s%s", cmd.Args, err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
		"GIT_AUTHOR_DATE=2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2026-01-01T00:00:00Z"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// killFleet makes bare repositories; every tenth has nothing to change.
func killFleet(t *testing.T, dir string, n int) {
	t.Helper()
	seed := filepath.Join(dir, "seed")
	for i := range n {
		name := fmt.Sprintf("r%03d", i)
		if err := os.MkdirAll(seed, 0o755); err != nil {
			t.Fatal(err)
		}
		text := "hello " + name + "\n"
		if i%10 == 9 {
			text = "nothing here\n"
		}
		git(t, seed, "init", "-q", "-b", "main")
		if err := os.WriteFile(filepath.Join(seed, "README.md"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		git(t, seed, "add", "-A")
		git(t, seed, "commit", "-qm", "init")
		git(t, dir, "clone", "-q", "--bare", "seed", filepath.Join("repos", name+".git"))
		if err := os.RemoveAll(seed); err != nil {
			t.Fatal(err)
		}
	}
}

// ends is how every target ended: its state, and what is on its branch.
func ends(t *testing.T, dir, data, repos string) map[string]string {
	t.Helper()
	got := map[string]string{}
	dec := json.NewDecoder(strings.NewReader(output(t, gaggle(t, dir, data, "status", "kill", "--targets", "--json"))))
	for dec.More() {
		var target fleet.Target
		if err := dec.Decode(&target); err != nil {
			t.Fatal(err)
		}
		bare := filepath.Join(repos, target.Repository+".git")
		if _, err := os.Stat(bare); err != nil {
			bare = filepath.Join(repos, target.Repository)
		}
		got[target.Component] = string(target.State)
		refs := git(t, bare, "for-each-ref", "--format=%(refname)")
		got[target.Component] += " " + strings.ReplaceAll(refs, "\n", " ")
		if target.State == fleet.Proposed {
			got[target.Component] += " " + git(t, bare, "rev-parse", target.Branch+"^{tree}")
		}
	}
	var pulls []forge.Pull
	if err := json.Unmarshal([]byte(output(t, gaggle(t, dir, data, "pr", "list", "--state", "all", "--json"))), &pulls); err != nil {
		t.Fatal(err)
	}
	for _, p := range pulls {
		key := "pull requests of " + p.Repository
		got[key] += fmt.Sprintf("%d %s %s;", p.Number, p.State, p.HeadBranch)
	}
	return got
}

// killRuns starts a command again and again and kills it at a moment between its start and twice each, a little more.
func killRuns(t *testing.T, times int, each time.Duration, random *rand.Rand, command func() *exec.Cmd) {
	t.Helper()
	for killed := range times {
		cmd := command()
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case err := <-done: // it came to its end first: that moment counts too
			if err != nil {
				t.Fatalf("after %d kills: %v", killed, err)
			}
			continue
		case <-time.After(time.Duration(random.Int64N(int64(2 * (each + 300*time.Millisecond))))):
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-done
	}
}

// TestKilledAtAnyMomentNothingIsLostOrDoubled kills a run again and again and compares the end with an undisturbed run's.
func TestKilledAtAnyMomentNothingIsLostOrDoubled(t *testing.T) {
	if _, err := exec.LookPath("bwrap"); err != nil {
		t.Fatal("missing part: bubblewrap")
	}
	dir := t.TempDir()
	campaign := filepath.Join(dir, "kill.yaml")
	if err := os.WriteFile(campaign, []byte(killCampaign), 0o644); err != nil {
		t.Fatal(err)
	}
	killFleet(t, dir, killTargets)
	calm := filepath.Join(dir, "calm")
	git(t, dir, "clone", "-q", "--bare", filepath.Join("repos", "r000.git"), filepath.Join(calm, "probe")) // git works here
	if err := os.RemoveAll(calm); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(calm, os.DirFS(filepath.Join(dir, "repos"))); err != nil {
		t.Fatal(err)
	}
	quiet := filepath.Join(dir, "data-calm")
	output(t, gaggle(t, dir, quiet, "fleet", "sync", "--from", calm))
	began := time.Now()
	output(t, gaggle(t, dir, quiet, "run", campaign))
	whole := time.Since(began)
	want := ends(t, dir, quiet, calm)

	rough := filepath.Join(dir, "data-rough")
	output(t, gaggle(t, dir, rough, "fleet", "sync", "--from", filepath.Join(dir, "repos")))
	random := rand.New(rand.NewPCG(2026, 11))
	// The moments spread over the whole life of a run, start-up included; each run starts where the last was killed.
	each := whole * 3 / kills
	killRuns(t, kills, each, random, func() *exec.Cmd { return gaggle(t, dir, rough, "run", campaign) })
	output(t, gaggle(t, dir, rough, "run", campaign))
	got := ends(t, dir, rough, filepath.Join(dir, "repos"))
	for key, end := range want {
		if got[key] != end {
			t.Errorf("%s: %q, undisturbed %q", key, got[key], end)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d ends, undisturbed %d", len(got), len(want))
	}
	noLeftovers(t, rough)
}

// noLeftovers looks for what dead runs could have left: checkouts, sandboxes, mounts.
func noLeftovers(t *testing.T, data string) {
	t.Helper()
	work, err := os.ReadDir(filepath.Join(data, "work"))
	if err != nil || len(work) > 0 {
		t.Errorf("%d checkouts are left, %v", len(work), err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), data) {
		t.Error("a mount is left")
	}
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range procs {
		if line, err := os.ReadFile(p); err == nil && bytes.Contains(line, []byte(data+"/work")) {
			t.Errorf("a process is left: %s", bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
		}
	}
}
