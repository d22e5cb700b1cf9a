package sandbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/sandbox"
)

// TestCachesKeepRepositoriesApart holds the rule that matters: who may write a folder that somebody else reads.
func TestCachesKeepRepositoriesApart(t *testing.T) {
	c := sandbox.Caches{Dir: t.TempDir()}
	get := func(a sandbox.Access, err error) sandbox.Access {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	warm, base, attempt, other := get(c.WarmUp()), get(c.Base("acme/a")), get(c.Attempt("acme/a")), get(c.Attempt("acme/b"))
	hosts := func(a sandbox.Access, writable bool) map[string]bool {
		list := map[string]bool{}
		for _, m := range a.Mounts {
			if m.Writable == writable {
				list[m.Host] = true
			}
		}
		return list
	}
	if n := len(hosts(attempt, true)); n > 0 {
		t.Errorf("a change under way may write %d caches", n)
	}
	for host := range hosts(base, true) {
		if hosts(other, false)[host] || hosts(warm, true)[host] {
			t.Errorf("%s is written by one repository's code and seen elsewhere", host)
		}
		if !hosts(attempt, false)[host] {
			t.Errorf("%s is written for nobody", host)
		}
	}
	for host := range hosts(warm, true) {
		if !hosts(attempt, false)[host] || !hosts(base, false)[host] || !hosts(other, false)[host] {
			t.Errorf("%s is not shared", host)
		}
	}
	if len(hosts(warm, false)) > 0 {
		t.Error("a warm-up sees caches that are not its own")
	}
	for name, value := range attempt.Env {
		if strings.Contains(value, c.Dir) {
			t.Errorf("%s names a host path: %s", name, value)
		}
	}
	for name, want := range map[string]string{"GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "", "npm_config_offline": "true"} {
		if got := attempt.Env[name]; got != want {
			t.Errorf("%s=%s, want %s", name, got, want)
		}
	}

	spec := sandbox.Spec{Env: map[string]string{"GOPROXY": "https://proxy.example"}, Mounts: make([]sandbox.Mount, 1, 50)}
	attempt.Give(&spec)
	if spec.Env["GOPROXY"] != "https://proxy.example" || attempt.Env["GOPROXY"] != "off" || len(spec.Mounts) != 1+len(attempt.Mounts) {
		t.Error("the spec's own environment does not win, or the access was changed")
	}

	for host := range hosts(base, true) {
		if err := os.WriteFile(filepath.Join(host, "x"), nil, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Forget("acme/a"); err != nil {
		t.Error(err)
	}
	for host := range hosts(base, true) {
		if _, err := os.Stat(host); err == nil {
			t.Errorf("%s is still there", host)
		}
	}
}
