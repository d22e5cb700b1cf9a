package verify_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/verify"
)

// write lays files out in a new folder.
func write(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func find(t *testing.T, r fleet.Report, name string) fleet.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.Verifier == name {
			return c
		}
	}
	t.Fatalf("no check %q in %+v", name, r)
	return fleet.Check{}
}

var goModule = map[string]string{
	"go.mod":          "module example.org/shop\n\ngo 1.24\n",
	"shop.go":         "package shop\n\nfunc Price(n int) int { return n * 3 }\n",
	"shop_test.go":    "package shop\n\nimport \"testing\"\n\nfunc TestPrice(t *testing.T) {\n\tif got := Price(2); got != 6 {\n\t\tt.Errorf(\"Price(2) = %d, want 6\", got)\n\t}\n}\n",
	"cmd/till/m.go":   "package main\n\nfunc main() {}\n",
	"old/old_test.go": "package old\n\nimport \"testing\"\n\nfunc TestOld(t *testing.T) { t.Fatal(\"broken for years\") }\n",
}

func TestBaseAndChangeOfAGoModule(t *testing.T) {
	dir := write(t, t.TempDir(), goModule)
	vs := verify.Detect(os.DirFS(dir), ".")
	local := verify.Local{Root: dir}
	base, err := verify.Run(t.Context(), local, vs)
	if err != nil {
		t.Fatal(err)
	}
	if c := find(t, base, "go build"); c.Outcome != fleet.Passed || len(c.Lines) != 1 {
		t.Errorf("go build: %+v", c)
	}
	old := find(t, base, "go test")
	if old.Outcome != fleet.CheckFailed || !strings.Contains(strings.Join(old.Lines, "\n"), "old/old_test.go:5: broken for years") {
		t.Errorf("go test on the base: %+v", old)
	}
	if leftovers, _ := filepath.Glob(filepath.Join(dir, "till*")); leftovers != nil {
		t.Errorf("the build left %v in the tree", leftovers)
	}

	write(t, dir, map[string]string{"README.md": "harmless\n", "old/a_test.go": "package old\n"})
	after, err := verify.After(t.Context(), local, vs, base, true)
	if err != nil {
		t.Fatal(err)
	}
	if c := find(t, after, "go test"); c.Outcome != fleet.FailedBefore || !after.OK() {
		t.Errorf("an old failure is blamed: %+v", c)
	}

	write(t, dir, map[string]string{"shop.go": "package shop\n\nfunc Price(n int) int { return n * 4 }\n"})
	after, err = verify.After(t.Context(), local, vs, base, true)
	if err != nil {
		t.Fatal(err)
	}
	c := find(t, after, "go test")
	text := strings.Join(c.Lines, "\n")
	if c.Outcome != fleet.CheckFailed || !strings.Contains(text, "shop_test.go:7: Price(2) = 8, want 6") || strings.Contains(text, "broken for years") {
		t.Errorf("the new failure alone should show:\n%s", text)
	}

	write(t, dir, map[string]string{"shop.go": "package shop\n\nfunc Price(n int) int { return m * 4 }\n"})
	after, err = verify.After(t.Context(), local, vs, base, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go build", "go vet", "go test"} {
		if c := find(t, after, name); c.Outcome != fleet.CheckFailed || !strings.Contains(strings.Join(c.Lines, "\n"), "shop.go:3:32: undefined: m") {
			t.Errorf("%s: %+v", name, c)
		}
	}
	var shown bytes.Buffer
	if err := verify.Text(&shown, after); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(shown.String(), "undefined: m"); n != 1 {
		t.Errorf("the same line is shown %d times:\n%s", n, &shown)
	}
}
