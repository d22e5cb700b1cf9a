package guard

import (
	"strings"

	"gaggle/internal/guard/source"
)

// testFile is one changed file that holds tests, read on both sides.
type testFile struct {
	c        *change
	old, new *source.File // nil when the side does not exist or is no test code
	hidden   bool         // no runner looks for tests in a file of the new name
	was      bool         // runners looked for tests in it before
}

// pairing is an old unit with what became of it; either may be nil.
type pairing struct {
	file    *testFile // of the old unit
	old     *source.Unit
	newFile *testFile
	new     *source.Unit
}

// running reports whether the new unit's checks count: a runner finds it, and nothing skips it.
func (p pairing) running() bool {
	u := p.new
	if u == nil || u.Kind == source.Test && (!u.Found || p.newFile.hidden) {
		return false
	}
	for ; u != nil; u = u.Parent {
		for _, m := range u.Marks {
			if !m.Conditional && (m.Kind == source.MarkSkip || m.Kind == source.MarkDead || m.Kind == source.MarkReturn) {
				return false
			}
		}
	}
	return true
}

// suite is everything that the diff says about tests.
type suite struct {
	r     *review
	files []*testFile
	pairs []pairing // old and new units that are one and the same
	gone  []pairing // old units without a new one
	fresh []pairing // new units without an old one
	found evidence
	prod  production

	lost  map[*source.Unit]bool // the units of gone
	calls map[string]bool       // helpers that some pair still calls, by file and name
	freed map[string]bool       // helpers that something gone called
	loose []*change             // new files that are no code
}

// checkTests compares the tests before and after.
func checkTests(r *review) {
	s := &suite{r: r}
	for _, c := range r.changes {
		if t := r.readTests(c); t != nil {
			s.files = append(s.files, t)
		}
	}
	s.prod = r.readProduction()
	s.match()
	s.found = s.collect()
	s.index()
	for _, t := range s.files {
		s.checkMoved(t)
	}
	for _, p := range s.gone {
		s.checkGone(p)
	}
	for _, p := range s.pairs {
		s.checkPair(p)
	}
	for _, p := range s.fresh {
		s.checkFresh(p)
	}
}

// index notes what the rules about gone units look up.
func (s *suite) index() {
	s.lost, s.calls, s.freed = map[*source.Unit]bool{}, map[string]bool{}, map[string]bool{}
	for _, p := range s.gone {
		s.lost[p.old] = true
		for name := range p.old.Calls {
			s.freed[name] = true
		}
	}
	for _, p := range s.pairs {
		for name := range p.old.Calls {
			s.calls[p.file.c.oldPath+"\x00"+name] = true
		}
	}
	for _, c := range s.r.changes {
		if c.isNew() && source.Of(c.newPath) == nil {
			s.loose = append(s.loose, c)
		}
	}
}

// readTests reads both sides of a file when one of them holds tests.
func (r *review) readTests(c *change) *testFile {
	if c.binary || vendorPath.MatchString(c.path()) || c.newMode&modeType == modeLink || c.newMode&modeType == modeModule {
		return nil
	}
	lang := source.Of(c.newPath)
	if l := source.Of(c.oldPath); lang == nil || l != nil && isTest(c.oldPath) {
		lang = l
	}
	if lang == nil {
		return nil
	}
	before, after := isTestSupport(c.oldPath), isTestSupport(c.newPath)
	inline := lang.Name == "rust"
	if !before && !after && !inline {
		return nil
	}
	t := &testFile{c: c, was: isTest(c.oldPath) || inline, hidden: !inline && !isTest(c.newPath)}
	if c.oldPath != "" {
		t.old = source.Read(lang, c.before.read())
	}
	if c.newPath != "" {
		t.new = source.Read(lang, c.after.read())
	}
	if inline && !before && !after {
		t.old, t.new = onlyTests(t.old), onlyTests(t.new)
	}
	if t.old == nil && t.new == nil {
		return nil
	}
	return t
}

func (s side) read() []source.Block {
	out := make([]source.Block, len(s.blocks))
	for i, b := range s.blocks {
		out[i] = source.Block{First: b.first, Lines: b.lines, Heading: b.heading}
	}
	return out
}

// onlyTests keeps the units of a production file that are tests or stand in a module of tests.
func onlyTests(f *source.File) *source.File {
	if f == nil {
		return nil
	}
	var units []*source.Unit
	for _, u := range f.Units {
		inTests := u.Kind == source.Test
		for p := u; p != nil; p = p.Parent {
			inTests = inTests || p.Kind == source.Suite && strings.Contains(strings.ToLower(p.Short), "test")
		}
		if inTests {
			units = append(units, u)
		}
	}
	if len(units) == 0 {
		return nil
	}
	f.Units = units
	return f
}

// line maps a line of the old side of a file to where a finding points.
func (t *testFile) line(old int) int {
	if t.c.isDeleted() {
		return 0
	}
	return t.c.newLineNear(old)
}

// checkMoved finds a file of tests that went where no runner looks.
func (s *suite) checkMoved(t *testFile) {
	if !t.was || !t.hidden || t.c.isDeleted() || t.old == nil || t.c.oldPath == t.c.newPath || t.c.copied {
		return
	}
	if len(t.c.before.blocks) > 0 && !hasTests(t.old) && t.c.before.whole {
		return
	}
	s.r.report(testUndiscovered, t.c.newPath, 0, t.c.oldPath, "%s held tests, and no runner looks for them under the new name: move it back", t.c.oldPath)
}

func hasTests(f *source.File) bool {
	for _, u := range f.Units {
		if u.Kind == source.Test && u.Found {
			return true
		}
	}
	return false
}
