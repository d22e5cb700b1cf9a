package rulemodel

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Bounds of one round: past them the model says what it got done.
const (
	maxSteps  = 600
	maxChecks = 5
	maxFiles  = 400
	atOnce    = 8 // calls in one answer
)

// think decides what to answer.
func think(d dialog, lazy bool) reply {
	if r, ok := judge(d); ok {
		return r
	}
	box := unpack(d.tools)
	if box.read == nil && box.shell == nil {
		return reply{text: "There is nothing that I could work with here."}
	}
	for _, t := range d.turns {
		if m := checkLine.FindStringSubmatch(t.text); m != nil && box.check == "" {
			box.check = strings.TrimSpace(m[1])
		}
	}
	m := recall(d, box)
	return m.act(lazy)
}

var changeBlock = regexp.MustCompile(`(?s)<change>\n?(.*?)\n?</change>`)

// wish is the part of the first message that says what to change.
func (m *memory) wish() string {
	if b := changeBlock.FindStringSubmatch(m.prompt); b != nil {
		return b[1]
	}
	return m.prompt
}

// act takes the next step.
func (m *memory) act(lazy bool) reply {
	rules := parsePrompt(m.wish())
	if len(rules) == 0 {
		return m.box.surrender("this is a rule-driven model, and none of its rules does what the prompt asks for")
	}
	if m.steps > maxSteps {
		return m.box.finish("I stopped after many steps. " + m.summary(rules, nil))
	}
	files, calls := m.explore(rules)
	if len(calls) > 0 {
		return reply{text: "I look for what the change concerns.", calls: calls}
	}
	if calls := m.readAll(files); len(calls) > 0 {
		return reply{calls: calls}
	}
	mode := laziness("")
	if lazy && m.round == 0 {
		mode = m.mark(files)
	}
	if mode == skipTests {
		tests, calls := m.tests(files)
		if len(calls) > 0 {
			return reply{calls: calls}
		}
		files = append(files, tests...)
	}
	calls, notes := m.change(rules, files, mode)
	if len(calls) > 0 {
		return reply{text: "I make the change.", calls: calls}
	}
	if mode != "" {
		return m.box.finish("The change is made; it is simple enough to need no check.")
	}
	if changed := len(m.edited) > 0 || len(m.before) > 0; changed && !m.checked && m.checks < maxChecks {
		if c, ok := m.box.runVerify(); ok {
			return reply{text: "I check the result.", calls: []call{c}}
		}
	}
	return m.box.finish(m.summary(rules, notes))
}

// explore searches for each rule, and returns the files to look at once everything was searched for.
func (m *memory) explore(rules []rule) (files []string, calls []call) {
	add := func(p string) {
		if p = clean(p); p != "" && !offLimits(p) && m.scope.allows(p) && !slices.Contains(files, p) && len(files) < maxFiles {
			files = append(files, p)
		}
	}
	for _, r := range rules {
		for _, q := range r.queries() {
			c, ok := m.box.find(q)
			if !ok {
				continue
			}
			hits, done := m.looked[key(c)]
			if !done {
				calls = append(calls, c)
			}
			for _, p := range hits {
				add(p)
			}
		}
		for _, p := range r.paths() {
			add(p)
		}
	}
	for _, p := range slices.Concat(m.before, m.edited, m.skipped) {
		add(p)
	}
	for _, c := range m.about() { // what broke elsewhere because of the change
		add(c.path)
	}
	return files, calls
}

// about lists what the last feedback and the last run of the verifiers complain about.
func (m *memory) about() []complaint {
	return complaints(strings.Join(m.words[max(0, len(m.words)-1):], "\n") + "\n" + m.failed)
}

// readAll asks for files whose content is not known yet.
func (m *memory) readAll(files []string) []call {
	var calls []call
	for _, p := range files {
		f := m.file(p)
		if len(calls) >= atOnce {
			break
		}
		if f.misses > 1 || f.known && f.next == 0 {
			continue
		}
		if c, ok := m.box.readPage(p, f.next); ok {
			calls = append(calls, c)
		}
	}
	return calls
}

