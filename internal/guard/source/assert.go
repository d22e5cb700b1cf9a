package source

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Assertion is one check.
type Assertion struct {
	Line      int
	Text      string // its tokens, for equality
	Op        Op
	Subject   []string // names in what is checked, sorted; noise left out
	Names     []string // all names in what is checked, sorted
	Literals  []string // literal values in what is checked, in order
	Generic   bool     // Throws: of any type
	Tolerance float64  // Approx: how far off it may be; 0 when not stated
	Bound     bool     // Called: says with what, or how often
	Loose     int      // how many alternatives let it pass
	Trivial   bool     // it can never fail

	unit *Unit
	at   int // token
}

// Strength orders assertions about the same subject: a smaller number asks for less.
func (a *Assertion) Strength() int {
	n := strength[a.Op]
	switch {
	case a.Trivial:
		return 0
	case a.Op == Throws && a.Generic:
		n -= 3
	case a.Op == Throws && len(a.Literals) > 0:
		n += 2
	case a.Op == Called && a.Bound:
		n += 4
	}
	return n
}

// span is a range of tokens.
type span struct{ from, to int }

// readAsserts finds every assertion and gives it to its unit.
func (f *File) readAsserts() {
	seen := map[int]bool{} // blocks whose condition was counted
	for i := 0; i < len(f.Code); i++ {
		t := f.Code[i]
		if t.Kind != Ident && t.Kind != Punct {
			continue
		}
		if t.Kind == Ident {
			f.expectedAt(i)
		}
		found, end := f.assertAt(i, seen)
		for _, a := range found {
			a.at, a.unit = i, f.owner[i]
			if a.Line == 0 {
				a.Line = t.Line
			}
			a.unit.Asserts = append(a.unit.Asserts, a)
		}
		if len(found) > 0 {
			i = max(i, min(end, len(f.Code))-1)
		}
	}
}

// expectedAt notes the value that is given to a name such as want or expected.
func (f *File) expectedAt(i int) {
	name := fold(f.at(i))
	if !strings.HasPrefix(name, "want") && !strings.HasPrefix(name, "expected") && !strings.HasPrefix(name, "golden") && name != "exp" && name != "output" && name != "result" {
		return
	}
	sep := f.at(i + 1)
	if sep != ":=" && sep != "=" && sep != ":" || sep == "=" && f.at(i+2) == "=" {
		return
	}
	if (name == "output" || name == "result") && sep != ":" {
		return
	}
	end := i + 2
	for end < len(f.Code) && end < i+150 {
		t := f.Code[end]
		if t.Kind == Punct {
			if (t.Text == "(" || t.Text == "[" || t.Text == "{") && f.pair[end] > end {
				end = f.pair[end] + 1
				continue
			}
			if t.Text == "," || t.Text == ";" || t.Text == ")" || t.Text == "}" || t.Text == "]" {
				break
			}
		}
		if t.First && end > i+2 && f.kind(end-1) != Punct {
			break
		}
		end++
	}
	a := f.make(Equal, span{i, end}, span{i + 2, min(end, len(f.Code))})
	if len(a.Literals) == 0 {
		return
	}
	a.Subject, a.Line = []string{f.at(i)}, f.Code[i].Line
	f.owner[i].Expected = append(f.owner[i].Expected, a)
}

// assertAt reads the assertion that begins at token i, and where it ends.
func (f *File) assertAt(i int, seen map[int]bool) ([]*Assertion, int) {
	t := f.Code[i]
	if t.Kind == Punct {
		if f.Lang.Name == "shell" && t.Text == "[" && t.First {
			return f.shellTest(i)
		}
		return nil, 0
	}
	prev := f.at(i - 1)
	if prev == "@" || prev == "func" || prev == "def" || prev == "function" || prev == "fun" || prev == "fn" || prev == "import" || prev == "class" || prev == "from" || prev == "package" || prev == "use" {
		return nil, 0
	}
	if f.Lang.Name == "go" && prev == "." && f.at(i+1) == "(" && failing[t.Text] {
		return f.failure(i, seen)
	}
	// The first name of a chain decides; names after a dot were part of it.
	if link(prev) {
		return nil, 0
	}
	if prev == "[" && f.at(i-2) == "#" || prev == "#[" {
		return nil, 0
	}
	if t.Text == "assert" && f.statement(i) {
		end := f.lineEnd(i)
		value := f.splitAt(span{i + 1, end}, ",")[0]
		if f.Lang.Name == "java" || f.Lang.Name == "groovy" || f.Lang.Name == "kotlin" {
			value = f.splitAt(span{i + 1, end}, ":")[0]
		}
		return f.conditions(span{i, end}, value), end
	}
	return f.chain(i)
}

var failing = map[string]bool{"Error": true, "Errorf": true, "Fatal": true, "Fatalf": true, "Fail": true, "FailNow": true}

func link(s string) bool {
	return s == "." || s == "->" || s == "::" || s == "?." || s == "?->"
}

// statement reports whether the word at i is a statement of its own, as in Python's assert x == y.
func (f *File) statement(i int) bool {
	next := f.at(i + 1)
	if next == "." || next == "!" || next == "=" || next == "," || next == ")" || next == ":" {
		return false
	}
	switch f.Lang.Name {
	case "python", "java", "groovy":
		return true
	case "kotlin":
		return false
	}
	return false
}

