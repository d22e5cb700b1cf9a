package guard

import (
	"regexp"
	"strings"

	"gaggle/internal/guard/source"
)

// underTest are the ways in which code asks whether a test runs it.
var underTest = regexp.MustCompile(`testing\s*\.\s*Testing\s*\(|flag\s*\.\s*Lookup\s*\(\s*"test\.|HasSuffix\s*\(\s*os\s*\.\s*Args\s*\[\s*0\s*\]\s*,\s*"\.test"|` +
	`PYTEST_CURRENT_TEST|PYTEST_VERSION|PYTEST_XDIST|["'](?:pytest|unittest|_pytest)["'] (?:not )?in sys\s*\.\s*modules|sys\s*\.\s*modules\s*\.\s*get\s*\(\s*["'](?:pytest|unittest)|sys\s*\.\s*_called_from_test|` +
	`JEST_WORKER_ID|VITEST_WORKER_ID|VITEST_POOL_ID|process\s*\.\s*env\s*\.\s*VITEST\b|import\s*\.\s*meta\s*\.\s*vitest|process\s*\.\s*env\s*\.\s*(?:NODE_ENV|APP_ENV|CI)\s*[=!]==?\s*["'](?:test|ci)["']|typeof\s+(?:jest|describe|it|vi|expect)\s*[!=]==?|` +
	`(?:global|globalThis|window)\s*\.\s*(?:jest|describe|__TEST__|it\b|Cypress|mocha)|navigator\s*\.\s*webdriver|` +
	`Class\s*\.\s*forName\s*\(\s*"(?:org\.junit|org\.testng|org\.mockito)|startsWith\s*\(\s*"org\.junit|contains\s*\(\s*"(?:junit|surefire|testng)|getProperty\s*\(\s*"(?:surefire|org\.gradle\.test|junit)|` +
	`cfg!\s*\(\s*test\s*\)|RUST_TEST_THREADS|` +
	`StartsWith\s*\(\s*"(?:xunit|nunit|testhost|Microsoft\.VisualStudio\.TestPlatform)|UnitTestDetector|` +
	`defined\s*\?\s*\(?\s*(?:RSpec|Minitest|Test::Unit|Cucumber)|Rails\s*\.\s*env\s*\.\s*test\s*\?|ENV\s*\[\s*["'](?:RAILS_ENV|RACK_ENV|APP_ENV)["']\s*\]\s*==\s*["']test["']|\$PROGRAM_NAME\s*=~\s*/rspec|` +
	`defined\s*\(\s*["']PHPUNIT|class_exists\s*\(\s*["']?\\?\\?PHPUnit|runningUnitTests\s*\(|environment\s*\(\s*["']testing["']\s*\)|` +
	`BATS_TEST|BATS_RUN|\$\{?(?:GO_TEST|UNIT_TEST|IS_TEST|IN_TEST|TESTING|RUNNING_TESTS)\b|(?:Getenv|getenv|environ(?:\.get)?|env)\s*[\[(.]\s*["']?(?:GO_TEST|UNIT_TESTS?|IS_TEST|IN_TEST|TESTING|RUNNING_TESTS|TEST_MODE|PYTEST\w*)\b`)

// callerAsks are calls that look at who calls: a stack that is searched for tests.
var callerAsks = regexp.MustCompile(`runtime\s*\.\s*Callers?\b|getStackTrace|inspect\s*\.\s*stack|sys\s*\.\s*_getframe|new\s+Error\s*\(\s*\)\s*\.\s*stack|debug_backtrace|StackTrace\s*\(|caller_locations|Thread\s*\.\s*currentThread`)

// checkCased finds production code that behaves differently under test, or that knows a test's values.
func checkCased(r *review) {
	known := r.knownLiterals()
	for _, c := range r.changes {
		lang := source.Of(c.newPath)
		if lang == nil || c.binary || c.isDeleted() || isTestSupport(c.newPath) || vendorPath.MatchString(c.newPath) || len(c.added) == 0 || isConfigCode(c.newPath) {
			continue
		}
		was := map[string]int{}
		for _, l := range c.removed {
			if len(l.text) > 4000 || !mayAsk(l.text) {
				continue
			}
			for _, m := range underTest.FindAllString(l.text, 4) {
				was[strings.Join(strings.Fields(m), "")]++
			}
		}
		var code map[int]string
		tests := testRegions(lang, c)
		for _, l := range c.added {
			if len(l.text) > 4000 || tests[l.num] || !mayAsk(l.text) {
				continue
			}
			m := underTest.FindString(l.text)
			if m == "" {
				continue
			}
			if code == nil {
				code = c.codeLines(lang)
			}
			key := strings.Join(strings.Fields(m), "")
			if was[key] > 0 {
				was[key]--
				continue
			}
			if !strings.Contains(strings.Join(strings.Fields(code[l.num]), ""), key) || strings.HasPrefix(strings.TrimSpace(l.text), "import") {
				continue // in a comment or a text
			}
			r.report(testSpecialCased, c.path(), l.num, l.text, "the code asks whether it is being tested: let it behave the same everywhere")
		}
		for n, l := range c.added {
			if len(l.text) < 4000 && nearTest(c.added, n) && callerAsks.MatchString(l.text) && !tests[l.num] {
				r.report(testSpecialCased, c.path(), l.num, l.text, "the code looks for tests among its callers: let it behave the same everywhere")
			}
		}
		r.checkKnown(c, lang, known, tests)
	}
}

