package guard

import (
	"regexp"
	"strings"

	"gaggle/internal/guard/source"
)

// compareLiterals finds an expected value that was changed.
func (s *suite) compareLiterals(p pairing, r, a *source.Assertion) {
	if similar(r, a) < 0.5 && len(r.Subject) > 0 || r.Op != a.Op && !(valued(r.Op) && valued(a.Op)) {
		return
	}
	was, is := r.Literals, a.Literals
	if r.Op == source.Approx && r.Tolerance > 0 && a.Tolerance > 0 && len(was) > 0 && len(is) > 0 {
		was, is = was[:len(was)-1], is[:len(is)-1] // the tolerance is judged for itself
	}
	s.changed(p, a.Line, a.Text, "", was, is, false)
}

// valued reports whether an operation compares with a value.
func valued(op source.Op) bool {
	switch op {
	case source.Equal, source.Length, source.Approx, source.Contains, source.Snapshot, source.Compare:
		return true
	}
	return false
}

// changed reports an expectation that differs, unless the prompt or the production code speaks of the new value.
func (s *suite) changed(p pairing, line int, text, message string, old, new []string, inverted bool) {
	removed, added := minus(old, new), minus(new, old)
	if !inverted {
		if len(removed) == 0 || len(added) == 0 {
			return
		}
		if samePieces(removed, added) {
			return
		}
		explained := true
		for i, v := range added {
			was := removed[min(i, len(removed)-1)]
			explained = explained && (samePlain(was, v) || s.explained(was, v))
		}
		if explained {
			return
		}
		message = "the expected value changed from " + shorten(strings.Join(removed, ", ")) + " to " + shorten(strings.Join(added, ", ")) + ": restore it, or make the code return what was expected"
	}
	s.r.report(expectationChanged, p.newFile.c.path(), line, text, "%s", message)
}

var placeholder = regexp.MustCompile(`%[-+#0-9.]*[a-zA-Z]|[#$]?\{[^{}]*\}|\$\w+`)

// samePieces reports whether texts are only put together in another way: by + or by a format, or with a name in
// the place of a part of the text. A number that gives way to a name is another matter: it is a result.
func samePieces(removed, added []string) bool {
	for _, l := range append(append([]string(nil), removed...), added...) {
		if !strings.HasPrefix(l, `"`) {
			return false
		}
	}
	join := func(list []string) (whole string, pieces []string) {
		for _, l := range list {
			text := strings.Trim(l, `"`)
			pieces = append(pieces, placeholder.Split(text, -1)...)
			whole += text
		}
		return placeholder.ReplaceAllString(whole, ""), pieces
	}
	old, _ := join(removed)
	new, pieces := join(added)
	if old == new {
		return true
	}
	if len(pieces) < 2 || len(new)*10 < len(old)*6 {
		return false
	}
	holes := old
	for _, piece := range pieces {
		at := strings.Index(holes, piece)
		if at < 0 {
			return false
		}
		if hole := holes[:at]; at > 0 && len(hole) < len(old) && strings.ContainsAny(hole, "0123456789") {
			return false
		}
		holes = holes[at+len(piece):]
	}
	return !strings.ContainsAny(holes, "0123456789")
}

// minus returns the elements of a that b lacks, counting repeats.
func minus(a, b []string) []string {
	have := map[string]int{}
	for _, x := range b {
		have[x]++
	}
	var out []string
	for _, x := range a {
		if have[x] > 0 {
			have[x]--
		} else {
			out = append(out, x)
		}
	}
	return out
}

