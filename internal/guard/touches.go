package guard

import (
	"path"
	"slices"
	"strings"

	"gaggle/internal/guard/source"
)

// Touched says which kinds of files a diff changes.
type Touched struct {
	Tests  bool // tests, and what serves them
	Source bool // code that runs: neither tests nor documents
	Build  bool // build files, lockfiles, CI
}

// buildFiles are named as tools look for them; CI's lie in folders of their own.
var buildFiles = []string{"Makefile", "GNUmakefile", "Dockerfile", "Jenkinsfile", "CMakeLists.txt", "BUILD", "BUILD.bazel", "WORKSPACE", "MODULE.bazel", "Cargo.toml", "pom.xml", "build.gradle",
	"build.gradle.kts", "settings.gradle", "settings.gradle.kts", "package.json", "go.mod", "go.work", "pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Gemfile", "composer.json", "global.json",
	"Directory.Build.props", ".gitlab-ci.yml", "azure-pipelines.yml", "bitbucket-pipelines.yml", ".travis.yml"}

// Touches reads a diff that git made. What cannot be read touches everything.
func Touches(diff []byte) Touched {
	changes, err := parse(diff, func(string) []byte { return nil })
	if err != nil {
		return Touched{true, true, true}
	}
	var t Touched
	for _, c := range changes {
		for _, p := range c.paths() {
			_, lock := isLock(p)
			switch {
			case isTestSupport(p):
				t.Tests = true
			case lock, slices.Contains(buildFiles, path.Base(p)), strings.HasSuffix(p, ".csproj"), strings.HasPrefix(p, ".github/"), strings.HasPrefix(p, ".circleci/"), strings.HasPrefix(p, ".gitea/"):
				t.Build = true
			case !isDocument(p) && (source.Of(p) != nil || isScript(c)):
				t.Source = true
			}
		}
	}
	return t
}