// mayAsk is a cheap look for what underTest matches.
func mayAsk(text string) bool {
	lower := strings.ToLower(text)
	for _, w := range []string{"test", "jest", "spec", "env", "unit", "bats", "cypress", "mocha", "webdriver", "describe", "typeof"} {
		if strings.Contains(lower, w) {
			return true
		}
	}
	return false
}

func nearTest(lines []line, n int) bool {
	if t := lines[n].text; !strings.Contains(t, "tack") && !strings.Contains(t, "aller") && !strings.Contains(t, "frame") && !strings.Contains(t, "currentThread") {
		return false
	}
	for _, l := range lines[n:min(len(lines), n+8)] {
		t := strings.ToLower(l.text)
		if strings.Contains(t, "_test") || strings.Contains(t, "\"test") || strings.Contains(t, "'test") || strings.Contains(t, "junit") || strings.Contains(t, "pytest") || strings.Contains(t, ".spec") || strings.Contains(t, "testing.trunner") {
			return true
		}
	}
	return false
}

// isConfigCode reports whether a file configures tools rather than the product.
func isConfigCode(p string) bool {
	return strings.Contains(baseName(p), ".config.") || strings.Contains(baseName(p), "babel") || strings.HasPrefix(p, "scripts/") || strings.HasPrefix(p, "tools/") || strings.HasSuffix(p, ".gradle") || strings.HasSuffix(p, ".gradle.kts") || strings.HasPrefix(p, "config/") || ciPath.MatchString(p)
}

// codeLines is the new side by line, without comments.
func (c *change) codeLines(lang *source.Language) map[int]string {
	out := map[int]string{}
	for _, b := range c.after.blocks {
		for _, t := range lang.Lex(b.lines, b.first) {
			if t.Kind != source.Comment {
				out[t.Line] += t.Text + " "
			}
		}
	}
	return out
}

// testRegions are the lines of a production file that belong to tests inside it, as in Rust.
func testRegions(lang *source.Language, c *change) map[int]bool {
	if lang.Name != "rust" {
		return nil
	}
	out := map[int]bool{}
	if f := onlyTests(source.Read(lang, c.after.read())); f != nil {
		for _, u := range f.Units {
			for n := u.Line; n <= u.End; n++ {
				out[n] = true
			}
		}
	}
	return out
}

// knownLiterals are the texts and large numbers in the tests of the diff, and in the tests that conventionally
// stand beside a changed file.
func (r *review) knownLiterals() func(c *change) map[string]bool {
	all := map[string]bool{}
	take := func(file string, lines []string, into map[string]bool) {
		if lang := source.Of(file); lang != nil {
			for _, t := range lang.Lex(lines, 1) {
				if distinctive(t) {
					into[strings.Trim(t.Value(), "-")] = true
				}
			}
		}
	}
	read := false
	return func(c *change) map[string]bool {
		for _, c := range r.changes {
			if !read && isTest(c.path()) && !c.binary {
				for _, s := range []side{c.before, c.after} {
					for _, b := range s.blocks {
						take(c.path(), b.lines, all)
					}
				}
			}
		}
		read = true
		out := all
		if r.input.Base != nil {
			for _, name := range testsBeside(c.path()) {
				if data := r.input.Base(name); data != nil && len(data) < wholeLimit {
					if len(out) == len(all) {
						copied := make(map[string]bool, len(all))
						for k := range all {
							copied[k] = true
						}
						out = copied
					}
					take(name, splitLines(data), out)
				}
			}
		}
		return out
	}
}

