package guard

import (
	"slices"
	"strings"

	"gaggle/internal/guard/source"
)

// evidence is what is new in the tests of a diff: where to look for what seems to be missing.
type evidence struct {
	exact    map[string]int                 // assertions by text, those that can fail in tests that run
	about    map[string][]*source.Assertion // the same by each name in their subject
	literals map[string]int                 // literals and other words in tests that run
	names    map[string]bool                // words of new or changed tests that run
	helpers  map[string][]*source.Assertion // assertions of new or changed helpers
	units    *unitIndex                     // new tests that run
	hidden   *unitIndex                     // new units that no runner runs
	comments map[string]bool                // new comment lines, without spaces
	run      map[string]bool                // functions that tests which run call
}

func (s *suite) collect() evidence {
	e := evidence{exact: map[string]int{}, about: map[string][]*source.Assertion{}, literals: map[string]int{}, names: map[string]bool{}, helpers: map[string][]*source.Assertion{},
		units: newUnitIndex(), hidden: newUnitIndex(), comments: map[string]bool{}, run: map[string]bool{}}
	called := map[string]bool{}
	for _, list := range [][]pairing{s.pairs, s.fresh} {
		for _, p := range list {
			for name := range p.new.Calls {
				if name != p.new.Short {
					called[name] = true
					e.run[name] = e.run[name] || p.new.Kind == source.Test && p.running()
				}
			}
		}
	}
	for _, p := range s.pairs {
		if p.new.Kind == source.Helper && len(p.new.Asserts) > 0 {
			e.helpers[p.new.Short] = append(e.helpers[p.new.Short], p.new.Asserts...)
		}
		if p.old.Text != p.new.Text || p.file != p.newFile {
			e.add(p)
		}
	}
	for _, p := range s.fresh {
		if p.new.Kind == source.Helper && len(p.new.Asserts) > 0 {
			e.helpers[p.new.Short] = append(e.helpers[p.new.Short], p.new.Asserts...)
		}
		if p.running() && p.new.Kind == source.Test {
			e.units.add(p)
		} else if p.new.Kind == source.Helper || p.new.Kind == source.Test {
			e.hidden.add(p)
		}
		if p.new.Kind == source.Helper && !called[p.new.Short[strings.LastIndexByte(p.new.Short, '.')+1:]] && !setup[strings.ToLower(p.new.Short)] {
			continue // nobody calls it: what it checks is not checked
		}
		e.add(p)
	}
	for _, c := range s.r.changes {
		for _, l := range c.added {
			if t := strings.TrimSpace(l.text); t != "" && strings.IndexByte("/#*-;'\"<{", t[0]) >= 0 || strings.HasPrefix(t, "rem ") {
				e.comments[bare(t)] = true
			}
		}
	}
	for _, t := range s.files { // block comments need no mark on each line
		if t.new == nil {
			continue
		}
		added := map[int]bool{}
		for _, l := range t.c.added {
			added[l.num] = true
		}
		for _, k := range t.new.Comments {
			if len(added) > 0 && len(k.Text) > 3 {
				e.comments[bare(k.Text)] = true
			}
		}
	}
	return e
}

// setup are helpers that runners call by their name.
var setup = map[string]bool{"setup": true, "set_up": true, "teardown": true, "tear_down": true, "beforeeach": true, "aftereach": true, "before": true, "after": true, "init": true, "testmain": true}

// add takes in what a unit has that its old self had not.
func (e *evidence) add(p pairing) {
	if !p.running() {
		return
	}
	had := map[string]int{}
	if p.old != nil {
		for _, w := range p.old.Words() {
			had[w]++
		}
	}
	for _, w := range p.new.Words() {
		e.names[w] = true
		if had[w] > 0 {
			had[w]--
			continue
		}
		e.literals[unquote(w)]++
	}
	hadAssert := map[string]int{}
	if p.old != nil {
		for _, a := range p.old.Asserts {
			hadAssert[a.Text]++
		}
	}
	for _, a := range p.new.Asserts {
		if hadAssert[a.Text] > 0 {
			hadAssert[a.Text]--
			continue
		}
		if a.Trivial {
			continue
		}
		e.exact[a.Text]++
		for _, n := range a.Subject {
			e.about[n] = append(e.about[n], a)
		}
	}
}

func unquote(w string) string { return strings.Trim(w, "\"'`") }

// bare takes the spaces and comment marks off a line.
func bare(s string) string {
	s = strings.TrimLeft(strings.TrimSpace(s), "/#*-!;<'\"{ ")
	s = strings.TrimRight(s, "/*->}'\" ")
	return strings.Join(strings.Fields(s), "")
}

// holds reports whether an assertion stands, as it was or no weaker, among what is new.
func (e *evidence) holds(a *source.Assertion) bool {
	if e.exact[a.Text] > 0 {
		return true
	}
	for _, n := range a.Subject {
		list := e.about[n]
		for _, b := range list[:min(len(list), 200)] {
			if similar(a, b) >= 0.5 && b.Strength() >= a.Strength() && sameLiterals(a, b) {
				return true
			}
		}
	}
	return e.holdsAsRow(a)
}

// holdsAsRow reports whether the values of an assertion are new in tests that run, as when tests are merged into a table.
func (e *evidence) holdsAsRow(a *source.Assertion) bool {
	if len(a.Literals) == 0 {
		return false
	}
	for _, l := range a.Literals {
		if e.literals[unquote(l)] == 0 {
			return false
		}
	}
	for _, n := range a.Subject {
		if e.names[n] {
			return true
		}
	}
	return len(a.Subject) == 0
}

func sameLiterals(a, b *source.Assertion) bool {
	for _, l := range a.Literals {
		if !slices.Contains(b.Literals, l) {
			return false
		}
	}
	return true
}

// similar tells how much two assertions speak of the same thing, from 0 to 1.
func similar(a, b *source.Assertion) float64 {
	if len(a.Subject) == 0 && len(b.Subject) == 0 {
		if len(a.Literals) == 0 || len(b.Literals) == 0 {
			return 0
		}
		return overlap(a.Literals, b.Literals)
	}
	return max(overlap(a.Subject, b.Subject), overlap(a.Names, b.Names)*0.9)
}

// overlap is the share of words that two lists have in common.
func overlap(a, b []string) float64 {
	if len(a)+len(b) == 0 {
		return 0
	}
	n := 0
	for _, w := range a {
		if slices.Contains(b, w) {
			n++
		}
	}
	return 2 * float64(n) / float64(len(a)+len(b))
}

// commentedOut reports whether most lines from one line to another of the old side reappear as comments.
func (e *evidence) commentedOut(t *testFile, from, to int) bool {
	lines, hits := 0, 0
	for _, b := range t.c.before.blocks {
		for i := max(0, from-b.first); i < len(b.lines) && b.first+i <= to; i++ {
			if k := bare(b.lines[i]); len(k) > 3 {
				lines++
				if e.comments[k] {
					hits++
				}
			}
		}
	}
	return hits > 0 && hits*2 >= lines
}
