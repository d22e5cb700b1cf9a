package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// toolchains is what of a machine's PATH can be shown in a sandbox.
type toolchains struct {
	path  []string          // the parts of PATH that exist inside, in order
	roots []string          // host paths of this user's to show read-only at the same place
	wide  []string          // the same for the system's, which everybody may read
	env   map[string]string // variables that say where a toolchain is
}

// systemRoots are always shown; what lies below them needs nothing more.
var systemRoots = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// homeTools are toolchains as people install them below their home: programs found in bin (a glob, below the home) need
// the folders in needs. A home itself is never shown, nor ~/bin and ~/.local/bin, where anything may lie.
var homeTools = []struct {
	bin   string
	needs []string // %0 stands for what bin matched, with its last name cut off
}{
	{".cargo/bin", []string{".cargo/bin", ".rustup"}},
	{".pyenv/shims", []string{".pyenv"}},
	{".pyenv/bin", []string{".pyenv"}},
	{".pyenv/plugins/*/shims", []string{".pyenv"}},
	{".pyenv/versions/*/bin", []string{".pyenv"}},
	{".rbenv/shims", []string{".rbenv"}},
	{".rbenv/bin", []string{".rbenv"}},
	{".jenv/shims", []string{".jenv"}},
	{".jenv/bin", []string{".jenv"}},
	{".asdf/shims", []string{".asdf", ".tool-versions"}},
	{".asdf/bin", []string{".asdf", ".tool-versions"}},
	{".nvm/versions/node/*/bin", []string{"%0"}},
	{".local/share/fnm/node-versions/*/installation/bin", []string{"%0"}},
	{".volta/bin", []string{".volta"}},
	{".bun/bin", []string{".bun/bin"}},
	{".deno/bin", []string{".deno/bin"}},
	{".dotnet", []string{".dotnet"}},
	{".dotnet/tools", []string{".dotnet"}},
	{".sdkman/candidates/*/*/bin", []string{".sdkman/candidates"}},
	{".local/share/mise/shims", []string{".local/share/mise"}},
	{".local/share/mise/installs/*/*/bin", []string{".local/share/mise/installs"}},
	{".local/share/uv/python/*/bin", []string{".local/share/uv/python"}},
	{".local/share/pnpm", []string{".local/share/pnpm"}},
	{"sdk/go*/bin", []string{"%0"}},
	{"go/bin", []string{"go/bin"}},
	{"miniconda3/bin", []string{"miniconda3"}},
	{"anaconda3/bin", []string{"anaconda3"}},
	{"miniforge3/bin", []string{"miniforge3"}},
}

// toolNames are programs whose links are followed to where they are really installed.
var toolNames = []string{
	"go", "gofmt", "git", "node", "npm", "npx", "pnpm", "yarn", "corepack", "bun", "deno", "python", "python3", "pip", "pip3",
	"uv", "poetry", "pytest", "ruff", "mypy", "tox", "pre-commit", "java", "javac", "mvn", "gradle", "kotlinc", "cargo", "rustc",
	"dotnet", "make", "cmake", "bazel", "bazelisk", "gcc", "cc", "clang", "ruby", "bundle", "php", "composer", "swift",
}

// toolPlaces are the variables that only say where a toolchain is. They are passed on when what they name is shown.
var toolPlaces = []string{
	"JAVA_HOME", "GOROOT", "M2_HOME", "MAVEN_HOME", "GRADLE_HOME", "DOTNET_ROOT", "RUSTUP_HOME", "PYENV_ROOT", "RBENV_ROOT",
	"ANDROID_HOME", "ANDROID_SDK_ROOT",
	// Certificates that this machine trusts, such as those of a company's proxy; files that anybody may read.
	"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
	"CARGO_HTTP_CAINFO",
}

