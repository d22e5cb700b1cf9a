package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/forge/forgetest"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/git"
	"gaggle/internal/ops"
)

// watched is standard output that tells of each line.
type watched struct {
	out  bytes.Buffer
	line func(string)
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	for line := range strings.Lines(string(p)) {
		w.line(line)
	}
	return n, err
}

func TestSweepCommand(t *testing.T) {
	t.Parallel()
	store, err := git.Open(git.Config{Dir: filepath.Join(t.TempDir(), "host"), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	host := simulator.NewHost(simulator.Config{Git: store})
	repos := map[string]forgetest.Harness{}
	for _, slug := range []string{"acme/good", "acme/bad"} {
		repos[slug] = forgetest.Repository(t, slug)
		remote, err := git.ParseRemote(repos[slug].Repo.URL)
		if err != nil {
			t.Fatal(err)
		}
		host.Add(simulator.Repo{Slug: slug, Path: remote.Path})
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: c}\nselect: {where: \"true\"}\nchange: {run: 'echo new >> README.md'}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"GITHUB_TOKEN": "token", "GITHUB_URL": simulator.GitHub(t, host, nil), "GAGGLE_DATA": filepath.Join(dir, "data"), "USER": "tester"}
	// CI answers as soon as the sweep says that a change is on its way.
	ci := func(line string) {
		for slug, h := range repos {
			branch := "gaggle-sweep/c/" + strings.ReplaceAll(slug, "/", "-")
			if strings.Contains(line, "tried on CI, on branch "+branch) {
				check := simulator.Check{Commit: h.Tip(t, branch), Name: "build", State: "success"}
				if slug == "acme/bad" {
					check.State, check.Log = "failure", "2026-05-01T12:00:01.0000000Z # acme/bad\n2026-05-01T12:00:01.0000000Z ./main.go:3:5: undefined: oldName\n"
				}
				host.Report(slug, check)
			}
		}
	}
	run := func(args ...string) (code int, stdout, stderr string) {
		var problems bytes.Buffer
		out := &watched{line: ci}
		code = Run(t.Context(), &App{Stdout: out, Stderr: &problems, Stdin: strings.NewReader(""), Env: func(k string) string { return env[k] }}, append([]string{"--dangerously-without-sandbox"}, args...))
		return code, out.out.String(), problems.String()
	}
	if code, _, problems := run("sweep", file); code != ExitInput || !strings.Contains(problems, "the fleet is empty") {
		t.Errorf("an empty fleet: %d %s", code, problems)
	}
	if code, _, problems := run("fleet", "sync", "--from", "github:acme"); code != ExitOK {
		t.Fatal(problems)
	}
	for want, args := range map[string][]string{
		"needs 1 argument":          {"sweep"},
		"takes a campaign file":     {"sweep", "c"},
		"at least one second":       {"sweep", file, "--every", "0"},
		"nowhere.yaml":              {"sweep", filepath.Join(dir, "nowhere.yaml")},
		"not in the fleet":          {"sweep", file, "--only", "acme-god"},
		"take positive numbers":     {"sweep", file, "--limit", "-1"},
		"unknown flag: --dry-run":   {"sweep", file, "--dry-run"},
		"did you mean gaggle sweep": {"sweeb"},
	} {
		if code, _, problems := run(args...); code != ExitInput || !strings.Contains(problems, want) || !strings.Contains(problems, "hint: ") && want != "nowhere.yaml" && want != "at least one second" && want != "take positive numbers" {
			t.Errorf("%v: exit code %d, %s", args, code, problems)
		}
	}
	code, out, problems := run("sweep", file, "--every", "1s", "--timeout", "1m")
	if code != ExitFailed {
		t.Fatalf("exit code %d: %s%s", code, out, problems)
	}
	for _, want := range []string{
		"c: 2 changes tried on CI: 1 passed, 1 failed\n", "\n1 change: ‹path›: undefined: oldName\n  such as acme-bad in build\n", "    main.go:3:5: undefined: oldName\n", "acme-good: CI passed\n", "next: gaggle diff c COMPONENT\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	code, out, _ = run("--json", "sweep", file, "--every", "1s", "--timeout", "1m", "--only", "acme-good")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var last struct {
		Kind     string
		Outcomes map[string]int
		Targets  []struct{ Component, Commit, Outcome string }
		Causes   []any
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || code != ExitOK || last.Kind != "end" || last.Outcomes["passed"] != 1 || len(last.Targets) != 1 || last.Targets[0].Commit == "" || last.Causes == nil {
		t.Errorf("%d: %v\n%s", code, err, out)
	}
	for slug, h := range repos {
		if at := h.Tip(t, "gaggle-sweep/c/"+strings.ReplaceAll(slug, "/", "-")); at != "" {
			t.Errorf("%s has its branch still", slug)
		}
	}
}

func TestSweepIsTold(t *testing.T) {
	var out bytes.Buffer
	s := &ops.SweepOutput{Campaign: "c", Outcomes: map[ops.SweepOutcome]int{ops.SweepFailed: 9, ops.SweepNoChecks: 1, ops.SweepNotPushed: 1}, Unlisted: 2,
		Causes: []ops.SweepCause{{Cause: "it\x1b[2J fails", Targets: 9, Components: []string{"component:default/a", "component:default/b", "component:default/c", "component:default/d", "component:default/e", "component:default/f", "component:default/g"},
			Example: ops.SweepExample{Component: "component:default/a", Check: "build", Lines: []string{"one", "  two"}}}},
		Left: []ops.SweepBranch{{Repository: "acme/z", Branch: "gaggle-sweep/c/z", Message: "somebody pushed to it"}},
	}
	for i := range 11 {
		s.Targets = append(s.Targets, ops.SweptTarget{Component: fmt.Sprint("component:default/", i), Outcome: ops.SweepFailed})
	}
	s.Targets[9].Outcome, s.Targets[10].Outcome = ops.SweepNoChecks, ops.SweepNotPushed
	s.Targets[10].Code, s.Targets[10].Message = fleet.CodeProtected, "branch is protected"
	printSweep(&screen{w: &out}, s, "c.yaml")
	for _, want := range []string{"c: 11 changes tried on CI: 9 failed, 1 checked by nothing, 1 not pushed\n", "9 changes: it�[2J fails\n", "    one\n      two\n", "  also b, c, d, e, f and 3 more\n", "and 2 more causes\n",
		"10         not pushed          branch is protected\n", "let it build gaggle-sweep/**\n", "branch gaggle-sweep/c/z of acme/z is still there: somebody pushed to it\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "gaggle run") {
		t.Error("advice to run what failed")
	}
}
