package source

import (
	"regexp"
	"strings"
)

var (
	goTest      = regexp.MustCompile(`^(Test|Benchmark|Fuzz|Example)($|[^a-z])`)
	pyTest      = regexp.MustCompile(`^test`)
	anyTest     = regexp.MustCompile(`^[tT]est`)
	testMarks   = wordSet(`Test ParameterizedTest RepeatedTest TestFactory TestTemplate Property Example Fact Theory TestMethod DataTestMethod TestCase TestCaseSource SkippableFact SkippableTheory UIFact RetryFact Scenario BenchmarkMethod`)
	rustMarks   = wordSet(`test rstest test_case case proptest bench wasm_bindgen_test quickcheck parameterized test_log apply sqlx`)
	notMethods  = wordSet(`if for while switch catch synchronized using lock return new else do try foreach when match fixed unless elsif elseif with function fn func sizeof typeof throw await yield and or not in super this assert guard unsafe loop`)
	caseCalls   = wordSet(`it test specify example scenario fit xit xtest ftest xspecify fspecify ftest its should xshould It FIt PIt XIt Specify FSpecify PSpecify Entry FEntry PEntry XEntry xscenario fscenario xexample fexample testWidgets blocTest testCase expectTypeOf`)
	groupCalls  = wordSet(`describe context suite feature fdescribe xdescribe fcontext xcontext xfeature ffeature Describe FDescribe PDescribe XDescribe Context FContext PContext XContext When FWhen PWhen DescribeTable FDescribeTable PDescribeTable shared_examples shared_examples_for shared_context RSpec group expect_group`)
	containers  = wordSet(`class object trait struct enum module namespace mod record impl extension`)
	methodLangs = map[string]bool{"java": true, "csharp": true, "groovy": true, "c": true, "dart": true}
	keywordFunc = map[string]string{"go": "func", "swift": "func", "rust": "fn", "php": "function", "kotlin": "fun", "scala": "def", "js": "function"}
)

// readUnits finds functions, tests and groups in the order of their beginnings.
func (f *File) readUnits() {
	var testEnd int // inside a test no helper is looked for
	for i := 0; i < len(f.Code); i++ {
		if f.Code[i].Kind == Number || f.Code[i].Kind == String && f.Lang.Name != "kotlin" && f.Lang.Name != "scala" {
			continue
		}
		u := f.unitAt(i)
		if u == nil {
			continue
		}
		if i < testEnd && u.Kind != Test && u.Kind != Suite {
			continue
		}
		u.Line = f.Code[u.start].Line
		u.End = f.Code[max(u.start, min(u.end, len(f.Code))-1)].Line
		u.Name = u.Short
		if n := len(f.Units); n > 0 && f.Units[n-1].start == u.start {
			continue
		}
		f.Units = append(f.Units, u)
		if u.Kind == Test {
			testEnd = max(testEnd, u.end)
		}
		i = max(i, u.body-1)
	}
}

func (f *File) unitAt(i int) *Unit {
	t := f.Code[i]
	if t.Kind == Punct && t.Text != "@" {
		return nil
	}
	switch f.Lang.Name {
	case "python":
		return f.pythonUnit(i)
	case "ruby":
		return f.rubyUnit(i)
	case "shell":
		return f.shellUnit(i)
	}
	if u := f.container(i); u != nil {
		return u
	}
	if k := keywordFunc[f.Lang.Name]; k != "" && t.Text == k && t.Kind == Ident {
		return f.function(i)
	}
	if f.Lang.Name == "js" && t.Kind == Ident && (t.Text == "const" || t.Text == "let") {
		return f.arrow(i)
	}
	if methodLangs[f.Lang.Name] && t.Kind == Ident && f.at(i+1) == "(" {
		if u := f.method(i); u != nil {
			return u
		}
	}
	return f.callUnit(i)
}

// headStart walks back from a declaration over the lines of its annotations.
func (f *File) headStart(i int) int {
	j := f.first[i]
	for k := i - 1; k >= j; k-- { // something else may begin the line
		s := f.at(k)
		if s == "{" || s == "}" || s == ";" || k < i-400 {
			return k + 1
		}
		if (s == ")" || s == "]") && f.pair[k] >= j {
			k = f.pair[k]
		}
	}
	for j > 0 && f.at(j-1) != "}" && f.at(j-1) != ";" {
		k := f.first[j-1]
		if o := f.pair[j-1]; o >= 0 && o < j-1 {
			k = f.first[o]
		}
		if !f.attribute(k) || k >= j {
			break
		}
		j = k
	}
	return j
}

