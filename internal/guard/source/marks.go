package source

import (
	"regexp"
	"strings"
)

var (
	skipCalls    = map[string]bool{"Skip": true, "Skipf": true, "SkipNow": true, "skipTest": true, "markTestSkipped": true, "markTestIncomplete": true, "Inconclusive": true, "Ignore": true, "XCTSkip": true, "SkipTest": true, "SkipException": true, "TestAbortedException": true, "GTEST_SKIP": true, "importorskip": true}
	skipNames    = map[string]bool{"xit": true, "xtest": true, "xdescribe": true, "xcontext": true, "xspecify": true, "xscenario": true, "xfeature": true, "xexample": true, "xshould": true, "PIt": true, "XIt": true, "PDescribe": true, "XDescribe": true, "PContext": true, "XContext": true, "PWhen": true, "XWhen": true, "PSpecify": true, "XSpecify": true, "PEntry": true, "XEntry": true, "PDescribeTable": true, "XDescribeTable": true}
	focusNames   = map[string]bool{"fit": true, "fdescribe": true, "fcontext": true, "ftest": true, "fspecify": true, "fscenario": true, "fexample": true, "FIt": true, "FDescribe": true, "FContext": true, "FWhen": true, "FSpecify": true, "FEntry": true, "FDescribeTable": true}
	skipMarks    = regexp.MustCompile(`^(Disabled|Ignore|Ignored|Explicit|IgnoreIf|DisabledIf\w*|DisabledOn\w*|DisabledFor\w*|EnabledIf\w*|EnabledOn\w*|EnabledFor\w*|PendingFeature|SkipWhen|ignore|skip|skipIf|skipUnless|skipif|expectedFailure|xfail|IgnoreRest|Flaky|Quarantine|ConditionalFact|RequiresPhp|RequiresOperatingSystem|requires)$`)
	conditional  = regexp.MustCompile(`If|Unless|On[A-Z]|For[A-Z]|skipif|Conditional|Requires|requires|importorskip|assume|Assum`)
	caseChains   = regexp.MustCompile(`^(it|test|describe|context|suite|specify|bench|Deno|scenario|example|skip|only|each|concurrent|sequential|serial|parallel)$`)
	environment  = map[string]bool{"Getenv": true, "LookupEnv": true, "environ": true, "getenv": true, "env": true, "ENV": true, "Short": true, "GOOS": true, "GOARCH": true, "platform": true, "CI": true, "version_info": true, "RUNTIME": true, "RbConfig": true, "PHP_OS": true, "PHP_OS_FAMILY": true, "RUBY_PLATFORM": true}
	genericCatch = regexp.MustCompile(`^(AssertionError|AssertionFailedError|Throwable|Exception|BaseException|Error|StandardError|RuntimeException|Minitest|XunitException|ExpectationFailedException|AssertFailedException|AssertionException)$`)
)

func (f *File) mark(kind MarkKind, i int, conditional bool) {
	u := f.owner[i]
	from, to := f.first[i], i+1
	for to < len(f.Code) && f.Code[to].Line == f.Code[i].Line && to < i+30 {
		to++
	}
	u.Marks = append(u.Marks, Mark{Kind: kind, Line: f.Code[i].Line, Text: strings.TrimSpace(f.text(span{from, to})), Conditional: conditional})
}

// readMarks finds what keeps tests from running or from failing.
func (f *File) readMarks() {
	for i, t := range f.Code {
		switch t.Kind {
		case Ident:
			f.skipAt(i)
			f.deadAt(i)
			f.leaveAt(i)
			f.swallowAt(i)
		case Punct:
			if t.Text == "#" && (f.at(i+1) == "if") && (f.at(i+2) == "false" || f.at(i+2) == "0" || f.at(i+2) == "NEVER") {
				f.mark(MarkDead, i, false)
			}
			if t.Text == "||" && f.Lang.Name == "shell" && (f.at(i+1) == "true" || f.at(i+1) == ":") && (f.up[i] < 0 || f.at(f.up[i]) == "{") {
				f.mark(MarkSwallow, i, false)
			}
		}
	}
}

