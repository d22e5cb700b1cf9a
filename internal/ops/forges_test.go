package ops_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/ops"
)

func openWithFile(t *testing.T, file string, env map[string]string) (*ops.Ops, ops.Forges) {
	t.Helper()
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "forges.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	forges, err := ops.ReadForges(func(k string) string { return env[k] }, data)
	if err != nil {
		t.Fatal(err)
	}
	o, err := ops.Open(t.Context(), ops.Config{Data: data, Forges: forges, Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o, forges
}

// Each kind of forge is a source of repositories, and its token opens them to git.
func TestForgesAsSources(t *testing.T) {
	for kind, serve := range map[string]func(testing.TB, *simulator.Host) string{
		"github": func(t testing.TB, h *simulator.Host) string { return simulator.GitHub(t, h, nil) }, "gitlab": simulator.GitLab, "gitea": simulator.Gitea,
		"bitbucket": func(t testing.TB, h *simulator.Host) string { return simulator.BitbucketCloud(t, h, nil) }, "bitbucket-dc": func(t testing.TB, h *simulator.Host) string { return simulator.BitbucketDC(t, h, nil) },
		"azure": func(t testing.TB, h *simulator.Host) string { return simulator.AzureDevOps(t, h, nil) },
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			host, h := simulator.Harness(t, 0, simulator.Faults{})
			h.Push(t, "main", map[string]string{"catalog-info.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: billing\nspec:\n  type: service\n  owner: payments\n  lifecycle: production\n"})
			var path string
			host.With(simulator.Slug, func(r *simulator.Repo) { path = r.Path })
			host.Add(simulator.Repo{Slug: "acme/old", Path: path, Archived: true, Fork: true})
			o, forges := openWithFile(t, "forges: {"+kind+": {kind: "+kind+", url: '"+serve(t, host)+"', tokenEnv: T}}", map[string]string{"T": "token"})
			out, err := o.Sync(t.Context(), ops.SyncInput{From: kind + ":acme"})
			if err != nil || out.Repositories != 1 || out.Components != 1 || len(out.Problems) != 0 {
				t.Fatalf("%+v, %v", out, err)
			}
			calls, git := host.Calls(""), host.Calls("git")
			if err := o.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if out, err = o.Sync(t.Context(), ops.SyncInput{}); err != nil || out.Unchanged != 1 || out.Gone != 0 {
				t.Fatalf("%+v, %v", out, err)
			}
			if want := map[string]int{"github": 2, "gitlab": 4, "bitbucket": 2}[kind]; want != 0 && (host.Calls("git") != git || host.Calls("")-calls != want) {
				t.Errorf("nothing new cost %d calls and %d times git", host.Calls("")-calls, host.Calls("git")-git)
			}
			h.Push(t, "main", map[string]string{"new.txt": "new\n"})
			if out, err = o.Sync(t.Context(), ops.SyncInput{}); err != nil || out.Read != 1 {
				t.Errorf("%+v, %v", out, err)
			}
			examined := false
			for _, e := range ops.Doctor(t.Context(), ops.DoctorInput{Data: t.TempDir(), Forges: forges}) {
				if e.Name == "forge "+kind {
					examined = e.OK && strings.Contains(e.Detail, simulator.Self) && strings.Contains(e.Detail, "no ") && !strings.Contains(e.Detail, "token token")
				}
			}
			if !examined {
				t.Error("the doctor says nothing of the forge")
			}
			if _, err := o.Sync(t.Context(), ops.SyncInput{From: kind + ":acme?nonsense=1"}); fleet.CodeOf(err) != fleet.CodeInvalid {
				t.Error(err)
			}
		})
	}
}

