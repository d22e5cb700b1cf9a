package guard

import (
	"path"
	"regexp"
	"strings"
)

// checkedBy are the commands that check code, by what they check.
var checkedBy = []struct {
	class string
	re    *regexp.Regexp
}{
	{"test", regexp.MustCompile(`\b(go test|gotestsum|ginkgo|npm (?:run )?t(?:est)?\b|(?:npm|pnpm|yarn|bun)(?: run)? test|jest|vitest|mocha|ava|karma|playwright test|cypress run|pytest|py\.test|python3? -m unittest|tox|nox|nosetests|mvnw?\b.*\b(?:test|verify|install)|gradlew?\b.*\b(?:test|check|build)|cargo (?:\S+ )?(?:test|nextest)|dotnet test|rspec|rake(?: test)?|rails test|minitest|phpunit|pest\b|bats|make (?:test|check)|ctest|bazel test|swift test|xcodebuild test|deno test|bun test|node --test|tap\b|sbt test|mix test|zig test)`)},
	{"lint", regexp.MustCompile(`\b(go vet|golangci-lint|staticcheck|gofmt -l|gosec|govulncheck|eslint|biome (?:check|ci|lint)|oxlint|stylelint|prettier (?:\S+ )*(?:--check|-c|--list-different)|npm run lint|yarn lint|pnpm lint|standard\b|xo\b|ruff|flake8|pylint|bandit|black (?:\S+ )*--check|isort (?:\S+ )*--check|checkstyle|spotbugs|pmd\b|detekt|ktlint|spotless(?:Check|:check)|cargo (?:\S+ )?clippy|cargo (?:\S+ )?fmt (?:\S+ )*--check|cargo deny|cargo audit|dotnet format|rubocop|brakeman|phpcs|phpmd|php-cs-fixer|shellcheck|hadolint|actionlint|yamllint|make (?:lint|vet)|pre-commit run|npm audit)`)},
	{"types", regexp.MustCompile(`\b(tsc\b|vue-tsc|mypy|pyright|pyre\b|phpstan|psalm|sorbet|srb tc|steep|flow check|npm run type-?check|yarn type-?check|make type-?check)`)},
}

// neutered is what keeps a command's failure from counting.
var neutered = regexp.MustCompile(`\|\|\s*(true|:|exit 0|echo|/bin/true|cd \.|\(exit 0\))|;\s*(true|exit 0|:)\s*("|'|,|$)|&\s*exit 0|--passWithNoTests|--pass-with-no-tests|--exit-zero|--no-fail\b|-DskipTests|-Dmaven\.test\.skip|-Dmaven\.test\.failure\.ignore|\s-x test\b|--fail-never|-fn\b|--no-error-on-unmatched-pattern|--if-present|--suppress-tests|--exit-code[= ]0|--issues-exit-code[= ]0|--collect-only|--no-exit-code|--continue-on-collection-errors|--force-exclude-all|--no-run\b|\|\s*tee\b|--test=false|--noEmitOnError false|--forceExit\s*\|\|`)

// filtered is what keeps some tests from running.
var filtered = regexp.MustCompile(`(?:go test|gotestsum)\b.*\s-(?:short|run|skip)\b|--(?:test-?path-?ignore-?patterns?|ignore-glob|ignore|deselect|exclude|invert|exclude-pattern|exclude-tag|exclude-group|grep-invert|shard|skip)[= ]|\s-k\s+["']?not\b|\s-m\s+["']?not\b|-Dtest=!|--tests\b.*!|--filter\b.*!=|--tag ~`)

var strictFlags = regexp.MustCompile(`-Werror(?:=[\w-]+)?|-Wall\b|-Wextra\b|-Wpedantic\b|-pedantic(?:-errors)?\b|-Weverything\b|-D\s?warnings\b|--max-warnings[= ]\d+|--strict\b|--fatal-warnings\b|-Xfatal-warnings\b|-Xlint(?::all)?\b|/WX\b|--werror\b|-race\b|--deny-warnings\b|-W error\b|--error-on-warnings?\b|--cov-fail-under[= ]\d+|--fail-under[= ]\d+|-warnaserror\b|--locked\b|--frozen-lockfile\b|--immutable\b|set -[a-z]*e[a-z]*\b|set -o (?:errexit|pipefail)|deny\((?:warnings|clippy::\w+|missing_docs|unsafe_code|rust_2018_idioms|unused\w*|nonstandard_style)[^)]*\)|forbid\([^)]*\)`)