// underCondition reports whether a statement stands in a block of an if.
func (f *File) underCondition(i int) bool {
	if f.Lang.extent != braces {
		return f.Code[f.first[i]].Col > f.bodyColumn(i) || f.lineHas(i, "if", "unless")
	}
	head, b := f.header(i)
	return b >= 0 && (f.at(head) == "if" || f.at(head) == "else" || f.at(head) == "switch") || f.at(f.first[i]) == "if"
}

func (f *File) lineHas(i int, words ...string) bool {
	for j := f.first[i]; j < len(f.Code) && f.Code[j].Line == f.Code[i].Line; j++ {
		for _, w := range words {
			if f.Code[j].Kind == Ident && f.Code[j].Text == w {
				return true
			}
		}
	}
	return false
}

// bodyColumn is the indentation of the first statement of the unit around i.
func (f *File) bodyColumn(i int) int {
	u := f.owner[i]
	if u.Kind == Rest {
		return 0
	}
	for j := u.body + 1; j < u.end; j++ {
		if f.Code[j].First && f.Code[j].Col > f.Code[u.start].Col {
			return f.Code[j].Col
		}
	}
	return f.Code[f.first[i]].Col
}

func (f *File) skipAt(i int) {
	name, prev, next := f.at(i), f.at(i-1), f.at(i+1)
	call := next == "("
	switch {
	case skipCalls[name] && call && prev != "@" && prev != "func" && prev != "def" && prev != "function" && prev != "[":
		if f.Lang.Name == "go" && prev != "." || f.Lang.Name == "csharp" && name == "Skip" {
			return
		}
		f.mark(MarkSkip, i, f.underCondition(i) || name == "importorskip")
	case skipNames[name] && (call || f.Lang.Name == "ruby" && f.Code[i].First) && prev != ".":
		f.mark(MarkSkip, i, false)
	case focusNames[name] && (call || f.Lang.Name == "ruby" && f.Code[i].First) && prev != "." && prev != "func" && prev != "function" && (f.Lang.Name != "js" || f.kind(i+2) == String):
		f.mark(MarkFocus, i, false)
	case link(prev) && (name == "skip" || name == "todo" || name == "only" || name == "fixme" || name == "skipIf" || name == "runIf" || name == "failing" || name == "fails"):
		base := f.at(i - 2)
		if base == ")" && f.pair[i-2] > 0 { // it.each(…).skip, Pest's it(…)->skip()
			base = f.at(f.first[f.pair[i-2]])
		}
		if base == "mark" || base == "unittest" {
			if f.at(f.first[i]) == "@" {
				f.attributeAt(i)
			} else {
				f.pythonSkip(i)
			}
			return
		}
		if !caseChains.MatchString(base) && !(base == "this" || base == "t" || base == "ctx" || base == "pytest") || f.Lang.Name == "ruby" || f.Lang.Name == "go" {
			return
		}
		if base == "t" && name != "skip" && name != "todo" {
			return
		}
		switch name {
		case "only":
			f.mark(MarkFocus, i, false)
		case "failing", "fails":
			f.mark(MarkExpected, i, false)
		default:
			f.mark(MarkSkip, i, name == "skipIf" || name == "runIf" || f.underCondition(i))
		}
	case prev == "@" || prev == "[" || prev == "#[" || prev == "." && f.at(f.first[i]) == "@" || prev == "," && f.attribute(f.first[i]):
		f.attributeAt(i)
	case f.Lang.Name == "python":
		f.pythonSkip(i)
	case f.Lang.Name == "csharp" && name == "Skip" && next == "=" && f.attribute(f.first[i]):
		f.mark(MarkSkip, i, false)
	case f.Lang.Name == "shell" && name == "skip" && f.Code[i].First && next != "(":
		f.mark(MarkSkip, i, f.underCondition(i))
	case f.Lang.Name == "ruby" && (name == "skip" || name == "pending") && next != "=" && next != "." && prev != ".":
		if f.Code[i].First || prev == ":" && (f.at(i-2) == "," || f.at(i-2) == "(") || next == ":" && prev == "," {
			f.mark(MarkSkip, i, f.Code[i].First && f.underCondition(i))
		}
	case f.Lang.Name == "ruby" && name == "focus" && (prev == ":" || next == ":" && prev == ","):
		f.mark(MarkFocus, i, false)
	case (name == "skip" || name == "todo") && next == ":" && f.at(i+2) == "true" && (f.Lang.Name == "js" || f.Lang.Name == "dart") && f.owner[i].Kind != Rest:
		f.mark(MarkSkip, i, false)
	case name == "only" && next == ":" && f.at(i+2) == "true" && f.Lang.Name == "js":
		f.mark(MarkFocus, i, false)
	case name == "enabled" && next == "=" && f.at(i+2) == "false":
		f.mark(MarkSkip, i, false)
	case (name == "assumeTrue" || name == "assumeFalse" || name == "assumeThat" || name == "assumingThat") && call:
		f.mark(MarkSkip, i, f.at(i+2) != "false" && f.at(i+2) != "true")
	}
}