// lineEnd returns the end of the statement that begins at i: a semicolon, or a new line outside brackets.
func (f *File) lineEnd(i int) int {
	for j := i + 1; j < len(f.Code); j++ {
		t := f.Code[j]
		if t.First && f.up[j] == f.up[i] {
			if p := f.at(j - 1); t.Text != "." && t.Text != "&&" && t.Text != "||" && t.Text != "?." && p != "&&" && p != "||" && p != "." && p != "," && p != "\\" && !(p == "==" || p == "+" || p == "and" || p == "or") {
				return j
			}
		}
		if f.up[j] == f.up[i] && t.Text == ";" || t.Kind == Punct && f.pair[j] >= 0 && f.pair[j] < i {
			return j
		}
	}
	return len(f.Code)
}

// maxTokens bounds what is kept of one assertion's text.
const maxTokens = 2000

// splitAt splits a range at a separator outside brackets.
func (f *File) splitAt(s span, sep ...string) []span {
	var out []span
	from := s.from
	for j := s.from; j < s.to; j++ {
		t := f.Code[j]
		if t.Kind == Punct && (t.Text == "(" || t.Text == "[" || t.Text == "{") && f.pair[j] > j {
			j = min(f.pair[j], s.to-1)
			continue
		}
		if t.Kind != String && slices.Contains(sep, t.Text) {
			out = append(out, span{from, j})
			from = j + 1
		}
	}
	return append(out, span{from, s.to})
}

// args returns the arguments of the call whose bracket opens at open.
func (f *File) args(open int) []span {
	end := f.close(open)
	if end <= open+1 {
		return nil
	}
	all := f.splitAt(span{open + 1, end}, ",")
	if last := all[len(all)-1]; last.from >= last.to {
		all = all[:len(all)-1]
	}
	return all
}

func (f *File) text(s span) string {
	var b strings.Builder
	for j := s.from; j < s.to && j < len(f.Code) && j < s.from+maxTokens; j++ {
		if t := f.Code[j]; t.Kind == String {
			b.WriteString(strconv.Quote(t.Value()))
		} else {
			b.WriteString(t.Text)
		}
		b.WriteByte(' ')
	}
	return b.String()
}

// make builds an assertion over whole, of which values are what it checks.
func (f *File) make(op Op, whole span, values ...span) *Assertion {
	a := &Assertion{Op: op, Text: f.text(whole)}
	for _, v := range values {
		for j := v.from; j < v.to && j < len(f.Code) && j < v.from+maxTokens; j++ {
			t := f.Code[j]
			switch t.Kind {
			case String:
				a.Literals = append(a.Literals, strconv.Quote(t.Value()))
			case Number:
				a.Literals = append(a.Literals, Normal(t.Text))
			case Ident:
				switch t.Text {
				case "true", "false", "True", "False", "TRUE", "FALSE":
					a.Literals = append(a.Literals, strings.ToLower(t.Text))
				}
				if library[t.Text] || f.speaks(t.Text) {
					continue
				}
				a.Names = append(a.Names, t.Text)
				if !noise[t.Text] {
					a.Subject = append(a.Subject, t.Text)
				}
			}
		}
	}
	slices.Sort(a.Names)
	slices.Sort(a.Subject)
	a.Names, a.Subject = slices.Compact(a.Names), slices.Compact(a.Subject)
	if len(a.Subject) == 0 {
		a.Subject = a.Names
	}
	return a
}

// Normal writes a number as it is compared: no separators and suffixes.
func Normal(s string) string {
	s = strings.ToLower(strings.ReplaceAll(s, "_", ""))
	if !strings.HasPrefix(s, "0x") {
		s = strings.TrimRight(s, "lfdmun")
		if i := strings.IndexAny(s, "iu"); i > 0 {
			s = s[:i]
		}
		if v, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(v, 0) {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
	}
	return s
}

// speaks reports whether a name belongs to an assertion library rather than to what is checked.
func (f *File) speaks(name string) bool {
	known, ok := f.words[name]
	if !ok {
		_, known = lookup(name)
		f.words[name] = known
	}
	return known
}

func (f *File) number(s span) (float64, bool) {
	if s.from < s.to && s.to-s.from <= 3 && f.kind(s.to-1) == Number {
		v, err := strconv.ParseFloat(Normal(f.at(s.to-1)), 64)
		return v, err == nil
	}
	return 0, false
}

// equalText reports whether two ranges hold the same tokens.
func (f *File) equalText(a, b span) bool {
	return a.to-a.from == b.to-b.from && a.to > a.from && f.text(a) == f.text(b)
}

// literal reports whether a range is nothing but a literal.
func (f *File) literal(s span) bool {
	if s.to-s.from != 1 {
		return false
	}
	switch t := f.Code[s.from]; t.Kind {
	case Number, String:
		return true
	case Ident:
		switch strings.ToLower(t.Text) {
		case "true", "false", "null", "nil", "none", "undefined":
			return true
		}
	}
	return false
}