// attribute reports whether the line that begins at k begins with an annotation.
func (f *File) attribute(k int) bool {
	switch f.at(k) {
	case "@":
		return true
	case "[":
		return f.Lang.Name == "csharp" && f.kind(k+1) == Ident
	case "#":
		return f.Lang.Name == "rust" && f.at(k+1) == "["
	case "#[":
		return true
	}
	return false
}

// bodyFrom finds the brace that opens a body after a declaration's head, or -1. Groups in between are skipped.
func (f *File) bodyFrom(i int) int {
	for n := 0; i < len(f.Code) && n < 200; n++ {
		switch f.at(i) {
		case "{":
			if p := f.at(i - 1); (p == "interface" || p == "struct") && f.pair[i] > 0 {
				i = f.pair[i]
			} else {
				return i
			}
		case "(", "[":
			i = f.close(i)
		case ";", "}", ")":
			return -1
		case "=":
			if f.Lang.Name == "kotlin" || f.Lang.Name == "scala" {
				return i
			}
		case "=>":
			return i
		}
		i++
	}
	return -1
}

// extentOf returns where a body that opens at i ends.
func (f *File) extentOf(head, i int) int {
	switch f.at(i) {
	case "{":
		return f.close(i) + 1
	case "=>":
		for j := i; j < len(f.Code); j++ {
			switch f.at(j) {
			case "(", "[", "{":
				j = f.close(j)
			case ";":
				return j + 1
			}
		}
	}
	col := f.Code[f.first[head]].Col
	for j := i + 1; j < len(f.Code) && j < i+maxBody; j++ {
		if f.Code[j].First && f.Code[j].Col <= col && f.at(j) != "}" && f.at(j) != ")" {
			return j
		}
		if f.at(j) == "}" && f.pair[j] < i {
			return j
		}
	}
	return min(len(f.Code), i+maxBody)
}

// maxBody bounds how far the end of a function without a closing brace is looked for, in tokens.
const maxBody = 6_000

// function reads a function declared with a keyword.
func (f *File) function(i int) *Unit {
	j := i + 1
	receiver := ""
	if f.Lang.Name == "go" {
		if f.Code[i].Col != 0 || !f.Code[i].First {
			return nil
		}
		if f.at(j) == "(" {
			receiver = f.at(f.close(j) - 1)
			j = f.close(j) + 1
		}
	}
	if f.at(j) == "*" || f.at(j) == "&" {
		j++
	}
	if f.at(j) == "<" { // Kotlin's fun <T> name
		for j < len(f.Code) && f.at(j) != ">" {
			j++
		}
		j++
	}
	if k := f.kind(j); k != Ident && k != String {
		return nil
	}
	name := strings.Trim(f.at(j), "`")
	for f.Lang.Name == "kotlin" && f.at(j+1) == "." {
		j += 2
		name = f.at(j)
	}
	body := f.bodyFrom(j + 1)
	if body < 0 {
		return nil
	}
	start := f.headStart(i)
	u := &Unit{Kind: Helper, Short: name, start: start, body: body, end: f.extentOf(i, body)}
	if receiver != "" {
		u.Short = receiver + "." + name
	}
	f.classify(u, name, receiver, start, i)
	return u
}

// method reads a method of a language that declares them by a type: void name(…) {.
func (f *File) method(i int) *Unit {
	name := f.at(i)
	if notMethods[name] {
		return nil
	}
	prev := f.at(i - 1)
	attributed := i > 0 && f.first[i] == i && f.Lang.Name == "groovy"
	if prev == "." || prev == "@" || prev == "[" && f.Lang.Name == "csharp" || notMethods[prev] && prev != "unsafe" && prev != "" ||
		f.kind(i-1) == Punct && prev != ">" && prev != "]" && prev != "?" && prev != "*" && prev != "&" && prev != "}" && prev != ")" && prev != "{" && prev != ";" && !attributed {
		return nil
	}
	j := f.close(i+1) + 1
	for n := 0; n < 40 && j < len(f.Code); n++ {
		switch f.at(j) {
		case "{", "=>":
			if prev == "}" || prev == ")" || prev == "{" || prev == ";" || prev == "" {
				return nil // a call with a block, or a constructor
			}
			start := f.headStart(i)
			u := &Unit{Kind: Helper, Short: name, start: start, body: j, end: f.extentOf(i, j)}
			f.classify(u, name, "", start, i)
			return u
		case "throws", ",", ".", ":", "<", ">", "where", "async", "const", "noexcept", "override":
			j++
		case "(":
			j = f.close(j) + 1
		default:
			if f.kind(j) != Ident {
				return nil
			}
			j++
		}
	}
	return nil
}

