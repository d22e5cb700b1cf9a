package guard

import (
	"path"
	"regexp"
	"strconv"
	"strings"

	"gaggle/internal/guard/setting"
)

// turn is the way in which a setting loosens a check.
type turn int

const (
	lower   turn = iota // a number goes down, or the setting is gone
	higher              // a number goes up
	off                 // it is switched off, or the setting that switched it on is gone
	on                  // it is switched on
	grows               // a list gains an element
	shrinks             // a list loses an element
	softer              // a severity falls
	appears             // the setting is there now
)

// dial is one kind of setting that decides how much is checked.
type dial struct {
	files *regexp.Regexp
	path  *regexp.Regexp // of the setting, lower case
	turn  turn
	rule  string
	says  string
}

func knob(files, setting string, t turn, rule, says string) dial {
	return dial{regexp.MustCompile(`(?i)(^|/)(` + files + `)$`), regexp.MustCompile(setting), t, rule, says}
}

const (
	jsTests  = `package\.json|jest\.config\.\w+|vite(st)?\.(config|workspace)\.\w+|\.nycrc(\.json|\.ya?ml)?|\.c8rc(\.json)?|jest-\w+\.json|\.mocharc(\.\w+)?|playwright\.config\.\w+|karma\.conf\.\w+|cypress\.config\.\w+|\.taprc|web-test-runner\.config\.\w+`
	pyConfig = `pyproject\.toml|setup\.cfg|pytest\.ini|\.pytest\.ini|tox\.ini|\.coveragerc|mypy\.ini|\.mypy\.ini|\.flake8|ruff\.toml|\.ruff\.toml|\.pylintrc|pylintrc|\.bandit|pyrightconfig\.json|coverage\.toml`
	eslint   = `\.eslintrc(\.\w+)?|eslint\.config\.\w+|package\.json|biome\.jsonc?|\.oxlintrc\.json|\.stylelintrc(\.\w+)?|stylelint\.config\.\w+|tslint\.json`
	msbuild  = `[^/]*proj|[^/]*\.props|[^/]*\.targets|[^/]*\.runsettings`
)