// isCommandFile reports whether a file holds commands that check the code.
func isCommandFile(p string) bool {
	base := path.Base(p)
	lower := strings.ToLower(base)
	switch {
	case ciPath.MatchString(p) && !isDocument(p), hookPath.MatchString(p):
		return true
	case lower == "makefile" || lower == "gnumakefile" || strings.HasSuffix(lower, ".mk") || lower == "justfile" || lower == "taskfile.yml" || lower == "taskfile.yaml" || lower == "rakefile" || lower == "magefile.go" || lower == "noxfile.py" || lower == "tox.ini" || lower == "package.json" || lower == "composer.json" || lower == "pyproject.toml" || lower == "earthfile" || lower == "deno.json" || lower == "procfile" || lower == "setup.cfg":
		return true
	case strings.HasSuffix(lower, ".sh") || strings.HasSuffix(lower, ".bash") || strings.HasSuffix(lower, ".gradle") || strings.HasSuffix(lower, ".gradle.kts") || strings.HasSuffix(lower, ".cmake") || lower == "cmakelists.txt" || lower == "pom.xml" || lower == "config.toml" || lower == "meson.build" || lower == "build" || lower == "build.bazel" || lower == ".bazelrc" || lower == "binding.gyp" || strings.HasSuffix(lower, ".rs") || strings.HasSuffix(lower, "proj"):
		return true
	}
	return false
}

// checkCommands finds commands whose failure no longer counts, that are gone, or that check less.
func checkCommands(r *review) {
	for _, c := range r.changes {
		if c.binary || len(c.added)+len(c.removed) == 0 || vendorPath.MatchString(c.path()) || fixtureDir.MatchString(c.path()) || !isCommandFile(c.path()) {
			continue
		}
		if !c.isDeleted() {
			r.checkNeutered(c)
		}
		r.checkGoneCommands(c)
		r.checkFlags(c)
	}
}

func commandsIn(text string) map[string]bool {
	if len(text) > 4000 || !strings.ContainsAny(text, " -") && len(text) < 3 {
		return nil
	}
	var out map[string]bool
	for _, k := range checkedBy {
		if k.re.MatchString(text) {
			if out == nil {
				out = map[string]bool{}
			}
			out[k.class] = true
		}
	}
	return out
}

// checkNeutered looks at added lines.
func (r *review) checkNeutered(c *change) {
	was := map[string]bool{}
	soft := 0
	for _, l := range c.removed {
		for _, m := range neutered.FindAllString(l.text, 5) {
			was[family(m)] = true
		}
		if softFailure.MatchString(l.text) {
			soft++
		}
	}
	makefile := strings.EqualFold(path.Base(c.newPath), "makefile") || strings.HasSuffix(c.newPath, ".mk")
	code := strings.HasSuffix(c.newPath, ".rs")
	for _, l := range c.added {
		if len(l.text) > 4000 || code || isComment(l.text) {
			continue
		}
		checks := commandsIn(l.text)
		if len(checks) > 0 {
			if m := neutered.FindString(l.text); m != "" && !was[family(m)] && !strings.Contains(m, "tee") {
				r.report(checkNeutered, c.path(), l.num, l.text, "with %q the command passes whatever it finds: remove it", strings.TrimSpace(m))
				continue
			}
			if makefile && strings.HasPrefix(l.text, "\t-") {
				r.report(checkNeutered, c.path(), l.num, l.text, "with the leading dash the command passes whatever it finds: remove it")
				continue
			}
			if m := filtered.FindString(l.text); m != "" && !removedHas(c, m) && !removedMatches(c, filtered) && len(c.removed) > 0 {
				r.report(testExcluded, c.path(), l.num, l.text, "the command leaves tests out: run all of them")
				continue
			}
		}
		if softFailure.MatchString(l.text) {
			if soft > 0 {
				soft--
				continue
			}
			r.report(checkNeutered, c.path(), l.num, l.text, "the step's failure no longer counts: let it fail")
		}
	}
}

