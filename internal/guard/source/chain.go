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
		case "s", "suite", "ts": // a method of testify's suite
			u := f.owner[parts[0].at]
			return f.Lang.Name == "go" && strings.Contains(u.Short, ".") && p.name[0] <= 'Z' || assertish(p.name) || op == Fails
		case "self", "this", "$this", "response", "res", "c", "test", "testing", "np", "numpy", "pd":
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
	if len(checked) >= 1 {
		op = f.ofError(op, checked[0])
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
