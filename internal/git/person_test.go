package git_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

// As if the repository belonged to another user: git's other half refuses it without safe.directory.
const suspiciousGit = `#!/bin/sh
case " $* " in
*" fetch "*|*" ls-remote "*|*safe.directory=*) ;;
*" upload-pack "*) echo "fatal: detected dubious ownership in repository at '/x'" >&2; exit 128 ;;
esac
exec git "$@"
`

func TestOthersRepositoriesAreReadWhenThePersonTrustsThem(t *testing.T) {
	src := newSource(t, map[string]string{"a.txt": "a\n"})
	program := filepath.Join(t.TempDir(), "git")
	if err := os.WriteFile(program, []byte(suspiciousGit), 0o755); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	for _, row := range []struct {
		config string
		ok     bool
	}{
		{"", false},
		{"directory = /elsewhere", false},
		{"directory = " + src.dir, true},
		{"directory = " + filepath.Dir(src.dir) + "/*", true},
		{"directory = *", true},
		{"directory = *\n\tdirectory =", false},
	} {
		write(t, home, map[string]string{".gitconfig": "[safe]\n\t" + row.config + "\n"})
		store, err := git.Open(git.Config{Dir: t.TempDir(), Program: program, AllowFile: true})
		if err != nil {
			t.Fatal(err)
		}
		_, err = store.Refresh(t.Context(), src.repo(), 0)
		if row.ok && err != nil || !row.ok && (fleet.CodeOf(err) != fleet.CodeGit || !strings.Contains(fleet.HintOf(err), "safe.directory")) {
			t.Errorf("%q: %v, hint %q", row.config, err, fleet.HintOf(err))
		}
	}
}

func TestThePersonsCredentialHelpersAreAsked(t *testing.T) {
	root := t.TempDir()
	src := newSource(t, map[string]string{"a.txt": "a\n"})
	bareCopy(t, src, root, "a.git")
	h := newHost(t, root, false)
	home := t.TempDir()
	asked := filepath.Join(home, "asked")
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	write(t, home, map[string]string{".gitconfig": "[credential]\n\thelper = \"!f() { echo x >> '" + asked + "'; echo username=bot; echo password=" + secret + "; }; f\"\n"})
	helper, err := git.Open(git.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	store, traces := spyStore(t, helper.UserCredentials())
	for _, name := range []string{"one", "two"} {
		refresh(t, store, fleet.Repository{Name: name, URL: h.URL + "/a.git"})
	}
	if data, _ := os.ReadFile(asked); string(data) != "x\n" {
		t.Errorf("the helper was asked %q", data)
	}
	if strings.Contains(traces(), secret) {
		t.Error("the secret stands in arguments, environment or files")
	}
	os.Remove(filepath.Join(home, ".gitconfig"))
	if user, password, err := helper.UserCredentials()(context.Background(), h.URL); user+password != "" || err != nil {
		t.Errorf("without a helper: %q, %q, %v", user, password, err)
	}
}
