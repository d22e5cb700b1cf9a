package guard

import (
	"fmt"
	"slices"
	"strings"

	"gaggle/internal/guard/source"
)

// checkPair compares a unit with what became of it.
func (s *suite) checkPair(p pairing) {
	o, n := p.old, p.new
	file := p.newFile.c.path()
	if o.Kind == source.Test && o.Found && p.file.was && (n.Kind != source.Test || !n.Found) && !s.found.run[n.Short] {
		s.r.report(testUndiscovered, file, n.Line, n.Short, "the test %q is no longer found by its runner: restore what marks it as a test", o.Short)
		return
	}
	if o.Text == n.Text {
		return
	}
	marked := s.checkMarks(p)
	s.checkMain(p)
	if marked || !p.running() && n.Kind == source.Test {
		return
	}
	s.checkAsserts(p)
	s.checkExpected(p)
	s.checkRows(p)
}

// checkFresh looks at a unit that is new: it need not check anything, but must not switch anything off.
func (s *suite) checkFresh(p pairing) {
	s.checkMarks(p)
	s.checkMain(p)
}

// checkMain looks at Go's TestMain: one that runs no tests passes them all.
func (s *suite) checkMain(p pairing) {
	if p.new.Short != "TestMain" || p.new.Kind != source.Helper || !strings.HasSuffix(p.newFile.c.newPath, "_test.go") {
		return
	}
	if !p.new.Holds(". Run (") && !p.new.Holds("VerifyTestMain") && (p.old == nil || p.old.Holds(". Run (")) {
		s.r.report(testSkipped, p.newFile.c.path(), p.new.Line, "TestMain", "TestMain runs no tests: call m.Run and exit with what it returns")
	}
}

// checkMarks finds marks that a unit did not have, and reports whether one of them keeps it from running.
func (s *suite) checkMarks(p pairing) bool {
	counts := map[source.MarkKind]int{}
	texts := map[string]int{}
	if p.old != nil {
		for _, m := range p.old.Marks {
			counts[m.Kind]++
			texts[m.Text]++
		}
	}
	now := map[source.MarkKind]int{}
	for _, m := range p.new.Marks {
		now[m.Kind]++
	}
	file, off := p.newFile.c.path(), false
	for _, m := range p.new.Marks {
		if texts[m.Text] > 0 {
			texts[m.Text]--
			continue
		}
		if now[m.Kind] <= counts[m.Kind] {
			continue // as many as before, in another spelling
		}
		if p.old == nil && m.Conditional || p.old == nil && p.new.Kind == source.Rest && !p.newFile.c.isNew() {
			continue // a new test may depend on its machine
		}
		if m.Conditional && p.new.Kind == source.Rest && p.newFile.new.Lang.Name == "rust" {
			continue // compiled in for some platforms: it belongs to a macro or an import
		}
		counts[m.Kind]++
		name := p.new.Short
		if name == "" {
			name = "the tests of this file"
		} else {
			name = fmt.Sprintf("%q", name)
		}
		switch m.Kind {
		case source.MarkSkip:
			s.r.report(testSkipped, file, m.Line, m.Text, "%s is skipped: remove the skip, and make the test pass", name)
			off = true
		case source.MarkDead:
			if p.new.Kind == source.Test || p.new.Kind == source.Suite || len(p.new.Asserts) > 0 {
				s.r.report(testSkipped, file, m.Line, m.Text, "code in %s can never run: remove the condition", name)
				off = true
			}
		case source.MarkReturn:
			s.r.report(testSkipped, file, m.Line, m.Text, "%s is left before its checks: remove the return", name)
			off = true
		case source.MarkExit:
			if p.new.Kind != source.Rest || p.newFile.c.isNew() || p.newFile.was {
				if p.new.Short != "TestMain" && !(p.newFile.new.Lang.Name == "shell" && p.old == nil) {
					s.r.report(testSkipped, file, m.Line, m.Text, "the test run ends here as a success: remove the exit")
					off = true
				}
			}
		case source.MarkFocus:
			s.r.report(testFocused, file, m.Line, m.Text, "only %s runs, the other tests do not: remove the focus", name)
		case source.MarkSwallow:
			if p.old != nil && (p.new.Kind == source.Test || len(p.new.Asserts) > 0 || p.newFile.new.Lang.Name == "shell") {
				s.r.report(assertionWeakened, file, m.Line, m.Text, "a failed check in %s is caught and forgotten: let it fail", name)
			}
		case source.MarkExpected:
			if p.old != nil {
				s.r.report(assertionWeakened, file, m.Line, m.Text, "%s now passes when it fails: remove the mark, and make the test pass", name)
			}
		}
	}
	return off && p.new.Kind == source.Test
}

