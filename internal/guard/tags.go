package guard

import (
	"go/build/constraint"
	"path"
	"regexp"
	"slices"
	"strings"
)

// checkBuildTags finds Go tests that are no longer compiled by default.
func checkBuildTags(r *review) {
	for _, c := range r.changes {
		if !strings.HasSuffix(c.newPath, "_test.go") || c.isNew() || len(c.added) == 0 {
			continue
		}
		old, _ := buildTags(c.before)
		new, line := buildTags(c.after)
		if new != "" && new != old && !implied(old, new) {
			r.report(testSkipped, c.path(), line, new, "the file's tests are now compiled under a condition only (%s): remove the constraint", new)
		}
	}
}

// buildTags returns the build constraint of a file as it is known: that of //go:build, or of the // +build lines.
func buildTags(s side) (string, int) {
	if len(s.blocks) == 0 || s.blocks[0].first > 1 && !s.whole {
		return "", 0
	}
	plus, at := "", 0
	for i, l := range s.blocks[0].lines {
		t := strings.TrimSpace(l)
		if strings.HasPrefix(t, "package ") {
			break
		}
		if constraint.IsGoBuild(t) {
			if x, err := constraint.Parse(t); err == nil {
				return x.String(), s.blocks[0].first + i
			}
		}
		if constraint.IsPlusBuild(t) {
			if x, err := constraint.Parse(t); err == nil {
				if plus != "" {
					plus += " && "
				}
				plus, at = plus+x.String(), s.blocks[0].first+i
			}
		}
	}
	return plus, at
}

// implied reports whether every build that the old constraint allowed is allowed by the new one, as far as the
// terms of a disjunction show.
func implied(old, new string) bool {
	if old == "" {
		return false
	}
	had := strings.Split(new, " || ")
	for _, term := range strings.Split(old, " || ") {
		if !slices.Contains(had, term) {
			return false
		}
	}
	return true
}

var (
	goldenFile  = regexp.MustCompile(`(?i)(^|/)(__snapshots__|snapshots|golden|goldens|__image_snapshots__|approvals?|expected|cassettes)/|\.(snap|golden|approved\.\w+|verified\.\w+|expected|ambr|stdout|stderr|out|snapshot)$|\.golden\.\w+$|(^|/)testdata/.*(golden|want|expected|output)[^/]*$`)
	gradleTests = regexp.MustCompile(`^\s*(exclude\s*[("'\[]|excludeTestsMatching|excludeTags|excludeCategories|onlyIf\s*[{(]\s*\{?\s*false|enabled\s*=\s*false|enabled\s+false|failOnNoDiscoveredTests\s*=\s*false|filter\s*\{.*exclude)`)
	rubyFilter  = regexp.MustCompile(`filter_run_excluding|filter_run_when_matching|config\.exclude_pattern|config\.pattern\s*=|t\.(pattern|test_files)\s*=.*(exclude|reject|-)|\.exclude\(`)
	conftestOut = regexp.MustCompile(`items\s*\[\s*:\s*\]\s*=|items\.clear\(\)|items\.remove\(|config\.hook\.pytest_deselected|session\.exitstatus\s*=|collect_ignore(_glob)?\s*(=|\+=|\.)|def pytest_ignore_collect|pytest_collection_modifyitems|def pytest_runtest_makereport|pytest\.exit\(|report\.outcome\s*=\s*["']passed|rep\.outcome\s*=\s*["']passed|excinfo\s*=\s*None`)
	jsSetupOut  = regexp.MustCompile(`process\.exitCode\s*=\s*0|(?:globalThis|global|window)\.(?:expect|it|test|describe)\s*=|jest\.retryTimes\(|this\.retries\(`)
)

