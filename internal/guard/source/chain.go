package source

import "strings"

// part is one name of a chain such as expect(x).not.toBe(y), with its call.
type part struct {
	name  string
	at    int
	open  int  // bracket of its call, or -1
	types span // its type arguments
}

// heads are names that open a chain whose later names say what is asked.
var heads = map[string]bool{
	"expect": true, "Expect": true, "assertThat": true, "expectThat": true, "that": true, "expectTypeOf": true, "assertWithMessage": true, "expectLater": true, "Ω": true, "Eventually": true, "Consistently": true,
	"is_expected": true, "are_expected": true, "_": true, "expectAsync": true, "then": true, "assert_that": true, "verify": true, "assertSoftly": true, "given": false,
}

// chain reads an assertion that is a call or a chain of calls.
func (f *File) chain(i int) ([]*Assertion, int) {
	parts, end := f.parts(i)
	if len(parts) == 0 {
		return nil, 0
	}
	for k, p := range parts {
		switch {
		case (p.name == "assertWithMessage" || p.name == "withClue" || p.name == "assert_with_message") && len(parts) > k+1:
			continue // the subject comes with .that(…)
		case heads[p.name] && (p.open >= 0 || strings.HasSuffix(p.name, "_expected") || f.Lang.Name == "ruby" && f.at(p.at+1) == "{") && (k == 0 || p.name != "_" && p.name != "then" && (p.name != "that" || fold(parts[k-1].name) == "assertwithmessage")):
			if p.name == "then" && len(parts) < k+2 || p.name == "_" && f.Lang.Name != "ruby" {
				continue
			}
			return f.expectation(i, parts, k, end)
		case strings.HasPrefix(fold(p.name), "should") && k > 0 && fold(p.name) != "should" || (p.name == "should" || p.name == "Should" || p.name == "should_not") && k > 0:
			return f.should(i, parts, k, end)
		case (strings.HasPrefix(p.name, "must_") || strings.HasPrefix(p.name, "wont_")) && k > 0:
			return f.should(i, parts, k, end)
		}
	}
	last := parts[len(parts)-1]
	for k, p := range parts {
		if f.checks(parts, k) {
			return f.call(i, parts, k, end)
		}
		_ = p
	}
	if f.Lang.Name == "kotlin" || f.Lang.Name == "scala" || f.Lang.Name == "ruby" {
		return f.infix(i, last, end)
	}
	return nil, 0
}

// parts reads the names of the chain that begins at i.
func (f *File) parts(i int) ([]part, int) {
	var out []part
	j := i
	for j < len(f.Code) && f.kind(j) == Ident && len(out) < 60 {
		p := part{name: f.at(j), at: j, open: -1}
		j++
		if f.at(j) == "!" && f.Lang.macros && (f.at(j+1) == "(" || f.at(j+1) == "[" || f.at(j+1) == "{") {
			j++
		}
		if f.at(j) == "<" && f.kind(j+1) == Ident && f.Lang.Name != "python" { // type arguments
			for k := j + 1; k < len(f.Code) && k < j+20; k++ {
				if f.at(k) == ">" {
					if f.at(k+1) == "(" || f.at(k+1) == "{" {
						p.types = span{j + 1, k}
						j = k + 1
					}
					break
				}
				if f.kind(k) != Ident && f.at(k) != "," && f.at(k) != "." && f.at(k) != "<" && f.at(k) != "[" && f.at(k) != "]" && f.at(k) != "?" {
					break
				}
			}
		}
		if f.at(j) == "(" || f.Lang.macros && f.at(j-1) == "!" {
			p.open = j
			j = f.close(j) + 1
		}
		if f.at(j) == "{" && f.pair[j] > 0 && (p.open >= 0 || p.name == "expect" || p.name == "assertThrows" || strings.HasPrefix(p.name, "assert_raises") || p.name == "assertFailsWith" || p.name == "shouldThrow" || p.name == "verify") && (f.Lang.Name == "kotlin" || f.Lang.Name == "ruby" || f.Lang.Name == "groovy" || f.Lang.Name == "scala" || f.Lang.Name == "swift") {
			j = f.pair[j] + 1
		}
		out = append(out, p)
		if f.at(j) == "[" && !f.Code[j].First {
			j = f.close(j) + 1
		}
		if f.at(j) == "!" && f.at(j+1) == "!" || f.at(j) == "?" && f.at(j+1) == "." {
			j++
			if f.at(j) == "!" {
				j++
			}
		}
		if j < len(f.Code) && link(f.at(j)) && f.kind(j+1) == Ident {
			j++
			continue
		}
		break
	}
	return out, min(j, len(f.Code))
}

