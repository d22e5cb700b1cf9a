package guard

import (
	"path"
	"regexp"
	"strings"

	"gaggle/internal/guard/source"
)

// production is what the diff does outside tests: which names it no longer defines, and which words it takes
// away and brings in.
type production struct {
	undefined map[string]bool
	deleted   []string // files that are gone
	removed   map[string]bool
	added     map[string]bool
	lines     map[string]bool // texts in quotes on added lines
	touched   bool
}

var (
	definition = regexp.MustCompile(`(?:^|[^.\w])(?:func|def|class|fn|struct|enum|trait|interface|type|const|let|var|val|fun|function|module|object|record|static|public|private|protected|internal|export|final|async|void|int|string|bool|boolean|double|float|long|String|attr_reader|attr_accessor|field|property)\s+(?:\([^)]*\)\s*)?\*?(?:self\.)?([A-Za-z_$][\w$]*[?!]?)`)
	typedField = regexp.MustCompile(`^\s*(?:(?:public|private|protected|internal|readonly|static|final|override|virtual|abstract|async)\s+)*[\w<>\[\],.?]+\s+([A-Za-z_]\w*)\s*[({;=]`)
	keyed      = regexp.MustCompile(`^\s*([A-Za-z_$][\w$]*)\s*[:(]`)
	goField    = regexp.MustCompile(`^\s+([A-Za-z_]\w*)\s+[\w*\[\].]+`)
	quotedText = regexp.MustCompile("\"[^\"]*\"|'[^']*'|`[^`]*`")
	wordsIn    = regexp.MustCompile(`[A-Za-z0-9_]+`)
)

// readProduction reads the lines that the diff removes and adds outside tests, lockfiles and vendored code.
func (r *review) readProduction() production {
	if r.prod == nil {
		p := r.newProduction()
		r.prod = &p
	}
	return *r.prod
}

func (r *review) newProduction() production {
	p := production{undefined: map[string]bool{}, removed: map[string]bool{}, added: map[string]bool{}, lines: map[string]bool{}}
	defined := map[string]bool{}
	removes := r.asked.removes() // else nobody asks what is no longer defined
	for _, c := range r.changes {
		_, lock := isLock(c.path())
		if c.binary || lock || vendorPath.MatchString(c.path()) || isTestSupport(c.path()) || isDocument(c.path()) {
			continue
		}
		code := source.Of(c.path()) != nil
		if code && c.isDeleted() {
			p.deleted = append(p.deleted, c.oldPath)
		}
		if code {
			p.touched = p.touched || len(c.added)+len(c.removed) > 0
		}
		for _, l := range c.removed {
			collectWords(l.text, p.removed)
			if code && removes {
				collectDefinitions(l.text, p.undefined)
			}
		}
		for _, l := range c.added {
			collectWords(l.text, p.added)
			for _, m := range quotedText.FindAllString(l.text[:min(len(l.text), 4000)], 20) {
				p.lines[strings.TrimSpace(m[1:len(m)-1])] = true
			}
			if code && removes {
				collectDefinitions(l.text, defined)
			}
		}
	}
	for name := range defined {
		delete(p.undefined, name)
	}
	return p
}

func collectWords(text string, into map[string]bool) {
	if len(text) > 4000 {
		return
	}
	for _, w := range wordsIn.FindAllString(text, -1) {
		into[w] = true
	}
}

func collectDefinitions(text string, into map[string]bool) {
	if len(text) > 2000 {
		return
	}
	for _, re := range []*regexp.Regexp{definition, typedField, keyed, goField} {
		for _, m := range re.FindAllStringSubmatch(text, -1) {
			if len(m[1]) > 2 {
				into[m[1]] = true
			}
		}
	}
}

// explains reports whether a test is gone because what it tests is: production code no longer defines a name
// that the test checks or bears, and the prompt asks for that removal.
func (p production) explains(u *source.Unit, file string, asked request) bool {
	if len(p.undefined)+len(p.deleted) == 0 || !asked.removes() {
		return false
	}
	stem := testStem(file)
	for _, gone := range p.deleted {
		base := strings.TrimSuffix(path.Base(gone), path.Ext(gone))
		if strings.EqualFold(base, stem) && (asked.speaksOf(base) || asked.speaksOfPath(gone) || p.removedWith(gone, asked)) {
			return true
		}
	}
	for name := range p.undefined {
		if len(name) >= 4 && strings.EqualFold(strings.ReplaceAll(name, "_", ""), strings.ReplaceAll(stem, "_", "")) && asked.speaksOf(name) {
			return true
		}
	}
	lower := strings.ToLower(strings.ReplaceAll(u.Short, "_", ""))
	for name := range p.undefined {
		n := strings.ToLower(strings.ReplaceAll(name, "_", ""))
		if len(n) >= 4 && strings.Contains(lower, n) && asked.speaksOf(name) {
			return true
		}
		if u.Calls[name] && asked.speaksOf(name) {
			return true
		}
	}
	for _, a := range u.Asserts {
		if p.explainsSubject(a.Names, asked) {
			return true
		}
	}
	return false
}

// removedWith reports whether a file goes together with one in the same folder that the prompt speaks of.
func (p production) removedWith(file string, asked request) bool {
	for _, other := range p.deleted {
		if base := strings.TrimSuffix(path.Base(other), path.Ext(other)); other != file && path.Dir(other) == path.Dir(file) && asked.speaksOf(base) {
			return true
		}
	}
	return false
}

// testStem is what a test file's name says that it tests.
func testStem(file string) string {
	s := path.Base(file)
	s, _, _ = strings.Cut(s, ".")
	for _, affix := range []string{"_test", "_spec", "-test", "-spec", "_tests", "Tests", "Test", "TestCase", "Spec", "Specs", "IT"} {
		s = strings.TrimSuffix(s, affix)
	}
	return strings.TrimPrefix(strings.TrimPrefix(s, "test_"), "Test")
}

// explainsSubject is explains for one assertion, by the names in it.
func (p production) explainsSubject(names []string, asked request) bool {
	if !asked.removes() {
		return false
	}
	for _, n := range names {
		if p.undefined[n] && asked.speaksOf(n) {
			return true
		}
	}
	return false
}
