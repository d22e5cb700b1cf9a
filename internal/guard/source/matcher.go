package source

import "strings"

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
	op = f.ofError(op, subject)
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