var dials = []dial{
	// Coverage.
	knob(jsTests, `(coveragethreshold|thresholds|check-coverage|nyc|^)\.?(.*\.)?(branches|functions|lines|statements)$`, lower, coverageLowered, "the coverage threshold"),
	knob(jsTests, `check-?coverage$`, off, coverageLowered, "the coverage check"),
	knob(jsTests, `coveragepathignorepatterns|coverage\.exclude|nyc\.exclude|^exclude$`, grows, coverageLowered, "what the coverage leaves out"),
	knob(jsTests, `collectcoveragefrom`, grows, coverageLowered, "what the coverage leaves out"),
	knob(pyConfig, `(^|\.)fail[_-]under$`, lower, coverageLowered, "the coverage threshold"),
	knob(pyConfig, `(run|report|coverage)\.(omit|exclude_lines|exclude_also|exclude)$|(^|\.)omit$`, grows, coverageLowered, "what the coverage leaves out"),
	knob(`\.?codecov\.ya?ml|coveralls\.ya?ml`, `target$`, lower, coverageLowered, "the coverage target"),
	knob(`\.?codecov\.ya?ml`, `threshold$`, higher, coverageLowered, "how far coverage may fall"),
	knob(`\.?codecov\.ya?ml`, `ignore$`, grows, coverageLowered, "what the coverage leaves out"),
	knob(`\.?codecov\.ya?ml`, `informational$`, on, coverageLowered, "the coverage check"),
	knob(`pom\.xml`, `(minimum|haltonfailure|linerate|branchrate|totallinerate|totalbranchrate)$`, lower, coverageLowered, "the coverage threshold"),
	knob(`pom\.xml`, `jacoco.*\.exclude$`, grows, coverageLowered, "what the coverage leaves out"),
	knob(msbuild, `threshold$`, lower, coverageLowered, "the coverage threshold"),
	knob(`\.?testcoverage\.ya?ml|\.go-test-coverage\.ya?ml`, `threshold`, lower, coverageLowered, "the coverage threshold"),
	knob(`\.?testcoverage\.ya?ml|\.go-test-coverage\.ya?ml`, `exclude`, grows, coverageLowered, "what the coverage leaves out"),
	knob(`tarpaulin\.toml|\.tarpaulin\.toml`, `fail-under$`, lower, coverageLowered, "the coverage threshold"),
	knob(`sonar-project\.properties|pom\.xml|gradle\.properties|\.sonarcloud\.properties`, `sonar\.coverage\.exclusions`, grows, coverageLowered, "what the coverage leaves out"),
	knob(`infection\.json5?|stryker\.conf\.\w+|stryker\.config\.\w+`, `minmsi|mincoveredmsi|break$`, lower, coverageLowered, "the mutation score"),

	// Tests that a runner leaves out.
	knob(jsTests, `(testpathignorepatterns|modulepathignorepatterns|testignore|watchpathignorepatterns|test\.exclude|mocha\.ignore|^ignore|excludespecpattern)$`, grows, testExcluded, "what the test runner leaves out"),
	knob(jsTests, `(testmatch|testregex|(^|\.)roots|(^|\.)spec|test\.include|specpattern|projects)$`, shrinks, testExcluded, "where the test runner looks"),
	knob(jsTests, `passwithnotests$`, on, testExcluded, "a run without tests"),
	knob(jsTests, `(testnamepattern|grepinvert|^invert|(^|\.)grep|^fgrep)$`, appears, testExcluded, "a filter on tests"),
	knob(pyConfig, `norecursedirs|collect_ignore|pytest.*\.ignore$`, grows, testExcluded, "what the test runner leaves out"),
	knob(pyConfig, `testpaths$|python_(files|classes|functions)$`, shrinks, testExcluded, "where the test runner looks"),
	knob(pyConfig, `xfail_strict$`, off, testExcluded, "strict xfail"),
	knob(`pom\.xml`, `(surefire|failsafe).*exclude(s\.exclude)?$`, grows, testExcluded, "what the test runner leaves out"),
	knob(`pom\.xml`, `(^|\.)(skiptests|(surefire|failsafe)[\w.-]*\.skip|maven\.test\.skip|skipits|skipunittests|testfailureignore|maven\.test\.failure\.ignore)$`, on, testExcluded, "skipping or ignoring of tests"),
	knob(`pom\.xml`, `(^|\.)(excludedgroups|groups)$`, appears, testExcluded, "a filter on tests"),
	knob(`gradle\.properties`, `skiptests?$`, on, testExcluded, "skipping of tests"),
	knob(`cargo\.toml`, `(^|\.)(test|autotests|doctest|bench)$`, off, testExcluded, "the test target"),
	knob(msbuild, `istestproject$`, off, testExcluded, "the test project"),
	knob(msbuild, `(testcasefilter|vstestexcludetests)$`, appears, testExcluded, "a filter on tests"),
	knob(msbuild, `compile\.remove$`, appears, testExcluded, "what is compiled"),
	knob(`phpunit(\.xml)?(\.dist)?(\.xml)?`, `(exclude|exclude\.group|exclude\.directory|exclude\.file)$`, grows, testExcluded, "what the test runner leaves out"),
	knob(`phpunit(\.xml)?(\.dist)?(\.xml)?`, `testsuite\.(directory|file)$`, shrinks, testExcluded, "where the test runner looks"),
	knob(`phpunit(\.xml)?(\.dist)?(\.xml)?`, `(failonwarning|failonrisky|failonskipped|failonincomplete|bestrictabout\w+|failonemptytestsuite)$`, off, checkLoosened, "the test runner's strictness"),

	// Compilers and type checkers.
	knob(`tsconfig[^/]*\.json|jsconfig\.json`, `(^|\.)(strict|strict\w+|noimplicit\w+|nounused\w+|nofallthrough\w+|nounchecked\w+|noproperty\w+|exactoptional\w+|forceconsistent\w+|noemitonerror|useunknownincatchvariables|alwaysstrict|isolatedmodules|checkjs)$`, off, checkLoosened, "the type checker's strictness"),
	knob(`tsconfig[^/]*\.json|jsconfig\.json`, `(^|\.)(skiplibcheck|suppress\w+|allowunreachablecode|allowunusedlabels)$`, on, checkLoosened, "a loophole of the type checker"),
	knob(`tsconfig[^/]*\.json`, `^exclude$`, grows, checkLoosened, "what the type checker leaves out"),
	knob(pyConfig, `(^|\.)(strict|disallow_\w+|warn_\w+|check_untyped_defs|no_implicit_\w+|strict_\w+|extra_checks|show_error_codes)$`, off, checkLoosened, "the type checker's strictness"),
	knob(pyConfig, `(^|\.)(ignore_errors|ignore_missing_imports|allow_\w+|implicit_reexport|implicit_optional)$`, on, checkLoosened, "a loophole of the type checker"),
	knob(pyConfig, `(^|\.)(disable_error_code|mypy\.exclude|pyright\.(exclude|ignore)|typecheckingmode)$`, grows, checkLoosened, "what the type checker leaves out"),
	knob(pyConfig, `(^|\.)(typecheckingmode|report[a-z]+)$`, softer, checkLoosened, "the type checker's strictness"),
	knob(`phpstan[^/]*\.neon(\.dist)?`, `(^|\.)level$`, lower, checkLoosened, "the type checker's level"),
	knob(`phpstan[^/]*\.neon(\.dist)?`, `ignoreerrors|excludepaths|bootstrapfiles$`, grows, checkLoosened, "what the type checker leaves out"),
	knob(`psalm\.xml(\.dist)?`, `errorlevel$`, higher, checkLoosened, "the type checker's level"),
	knob(`psalm\.xml(\.dist)?`, `(ignorefiles|suppress)`, grows, checkLoosened, "what the type checker leaves out"),
	knob(msbuild, `(treatwarningsaserrors|enforcecodestyleinbuild|enablenetanalyzers|runanalyzers\w*|codeanalysistreatwarningsaserrors|msbuildtreatwarningsaserrors)$`, off, checkLoosened, "warnings as errors"),
	knob(msbuild, `(^|\.)nullable$`, off, checkLoosened, "nullable checks"),
	knob(msbuild, `(nowarn|warningsnotaserrors|disabledwarnings)$`, grows, checkLoosened, "the warnings that are ignored"),
	knob(msbuild, `warningsaserrors$`, shrinks, checkLoosened, "warnings as errors"),
	knob(msbuild, `(warninglevel|analysislevel)$`, lower, checkLoosened, "the warning level"),
	knob(`pom\.xml`, `(failonviolation|failsonerror|failonerror|failonwarning|failbuildoncvss|failbuildonanyvulnerability|showwarnings|failonmissing\w+)$`, off, checkLoosened, "a check that fails the build"),
	knob(`pom\.xml`, `(checkstyle|spotbugs|pmd|cpd|findbugs|enforcer|jacoco|spotless|rat|dependency-check|sonar|ktlint|detekt)[\w.-]*\.skip$`, on, checkLoosened, "skipping of a check"),
	knob(`pom\.xml`, `(maxallowedviolations|maxviolations|maxwarnings)$`, higher, checkLoosened, "the violations let through"),
	knob(`gradle\.properties|build\.gradle(\.kts)?`, `(allwarningsaserrors|warningsaserrors)$`, off, checkLoosened, "warnings as errors"),
	knob(`cargo\.toml`, `(^|\.)lints\..*`, softer, checkLoosened, "the lint level"),
	knob(`\.?clippy\.toml`, `threshold$|max-\w+`, higher, checkLoosened, "the lint's limit"),

	// Linters.
	knob(eslint, `(^|\.)rules\..*|^[@\w/-]+$`, softer, checkLoosened, "a lint rule"),
	knob(eslint, `(^|\.)(ignorepatterns|ignores|ignorefiles|files\.ignore)$`, grows, checkLoosened, "what the linter leaves out"),
	knob(eslint, `(^|\.)(extends|plugins)$`, shrinks, checkLoosened, "the linter's rule sets"),
	knob(`\.golangci\.(ya?ml|toml|json)`, `(^|\.)linters\.(enable|enable-all)$`, shrinks, checkLoosened, "the enabled linters"),
	knob(`\.golangci\.(ya?ml|toml|json)`, `linters\.disable$|exclude|skip-(dirs|files)|exclusions\.(paths|rules|presets)`, grows, checkLoosened, "what the linters leave out"),
	knob(`\.golangci\.(ya?ml|toml|json)`, `(disable-all|new|new-from-rev)$`, appears, checkLoosened, "what the linters leave out"),
	knob(`\.golangci\.(ya?ml|toml|json)`, `(^|\.)(run\.)?tests$|enable-all$`, off, checkLoosened, "what the linters look at"),
	knob(`\.golangci\.(ya?ml|toml|json)`, `(max-\w+|min-complexity|lines|statements|threshold|max-complexity|package-average)$`, higher, checkLoosened, "a linter's limit"),
	knob(pyConfig, `(^|\.)(ignore|extend-ignore|extend_ignore|per-file-ignores.*|extend-per-file-ignores.*|disable|skips|extend-exclude|lint\.exclude|flake8\.exclude|ruff\.exclude|unfixable)$`, grows, checkLoosened, "what the linter leaves out"),
	knob(pyConfig, `(^|\.)(select|extend-select|enable|enable_error_code)$`, shrinks, checkLoosened, "the linter's rules"),
	knob(pyConfig, `max-complexity$|max-(args|branches|locals|statements|returns|nested\w*)$`, higher, checkLoosened, "the linter's limit"),
	knob(pyConfig, `filterwarnings$`, shrinks, checkLoosened, "warnings as errors"),
	knob(`\.rubocop[^/]*\.yml`, `\.enabled$`, off, checkLoosened, "a lint rule"),
	knob(`\.rubocop[^/]*\.yml`, `\.(max|maximum|countlimit)$`, higher, checkLoosened, "a lint rule's limit"),
	knob(`\.rubocop[^/]*\.yml`, `\.(exclude|allowedmethods|allowedpatterns|ignoredmethods)$`, grows, checkLoosened, "what the linter leaves out"),
	knob(`\.rubocop[^/]*\.yml`, `disabledbydefault$`, on, checkLoosened, "all lint rules"),
	knob(`detekt[^/]*\.yml`, `(maxissues|threshold\w*|allowed\w+)$`, higher, checkLoosened, "the linter's limit"),
	knob(`detekt[^/]*\.yml`, `\.active$`, off, checkLoosened, "a lint rule"),
	knob(`detekt[^/]*\.yml`, `excludes$`, grows, checkLoosened, "what the linter leaves out"),
	knob(`\.editorconfig|[^/]*\.globalconfig`, `dotnet_(diagnostic|analyzer_diagnostic).*severity$`, softer, checkLoosened, "a diagnostic's severity"),
	knob(`\.editorconfig`, `ktlint_\w+`, softer, checkLoosened, "a lint rule"),
	knob(`[^/]*\.ruleset`, `rule\.action$`, softer, checkLoosened, "a diagnostic's severity"),
	knob(`sonar-project\.properties|pom\.xml|gradle\.properties`, `sonar\.(exclusions|cpd\.exclusions|issue\.ignore.*|test\.exclusions)`, grows, checkLoosened, "what Sonar leaves out"),
	knob(`sonar-project\.properties`, `sonar\.qualitygate\.wait$`, off, checkLoosened, "the quality gate"),
	knob(`checkstyle[^/]*\.xml|[^/]*suppressions?[^/]*\.xml|spotbugs[^/]*\.xml|findbugs[^/]*\.xml|pmd[^/]*\.xml|lint\.xml|detekt-baseline\.xml|lint-baseline\.xml|psalm-baseline\.xml|owasp[^/]*\.xml|dependency-check[^/]*\.xml`, `(suppress\.(checks|files|id)|match\.\w+.*|exclude\.name|exclude-pattern|issue\.(id|severity)|id|cve|suppress\.\w+)$`, grows, checkLoosened, "what is suppressed"),
	knob(`checkstyle[^/]*\.xml`, `module\.name$`, shrinks, checkLoosened, "the checks"),
	knob(`\.hadolint\.ya?ml|\.yamllint(\.ya?ml)?|\.shellcheckrc|\.ansible-lint|\.spectral\.ya?ml|\.tflint\.hcl|\.swiftlint\.ya?ml|\.markdownlint\.\w+|\.semgrepignore|\.trivyignore`, `(ignored|ignore|disable|skip_list|disabled_rules|excluded|exclude|warn_list)$`, grows, checkLoosened, "what the linter leaves out"),
}