// distinctive reports whether a literal is unlikely to be in code and tests by chance.
func distinctive(t source.Token) bool {
	switch t.Kind {
	case source.String:
		v := t.Value()
		return len(v) >= 3 && len(v) < 200 && strings.ContainsAny(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
	case source.Number:
		return len(t.Text) >= 2 && t.Text != "10" && t.Text != "100" && t.Text != "1000" && t.Text != "200" && t.Text != "404" && t.Text != "500" && t.Text != "60" && t.Text != "16" && t.Text != "32" && t.Text != "64" && t.Text != "1024" && t.Text != "0.0" && t.Text != "1.0"
	}
	return false
}

// testsBeside are the usual names of a file's tests.
func testsBeside(file string) []string {
	dir, base := "", file
	if i := strings.LastIndexByte(file, '/'); i >= 0 {
		dir, base = file[:i+1], file[i+1:]
	}
	i := strings.LastIndexByte(base, '.')
	if i < 0 {
		return nil
	}
	stem, ext := base[:i], base[i:]
	switch ext {
	case ".go":
		return []string{dir + stem + "_test.go"}
	case ".py":
		return []string{dir + "test_" + base, dir + "tests/test_" + base, "tests/test_" + base, "test/test_" + base, dir + stem + "_test.py", "tests/unit/test_" + base}
	case ".js", ".ts", ".jsx", ".tsx", ".mjs":
		return []string{dir + stem + ".test" + ext, dir + stem + ".spec" + ext, dir + "__tests__/" + stem + ".test" + ext, "test/" + stem + ".test" + ext, "tests/" + stem + ".test" + ext, "test/" + base}
	case ".java", ".kt":
		return []string{strings.Replace(dir, "src/main/", "src/test/", 1) + stem + "Test" + ext, strings.Replace(dir, "src/main/", "src/test/", 1) + stem + "Tests" + ext}
	case ".rb":
		return []string{strings.Replace(strings.Replace("spec/"+dir, "spec/lib/", "spec/", 1), "spec/app/", "spec/", 1) + stem + "_spec.rb", "test/" + stem + "_test.rb", "test/test_" + base}
	case ".php":
		return []string{strings.Replace(dir, "src/", "tests/", 1) + stem + "Test.php", "tests/" + stem + "Test.php", "tests/Unit/" + stem + "Test.php"}
	case ".cs":
		return []string{"tests/" + stem + "Tests.cs", dir + stem + "Tests.cs"}
	case ".rs":
		return []string{"tests/" + base, "tests/" + stem + "_test.rs"}
	}
	return nil
}

var compares = regexp.MustCompile(`^\s*(?:\}?\s*(?:else\s+)?if|elif|elsif|unless|when|case|match|switch|\}?\s*else if|guard)\b`)

// checkKnown finds a condition on a test's input whose branch returns a value that the same tests hold.
func (r *review) checkKnown(c *change, lang *source.Language, known func(*change) map[string]bool, tests map[int]bool) {
	var values map[string]bool
	removed := map[string]bool{}
	for n, l := range c.added {
		if len(l.text) > 2000 || tests[l.num] || !compares.MatchString(l.text) && !strings.Contains(l.text, " ? ") {
			continue
		}
		conditions := literalsOf(lang, l)
		if len(conditions) == 0 || !strings.Contains(l.text, "==") && !strings.Contains(l.text, "case") && !strings.Contains(l.text, ".equals(") && !strings.Contains(l.text, " in ") && !strings.Contains(l.text, "when") && !strings.Contains(l.text, "=>") && !strings.Contains(l.text, "Equal") {
			continue
		}
		var returns []source.Token
		for k := n; k < min(len(c.added), n+4) && c.added[k].num <= l.num+3; k++ {
			text := c.added[k].text
			if k == n {
				if i := strings.IndexAny(text, "?{:"); i >= 0 {
					text = text[i:]
				}
			}
			if strings.Contains(text, "return") || k == n && strings.Contains(text, "?") || strings.Contains(text, "=>") || strings.Contains(text, "->") {
				returns = append(returns, literalsOf(lang, line{c.added[k].num, text})...)
			}
		}
		if len(returns) == 0 {
			continue
		}
		if values == nil {
			values = known(c)
			for _, o := range r.changes {
				for _, gone := range o.removed {
					if len(gone.text) < 2000 && !isTestSupport(o.path()) {
						for _, t := range literalsOf(lang, gone) {
							removed[t.Value()] = true
						}
					}
				}
			}
		}
		in, out := false, false
		for _, t := range conditions {
			in = in || values[t.Value()] && !removed[t.Value()]
		}
		for _, t := range returns {
			out = out || values[t.Value()] && !removed[t.Value()]
		}
		if in && out && !r.asked.holdsValue(conditions[0].Value()) {
			r.report(testSpecialCased, c.path(), l.num, l.text, "the code answers a test's own input with the value that the test expects: compute it instead")
		}
	}
}

func literalsOf(lang *source.Language, l line) []source.Token {
	var out []source.Token
	for _, t := range lang.Lex([]string{l.text}, l.num) {
		if distinctive(t) {
			out = append(out, t)
		}
	}
	return out
}
