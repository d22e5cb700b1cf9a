package forgetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

// Harness is one forge with one fresh repository whose default branch holds File.
type Harness struct {
	Forge forge.Forge
	Repo  fleet.Repository

	// Push puts one commit with these files (nil content deletes) on top of a branch, or of the default branch when
	// that branch does not exist, and returns the commit.
	Push func(t *testing.T, branch string, files map[string]string) string
	// Read returns a file of a branch; ok is false when it is not there.
	Read func(t *testing.T, branch, file string) (content string, ok bool)
	// Log returns the subjects of a branch's commits, newest first, with first parents only.
	Log func(t *testing.T, branch string) []string
	// Tip returns where a branch stands; "" when it does not exist.
	Tip func(t *testing.T, branch string) string

	// Transient reports whether a failure is worth a retry. Nil: no call may fail that way.
	Transient func(error) bool
}

// File and Content are what the repository holds at first.
const (
	File    = "README.md"
	Content = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n"
)

// Repository makes a bare repository in a temporary folder, with plain git, and fills in all of a Harness but the forge.
func Repository(t *testing.T, name string) Harness {
	t.Helper()
	dir := t.TempDir()
	bare, work := filepath.Join(dir, "bare.git"), filepath.Join(dir, "work")
	git := func(t *testing.T, at string, args ...string) string {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = at
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=dev", "GIT_AUTHOR_EMAIL=dev@example.com", "GIT_COMMITTER_NAME=dev", "GIT_COMMITTER_EMAIL=dev@example.com")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSuffix(string(out), "\n")
	}
	git(t, dir, "init", "--quiet", "--bare", "--initial-branch=main", bare)
	git(t, dir, "init", "--quiet", "--initial-branch=main", work)
	git(t, work, "remote", "add", "origin", bare)
	tip := func(t *testing.T, branch string) string {
		return git(t, bare, "for-each-ref", "--format=%(objectname)", "refs/heads/"+branch)
	}
	push := func(t *testing.T, branch string, files map[string]string) string {
		t.Helper()
		from := tip(t, branch)
		if from == "" {
			from = tip(t, "main")
		}
		if from != "" {
			git(t, work, "fetch", "--quiet", "origin")
			git(t, work, "checkout", "--quiet", "--force", "--detach", from)
		}
		for name, content := range files {
			p := filepath.Join(work, name)
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		git(t, work, "add", "--all")
		git(t, work, "commit", "--quiet", "-m", "work on "+branch)
		git(t, work, "push", "--quiet", "origin", "HEAD:refs/heads/"+branch)
		return git(t, work, "rev-parse", "HEAD")
	}
	push(t, "main", map[string]string{File: Content})
	return Harness{
		Repo: fleet.Repository{Name: name, URL: bare, Forge: "local", DefaultBranch: "main"},
		Push: push,
		Tip:  tip,
		Read: func(t *testing.T, branch, file string) (string, bool) {
			if git(t, bare, "ls-tree", "--name-only", branch, "--", file) == "" {
				return "", false
			}
			return git(t, bare, "show", branch+":"+file) + "\n", true
		},
		Log: func(t *testing.T, branch string) []string {
			return strings.Split(git(t, bare, "log", "--first-parent", "--format=%s", branch), "\n")
		},
	}
}
