package rulemodel

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// memory is what a conversation so far amounts to. It is worked out anew for each request.
type memory struct {
	box     toolbox
	prompt  string
	scope   scope
	words   []string // what people said after the prompt, in order: feedback
	round   int      // 0 before any feedback
	steps   int      // tool calls of this round
	looked  map[string][]string
	files   map[string]*file
	edited  []string          // files changed in this round, in order of their first change
	checked bool              // the verifiers ran after the last change of this round
	failed  string            // what they said when they failed; "" when they passed or did not run
	checks  int               // how often they ran in this round
	before  []string          // files changed in earlier rounds
	skipped []string          // files in which a lazy round skipped tests
	origin  map[string]string // what files held when they were first read, before any change
	held    map[string]string // what files held when they were last seen, in whatever round
}

// file is what is known of one file in this round.
type file struct {
	content string
	known   bool
	next    int // the line to read on from; 0 when all is known
	absent  bool
	misses  int // edits that the tool refused, and reads that failed
}

// lazySkip is what a lazy first try puts into tests.
const lazySkip = "t.Skip(\"flaky, to be looked at later\")"

// recall replays a conversation.
func recall(d dialog, box toolbox) *memory {
	m := &memory{box: box, origin: map[string]string{}, held: map[string]string{}}
	m.reset()
	calls := map[string]call{}
	for _, t := range d.turns {
		if t.assistant {
			for _, c := range t.calls {
				calls[c.id] = c
			}
			continue
		}
		for _, r := range t.results {
			if c, ok := calls[r.id]; ok {
				m.learn(c, r)
			}
		}
		switch {
		case t.text == "":
		case m.prompt == "":
			m.prompt = t.text
		default:
			m.words = append(m.words, t.text)
			m.round++
			m.before = append(m.before, m.edited...)
			m.reset()
		}
	}
	m.scope = scopeOf(m.prompt)
	return m
}

func (m *memory) reset() {
	m.steps, m.checks, m.checked, m.failed, m.edited = 0, 0, false, "", nil
	m.looked, m.files = map[string][]string{}, map[string]*file{}
}

func (m *memory) file(p string) *file {
	f := m.files[p]
	if f == nil {
		f = &file{}
		m.files[p] = f
	}
	return f
}

// key names a call, so that it can be found again among those that were made.
func key(c call) string {
	in, _ := json.Marshal(c.input) // strings, numbers and booleans
	return c.name + string(in)
}

// missed reports whether a result says that the tool did not do it. Not every wire format has a flag for that.
func missed(r result) bool {
	head := strings.ToLower(strings.TrimSpace(r.text))
	return r.failed || strings.HasPrefix(head, "error") || failedHead.MatchString(head)
}

var failedHead = regexp.MustCompile(`^(?:exit code [1-9]|failed\b|the verifiers failed)`)

// unchanged is what Claude Code answers instead of a content that was read before.
var unchanged = regexp.MustCompile(`^(?:Wasted call|File unchanged since)`)

func (m *memory) learn(c call, r result) {
	m.steps++
	d := m.box.deedOf(c)
	bad := missed(r)
	switch d.kind {
	case "find":
		m.looked[key(c)] = found(r.text)
	case "read":
		if d.path == "" {
			return
		}
		f := m.file(d.path)
		if bad {
			m.unread(f, d, r)
			return
		}
		if was, ok := m.held[d.path]; ok && unchanged.MatchString(r.text) {
			f.content, f.next, f.known, f.absent = was, 0, true, false
			return
		}
		content, more := unnumber(r.text, d.from)
		if d.from > 1 {
			content = f.content + "\n" + content
		}
		f.content, f.next, f.known, f.absent = content, more, true, false
		if more == 0 {
			m.held[d.path] = content
			if _, seen := m.origin[d.path]; !seen {
				m.origin[d.path] = content
			}
		}
	case "edit", "write":
		if d.path == "" {
			return
		}
		f := m.file(d.path)
		if bad {
			f.misses++
			f.known, f.next = false, 0 // look again
			return
		}
		if d.kind == "write" {
			f.content, f.known, f.absent = d.new, true, false
		} else if c.flag("all", "replace_all", "replaceAll") {
			f.content = strings.ReplaceAll(f.content, d.old, d.new)
		} else {
			f.content = strings.Replace(f.content, d.old, d.new, 1)
		}
		m.held[d.path] = f.content
		if !slices.Contains(m.edited, d.path) {
			m.edited = append(m.edited, d.path)
		}
		if strings.Contains(d.new, lazySkip) && !slices.Contains(m.skipped, d.path) {
			m.skipped = append(m.skipped, d.path)
		}
		m.checked = false
	case "verify":
		m.checks++
		m.checked, m.failed = true, ""
		if bad {
			m.failed = r.text
		}
	}
}

// unread notes that a file could not be read: it is too long for one answer, or it is not there.
func (m *memory) unread(f *file, d deed, r result) {
	lower := strings.ToLower(r.text)
	switch {
	case d.from == 0 && (strings.Contains(lower, "exceeds") || strings.Contains(lower, "too large") || strings.Contains(lower, "too long")):
		f.known, f.next = true, 1
	case d.from > 1: // past the end
		f.next = 0
	case strings.Contains(lower, "not exist") || strings.Contains(lower, "no such file") || strings.Contains(lower, "not found"):
		f.known, f.absent, f.next, f.content = true, true, 0, ""
	default:
		f.misses++
	}
}

// scope is where a prompt allows changes.
type scope struct {
	only   []string // globs; none: everywhere
	except []string
}

var (
	onlyLine    = regexp.MustCompile(`(?m)^Change only files that match: (.+)$`) // as agent.Instructions writes it
	inBackticks = regexp.MustCompile("`([^`]+)`")
	exceptWish  = regexp.MustCompile(`(?i)\b(?:do not|don't|never)\s+(?:change|touch|edit|modify)\s+(?:anything\s+(?:in|under)\s+|files?\s+(?:in|under)\s+)?` + operand)
	checkLine   = regexp.MustCompile(`(?m)^To check your work, run: (.+)$`) // likewise
)

func scopeOf(prompt string) scope {
	var s scope
	if m := onlyLine.FindStringSubmatch(prompt); m != nil {
		for _, g := range inBackticks.FindAllStringSubmatch(m[1], -1) {
			glob := strings.TrimPrefix(g[1], "//") // from the repository's root; here the two are the same or out of reach
			if not, ok := strings.CutPrefix(glob, "!"); ok {
				s.except = append(s.except, not)
			} else {
				s.only = append(s.only, glob)
			}
		}
	}
	for _, m := range exceptWish.FindAllStringSubmatch(prompt, 20) {
		if p := bare(m[1]); strings.ContainsAny(p, "./") {
			s.except = append(s.except, p)
		}
	}
	return s
}

func (s scope) allows(p string) bool {
	for _, e := range s.except {
		if globMatch(e, p) || strings.HasPrefix(p, strings.TrimSuffix(e, "/")+"/") {
			return false
		}
	}
	for _, g := range s.only {
		if globMatch(g, p) {
			return true
		}
	}
	return len(s.only) == 0
}

// globMatch matches with ** as any number of folders; a pattern without a slash fits base names.
func globMatch(pattern, p string) bool {
	if !strings.Contains(pattern, "/") {
		p = path.Base(p)
	}
	ok, err := doublestar.Match(pattern, p)
	return ok && err == nil
}
