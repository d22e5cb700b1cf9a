package guard

// Rule is one thing that guards object to.
type Rule struct {
	Name    string `json:"name"`    // what campaigns allow it by; stable
	Summary string `json:"summary"` // what it means
	Example string `json:"example"` // a change that it finds
	Excuse  string `json:"excuse"`  // what makes the same change honest, besides guard.allow

	named bool   // the prompt, or the campaign's paths, may name the file
	asked []want // what the prompt may ask for
}

// Rules returns the table of all rules, for documentation and for editors.
func Rules() []Rule { return append([]Rule(nil), table...) }

func ruleNamed(name string) *Rule {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
	}
	return nil
}

// The names of the rules.
const (
	testDeleted        = "test-deleted"
	testEmptied        = "test-emptied"
	testSkipped        = "test-skipped"
	testFocused        = "test-focused"
	testCommentedOut   = "test-commented-out"
	testUndiscovered   = "test-undiscovered"
	testExcluded       = "test-excluded"
	testCaseRemoved    = "test-case-removed"
	testSpecialCased   = "test-special-cased"
	assertionRemoved   = "assertion-removed"
	assertionWeakened  = "assertion-weakened"
	expectationChanged = "expectation-changed"
	suppressionAdded   = "suppression-added"
	coverageLowered    = "coverage-lowered"
	checkLoosened      = "check-loosened"
	checkNeutered      = "check-neutered"
	languageDowngraded = "language-downgraded"
	dependencyLowered  = "dependency-downgraded"
	dependencyRerouted = "dependency-rerouted"
	ciEdited           = "ci-edited"
	codeownersEdited   = "codeowners-edited"
	lockfileEdited     = "lockfile-edited"
	hookEdited         = "hook-edited"
	agentConfigEdited  = "agent-config-edited"
	attributesEdited   = "gitattributes-edited"
	ignoreEdited       = "gitignore-edited"
	gaggleEdited       = "gaggle-config-edited"
	outsidePaths       = "outside-paths"
	binaryContent      = "binary-content"
	generatedEdited    = "generated-edited"
	vendoredEdited     = "vendored-edited"
	hugeContent        = "huge-content"
	secretAdded        = "secret-added"
	hiddenUnicode      = "hidden-unicode"
	symlinkUnsafe      = "symlink-unsafe"
	modeChanged        = "mode-changed"
	submoduleChanged   = "submodule-changed"
)

var (
	testWords    = words("test spec suite benchmark testcase unittest")
	removing     = stems("delet remov drop prun retir")
	versionWords = words("version dependenc package librar module toolchain runtime")
)

