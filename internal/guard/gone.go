package guard

import (
	"path"
	"strings"

	"gaggle/internal/guard/source"
)

// checkGone decides what became of a unit that has no counterpart.
func (s *suite) checkGone(p pairing) {
	u, t := p.old, p.file
	if t.c.copied {
		return
	}
	if u.Kind != source.Test || !u.Found || !t.was {
		s.checkGoneHelper(p)
		return
	}
	if u.Parent != nil && u.Parent.Kind == source.Test && s.lost[u.Parent] {
		return // said of the test around it
	}
	file, line := t.c.path(), t.line(u.Line)
	switch {
	case s.found.commentedOut(t, u.Line, u.End):
		s.r.report(testCommentedOut, file, line, u.Short, "the test %q is commented out: bring it back, and make it pass", u.Short)
	case s.covered(u) || s.prod.explains(u, t.c.oldPath, s.r.asked):
	case s.undiscovered(p):
		s.r.report(testUndiscovered, file, line, u.Short, "the test %q is renamed or moved so that its runner no longer finds it: restore its name and place", u.Short)
	case u.Sub:
		s.r.report(testCaseRemoved, file, line, u.Short, "the subtest %q is gone: bring it back, and make it pass", u.Short)
	default:
		s.r.report(testDeleted, file, line, u.Short, "the test %q is gone and its checks stand nowhere else: bring it back, and make it pass", u.Short)
	}
}

// covered reports whether what a gone test checked is checked by something new.
func (s *suite) covered(u *source.Unit) bool {
	asserts := serious(u.Asserts)
	if len(asserts) == 0 {
		_, score := s.found.units.nearest(u, func(pairing) bool { return true })
		return score >= 0.6
	}
	missing := 0
	for _, a := range asserts {
		if !s.found.holds(a) {
			missing++
		}
	}
	if missing == 0 {
		return true
	}
	// Rewritten under another name, with as many checks.
	near, score := s.found.units.nearest(u, func(p pairing) bool { return len(serious(p.new.Asserts)) >= len(asserts) })
	return near.new != nil && score >= 0.5 && missing*2 <= len(asserts)
}

// serious are the assertions that can fail.
func serious(list []*source.Assertion) []*source.Assertion {
	var out []*source.Assertion
	for _, a := range list {
		if !a.Trivial {
			out = append(out, a)
		}
	}
	return out
}

// undiscovered reports whether the diff holds the test under a name or in a place where no runner looks.
func (s *suite) undiscovered(p pairing) bool {
	if _, score := s.found.hidden.nearest(p.old, func(pairing) bool { return true }); score >= 0.7 {
		return true
	}
	stem := strings.TrimSuffix(path.Base(p.file.c.oldPath), path.Ext(p.file.c.oldPath))
	for _, c := range s.loose { // moved to a file that is no code, such as foo_test.go.bak
		if c.newPath != p.file.c.oldPath && strings.HasPrefix(path.Base(c.newPath), stem) {
			for _, l := range c.added {
				if strings.Contains(l.text, p.old.Short) {
					return true
				}
			}
		}
	}
	return false
}

// checkGoneHelper looks at the checks of a helper, or of code outside all functions, that is gone.
func (s *suite) checkGoneHelper(p pairing) {
	for _, a := range serious(p.old.Asserts) {
		if s.found.holds(a) || s.prod.explainsSubject(a.Names, s.r.asked) {
			continue
		}
		if s.callersGone(p) {
			return
		}
		s.r.report(assertionRemoved, p.file.c.path(), p.file.line(a.Line), a.Text, "%q is gone with a check that stands nowhere else: keep the check", p.old.Short)
		return
	}
}

// callersGone reports whether a helper lost nothing but its callers, which are judged for themselves: each is
// gone too, or no longer calls it.
func (s *suite) callersGone(p pairing) bool {
	return s.freed[p.old.Short] || !s.calls[p.file.c.oldPath+"\x00"+p.old.Short] && p.file.c.before.whole
}
