//go:build full && linux

package verify_test

import (
	"os/exec"
	"path"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
	"gaggle/internal/verify"

	"os"
)

// TestRealToolchainsInTheSandbox verifies a sound project of each language, breaks it, and reads what its own tools say, all in
// bubblewrap without network.
func TestRealToolchainsInTheSandbox(t *testing.T) {
	box, err := sandbox.New(t.Context(), sandbox.Config{})
	if err != nil {
		t.Fatalf("bubblewrap: %v", err)
	}
	caches := sandbox.Caches{Dir: t.TempDir()}
	for _, c := range []struct {
		name, needs string
		files       map[string]string
		broken      map[string]string // written over files
		fails       string            // verifier
		shows       []string
		still       string // verifier that passes all the same; "" for none
	}{
		{"go", "go", goModule, map[string]string{"shop.go": "package shop\n\nfunc Price(n int) int { return n * 4 }\n"},
			"go test", []string{"shop_test.go:7: Price(2) = 8, want 6"}, "go build"},
		{"node", "npm", map[string]string{
			"package.json": `{"name": "shop", "version": "1.0.0", "scripts": {"test": "node --test", "lint": "node lint.js"}}`,
			"price.js":     "exports.price = n => n * 3\n", "lint.js": "require('./price')\n",
			"price.test.js": "const {test} = require('node:test'), assert = require('assert'), {price} = require('./price')\ntest('triples', () => assert.strictEqual(price(2), 6))\n",
		}, map[string]string{"price.js": "exports.price = n => n * 4\n"}, "npm test", []string{"price.test.js", "triples", "8 !== 6"}, "npm lint"},
		{"python", "python3", map[string]string{
			"setup.cfg": "[metadata]\nname = shop\n", "shop/__init__.py": "def price(n):\n    return n * 3\n", "tests/__init__.py": "",
			"tests/test_price.py": "import unittest\nimport shop\n\n\nclass PriceTest(unittest.TestCase):\n    def test_triples(self):\n        self.assertEqual(shop.price(2), 6)\n",
		}, map[string]string{"shop/__init__.py": "def price(n):\n    return n * 4\n"}, "unittest", []string{"test_triples", "AssertionError: 8 != 6", "at tests/test_price.py:7"}, "python compile"},
		{"python syntax", "python3", map[string]string{"requirements.txt": "", "app.py": "x = 1\n"}, map[string]string{"app.py": "def f(:\n"}, "python compile", []string{"app.py:1: SyntaxError"}, ""},
		{"cargo", "cargo", map[string]string{
			"Cargo.toml": "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
			"src/lib.rs": "pub fn price(n: i32) -> i32 { n * 3 }\n#[test]\nfn triples() { assert_eq!(price(2), 6); }\n",
		}, map[string]string{"src/lib.rs": "pub fn price(n: i32) -> i32 { n * 4 }\n#[test]\nfn triples() { assert_eq!(price(2), 6); }\n"}, "cargo test", []string{"FAIL triples", "left: 8", "at src/lib.rs:3"}, "cargo build"},
		{"make", "gcc", map[string]string{"Makefile": "test: main\n\t./main\n", "main.c": "int main(void) { return 0; }\n"},
			map[string]string{"main.c": "int main(void) { return x; }\n"}, "make test", []string{"main.c:1:25: error: ‘x’ undeclared"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := exec.LookPath(c.needs); err != nil {
				t.Fatalf("%s is not on this machine", c.needs)
			}
			dir := write(t, t.TempDir(), c.files)
			verifiers := verify.For(os.DirFS(dir), ".", verify.Settings{Auto: true, Offline: true})
			warm(t, box, caches, dir, verifiers)
			access, err := caches.Attempt("shop/" + c.name)
			if err != nil {
				t.Fatal(err)
			}
			spec := sandbox.Spec{Work: dir}
			access.Give(&spec)
			inside := verify.InSandbox{Sandbox: box, Spec: spec}
			base, err := verify.Run(t.Context(), inside, verifiers)
			if err != nil {
				t.Fatal(err)
			}
			for _, check := range base.Checks {
				if check.Outcome != fleet.Passed && c.name != "go" { // the Go module has an old failure
					t.Errorf("on the base: %+v", check)
				}
				if check.Outcome == fleet.Passed && len(check.Lines) != 1 {
					t.Errorf("%d lines for a success: %q", len(check.Lines), check.Lines)
				}
			}
			write(t, dir, c.broken)
			after, err := verify.After(t.Context(), inside, verifiers, base, true)
			if err != nil {
				t.Fatal(err)
			}
			failed := find(t, after, c.fails)
			text := strings.Join(failed.Lines, "\n")
			for _, want := range c.shows {
				if failed.Outcome != fleet.CheckFailed || !strings.Contains(text, want) {
					t.Errorf("%q is not in %s:\n%s", want, failed.Outcome, text)
				}
			}
			if strings.Contains(text, sandbox.WorkDir) || len(failed.Lines) >= 60 {
				t.Errorf("%d lines:\n%s", len(failed.Lines), text)
			}
			if c.still != "" {
				if check := find(t, after, c.still); check.Outcome != fleet.Passed {
					t.Errorf("%+v", check)
				}
			}
		})
	}
}

