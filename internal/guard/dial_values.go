package guard

import (
	"path"
	"regexp"
	"strings"

	"gaggle/internal/guard/setting"
)

// turnValue compares single values: numbers, switches and severities.
func (r *review) turnValue(c *change, d *dial, was, is []setting.Setting, pool map[string]int, changed, gone map[int]bool) {
	find := func(list []setting.Setting, like setting.Setting, n int) (setting.Setting, bool) {
		for _, s := range list {
			if s.Path == like.Path {
				if n == 0 {
					return s, true
				}
				n--
			}
		}
		return setting.Setting{}, false
	}
	count := map[string]int{}
	for _, s := range is {
		n := count[s.Path]
		count[s.Path]++
		if !changed[s.Line] || s.Item {
			continue
		}
		before, had := find(was, s, n)
		if had && before.Value == s.Value {
			continue
		}
		text := s.Name + " " + s.Value
		switch d.turn {
		case lower, higher:
			a, b := parseNumber(before.Value), parseNumber(s.Value)
			if !had || a < 0 && before.Value[0] != '-' || b < 0 && !strings.HasPrefix(s.Value, "-") {
				if had && d.turn == lower && s.Value == "auto" && a > 0 {
					r.report(d.rule, c.path(), s.Line, text, "%s is no longer a number: restore %s", d.says, before.Value)
				}
				continue
			}
			if d.turn == lower && b < a || d.turn == higher && b > a {
				r.report(d.rule, c.path(), s.Line, text, "%s goes from %s to %s: restore it", d.says, before.Value, s.Value)
			}
		case off:
			if isOff(s.Value) && (!had || !isOff(before.Value)) && !c.isNew() {
				r.report(d.rule, c.path(), s.Line, text, "%s (%s) is switched off: restore it", d.says, s.Name)
			}
		case on:
			if strings.EqualFold(s.Value, "true") && (!had || !strings.EqualFold(before.Value, "true")) && !c.isNew() {
				r.report(d.rule, c.path(), s.Line, text, "%s (%s) is switched on: restore it", d.says, s.Name)
			}
		case softer:
			old, new := severity(before.Value), severity(s.Value)
			if had && old >= 0 && new >= 0 && new < old || !had && new == 0 && !c.isNew() && !softKnown(pool, s) {
				r.report(d.rule, c.path(), s.Line, text, "%s (%s) is turned down to %s: restore it", d.says, s.Name, s.Value)
			}
		}
	}
	if c.isDeleted() && d.rule != coverageLowered {
		return
	}
	for _, s := range was {
		if !gone[s.Line] || s.Item {
			continue
		}
		if _, still := find(is, s, 0); still || pool[lastPart(s.Path)+"="+s.Value] > 0 || holdsAtLeast(pool, s) {
			continue
		}
		text := s.Name + " " + s.Value
		at := 0
		if !c.isDeleted() {
			at = c.newLineNear(s.Line)
		}
		switch {
		case d.turn == lower && parseNumber(s.Value) > 0 && (!c.isDeleted() || c.before.whole):
			r.report(d.rule, c.path(), at, text, "%s (%s) is gone: restore it", d.says, s.Name)
		case d.turn == off && (strings.EqualFold(s.Value, "true") || strings.EqualFold(s.Value, "enable")) && !impliedBy(s, is):
			r.report(d.rule, c.path(), at, text, "%s (%s) is no longer switched on: restore it", d.says, s.Name)
		case d.turn == softer && severity(s.Value) == 2 && strings.Contains(s.Path, "rules."):
			r.report(d.rule, c.path(), at, text, "%s (%s) is gone: restore it", d.says, s.Name)
		}
	}
}

// softKnown leaves alone rules that another file of the diff sets as well, as when a configuration moves.
func softKnown(pool map[string]int, s setting.Setting) bool {
	return pool[lastPart(s.Path)+"="+s.Value] > 1
}

// holdsAtLeast reports whether the threshold stands elsewhere with a value that is no lower.
func holdsAtLeast(pool map[string]int, s setting.Setting) bool {
	n := parseNumber(s.Value)
	if n < 0 {
		return false
	}
	prefix := lastPart(s.Path) + "="
	for k := range pool {
		if strings.HasPrefix(k, prefix) && parseNumber(k[len(prefix):]) >= n {
			return true
		}
	}
	return false
}

// impliedBy reports whether "strict" makes a single switch needless.
func impliedBy(s setting.Setting, is []setting.Setting) bool {
	for _, o := range is {
		if strings.HasSuffix(o.Path, "strict") && strings.EqualFold(o.Value, "true") && !strings.HasSuffix(s.Path, ".strict") {
			return true
		}
	}
	return false
}

func isOff(v string) bool {
	switch strings.ToLower(v) {
	case "false", "off", "0", "no", "disable", "disabled", "none", "annotations":
		return true
	}
	return false
}

// severity ranks how much a rule says: 0 nothing, 1 a warning, 2 an error; -1 when it is no severity.
func severity(v string) int {
	switch strings.ToLower(strings.SplitN(v, ":", 2)[0]) {
	case "off", "0", "none", "silent", "ignore", "allow", "disabled", "disable", "false", "hidden":
		return 0
	case "warn", "1", "warning", "suggestion", "info", "information", "basic":
		return 1
	case "error", "2", "deny", "forbid", "strict", "standard", "enabled", "true":
		return 2
	}
	return -1
}

