package search

import (
	"bytes"
	"regexp/syntax"
	"unicode"
	"unicode/utf8"
)

// Trigrams are taken over folded text, so that one index serves expressions of either case. fold maps the
// upper-case ASCII letters and the two other characters whose simple case folding is an ASCII letter
// (U+017F, long s, and U+212A, the Kelvin sign) to their lower-case letter and every other byte to itself. A match of a literal
// in a text is a match of the folded literal in the folded text, whichever way it was written.

var foldTable = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if 'A' <= i && i <= 'Z' {
			t[i] += 'a' - 'A'
		}
	}
	return t
}()

var (
	longS  = []byte("\u017f")
	kelvin = []byte("\u212a")
)

// foldSpecial replaces the two non-ASCII characters that fold to ASCII. It returns text itself when there are none.
func foldSpecial(text []byte) []byte {
	if bytes.Contains(text, longS) {
		text = bytes.ReplaceAll(text, longS, []byte("s"))
	}
	if bytes.Contains(text, kelvin) {
		text = bytes.ReplaceAll(text, kelvin, []byte("k"))
	}
	return text
}

// eachTrigram calls f with every trigram of the folded text, repeats included.
func eachTrigram(text []byte, f func(uint32)) {
	text = foldSpecial(text)
	if len(text) < 3 {
		return
	}
	t := uint32(foldTable[text[0]])<<8 | uint32(foldTable[text[1]])
	for _, b := range text[2:] {
		t = (t<<8 | uint32(foldTable[b])) & 0xffffff
		f(t)
	}
}

// need is a condition on the trigrams of a text, which every text that an expression matches fulfils: all of
// the trigrams, and all of the alternatives, of which at least one must hold each. nil holds always.
type need struct {
	trigrams []uint32
	any      [][]*need // a conjunction of disjunctions; never with a nil inside
}

// Bounds of the analysis. Past them it gives up precision, never soundness.
const (
	maxExact       = 48   // strings in a set that is followed exactly
	maxExactBytes  = 256  // bytes of one of them
	maxClassRunes  = 8    // runes of a character class that is followed exactly
	maxTrigrams    = 16   // trigrams asked for one string
	maxNeedNodes   = 2000 // nodes of a whole condition
	maxNeedNesting = 200
)

// analyse returns what every match of the expression needs. A nil result means that nothing is known: each file must be read.
func analyse(re *syntax.Regexp) *need {
	a := &analysis{}
	n := a.expr(re.Simplify(), 0).condition(a)
	if a.nodes > maxNeedNodes {
		return nil
	}
	return n
}

type analysis struct{ nodes int }

// part is what is known of a subexpression: either the exact set of folded strings that it matches, or a condition.
type part struct {
	exact []string // nil when not known; then need applies
	need  *need
}

func (p part) condition(a *analysis) *need {
	if p.exact == nil {
		return p.need
	}
	return a.needAny(p.exact)
}

func (a *analysis) expr(re *syntax.Regexp, depth int) part {
	if depth > maxNeedNesting {
		return part{}
	}
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return part{exact: []string{""}}
	case syntax.OpLiteral:
		return a.literal(re)
	case syntax.OpCharClass:
		return class(re)
	case syntax.OpCapture:
		return a.expr(re.Sub[0], depth+1)
	case syntax.OpPlus:
		return part{need: a.expr(re.Sub[0], depth+1).condition(a)}
	case syntax.OpQuest:
		if sub := a.expr(re.Sub[0], depth+1); sub.exact != nil && len(sub.exact) < maxExact {
			return part{exact: union(sub.exact, []string{""})}
		}
		return part{}
	case syntax.OpConcat:
		return a.concat(re.Sub, depth)
	case syntax.OpAlternate:
		return a.alternate(re.Sub, depth)
	}
	return part{} // OpStar, OpAnyChar, OpAnyCharNotNL, OpNoMatch, and OpRepeat, which Simplify leaves none of
}