// warm fills the shared caches as far as that needs no network.
func warm(t *testing.T, box sandbox.Sandbox, caches sandbox.Caches, dir string, verifiers []verify.Verifier) {
	t.Helper()
	access, err := caches.WarmUp()
	if err != nil {
		t.Fatal(err)
	}
	spec := sandbox.Spec{Work: dir}
	access.Give(&spec)
	for _, step := range verify.WarmSteps(verifiers) {
		if !step.Local {
			continue
		}
		s := spec
		s.Argv, s.Dir, s.Env = step.Argv, path.Join(sandbox.WorkDir, step.Dir), step.Env
		if res, err := box.Run(t.Context(), s); err != nil || res.ExitCode != 0 {
			t.Errorf("%v, %+v", err, res)
		}
	}
}

// TestNpmInstallsBesideACacheThatItCannotWrite also plants a package where a diff could: it must be gone when the tests run.
func TestNpmInstallsBesideACacheThatItCannotWrite(t *testing.T) {
	box, err := sandbox.New(t.Context(), sandbox.Config{})
	if err != nil {
		t.Fatalf("bubblewrap: %v", err)
	}
	if _, err := exec.LookPath("npm"); err != nil {
		t.Fatal("npm is not on this machine")
	}
	dir := write(t, t.TempDir(), map[string]string{
		"package.json":      `{"name": "shop", "version": "1.0.0", "scripts": {"test": "node -e \"require('left')\""}, "dependencies": {"left": "file:left.tgz"}}`,
		"left/package.json": `{"name": "left", "version": "1.0.0"}`, "left/index.js": "",
	})
	prepare := exec.CommandContext(t.Context(), "sh", "-c", "cd left && npm pack --silent && mv left-1.0.0.tgz ../left.tgz && cd .. && npm install --package-lock-only --offline --ignore-scripts")
	prepare.Dir = dir
	if out, err := prepare.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	verifiers := verify.For(os.DirFS(dir), ".", verify.Settings{Auto: true, Offline: true})
	caches := sandbox.Caches{Dir: t.TempDir()}
	access, err := caches.Attempt("shop")
	if err != nil {
		t.Fatal(err)
	}
	spec := sandbox.Spec{Work: dir}
	access.Give(&spec)
	write(t, dir, map[string]string{"node_modules/left/index.js": "throw new Error('planted')\n"}) // as a diff could
	report, err := verify.Run(t.Context(), verify.InSandbox{Sandbox: box, Spec: spec}, verifiers)
	if err != nil || report.Checks[0].Outcome != fleet.Passed {
		t.Errorf("%v, %+v", err, report)
	}
}

// TestSandboxIsAnExecLikeAnyOther checks what InSandbox adds: folders before PATH, a vanished folder, a missing program, floods.
func TestSandboxIsAnExecLikeAnyOther(t *testing.T) {
	box, err := sandbox.New(t.Context(), sandbox.Config{})
	if err != nil {
		t.Fatalf("bubblewrap: %v", err)
	}
	dir := write(t, t.TempDir(), map[string]string{"bin/tool": "#!/bin/sh\necho from the tree $CI\n"})
	if err := os.Chmod(dir+"/bin/tool", 0o755); err != nil {
		t.Fatal(err)
	}
	inside := verify.InSandbox{Sandbox: box, Spec: sandbox.Spec{Work: dir}}
	if out, err := inside.Exec(t.Context(), verify.Command{Argv: []string{"tool"}, Path: []string{"bin"}}); err != nil || string(out.Text) != "from the tree true\n" {
		t.Errorf("%+v, %v: %s", out, err, out.Text)
	}
	for _, c := range []verify.Command{{Argv: []string{"no-such-program"}}, {Argv: []string{"no-such-program"}, Path: []string{"bin"}}} {
		report, err := verify.Run(t.Context(), inside, []verify.Verifier{{Name: "v", Tool: "shell", Argv: c.Argv, Path: c.Path}})
		if err != nil || report.Checks[0].Outcome != fleet.ToolchainGone || !strings.Contains(report.Checks[0].Lines[0], "no-such-program") {
			t.Errorf("%+v, %v", report, err)
		}
	}
	if out, err := inside.Exec(t.Context(), verify.Command{Argv: []string{"true"}, Dir: "gone"}); err != nil || out.Exit != 1 || !strings.Contains(string(out.Text), "gone") {
		t.Errorf("%+v, %v", out, err)
	}
	out, err := inside.Exec(t.Context(), verify.Command{Argv: []string{"sh", "-c", "head -c 100000000 /dev/zero | tr '\\0' x; echo; echo last"}})
	if err != nil || out.Exit != 0 || out.Cut < 90_000_000 || !strings.HasSuffix(string(out.Text), "\nlast\n") {
		t.Errorf("exit %d, %s, %d cut, %v", out.Exit, out.Ended, out.Cut, err)
	}
	out, err = inside.Exec(t.Context(), verify.Command{Argv: []string{"sleep", "60"}, Timeout: 1e9})
	if err != nil || out.Ended != fleet.CodeTimeout {
		t.Errorf("%+v, %v", out, err)
	}
}