// bases are what assertion functions hang from.
var bases = map[string]bool{
	"assert": true, "require": true, "Assert": true, "Assertions": true, "self": true, "this": true, "$this": true, "static": true, "suite": true, "s": true, "t": true, "is": true, "a": true, "r": true,
	"chai": true, "should": true, "CollectionAssert": true, "StringAssert": true, "FluentActions": true, "Is": true, "qt": true, "c": true, "td": true, "testing": true, "np": true, "numpy": true, "pd": true,
	"pytest": true, "unittest": true, "mock": true, "sinon": true, "cy": true, "XCTAssert": true, "PHPUnit": true, "ts": true, "Assume": false, "Truth": true, "tc": true, "test": true, "expect": true, "must": true, "tester": true,
	"response": true, "res": true,
}

// checks reports whether part k of a chain is a call of an assertion.
func (f *File) checks(parts []part, k int) bool {
	p := parts[k]
	called := p.open >= 0 || f.Lang.Name == "ruby" && k == len(parts)-1 || f.Lang.Name == "shell" && k == 0
	if !called {
		return false
	}
	if p.name == "assert" || p.name == "XCTAssert" || p.name == "refute" {
		return true
	}
	op, known := lookup(p.name)
	if k > 0 && bases[parts[k-1].name] && parts[k-1].open < 0 && known {
		switch parts[k-1].name {
		case "self", "this", "$this", "s", "response", "res", "c", "test", "testing", "np", "numpy", "pd":
			return assertish(p.name) || op == Fails || strings.HasPrefix(p.name, "expectException")
		case "t", "a", "r":
			return f.Lang.Name == "js" && len(parts) == 2 || assertish(p.name)
		case "pytest":
			return p.name == "raises" || p.name == "fail" || p.name == "warns"
		case "mock":
			return strings.HasPrefix(p.name, "assert")
		}
		return true
	}
	if k > 0 && parts[k-1].open >= 0 && (parts[k-1].name == "Require" || parts[k-1].name == "Assert") && known {
		return true
	}
	if !assertish(p.name) {
		return known && op == Fails && k == 0 && f.Lang.Name != "go"
	}
	switch p.name {
	case "require", "verify", "expected", "checked", "ensure", "requires", "require_once", "require_relative", "check_call", "check_output", "checkout", "Checkout", "shouldComponentUpdate", "ensure_ascii", "requireNonNull", "requireNotNull", "assertionError", "checkNotNull", "expectations", "verifyNoInteractions":
		return p.name == "verifyNoInteractions" || p.name == "verify" && f.Lang.Name != "js" && f.Lang.Name != "go" && f.Lang.Name != "shell" && f.Lang.Name != "python"
	}
	if strings.HasPrefix(p.name, "AssertionError") || strings.HasPrefix(p.name, "ensure") && f.Lang.Name == "js" {
		return false
	}
	return true
}