// attributeAt reads an annotation that skips.
func (f *File) attributeAt(i int) {
	name := f.at(i)
	switch f.Lang.Name {
	case "rust":
		switch {
		case name == "ignore":
			f.mark(MarkSkip, i, false)
		case name == "should_panic":
			f.mark(MarkExpected, i, false)
		case name == "cfg" && !(f.at(i+2) == "test" && f.at(i+3) == ")"):
			f.mark(MarkSkip, i, f.at(i+2) != "any" || f.at(i+4) != ")")
		case name == "cfg_attr" && f.lineHas(i, "ignore"):
			f.mark(MarkSkip, i, true)
		}
		return
	case "js", "go", "shell", "ruby":
		return
	}
	if skipMarks.MatchString(name) {
		kind := MarkSkip
		if name == "expectedFailure" || name == "xfail" {
			kind = MarkExpected
		}
		f.mark(kind, i, conditional.MatchString(name))
	}
}

func (f *File) pythonSkip(i int) {
	name, prev, next := f.at(i), f.at(i-1), f.at(i+1)
	switch {
	case prev == "." && (f.at(i-2) == "pytest" || f.at(i-2) == "unittest") && (name == "skip" || name == "xfail") && next == "(":
		if f.at(f.first[i]) != "@" {
			f.mark(MarkSkip, i, f.underCondition(i))
		}
	case name == "SkipTest" && f.at(f.first[i]) == "raise":
		f.mark(MarkSkip, i, f.underCondition(i))
	case name == "pytestmark" && next == "=" || prev == "." && f.at(i-2) == "mark" && f.at(f.first[i]) != "@":
		for j := i; j < len(f.Code) && j < i+30 && (j == i || !f.Code[j].First || f.up[j] >= 0); j++ {
			if s := f.at(j); (s == "skip" || s == "skipif" || s == "xfail") && f.at(j-1) == "." && (name == "pytestmark" || f.owner[i].Kind == Test) {
				f.mark(MarkSkip, j, s == "skipif")
				return
			}
		}
	case name == "__test__" && next == "=" && f.at(i+2) == "False":
		f.mark(MarkSkip, i, false)
	}
}

// deadAt reads if false and its kin.
func (f *File) deadAt(i int) {
	switch f.at(i) {
	case "if", "while", "elif", "unless":
	default:
		return
	}
	if f.at(i-1) == "#" || f.at(i-1) == "else" && f.Lang.Name == "js" && false {
		return
	}
	j := i + 1
	for f.at(j) == "(" {
		j++
	}
	off := map[string]bool{"false": true, "False": true, "0": true, "FALSE": true}
	if f.at(i) == "unless" {
		off = map[string]bool{"true": true}
	}
	s, after := f.at(j), f.at(j+1)
	ends := after == ")" || after == "{" || after == ":" || after == "&&" || after == "and" || after == ";" || after == "then" || j+1 < len(f.Code) && f.Code[j+1].First
	switch {
	case off[s] && ends && f.kind(j) != String:
		f.mark(MarkDead, i, false)
	case s == "!" && after == "true" || s == "not" && after == "True":
		f.mark(MarkDead, i, false)
	case f.kind(j) == Number && (after == "==" || after == "===") && f.kind(j+2) == Number && f.at(j) != f.at(j+2):
		f.mark(MarkDead, i, false)
	}
}