// findTools works out which toolchains of this process's environment a sandbox can show. extra are paths that are shown
// because the user said so.
func findTools(getenv func(string) string, home string, extra []string) toolchains {
	t := toolchains{roots: slices.Clone(extra), env: map[string]string{}}
	var path []string
	for _, dir := range filepath.SplitList(getenv("PATH")) {
		if dir = filepath.Clean(dir); filepath.IsAbs(dir) && t.show(dir, home) && !slices.Contains(path, dir) {
			path = append(path, dir)
		}
	}
	for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/bin"} {
		if !slices.Contains(path, dir) {
			path = append(path, dir)
		}
	}
	t.path = path
	for _, name := range toolNames {
		program := lookPath(name, strings.Join(path, string(filepath.ListSeparator)), "/")
		if program == "" {
			continue
		}
		// A link may lead through several places, each of which has to be there.
		for range 10 {
			to, err := os.Readlink(program)
			if err != nil {
				break
			}
			if !filepath.IsAbs(to) {
				to = filepath.Join(filepath.Dir(program), to)
			}
			t.show(filepath.Dir(to), home)
			program = to
		}
	}
	if rustup := filepath.Join(home, ".rustup"); t.shown(rustup) {
		t.env["RUSTUP_HOME"] = rustup // because HOME is another one inside
	}
	if pyenv := filepath.Join(home, ".pyenv"); t.shown(pyenv) {
		t.env["PYENV_ROOT"] = pyenv
	}
	for _, name := range toolPlaces {
		value := getenv(name)
		if !filepath.IsAbs(value) {
			continue
		}
		if info, err := os.Stat(value); err == nil && (t.shown(filepath.Clean(value)) || t.readable(value, info)) {
			t.env[name] = value
		}
	}
	t.roots, t.wide = outermost(t.roots), outermost(t.wide)
	return t
}

// readable shows a file of certificates that stands somewhere of its own.
func (t *toolchains) readable(file string, info os.FileInfo) bool {
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o004 == 0 || !strings.Contains(filepath.Base(file), ".") {
		return false
	}
	switch filepath.Ext(file) {
	case ".pem", ".crt", ".cer":
		t.roots = append(t.roots, filepath.Clean(file))
		return true
	}
	return false
}

// shown reports whether a path can be seen inside.
func (t *toolchains) shown(p string) bool {
	for _, root := range slices.Concat(systemRoots, t.roots, t.wide, []string{"/etc/ssl/certs", "/etc/pki/tls/certs"}) {
		if p == root || within(root, p) {
			return true
		}
	}
	return false
}

// show makes programs in dir usable inside, if that shows nothing but toolchains, and reports whether they are.
func (t *toolchains) show(dir, home string) bool {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return false
	}
	if t.shown(dir) {
		return true
	}
	add := func(list *[]string, p string) {
		if _, err := os.Stat(p); err == nil && !t.shown(p) {
			*list = append(*list, p)
		}
	}
	if below, ok := strings.CutPrefix(dir, filepath.Clean(home)+"/"); ok && home != "" {
		for _, tool := range homeTools {
			if match, _ := filepath.Match(tool.bin, below); match {
				for _, need := range tool.needs {
					add(&t.roots, filepath.Join(home, strings.ReplaceAll(need, "%0", filepath.Dir(below))))
				}
				return t.shown(dir)
			}
		}
		return false
	}
	parts := strings.Split(dir, "/") // "", first, second, …
	switch {
	case within("/opt", dir):
		add(&t.wide, "/opt/"+parts[2])
	case within("/nix/store", dir):
		add(&t.wide, "/nix/store")
	case within("/home/linuxbrew/.linuxbrew", dir):
		add(&t.wide, "/home/linuxbrew/.linuxbrew")
	}
	return t.shown(dir)
}

// outermost sorts paths and drops those that lie below another.
func outermost(paths []string) []string {
	sorted := slices.Compact(slices.Sorted(slices.Values(paths)))
	return slices.DeleteFunc(slices.Clone(sorted), func(p string) bool {
		return slices.ContainsFunc(sorted, func(other string) bool { return within(other, p) })
	})
}