// classify decides whether a function is a test, and whether a runner finds it.
func (f *File) classify(u *Unit, name, receiver string, start, i int) {
	switch f.Lang.Name {
	case "go":
		if name != "TestMain" && goTest.MatchString(name) {
			u.Kind, u.Found = Test, true
		}
	case "rust":
		if f.marked(start, i, rustMarks) {
			u.Kind, u.Found = Test, true
		}
	case "php", "swift":
		if anyTest.MatchString(name) || f.marked(start, i, testMarks) || f.docTest(start) {
			u.Kind, u.Found = Test, true
		}
	case "js", "scala":
	default:
		if f.marked(start, i, testMarks) {
			u.Kind, u.Found = Test, true
		} else if strings.HasPrefix(name, "test") && f.Lang.Name != "csharp" && f.junit3() {
			u.Kind, u.Found = Test, true
		}
	}
}

// junit3 reports whether the file's classes find tests by name.
func (f *File) junit3() bool {
	for i, t := range f.Code {
		if t.Text == "extends" || t.Text == ":" {
			if n := f.at(i + 1); strings.HasSuffix(n, "TestCase") || strings.HasSuffix(n, "GroovyTestCase") {
				return true
			}
		}
		if i > 400 {
			break
		}
	}
	return false
}

// docTest reports whether the comment above a PHP method says @test.
func (f *File) docTest(start int) bool {
	line := f.Code[start].Line
	for k := len(f.Comments) - 1; k >= 0; k-- {
		c := f.Comments[k]
		if c.Line < line && c.Line >= line-12 && strings.Contains(c.Text, "@test") {
			for j := start - 1; j >= 0 && f.Code[j].Line >= c.Line; j-- {
				return false
			}
			return true
		}
		if c.Line < line-12 {
			break
		}
	}
	return false
}

// marked reports whether one of the annotations between start and i has a name that fits.
func (f *File) marked(start, i int, names map[string]bool) bool {
	for j := start; j < i; j++ {
		if f.kind(j) != Ident || !names[f.at(j)] {
			continue
		}
		switch f.at(j - 1) {
		case "@", "[", "#[", ".", ",", "::", ":", "\\":
			return true
		}
	}
	return false
}

// container reads a class, module or namespace.
func (f *File) container(i int) *Unit {
	t := f.Code[i]
	if t.Kind != Ident || !containers[t.Text] || f.Lang.Name == "go" || f.at(i-1) == "." || f.kind(i+1) != Ident || f.at(i-1) == "::" {
		return nil
	}
	for j := i + 2; j < len(f.Code) && j < i+60; j++ {
		switch f.at(j) {
		case "{":
			start := f.headStart(i)
			return &Unit{Kind: Suite, Short: f.at(i + 1), start: start, body: j, end: f.close(j) + 1}
		case "(", "[":
			j = f.close(j)
		case ";", "}", "=":
			return nil
		}
	}
	return nil
}

// arrow reads const name = (…) => … as a helper.
func (f *File) arrow(i int) *Unit {
	if f.kind(i+1) != Ident || f.at(i+2) != "=" {
		return nil
	}
	j := i + 3
	if f.at(j) == "async" {
		j++
	}
	if f.at(j) == "function" {
		for j < len(f.Code) && f.at(j) != "(" {
			j++
		}
	}
	if f.at(j) == "(" {
		j = f.close(j) + 1
	} else if f.kind(j) == Ident && f.at(j+1) == "=>" {
		j++
	} else {
		return nil
	}
	for n := 0; n < 30 && j < len(f.Code); n++ {
		switch f.at(j) {
		case "=>":
			if f.at(j+1) != "{" {
				return nil
			}
			j++
			fallthrough
		case "{":
			return &Unit{Kind: Helper, Short: f.at(i + 1), start: i, body: j, end: f.close(j) + 1}
		case ";", ")", "}":
			return nil
		}
		j++
	}
	return nil
}