// leaveAt reads statements that leave a test before its checks, or end the run as a success.
func (f *File) leaveAt(i int) {
	name, next := f.at(i), f.at(i+1)
	u := f.owner[i]
	switch name {
	case "return":
		if u.Kind != Test || !f.Code[i].First && f.at(i-1) != ";" && f.at(i-1) != "{" && f.at(i-1) != ":" {
			return
		}
		bare := next == ";" || next == "" || next == "}" || i+1 < len(f.Code) && f.Code[i+1].First || f.Lang.Name == "shell" && next == "0" || next == "None" || next == "undefined" || next == "null"
		if !bare {
			return
		}
		if f.underCondition(i) || f.inside(i, u) {
			if head, b := f.header(i); f.environmental(i, head, b) {
				f.mark(MarkReturn, i, true)
			}
			return
		}
		after := i + 1
		for after < u.end && (f.at(after) == ";" || f.at(after) == "0" || f.at(after) == "}" || f.at(after) == ")" || f.at(after) == "end") {
			after++
		}
		if after < u.end {
			f.mark(MarkReturn, i, false)
		}
	case "exit", "Exit", "_exit", "exitProcess", "die":
		success := next == "(" && (f.at(i+2) == "0" || f.at(i+2) == ")" && f.Lang.Name != "shell") || f.Lang.Name == "shell" && f.Code[i].First && (next == "0" || i+1 < len(f.Code) && f.Code[i+1].First)
		if success && f.at(i-1) != "def" && f.at(i-1) != "func" {
			f.mark(MarkExit, i, f.underCondition(i))
		}
	case "exitstatus":
		if next == "=" && f.at(i+2) == "0" {
			f.mark(MarkExit, i, false)
		}
	}
}

// inside reports whether a statement stands deeper than the unit's own body, in a closure or a loop.
func (f *File) inside(i int, u *Unit) bool {
	if f.Lang.extent != braces {
		return f.Code[f.first[i]].Col > f.bodyColumn(i)
	}
	for b := f.up[i]; b > u.start; b = f.up[b] {
		if f.at(b) == "{" && b > u.body && f.Code[b].Line > u.Line {
			return true
		}
	}
	return false
}

// environmental reports whether the condition around i asks where the test runs.
func (f *File) environmental(i, head, brace int) bool {
	from, to := head, brace
	if f.Lang.extent != braces {
		from, to = f.first[i], i
		for k := from - 1; k >= 0 && k > from-40; k-- {
			if f.Code[k].First && f.Code[k].Col < f.Code[f.first[i]].Col {
				from = k
				break
			}
		}
	}
	for j := max(from, 0); j < to && j < len(f.Code); j++ {
		if environment[f.at(j)] && f.kind(j) == Ident {
			return true
		}
	}
	return false
}

