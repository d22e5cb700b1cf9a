//go:build full

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/forge"
)

// demoCommand starts the demo without any model key.
func demoCommand(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "demo", "--dir", dir)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{asProgram + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "USER=tester"}
	return cmd
}

// TestTheDemoIsStoppedAndEndsAsDesigned stops the demo in the middle of its run, goes on, and looks at what came out.
func TestTheDemoIsStoppedAndEndsAsDesigned(t *testing.T) {
	if _, err := exec.LookPath("bwrap"); err != nil {
		t.Fatal("missing part: bubblewrap")
	}
	dir := filepath.Join(t.TempDir(), "demo")
	first := demoCommand(t, dir)
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint bytes.Buffer
	first.Stderr = &complaint
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		t.Log(lines.Text())
		if strings.Contains(lines.Text(), "wave 2 of 3 opens") {
			break
		}
	}
	if err := first.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := first.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("stopped with %v\n%s", err, &complaint)
	}
	if want := "demo --dir " + dir; !strings.Contains(complaint.String(), want) {
		t.Errorf("does not say how to go on (%s):\n%s", want, &complaint)
	}

	second := output(t, demoCommand(t, dir)) // exit status 0: every component ended as designed
	t.Log(second)
	if !strings.Contains(second, "(0 made now)") || strings.Contains(second, "not how the demo is meant to end") {
		t.Error("it did not go on, or did not end as designed")
	}

	data := filepath.Join(dir, "data")
	var pulls []forge.Pull
	if err := json.Unmarshal([]byte(output(t, gaggle(t, dir, data, "pr", "list", "--state", "all", "--json"))), &pulls); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range pulls {
		if key := p.Repository + " " + p.HeadBranch; seen[key] || p.State != forge.StateOpen {
			t.Errorf("%s: %s, seen before: %v", key, p.State, seen[key])
		} else {
			seen[key] = true
		}
		bare := filepath.Join(dir, "fleet", p.Repository+".git")
		changed := git(t, dir, "--git-dir", bare, "diff", "--name-only", "main..."+p.HeadBranch)
		if strings.Contains(changed, "zz_") || !strings.HasSuffix(changed, ".go") {
			t.Errorf("%s changes %q", p.Repository, changed)
		}
		for name := range strings.Lines(changed) {
			if text := git(t, dir, "--git-dir", bare, "show", p.HeadBranch+":"+strings.TrimSpace(name)); strings.Contains(text, "ioutil.") && p.Repository != "depot-scanner" || strings.Contains(text, "t.Skip") {
				t.Errorf("%s: %s is left\n%s", p.Repository, name, text)
			}
		}
	}
	if len(pulls) != 18 {
		t.Errorf("%d pull requests", len(pulls))
	}
	if shown := output(t, gaggle(t, dir, data, "show", "ioutil-to-io", "refund-ledger")); !strings.Contains(shown, "guard test-skipped") || !strings.Contains(shown, "round 2") {
		t.Errorf("refund-ledger: %s", shown)
	}
	noLeftovers(t, data)
}
