package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestToolsShowNothingElse makes a home as people have it and looks at what of it a sandbox would show.
func TestToolsShowNothingElse(t *testing.T) {
	home := t.TempDir()
	for _, dir := range []string{".cargo/bin", ".rustup/toolchains", ".pyenv/shims", ".nvm/versions/node/v20/bin", ".nvm/versions/node/v18/bin", "bin", ".local/bin",
		".ssh", ".aws", "go/bin", "go/pkg", ".sdkman/candidates/java/current/bin", ".sdkman/var", "projects/secret/bin", ".config/gh"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{".cargo/credentials.toml", ".cargo/bin/cargo", ".nvm/versions/node/v20/bin/node", "bin/node", ".ssh/id", "ca.pem"} {
		if err := os.WriteFile(filepath.Join(home, file), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{
		"PATH": strings.Join([]string{home + "/bin", home + "/.local/bin", home + "/.cargo/bin", home + "/.nvm/versions/node/v20/bin", home + "/.pyenv/shims",
			home + "/go/bin", home + "/.sdkman/candidates/java/current/bin", home + "/projects/secret/bin", home, "relative/bin", "", home + "/.cargo/bin",
			home + "/nowhere", "/usr/bin", home + "/.ssh/../.ssh"}, ":"),
		"JAVA_HOME": home + "/.sdkman/candidates/java/current", "GOROOT": home + "/projects/secret", "SSL_CERT_FILE": home + "/ca.pem",
		"AWS_SECRET_ACCESS_KEY": "x", "NODE_EXTRA_CA_CERTS": home + "/.ssh/id",
	}
	tools := findTools(func(name string) string { return env[name] }, home, []string{"/extra"})
	for _, hidden := range []string{"", ".ssh", ".ssh/id", ".aws", "bin", ".local", ".local/bin", ".cargo/credentials.toml", ".cargo", "go/pkg", "projects/secret/bin", ".config/gh",
		".nvm/versions/node/v18", ".sdkman/var"} {
		if tools.shown(filepath.Join(home, hidden)) {
			t.Errorf("~/%s is shown", hidden)
		}
	}
	for _, shown := range []string{".cargo/bin/cargo", ".rustup/toolchains", ".pyenv/shims", ".nvm/versions/node/v20/bin/node", "go/bin", ".sdkman/candidates/java/current/bin", "ca.pem"} {
		if !tools.shown(filepath.Join(home, shown)) {
			t.Errorf("~/%s is not shown", shown)
		}
	}
	want := []string{home + "/.cargo/bin", home + "/.nvm/versions/node/v20/bin", home + "/.pyenv/shims", home + "/go/bin",
		home + "/.sdkman/candidates/java/current/bin", "/usr/bin", "/usr/local/bin", "/bin"}
	if !slices.Equal(tools.path, want) {
		t.Errorf("PATH is\n%v, want\n%v", tools.path, want)
	}
	for name, want := range map[string]string{"JAVA_HOME": env["JAVA_HOME"], "GOROOT": "", "AWS_SECRET_ACCESS_KEY": "", "SSL_CERT_FILE": env["SSL_CERT_FILE"],
		"NODE_EXTRA_CA_CERTS": "", "RUSTUP_HOME": home + "/.rustup", "PYENV_ROOT": home + "/.pyenv"} {
		if got := tools.env[name]; got != want {
			t.Errorf("%s=%s, want %s", name, got, want)
		}
	}
	if !slices.Contains(tools.roots, "/extra") {
		t.Error("what the user asked for is not shown")
	}
}

// TestToolsFollowLinks has a toolchain that is found through a link in a folder of links.
func TestToolsFollowLinks(t *testing.T) {
	home := t.TempDir()
	real := filepath.Join(home, ".nvm/versions/node/v22/bin")
	links := filepath.Join(home, "go/bin")
	for _, dir := range []string{real, links} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(real, "bun"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(real, "bun"), filepath.Join(links, "bun")); err != nil {
		t.Fatal(err)
	}
	tools := findTools(func(name string) string { return map[string]string{"PATH": links}[name] }, home, nil)
	if !tools.shown(real) {
		t.Errorf("%s is not shown: %v", real, tools.roots)
	}
}