// table is every rule. steps says which code finds them.
var table = []Rule{
	{Name: testDeleted, Summary: "A test is gone, and its checks are found nowhere else in the diff.",
		Example: "func TestRefund is removed from refund_test.go", Excuse: "the same checks stand in another test; what the test was about is removed too and the prompt asks for a removal; the prompt says to delete the tests",
		asked: []want{{removing, testWords, true}}},
	{Name: testEmptied, Summary: "A test that checked something is still there but checks nothing any more.",
		Example: "the body of test_refund is now pass", Excuse: "as test-deleted", asked: []want{{removing, testWords, true}}},
	{Name: testSkipped, Summary: "A test no longer runs, or ends before its checks: skipped, disabled, put behind a condition or build tag, or left early.",
		Example: "t.Skip(\"flaky\") is added to TestRefund", Excuse: "the test was skipped before, in the old spelling; the prompt says to skip or disable tests",
		asked: []want{{stems("skip disabl quarantin ignor"), testWords, true}}},
	{Name: testFocused, Summary: "One test is focused, so that the others no longer run.",
		Example: "it(...) becomes it.only(...)", Excuse: "guard.allow only"},
	{Name: testCommentedOut, Summary: "A test or its checks are turned into a comment.",
		Example: "// assertEquals(3, add(1, 2));", Excuse: "as test-deleted", asked: []want{{removing, testWords, true}, {stems("comment"), words("test spec out"), false}}},
	{Name: testUndiscovered, Summary: "A test is renamed or moved so that its runner no longer finds it.",
		Example: "refund_test.go becomes refund_test.go.bak; test_refund becomes _test_refund", Excuse: "the prompt says to delete, disable or move the tests",
		asked: []want{{append(stems("disabl"), removing...), testWords, true}}},
	{Name: testExcluded, Summary: "A runner's configuration leaves tests out.",
		Example: "testPathIgnorePatterns gains \"refund\"; pytest's addopts gain --ignore=tests/refund", Excuse: "the prompt says to exclude, ignore or skip tests, or names the file",
		asked: []want{{stems("skip disabl exclud ignor"), testWords, true}}},
	{Name: testCaseRemoved, Summary: "A row of a test's table, a parameter set or a subtest is gone.",
		Example: "{\"leap year\", 2024, true} is removed from a table", Excuse: "the row stands elsewhere in the diff; the prompt says to delete tests or cases",
		asked: []want{{removing, append(words("subtest"), testWords...), true}, {removing, []string{"test case", "table row"}, true}}},
	{Name: testSpecialCased, Summary: "Production code behaves differently under test, or knows a test's input.",
		Example: "if os.Getenv(\"PYTEST_CURRENT_TEST\") …; if id == \"test-42\" { return expected }", Excuse: "the same condition was there before"},
	{Name: assertionRemoved, Summary: "A test has fewer checks than before, and the missing ones are found nowhere else in the diff.",
		Example: "assert.Equal(t, 3, got) is removed and nothing takes its place", Excuse: "the check moved to a helper, a table row or another test; what it checked is removed and the prompt asks for a removal",
		asked: []want{{removing, append(words("assertion expectation"), testWords...), true}}},
	{Name: assertionWeakened, Summary: "A check asks for less: equal became not-nil, a tolerance grew, an error is caught, logged or matches anything.",
		Example: "expect(total).toBe(42) becomes expect(total).toBeDefined()", Excuse: "the check is rewritten one to one in another library",
		asked: []want{{stems("relax loosen weaken"), words("test assertion tolerance check expectation"), true}}},
	{Name: expectationChanged, Summary: "A test expects another value than before, and the prompt speaks of neither.",
		Example: "assert total(cart) == 42 becomes assert total(cart) == 41", Excuse: "the old or new value stands in the prompt; a text is replaced in the same way in production code; the prompt says to update expectations, snapshots or golden files",
		asked: []want{{stems("updat chang adjust regenerat refresh adapt rewrit"), []string{"expectation", "snapshot", "golden", "expected output", "expected value", "expected result"}, false}}},
	{Name: suppressionAdded, Summary: "A linter, compiler or type checker is told to look away.",
		Example: "//nolint, eslint-disable, # type: ignore, @SuppressWarnings, #[allow(...)], #pragma warning disable, as any", Excuse: "the same suppression was there before, or moved; the prompt says to suppress",
		asked: []want{{stems("suppress silenc ignor disabl"), words("warning lint rule diagnostic finding"), true}, {append(stems("suppress"), edits...), words("suppression nolint noqa eslint-disable ts-ignore @ts-ignore @ts-expect-error @suppresswarnings"), false}}},
	{Name: coverageLowered, Summary: "A coverage threshold is lowered, or code is left out of the measurement.",
		Example: "coverageThreshold.global.lines 80 -> 60; fail_under = 90 is removed", Excuse: "the prompt speaks of lowering coverage",
		asked: []want{{stems("lower reduc remov relax drop"), words("coverage threshold"), true}}},
	{Name: checkLoosened, Summary: "A linter's, compiler's or type checker's configuration asks for less.",
		Example: "\"strict\": false in tsconfig.json; a linter leaves .golangci.yml; -Werror is removed", Excuse: "the prompt names the file, or says to relax the rule",
		named: true, asked: []want{{stems("relax loosen disabl lower turn exclud remov"), words("rule lint linter warning strict strictness werror -werror"), true}}},
	{Name: checkNeutered, Summary: "A command that checks the code no longer fails, or no longer runs.",
		Example: "\"test\": \"jest || true\"; go vet leaves the Makefile's test target; continue-on-error: true", Excuse: "the command is replaced by another runner; the prompt says to remove the step",
		asked: []want{{removing, []string{"lint step", "lint job", "lint target", "lint script", "test step", "test job", "test target", "test script", "ci step", "ci job"}, true}}},
	{Name: languageDowngraded, Summary: "The language level, toolchain or base image is older than before.",
		Example: "go 1.24 -> go 1.21; maven.compiler.release 21 -> 11; FROM node:22 -> node:18", Excuse: "the prompt says to downgrade or to pin a version",
		asked: []want{{stems("downgrad"), nil, false}, {stems("lower pin revert"), append(words("go java node python ruby rust php kotlin typescript .net dotnet jdk sdk"), versionWords...), false}}},
	{Name: dependencyLowered, Summary: "A dependency is older than before.",
		Example: "github.com/stretchr/testify v1.10.0 -> v1.8.0", Excuse: "the prompt says to downgrade, pin or revert",
		asked: []want{{stems("downgrad"), nil, false}, {stems("pin revert rollback"), versionWords, false}, {stems("roll"), words("back"), false}}},
	{Name: dependencyRerouted, Summary: "A dependency comes from another place than before: a replace directive, a git or file URL, another registry, another checksum.",
		Example: "replace example.com/x => ../x in go.mod", Excuse: "the prompt speaks of replace directives, forks or registries",
		asked: []want{{edits, words("fork registry mirror"), false}, {edits, words("directive"), false}}},
	{Name: ciEdited, Summary: "A continuous-integration file is changed.",
		Example: ".github/workflows/ci.yml", Excuse: "the prompt names the file or asks for a change in CI; the campaign's paths name it", named: true,
		asked: []want{{edits, words("ci jenkinsfile github-actions .github gitlab-ci circleci travis ci/cd"), false}, {edits, []string{"github action", "github workflow", "continuous integration", "build pipeline", "gitlab pipeline", "azure pipeline", "build matrix", "workflow file"}, false}}},
	{Name: codeownersEdited, Summary: "CODEOWNERS is changed: it decides who must review.",
		Example: "CODEOWNERS", Excuse: "the prompt or the campaign's paths name it", named: true, asked: []want{{edits, words("codeowner"), false}, {edits, []string{"code owner"}, false}}},
	{Name: lockfileEdited, Summary: "A lockfile is changed without its manifest, or a recorded checksum is replaced.",
		Example: "package-lock.json alone; another h1: for the same version in go.sum", Excuse: "its manifest changes too; the prompt or the campaign's paths name it", named: true,
		asked: []want{{edits, words("lockfile vulnerabilit cve"), false}, {edits, []string{"lock file"}, false}, {stems("updat bump upgrad add remov instal refresh"), words("dependenc"), true}}},
	{Name: hookEdited, Summary: "A git hook, or the configuration of one, is changed: it runs on people's machines.",
		Example: ".husky/pre-commit, .githooks/, .pre-commit-config.yaml, lefthook.yml", Excuse: "the prompt or the campaign's paths name it", named: true,
		asked: []want{{edits, words("pre-commit husky lefthook precommit githook"), false}, {edits, []string{"git hook"}, false}}},
	{Name: agentConfigEdited, Summary: "The configuration or instructions of a coding agent are changed.",
		Example: ".claude/settings.json, CLAUDE.md, AGENTS.md, .mcp.json, .cursor/", Excuse: "the prompt or the campaign's paths name it", named: true},
	{Name: attributesEdited, Summary: ".gitattributes hides diffs or runs filters: binary, -diff, linguist-generated, filter=, merge=, eol=.",
		Example: "*.go binary", Excuse: "the prompt or the campaign's paths name it", named: true,
		asked: []want{{edits, []string{"line ending", "git attribute", "gitattribute", "lfs"}, false}}},
	{Name: ignoreEdited, Summary: "An ignore file of git is changed: what it hides is not reviewed.",
		Example: ".gitignore gains *_test.go", Excuse: "the prompt or the campaign's paths name it", named: true, asked: []want{{edits, words("gitignore"), false}}},
	{Name: gaggleEdited, Summary: "The repository's own answer to Gaggle is changed.",
		Example: ".gaggle.yaml", Excuse: "the prompt or the campaign's paths name it", named: true},
	{Name: outsidePaths, Summary: "A file outside the campaign's paths or the component's folder is touched.",
		Example: "docs/index.md under paths: ['**/*.go']", Excuse: "guard.allow only"},
	{Name: binaryContent, Summary: "A binary file is added or changed.",
		Example: "logo.png, tool.jar", Excuse: "it only moves; the prompt or the campaign's paths name it", named: true,
		asked: []want{{edits, words("image icon logo binar font screenshot png favicon"), true}, {edits, []string{"gradle wrapper", "maven wrapper"}, false}}},
	{Name: generatedEdited, Summary: "A generated file is edited by hand.",
		Example: "// Code generated by protoc-gen-go. DO NOT EDIT.", Excuse: "its source changes in the same diff; the prompt says to regenerate; the campaign's paths name it", named: true,
		asked: []want{{stems("regenerat"), nil, false}, {edits, []string{"generated code", "generated file", "codegen"}, true}, {stems("run rerun execut"), words("codegen generate generator"), false}}},
	{Name: vendoredEdited, Summary: "Somebody else's code in this repository is edited.",
		Example: "vendor/github.com/x/y/z.go", Excuse: "vendor/modules.txt, or the manifest, changes in the same diff; the prompt or the campaign's paths name it", named: true,
		asked: []want{{edits, []string{"vendored code", "vendored copy", "vendor folder", "vendor directory", "vendor/", "third_party", "node_modules"}, false}, {stems("vendor revendor"), words("it them dependenc module package again"), true}}},
	{Name: hugeContent, Summary: "More content than a person reviews: a file gains 10,000 lines or a megabyte, or a line of 20,000 bytes.",
		Example: "data.json with 3 MB", Excuse: "it is a lockfile; the prompt or the campaign's paths name it", named: true},
	{Name: secretAdded, Summary: "What looks like a credential is added.",
		Example: "aws_secret_access_key = …; -----BEGIN PRIVATE KEY-----", Excuse: "it was there before; it is a placeholder, or stands in a test's fixtures"},
	{Name: hiddenUnicode, Summary: "Characters that a reviewer does not see: bidirectional controls, zero-width characters, look-alike letters in names.",
		Example: "U+202E in a comment; Cyrillic а in isAdmin", Excuse: "they were there before; they are part of a script or an emoji that needs them"},
	{Name: symlinkUnsafe, Summary: "A symbolic link is absolute, leaves the repository, points into .git or takes a file's place.",
		Example: "config -> /etc/passwd", Excuse: "guard.allow only"},
	{Name: modeChanged, Summary: "A file becomes executable or stops being so.",
		Example: "old mode 100644, new mode 100755", Excuse: "a new script with a #! line; the prompt speaks of it", named: true,
		asked: []want{{append(stems("mak"), edits...), []string{"executable", "permission", "file mode"}, false}, {stems("chmod"), nil, false}}},
	{Name: submoduleChanged, Summary: "A submodule, or where it comes from, is changed.",
		Example: "mode 160000; .gitmodules", Excuse: "the prompt or the campaign's paths name it", named: true, asked: []want{{edits, words("submodule"), false}}},
}

// steps lists the code of the rules, in the order in which it runs; later steps may rely on nothing of earlier ones.
func steps() []func(*review) {
	return []func(*review){
		checkScope,
		checkFiles,
		checkModes,
		checkSpecialFiles,
		checkLockfiles,
		checkAttributes,
		checkTests,
		checkSuppressions,
		checkCommands,
		checkDials,
		checkVersions,
		checkSecrets,
		checkUnicode,
		checkCased,
		checkBuildTags,
		checkRunners,
	}
}