// checkAsserts compares what a unit checks.
func (s *suite) checkAsserts(p pairing) {
	removed, added := difference(p.old.Asserts, p.new.Asserts)
	if len(removed) == 0 {
		return
	}
	for call := range p.new.Calls { // checks that moved into a helper
		if !p.old.Calls[call] {
			added = append(added, s.found.helpers[call]...)
		}
	}
	pairs, lost, extra := assign(removed, added)
	for _, q := range pairs {
		s.compare(p, q[0], q[1], true)
	}
	var missing []*source.Assertion
	for _, a := range lost {
		switch {
		case a.Trivial, s.found.holds(a), s.subsumed(a, p.new), s.prod.explainsSubject(a.Names, s.r.asked):
		case len(extra) > 0:
			s.compare(p, a, extra[0], false)
			extra = extra[1:]
		default:
			missing = append(missing, a)
		}
	}
	missing = dropErrors(p, missing)
	if len(missing) == 0 {
		return
	}
	file, first := p.newFile.c.path(), missing[0]
	line := p.newFile.line(first.Line)
	if p.file != p.newFile {
		line = p.new.Line
	}
	switch {
	case s.found.commentedOut(p.file, first.Line, first.Line):
		s.r.report(testCommentedOut, file, line, first.Text, "a check of %q is commented out: bring it back, and make it pass", p.old.Short)
	case len(serious(p.new.Asserts)) == 0 && p.new.Kind == source.Test && !s.delegates(p.new):
		if p.new.Size*3 < p.old.Size || len(p.new.Asserts) == 0 && p.new.Size < 25 {
			s.r.report(testEmptied, file, p.new.Line, first.Text, "the test %q checks nothing any more: bring its checks back", p.old.Short)
		} else {
			s.r.report(assertionRemoved, file, line, first.Text, "%q has no check left that can fail: bring its checks back", p.old.Short)
		}
	case len(missing) == 1:
		s.r.report(assertionRemoved, file, line, first.Text, "a check of %q is gone and stands nowhere else: bring it back", p.old.Short)
	default:
		s.r.report(assertionRemoved, file, line, first.Text, "%d checks of %q are gone and stand nowhere else: bring them back", len(missing), p.old.Short)
	}
}

// delegates reports whether a test leaves its checks to a helper that has some.
func (s *suite) delegates(u *source.Unit) bool {
	for call := range u.Calls {
		if len(s.found.helpers[call]) > 0 {
			return true
		}
	}
	return false
}

// difference takes the assertions that two lists have in common out of both.
func difference(old, new []*source.Assertion) (removed, added []*source.Assertion) {
	have := map[string]int{}
	for _, a := range new {
		have[a.Text]++
	}
	for _, a := range old {
		if have[a.Text] > 0 {
			have[a.Text]--
		} else {
			removed = append(removed, a)
		}
	}
	had := map[string]int{}
	for _, a := range old {
		had[a.Text]++
	}
	for _, a := range new {
		if had[a.Text] > 0 {
			had[a.Text]--
		} else {
			added = append(added, a)
		}
	}
	return removed, added
}

// assign pairs removed with added assertions that speak of the same thing, the most similar first.
func assign(removed, added []*source.Assertion) (pairs [][2]*source.Assertion, lost, extra []*source.Assertion) {
	type scored struct {
		r, a  int
		score float64
	}
	var all []scored
	const window = 60 // each is compared with its neighbours only, so that a huge test costs no square
	for i, r := range removed {
		at := i * max(len(added), 1) / max(len(removed), 1)
		for j := max(0, at-window); j < min(len(added), at+window); j++ {
			a := added[j]
			score := similar(r, a) + 0.4*overlap(r.Literals, a.Literals)
			if r.Op == a.Op {
				score += 0.1
			}
			score += 0.005 * float64(a.Strength())
			if score >= 0.5 {
				all = append(all, scored{i, j, score})
			}
		}
	}
	slices.SortStableFunc(all, func(x, y scored) int {
		switch {
		case x.score > y.score:
			return -1
		case x.score < y.score:
			return 1
		}
		return (abs(x.r-x.a) - abs(y.r-y.a))
	})
	usedR, usedA := map[int]bool{}, map[int]bool{}
	for _, x := range all {
		if !usedR[x.r] && !usedA[x.a] {
			usedR[x.r], usedA[x.a] = true, true
			pairs = append(pairs, [2]*source.Assertion{removed[x.r], added[x.a]})
		}
	}
	for i, r := range removed {
		if !usedR[i] {
			lost = append(lost, r)
		}
	}
	for j, a := range added {
		if !usedA[j] {
			extra = append(extra, a)
		}
	}
	return pairs, lost, extra
}

func abs(n int) int { return max(n, -n) }

