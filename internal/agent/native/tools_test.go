package native

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gaggle/internal/llm"
)

func newDesk(t *testing.T, dir string, files map[string]string) *tools {
	t.Helper()
	work := t.TempDir()
	for name, text := range files {
		p := filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g, err := openGround(work, filepath.Join(work, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return newTools(g, nil)
}

// do runs a call given as name and fields.
func do(t *testing.T, d *tools, name string, fields map[string]any) (string, error) {
	t.Helper()
	in, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := d.call(t.Context(), llm.Call{ID: "1", Name: name, Input: in})
	return text, err
}

func TestNothingOutsideTheTreeIsReached(t *testing.T) {
	d := newDesk(t, "pond", map[string]string{"pond/a.txt": "a", "other/b.txt": "b"})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("host secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"pond/link": secret, "pond/dir": filepath.Dir(secret), "pond/up": "../../../../../../../../etc", "pond/fine": "../other/b.txt"} {
		if err := os.Symlink(target, filepath.Join(d.ground.work, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(d.ground.work, "pond", "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"link", "dir/secret", "up/passwd", "/etc/passwd", "../../etc/passwd", "../../../../../../etc/passwd", secret, "a\x00b", "pipe", d.ground.work + "-next/x"} {
		if text, err := do(t, d, "read", map[string]any{"path": p}); err == nil {
			t.Errorf("read %q: %q", p, text)
		}
		if text, err := do(t, d, "edit", map[string]any{"path": p, "old": "", "new": "planted"}); err == nil {
			t.Errorf("edit %q: %q", p, text)
		}
	}
	for _, p := range []string{"..", "dir", "/", "up"} {
		if text, err := do(t, d, "list", map[string]any{"path": p}); err == nil && strings.Contains(text, "secret") || p != ".." && err == nil {
			t.Errorf("list %q: %q, %v", p, text, err)
		}
	}
	if text, err := do(t, d, "search", map[string]any{"pattern": "host secret|root:", "path": "."}); err != nil || !strings.HasPrefix(text, "no match") {
		t.Errorf("search: %q, %v", text, err)
	}
	if got, err := os.ReadFile(secret); err != nil || string(got) != "host secret" {
		t.Errorf("the secret is now %q, %v", got, err)
	}
	for p, want := range map[string]string{"a.txt": "1\ta", "../other/b.txt": "1\tb", "fine": "1\tb", d.ground.work + "/pond/a.txt": "1\ta"} {
		if text, err := do(t, d, "read", map[string]any{"path": p}); err != nil || text != want {
			t.Errorf("read %q: %q, %v", p, text, err)
		}
	}
	for _, p := range []string{".git/config", "../.git/hooks/pre-commit", "sub/.git/config"} {
		if _, err := do(t, d, "edit", map[string]any{"path": p, "old": "", "new": "planted"}); err == nil {
			t.Errorf("edit %q went through", p)
		}
	}
}

func TestEdits(t *testing.T) {
	d := newDesk(t, ".", map[string]string{"a.txt": "one\ntwo\ntwo\n", "dos.txt": "one\r\ntwo\r\n", "tab.go": "\tx := 1\n", "run.sh": "#!/bin/sh\n"})
	if err := os.Chmod(filepath.Join(d.ground.work, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, old, new string
		all            bool
		fails, leaves  string
	}{
		{"a.txt", "two", "three", false, "stands 2 times", "one\ntwo\ntwo\n"},
		{"a.txt", "two", "three", true, "", "one\nthree\nthree\n"},
		{"a.txt", "four", "five", false, "does not stand in a.txt", "one\nthree\nthree\n"},
		{"a.txt", "one", "one", false, "the same", "one\nthree\nthree\n"},
		{"a.txt", "", "new", false, "exists", "one\nthree\nthree\n"},
		{"dos.txt", "one\ntwo", "1\n2", false, "", "1\r\n2\r\n"},
		{"tab.go", "  x := 1", "y", false, "line 1 is like its beginning", "\tx := 1\n"},
		{"new/deep/file.txt", "", "hello\n", false, "", "hello\n"},
		{"run.sh", "#!/bin/sh", "#!/bin/bash", false, "", "#!/bin/bash\n"},
	} {
		_, err := do(t, d, "edit", map[string]any{"path": c.path, "old": c.old, "new": c.new, "all": c.all})
		if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%+v: %v", c, err)
		}
		if got, err := os.ReadFile(filepath.Join(d.ground.work, c.path)); err != nil || string(got) != c.leaves {
			t.Errorf("%+v left %q, %v", c, got, err)
		}
	}
	if info, err := os.Stat(filepath.Join(d.ground.work, "run.sh")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the mode is now %v, %v", info.Mode(), err)
	}
}

func TestLooksAreBounded(t *testing.T) {
	files := map[string]string{"big.txt": strings.Repeat("match this line\n", 5000), "long.txt": strings.Repeat("match ", 100_000), "bin": "match\x00", "vendor/v.go": "match"}
	for i := range 700 {
		files[fmt.Sprintf("many/%03d.txt", i)] = "match\n"
	}
	d := newDesk(t, ".", files)
	text, err := do(t, d, "search", map[string]any{"pattern": "match"})
	if err != nil || len(text) > 2*maxOutput || !strings.Contains(text, "there is more") || strings.Contains(text, "vendor") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if text, err := do(t, d, "search", map[string]any{"pattern": "match", "files_only": true, "glob": "many/*.txt"}); err != nil || strings.Count(text, "\n") != maxEntries+1 {
		t.Errorf("%d lines, %v", strings.Count(text, "\n"), err)
	}
	if text, err := do(t, d, "search", map[string]any{"pattern": "match", "path": "vendor"}); err != nil || text != "vendor/v.go:1: match\n" {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := do(t, d, "search", map[string]any{"pattern": "match", "path": "many/001.txt"}); err != nil || text != "many/001.txt:1: match\n" {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := do(t, d, "list", map[string]any{"path": "many"}); err != nil || !strings.Contains(text, "200 more entries") {
		t.Errorf("%q, %v", text, err)
	}
	text, err = do(t, d, "read", map[string]any{"path": "big.txt"})
	if err != nil || !strings.HasSuffix(text, "(3001 more lines: read on with offset 2001)") {
		t.Errorf("%q, %v", text[max(0, len(text)-100):], err)
	}
	if text, err := do(t, d, "read", map[string]any{"path": "big.txt", "offset": 5000}); err != nil || text != "5000\tmatch this line\n5001\t" {
		t.Errorf("%q, %v", text, err)
	}
	for _, fields := range []map[string]any{{"path": "bin"}, {"path": "many"}, {"path": "none"}, {"path": "big.txt", "offset": 9999}, {}} {
		if text, err := do(t, d, "read", fields); err == nil {
			t.Errorf("read %v: %q", fields, text)
		}
	}
	if _, err := do(t, d, "search", map[string]any{"pattern": "("}); err == nil || !strings.Contains(err.Error(), "regular expression") {
		t.Errorf("%v", err)
	}
}

func TestCommandsAreBounded(t *testing.T) {
	d := newDesk(t, "pond", map[string]string{"pond/a.txt": "a"})
	if text, err := do(t, d, "run", map[string]any{"command": "pwd; cat a.txt; echo err >&2"}); err != nil || !strings.HasSuffix(strings.SplitN(text, "\n", 2)[0], "/pond") || !strings.HasSuffix(text, "aerr\n") {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := do(t, d, "run", map[string]any{"command": "echo no; exit 3"}); err == nil || err.Error() != "exit status 3\nno\n" {
		t.Errorf("%v", err)
	}
	if text, err := do(t, d, "run", map[string]any{"command": "yes | head -c 5000000"}); err != nil || len(text) > maxOutput+100 || !strings.Contains(text, "bytes left out") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if _, err := do(t, d, "run", map[string]any{"command": "trap '' TERM; sleep 100 & sleep 100", "seconds": 1}); err == nil || !strings.Contains(err.Error(), "stopped after 1s") {
		t.Errorf("%v", err)
	}
	if text, err := do(t, d, "run", map[string]any{"command": "sleep 100 & echo $!"}); err != nil { // it would hold the output open
		t.Errorf("%q, %v", text, err)
	} else if err := os.WriteFile("/proc/"+strings.TrimSpace(text)+"/comm", nil, 0); err == nil {
		t.Error("a command went on in the background")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if text, _, err := d.call(ctx, llm.Call{Name: "run", Input: json.RawMessage(`{"command":"echo ran > ran"}`)}); err == nil {
		t.Errorf("%q", text)
	}
}

func FuzzPlace(f *testing.F) {
	for _, p := range []string{"a", "../x", "/srv/work/../etc", "a/../../..", "", "/", "..", "/srv/workshop"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		g := &ground{work: "/srv/work", dir: "svc/pond"}
		got, err := g.place(p)
		if err == nil && (filepath.IsAbs(got) || !filepath.IsLocal(got)) {
			t.Errorf("%q became %q", p, got)
		}
	})
}