// checkDials compares the settings of configuration files.
func checkDials(r *review) {
	pool := map[string]int{} // settings that are new anywhere: a setting may move to another file
	type pair struct {
		c        *change
		old, new []setting.Setting
	}
	var pairs []pair
	for _, c := range r.changes {
		if c.binary || len(c.added)+len(c.removed) == 0 || vendorPath.MatchString(c.path()) || fixtureDir.MatchString(c.path()) {
			continue
		}
		r.checkIgnoreFile(c)
		r.checkCoverageLines(c)
		wanted := false
		for i := range dials {
			wanted = wanted || dials[i].files.MatchString(c.path())
		}
		if !wanted {
			continue
		}
		p := pair{c, settings(oldName(c), c.before), settings(c.path(), c.after)}
		if path.Base(c.path()) == "pom.xml" {
			namePlugins(p.old)
			namePlugins(p.new)
		}
		if c.isDeleted() {
			p.new = nil
		}
		if c.isNew() {
			p.old = nil
		}
		for _, s := range p.new {
			pool[lastPart(s.Path)+"="+s.Value]++
			pool[s.Value]++
		}
		pairs = append(pairs, p)
	}
	for _, p := range pairs {
		for i := range dials {
			if dials[i].files.MatchString(p.c.path()) {
				r.turnDial(p.c, &dials[i], p.old, p.new, pool)
			}
		}
		r.checkAddopts(p.c, p.old, p.new)
	}
}

