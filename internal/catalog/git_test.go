package catalog

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

func runGit(t *testing.T, dir string, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func commit(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	mkdirs(t, dir, ".")
	runGit(t, dir, "", "init", "-q")
	for name, text := range files {
		write(t, dir, name, text)
	}
	runGit(t, dir, "", "add", "-A")
	runGit(t, dir, "", "commit", "-qm", "x")
}

// Real repositories, in all conditions, through real mirrors.
func TestRealRepositories(t *testing.T) {
	root := t.TempDir()
	commit(t, filepath.Join(root, "mono"), map[string]string{
		"catalog-info.yaml": locations("./services/*/catalog-info.yaml"), "services/a/catalog-info.yaml": named("a"), "services/a/main.go": "package main",
		"services/b/catalog-info.yaml": doc("metadata: {name: b}", "spec: {type: service}"), "services/b/run.py": "print()", ".gitlab/CODEOWNERS": "/services/b/ @acme/team-b\n", ".gaggle.yaml": "optOut: false\n",
	})
	commit(t, filepath.Join(root, "plain"), map[string]string{"main.go": "package main", "CODEOWNERS": "* @acme/go"})
	runGit(t, root, "", "clone", "-q", "--bare", filepath.Join(root, "plain"), filepath.Join(root, "group", "bare.git"))
	runGit(t, root, "", "init", "-q", "--bare", "empty.git")
	mkdirs(t, root, "broken/.git")
	// A tree that no git would make: an entry that leads out, and a submodule.
	hostile := filepath.Join(root, "hostile.git")
	runGit(t, root, "", "init", "-q", "--bare", "hostile.git")
	blob := runGit(t, hostile, named("evil"), "hash-object", "-w", "--stdin")
	inner := runGit(t, hostile, "100644 blob "+blob+"\tcatalog-info.yaml\n", "mktree")
	tree := runGit(t, hostile, "040000 tree "+inner+"\t..\n100644 blob "+blob+"\ta\\b.yaml\n160000 commit "+strings.Repeat("1", 40)+"\tmodule\n", "mktree", "--missing")
	runGit(t, hostile, "", "update-ref", "refs/heads/main", runGit(t, hostile, "", "commit-tree", tree, "-m", "x"))

	store, err := git.Open(git.Config{Dir: t.TempDir(), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]Result{}
	sync := func() (map[string]Result, string) {
		repos, problems, err := Discover(t.Context(), root)
		if err != nil || len(problems) != 0 {
			t.Fatal(places(problems), err)
		}
		results, order := map[string]Result{}, []string{}
		if _, err := Sync(t.Context(), repos, Options{Mirrors: GitMirrors(store), Known: func(name string) (Known, bool) {
			r, ok := known[name]
			return Known{r.Repository, r.Memo}, ok
		}}, func(r Result) error {
			results[r.Repository.Name] = r
			order = append(order, r.Repository.Name+" "+string(r.Outcome))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return results, strings.Join(order, ", ")
	}
	results, order := sync()
	equal(t, "order", order, "broken gone, empty empty, group/bare read, hostile read, mono read, plain read")
	inv := &inventory{results: results}
	equal(t, "components", inv.components(), `
group/bare . group-bare group:default/go Go
hostile . hostile
mono services/a a group:default/o Go
mono services/b b group:default/team-b Python
plain . plain group:default/go Go`)
	for name, code := range map[string]string{"broken": string(fleet.CodeRepoGone), "empty": string(fleet.CodeRepoEmpty)} {
		if p := results[name].Problems; len(p) != 1 || p[0].Code != code {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if r := results["mono"]; r.Repository.DefaultBranch != "main" || len(r.Repository.Tree) != 40 || string(r.Settings.Data) != "optOut: false\n" {
		t.Errorf("%+v", r)
	}

	maps.Copy(known, results)
	write(t, filepath.Join(root, "plain"), "new.rs", "fn main() { println!(\"some more than the other\"); }")
	runGit(t, filepath.Join(root, "plain"), "", "add", "-A")
	runGit(t, filepath.Join(root, "plain"), "", "commit", "-q", "--amend", "-m", "rewritten")
	if err := os.RemoveAll(filepath.Join(root, "group", "bare.git", "objects")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(root, "mono")); err != nil {
		t.Fatal(err)
	}
	results, order = sync()
	if !strings.Contains(order, "hostile unchanged, plain read") || strings.Contains(order, "mono") {
		t.Error(order)
	}
	if got := results["plain"].Components[0].Language; got != "Rust" {
		t.Errorf("language %s", got)
	}
}
