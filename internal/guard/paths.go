package guard

import (
	"path"
	"regexp"
	"strings"
)

// What a path says about a file. All of these take slash-separated paths from the repository's root.

var (
	ciPath = regexp.MustCompile(`(?i)^(\.github/(workflows|actions)/|\.circleci/|\.buildkite/|\.woodpecker|\.gitlab/ci/|\.teamcity/|\.drone\.|ci/|\.ci/|\.azure-pipelines/|\.semaphore/|\.gitea/workflows/|\.forgejo/workflows/)|` +
		`(^|/)(\.gitlab-ci\.ya?ml|[^/]*\.gitlab-ci\.ya?ml|jenkinsfile[^/]*|[^/]*\.jenkinsfile|azure-pipelines[^/]*\.ya?ml|bitbucket-pipelines\.ya?ml|\.travis\.ya?ml|\.?appveyor\.ya?ml|\.drone\.(ya?ml|jsonnet)|cloudbuild\.ya?ml|buildspec\.ya?ml|\.cirrus\.ya?ml|wercker\.ya?ml|codemagic\.ya?ml|\.woodpecker\.ya?ml)$`)
	ownersPath = regexp.MustCompile(`(?i)(^|/)codeowners$`)
	hookPath   = regexp.MustCompile(`(?i)(^|/)(\.husky|\.githooks|\.git-hooks|githooks|git-hooks)/|(^|/)(\.?lefthook(-local)?\.(ya?ml|toml|json)|\.pre-commit-config\.ya?ml|\.pre-commit-hooks\.ya?ml|\.overcommit\.ya?ml|\.?huskyrc(\.[a-z]+)?|\.pre-commit)$`)
	agentPath  = regexp.MustCompile(`(?i)(^|/)(\.claude|\.cursor|\.codex|\.gemini|\.opencode|\.agents|\.aider|\.continue|\.roo|\.windsurf|\.kiro|\.junie|\.clinerules|\.amazonq)/|` +
		`(^|/)(claude(\.local)?\.md|agents?\.md|gemini\.md|copilot-instructions\.md|\.mcp\.json|mcp\.json|\.cursorrules|\.cursorignore|\.windsurfrules|\.clinerules|\.roomodes|opencode\.jsonc?|\.aider\.conf\.ya?ml|\.goosehints)$|^\.github/(copilot-instructions\.md|instructions/|prompts/|chatmodes/|agents/)`)
	ignorePath = regexp.MustCompile(`(^|/)\.gitignore$|^\.git/info/exclude$`)
	vendorPath = regexp.MustCompile(`(^|/)(vendor|node_modules|bower_components|Godeps|Pods|Carthage|third_party|third-party|thirdparty|_vendor|site-packages|\.yarn/(cache|releases|plugins))/`)
	// generatedPath are names that only generators make.
	generatedPath = regexp.MustCompile(`(?i)(\.pb(\.[a-z]+)?\.(go|cc|h|cpp|py)|_pb2(_grpc)?\.pyi?|_pb\.(js|d\.ts|rb)|\.g\.dart|\.freezed\.dart|\.designer\.cs|\.g\.cs|\.min\.(js|css)|\.bundle\.js|\.generated\.[a-z]+|(^|/)zz_generated[^/]*|_generated\.[a-z]+|\.js\.map|\.css\.map|grpc\.pb\.go|_string\.go)$|(^|/)(dist|__generated__|generated-sources)/.*\.(js|css|mjs|cjs|map|ts|java|kt)$`)
	lockNames     = map[string][]string{ // lockfile -> its manifests
		"go.sum": {"go.mod", "go.work"}, "go.work.sum": {"go.work", "go.mod"},
		"package-lock.json": {"package.json"}, "npm-shrinkwrap.json": {"package.json"}, "yarn.lock": {"package.json", ".yarnrc.yml"},
		"pnpm-lock.yaml": {"package.json", "pnpm-workspace.yaml"}, "bun.lock": {"package.json"}, "bun.lockb": {"package.json"},
		"Cargo.lock": {"Cargo.toml"}, "poetry.lock": {"pyproject.toml"}, "uv.lock": {"pyproject.toml"}, "pdm.lock": {"pyproject.toml"},
		"Pipfile.lock": {"Pipfile"}, "Gemfile.lock": {"Gemfile", ".gemspec"}, "gems.locked": {"gems.rb"}, "composer.lock": {"composer.json"},
		"packages.lock.json": {".csproj", ".fsproj", ".vbproj", "Directory.Packages.props", "Directory.Build.props"},
		"gradle.lockfile":    {"build.gradle", "build.gradle.kts", "libs.versions.toml"}, "buildscript-gradle.lockfile": {"build.gradle", "build.gradle.kts"},
		"verification-metadata.xml": {"build.gradle", "build.gradle.kts", "libs.versions.toml"},
		"deno.lock":                 {"deno.json", "deno.jsonc"}, "flake.lock": {"flake.nix"}, "Package.resolved": {"Package.swift"}, "Podfile.lock": {"Podfile"},
		"mix.lock": {"mix.exs"}, "pubspec.lock": {"pubspec.yaml"}, "MODULE.bazel.lock": {"MODULE.bazel"}, "conan.lock": {"conanfile.txt", "conanfile.py"},
	}
	fixtureDir = regexp.MustCompile(`(?i)(^|/)(testdata|fixtures?|__fixtures__|test[-_]?resources|cassettes|test[-_]?data|__mocks__|golden|snapshots|__snapshots__|src/(test|integrationTest|androidTest)/resources)/`)
	// sampleDir holds what tests read; runners do not look for tests there.
	sampleDir = regexp.MustCompile(`(^|/)(testdata|fixtures?|__fixtures__|__mocks__|src/test/resources)/`)
	testDir   = regexp.MustCompile(`(?i)(^|/)(tests?|__tests__|specs?|e2e|integration[-_]?tests?|unit[-_]?tests?|testing|cypress|src/[a-z]*test)/`)
	// discoveredTest are the files in which the usual runners look for tests, by the languages' defaults.
	discoveredTest = []*regexp.Regexp{
		regexp.MustCompile(`(^|/)[^/_.][^/]*_test\.go$`),
		regexp.MustCompile(`(^|/)[^/]+[.-](test|spec|cy|e2e|unit)\.[cm]?[jt]sx?$|(^|/)__tests__/.*\.[cm]?[jt]sx?$|(^|/)(test|tests|spec)/.*\.[cm]?[jt]sx?$|(^|/)(test|spec)\.[cm]?[jt]sx?$|(^|/)[^/]+_(test|spec)\.[cm]?[jt]sx?$`),
		regexp.MustCompile(`(^|/)(test_[^/]*|[^/]*_test|tests?)\.py$`),
		regexp.MustCompile(`(^|/)(Test[A-Z0-9_][^/]*|[^/]*(Tests?|TestCase|IT|ITCase|Spec|Specs))\.(java|kt|kts|groovy|scala)$|(^|/)src/[a-zA-Z]*[tT]est/.*\.(java|kt|kts|groovy|scala)$`),
		regexp.MustCompile(`(^|/)[^/]*(Tests?|Specs?|Fixture)\.(cs|fs|vb)$|(^|/)[^/]*\.?(Unit|Integration)?Tests?/.*\.(cs|fs|vb)$`),
		regexp.MustCompile(`(^|/)tests/([^/]+|[^/]+/main)\.rs$|(^|/)tests?\.rs$|_tests?\.rs$|(^|/)tests/.*\.rs$`),
		regexp.MustCompile(`(^|/)[^/]+_(spec|test)\.rb$|(^|/)test_[^/]+\.rb$`),
		regexp.MustCompile(`(^|/)[^/]*Test(Case)?\.php$|\.phpt$|(^|/)tests?/.*\.php$|Cest\.php$`),
		regexp.MustCompile(`\.bats$|(^|/)(test_[^/]*|[^/]*_test|[^/]*[-_]tests?|test-[^/]*|tests?)\.(sh|bash)$|(^|/)tests?/.*\.(sh|bash|t)$`),
		regexp.MustCompile(`(^|/)[^/]+_test\.(exs|dart|cc|cpp|c)$|(^|/)[^/]+(Tests?|Spec)\.(swift|scala|m)$|_test\.(clj|ml|erl)$`),
	}
)