// namePlugins puts the name of a Maven plugin into the paths of its settings.
func namePlugins(list []setting.Setting) {
	prefix, name := "", ""
	for i, s := range list {
		if s.Name == "artifactId" && (strings.HasSuffix(s.Path, "plugin.artifactid") || s.Path == "artifactid") {
			prefix, name = strings.TrimSuffix(s.Path, "artifactid"), strings.ToLower(s.Value)
			continue
		}
		if rest, ok := strings.CutPrefix(s.Path, prefix); ok && name != "" {
			list[i].Path = prefix + name + "." + rest
		} else {
			name = ""
		}
	}
}

// retired are linters that their collections renamed or merged: taking them off the list checks no less.
var retired = map[string]bool{"gas": true, "megacheck": true, "deadcode": true, "structcheck": true, "varcheck": true, "gosimple": true, "stylecheck": true, "golint": true, "interfacer": true,
	"maligned": true, "scopelint": true, "exportloopref": true, "ifshort": true, "nosnakecase": true, "gomnd": true, "goerr113": true, "exhaustivestruct": true, "vet": true, "typecheck": true, "tenv": true, "execinquery": true, "unparam-old": true}

func oldName(c *change) string {
	if c.oldPath != "" {
		return c.oldPath
	}
	return c.newPath
}

