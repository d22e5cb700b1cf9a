package catalog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/fleet"
)

// show lists repositories as "name url forge".
func show(repos []fleet.Repository, root string) string {
	var out []string
	for _, r := range repos {
		out = append(out, strings.Join([]string{r.Name, strings.ReplaceAll(r.URL, root, "ROOT"), r.Forge}, " "))
	}
	return strings.Join(out, "\n")
}

func places(list []fleet.Problem) string {
	var out []string
	for _, p := range list {
		out = append(out, fmt.Sprintf("%s:%d:%d %s %s", p.File, p.Line, p.Column, p.Code, p.Message))
	}
	return strings.Join(out, "\n")
}

func mkdirs(t *testing.T, root string, dirs ...string) {
	t.Helper()
	for _, d := range dirs {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, root, name, text string) string {
	t.Helper()
	path := filepath.Join(root, name)
	mkdirs(t, filepath.Dir(path), ".")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFolderOfRepositories(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	for _, bare := range []string{"billing.git", "team/ledger.git", "team/deep/er/rates"} {
		mkdirs(t, root, bare+"/objects", bare+"/refs")
		write(t, root, bare+"/HEAD", "ref: refs/heads/main\n")
	}
	mkdirs(t, root, "billing/.git", "team/web/.git", "team/web/inner/.git", ".hidden/x/.git", "web/node_modules/x/.git", "empty", "my app (old)/.git",
		"1/2/3/4/5/6/.git", "1/2/3/4/5/b/c/.git", "Billing-2/.git", "halfbare/objects")
	mkdirs(t, outside, "elsewhere/.git", "folder/x/.git")
	write(t, root, "separate/.git", "gitdir: /srv/x.git\n")
	write(t, root, "worktree/.git", "gitdir: /srv/x/.git/worktrees/worktree\n")
	for link, to := range map[string]string{"linked": outside + "/elsewhere", "not-followed": outside + "/folder", "loop": root, "dangling": "/nonexistent"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	repos, problems, err := Discover(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "problems", places(problems), "")
	second := ""
	for _, r := range repos {
		if strings.HasPrefix(r.Name, "billing-") && r.Name != "billing-2" {
			second = r.Name
		}
	}
	equal(t, "repositories", show(repos, root), `
1/2/3/4/5/6 file://ROOT/1/2/3/4/5/6 local
Billing-2 file://ROOT/Billing-2 local
billing file://ROOT/billing local
`+second+` file://ROOT/billing.git local
linked file://ROOT/linked local
my-app--old- file://ROOT/my%20app%20%28old%29 local
separate file://ROOT/separate local
team/deep/er/rates file://ROOT/team/deep/er/rates local
team/ledger file://ROOT/team/ledger.git local
team/web file://ROOT/team/web local`)
	again, _, err := Discover(t.Context(), root+"/")
	if err != nil || show(again, root) != show(repos, root) {
		t.Errorf("another order the second time: %v\n%s", err, show(again, root))
	}
	repos, _, err = Discover(t.Context(), filepath.Join(root, "team", "web"))
	if err != nil || show(repos, root) != "web file://ROOT/team/web local" {
		t.Errorf("the folder itself: %s, %v", show(repos, root), err)
	}
	for _, dir := range []string{"empty", "none"} {
		if _, _, err := Discover(t.Context(), filepath.Join(root, dir)); fleet.CodeOf(err) != fleet.CodeNotFound || fleet.HintOf(err) == "" {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestAListOfRepositories(t *testing.T) {
	root := t.TempDir()
	mkdirs(t, root, "local/.git", "plain/.git")
	list := write(t, root, "fleet.txt", "\ufeff# our fleet\n\n"+strings.Join([]string{
		"https://github.com/acme/billing.git",
		"  https://gitlab.example:8443/group/sub/web   # the shop\r",
		"git@github.com:acme/ledger.git forge=gh",
		"ssh://git@github.com/acme/rates.git name=rates",
		"./local",
		"plain name=own/name",
		"file:///srv/git/a/billing.git",
		"file:///srv/git/b/billing.git",
		"file:///srv/git/b/billing.git name=x",
		"https://gitlab.example/acme/billing",
		"https://github.com/acme/Rates name=Rates",
		"https://user:secret@github.com/acme/x",
		"https://ghp_secret@github.com/acme/y",
		"ssh://git:secret@github.com/acme/x",
		"http://example.com/acme/x",
		"ext::sh -c id",
		"--upload-pack=/bin/sh",
		"https://github.com/acme/z owner=me",
		"\thttps://github.com/acme/ü  name=",
		"https://github.com/acme/q name=../x",
		"nonsense",
		"git@-oProxyCommand=x:y",
	}, "\n"))
	repos, problems, err := Discover(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "repositories", show(repos, root), `
acme/billing https://github.com/acme/billing.git github.com
acme/ledger git@github.com:acme/ledger.git gh
b/billing file:///srv/git/b/billing.git local
billing file:///srv/git/a/billing.git local
gitlab.example/acme/billing https://gitlab.example/acme/billing gitlab.example
group/sub/web https://gitlab.example:8443/group/sub/web gitlab.example:8443
local file://ROOT/local local
own/name file://ROOT/plain local
rates ssh://git@github.com/acme/rates.git github.com`)
	want := strings.ReplaceAll(`
F:11:1 list_invalid this repository stands on line 10 already
F:13:1 list_invalid the name "Rates" is taken by an earlier line
F:14:1 list_invalid the clone URL holds a user or a password
F:15:1 list_invalid the clone URL holds a user or a password
F:16:1 list_invalid not a usable clone URL: ssh takes no password in its URL
F:17:1 list_invalid not a usable clone URL: plain http is for this machine only
F:18:1 list_invalid not a usable clone URL: no scheme
F:19:1 list_invalid "--upload-pack=/bin/sh" is neither a clone URL nor a folder
F:20:27 list_invalid "owner" is not understood here
F:21:29 list_invalid name has no value
F:22:27 list_invalid "../x" is not a usable name
F:23:1 list_invalid "nonsense" is neither a clone URL nor a folder
F:24:1 list_invalid not a usable clone URL: the host name is unusual`, "F:", list+":")
	equal(t, "problems", places(problems), want)
	for _, p := range problems {
		if strings.Contains(p.Message+p.Hint, "secret") {
			t.Errorf("a secret: %+v", p)
		}
	}
}

func TestAListThatIsNone(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"empty": "", "comments": "# x\n", "bad": "nonsense\n"} {
		if _, _, err := Discover(t.Context(), write(t, root, name, text)); fleet.CodeOf(err) != fleet.CodeNotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := Discover(t.Context(), write(t, root, "binary", "\x7fELF\x00")); fleet.CodeOf(err) != fleet.CodeInvalid {
		t.Errorf("binary: %v", err)
	}
	_, problems, _ := Discover(t.Context(), write(t, root, "bad", "nonsense\n"))
	if len(problems) != 1 {
		t.Errorf("the problems of a list without a repository: %v", problems)
	}
}

// Appending to a list never renames what stands in it.
func TestNamesStay(t *testing.T) {
	root := t.TempDir()
	lines := []string{"file:///a/x.git", "file:///b/x.git", "file:///c/b/x.git", "file:///b/x", "https://h/b/x", "https://g/b/x", "file:///a/X"}
	names := map[string]string{}
	for n := range lines {
		repos, problems, err := Discover(t.Context(), write(t, root, "list", strings.Join(lines[:n+1], "\n")))
		if err != nil || len(repos) != n+1 || len(problems) != 0 {
			t.Fatalf("%d lines: %s, %v, %v", n+1, show(repos, root), places(problems), err)
		}
		seen := map[string]bool{}
		for _, r := range repos {
			if before := names[r.URL]; before != "" && before != r.Name || seen[strings.ToLower(r.Name)] {
				t.Errorf("%s was %s and is %s", r.URL, before, r.Name)
			}
			names[r.URL], seen[strings.ToLower(r.Name)] = r.Name, true
		}
	}
}

func FuzzList(f *testing.F) {
	f.Add("https://u:p@h/x name=a # b\ngit@h:x forge=y\n/x\n./y")
	f.Fuzz(func(t *testing.T, text string) {
		p := &problems{}
		lines := strings.Count(text, "\n") + 1
		repos := settleNames(parseList("list", "/nonexistent", text, p), p)
		seen := map[string]bool{}
		for _, r := range repos {
			if seen[r.Name] || r.Name == "" || strings.Contains("/"+r.Name+"/", "/../") || strings.HasPrefix(r.Name, "/") || r.URL == "" {
				t.Errorf("%+v", r)
			}
			seen[r.Name] = true
		}
		for _, problem := range p.list {
			if problem.Line < 1 || problem.Line > lines || problem.Column < 1 {
				t.Errorf("%+v", problem)
			}
		}
	})
}