// subsumed reports whether a weak check is gone because a stronger one about the same thing is there.
func (s *suite) subsumed(a *source.Assertion, u *source.Unit) bool {
	if a.Strength() > 6 || a.Op == source.Throws {
		return false
	}
	for _, b := range u.Asserts[:min(len(u.Asserts), 400)] {
		if a.Op == source.Contains && !b.Trivial && b.Strength() > a.Strength() && similar(a, b) >= 0.5 && within(a.Literals, b.Literals) {
			return true
		}
		if a.Op == source.Contains {
			continue
		}
		if b.Strength() > a.Strength() && (similar(a, b) >= 0.5 || a.Op == source.NotNull && slices.ContainsFunc(a.Subject, func(n string) bool { return slices.Contains(b.Subject, n) })) && !b.Trivial {
			return true
		}
	}
	return false
}

// within reports whether each text of a is a part of some text of b.
func within(a, b []string) bool {
	for _, x := range a {
		if !slices.ContainsFunc(b, func(y string) bool { return strings.Contains(y, strings.Trim(x, `"`)) }) {
			return false
		}
	}
	return len(a) > 0
}

// dropErrors leaves out checks of Go errors that are gone because the call no longer returns one.
func dropErrors(p pairing, missing []*source.Assertion) []*source.Assertion {
	var errs, rest []*source.Assertion
	for _, a := range missing {
		if a.Op == source.NoThrow && len(a.Literals) == 0 && p.old != nil && p.file.old.Lang.Name == "go" {
			errs = append(errs, a)
		} else {
			rest = append(rest, a)
		}
	}
	if len(errs) == 0 {
		return missing
	}
	assigned := func(u *source.Unit) int { return u.Count("err :=") + u.Count("err =") }
	dropped := func(u *source.Unit) int { return u.Count("_") }
	if assigned(p.old)-assigned(p.new) >= len(errs) && dropped(p.new) <= dropped(p.old) {
		return rest
	}
	return missing
}

// compare judges one assertion against the one that took its place.
func (s *suite) compare(p pairing, r, a *source.Assertion, alike bool) {
	file := p.newFile.c.path()
	weak := func(format string, args ...any) {
		s.r.report(assertionWeakened, file, a.Line, a.Text, format, args...)
	}
	if r.Trivial {
		return
	}
	if a.Trivial {
		weak("the check can never fail: restore what it compared")
		return
	}
	if r.Op == source.Custom || a.Op == source.Custom {
		if alike && r.Op == a.Op {
			s.compareLiterals(p, r, a)
		}
		return
	}
	if r.Op == source.Throws && a.Op == source.Throws && a.Generic && !r.Generic {
		weak("any error satisfies the check now: ask for the error that it asked for before")
		return
	}
	if !alike {
		if a.Strength() <= 3 && r.Strength() >= 8 {
			weak("a check that something %s replaces one that something is %s: keep the stronger one", verb(a.Op), r.Op)
		}
		return
	}
	close := similar(r, a) >= 0.6
	switch {
	case close && source.Opposite(r.Op, a.Op) && (r.Op != source.Equal || sameLiterals(r, a)):
		s.changed(p, a.Line, a.Text, "the check now asks for the opposite: restore it, or make the code do what it asked for", r.Literals, a.Literals, true)
		return
	case a.Loose > r.Loose:
		weak("the check passes in more cases than before: remove the alternative")
		return
	case r.Op == source.Approx && a.Op == source.Approx && r.Tolerance > 0 && a.Tolerance > r.Tolerance*1.001:
		weak("the tolerance grew from %g to %g: restore it", r.Tolerance, a.Tolerance)
		return
	case r.Op == source.Throws && a.Op == source.Throws:
		if len(r.Literals) > 0 && len(a.Literals) == 0 && slices.Equal(r.Names, a.Names) {
			weak("the error's message is no longer checked: check it as before")
			return
		}
	case r.Op == source.Equal && a.Op == source.Throws && !a.Generic: // errors.Is
	case r.Op == source.Equal && a.Op == source.Length && (measured(r) || sameLiterals(a, r) && len(r.Literals) == 1):
	case a.Strength() < r.Strength() && close:
		weak("the check asks for less (%s instead of %s): restore it", a.Op, r.Op)
		return
	case a.Strength() <= 3 && r.Strength() >= 8:
		weak("the check asks for less (%s instead of %s): restore it", a.Op, r.Op)
		return
	}
	s.compareLiterals(p, r, a)
}

func verb(op source.Op) string {
	switch op {
	case source.NotNull:
		return "is not null"
	case source.NotEqual:
		return "is not equal"
	}
	return "is " + string(op)
}

// measured reports whether an equality was about a length all along.
func measured(a *source.Assertion) bool {
	for _, n := range a.Names {
		switch strings.ToLower(n) {
		case "len", "length", "size", "count", "sizeof", "cardinality", "getcount", "getsize":
			return true
		}
	}
	return false
}