// literal follows runes exactly, and gives way where one may match bytes that do not fold to the same string.
func (a *analysis) literal(re *syntax.Regexp) part {
	var pieces []string
	var piece []byte
	for _, r := range re.Rune {
		other := r == utf8.RuneError || r > unicode.MaxRune ||
			re.Flags&syntax.FoldCase != 0 && r >= utf8.RuneSelf && unicode.SimpleFold(r) != r && r != '\u017f' && r != '\u212a'
		if other {
			pieces = append(pieces, string(piece))
			piece = nil
			continue
		}
		piece = append(piece, foldRune(r)...)
	}
	if pieces == nil {
		return part{exact: []string{string(piece)}}
	}
	var n *need
	for _, p := range append(pieces, string(piece)) {
		n = a.both(n, a.needAny([]string{p}))
	}
	return part{need: n}
}

func foldRune(r rune) string {
	switch {
	case r == '\u017f':
		return "s"
	case r == '\u212a':
		return "k"
	case 'A' <= r && r <= 'Z':
		r += 'a' - 'A'
	}
	return string(r)
}

func class(re *syntax.Regexp) part {
	var set []string
	count := 0
	for i := 0; i+1 < len(re.Rune); i += 2 {
		for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
			if count++; count > maxClassRunes || r == utf8.RuneError {
				return part{}
			}
			set = union(set, []string{foldRune(r)})
		}
	}
	if set == nil {
		return part{} // matches nothing; no condition is sound as well
	}
	return part{exact: set}
}

func (a *analysis) concat(subs []*syntax.Regexp, depth int) part {
	run := []string{""}
	exact := true
	var n *need
	flush := func(next []string) {
		n = a.both(n, a.needAny(run))
		run, exact = next, false
	}
	for _, sub := range subs {
		p := a.expr(sub, depth+1)
		switch joined := cross(run, p.exact); {
		case p.exact == nil:
			flush([]string{""})
			n = a.both(n, p.need)
		case joined != nil:
			run = joined
		default:
			flush(p.exact)
		}
	}
	if exact {
		return part{exact: run}
	}
	flush(nil)
	return part{need: n}
}

func (a *analysis) alternate(subs []*syntax.Regexp, depth int) part {
	parts := make([]part, len(subs))
	exact := []string{}
	for i, sub := range subs {
		parts[i] = a.expr(sub, depth+1)
		if exact != nil && parts[i].exact != nil && len(exact)+len(parts[i].exact) <= maxExact {
			exact = union(exact, parts[i].exact)
		} else {
			exact = nil
		}
	}
	if exact != nil {
		return part{exact: exact}
	}
	var either []*need
	for _, p := range parts {
		n := p.condition(a)
		if n == nil {
			return part{}
		}
		either = append(either, n)
	}
	a.nodes += len(either)
	return part{need: &need{any: [][]*need{either}}}
}

// needAny is the condition that one of the strings is in the text.
func (a *analysis) needAny(set []string) *need {
	var either []*need
	for _, s := range set {
		if len(s) < 3 {
			return nil
		}
		n := &need{}
		// Evenly spread, so that a long literal is asked for by its whole length.
		last := len(s) - 3
		step := max(1, (last+maxTrigrams-1)/maxTrigrams)
		for i := 0; ; i = min(i+step, last) {
			n.trigrams = append(n.trigrams, uint32(s[i])<<16|uint32(s[i+1])<<8|uint32(s[i+2]))
			if i == last {
				break
			}
		}
		a.nodes += len(n.trigrams)
		either = append(either, n)
	}
	if len(either) == 1 {
		return either[0]
	}
	return &need{any: [][]*need{either}}
}

func (a *analysis) both(x, y *need) *need {
	if x == nil {
		return y
	}
	if y == nil {
		return x
	}
	return &need{trigrams: append(append([]uint32(nil), x.trigrams...), y.trigrams...), any: append(append([][]*need(nil), x.any...), y.any...)}
}

// cross joins every string of x to every string of y, or returns nil when that is too much.
func cross(x, y []string) []string {
	if y == nil || len(x)*len(y) > maxExact {
		return nil
	}
	var out []string
	for _, s := range x {
		for _, t := range y {
			if len(s)+len(t) > maxExactBytes {
				return nil
			}
			out = union(out, []string{s + t})
		}
	}
	return out
}

func union(x, y []string) []string {
	out := x[:len(x):len(x)]
next:
	for _, s := range y {
		for _, t := range out {
			if s == t {
				continue next
			}
		}
		out = append(out, s)
	}
	return out
}
