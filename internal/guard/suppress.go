package guard

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"gaggle/internal/guard/source"
)

// suppressor is one way to tell a tool to look away.
type suppressor struct {
	tool     string
	needle   string         // a plain text that the line must hold, to keep the search cheap
	re       *regexp.Regexp // the first group holds the rules, when it names some
	code     bool           // it is code, not a comment
	coverage bool           // it hides code from the measurement of coverage
}

func comment(tool, needle, re string) suppressor {
	return suppressor{tool: tool, needle: needle, re: regexp.MustCompile(re)}
}

func covering(tool, needle, re string) suppressor {
	return suppressor{tool: tool, needle: needle, re: regexp.MustCompile(re), coverage: true}
}

func inCode(tool, needle, re string) suppressor {
	return suppressor{tool: tool, needle: needle, re: regexp.MustCompile(re), code: true}
}

var suppressors = []suppressor{
	comment("nolint", "nolint", `^//\s*nolint\b:?([\w,\s-]*)`),
	comment("clang-tidy", "NOLINT", `^(?://|/\*)\s*NOLINT(?:NEXTLINE|BEGIN)?\b\(?([\w.,*\s-]*)`),
	comment("gosec", "nosec", `#\s*nosec\b([\w\s,]*)`),
	comment("staticcheck", "lint:", `^//\s*lint:(?:file-)?ignore\s+(\S+)`),
	comment("revive", "revive:disable", `^//\s*revive:disable\S*`),
	comment("eslint", "eslint-disable", `eslint-disable(?:-next-line|-line)?\b([^*]*)`),
	comment("tslint", "tslint:disable", `tslint:disable\S*(.*)`),
	comment("typescript", "@ts-", `@ts-(?:ignore|nocheck|expect-error)\b`),
	comment("biome", "biome-ignore", `biome-ignore\S*\s+(\S+)`),
	comment("deno", "deno-lint-ignore", `deno-lint-ignore\S*(.*)`),
	comment("oxlint", "oxlint-disable", `oxlint-disable\S*(.*)`),
	comment("stylelint", "stylelint-disable", `stylelint-disable\S*(.*)`),
	comment("jshint", "jshint", `jshint\s+(?:ignore\S*|-W\d+)`),
	comment("flow", "$Flow", `\$Flow(?:FixMe|Ignore|Issue|ExpectedError)`),
	comment("noqa", "noqa", `(?i)(?:#|--)\s*(?:flake8[:=]\s*|ruff:\s*)?noqa\b:?([\w,\s]*)`),
	comment("type-ignore", "ype:", `(?i)#\s*type:\s*ignore(?:\[([^\]]*)\])?`),
	comment("mypy", "mypy:", `#\s*mypy:\s*(ignore-errors|disable-error-code\S*|allow-\S+|no-\S+)`),
	comment("pyright", "pyright:", `#\s*pyright:\s*(?:ignore|basic|false)(?:\[([^\]]*)\])?`),
	comment("pyre", "pyre-", `#\s*pyre-(?:ignore|fixme|unsafe)(?:\[([^\]]*)\])?`),
	comment("pylint", "pylint", `#\s*pylint:\s*(?:disable|skip-file)\S*?=?\s*([\w,\s-]*)`),
	comment("semgrep", "nosemgrep", `nosemgrep\b:?\s*(\S*)`),
	comment("sonar", "NOSONAR", `NOSONAR\b`),
	comment("pmd", "NOPMD", `NOPMD\b`),
	comment("checkstyle", "CHECKSTYLE", `(?i)CHECKSTYLE[:.]\s*(?:OFF|SUPPRESS|stop)(.*)`),
	comment("cpd", "CPD-OFF", `CPD-OFF`),
	comment("inspection", "noinspection", `noinspection\s+(\S+)`),
	comment("ktlint", "ktlint-disable", `ktlint-disable\s*(.*)`),
	comment("resharper", "ReSharper", `ReSharper disable\s+(.*)`),
	comment("rubocop", "rubocop:", `rubocop:\s*(?:disable|todo)\s+(.*)`),
	comment("standard", "standard:disable", `standard:disable\s*(.*)`),
	comment("sorbet", "typed:", `^#\s*typed:\s*(?:false|ignore)`),
	comment("phpstan", "@phpstan-ignore", `@phpstan-ignore\S*\s*(.*)`),
	comment("psalm", "@psalm-suppress", `@psalm-suppress\s+(\S+)`),
	comment("phan", "@phan-suppress", `@phan-(?:file-)?suppress\S*\s*(\S*)`),
	comment("phpcs", "phpcs:", `phpcs:(?:ignore|disable)\S*\s*(.*)`),
	comment("phpcs", "@codingStandardsIgnore", `@codingStandardsIgnore\w+`),
	comment("phpmd", "@SuppressWarnings", `@SuppressWarnings\((.*)\)`),
	comment("shellcheck", "shellcheck", `shellcheck\s+disable=(\S+)`),
	comment("hadolint", "hadolint", `hadolint\s+(?:global\s+)?ignore=(\S+)`),
	comment("yamllint", "yamllint", `yamllint\s+disable\S*(.*)`),
	comment("tfsec", "tfsec:", `(?:tfsec|trivy):ignore:(\S+)`),
	comment("checkov", "checkov:", `checkov:skip=(\S+)`),
	comment("swiftlint", "swiftlint:", `swiftlint:disable\S*\s*(.*)`),
	comment("actionlint", "zizmor:", `zizmor:\s*ignore\S*`),
	covering("istanbul", "ignore", `(?:istanbul|c8|v8|node:coverage)\s+(?:ignore|disable)\b(.*)`),
	covering("coverage.py", "pragma:", `(?i)#\s*pragma:\s*no\s*(?:cover|branch)`),
	covering("simplecov", ":nocov:", `:nocov:`),
	covering("phpunit", "@codeCoverageIgnore", `@codeCoverageIgnore\w*`),
	covering("lcov", "LCOV_EXCL", `(?:LCOV|GCOVR?)_EXCL_\w+`),
	inCode("@SuppressWarnings", "SuppressWarnings", `@\s*SuppressWarnings\b(.*)`),
	inCode("@Suppress", "Suppress", `@\s*(?:file\s*:\s*)?Suppress\b(.*)`),
	inCode("@SuppressLint", "Suppress", `@\s*Suppress(?:Lint|FBWarnings|Wildcards)\b(.*)`),
	inCode("#[allow]", "allow", `#\s*!?\s*\[\s*allow\b(.*)`),
	inCode("#[expect]", "expect", `#\s*!?\s*\[\s*expect\b(.*)`),
	inCode("#[cfg_attr]", "allow", `#\s*!?\s*\[\s*cfg_attr\b.*\ballow\b(.*)`),
	inCode("#pragma", "pragma", `#\s*pragma\s+(?:warning\s+disable|GCC\s+diagnostic\s+ignored|clang\s+diagnostic\s+ignored|warning\s*\(\s*disable)(.*)`),
	inCode("#nullable", "nullable", `#\s*nullable\s+disable`),
	inCode("SuppressMessage", "SuppressMessage", `\[\s*(?:assembly\s*:\s*)?(?:\w+\s*\.\s*)*SuppressMessage\b(.*)`),
	inCode("as any", "any", `\bas\s+any\b`),
	inCode("no_type_check", "no_type_check", `@\s*(?:typing\s*\.\s*)?no_type_check\b`),
	{tool: "ExcludeFromCodeCoverage", needle: "ExcludeFromCodeCoverage", re: regexp.MustCompile(`ExcludeFromCodeCoverage`), code: true, coverage: true},
	{tool: "coverage(off)", needle: "coverage", re: regexp.MustCompile(`#\s*\[\s*(?:cfg_attr\b.*)?coverage\s*\(\s*off`), code: true, coverage: true},
}