func lastPart(p string) string { return p[strings.LastIndexByte(p, '.')+1:] }

// turnDial compares the settings that one dial speaks of.
func (r *review) turnDial(c *change, d *dial, old, new []setting.Setting, pool map[string]int) {
	var was, is []setting.Setting
	for _, s := range old {
		if d.path.MatchString(s.Path) {
			was = append(was, s)
		}
	}
	for _, s := range new {
		if d.path.MatchString(s.Path) {
			is = append(is, s)
		}
	}
	if len(was)+len(is) == 0 {
		return
	}
	changed := map[int]bool{}
	for _, l := range c.added {
		changed[l.num] = true
	}
	gone := map[int]bool{}
	for _, l := range c.removed {
		gone[l.num] = true
	}
	say := func(line int, text, format string, args ...any) {
		r.report(d.rule, c.path(), line, text, format, args...)
	}
	switch d.turn {
	case grows, appears:
		had := map[string]bool{}
		for _, s := range old {
			for _, v := range splitList(s.Value) {
				had[v] = true
			}
		}
		for _, s := range is {
			if !changed[s.Line] || c.isNew() && d.turn == grows && len(r.changes) > 1 && r.moved(c) {
				continue
			}
			for _, v := range splitList(s.Value) {
				if !had[v] && v != "" && !(strings.Contains(s.Path, "collectcoveragefrom") && !strings.HasPrefix(v, "!")) && !(d.turn == appears && (v == "false" || c.isNew())) {
					if c.isNew() && d.turn == grows {
						continue // a new file has to start somewhere
					}
					say(s.Line, s.Name+" "+v, "%s gains %q: restore it, and mend the code instead", d.says, v)
					break
				}
			}
		}
	case shrinks:
		have := map[string]bool{}
		for _, s := range new {
			for _, v := range splitList(s.Value) {
				have[v] = true
			}
		}
		for _, s := range was {
			if !gone[s.Line] || c.isDeleted() {
				continue
			}
			for _, v := range splitList(s.Value) {
				if !have[v] && v != "" && pool[v] == 0 && !retired[v] && !widened(v, is) {
					say(c.newLineNear(s.Line), s.Name+" "+v, "%s loses %q: restore it", d.says, v)
					break
				}
			}
		}
	default:
		r.turnValue(c, d, was, is, pool, changed, gone)
	}
}