var addoptsOut = regexp.MustCompile(`--(?:ignore(?:-glob)?|deselect)[= ]\S+|-k\s+\S.*|-m\s+["']?not .*|--collect-only|--co\b|--no-cov\b|-p no:\S+|--maxfail=\d+`)

// checkAddopts looks at the options that pytest always gets.
func (r *review) checkAddopts(c *change, old, new []setting.Setting) {
	had := map[string]bool{}
	for _, s := range old {
		if lastPart(s.Path) == "addopts" {
			for _, m := range addoptsOut.FindAllString(s.Value, 10) {
				had[m] = true
			}
		}
	}
	for _, s := range new {
		if lastPart(s.Path) != "addopts" {
			continue
		}
		for _, m := range addoptsOut.FindAllString(s.Value, 10) {
			if !had[m] && !strings.HasPrefix(m, "--maxfail") {
				r.report(testExcluded, c.path(), s.Line, s.Value, "pytest now always runs with %s, which leaves tests out: remove it", m)
			}
		}
	}
}

var ignoreFiles = regexp.MustCompile(`(^|/)\.(eslintignore|prettierignore|stylelintignore|flake8ignore|semgrepignore|trivyignore|nycignore|rubocop_todo\.yml|golangciignore|checkovignore|snyk|gitleaksignore|bandit_ignore|jshintignore|tflintignore|oxlintignore|markdownlintignore|lintignore)$|(^|/)(phpstan-baseline\.neon|psalm-baseline\.xml|\.secrets\.baseline|detekt-baseline\.xml|lint-baseline\.xml|\.rspec)$`)

// checkIgnoreFile finds lines added to the files that list what a linter leaves out.
func (r *review) checkIgnoreFile(c *change) {
	if !ignoreFiles.MatchString(c.path()) || c.isDeleted() {
		return
	}
	if path.Base(c.path()) == ".rspec" {
		for _, l := range c.added {
			if strings.Contains(l.text, "--tag ~") || strings.Contains(l.text, "--exclude-pattern") || strings.Contains(l.text, "--pattern") {
				r.report(testExcluded, c.path(), l.num, l.text, "the test runner leaves tests out: remove the option")
			}
		}
		return
	}
	had := map[string]bool{}
	for _, l := range c.removed {
		had[strings.TrimSpace(l.text)] = true
	}
	count := 0
	for _, l := range c.added {
		if t := strings.TrimSpace(l.text); t != "" && t[0] != '#' && !had[t] {
			if count++; count == 1 && len(c.added) > len(c.removed) {
				r.report(checkLoosened, c.path(), l.num, l.text, "a linter leaves more out than before: restore the file, and mend the code instead")
			}
		}
	}
}

var (
	coverageLine = regexp.MustCompile(`(?i)\b((?:min(?:imum)?[_.-]?(?:line[_.-]?)?cov(?:erage)?|cov(?:erage)?[_.-]?(?:min(?:imum)?|threshold|fail[_.-]?under|target|required|limit)|minimum_coverage(?:_by_file)?|jacoco\w*minimum|threshold_cov\w*|minimum)\w*)["']?\s*(?:[:?+]?=|:|\(|\s|\.set\()\s*["'(]*(?:line:\s*)?(\d+(?:\.\d+)?)`)
	coverageFile = regexp.MustCompile(`(?i)(^|/)(makefile|[^/]*\.mk|justfile|taskfile\.ya?ml|\.simplecov|spec_helper\.rb|rails_helper\.rb|test_helper\.rb|[^/]*\.gradle(\.kts)?|[^/]*\.sh|noxfile\.py|[^/]*\.ya?ml|\.env[^/]*|build\.sbt|magefile\.go|[^/]*\.cmake)$`)
)

// checkCoverageLines finds coverage thresholds in build scripts.
func (r *review) checkCoverageLines(c *change) {
	if !coverageFile.MatchString(c.path()) || c.isNew() {
		return
	}
	type limit struct {
		value float64
		line  line
	}
	read := func(lines []line) map[string][]limit {
		out := map[string][]limit{}
		for _, l := range lines {
			if len(l.text) > 2000 {
				continue
			}
			for _, m := range coverageLine.FindAllStringSubmatch(l.text, 4) {
				name := strings.ToLower(m[1])
				if name == "minimum" && !strings.Contains(c.path(), ".gradle") {
					continue
				}
				out[name] = append(out[name], limit{parseNumber(m[2]), l})
			}
		}
		return out
	}
	old, new := read(c.removed), read(c.added)
	for name, list := range old {
		for n, was := range list {
			if n >= len(new[name]) {
				if len(new[name]) == 0 && !c.isDeleted() {
					r.report(coverageLowered, c.path(), c.newLineNear(was.line.num), was.line.text, "the coverage threshold %s is gone: restore it", name)
				}
				break
			}
			if is := new[name][n]; is.value < was.value {
				r.report(coverageLowered, c.path(), is.line.num, is.line.text, "the coverage threshold %s goes from %g to %g: restore it", name, was.value, is.value)
			}
		}
	}
}