// suppression is one use of a suppressor.
type suppression struct {
	by    *suppressor
	rules []string
	line  line
}

// key is what must be equal for a suppression to be the same one.
func (s suppression) key() string { return s.by.tool + ":" + strings.Join(s.rules, ",") }

// checkSuppressions finds suppressions that are new: neither there before, nor moved, nor renamed.
func checkSuppressions(r *review) {
	type found struct {
		c    *change
		list []suppression
	}
	gone := map[string]int{}
	goneTools := map[*change]map[string][]suppression{}
	var all []found
	for _, c := range r.changes {
		if c.binary || isDocument(c.path()) || vendorPath.MatchString(c.path()) || fixtureDir.MatchString(c.path()) || c.newMode&modeType == modeLink {
			continue
		}
		if _, lock := isLock(c.path()); lock {
			continue
		}
		tools := map[string][]suppression{}
		for _, s := range suppressionsIn(c.oldPath, c.before, c.removed) {
			gone[s.key()]++
			tools[s.by.tool] = append(tools[s.by.tool], s)
		}
		goneTools[c] = tools
		if list := suppressionsIn(c.newPath, c.after, c.added); len(list) > 0 {
			all = append(all, found{c, list})
		}
	}
	for _, f := range all {
		tools := goneTools[f.c]
		for _, s := range f.list {
			if s.by.tool == "as any" && isTestSupport(f.c.newPath) {
				continue
			}
			if gone[s.key()] > 0 {
				gone[s.key()]--
				tools[s.by.tool] = dropKey(tools[s.by.tool], s.key())
				continue
			}
			if list := tools[s.by.tool]; len(list) > 0 && noWider(s, list[0]) {
				gone[list[0].key()]--
				tools[s.by.tool] = list[1:]
				continue
			}
			rule, what := suppressionAdded, "a finding of "+s.by.tool+" is suppressed"
			if s.by.coverage {
				rule, what = coverageLowered, "code is left out of the coverage"
			}
			r.report(rule, f.c.path(), s.line.num, s.line.text, "%s: mend what it complains about instead", what)
		}
	}
}