// call reads an assertion function: assertEquals(a, b), assert.Equal(t, a, b), assert_eq!(a, b), assert_equal a, b.
func (f *File) call(i int, parts []part, k, end int) ([]*Assertion, int) {
	p := parts[k]
	var values []span
	if p.open >= 0 {
		values = f.args(p.open)
	} else {
		end = f.lineEnd(i)
		values = f.splitAt(span{p.at + 1, end}, ",")
		if len(values) > 0 && values[0].from >= values[0].to {
			values = nil
		}
	}
	whole := span{i, end}
	if k > 0 && (strings.HasPrefix(p.name, "assert_") || strings.HasPrefix(fold(p.name), "assertcalled")) && strings.Contains(p.name, "call") {
		whole.from = i
	}
	if len(values) > 0 && values[0].to-values[0].from <= 4 && (f.Lang.Name == "go" || f.Lang.Name == "c") {
		if n := f.at(values[0].from); n == "t" || n == "b" || n == "tb" || n == "s" && f.at(values[0].from+1) == "." || n == "c" && k > 0 && parts[0].name == "qt" {
			values = values[1:]
		}
	}
	op, known := lookup(p.name)
	if op == Fails {
		if a := f.mustThrow(i, whole); a != nil {
			return []*Assertion{a}, end
		}
	}
	bare := p.name == "assert" || p.name == "XCTAssert" || p.name == "debug_assert" || p.name == "refute"
	if bare || known && (op == True || op == False) && len(values) >= 1 {
		if len(values) == 0 {
			return nil, 0
		}
		value := values[0]
		if !bare && len(values) > 1 && f.kind(value.from) == String && value.to-value.from == 1 {
			value = values[1] // JUnit 4: the message comes first
		}
		out := f.conditions(whole, value)
		if p.name == "refute" || known && op == False && !bare {
			for _, a := range out {
				a.Op, a.Trivial = negate(a.Op), a.Op == True && a.Trivial && false || a.Op == False && a.Trivial
				if value.to-value.from == 1 && strings.EqualFold(f.at(value.from), "false") {
					a.Trivial = true
				}
			}
		}
		return out, end
	}
	if !known {
		a := f.make(Custom, whole, values...)
		return []*Assertion{a}, end
	}
	checked := f.checked(op, values)
	if p.types.to > p.types.from && op == Type {
		checked = append(checked, p.types)
	}
	a := f.make(op, whole, checked...)
	if op == Called || op == NotCalled || strings.HasPrefix(p.name, "assert_") && k > 0 {
		receiver := span{i, max(i, p.at-1)}
		a = f.make(op, whole, append([]span{receiver}, checked...)...)
		a.Bound = len(values) > 0
	}
	switch op {
	case Throws:
		if p.types.to > p.types.from {
			values = append([]span{p.types}, values...)
			a = f.make(op, whole, values...)
		}
		a.Generic = genericThrows(f, values)
	case Equal:
		if len(checked) >= 2 {
			a.Op = f.compared(Equal, checked[0], checked[1])
			f.judge(a, whole, checked[:2])
		}
		if len(values) >= 3 {
			if n, ok := f.number(values[2]); ok && len(checked) == 3 {
				a.Op, a.Tolerance = Approx, n
			}
		}
	case Approx:
		f.tolerance(a, values)
		if strings.Contains(fold(p.name), "almost") && a.Tolerance >= 1 && len(values) > 2 {
			a.Tolerance = pow10(-a.Tolerance)
		}
	}
	return []*Assertion{a}, end
}

// checked leaves out the message that many assertion functions take besides the values.
func (f *File) checked(op Op, values []span) []span {
	arity := map[Op]int{Equal: 2, NotEqual: 2, Null: 1, NotNull: 1, Length: 2, Contains: 2, Lacks: 2, Compare: 2, Type: 2, Throws: 2, NoThrow: 1}[op]
	if arity == 0 || len(values) <= arity {
		return values
	}
	text := func(s span) bool { return s.to-s.from >= 1 && f.kind(s.from) == String }
	switch {
	case op == Equal && f.numeric(values[2]):
		return values[:3]
	case f.Lang.Name == "java" && text(values[0]) && !text(values[len(values)-1]):
		return values[1:]
	}
	return values[:arity]
}

// mustThrow reads try { x(); fail(); } catch (E e) {…}: it asks that x throws E.
func (f *File) mustThrow(i int, whole span) *Assertion {
	open, handler, stop := -1, -1, -1
	if f.Lang.Name == "python" {
		for k := i; k >= 0 && k > i-400; k-- {
			if f.Code[k].First && f.Code[k].Col < f.Code[f.first[i]].Col {
				if f.at(k) == "try" {
					open = k
				}
				break
			}
		}
		for k := i; k < len(f.Code) && open >= 0 && k < i+60; k++ {
			if f.at(k) == "except" {
				handler, stop = k, k+4
				break
			}
		}
	} else if b := f.up[i]; b > 0 && f.at(b) == "{" && f.at(b-1) == "try" && f.pair[b] > 0 && f.at(f.pair[b]+1) == "catch" {
		open, handler = b, f.pair[b]+1
		stop = f.close(handler + 1)
	}
	if open < 0 || handler < 0 {
		return nil
	}
	types := span{handler + 1, min(stop, len(f.Code))}
	a := f.make(Throws, whole, span{open + 1, i}, types)
	a.Generic = genericThrows(f, []span{types})
	a.Literals = nil
	return a
}

