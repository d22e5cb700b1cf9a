package source

import "strings"

// maxParts bounds what is read of one condition: no person writes more.
const maxParts = 32

// conditions reads what must be true: each part of a conjunction is an assertion.
func (f *File) conditions(whole, value span) []*Assertion {
	var out []*Assertion
	for n, part := range f.splitAt(value, "&&", "and") {
		if n == maxParts {
			break
		}
		op, values := f.condition(part)
		a := f.make(op, whole, values...)
		if len(out) > 0 || part.from > value.from || part.to < value.to {
			a.Text = f.text(part)
		}
		a.Loose = len(f.splitAt(part, "||", "or")) - 1
		f.judge(a, part, values)
		out = append(out, a)
	}
	return out
}

var comparisons = map[string]Op{
	"==": Equal, "===": Equal, "!=": NotEqual, "!==": NotEqual, "<": Compare, ">": Compare, "<=": Compare, ">=": Compare,
	"is": Equal, "in": Contains, "=~": Contains, "instanceof": Type, "<=>": Compare, "~": Contains,
}

// condition reads one expression that must be true.
func (f *File) condition(s span) (Op, []span) {
	for s.to-s.from > 2 && f.at(s.from) == "(" && f.pair[s.from] == s.to-1 {
		s = span{s.from + 1, s.to - 1}
	}
	if first := f.at(s.from); (first == "!" || first == "not" || first == "-" && false) && s.to-s.from > 1 {
		op, values := f.condition(span{s.from + 1, s.to})
		return negate(op), values
	}
	depthOp, at := Op(""), -1
	for j := s.from; j < s.to; j++ {
		t := f.Code[j]
		if t.Kind == Punct && (t.Text == "(" || t.Text == "[" || t.Text == "{") && f.pair[j] > j {
			j = f.pair[j]
			continue
		}
		if op, ok := comparisons[t.Text]; ok && t.Kind != String && j > s.from {
			if t.Text == "is" && f.Lang.Name != "python" {
				op = Type
			}
			if (t.Text == "<" || t.Text == ">") && f.Lang.Name != "python" && f.generic(j) {
				continue
			}
			depthOp, at = op, j
			break
		}
	}
	if at >= 0 {
		left, right := span{s.from, at}, span{at + 1, s.to}
		if f.at(at) == "in" && f.at(at-1) == "not" {
			return Lacks, []span{{s.from, at - 1}, right}
		}
		if f.at(at) == "is" && f.at(at+1) == "not" {
			right.from++
			depthOp = NotEqual
		}
		return f.compared(depthOp, left, right), []span{left, right}
	}
	return f.predicate(s)
}

// generic reports whether the < or > at j belongs to type arguments.
func (f *File) generic(j int) bool {
	return f.at(j) == "<" && f.kind(j+1) == Ident && (f.at(j+2) == ">" || f.at(j+2) == ",")
}

// compared refines a comparison by what it compares with: null, a boolean, a length, a difference.
func (f *File) compared(op Op, left, right span) Op {
	for _, pair := range [][2]span{{left, right}, {right, left}} {
		n := pair[1].to - pair[1].from
		if op != Equal && op != NotEqual || n != 1 && !(n == 3 && f.at(pair[1].from) == "Boolean") {
			continue
		}
		r := Op("")
		switch f.at(pair[1].to - 1) {
		case "null", "nil", "None", "undefined", "nullptr", "NULL":
			r = Null
			if f.errorValue(pair[0]) {
				r = NoThrow
			}
		case "true", "True", "TRUE":
			r = True
		case "false", "False", "FALSE":
			r = False
		}
		if r != "" {
			if op == NotEqual {
				return negate(r)
			}
			return r
		}
	}
	if op == Equal {
		for _, s := range []span{left, right} {
			for j := s.from; j < s.to; j++ {
				if n := f.at(j); (n == "approx" || n == "isclose") && f.at(j+1) == "(" {
					return Approx
				}
			}
		}
	}
	if op == Compare {
		for _, s := range []span{left, right} {
			for j := s.from; j < s.to; j++ {
				switch f.at(j) {
				case "abs", "Abs", "fabs":
					return Approx
				}
			}
		}
	}
	return op
}