// moved reports whether a new configuration file takes the place of another that is deleted.
func (r *review) moved(c *change) bool {
	for _, o := range r.changes {
		if o != c && o.isDeleted() && path.Dir(o.path()) == path.Dir(c.path()) {
			return true
		}
	}
	return false
}

// widened reports whether a pattern that is gone gave way to one that covers it.
func widened(pattern string, now []setting.Setting) bool {
	for _, s := range now {
		if v := s.Value; v != "" && (strings.Contains(v, "**") && strings.HasPrefix(pattern, strings.SplitN(v, "*", 2)[0]) || strings.Contains(pattern, strings.Trim(v, "*"))) {
			return true
		}
	}
	return false
}

func splitList(v string) []string {
	if !strings.ContainsAny(v, ",;|\n") || strings.ContainsAny(v, "(){}^$[]\\") {
		return []string{strings.TrimSpace(v)}
	}
	var out []string
	for _, s := range strings.FieldsFunc(v, func(c rune) bool { return c == ',' || c == ';' || c == '\n' }) {
		out = append(out, strings.TrimSpace(s))
	}
	return out
}

func parseNumber(s string) float64 {
	f, err := strconv.ParseFloat(strings.Trim(strings.TrimSpace(s), "%\"'"), 64)
	if err != nil {
		return -1
	}
	return f
}