// family makes the spellings of one neutering the same.
func family(m string) string {
	if strings.Contains(m, "skip") || strings.Contains(m, "-x test") {
		return "skip tests"
	}
	return strings.TrimSpace(m)
}

func removedHas(c *change, text string) bool {
	for _, l := range c.removed {
		if strings.Contains(l.text, strings.TrimSpace(text)) {
			return true
		}
	}
	return false
}

func removedMatches(c *change, re *regexp.Regexp) bool {
	for _, l := range c.removed {
		if len(l.text) < 4000 && re.MatchString(l.text) {
			return true
		}
	}
	return false
}

var softFailure = regexp.MustCompile(`^\s*-?\s*(continue-on-error:\s*true|allow_failure:\s*true|continueOnError:\s*true|if:\s*(\$\{\{\s*)?false\b|ignore_outcome\s*=\s*true|ignoreFailures\s*=\s*true|isIgnoreFailures\s*=\s*true|ignoreFailures\s+true|ignore_errors\s*=\s*true|failFast\s*=\s*false|soft_fail:\s*true)`)

// checkGoneCommands finds a kind of check that the file no longer makes.
func (r *review) checkGoneCommands(c *change) {
	if strings.HasSuffix(c.path(), ".rs") || strings.HasSuffix(c.path(), ".gradle") || strings.HasSuffix(c.path(), ".kts") || strings.HasSuffix(c.path(), "proj") || path.Base(c.path()) == "pom.xml" || strings.EqualFold(path.Base(c.path()), "dockerfile") {
		return
	}
	count := func(lines []line) map[string][]line {
		out := map[string][]line{}
		for _, l := range lines {
			if isComment(l.text) || !commandLine(c.path(), l.text) {
				continue
			}
			for class := range commandsIn(l.text) {
				out[class] = append(out[class], l)
			}
		}
		return out
	}
	removed, added := count(c.removed), count(c.added)
	for _, other := range r.changes { // moved to another file
		if other != c && isCommandFile(other.path()) {
			for _, l := range other.added {
				if !isComment(l.text) && commandLine(other.path(), l.text) {
					for class := range commandsIn(l.text) {
						added[class] = append(added[class], l)
					}
				}
			}
		}
	}
	for _, k := range checkedBy {
		lost := removed[k.class]
		if len(lost) == 0 || len(added[k.class]) > 0 {
			continue
		}
		if c.isDeleted() && ciPath.MatchString(c.path()) && r.permitted(ciEdited, c.path()) {
			continue
		}
		n := 0
		if !c.isDeleted() {
			n = c.newLineNear(lost[0].num)
		}
		r.report(checkNeutered, c.path(), n, lost[0].text, "a command that checks the code is gone and nothing takes its place: restore it")
	}
}

func (r *review) permitted(rule, file string) bool {
	return r.asked.permits(ruleNamed(rule), file) || r.excused(file)
}

// commandLine leaves out lines of manifests that only name a tool as a dependency or a setting.
func commandLine(file, text string) bool {
	t := strings.TrimSpace(text)
	switch path.Base(file) {
	case "package.json", "composer.json", "deno.json":
		return scriptLine.MatchString(t)
	case "pyproject.toml", "setup.cfg":
		return strings.Contains(t, "cmd =") || strings.HasPrefix(t, "commands") || poeTask.MatchString(t)
	case "tox.ini":
		return !strings.Contains(t, "==") && !strings.Contains(t, ">=") && !strings.HasPrefix(t, "[") && strings.Contains(t, " ") || t == "pytest" || t == "flake8" || t == "mypy"
	}
	if strings.HasSuffix(file, ".yml") || strings.HasSuffix(file, ".yaml") {
		return !strings.HasPrefix(t, "name:") && !strings.HasPrefix(t, "- name:") && !strings.HasPrefix(t, "uses:") && !strings.HasPrefix(t, "- uses:") && !strings.HasPrefix(t, "key:") && !strings.HasPrefix(t, "path:")
	}
	return !installs.MatchString(t)
}

