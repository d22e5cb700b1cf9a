package verify

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// cargo finds a crate or a workspace.
func (t *tree) cargo(at, want string) []Verifier {
	dirs := []string{at}
	if !t.has(path.Join(at, "Cargo.toml")) {
		if at != want {
			return nil
		}
		dirs = t.roots(at, 3, false, func(name string) bool { return name == "Cargo.toml" })
	}
	var found []Verifier
	for _, dir := range dirs[:min(len(dirs), 4)] {
		manifest := path.Join(dir, "Cargo.toml")
		whole := []string{}
		if hasHeader(t.read(manifest), "workspace") {
			whole = []string{"--workspace"}
		}
		// cargo fetch asks rustc for its version, and these files choose the rustc.
		executes := false
		for up := dir; ; up = path.Dir(up) {
			executes = executes || t.first(up, ".cargo/config.toml", ".cargo/config", "rust-toolchain.toml", "rust-toolchain") != ""
			if up == "." {
				break
			}
		}
		warm := []Step{{Argv: []string{"cargo", "fetch"}, Dir: dir, Executes: executes}}
		add := func(name string, kind Kind, argv ...string) {
			found = append(found, Verifier{Name: name, Kind: kind, Source: manifest, Tool: "cargo", Dir: dir, Argv: argv, Warm: warm, Scratch: scratch(dir, "target/")})
		}
		call := func(args ...string) []string { return slices.Concat([]string{"cargo", args[0]}, whole, args[1:]) }
		add("cargo build", Build, call("build", "--message-format", "short")...)
		if t.first(dir, "rustfmt.toml", ".rustfmt.toml") != "" {
			add("cargo fmt", Lint, "cargo", "fmt", "--all", "--check")
		}
		if t.first(dir, "clippy.toml", ".clippy.toml") != "" {
			add("cargo clippy", Lint, call("clippy", "--all-targets", "--message-format", "short")...)
		}
		add("cargo test", Test, call("test", "--no-fail-fast", "--message-format", "short")...)
	}
	return found
}

// dotnet finds a solution, or else projects.
func (t *tree) dotnet(at, want string) []Verifier {
	isSolution := func(name string) bool { return strings.HasSuffix(name, ".sln") || strings.HasSuffix(name, ".slnx") }
	isProject := func(name string) bool {
		return strings.HasSuffix(name, ".csproj") || strings.HasSuffix(name, ".fsproj") || strings.HasSuffix(name, ".vbproj")
	}
	depth := 3
	if at != want {
		depth = 0
	}
	files := t.files(at, depth, isSolution)
	if len(files) == 0 {
		files = t.files(at, depth, isProject)
	}
	var found []Verifier
	for _, file := range files[:min(len(files), 4)] {
		dir, name := path.Split(file)
		dir = clean(dir)
		warm := []Step{{Argv: []string{"dotnet", "restore", name}, Dir: dir, Executes: true, Optional: true}}
		add := func(what string, kind Kind, argv ...string) {
			found = append(found, Verifier{Name: what, Kind: kind, Source: file, Tool: "dotnet", Dir: dir, Argv: argv, Warm: warm, Scratch: scratch(clean(at), "bin/", "obj/", "TestResults/")})
		}
		add("dotnet build", Build, "dotnet", "build", name, "-nologo", "-clp:NoSummary")
		add("dotnet test", Test, "dotnet", "test", name, "--nologo", "--no-build")
	}
	return found
}

// files finds the files of the topmost folders that hold one, one a folder: the first by name.
func (t *tree) files(at string, depth int, marks func(name string) bool) []string {
	var found []string
	t.below(at, depth, true, func(dir string, names []fs.DirEntry) bool {
		for _, e := range names {
			if e.Type().IsRegular() && marks(e.Name()) && len(found) < maxRoots {
				found = append(found, path.Join(dir, e.Name()))
				return false
			}
		}
		return true
	})
	return found
}

// bazel finds a Bazel workspace; a component inside one is its packages.
func (t *tree) bazel(at, want string) []Verifier {
	source := t.first(at, "MODULE.bazel", "WORKSPACE.bazel", "WORKSPACE")
	if source == "" {
		return nil
	}
	pattern := "//..."
	if at != want && t.first(want, "BUILD.bazel", "BUILD") != "" {
		pattern = "//" + relativeBelow(at, want) + "/..."
	}
	flags := []string{"--color=no", "--curses=no", "--noshow_progress", "--keep_going"}
	return []Verifier{{
		Name: "bazel test", Kind: Test, Source: path.Join(at, source), Tool: "bazel", Dir: at,
		Argv:    slices.Concat([]string{"bazel", "test"}, flags, []string{"--test_output=errors", pattern}),
		Warm:    []Step{{Argv: slices.Concat([]string{"bazel", "fetch"}, flags[:3], []string{pattern}), Dir: at, Executes: true, Optional: true}},
		Scratch: scratch(at, "bazel-*"),
	}}
}

// preCommitRun works on a copy of what Warm installed: pre-commit locks its home even when there is nothing to install, and a
// change under way sees it read-only. Where pre-commit is not there, the shell says so with 127.
const preCommitRun = `cp -R "$PRE_COMMIT_HOME" /tmp/hooks 2>/dev/null; PRE_COMMIT_HOME=/tmp/hooks pre-commit run --all-files --color=never`

// preCommit finds hooks that check the code. They run on all files, so that an old complaint is found on the base too.
func (t *tree) preCommit(at string) []Verifier {
	name := t.first(at, ".pre-commit-config.yaml", ".pre-commit-config.yml")
	if name == "" {
		return nil
	}
	return []Verifier{{
		Name: "pre-commit", Kind: Lint, Source: path.Join(at, name), Tool: "pre-commit", Dir: at, Argv: []string{"sh", "-c", preCommitRun},
		Warm: []Step{{Argv: []string{"pre-commit", "install-hooks"}, Dir: at, Executes: true, Optional: true}},
	}}
}