func (f *File) numeric(s span) bool {
	_, ok := f.number(s)
	return ok
}

var genericTypes = map[string]bool{"Exception": true, "Throwable": true, "Error": true, "BaseException": true, "StandardError": true, "RuntimeException": true, "object": true, "SystemException": true}

// genericThrows reports whether an expected error may be any error.
func genericThrows(f *File, values []span) bool {
	for n, v := range values {
		if n > 1 {
			break
		}
		for j := v.from; j < v.to && j < v.from+6; j++ {
			if f.kind(j) == String {
				return false
			}
			name := f.at(j)
			if f.kind(j) == Ident && name[0] >= 'A' && name[0] <= 'Z' && !genericTypes[name] {
				return false
			}
			if name == "{" || name == "=>" || name == "->" || name == "lambda" {
				break
			}
		}
	}
	return true
}

// expectation reads expect(x).not.toBe(y), assertThat(x).isEqualTo(y), expect(x).to eq(y), Expect(x).To(Equal(y)).
func (f *File) expectation(i int, parts []part, k, end int) ([]*Assertion, int) {
	head := parts[k]
	var subject span
	if head.open >= 0 {
		subject = span{head.open + 1, f.close(head.open)}
		if head.name == "expect" && f.Lang.Name == "js" {
			subject = f.splitAt(subject, ",")[0] // the rest is a message
		}
	} else if f.at(head.at+1) == "{" && f.pair[head.at+1] > 0 {
		subject = span{head.at + 2, f.pair[head.at+1]}
	}
	if f.Lang.Name == "ruby" {
		end = max(end, f.lineEnd(i))
	}
	whole := span{i, end}
	if len(parts) == k+1 && head.open >= 0 && f.Lang.Name != "ruby" {
		values := f.args(head.open)
		if len(values) >= 2 { // assertThat(x, is(y))
			return f.matched(whole, values[0], values[len(values)-1], false)
		}
		if head.name == "verify" || head.name == "Expect" || head.name == "then" {
			return []*Assertion{f.make(Custom, whole, values...)}, end
		}
		return nil, 0
	}
	if head.name == "verify" { // Mockito: verify(mock, times(1)).call(x)
		a := f.make(Called, whole, span{i, end})
		a.Bound = true
		for j := head.open; j < subject.to; j++ {
			switch f.at(j) {
			case "never", "Never":
				a.Op = NotCalled
			case "atLeast", "atLeastOnce", "atMost", "AtLeastOnce", "AtLeast", "atMostOnce":
				a.Bound = false
			}
		}
		return []*Assertion{a}, end
	}
	from := f.close(max(head.open, head.at)) + 1
	if head.open < 0 {
		from = max(head.at+1, subject.to+1)
	}
	return f.links(whole, subject, parts[k+1:], span{from, end})
}

