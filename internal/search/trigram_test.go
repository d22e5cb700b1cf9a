package search

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// fulfilled is the oracle for segment.holding.
func fulfilled(n *need, has map[uint32]bool) bool {
	if n == nil {
		return true
	}
	for _, t := range n.trigrams {
		if !has[t] {
			return false
		}
	}
	for _, alternatives := range n.any {
		if !slices.ContainsFunc(alternatives, func(n *need) bool { return fulfilled(n, has) }) {
			return false
		}
	}
	return true
}

func trigramsOf(text string) map[uint32]bool {
	has := map[uint32]bool{}
	eachTrigram([]byte(text), func(t uint32) { has[t] = true })
	return has
}

func (n *need) String() string {
	if n == nil {
		return "any"
	}
	var parts []string
	for _, t := range n.trigrams {
		parts = append(parts, fmt.Sprintf("%c%c%c", byte(t>>16), byte(t>>8), byte(t)))
	}
	for _, alternatives := range n.any {
		var alts []string
		for _, a := range alternatives {
			alts = append(alts, a.String())
		}
		parts = append(parts, "("+strings.Join(alts, "|")+")")
	}
	return strings.Join(parts, " ")
}

func TestWhatAnExpressionNeeds(t *testing.T) {
	for expr, want := range map[string]string{
		"abcde":                 "abc bcd cde",
		"ABC":                   "abc",
		"(?i)abc":               "abc",
		"(?i)task":              "tas ask",
		"(?i)käse":              "any",
		"(?i)käsekuchen":        "sek eku kuc uch che hen",
		"abc.*def":              "abc def",
		"(abc|def)":             "(abc|def)",
		"ab(cd|ef)g":            "(abc bcd cdg|abe bef efg)",
		"ab(cd|e.*f)g":          "any",
		"abc(cd|e.*f)xyz":       "abc xyz",
		"a[bB]c":                "abc",
		"x[0-9]yz[ab]":          "(yza|yzb)",
		"x[0-9]y":               "any",
		"(abc)+d?":              "abc",
		"(abc)?def":             "(abc bcd cde def|def)",
		"(abc)*":                "any",
		"a{3}b{2,3}":            "(aaa aab abb bbb|aaa aab abb)",
		"^abc$":                 "abc",
		`\babc\b`:               "abc",
		`ioutil\.(Read|Write)X`: "(iou out uti til il. l.r .re rea ead adx|iou out uti til il. l.w .wr wri rit ite tex)",
		"abc|d":                 "any",
		"":                      "any",
		".":                     "any",
		"\ufffdabc":             "abc",
		"ſ\u212aab":             "ska kab",
		"[^a]bcd":               "bcd",
		"a\nbc":                 "a\nb \nbc",
	} {
		parsed, err := syntax.Parse(expr, syntax.Perl&^syntax.OneLine)
		if err != nil {
			t.Fatal(err)
		}
		if got := analyse(parsed).String(); got != want {
			t.Errorf("%q needs %s, want %s", expr, got, want)
		}
	}
}

func TestALongLiteralIsAskedForByItsWholeLength(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 20)
	parsed, _ := syntax.Parse(long, syntax.Perl)
	n := analyse(parsed)
	if len(n.trigrams) > maxTrigrams+2 || len(n.trigrams) < maxTrigrams/2 || n.trigrams[len(n.trigrams)-1] != 'd'<<16|'e'<<8|'f' {
		t.Errorf("%d trigrams: %s", len(n.trigrams), n)
	}
}

// Whatever matches fulfils the condition: a file that the index passes over would not have matched.
func checkSound(t interface{ Fatalf(string, ...any) }, expr, text string) {
	re, err := regexp.Compile("(?m:" + expr + ")")
	if err != nil {
		return
	}
	parsed, err := syntax.Parse(expr, syntax.Perl&^syntax.OneLine)
	if err != nil || !re.MatchString(text) {
		return
	}
	if n := analyse(parsed); !fulfilled(n, trigramsOf(text)) {
		t.Fatalf("%q matches %q, which does not hold %s", expr, text, n)
	}
}