// errorValue reports whether a range is an error by its name, as Go has it.
func (f *File) errorValue(s span) bool {
	if f.Lang.Name != "go" || s.to <= s.from {
		return false
	}
	last := s.to - 1
	if f.at(last) == ")" && f.pair[last] > s.from {
		last = f.pair[last] - 1
	}
	n := strings.ToLower(f.at(last))
	return strings.HasSuffix(n, "err") || strings.HasPrefix(n, "err")
}

// ofError turns an operation on null into one on errors, where the value is an error.
func (f *File) ofError(op Op, value span) Op {
	switch {
	case op == Null && f.errorValue(value):
		return NoThrow
	case op == NotNull && f.errorValue(value):
		return Throws
	}
	return op
}

// predicate reads a condition without a comparison: a call such as x.isEmpty(), reflect.DeepEqual(a, b), or a value.
func (f *File) predicate(s span) (Op, []span) {
	if s.to-s.from >= 3 && f.at(s.to-1) == ")" && f.pair[s.to-1] > s.from {
		open := f.pair[s.to-1]
		name := f.at(open - 1)
		if name == "!" {
			name = f.at(open - 2)
		}
		switch strings.TrimSuffix(fold(name), "fold") {
		case "deepequal", "equal", "equals", "isequal", "equalfold", "sequenceequal", "setequals", "compareto", "isequalto":
			return Equal, []span{s}
		case "contains", "includes", "include", "containskey", "has", "hasprefix", "hassuffix", "startswith", "endswith", "matches", "match", "matchstring", "test", "any", "haskey":
			return Contains, []span{s}
		case "isempty", "empty", "isblank", "blank", "iszero":
			return Equal, []span{s}
		case "isnone", "isnull":
			return Null, []span{s}
		case "issome", "ispresent", "exists":
			return NotNull, []span{s}
		case "isok", "issuccess":
			return NoThrow, []span{s}
		case "iserr", "isfailure", "is", "as":
			if strings.HasPrefix(f.at(s.from), "err") || fold(name) == "iserr" || fold(name) == "isfailure" {
				return Throws, []span{s}
			}
		case "isinstance", "issubclass", "isinstanceof":
			return Type, []span{s}
		case "isclose", "allclose", "approxequal", "almostequal":
			return Approx, []span{s}
		}
	}
	return True, []span{s}
}

// judge notices conditions that can never fail, and reads tolerances.
func (f *File) judge(a *Assertion, whole span, values []span) {
	if len(values) == 2 && (a.Op == Equal || a.Op == True || a.Op == False || a.Op == Null) {
		a.Trivial = f.equalText(values[0], values[1]) || f.literal(values[0]) && f.literal(values[1])
	}
	if len(values) == 1 && a.Op == True && f.literal(values[0]) {
		switch strings.ToLower(f.at(values[0].from)) {
		case "false", "0", "null", "nil", "none":
		default:
			a.Trivial = true
		}
	}
	if len(values) == 1 && a.Op == False && f.literal(values[0]) && strings.ToLower(f.at(values[0].from)) == "false" {
		a.Trivial = true
	}
	if a.Op == Compare && len(values) == 2 && f.at(values[1].to-1) == "0" && values[1].to-values[1].from == 1 && f.at(values[1].from-1) == ">=" {
		n := fold(f.at(values[0].from))
		a.Trivial = n == "len" || strings.Contains(f.text(values[0]), "length") || strings.Contains(f.text(values[0]), "size ")
	}
	for _, alt := range f.splitAt(whole, "||", "or") {
		if alt.to-alt.from == 1 && (f.at(alt.from) == "true" || f.at(alt.from) == "True" || f.at(alt.from) == "1") {
			a.Trivial = true
		}
	}
	if a.Op == Approx {
		f.tolerance(a, values)
	}
}

// tolerance reads how far off an approximate check lets its subject be.
func (f *File) tolerance(a *Assertion, values []span) {
	for _, v := range values {
		for j := v.from; j+2 < v.to; j++ {
			if f.kind(j) != Ident || f.at(j+1) != "=" && f.at(j+1) != ":" || f.kind(j+2) != Number {
				continue
			}
			n, _ := f.number(span{j + 2, j + 3})
			switch strings.ToLower(f.at(j)) {
			case "places", "decimal", "digits", "precision", "significant":
				a.Tolerance = max(a.Tolerance, pow10(-n))
			case "delta", "rel", "abs", "rtol", "atol", "reltol", "abstol", "rel_tol", "abs_tol", "tolerance", "epsilon", "max_relative", "eps":
				a.Tolerance = max(a.Tolerance, n)
			}
		}
	}
	if a.Tolerance > 0 || len(values) < 2 {
		return
	}
	if n, ok := f.number(values[len(values)-1]); ok {
		a.Tolerance = n
	}
}