// checkRunners finds expected outputs that change, and code of runners that leaves tests out.
func checkRunners(r *review) {
	for _, c := range r.changes {
		if c.binary || c.isDeleted() || len(c.added) == 0 {
			continue
		}
		base := path.Base(c.newPath)
		switch {
		case goldenFile.MatchString(c.newPath) && !c.isNew():
			r.checkGolden(c)
		case strings.HasSuffix(base, ".gradle") || strings.HasSuffix(base, ".gradle.kts"):
			r.addedMatch(c, gradleTests, testExcluded, "the build leaves tests out: restore it", func(n int) bool { return r.inTestBlock(c, n) })
		case base == "spec_helper.rb" || base == "rails_helper.rb" || base == "Rakefile" || base == "test_helper.rb":
			r.addedMatch(c, rubyFilter, testExcluded, "the test runner leaves tests out: restore it", nil)
		case base == "conftest.py":
			r.addedMatch(c, conftestOut, testExcluded, "conftest.py takes a hand in which tests run or pass: restore it", nil)
		case isTestSupport(c.newPath) && strings.HasSuffix(base, "s") && (strings.Contains(base, "setup") || strings.Contains(base, "jest") || strings.Contains(base, "global") || strings.Contains(base, "vitest")):
			r.addedMatch(c, jsSetupOut, testExcluded, "the set-up of the tests takes a hand in which tests pass: restore it", nil)
		case strings.HasSuffix(base, "_test.go"):
			r.addedMatch(c, regexp.MustCompile(`flag\.Set\("test\.(?:run|short|skip|v)"`), testExcluded, "the tests change how the runner runs them: remove it", nil)
		case strings.HasSuffix(base, "proj"):
			r.addedMatch(c, regexp.MustCompile(`<(?:Compile|None)\s+Remove="[^"]*(?:[Tt]est|[Ss]pec)[^"]*"`), testExcluded, "the build leaves test files out: restore it", nil)
		}
	}
}

// addedMatch reports the added lines that fit and were not there before.
func (r *review) addedMatch(c *change, re *regexp.Regexp, rule, message string, where func(int) bool) {
	for _, l := range c.added {
		if len(l.text) < 4000 && !isComment(l.text) && re.MatchString(l.text) && (where == nil || where(l.num)) && !removedMatches(c, regexp.MustCompile(regexp.QuoteMeta(strings.TrimSpace(l.text)))) && !(c.isNew() && rule == testExcluded && strings.Contains(l.text, "modifyitems")) {
			r.report(rule, c.path(), l.num, l.text, "%s", message)
		}
	}
}

// inTestBlock reports whether a line of a Gradle file stands in a block that speaks of tests.
func (r *review) inTestBlock(c *change, num int) bool {
	for _, b := range c.after.blocks {
		if num < b.first || num >= b.first+len(b.lines) {
			continue
		}
		depth := 0
		for i := num - b.first; i >= 0; i-- {
			l := b.lines[i]
			if i < num-b.first {
				depth += strings.Count(l, "}") - strings.Count(l, "{")
			}
			if depth < 0 || i == num-b.first && strings.Contains(l, "{") {
				if t := strings.ToLower(l); strings.Contains(t, "test") {
					return true
				}
				if depth < -3 {
					return false
				}
			}
		}
	}
	return false
}

// checkGolden finds an expected output that changed although neither the prompt nor the code speaks of it.
func (r *review) checkGolden(c *change) {
	prod := r.readProduction()
	for i, l := range c.added {
		if i >= len(c.removed) || strings.HasPrefix(l.text, "//") || strings.HasPrefix(l.text, "#") {
			continue
		}
		was := c.removed[i].text
		gone, come := minus(wordsIn.FindAllString(was, -1), wordsIn.FindAllString(l.text, -1)), minus(wordsIn.FindAllString(l.text, -1), wordsIn.FindAllString(was, -1))
		if len(gone) == 0 && len(come) == 0 {
			continue
		}
		known := true
		for _, w := range gone {
			known = known && (prod.removed[w] || r.asked.holdsWord(w)) && !numeric([]string{w})
		}
		for _, w := range come {
			known = known && (prod.added[w] || r.asked.holdsWord(w)) && !numeric([]string{w})
		}
		if !known {
			r.report(expectationChanged, c.path(), l.num, l.text, "an expected output changed: restore it, or make the code give what was expected")
			return
		}
	}
}
