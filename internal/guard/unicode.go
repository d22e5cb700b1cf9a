package guard

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"gaggle/internal/guard/source"
)

// checkUnicode finds characters that a reviewer does not see, or takes for others.
func checkUnicode(r *review) {
	for _, c := range r.changes {
		for _, p := range c.paths() {
			if at, ok := hiddenRune(p, false); ok {
				r.report(hiddenUnicode, p, 0, "", "the file's name holds the invisible character %U: rename it", at)
			}
		}
		if c.binary || c.isDeleted() {
			continue
		}
		gone := map[rune]int{}
		for _, l := range c.removed {
			if !ascii(l.text) {
				for _, x := range l.text {
					if invisible(x) {
						gone[x]++
					}
				}
			}
		}
		lang := source.Of(c.newPath)
		var names map[int][]string
		var had map[string]bool
		for _, l := range c.added {
			if ascii(l.text) {
				continue
			}
			if x, ok := hiddenRune(l.text, l.num == 1); ok {
				if gone[x] > 0 {
					gone[x]--
				} else {
					r.report(hiddenUnicode, c.path(), l.num, visible(l.text), "the line holds the invisible character %U: remove it", x)
				}
				continue
			}
			if lang == nil {
				continue
			}
			if names == nil {
				names, had = c.foreignNames(lang)
			}
			for _, n := range names[l.num] {
				if !had[n] {
					r.report(hiddenUnicode, c.path(), l.num, visible(l.text), "the name %q mixes look-alike letters of two scripts: write it in one", visible(n))
					break
				}
			}
		}
	}
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// foreignNames lists names with look-alike letters on the new side by line, and those that the old side had.
func (c *change) foreignNames(lang *source.Language) (map[int][]string, map[string]bool) {
	names, had := map[int][]string{}, map[string]bool{}
	for _, b := range c.before.blocks {
		for _, t := range lang.Lex(b.lines, b.first) {
			if t.Kind == source.Ident && !ascii(t.Text) {
				had[t.Text] = true
			}
		}
	}
	for _, b := range c.after.blocks {
		for _, t := range lang.Lex(b.lines, b.first) {
			if t.Kind == source.Ident && !ascii(t.Text) && lookalike(t.Text) {
				names[t.Line] = append(names[t.Line], t.Text)
			}
		}
	}
	return names, had
}

// confusable are Cyrillic and Greek letters that look like Latin ones.
const confusable = "асеорхуіјѕһԁԛԝАВСЕНІЈКМОРЅТХУԌΑΒΕΖΗΙΚΜΝΟΡΤΥΧοϲрⅰⅼ"

// lookalike reports whether a name could be taken for another: a letter that looks Latin stands among Latin
// ones, or all of its letters look Latin and are not.
func lookalike(name string) bool {
	latin, fake, other := 0, 0, 0
	for _, x := range name {
		switch {
		case x < utf8.RuneSelf && unicode.IsLetter(x):
			latin++
		case x >= 0xFF21 && x <= 0xFF5A, x >= 0x1D400 && x <= 0x1D7FF, strings.ContainsRune(confusable, x):
			fake++
		case unicode.IsLetter(x) && !unicode.Is(unicode.Latin, x):
			other++
		}
	}
	return fake > 0 && (latin > 0 || other == 0) && !(other > 0 && fake > latin)
}

// invisible reports whether a character shows as nothing or changes the order of others.
func invisible(x rune) bool {
	switch {
	case x >= 0x202A && x <= 0x202E, x >= 0x2066 && x <= 0x2069: // bidirectional controls
	case x == 0x200B, x == 0x200C, x == 0x200D, x == 0x2060, x == 0xFEFF, x == 0x180E, x == 0x00AD, x == 0x061C, x == 0x200E, x == 0x200F:
	case x >= 0x2061 && x <= 0x2064:
	case x == 0x3164, x == 0xFFA0, x == 0x115F, x == 0x1160:
	case x >= 0xE0000 && x <= 0xE007F, x >= 0xE0100 && x <= 0xE01EF:
	default:
		return false
	}
	return true
}

// hiddenRune returns the first invisible character that no script and no emoji calls for.
func hiddenRune(s string, firstLine bool) (rune, bool) {
	if ascii(s) {
		return 0, false
	}
	prev := rune(0)
	for i, x := range s {
		if invisible(x) && !(x == 0xFEFF && firstLine && i == 0) {
			next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(x):])
			switch {
			case (x == 0x200D || x == 0x200C) && (joins(prev) || joins(next)):
			case (x == 0x200E || x == 0x200F) && (rightToLeft(prev) || rightToLeft(next)):
			case x >= 0xE0020 && x <= 0xE007F && (prev == 0x1F3F4 || prev >= 0xE0020 && prev <= 0xE007F) && strings.ContainsRune(s, 0x1F3F4): // flags
			default:
				return x, true
			}
		}
		prev = x
	}
	return 0, false
}

// joins reports whether a character may need a joiner beside it: emoji, and scripts whose letters join.
func joins(x rune) bool {
	return x >= 0x1F000 && x <= 0x1FAFF || x >= 0x2190 && x <= 0x2BFF || x == 0xFE0F ||
		unicode.In(x, unicode.Arabic, unicode.Devanagari, unicode.Bengali, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar, unicode.Gujarati, unicode.Gurmukhi, unicode.Oriya, unicode.Mongolian, unicode.Syriac)
}

func rightToLeft(x rune) bool {
	return unicode.In(x, unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana)
}

// visible writes invisible characters as escapes.
func visible(s string) string {
	var b strings.Builder
	for _, x := range s {
		if invisible(x) || x > 0x7F && strings.ContainsRune(confusable, x) {
			fmt.Fprintf(&b, "\\u%04X", x)
		} else {
			b.WriteRune(x)
		}
	}
	return b.String()
}