func TestReadForges(t *testing.T) {
	data := t.TempDir()
	env := func(k string) string {
		return map[string]string{"GITHUB_TOKEN": "ghp_x", "GITEA_TOKEN": "y", "WORK": "z"}[k]
	}
	read := func(text string) (ops.Forges, error) {
		if err := os.WriteFile(filepath.Join(data, "forges.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return ops.ReadForges(env, data)
	}
	f, err := read("forges:\n  work:\n    kind: gitlab\n    url: https://git.example.com/\n    tokenEnv: WORK\n")
	if err != nil || len(f) != 2 || f["work"].URL != "https://git.example.com" || f["github"].URL != "https://github.com" {
		t.Errorf("%+v, %v", f, err)
	}
	for _, c := range []struct{ url, kind, at string }{{"", "bitbucket", "https://bitbucket.org"}, {"https://bitbucket.org/", "bitbucket", "https://bitbucket.org"}, {"https://git.example.com/", "bitbucket-dc", "https://git.example.com"}} {
		f, err := ops.ReadForges(func(k string) string {
			return map[string]string{"BITBUCKET_TOKEN": "me@example.com:x", "BITBUCKET_URL": c.url}[k]
		}, t.TempDir())
		if err != nil || len(f) != 1 || f[c.kind].URL != c.at {
			t.Errorf("%+v, %v", f, err)
		}
	}
	for name, text := range map[string]string{
		"no kind": "forges: {a: {url: 'https://x'}}", "a token": "forges: {a: {kind: github, token: ghp_secret}}", "no credential": "forges: {a: {kind: github}}",
		"the built-in one": "forges: {local: {kind: github, tokenEnv: WORK}}", "no url": "forges: {a: {kind: gitea, tokenEnv: WORK}}", "an App elsewhere": "forges: {a: {kind: gitlab, app: {id: 1}}}",
		"no organisation": "forges: {a: {kind: azure, url: 'https://dev.azure.com', tokenEnv: WORK}}", "an account like a flag": "forges: {a: {kind: github, keyring: '-x'}}", "an odd account": "forges: {a: {kind: github, keyring: 'a b'}}",
	} {
		if _, err := read(text); fleet.CodeOf(err) != fleet.CodeInvalid || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A keyring is asked when its token is first needed, and not before.
func TestTokenFromTheKeyring(t *testing.T) {
	const token = "only-the-keyring-has-this"
	host, h := simulator.Harness(t, 0, simulator.Faults{})
	host.Token(token)
	h.Push(t, "main", map[string]string{"a.txt": "a\n"})
	data := t.TempDir()
	text := "forges:\n  work: {kind: azure, url: '" + simulator.AzureDevOps(t, host, nil) + "', keyring: work-token}\n"
	if err := os.WriteFile(filepath.Join(data, "forges.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keyring.MockInitWithError(errors.New("nobody should ask yet"))
	forges, err := ops.ReadForges(func(string) string { return "" }, data)
	if err != nil {
		t.Fatal(err)
	}
	o, err := ops.Open(t.Context(), ops.Config{Data: data, Forges: forges, Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	keyring.MockInit()
	_, err = o.Sync(t.Context(), ops.SyncInput{From: "work:acme"})
	if fleet.CodeOf(err) != fleet.CodeForgeAuth || !strings.Contains(err.Error(), "work-token") || !strings.Contains(fleet.HintOf(err), "secret-tool store") {
		t.Errorf("%v (%s)", err, fleet.HintOf(err))
	}
	if err := keyring.Set(forge.Keyring, "work-token", token); err != nil {
		t.Fatal(err)
	}
	if out, err := o.Sync(t.Context(), ops.SyncInput{From: "work:acme"}); err != nil || out.Repositories != 1 || out.Read != 1 {
		t.Errorf("%+v, %v", out, err)
	}
	if said := o.Redacted("it was " + token); strings.Contains(said, token) {
		t.Error("the token is not known to be a secret:", said)
	}
}

// Two organisations on one host have a token each.
func TestOrganisationsOnOneHost(t *testing.T) {
	data := t.TempDir()
	env := map[string]string{"ONE": "token-of-one", "TWO": "token-of-two"}
	text := "forges:\n  one: {kind: azure, url: 'https://dev.azure.com/one', tokenEnv: ONE}\n  two: {kind: azure, url: 'https://two.visualstudio.com/', tokenEnv: TWO}\n"
	if err := os.WriteFile(filepath.Join(data, "forges.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	forges, err := ops.ReadForges(func(k string) string { return env[k] }, data)
	if err != nil {
		t.Fatal(err)
	}
	for clone, want := range map[string]string{
		"https://dev.azure.com/one/p/_git/r": "one", "https://dev.azure.com/two/p/_git/r": "two", "https://two.visualstudio.com/p/_git/r": "two", "https://one.visualstudio.com/DefaultCollection/p/_git/r": "one",
		"https://dev.azure.com/three/p/_git/r": "", "http://dev.azure.com/one/p/_git/r": "", "https://github.com/one/r": "",
	} {
		if got := forges.Holding(clone); got != want {
			t.Errorf("%s is held by %q, want %q", clone, got, want)
		}
	}
}