var (
	scriptLine = regexp.MustCompile(`^"[\w:.-]*(test|lint|check|type|verify|ci|cover|spec|validate|vet|audit|pre\w+|post\w+|build|format|e2e|unit|integration|analy[sz]e|stan|cs|all)[\w:.-]*"\s*:\s*["\[]|^"[^":]*"\s*,?$`)
	poeTask    = regexp.MustCompile(`^[\w-]*(test|lint|check|type)[\w-]*\s*=\s*["']`)
	installs   = regexp.MustCompile(`^(pip3? install|npm i|npm install|yarn add|pnpm add|go install|cargo install|brew install|apt(-get)? install|gem install|composer require|echo |printf )`)
)

// checkFlags finds strict flags that are gone.
func (r *review) checkFlags(c *change) {
	count := func(lines []line, n int, into map[string]int) {
		for _, l := range lines {
			if len(l.text) > 4000 || isComment(l.text) && !strings.HasPrefix(strings.TrimSpace(l.text), "#!") {
				continue
			}
			if strings.HasSuffix(c.path(), ".rs") && !strings.Contains(l.text, "#!") {
				continue
			}
			for _, m := range strictFlags.FindAllString(l.text, 10) {
				into[flagName(m)] += n
			}
		}
	}
	net := map[string]int{}
	for _, other := range r.changes {
		if other == c || isCommandFile(other.path()) {
			count(other.added, 1, net)
		}
	}
	count(c.removed, -1, net)
	if c.isDeleted() {
		return
	}
	for _, l := range c.removed {
		if len(l.text) > 4000 {
			continue
		}
		for _, m := range strictFlags.FindAllString(l.text, 10) {
			name := flagName(m)
			if net[name] >= 0 || isComment(l.text) || strings.HasSuffix(c.path(), ".rs") && !strings.Contains(l.text, "#!") {
				continue
			}
			net[name] = 0
			rule := checkLoosened
			if strings.Contains(m, "fail-under") {
				rule = coverageLowered
			}
			if strings.HasPrefix(m, "set -") {
				rule = checkNeutered
			}
			r.report(rule, c.path(), c.newLineNear(l.num), l.text, "%s is gone: restore it", strings.TrimSpace(m))
		}
	}
	r.checkFlagNumbers(c)
}

var numberFlag = regexp.MustCompile(`(--max-warnings|--cov-fail-under|--fail-under|--coverage-min|--min-coverage|--min|--threshold|-covermin)[= ](\d+(?:\.\d+)?)`)

// flagName is a strict flag without its number.
func flagName(flag string) string {
	if i := strings.IndexAny(flag, "=0123456789"); i > 0 && strings.HasPrefix(flag, "--") {
		flag = flag[:i]
	}
	if strings.HasPrefix(flag, "set -") {
		return "set -e"
	}
	return strings.TrimSpace(flag)
}

// checkFlagNumbers finds a limit on a command line that asks for less.
func (r *review) checkFlagNumbers(c *change) {
	old := map[string]float64{}
	for _, l := range c.removed {
		if len(l.text) < 4000 {
			for _, m := range numberFlag.FindAllStringSubmatch(l.text, 5) {
				old[m[1]] = parseNumber(m[2])
			}
		}
	}
	if len(old) == 0 {
		return
	}
	for _, l := range c.added {
		if len(l.text) >= 4000 {
			continue
		}
		for _, m := range numberFlag.FindAllStringSubmatch(l.text, 5) {
			was, ok := old[m[1]]
			is := parseNumber(m[2])
			switch {
			case !ok:
			case m[1] == "--max-warnings" && is > was:
				r.report(checkLoosened, c.path(), l.num, l.text, "more warnings are let through than before (%g instead of %g): restore the limit", is, was)
			case m[1] != "--max-warnings" && is < was:
				r.report(coverageLowered, c.path(), l.num, l.text, "the threshold goes down from %g to %g: restore it", was, is)
			}
		}
	}
}
