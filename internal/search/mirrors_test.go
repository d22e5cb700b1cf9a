package search

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

// gitRepository makes a real repository with one commit of the files and returns a function that runs git in it.
func gitRepository(t *testing.T, files map[string]string) (dir string, run func(args ...string)) {
	t.Helper()
	dir = t.TempDir()
	run = func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	run("init", "-q")
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run("add", "-A")
	run("commit", "-qm", "one")
	return dir, run
}

func TestMirrors(t *testing.T) {
	dir, run := gitRepository(t, map[string]string{"a.go": "needle one\n", "b/ä ö\n.go": "two\nneedle\n", "b/empty": "", "b/bin": "\x00needle", "large": string(make([]byte, 2<<20))})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	run("add", "link")
	run("update-index", "--add", "--cacheinfo", "160000,1111111111111111111111111111111111111111,module")
	run("commit", "-qm", "two")
	store, err := git.Open(git.Config{Dir: t.TempDir(), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	repo := fleet.Repository{Name: "acme/real", URL: "file://" + dir}
	head, err := store.Refresh(t.Context(), repo, time.Duration(0))
	if err != nil {
		t.Fatal(err)
	}
	repo.Tree = head.Tree
	x := Open(Config{Dir: t.TempDir(), Trees: Mirrors(store)})
	e, err := x.Explain(t.Context(), Place{Repository: repo, Paths: []string{"."}}, compile(t, Terms{Contains: "needle|passwd", Examples: 9}))
	if err != nil || show([]Hit{e.Hit}) != ".=a.go:1,b/ä ö\n.go:2" || e.Files != 6 || e.Binary != 1 || e.TooLarge != 1 {
		t.Errorf("%+v, %v", e, err)
	}
	repo.Tree = "2222222222222222222222222222222222222222"
	if _, err := x.Ensure(t.Context(), repo, ""); err == nil {
		t.Error("a tree that is not there was indexed")
	}
}