// links reads the matchers of a chain one by one: .isNotNull().isEqualTo(4) asks twice.
func (f *File) links(whole, subject span, parts []part, matcher span) ([]*Assertion, int) {
	var out []*Assertion
	from := matcher.from
	for n, p := range parts {
		if p.open < 0 && n < len(parts)-1 {
			continue
		}
		to := matcher.to
		if n < len(parts)-1 {
			to = f.close(p.open) + 1
		}
		found, _ := f.matched(whole, subject, span{from, to}, true)
		from = to
		for _, a := range found {
			if a.Op == Custom && len(parts) > 1 && (len(out) > 0 || n < len(parts)-1) {
				continue
			}
			if len(out) > 0 {
				a.Text += " #" + p.name
			}
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return f.matched(whole, subject, matcher, true)
	}
	return out, whole.to
}

// matched reads what a matcher asks of a subject.
func (f *File) matched(whole, subject, matcher span, chained bool) ([]*Assertion, int) {
	negated, op, found := false, Op(""), false
	digits := false
	for j := matcher.from; j < matcher.to && !found; j++ {
		t := f.Code[j]
		if t.Kind == Punct && (t.Text == "==" || t.Text == "===" || t.Text == "=~") && f.Lang.Name == "ruby" {
			op, found = comparisons[t.Text], true
			break
		}
		if t.Kind != Ident {
			continue
		}
		switch s := fold(t.Text); s {
		case "not", "notto", "tonot", "never", "shouldnot":
			negated = !negated
			continue
		case "to", "and", "with", "resolves", "soft", "which", "deep", "have", "has", "a", "an", "at", "does", "do", "own", "nested", "should", "eventually", "that", "any", "as", "extracting", "described", "withfailmessage", "usingrecursivecomparison", "because", "all":
			if f.at(j+1) == "(" && (s == "as" || s == "extracting" || s == "described" || s == "withfailmessage" || s == "because") {
				j = f.close(j + 1)
			}
			if !(s == "be" || s == "a" || s == "an") || f.at(j+1) != "(" {
				continue
			}
			op, found = Type, true
		case "is", "be", "shouldbe", "tobe":
			if s == "shouldbe" && f.at(j+1) != "(" {
				op, found = Equal, true
				break
			}
			if c := f.at(j + 1); f.Lang.Name == "ruby" && (c == ">" || c == "<" || c == ">=" || c == "<=") {
				op, found = Compare, true
				break
			}
			if f.at(j+1) == "(" && f.pair[j+1] > j+2 || f.Lang.Name == "ruby" && s == "be" && f.kind(j+1) != Ident {
				if inner, ok := f.innerOp(span{j + 2, f.close(j + 1)}); ok && s == "is" {
					op = inner
				} else {
					op = Equal
				}
				found = true
			}
		default:
			if o, ok := lookup(t.Text); ok {
				op, found = o, true
				digits = s == "tobecloseto"
			}
		}
	}
	if !found {
		op = Custom
		if chained && matcher.from >= matcher.to {
			return nil, 0
		}
	}
	if negated {
		op = negate(op)
	}
	a := f.make(op, whole, subject, matcher)
	if op == Equal {
		// Equal to null, a boolean or itself.
		open := -1
		for j := matcher.from; j < matcher.to; j++ {
			if f.at(j) != "(" {
				continue
			}
			open = j
			if f.kind(j+1) != Ident || f.at(j+2) != "(" || !f.speaks(f.at(j+1)) {
				break
			}
		}
		if open >= 0 {
			if values := f.args(open); len(values) >= 1 {
				a.Op = f.compared(Equal, subject, values[0])
				f.judge(a, whole, []span{subject, values[0]})
				if any, ok := f.wildcard(values[0]); ok && a.Op == Equal {
					a.Op = any
				}
			}
		}
	}
	if a.Op == True || a.Op == False || a.Op == NotNull {
		a.Trivial = f.literal(subject)
	}
	if a.Op == True && !a.Trivial && len(f.splitAt(subject, "&&", "and")) > 1 {
		return f.conditions(whole, subject), whole.to
	}
	if (a.Op == True || a.Op == False) && !a.Trivial && subject.to > subject.from && subject.to-subject.from < 80 && len(f.splitAt(subject, "&&", "||", "and", "or")) == 1 {
		inner, values := f.condition(subject) // expect(a === b).toBe(true)
		if inner != True && inner != False {
			if a.Op == False {
				inner = negate(inner)
			}
			trivial := len(values) == 2 && f.equalText(values[0], values[1])
			text := a.Text
			a = f.make(inner, whole, values...)
			a.Text, a.Trivial = text, trivial
		}
	}
	switch op {
	case Throws:
		a.Generic = genericThrows(f, []span{matcher})
		for j := matcher.from; j < matcher.to; j++ {
			if f.kind(j) == Ident && strings.HasPrefix(f.at(j), "toThrow") && f.at(j+1) == "(" && f.pair[j+1] > j+2 {
				a.Generic = a.Generic && f.kind(j+2) == Ident
			}
		}
	case Called:
		for j := matcher.from; j < matcher.to; j++ {
			s := fold(f.at(j))
			if strings.Contains(s, "with") || strings.Contains(s, "times") || strings.Contains(s, "once") || s == "exactly" {
				a.Bound = true
			}
		}
	case Approx:
		for j := matcher.from; j < matcher.to; j++ {
			if f.at(j) == "(" {
				f.tolerance(a, append([]span{subject}, f.args(j)...))
				break
			}
		}
		if digits {
			n := 2.0
			if open := f.lastOpen(matcher); open >= 0 {
				if values := f.args(open); len(values) > 1 {
					n, _ = f.number(values[1])
				}
			}
			a.Tolerance = pow10(-n)
		}
	}
	return []*Assertion{a}, whole.to
}

// wildcard reads a value that stands for many: expect.anything(), expect.any(T), mock.ANY.
func (f *File) wildcard(s span) (Op, bool) {
	for j := s.from; j < s.to && j < s.from+3; j++ {
		switch f.at(j) {
		case "anything", "ANY", "anyOf":
			return NotNull, true
		case "any", "instanceOf", "IsAny":
			return Type, f.at(j-1) == "."
		case "objectContaining", "arrayContaining", "stringContaining", "stringMatching":
			return Contains, true
		}
	}
	return "", false
}

func (f *File) lastOpen(s span) int {
	for j := s.from; j < s.to; j++ {
		if f.at(j) == "(" {
			return j
		}
	}
	return -1
}

// innerOp reads a matcher inside another: is(not(nullValue())).
func (f *File) innerOp(s span) (Op, bool) {
	negated := false
	for j := s.from; j < s.to && j < s.from+8; j++ {
		if f.kind(j) != Ident || f.at(j+1) != "(" {
			continue
		}
		if fold(f.at(j)) == "not" {
			negated = true
			continue
		}
		name := strings.TrimSuffix(fold(f.at(j)), "value")
		if op, ok := lookup(name); ok {
			if negated {
				op = negate(op)
			}
			return op, true
		}
	}
	return "", false
}

// should reads x.Should().Be(y), x.should eq(y), x.shouldBe(y), x.must_equal y.
func (f *File) should(i int, parts []part, k, end int) ([]*Assertion, int) {
	if f.Lang.Name == "ruby" {
		end = f.lineEnd(i)
	}
	p := parts[k]
	matcher := span{p.at, end}
	if p.name == "should" || p.name == "Should" {
		matcher.from = p.at + 1
	}
	return f.matched(span{i, end}, span{i, max(i, p.at-1)}, matcher, true)
}

// infix reads x shouldBe y.
func (f *File) infix(i int, last part, end int) ([]*Assertion, int) {
	if f.kind(end) != Ident || !strings.HasPrefix(f.at(end), "should") || f.Lang.Name == "ruby" || f.Code[end].First {
		return nil, 0
	}
	stop := f.lineEnd(i)
	return f.matched(span{i, stop}, span{i, end}, span{end, stop}, true)
}

// shellTest reads [ … ] and [[ … ]] on a line of its own.
func (f *File) shellTest(i int) ([]*Assertion, int) {
	end := f.close(i)
	from, to := i+1, end
	if f.at(from) == "[" {
		from, to = from+1, max(from+1, f.close(from))
	}
	if p := f.at(end + 1); p == "&&" && f.at(end+2) != "[" {
		return nil, 0
	}
	op := True
	for j := from; j < to; j++ {
		switch s := f.at(j); s {
		case "=", "==":
			op = Equal
		case "=~":
			op = Contains
		case "!=":
			op = NotEqual
		case "-":
			switch f.at(j + 1) {
			case "eq":
				op = Equal
			case "ne":
				op = NotEqual
			case "gt", "lt", "ge", "le":
				op = Compare
			}
		}
	}
	a := f.make(op, span{i, end + 1}, span{from, to})
	return []*Assertion{a}, end + 1
}