func dropKey(list []suppression, key string) []suppression {
	if i := slices.IndexFunc(list, func(s suppression) bool { return s.key() == key }); i >= 0 {
		return slices.Delete(slices.Clone(list), i, i+1)
	}
	return list
}

// noWider reports whether a suppression silences no more rules than the one that it took the place of.
func noWider(new, old suppression) bool {
	return len(old.rules) == 0 || len(new.rules) > 0 && len(new.rules) <= len(old.rules)
}

var looseComment = map[string]bool{".yml": true, ".yaml": true, ".tf": true, ".hcl": true, ".sql": true, ".css": true, ".scss": true, ".less": true, ".html": true, ".toml": true, ".cfg": true, ".ini": true, ".mk": true, ".pyx": true, ".ex": true, ".exs": true, ".lua": true, ".pl": true}

// suppressionsIn returns the suppressions on the given lines of a side.
func suppressionsIn(file string, s side, lines []line) []suppression {
	if file == "" || len(lines) == 0 {
		return nil
	}
	lang := source.Of(file)
	base := path.Base(file)
	if lang == nil && !looseComment[path.Ext(file)] && !strings.HasPrefix(base, "Dockerfile") && base != "Makefile" {
		return nil
	}
	hit := false
	for _, l := range lines {
		if mayInhibit(l.text) {
			hit = true
			break
		}
	}
	if !hit {
		return nil
	}
	comments, code, bones := map[int]string{}, map[int]string{}, map[int]string{} // bones: the code without its texts
	if lang != nil {
		for _, b := range s.blocks {
			for _, t := range lang.Lex(b.lines, b.first) {
				switch t.Kind {
				case source.Comment:
					comments[t.Line] += t.Text + " "
				case source.String:
					code[t.Line] += `"` + strings.ReplaceAll(t.Value(), "\n", " ") + `" `
					bones[t.Line] += `"" `
				default:
					code[t.Line] += t.Text + " "
					bones[t.Line] += t.Text + " "
				}
			}
		}
	}
	var out []suppression
	for _, l := range lines {
		if !mayInhibit(l.text) {
			continue
		}
		text, plain := comments[l.num], code[l.num]
		if lang == nil {
			i := strings.IndexAny(l.text, "#/-<;")
			if i < 0 {
				continue
			}
			text = l.text[i:]
		}
		if strings.HasPrefix(strings.TrimSpace(plain), "#") && lang != nil && lang.Name == "c" {
			plain = l.text
		}
		for i := range suppressors {
			by := &suppressors[i]
			where := text
			if by.code {
				where = plain
				if lang != nil && !by.re.MatchString(bones[l.num]) && where != l.text {
					continue
				}
			}
			if !strings.Contains(where, by.needle) {
				continue
			}
			if m := by.re.FindStringSubmatch(strings.TrimSpace(where)); m != nil {
				s := suppression{by: by, line: l}
				if len(m) > 1 {
					s.rules = ruleNames(m[1])
				}
				out = append(out, s)
			}
		}
	}
	return out
}

// mayInhibit is a cheap look for any suppressor's needle.
func mayInhibit(text string) bool {
	if len(text) > 20_000 {
		return false
	}
	for i := range suppressors {
		if strings.Contains(text, suppressors[i].needle) {
			return true
		}
	}
	return false
}

var ruleName = regexp.MustCompile(`[@\w][\w./@:-]*`)

// ruleNames returns the rules that a suppression names, sorted; the reason after -- or // is left out.
func ruleNames(text string) []string {
	text, _, _ = strings.Cut(text, " -- ")
	text, _, _ = strings.Cut(text, "//")
	text, _, _ = strings.Cut(text, "*/")
	text, _, _ = strings.Cut(text, " # ")
	names := ruleName.FindAllString(text, 20)
	slices.Sort(names)
	return names
}