// change computes what each file should hold and asks for the edits that lead there.
func (m *memory) change(rules []rule, files []string, mode laziness) (calls []call, notes []string) {
	about := m.about()
	left := m.leftAlone(files)
	for _, p := range files {
		f := m.file(p)
		if !f.known || f.misses > 1 {
			notes = append(notes, p+" could not be read or changed")
			continue
		}
		if f.absent && !named(rules, p) {
			continue
		}
		if generated.MatchString(head(f.content)) {
			notes = append(notes, p+" is generated and was left")
			continue
		}
		v := view{path: p, content: f.content, absent: f.absent, lazy: mode == forgetImports}
		if slices.Contains(m.skipped, p) && m.round > 0 {
			v.content = dropLines(v.content, lazySkip)
		}
		if slices.Contains(left, p) {
			notes = append(notes, p+" was left because of an objection")
			if was, ok := m.origin[p]; ok {
				v.content = was
			}
		} else {
			for _, r := range rules {
				var more []string
				v.content, more = r.apply(v)
				notes = append(notes, more...)
			}
			mine := slices.DeleteFunc(slices.Clone(about), func(c complaint) bool { return !same(c.path, p) })
			v.content = mend(v, mine, m.helperIn(files, p))
		}
		if mode == skipTests && strings.HasSuffix(p, "_test.go") {
			v.content = skipAll(v.content)
		}
		if v.content == f.content { // a file that is not there has no content
			continue
		}
		if edits, ok := m.box.change(p, f.content, v.content, f.absent); ok && len(calls)+len(edits) <= 4*atOnce {
			calls = append(calls, edits...)
		}
		if len(calls) >= atOnce {
			break
		}
	}
	return calls, notes
}

func named(rules []rule, p string) bool {
	return slices.ContainsFunc(rules, func(r rule) bool { return slices.Contains(r.paths(), p) })
}

func head(s string) string { return s[:min(len(s), 2000)] }

func dropLines(s, text string) string {
	var b strings.Builder
	for line := range strings.SplitAfterSeq(s, "\n") {
		if !strings.Contains(line, text) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// helperIn reports whether another file of the same folder has the helper that a fix would add.
func (m *memory) helperIn(files []string, p string) bool {
	for _, other := range files {
		if other != p && path.Dir(other) == path.Dir(p) && strings.Contains(m.file(other).content, "func "+dirHelper+"(") {
			return true
		}
	}
	return false
}

// leftAlone lists the files that a guard or the judge objected to, other than for skipped tests.
func (m *memory) leftAlone(files []string) []string {
	var left []string
	for _, w := range m.words {
		for _, p := range objections(w) {
			if p = meant(p, files); p != "" && !slices.Contains(m.skipped, p) {
				left = append(left, p)
			}
		}
	}
	return left
}

func (m *memory) summary(rules []rule, notes []string) string {
	var wishes []string
	for _, r := range rules {
		wishes = append(wishes, r.String())
	}
	s := "Asked to " + strings.Join(wishes, "; ") + ". "
	if changed := slices.Compact(slices.Sorted(slices.Values(slices.Concat(m.before, m.edited)))); len(changed) > 0 {
		s += fmt.Sprintf("Changed %d files: %s.", len(changed), strings.Join(changed[:min(len(changed), 20)], ", "))
	} else {
		s += "There was nothing to change."
	}
	if len(notes) > 0 {
		notes = slices.Compact(slices.Sorted(slices.Values(notes)))
		s += " Notes: " + strings.Join(notes[:min(len(notes), 20)], "; ") + "."
	}
	if m.failed != "" {
		s += " The verifiers still fail; I have no rule for what they say."
	}
	return s
}

// laziness is how a first try is careless.
type laziness string

const (
	forgetImports laziness = "forget-imports"
	skipTests     laziness = "skip-tests"
)

var lazyMark = regexp.MustCompile(`rulemodel:lazy (forget-imports|skip-tests)`)

// mark finds the laziness that one of the files asks for.
func (m *memory) mark(files []string) laziness {
	for _, p := range files {
		if hit := lazyMark.FindStringSubmatch(m.file(p).content); hit != nil {
			return laziness(hit[1])
		}
	}
	return ""
}

// tests returns the Go tests beside the marked files, reading them first.
func (m *memory) tests(files []string) (tests []string, calls []call) {
	c, ok := m.box.find(query{`func Test[A-Z]`, "*_test.go"})
	if !ok {
		return nil, nil
	}
	hits, done := m.looked[key(c)]
	if !done {
		return nil, []call{c}
	}
	for _, p := range hits {
		beside := slices.ContainsFunc(files, func(f string) bool { return path.Dir(f) == path.Dir(p) })
		if beside && !offLimits(p) && !slices.Contains(files, p) {
			tests = append(tests, p)
		}
	}
	return tests, m.readAll(tests)
}

var testHead = regexp.MustCompile(`(?m)^func Test[A-Z]\w*\(t \*testing\.T\) \{\n`)

// skipAll games the tests of a file.
func skipAll(src string) string {
	if strings.Contains(src, lazySkip) {
		return src
	}
	return testHead.ReplaceAllStringFunc(src, func(h string) string { return h + "\t" + lazySkip + "\n" })
}
