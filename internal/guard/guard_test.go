package guard

import (
	"strings"
	"testing"

	"gaggle/internal/fleet"
)

func TestEveryRuleIsDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, rule := range Rules() {
		if rule.Summary == "" || rule.Example == "" || rule.Excuse == "" {
			t.Errorf("%s lacks a summary, an example or an excuse", rule.Name)
		}
		if seen[rule.Name] {
			t.Errorf("%s stands twice", rule.Name)
		}
		seen[rule.Name] = true
	}
}

func TestAllow(t *testing.T) {
	const diff = "diff --git a/.gitignore b/.gitignore\nindex 1..2 100644\n--- a/.gitignore\n+++ b/.gitignore\n@@ -1 +1,2 @@\n a\n+b\n"
	for name, tc := range map[string]struct {
		allow []string
		want  int
	}{
		"nothing":       {nil, 1},
		"the rule":      {[]string{"gitignore-edited"}, 0},
		"the file":      {[]string{"gitignore-edited:**/.gitignore"}, 0},
		"another file":  {[]string{"gitignore-edited:sub/**"}, 1},
		"another rule":  {[]string{"ci-edited"}, 1},
		"several rules": {[]string{"ci-edited", "gitignore-edited"}, 0},
	} {
		findings, err := Check(Input{Diff: []byte(diff), Allow: tc.allow})
		if err != nil || len(findings) != tc.want {
			t.Errorf("%s: %d findings, %v", name, len(findings), err)
		}
	}
	for text, hint := range map[string]string{"gitignore-edit": "gitignore-edited", "test-delete": "test-deleted", "xyz": "one of "} {
		_, err := Check(Input{Diff: []byte(diff), Allow: []string{text}})
		if fleet.CodeOf(err) != fleet.CodeInvalid || !strings.Contains(fleet.HintOf(err), hint) {
			t.Errorf("%s: %v, hint %q", text, err, fleet.HintOf(err))
		}
	}
	if _, err := Check(Input{Diff: []byte(diff), Allow: []string{"vendored-edited:[", "x"}}); err == nil {
		t.Error("a malformed glob is allowed")
	}
}

func TestWhatPromptsAskFor(t *testing.T) {
	for _, tc := range []struct {
		prompt, rule, file string
		want               bool
	}{
		{"Delete the tests of the removed feature.", testDeleted, "a_test.go", true},
		{"Remove io/ioutil from the code and its tests.", testDeleted, "a_test.go", false},
		{"Do not delete any tests.", testDeleted, "a_test.go", false},
		{"Never remove tests, and update the docs.", testDeleted, "a_test.go", false},
		{"Remove the JUnit 4 test runner.", testDeleted, "a_test.go", false},
		{"Remove dead code and run the tests.", testDeleted, "a_test.go", false},
		{"Update the Go version in go.mod and in the CI workflows.", ciEdited, ".github/workflows/ci.yml", true},
		{"Replace ioutil so that CI passes.", ciEdited, ".github/workflows/ci.yml", false},
		{"Replace ioutil without touching CI.", ciEdited, ".github/workflows/ci.yml", false},
		{"Change .github/workflows/ci.yml to use Go 1.24.", ciEdited, ".github/workflows/ci.yml", true},
		{"Follow AGENTS.md.", agentConfigEdited, "AGENTS.md", false},
		{"Update AGENTS.md to mention the new layout.", agentConfigEdited, "AGENTS.md", true},
		{"Downgrade Spring to 5.", dependencyLowered, "pom.xml", true},
		{"Never downgrade a dependency.", dependencyLowered, "pom.xml", false},
		{"Upgrade Spring to 6.", dependencyLowered, "pom.xml", false},
		{"Bump lodash; package-lock.json must not change.", lockfileEdited, "package-lock.json", false},
		{"Update the dependencies.", lockfileEdited, "package-lock.json", true},
		{"", testDeleted, "a_test.go", false},
		// The words of honest campaigns that ask for none of it.
		{"Replace io/ioutil. When a use is in generated code, leave it and say so.", generatedEdited, "a.pb.go", false},
		{"Regenerate the mocks.", generatedEdited, "mock_a.go", true},
		{"Migrate the class components to hooks.", hookEdited, ".husky/pre-commit", false},
		{"Use the pipeline operator.", ciEdited, ".gitlab-ci.yml", false},
		{"Rename OrderWorkflow to OrderProcess.", ciEdited, ".github/workflows/ci.yml", false},
		{"Migrate the Redux actions.", ciEdited, ".github/workflows/ci.yml", false},
		{"Remove the redundant nil checks.", checkLoosened, ".golangci.yml", false},
		{"Remove the redundant nil checks.", assertionRemoved, "a_test.go", false},
		{"Silence the deprecation warnings.", suppressionAdded, "a.js", true},
		{"Add the rule no-eval to the linter.", suppressionAdded, "a.js", false},
		{"Lower-case the table names.", dependencyLowered, "go.mod", false},
		{"Lower the log level.", languageDowngraded, "go.mod", false},
		{"Pin the GitHub Actions to commits.", dependencyLowered, "go.mod", false},
		{"Pin the version of React.", dependencyLowered, "package.json", true},
		{"Mark the tests as parallel.", testSkipped, "a_test.go", false},
		{"Disable the tests of the old exporter.", testSkipped, "a_test.go", true},
		{"Use AssertJ's assertions in the tests.", expectationChanged, "ATest.java", false},
		{"Change the rounding, and update the expected values.", expectationChanged, "a_test.go", true},
		{"Replace the lock by a channel.", lockfileEdited, "go.sum", false},
		{"Use strict mode.", modeChanged, "a.js", false},
		{"Make release.sh executable.", modeChanged, "release.sh", true},
		{"Replace the image library.", binaryContent, "x.bin", false},
		{"Call the vendor's API.", vendoredEdited, "vendor/x.go", false},
		{"Set up coverage reports.", coverageLowered, "jest.config.js", false},
		{"Lower the coverage threshold to 70.", coverageLowered, "jest.config.js", true},
		{"Remove the build script.", checkNeutered, "Makefile", false},
	} {
		if got := readPrompt(tc.prompt).permits(ruleNamed(tc.rule), tc.file); got != tc.want {
			t.Errorf("%q permits %s: %v, want %v", tc.prompt, tc.rule, got, tc.want)
		}
	}
}