// samePlain reports whether two literals differ in quoting only.
func samePlain(a, b string) bool {
	plain := func(s string) string {
		return strings.NewReplacer(`\`, "", `"`, "", "'", "", "`", "").Replace(s)
	}
	return plain(a) == plain(b) || strings.Join(strings.Fields(plain(a)), " ") == strings.Join(strings.Fields(plain(b)), " ")
}

// explained reports whether a literal's replacement is asked for: the prompt holds the new value, or the words
// in which a text differs go and come in production code in the same way.
func (s *suite) explained(old, new string) bool {
	text := strings.HasPrefix(old, `"`) && strings.HasPrefix(new, `"`)
	was, is := strings.Trim(old, `"`), strings.Trim(new, `"`)
	if s.r.asked.holdsValue(is) {
		return true
	}
	if !text {
		return false
	}
	gone, come := minus(wordsIn.FindAllString(was, -1), wordsIn.FindAllString(is, -1)), minus(wordsIn.FindAllString(is, -1), wordsIn.FindAllString(was, -1))
	if len(gone)+len(come) == 0 {
		return s.prod.literalMoved(was, is)
	}
	all := func(words []string, in func(string) bool) bool {
		for _, w := range words {
			if !in(w) {
				return false
			}
		}
		return true
	}
	if all(gone, s.r.asked.holdsWord) && all(come, s.r.asked.holdsWord) {
		return true
	}
	if numeric(gone) || numeric(come) {
		return false
	}
	return s.prod.touched && all(gone, func(w string) bool { return s.prod.removed[w] }) && all(come, func(w string) bool { return s.prod.added[w] })
}

// numeric reports whether only numbers differ: those are results, not names.
func numeric(words []string) bool {
	for _, w := range words {
		if strings.Trim(w, "0123456789.") != "" {
			return false
		}
	}
	return len(words) > 0
}

// literalMoved reports whether a text that differs in punctuation only does so in production code too.
func (p production) literalMoved(was, is string) bool {
	return p.touched && p.lines[strings.TrimSpace(is)]
}

// checkExpected compares the values that variables such as want and expected are given.
func (s *suite) checkExpected(p pairing) {
	removed, added := difference(p.old.Expected, p.new.Expected)
	byName := map[string][]*source.Assertion{}
	for _, a := range added {
		byName[a.Subject[0]] = append(byName[a.Subject[0]], a)
	}
	for _, r := range removed {
		list := byName[r.Subject[0]]
		if len(list) == 0 {
			continue
		}
		a := list[0]
		byName[r.Subject[0]] = list[1:]
		s.changed(p, a.Line, a.Text, "", r.Literals, a.Literals, false)
	}
}

// checkRows compares the tables of a unit.
func (s *suite) checkRows(p pairing) {
	have := map[string]int{}
	for _, r := range p.new.Rows {
		have[r.Text]++
	}
	var lost []source.Row
	for _, r := range p.old.Rows {
		if have[r.Text] > 0 {
			have[r.Text]--
		} else {
			lost = append(lost, r)
		}
	}
	if len(lost) == 0 {
		return
	}
	had := map[string]int{}
	for _, r := range p.old.Rows {
		had[r.Text]++
	}
	var extra []source.Row
	for _, r := range p.new.Rows {
		if had[r.Text] > 0 {
			had[r.Text]--
		} else {
			extra = append(extra, r)
		}
	}
	words := wordCount(p.old.Words(), p.new.Words())
	used := make([]bool, len(extra))
	file := p.newFile.c.path()
	for n, r := range lost {
		at := -1
		for j := max(0, n-40); j < min(len(extra), n+40); j++ {
			if !used[j] && (at < 0 || rowLikeness(r, extra[j]) > rowLikeness(r, extra[at])) {
				at = j
			}
		}
		if at >= 0 && rowLikeness(r, extra[at]) >= 0.5 {
			used[at] = true
			s.changed(p, extra[at].Line, extra[at].Text, "", r.Literals, extra[at].Literals, false)
			continue
		}
		kept := true
		for _, l := range r.Literals {
			l = strings.TrimPrefix(unquote(l), "-")
			kept = kept && (words[l] >= 0 || s.found.literals[l] > 0)
		}
		if kept || s.prod.explainsSubject(wordsIn.FindAllString(r.Text, 50), s.r.asked) {
			continue
		}
		if at >= 0 && rowLikeness(r, extra[at]) > 0 || n < len(extra) && !used[n] && len(extra[n].Literals) == len(r.Literals) {
			if at < 0 {
				at = n
			}
			used[at] = true
			s.changed(p, extra[at].Line, extra[at].Text, "", r.Literals, extra[at].Literals, false)
			continue
		}
		line := p.newFile.line(r.Line)
		if p.file != p.newFile {
			line = p.new.Line
		}
		if s.found.commentedOut(p.file, r.Line, r.Line) {
			s.r.report(testCommentedOut, file, line, r.Text, "a case of %q is commented out: bring it back, and make it pass", p.old.Short)
		} else {
			s.r.report(testCaseRemoved, file, line, r.Text, "a case of %q is gone: bring it back, and make it pass", p.old.Short)
		}
	}
}

// rowLikeness is how much two rows have in common; the first literal usually names the case.
func rowLikeness(a, b source.Row) float64 {
	if a.Label != "" && a.Label == b.Label {
		return 2
	}
	if len(a.Literals) == 0 || len(b.Literals) == 0 {
		return 0
	}
	score := overlap(a.Literals, b.Literals)
	if a.Literals[0] == b.Literals[0] && strings.HasPrefix(a.Literals[0], `"`) {
		score += 0.5
	}
	return score
}

// wordCount returns how many more of each word the new text has; a missing entry is zero.
func wordCount(old, new []string) map[string]int {
	m := map[string]int{}
	for _, w := range old {
		m[unquote(w)]--
	}
	for _, w := range new {
		m[unquote(w)]++
	}
	return m
}