// isTest reports whether a runner finds tests in a file of that name.
func isTest(p string) bool {
	if p == "" || vendorPath.MatchString(p) || sampleDir.MatchString(p) {
		return false
	}
	if strings.HasSuffix(p, ".go") && (strings.Contains("/"+p, "/testdata/") || strings.Contains("/"+p, "/_") || strings.Contains("/"+p, "/.")) {
		return false
	}
	for _, re := range discoveredTest {
		if re.MatchString(p) {
			return true
		}
	}
	return false
}

// isTestSupport reports whether a file serves tests: helpers, fixtures, configuration of runners.
func isTestSupport(p string) bool {
	base := path.Base(p)
	return isTest(p) || testDir.MatchString(p) || fixtureDir.MatchString(p) || base == "conftest.py" || base == "spec_helper.rb" || base == "rails_helper.rb" || base == "test_helper.rb" || base == "test_helper.bash"
}

// isLock reports whether a file is a lockfile, and which manifests it belongs to.
func isLock(p string) ([]string, bool) {
	m, ok := lockNames[path.Base(p)]
	return m, ok
}

var generatedMark = regexp.MustCompile(`(?i)^\W*(code generated .* do not edit|.*@generated\b|autogenerated by|auto-?generated (file|by|code)|this file (is|was) (automatically |auto-?)generated|generated by the protocol buffer compiler|<auto-generated)`)

// generatedHeader returns the line among the first ones that says that a file is generated, or "".
func generatedHeader(s side) string {
	if len(s.blocks) == 0 || s.blocks[0].first > 40 {
		return ""
	}
	for _, l := range s.blocks[0].lines[:min(40, len(s.blocks[0].lines))] {
		if len(l) < 400 && generatedMark.MatchString(l) {
			return l
		}
	}
	return ""
}
