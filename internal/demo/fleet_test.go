package demo

import (
	"context"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/ops"
)

func archivesOf(t *testing.T) []repository {
	t.Helper()
	all, err := repositories()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The fleet is as large as was promised, and planning the campaign chooses what the table of ends says.
func TestTheFleetIsWhatTheEndsSay(t *testing.T) {
	all := archivesOf(t)
	d := &demo{dir: t.TempDir(), say: newTeller(t.Output(), func(string) string { return "" })}
	if made, err := plant(t.Context(), d.fleet(), all); err != nil || made != len(all) {
		t.Fatalf("made %d of %d, %v", made, len(all), err)
	}
	if made, err := plant(t.Context(), d.fleet(), all); err != nil || made != 0 {
		t.Errorf("made %d again, %v", made, err)
	}
	var err error
	if d.ops, err = ops.Open(t.Context(), ops.Config{Data: d.data()}); err != nil {
		t.Fatal(err)
	}
	defer d.ops.Close()
	if _, err := d.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	components, err := d.ops.Components(t.Context(), ops.ComponentsInput{})
	if err != nil {
		t.Fatal(err)
	}
	repos, owners, mono := map[string]int{}, map[string]bool{}, 0
	for _, c := range components {
		repos[c.Repository]++
		owners[c.Owner] = true
		if c.Path != "." {
			mono++
		}
		if c.Language != "Go" {
			t.Errorf("%s is mostly %q", c.Name, c.Language)
		}
		if c.Name == "dead-letter" && (!c.Inferred || c.Owner != "group:default/payments") {
			t.Errorf("dead-letter: %+v", c)
		}
	}
	if len(components) < 24 || len(repos) < 20 || len(owners) != 5 || mono != 5 || owners[""] {
		t.Errorf("%d components in %d repositories, owners %v, %d in a monorepo", len(components), len(repos), owners, mono)
	}
	plan, err := d.plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !d.mine {
		t.Error("the campaign is not the demo's")
	}
	got := map[string]string{}
	for _, p := range plan.Targets {
		got[short(p.Component)] = "in"
	}
	for _, o := range plan.Out {
		got[short(o.Component)] = o.Reason
	}
	for _, e := range ends {
		want := e.out
		if e.state != "" {
			want = "in"
		}
		if got[e.component] != want {
			t.Errorf("%s: planned %q, want %q", e.component, got[e.component], want)
		}
		delete(got, e.component)
	}
	if len(got) > 0 {
		t.Errorf("not in the table of ends: %v", got)
	}
	if len(plan.Waves) != 3 {
		t.Errorf("waves of %v", plan.Waves)
	}
}

// The fleet's code is real: it is formatted, it compiles, and its tests pass, but for the one that is red on purpose.
func TestTheFleetBuilds(t *testing.T) {
	dir := t.TempDir()
	var use, patterns []string
	goFiles := 0
	for _, r := range archivesOf(t) {
		for name, data := range r.files {
			at := filepath.Join(dir, r.name, filepath.FromSlash(name))
			if path.Base(name) == "go.work" {
				continue // one for all takes its place
			}
			if path.Ext(name) == ".go" {
				goFiles++
				if tidy, err := format.Source(data); err != nil || string(tidy) != string(data) {
					t.Errorf("%s/%s is not formatted: %v", r.name, name, err)
				}
			}
			if path.Base(name) == "go.mod" {
				module := "./" + path.Join(r.name, path.Dir(name))
				use, patterns = append(use, module), append(patterns, module+"/...")
			}
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if goFiles < 50 {
		t.Errorf("%d Go files are a small fleet", goFiles)
	}
	slices.Sort(use)
	if err := os.WriteFile(filepath.Join(dir, "go.work"), []byte("go 1.21\n\nuse (\n"+strings.Join(use, "\n")+"\n)\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"test", "-vet=all"}, patterns...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=", "GOFLAGS=", "GOPROXY=off", "GOTOOLCHAIN=local")
	text, err := cmd.CombinedOutput()
	out := string(text)
	failed := regexp.MustCompile(`(?m)^\s*--- FAIL: (\w+)`).FindAllStringSubmatch(out, -1)
	if err == nil || len(failed) != 1 || failed[0][1] != "TestTheTableIsCurrent" || strings.Contains(out, "build failed") {
		t.Errorf("go test: %v\n%s", err, out)
	}
}

// The warm-up compiles what the fleet imports, and nothing expensive has crept in.
func TestTheFleetImportsLittle(t *testing.T) {
	got := standardImports(archivesOf(t))
	if !slices.Contains(got, "testing") || !slices.Contains(got, "io/ioutil") || len(got) > 30 {
		t.Errorf("%v", got)
	}
	for _, p := range got {
		if strings.HasPrefix(p, "net") || strings.Contains(p, "template") || strings.HasPrefix(p, "crypto/tls") {
			t.Errorf("%s makes every build slow", p)
		}
	}
}

func TestStoppingStopsThePlanting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := plant(ctx, dir, archivesOf(t)); err == nil {
		t.Error("planted all the same")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestDifferencesAreNamed(t *testing.T) {
	var r result
	for _, e := range ends {
		if e.state == "" {
			r.out = append(r.out, ops.LeftOut{Component: "component:default/" + e.component, Reason: e.out, Why: "because"})
			continue
		}
		r.targets = append(r.targets, ops.TargetDetail{Target: fleet.Target{Component: "component:default/" + e.component, State: e.state},
			AttemptList: []fleet.Attempt{{Rounds: make([]fleet.Round, e.rounds)}}})
	}
	if diffs := differences(r); len(diffs) > 0 {
		t.Errorf("%q", diffs)
	}
	r.targets[0].State = fleet.Merged
	if diffs := differences(r); len(diffs) > 0 {
		t.Errorf("a merge is no difference: %q", diffs)
	}
	r.targets[0].State = fleet.Failed
	r.targets[1].AttemptList[0].Rounds = nil
	r.out = r.out[1:]
	r.targets = append(r.targets, ops.TargetDetail{Target: fleet.Target{Component: "component:default/stranger"}})
	want := []string{ends[0].component + ": failed in 2 rounds, should be: proposed in 2 rounds", ends[1].component + ": proposed in 0 rounds, should be: proposed in 2 rounds",
		"card-vault: not in the fleet, should be: left out (opted_out)", "stranger: nobody knows it"}
	if diffs := differences(r); !slices.Equal(diffs, want) {
		t.Errorf("got  %q\nwant %q", diffs, want)
	}
}

func TestTheTableTellsStories(t *testing.T) {
	round := func(r fleet.Round) fleet.Round { r.Number = 1; return r }
	target := func(name string, state fleet.State, list ...fleet.Round) ops.TargetDetail {
		return ops.TargetDetail{Target: fleet.Target{Component: "component:default/" + name, State: state, Message: "msg", Reason: "verify_failed"}, AttemptList: []fleet.Attempt{{}, {Rounds: list}}}
	}
	red := fleet.Report{Checks: []fleet.Check{{Verifier: "go vet", Outcome: fleet.Passed}, {Verifier: "go test", Outcome: fleet.CheckFailed, Lines: []string{"a.go:1: bad"}}}}
	old := fleet.Report{Checks: []fleet.Check{{Verifier: "go test", Outcome: fleet.FailedBefore, Failures: []fleet.Failure{{Key: "test x TestOld"}}}}}
	r := result{
		components: map[string]fleet.Component{"component:default/dead-letter": {Inferred: true, Owner: "group:default/payments"}},
		own:        map[string]string{"component:default/depot-scanner": "x.go:1: y"},
		targets: []ops.TargetDetail{
			target("plain", fleet.Proposed, fleet.Round{}),
			target("refund-ledger", fleet.Proposed, round(fleet.Round{Findings: []fleet.Finding{{Rule: "test-skipped", File: "a_test.go", Line: 3, Message: "is skipped"}}}), fleet.Round{Number: 2}),
			target("carrier-quotes", fleet.Failed, round(fleet.Round{Report: &red})),
			target("depot-scanner", fleet.Proposed, fleet.Round{}),
			target("tide-tables", fleet.Proposed, fleet.Round{Report: &old}),
			target("dead-letter", fleet.Proposed, fleet.Round{}),
			target("gift-notes", fleet.Unchanged, fleet.Round{}),
			target("other", fleet.Failed, round(fleet.Round{Verdict: &fleet.Verdict{Reasons: []string{"no"}}})),
		},
		out: []ops.LeftOut{{Component: "component:default/x", Why: "y"}, {Component: "component:default/card-vault", Why: "audit"}},
	}
	var got []string
	for _, row := range table(r) {
		got = append(got, fmt.Sprintf("%s|%s|%s", row.name, row.end, strings.Join(row.why, "; ")))
	}
	want := []string{
		"carrier-quotes|failed|round 1 went back: go test: a.go:1: bad; verify_failed: msg",
		"refund-ledger|proposed|round 1 went back: guard test-skipped: a_test.go:3: is skipped; round 2: mended, every check passes, the judge agrees",
		"depot-scanner|proposed|the agent ran the checks before it was done: x.go:1: y; it mended that",
		"tide-tables|proposed|go test (TestOld) was red before the change: not blamed, not touched",
		"dead-letter|proposed|no catalog-info.yaml describes it; its owner, payments, is from CODEOWNERS",
		"gift-notes|unchanged|msg",
		"other|failed|round 1 went back: judge: no; verify_failed: msg",
		"1 other|proposed|changed, built, tested and judged in one round",
		"card-vault|left out|audit",
		"1 other|left out|gaggle plan --out says why",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func TestOwnChecksAreReadInALog(t *testing.T) {
	log := `{"type":"turn"}
not JSON
{"tool":"verify","text":"  passed: all"}
{"tool":"verify","failed":true,"text":"{} -> the verifiers failed\ngo build: FAILED\n  a.go:1:2: undefined: os\n  more\n"}
`
	if got := ownCheck([]byte(log)); got != "a.go:1:2: undefined: os" {
		t.Errorf("%q", got)
	}
	if got := ownCheck([]byte("\xff\n{\"tool\":5}")); got != "" {
		t.Errorf("%q", got)
	}
}
