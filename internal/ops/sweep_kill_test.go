package ops_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gaggle/internal/forge/simulator"
	"gaggle/internal/ops"
)

// A sweep that is killed leaves branches, and the next one, of whatever campaign, deletes them.
func TestSweepKilled(t *testing.T) {
	if data := os.Getenv("GAGGLE_TEST_SWEEP"); data != "" {
		sweepUntilKilled(t, data)
		return
	}
	t.Parallel()
	a := newAviary(t, "gitea", 3, simulator.Faults{})
	file := a.file("")
	cmd := exec.Command(os.Args[0], "-test.run=^TestSweepKilled$")
	cmd.Env = append(os.Environ(), "GAGGLE_TEST_SWEEP="+a.data, "GAGGLE_TEST_FILE="+file, "GITEA_TOKEN=token", "GITEA_URL="+a.env["GITEA_URL"])
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	pushed := false
	for !pushed && lines.Scan() {
		pushed = lines.Text() == "pushed"
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	left := map[string]string{}
	for _, slug := range a.slugs {
		left[slug] = a.swept(slug)
	}
	if !pushed || len(left) != 3 || left[a.slugs[0]] == "" {
		t.Fatalf("pushed %v, left %v", pushed, left)
	}
	// Somebody has found one of them of use meanwhile.
	theirs := a.repos[a.slugs[1]].Push(t, branchOf(a.slugs[1]), map[string]string{"mine.txt": "mine\n"})
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "name: c}", "name: d}", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	swept, err := a.sweep(t.Context(), ops.SweepInput{File: file, Only: []string{"acme-r02"}})
	if err != nil || outcomes(swept) != "no_checks" || len(swept.Left) != 1 || swept.Left[0].Campaign != "c" || swept.Left[0].Repository != a.slugs[1] {
		t.Errorf("%+v, %v", swept, err)
	}
	a.tidy(a.slugs[1])
	if a.swept(a.slugs[1]) != theirs {
		t.Error("a person's commit is gone")
	}
	// It is told once.
	if swept, err = a.sweep(t.Context(), ops.SweepInput{File: file, Only: []string{"acme-r02"}}); err != nil || len(swept.Left) != 0 {
		t.Errorf("%+v, %v", swept, err)
	}
}

// sweepUntilKilled is the process that is killed.
func sweepUntilKilled(t *testing.T, data string) {
	forges, err := ops.ReadForges(os.Getenv, data)
	if err != nil {
		t.Fatal(err)
	}
	o, err := ops.Open(t.Context(), ops.Config{Data: data, Forges: forges, Actor: "test", Sandbox: "none"})
	if err != nil {
		t.Fatal(err)
	}
	o.SetPause(func(context.Context, time.Duration) error {
		fmt.Println("pushed")
		select {}
	})
	_, err = o.Sweep(t.Context(), ops.SweepInput{File: os.Getenv("GAGGLE_TEST_FILE")}, nil)
	t.Fatalf("the sweep ended: %v", err)
}
