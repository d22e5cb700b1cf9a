//go:build full && linux

package sandbox_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

func TestProbe(t *testing.T) {
	for _, c := range sandbox.Probe(t.Context()) {
		t.Logf("%+v", c)
		if !c.OK || c.Name == "" || c.Detail == "" {
			t.Errorf("%+v", c)
		}
	}
}

// TestFailsClosed offers programs that are not a working bubblewrap.
func TestFailsClosed(t *testing.T) {
	dir := scratch(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, c := range map[string]struct{ program, hint string }{
		"not there": {filepath.Join(dir, "nothing"), "bubblewrap"},
		"silent":    {program("silent", "exit 1"), "--version"},
		"nonsense":  {program("nonsense", "echo bubblewrap of tomorrow"), "--version"},
		"old":       {program("old", "echo bubblewrap 0.3.3"), "0.4"},
		"forbidden": {program("forbidden", `test "$1" = --version && { echo bubblewrap 0.8.0; exit; }; cat <&3 >/dev/null; echo 'bwrap: No permissions to creating new namespace' >&2; exit 1`), ""},
		// It runs the command, and isolates nothing.
		"lying": {program("lying", `test "$1" = --version && { echo bubblewrap 0.8.0; exit; }; cat <&3 >/dev/null; shift 3; "$@"`), ""},
	} {
		sb, err := sandbox.New(t.Context(), sandbox.Config{Program: c.program})
		if fleet.CodeOf(err) != fleet.CodeNotReady || sb != nil || !strings.Contains(fleet.HintOf(err), c.hint) || fleet.HintOf(err) == "" {
			t.Errorf("%s: %v, hint %q", name, err, fleet.HintOf(err))
		}
	}
	if _, err := sandbox.New(t.Context(), sandbox.Config{Kind: "gvisor"}); fleet.CodeOf(err) != fleet.CodeInvalid {
		t.Error(err)
	}
	if _, err := sandbox.New(t.Context(), sandbox.Config{ReadOnly: []string{"relative"}}); fleet.CodeOf(err) != fleet.CodeInvalid {
		t.Error(err)
	}
	if _, err := sandbox.New(t.Context(), sandbox.Config{Dir: filepath.Join(dir, "nowhere")}); fleet.CodeOf(err) != fleet.CodeNotReady {
		t.Error(err)
	}
	var e *fleet.Error
	if _, err := sandbox.New(t.Context(), sandbox.Config{Program: "bwrap-of-nobody"}); !errors.As(err, &e) {
		t.Error(err)
	}
}
