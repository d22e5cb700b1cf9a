package claude

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

// The streams in testdata were captured from Claude Code 2.1.330 against a scripted endpoint.
func TestCapturedStreams(t *testing.T) {
	for _, c := range []struct {
		file   string
		exit   int
		code   fleet.Code
		in     string
		answer int // of the model
	}{
		{"ok", 0, "", "All done.", 2},
		{"ok", 1, fleet.CodeAgent, "exited with 1", 2},
		{"max-turns", 1, fleet.CodeTurns, "maximum number of turns (3)", 3},
		{"429", 1, fleet.CodeModelBusy, "429", 1},
		{"529", 1, fleet.CodeModelBusy, "529", 1},
		{"401", 1, fleet.CodeModel, "Failed to authenticate", 1},
		{"402", 1, fleet.CodeBudget, "402", 1},
		{"nonsense", 1, fleet.CodeModel, "malformed response", 1},
		{"cut-off", 1, fleet.CodeModel, "Connection lost", 7},
		{"killed", 143, fleet.CodeAgent, "killed by signal 15", 1},
		{"killed", 0, fleet.CodeAgent, "without a result", 1},
	} {
		text, err := os.ReadFile(filepath.Join("testdata", "streams", c.file+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		s := &stream{}
		lines := &agent.Lines{Each: s.line}
		lines.Write(text)
		lines.Flush()
		r := s.conclude(sandbox.Result{ExitCode: c.exit}, "")
		if r.Code != c.code || r.Done != (c.code == "") || !strings.Contains(r.Message+r.Summary, c.in) {
			t.Errorf("%s, exit %d: %+v", c.file, c.exit, r)
		}
		if len(s.messages) != c.answer {
			t.Errorf("%s: %d answers, want %d", c.file, len(s.messages), c.answer)
		}
	}
}

func TestSuccessTakesEverySign(t *testing.T) {
	const asked = `{"type":"assistant","message":{"id":"1"}}`
	for _, c := range []struct {
		result string
		code   fleet.Code
	}{
		{`{"type":"result","subtype":"success","num_turns":1,"terminal_reason":"completed","result":"ok"}`, ""},
		{`{"type":"result","subtype":"success","num_turns":1,"result":"ok"}`, ""},
		{`{"type":"result","subtype":"success","num_turns":0,"result":""}`, fleet.CodeAgent}, // a slash command: no model was asked
		{`{"type":"result","subtype":"success","num_turns":1,"is_error":true,"result":"ok"}`, fleet.CodeAgent},
		{`{"type":"result","subtype":"success","num_turns":1,"terminal_reason":"aborted"}`, fleet.CodeAgent},
		{`{"type":"result","subtype":"error_during_execution","num_turns":1}`, fleet.CodeAgent},
		{`{"type":"result","subtype":"error_max_budget_usd","num_turns":1}`, fleet.CodeBudget},
		{`{"type":"result","subtype":"success","is_error":true,"api_error_status":400,"num_turns":1,"result":"API Error: 400 the target's budget of $0.80 is spent"}`, fleet.CodeBudget},
		{`{"type":"result","subtype":"success","is_error":true,"api_error_status":400,"num_turns":1,"result":"API Error: 400 bad"}`, fleet.CodeModel},
		{`{"type":"result","subtype":"success","num_turns":"one"}`, fleet.CodeAgent},
		{`{"type":"result","subtype":"success","num_turns":1,"result":"I give up: there is no such function"}`, fleet.CodeAgentGaveUp},
		{`not json`, fleet.CodeAgent},
		{``, fleet.CodeAgent},
	} {
		s := &stream{}
		s.line([]byte(asked))
		s.line([]byte(c.result))
		if r := s.conclude(sandbox.Result{}, ""); r.Code != c.code || r.Done != (c.code == "") {
			t.Errorf("%s: %+v", c.result, r)
		}
	}
	s := &stream{}
	s.line([]byte(`{"type":"result","subtype":"success","num_turns":3,"result":"ok"}`))
	if r := s.conclude(sandbox.Result{}, ""); r.Done {
		t.Error("a result without any answer of the model counts as success")
	}
	if r := s.conclude(sandbox.Result{Ended: fleet.CodeMemory, ExitCode: 137}, ""); r.Code != fleet.CodeMemory {
		t.Errorf("%+v", r)
	}
}

func FuzzStream(f *testing.F) {
	files, err := filepath.Glob("testdata/streams/*.jsonl")
	if err != nil || len(files) == 0 {
		f.Fatal("no streams", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, 0)
	}
	f.Fuzz(func(t *testing.T, text []byte, exit int) {
		s := &stream{}
		lines := &agent.Lines{Max: 1 << 16, Each: s.line}
		lines.Write(text)
		lines.Flush()
		r := s.conclude(sandbox.Result{ExitCode: exit}, "")
		if r.Done == (r.Code != "") || len(r.Message) > 1000 || len(r.Summary) > 5000 {
			t.Errorf("%+v", r)
		}
		if r.Done && exit != 0 {
			t.Error("done with a bad exit status")
		}
	})
}

func TestVersionsAreKnownOrRefused(t *testing.T) {
	for version, ok := range map[string]bool{"2.1.197": true, Tested: true, "2.1.9999": true, "2.1.196": false, "2.2.0": false, "1.0.0": false, "3.0.0": false,
		"2.1.330-beta.1": true, "99999999999999999999.1.1": false, "": false, "two": false} {
		if err := inRange(version); (err == nil) != ok {
			t.Errorf("%q: %v", version, err)
		} else if err != nil && fleet.CodeOf(err) != fleet.CodeUnsupported {
			t.Errorf("%q: %v", version, err)
		}
	}
	if v, err := parseVersion("2.1.330 (Claude Code)\n"); err != nil || v != "2.1.330" {
		t.Errorf("%q, %v", v, err)
	}
}

func TestMissingProgramSaysHowToInstall(t *testing.T) {
	a := New(Config{Program: filepath.Join(t.TempDir(), "claude")})
	if _, err := a.Version(t.Context()); fleet.CodeOf(err) != fleet.CodeAgentMissing || !strings.Contains(fleet.HintOf(err), "npm install") {
		t.Errorf("%v", err)
	}
}

func TestVersionIsAskedInAnEmptyHome(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "must-not-be-seen")
	file := filepath.Join(t.TempDir(), "claude")
	script := "#!/bin/sh\n[ -z \"$ANTHROPIC_API_KEY\" ] && [ -z \"$(ls -A $HOME)\" ] && [ \"$1\" = --version ] && echo '2.1.330 (Claude Code)'\n"
	if err := os.WriteFile(file, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	a := New(Config{Program: file})
	if v, err := a.Version(t.Context()); err != nil || !strings.HasPrefix(v, "2.1.330+") {
		t.Errorf("%q, %v", v, err)
	}
}

func TestArgumentsKeepTheRepositoryOut(t *testing.T) {
	argv := arguments("/opt/claude/claude", "0e984725-c51c-4bf4-9960-e1c80e27aba0", false, "", 7, "rules")
	for _, want := range [][]string{{"--setting-sources", "user"}, {"--strict-mcp-config"}, {"--mcp-config", `{"mcpServers":{}}`}, {"--disable-slash-commands"}, {"--max-turns", "7"},
		{"--session-id", "0e984725-c51c-4bf4-9960-e1c80e27aba0"}} {
		at := slices.Index(argv, want[0])
		if at < 0 || !slices.Equal(argv[at:at+len(want)], want) {
			t.Errorf("%v lacks %v", argv, want)
		}
	}
	if argv := arguments("c", "s", true, "m", 1, ""); !slices.Contains(argv, "--resume") || slices.Contains(argv, "--session-id") || !slices.Contains(argv, "--model") {
		t.Errorf("%v", argv)
	}
}