func TestNoMatchIsPassedOver(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "b", "K", "k", "s", "S", "ſ", "\u212a", "ä", "Ä", "\ufffd", "[ab]", "[^b]", "[K-S]", ".", "\n", "^", "$", `\b`, "bcd", "(?:", "(?i:", ")", "|", "*", "+", "?", "{2}", "{1,3}", `\W`, `\x{17f}`})
	letter := rapid.SampledFrom([]string{"a", "b", "A", "B", "k", "K", "s", "S", "ſ", "\u212a", "ä", "Ä", "\n", "\xff", "\xc5", "\xe2\x84", "bcd", "BCD", "\ufffd"})
	rapid.Check(t, func(t *rapid.T) {
		expr := strings.Join(rapid.SliceOfN(piece, 1, 12).Draw(t, "expr"), "")
		for expr != "" && strings.Count(expr, "(") > strings.Count(expr, ")") {
			expr += ")"
		}
		if !utf8.ValidString(expr) {
			return
		}
		for range 8 {
			checkSound(t, expr, strings.Join(rapid.SliceOfN(letter, 0, 14).Draw(t, "text"), ""))
		}
	})
}

func FuzzNoMatchIsPassedOver(f *testing.F) {
	f.Add("(?i)stra(ss|ß)e", "STRAẞE strasse")
	f.Add("a(b|c.*d)[ef]g+", "acxxdegg")
	f.Add("(abc){2,}", "abcabc")
	f.Fuzz(func(t *testing.T, expr, text string) {
		if len(expr) < 200 && len(text) < 10_000 {
			checkSound(t, expr, text)
		}
	})
}

// The index and a plain search through every file agree, whatever the files and the expression.
func TestTheIndexAgreesWithReadingEverything(t *testing.T) {
	word := rapid.SampledFrom([]string{"foo", "bar", "Foo", "ſtrasse", "x", "\n", " ", "\x00", "\xff", "ä", "foobar"})
	exprs := []string{"foo", "(?i)FOO", "foo|bar", "foo.*bar", "^bar$", "(?i)strasse", "x+", "foob[a-z]r", "o\nb", "ä", "(?i)Ä", "absent"}
	names := []string{"a.go", "a.txt", "b/a.go", "b/c/x.go", "b/c/y.md", "b.go", "c/z.go", "b-/q.go"}
	rapid.Check(t, func(rt *rapid.T) {
		files := map[string]string{}
		for _, name := range names {
			if rapid.Bool().Draw(rt, name) {
				files[name] = strings.Join(rapid.SliceOfN(word, 0, 8).Draw(rt, "text"), "")
			}
		}
		expr := rapid.SampledFrom(exprs).Draw(rt, "expr")
		glob := rapid.SampledFrom([]string{"**", "**/*.go", "*.go", "c/*"}).Draw(rt, "glob")
		m := &memory{}
		dirs := []string{".", "b", "b/c"}
		hits, err := open(t, m).Match(t.Context(), Place{Repository: m.put(files), Paths: dirs}, compile(t, Terms{Contains: expr, In: []string{glob}}))
		if err != nil {
			rt.Fatal(err)
		}
		re, gs := regexp.MustCompile("(?m:"+expr+")"), compile(t, Terms{Files: []string{glob}}).files
		for i, dir := range dirs {
			want := false
			for name, text := range files {
				owner, inner := ".", name
				for _, d := range dirs[1:] {
					if rest, ok := strings.CutPrefix(name, d+"/"); ok {
						owner, inner = d, rest
					}
				}
				want = want || owner == dir && gs.match(inner) && !strings.Contains(text, "\x00") && re.MatchString(text)
			}
			if hits[i].Matched != want {
				rt.Fatalf("%s in %s of %q: %v", expr, dir, files, hits[i].Matched)
			}
		}
	})
}
