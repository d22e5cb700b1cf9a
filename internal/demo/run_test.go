package demo

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/store"
)

func silent(string) string { return "" }

func TestAFolderWithAnythingElseInItIsLeftAlone(t *testing.T) {
	parent := t.TempDir()
	fresh := filepath.Join(parent, "a", "b")
	for range 2 { // a new one, then an earlier demo's
		if got, err := place(fresh); err != nil || got != fresh {
			t.Fatalf("%s, %v", got, err)
		}
	}
	full := filepath.Join(parent, "full")
	if err := os.MkdirAll(filepath.Join(full, "thesis"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := place(full); fleet.CodeOf(err) != fleet.CodeInvalid || fleet.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(full); err != nil || len(left) != 1 {
		t.Errorf("touched: %v, %v", left, err)
	}
	file := filepath.Join(parent, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := place(file); fleet.CodeOf(err) != fleet.CodeInvalid {
		t.Errorf("%v", err)
	}
	t.Setenv("TMPDIR", parent)
	temporary, err := place("")
	if err != nil || filepath.Dir(temporary) != parent {
		t.Errorf("%s, %v", temporary, err)
	}
}

func TestStartedAs(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "gaggle")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	for arg0, want := range map[string]string{
		"gaggle": "gaggle", program: "gaggle", "/elsewhere/gaggle": "/elsewhere/gaggle", "./gaggle": "./gaggle",
		"/tmp/go-build12/b001/exe/gaggle": "go run ./cmd/gaggle", "/home/a/.cache/go-build/3f/3f0a-d/gaggle": "go run ./cmd/gaggle",
	} {
		if got := strings.Join(StartedAs(arg0), " "); got != want {
			t.Errorf("%s: %s, want %s", arg0, got, want)
		}
	}
}

// fakeMachine says what was done to it.
type fakeMachine struct {
	machine
	has  map[string]bool
	done []string
}

func newFakeMachine(root bool, install string, has ...string) *fakeMachine {
	f := &fakeMachine{has: map[string]bool{}}
	for _, p := range has {
		f.has[p] = true
	}
	f.machine = machine{root: root, install: strings.Fields(install),
		find: func(p string) error {
			if !f.has[p] {
				return os.ErrNotExist
			}
			return nil
		},
		run: func(_ context.Context, argv ...string) error {
			f.done = append(f.done, strings.Join(argv, " "))
			f.has["bwrap"] = true
			return nil
		},
		try: func(context.Context) error {
			f.done = append(f.done, "try")
			if !f.has["bwrap"] {
				return &fleet.Error{Code: fleet.CodeNotReady, Message: "no sandbox"}
			}
			return nil
		},
	}
	return f
}

func TestTheSandboxIsInstalledWhereThatIsAllowed(t *testing.T) {
	var out bytes.Buffer
	say := newTeller(&out, silent)
	const apt = "apt-get install -y bubblewrap"

	there := newFakeMachine(false, apt, "go", "bwrap")
	if err := there.prepare(t.Context(), say); err != nil || !slices.Equal(there.done, []string{"try"}) {
		t.Errorf("there: %v, %v", there.done, err)
	}
	root := newFakeMachine(true, apt, "go")
	if err := root.prepare(t.Context(), say); err != nil || !slices.Equal(root.done, []string{apt, "try"}) {
		t.Errorf("root: %v, %v", root.done, err)
	}
	if !strings.Contains(out.String(), "is missing and is installed now") || !strings.Contains(out.String(), "$ "+apt) {
		t.Errorf("not said: %s", &out)
	}
	user := newFakeMachine(false, apt, "go")
	err := user.prepare(t.Context(), say)
	if fleet.CodeOf(err) != fleet.CodeNotReady || !strings.Contains(fleet.HintOf(err), "sudo "+apt) || len(user.done) > 0 {
		t.Errorf("user: %v, %v", user.done, err)
	}
	nobody := newFakeMachine(true, "", "go")
	if err := nobody.prepare(t.Context(), say); fleet.CodeOf(err) != fleet.CodeNotReady {
		t.Errorf("no package manager: %v", err)
	}
	without := newFakeMachine(true, apt, "bwrap")
	if err := without.prepare(t.Context(), say); fleet.CodeOf(err) != fleet.CodeNotReady || len(without.done) > 0 {
		t.Errorf("without Go: %v, %v", without.done, err)
	}
}

func TestInstallingFetchesTheListOfPackagesOnce(t *testing.T) {
	say := newTeller(&bytes.Buffer{}, silent)
	fresh := newFakeMachine(true, "apt-get install -y bubblewrap", "go")
	tries := 0
	good := fresh.run
	fresh.run = func(ctx context.Context, argv ...string) error {
		if tries++; tries == 1 {
			fresh.done = append(fresh.done, "no such package")
			return errors.New("exit status 100")
		}
		return good(ctx, argv...)
	}
	if err := fresh.prepare(t.Context(), say); err != nil || !slices.Equal(fresh.done, []string{"no such package", "apt-get update", "apt-get install -y bubblewrap", "try"}) {
		t.Errorf("%v, %v", fresh.done, err)
	}
	broken := newFakeMachine(true, "apk add bubblewrap", "go")
	broken.run = func(context.Context, ...string) error { return errors.New("exit status 1") }
	if err := broken.prepare(t.Context(), say); fleet.CodeOf(err) != fleet.CodeNotReady || !strings.Contains(fleet.HintOf(err), "apk add bubblewrap") || len(broken.done) > 0 {
		t.Errorf("%v, %v", broken.done, err)
	}
	lying := newFakeMachine(true, "apk add bubblewrap", "go")
	lying.run = func(context.Context, ...string) error { return nil }
	if err := lying.prepare(t.Context(), say); fleet.CodeOf(err) != fleet.CodeNotReady {
		t.Errorf("%v", err)
	}
}

func TestWithoutAKeyTheRulesAreServedAndItIsSaid(t *testing.T) {
	var out bytes.Buffer
	models, real, stop, err := chooseModels(t.Context(), silent, newTeller(&out, silent))
	if err != nil {
		t.Fatal(err)
	}
	url := models.Anthropic.URL
	if real || !strings.HasPrefix(url, "http://127.0.0.1:") || models.Model != ruleAgent || models.Judge != ruleJudge || !models.Anthropic.Free {
		t.Errorf("%+v", models)
	}
	for _, want := range []string{"ANTHROPIC_API_KEY", "OPENAI_API_KEY", "NO real model", url} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not said: %s", want)
		}
	}
	res, err := http.Get(url + "/v1/models")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", res, err)
	}
	res.Body.Close()
	stop()
	if res, err := http.Get(url + "/v1/models"); err == nil {
		res.Body.Close()
		t.Error("it still answers")
	}
}

