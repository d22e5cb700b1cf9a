package script_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/agent"
	"gaggle/internal/agent/agenttest"
	"gaggle/internal/agent/script"
	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

func harness(t *testing.T, kind string) agenttest.Harness {
	t.Helper()
	box, err := sandbox.New(t.Context(), sandbox.Config{Kind: kind, Dir: t.TempDir()})
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	return agenttest.Harness{Agent: script.Agent{}, Sandbox: box,
		Replace: func(from, to string) agent.Task {
			return sh("grep -rlF -e '" + from + "' . | while read -r f; do sed -i.bak 's/" + from + "/" + to + "/g' \"$f\"; rm \"$f.bak\"; done\n")
		},
		Impossible: sh("echo some output\necho this is why >&2\nexit 3\n"),
		Hangs:      sh("while :; do sleep 1000; done\n"),
	}
}

func sh(text string) agent.Task { return agent.Task{Script: agent.Script{Content: []byte(text)}} }

func TestConformanceWithoutSandbox(t *testing.T) { agenttest.Exercise(t, harness(t, sandbox.None)) }

func TestScriptKnowsItsTarget(t *testing.T) {
	h := harness(t, sandbox.None)
	try := h.NewTry(t, map[string]string{"pond/x": ""}, "")
	task := agenttest.Task(sh(`#!/bin/sh -e
echo "$GAGGLE_CAMPAIGN $GAGGLE_COMPONENT $GAGGLE_NAME $GAGGLE_OWNER $GAGGLE_PATH $GAGGLE_ROUND $FROM_CAMPAIGN ${ANTHROPIC_API_KEY-none}" > env
cat "$GAGGLE_COMPONENT_FILE" > component
cat "$GAGGLE_FEEDBACK_FILE" > feedback
echo all done
`))
	task.Component.Owner, task.Component.Path, task.Dir = "group:default/ducks", "pond", sandbox.WorkDir+"/pond"
	task.Env, task.Feedback, task.Round = map[string]string{"FROM_CAMPAIGN": "plain"}, "do it again", 2
	t.Setenv("ANTHROPIC_API_KEY", "must-not-be-seen")
	r := try.Run(t, task)
	if !r.Done || r.Summary != "all done" {
		t.Fatalf("%+v\n%s", r, try.Log)
	}
	if got := try.Read(t, "pond/env"); got != "conformance component:default/pond pond group:default/ducks pond 2 plain none\n" {
		t.Errorf("environment: %q", got)
	}
	if got := try.Read(t, "pond/component"); !strings.Contains(got, `"owner": "group:default/ducks"`) || !strings.Contains(got, `"feedback": "do it again"`) {
		t.Errorf("component file: %s", got)
	}
	if got := try.Read(t, "pond/feedback"); got != "do it again" {
		t.Errorf("feedback file: %q", got)
	}
	if left, err := filepath.Glob(filepath.Join(try.Box.Scratch, "*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFailuresSayWhy(t *testing.T) {
	h := harness(t, sandbox.None)
	for _, c := range []struct {
		script string
		code   fleet.Code
		in     string
	}{
		{"echo first >&2; echo 'the \x1b[31mreason\x1b[0m' >&2; exit 7", fleet.CodeAgent, "exited with 7: the [31mreason"},
		{"exit 1", fleet.CodeAgent, "printed nothing"},
		{"#!/no/such/interpreter\n", fleet.CodeAgent, "exited with 127"},
		{"kill -9 $$", fleet.CodeAgent, "exited with 137"},
	} {
		try := h.NewTry(t, nil, "")
		if r := try.Run(t, agenttest.Task(sh(c.script))); r.Code != c.code || !strings.Contains(r.Message, c.in) {
			t.Errorf("%q: %+v", c.script, r)
		}
	}
	try := h.NewTry(t, nil, "")
	if _, err := h.Agent.Run(t.Context(), try.Box, agenttest.Task(agent.Task{})); fleet.CodeOf(err) != fleet.CodeInvalid {
		t.Errorf("no script: %v", err)
	}
}