func pow10(n float64) float64 {
	p := 1.0
	for ; n < 0 && p > 1e-300; n++ {
		p /= 10
	}
	return p
}

// failure reads t.Error and its kin: what is checked is the condition of the block around it.
func (f *File) failure(i int, seen map[int]bool) ([]*Assertion, int) {
	switch recv := f.at(i - 2); {
	case recv == "t" || recv == "b" || recv == "f" || recv == "tb" || recv == "tt" || recv == "c" || recv == "s" || recv == "T" || recv == "ht":
	case recv == ")" && f.at(i-4) == "T":
	default:
		return nil, 0
	}
	call := span{i - 2, f.close(i+1) + 1}
	head, brace := f.header(i)
	if brace < 0 {
		if f.owner[i] != nil && seen[-f.owner[i].start-1] {
			return nil, 0
		}
		a := f.make(Fails, call, call)
		return []*Assertion{a}, call.to
	}
	if seen[brace] {
		return nil, 0
	}
	seen[brace] = true
	negated := f.at(head) == "else"
	if negated {
		if head = f.ifOfElse(head); head < 0 {
			return []*Assertion{f.make(Fails, call, call)}, call.to
		}
		brace = f.bodyFrom(head + 1)
	}
	if f.at(head) != "if" || brace < 0 {
		whole := span{head, max(head, brace)}
		return []*Assertion{f.make(Fails, whole, whole)}, call.to
	}
	parts := f.splitAt(span{head + 1, brace}, ";")
	cond := parts[len(parts)-1]
	var out []*Assertion
	for n, alt := range f.splitAt(cond, "||") {
		if n == maxParts {
			break
		}
		op, values := f.condition(alt)
		if !negated {
			op = negateCondition(op)
		}
		if len(parts) > 1 {
			values = append(values, parts[0])
		}
		a := f.make(op, alt, values...)
		a.Line = f.Code[alt.from].Line
		if len(parts) > 1 {
			a.Text = f.text(parts[0]) + "; " + a.Text
		}
		a.Loose = len(f.splitAt(alt, "&&")) - 1
		switch {
		case alt.to-alt.from == 1 && f.at(alt.from) == "false":
			a.Trivial = true
		case len(values) == 2 && f.equalText(values[0], values[1]) && op == Equal:
			a.Trivial = true
		}
		for _, conj := range f.splitAt(alt, "&&") {
			a.Trivial = a.Trivial || conj.to-conj.from == 1 && f.at(conj.from) == "false"
		}
		if op == Approx {
			f.tolerance(a, values)
		}
		out = append(out, a)
	}
	return out, call.to
}

// negateCondition turns the condition of a failure into what must hold.
func negateCondition(op Op) Op {
	if op == Approx || op == Compare {
		return op
	}
	return negate(op)
}

// header finds the keyword and the brace of the innermost block around i within its unit.
func (f *File) header(i int) (head, brace int) {
	limit := 0
	if u := f.owner[i]; u != nil && u.Kind != Rest {
		limit = u.body
	}
	for b := f.up[i]; b > limit; b = f.up[b] {
		if f.at(b) != "{" {
			continue
		}
		for k := b - 1; k >= 0 && k > b-120; k-- {
			if f.up[k] != f.up[b] && f.pair[k] < 0 {
				continue
			}
			switch s := f.at(k); s {
			case "if", "else":
				if s == "if" || k == b-1 {
					return k, b
				}
			case "switch", "select":
				return k, b
			case "for", "func":
				return -1, -1
			case "{", "}":
				if s == "}" && f.pair[k] >= 0 && f.up[k] == f.up[b] || s == "{" {
					k = -1
				}
			}
		}
	}
	return -1, -1
}

// ifOfElse finds the if that an else belongs to.
func (f *File) ifOfElse(i int) int {
	if f.at(i-1) != "}" || f.pair[i-1] < 0 {
		return -1
	}
	for k := f.pair[i-1] - 1; k >= 0 && k > f.pair[i-1]-120; k-- {
		if f.at(k) == "if" && f.up[k] == f.up[i] {
			return k
		}
	}
	return -1
}