// swallowAt reads handlers that keep a failed check from failing the test.
func (f *File) swallowAt(i int) {
	name, next := f.at(i), f.at(i+1)
	switch {
	case name == "catch" && next == "(" && f.at(i-1) == "." && f.Lang.Name == "js":
		end := f.close(i + 1)
		if end-i <= 12 && f.handlerEmpty(i+2, end) {
			f.mark(MarkSwallow, i, false)
		}
	case name == "catch" && (next == "(" || next == "{") && f.at(i-1) == "}":
		open := i + 1
		if next == "(" {
			open = f.close(i+1) + 1
		}
		if f.at(open) != "{" || f.pair[open] < 0 || !f.handlerEmpty(open+1, f.pair[open]) {
			return
		}
		tryOpen := f.pair[i-1]
		if tryOpen < 0 {
			return
		}
		wide := next == "{"
		for j := i + 1; j < open; j++ {
			wide = wide || genericCatch.MatchString(f.at(j)) || f.Lang.Name == "js"
		}
		if wide && f.hasAssert(tryOpen, i-1) && !(f.hasFail(tryOpen, i-1) && !f.catchesAssertions(i, open)) {
			f.mark(MarkSwallow, i, false)
		}
	case f.Lang.Name == "python" && name == "except":
		f.pythonExcept(i)
	case f.Lang.Name == "python" && name == "suppress" && next == "(":
		f.mark(MarkSwallow, i, false)
	case f.Lang.Name == "ruby" && name == "rescue":
		j := i + 1
		for j < len(f.Code) && f.Code[j].Line == f.Code[i].Line {
			j++
		}
		if next == "nil" || f.at(j) == "end" || f.at(j) == "nil" {
			f.mark(MarkSwallow, i, false)
		}
	case f.Lang.Name == "go" && name == "recover" && next == "(" && (f.at(i+3) == "}" || f.at(i-1) == "=" && f.at(i-2) == "_"):
		f.mark(MarkSwallow, i, false)
	case f.Lang.Name == "kotlin" && name == "runCatching" && next == "{" && f.hasAssert(i+1, f.close(i+1)):
		f.mark(MarkSwallow, i, false)
	case f.Lang.Name == "rust" && name == "catch_unwind":
		f.mark(MarkSwallow, i, false)
	case f.Lang.Name == "shell" && name == "set" && next == "+" && f.at(i+2) == "e":
		f.mark(MarkSwallow, i, false)
	}
}

func (f *File) pythonExcept(i int) {
	col, line := f.Code[i].Col, f.Code[i].Line
	wide := f.at(i+1) == ":"
	j := i + 1
	for ; j < len(f.Code) && !(f.at(j) == ":" && f.up[j] == f.up[i]); j++ {
		wide = wide || genericCatch.MatchString(f.at(j))
	}
	end := j + 1
	for end < len(f.Code) && (f.Code[end].Line == line || !f.Code[end].First || f.Code[end].Col > col) {
		end++
	}
	if !wide || !f.handlerEmpty(j+1, end) {
		return
	}
	for k := i - 1; k >= 0 && k > i-4000; k-- {
		if f.at(k) == "try" && f.Code[k].Col == col && f.Code[k].First {
			if f.hasAssert(k, i) && !(f.hasFail(k, i) && !f.catchesAssertions(i, j)) {
				f.mark(MarkSwallow, i, false)
			}
			return
		}
		if f.Code[k].First && f.Code[k].Col < col {
			return
		}
	}
}

// handlerEmpty reports whether a handler neither checks nor throws.
func (f *File) handlerEmpty(from, to int) bool {
	for j := from; j < to; j++ {
		switch s := f.at(j); s {
		case "throw", "raise", "rethrow", "fail", "Fail", "fail!", "reject", "done", "panic":
			return false
		default:
			if f.kind(j) == Ident && (assertish(s) || s == "assert" || s == "expect") {
				return false
			}
			if s == "=" { // it keeps the error to check it later
				return false
			}
			if f.kind(j) == Ident && (f.at(j+1) == "(" || f.at(j+1) == "!") && !reporting[s] {
				return false
			}
		}
	}
	return true
}

// reporting are calls that tell of an error and do nothing about it.
var reporting = wordSet(`print println printf log Log Logf Print Println Printf warn warning debug info error exception trace puts p pp echo printStackTrace format Format
	WriteLine Write getMessage toString str repr message console var_dump error_log print_r stderr eprintln eprint dbg`)

func (f *File) hasAssert(from, to int) bool {
	for _, u := range []*Unit{f.owner[from], f.owner[min(to, len(f.owner)-1)]} {
		for _, a := range u.Asserts {
			if a.at > from && a.at < to {
				return true
			}
		}
	}
	return false
}

func (f *File) hasFail(from, to int) bool {
	for _, a := range f.owner[from].Asserts {
		if a.at > from && a.at < to && a.Op == Fails {
			return true
		}
	}
	return false
}

func (f *File) catchesAssertions(from, to int) bool {
	for j := from; j < to; j++ {
		if s := f.at(j); s == "Throwable" || strings.Contains(s, "Assert") || s == "BaseException" {
			return true
		}
	}
	return false
}