func TestWithAKeyTheRealModelIsAsked(t *testing.T) {
	var out bytes.Buffer
	env := func(name string) string { return map[string]string{"OPENAI_API_KEY": "sk-very-secret"}[name] }
	models, real, stop, err := chooseModels(t.Context(), env, newTeller(&out, silent))
	if err != nil || !real || models.OpenAI.Key != "sk-very-secret" {
		t.Fatalf("%v, %v", real, err)
	}
	stop()
	if strings.Contains(out.String(), "secret") || !strings.Contains(out.String(), models.Model) || !strings.Contains(out.String(), "real money") {
		t.Errorf("said: %s", &out)
	}
}

func TestEventsAreShownPlainly(t *testing.T) {
	var out bytes.Buffer
	say := newTeller(&out, silent)
	for _, e := range []store.Event{
		{Kind: "campaign", Message: "wave 1 of 3 opens"},
		{Component: "component:default/a", Kind: "moved", To: fleet.Queued},
		{Component: "component:default/a", Kind: "moved", To: fleet.Changing},
		{Component: "component:default/a", Kind: "round", Message: "round 1: 3 passed, 1 failed before, judge: pass"},
		{Component: "component:default/a", Kind: "moved", To: fleet.Proposed, Message: "local://a/pull/1"},
		{Component: "component:default/b", Kind: "moved", To: fleet.Unchanged, Message: "nothing\x1b[2J to\u009b do"},
		{Component: "component:default/c", Kind: "moved", To: fleet.Failed, Reason: fleet.CodeVeto, Message: "no"},
	} {
		say.event(e)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		_, text, _ := strings.Cut(strings.TrimSpace(line), "s  ")
		got = append(got, strings.TrimSpace(text))
	}
	want := []string{"wave 1 of 3 opens", "a                round 1: 3 passed, 1 failed before, judge: pass", "a                proposed",
		"b                unchanged: nothing\uFFFD[2J to\uFFFD do", "c                failed: judge_veto: no"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\n%q", got, want)
	}
}

func TestRoundsThatWentBackStandOut(t *testing.T) {
	for line, want := range map[string]bool{
		"round 1: 4 passed, judge: pass": false, "round 1: 3 passed, 1 failed before, judge: pass": false, "round 1: nothing to verify": false,
		"round 1: 1 passed, 3 failed": true, "round 1: 4 passed, 3 guard findings": true, "round 2: 4 passed, judge: veto": true, "round 2: 1 timed out, $0.02": true,
	} {
		if wentBack(line) != want {
			t.Errorf("%q: %v", line, !want)
		}
	}
}

func TestColoursAreForTerminals(t *testing.T) {
	var out bytes.Buffer
	newTeller(&out, silent).step("plain")
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("%q", &out)
	}
	out.Reset()
	forced := newTeller(&out, func(name string) string { return map[string]string{"CLICOLOR_FORCE": "1"}[name] })
	forced.began = time.Now()
	forced.step("x")
	if out.String() != "\x1b[2m  0.0s\x1b[0m  x\n" {
		t.Errorf("%q", &out)
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"one two", []string{"one two"}},
		{"one two three four five", []string{"one two", "  three fo…"}},
		{"a-word-that-is-too-long", []string{"a-word-tha…"}},
	} {
		if got := wrap(c.text, 11, 2); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q", c.text, got)
		}
	}
}
