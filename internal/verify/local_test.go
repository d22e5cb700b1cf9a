package verify_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/verify"
)

func sh(t *testing.T, local verify.Local, script string, change ...func(*verify.Command)) verify.Output {
	t.Helper()
	c := verify.Command{Argv: []string{"sh", "-c", script}}
	for _, f := range change {
		f(&c)
	}
	out, err := local.Exec(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLocal(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"a/b/x": "", "bin/tool": "#!/bin/sh\necho from the tree\n"})
	if err := os.Chmod(filepath.Join(dir, "bin/tool"), 0o755); err != nil {
		t.Fatal(err)
	}
	local := verify.Local{Root: dir, Env: []string{"PATH=" + os.Getenv("PATH"), "SECRET=kept out by nobody but the caller"}}
	if out := sh(t, local, "pwd; echo $CI $OWN; echo two >&2; exit 7", func(c *verify.Command) { c.Dir, c.Env = "a/b", map[string]string{"OWN": "mine"} }); out.Exit != 7 || string(out.Text) != filepath.Join(out.Root, "a/b")+"\ntrue mine\ntwo\n" {
		t.Errorf("%+v %q", out, out.Text)
	}
	if out := sh(t, local, "tool", func(c *verify.Command) { c.Path = []string{"bin"} }); string(out.Text) != "from the tree\n" {
		t.Errorf("%q", out.Text)
	}
	if out := sh(t, local, "kill -SEGV $$"); out.Exit != 139 {
		t.Errorf("exit %d", out.Exit)
	}
	if out, err := local.Exec(t.Context(), verify.Command{Argv: []string{"no-such-program"}}); err != nil || !out.Missing || out.Exit != 127 {
		t.Errorf("%+v, %v", out, err)
	}
	if out, err := local.Exec(t.Context(), verify.Command{Argv: []string{"true"}, Dir: "gone"}); err != nil || out.Exit != 1 || !strings.Contains(string(out.Text), "gone") {
		t.Errorf("%+v, %v", out, err)
	}
	for _, bad := range []verify.Command{{}, {Argv: []string{"true"}, Dir: "../x"}, {Argv: []string{"true"}, Dir: "/etc"}} {
		if _, err := local.Exec(t.Context(), bad); fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestLocalEndsTheWholeGroup starts children that ignore being asked and hold the output open.
func TestLocalEndsTheWholeGroup(t *testing.T) {
	local := verify.Local{Root: t.TempDir()}
	out := sh(t, local, "trap '' TERM; (trap '' TERM; sleep 300) & echo $!; wait", func(c *verify.Command) { c.Timeout = 300 * time.Millisecond })
	if out.Ended != fleet.CodeTimeout {
		t.Errorf("%+v", out)
	}
	gone(t, strings.TrimSpace(string(out.Text)))
	out = sh(t, local, "sleep 300 & echo $!") // left behind in the background
	if out.Exit != 0 || out.Ended != "" {
		t.Errorf("%+v", out)
	}
	gone(t, strings.TrimSpace(string(out.Text)))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := local.Exec(ctx, verify.Command{Argv: []string{"true"}}); fleet.CodeOf(err) != fleet.CodeInterrupted {
		t.Errorf("%v", err)
	}
}

// gone waits until a process is no more: it is killed, but init has to notice.
func gone(t *testing.T, pid string) {
	t.Helper()
	for range 10_000 {
		state, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(state), ") Z ") {
			return
		}
	}
	t.Errorf("process %s is still there", pid)
}

func TestLocalBoundsWhatItKeeps(t *testing.T) {
	out := sh(t, verify.Local{Root: t.TempDir()}, "echo first; head -c 20000000 /dev/zero | tr '\\0' 'x'; echo; echo last")
	if len(out.Text) > 8<<20 || out.Cut < 10_000_000 || !strings.HasPrefix(string(out.Text), "first\n") || !strings.HasSuffix(string(out.Text), "\nlast\n") {
		t.Errorf("%d bytes kept, %d cut", len(out.Text), out.Cut)
	}
}
