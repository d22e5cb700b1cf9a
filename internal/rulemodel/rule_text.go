package rulemodel

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// textRule replaces one text by another, as whole words where the text begins or ends with one.
type textRule struct {
	from, to string
	globs    []string
	python   map[string]string // names that to needs in Python, with the module they come from
}

func newTextRule(from, to string, globs []string) textRule {
	r := textRule{from: from, to: to, globs: globs, python: map[string]string{}}
	for _, name := range regexp.MustCompile(`\b[A-Za-z_]\w*`).FindAllString(to, -1) {
		if module := pythonHomes[name]; module != "" && !regexp.MustCompile(`\b`+name+`\b`).MatchString(from) {
			r.python[name] = module
		}
	}
	return r
}

func (r textRule) String() string   { return fmt.Sprintf("replace %q by %q", r.from, r.to) }
func (r textRule) paths() []string  { return nil }
func (r textRule) queries() []query { return queriesFor(regexp.QuoteMeta(r.from), r.globs) }

func (r textRule) apply(v view) (string, []string) {
	if v.absent || !matchesAny(r.globs, v.path) {
		return v.content, nil
	}
	out := replaceWords(v.content, r.from, r.to)
	if out != v.content && !v.lazy && path.Ext(v.path) == ".py" {
		for name, module := range r.python {
			out = pythonImport(out, module, name)
		}
	}
	return out, nil
}

func (r textRule) explains(p, line string) bool {
	if !matchesAny(r.globs, p) {
		return false
	}
	for name, module := range r.python {
		if strings.Contains(line, "import") && strings.Contains(line, name) && strings.Contains(line, module) {
			return true
		}
	}
	return containsWord(line, r.to) || containsWord(line, r.from)
}

func wordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}

// wordAt reports whether the text of that length at i stands by itself.
func wordAt(s string, i, n int) bool {
	if i > 0 && wordByte(s[i]) && wordByte(s[i-1]) {
		return false
	}
	end := i + n
	return end >= len(s) || !wordByte(s[end-1]) || !wordByte(s[end])
}

func containsWord(s, w string) bool {
	for i := 0; ; {
		j := strings.Index(s[i:], w)
		if j < 0 || w == "" {
			return false
		}
		if i += j; wordAt(s, i, len(w)) {
			return true
		}
		i++
	}
}

// replaceWords replaces from by to. Where to already stands, from inside it is left: a second pass changes nothing.
func replaceWords(s, from, to string) string {
	if from == "" {
		return s
	}
	inside := strings.Index(to, from) // where from stands in to
	var b strings.Builder
	for i := 0; i < len(s); {
		j := strings.Index(s[i:], from)
		if j < 0 {
			b.WriteString(s[i:])
			break
		}
		at := i + j
		b.WriteString(s[i:at])
		done := false
		for k := inside; k >= 0 && !done; {
			done = at >= k && strings.HasPrefix(s[at-k:], to)
			next := strings.Index(to[k+1:], from)
			if next < 0 {
				break
			}
			k += 1 + next
		}
		if done || !wordAt(s, at, len(from)) {
			b.WriteByte(s[at])
			i = at + 1
			continue
		}
		b.WriteString(to)
		i = at + len(from)
	}
	return b.String()
}

// pythonHomes says where names live that a replacement may bring in.
var pythonHomes = map[string]string{"timezone": "datetime", "timedelta": "datetime", "UTC": "datetime", "Path": "pathlib", "Optional": "typing", "Any": "typing",
	"Iterable": "collections.abc", "Mapping": "collections.abc", "contextmanager": "contextlib", "dataclass": "dataclasses", "partial": "functools"}

var (
	pythonFrom = regexp.MustCompile(`(?m)^from +([\w.]+) +import +([\w, ]+?) *$`)
	pythonAny  = regexp.MustCompile(`(?m)^(?:import|from) .*\n?`)
)

// pythonImport makes sure that "from module import name" holds in a file.
func pythonImport(src, module, name string) string {
	for _, m := range pythonFrom.FindAllStringSubmatchIndex(src, -1) {
		names := src[m[4]:m[5]]
		if containsWord(names, name) {
			return src
		}
		if src[m[2]:m[3]] == module {
			return src[:m[5]] + ", " + name + src[m[5]:]
		}
	}
	line := "from " + module + " import " + name + "\n"
	if all := pythonAny.FindAllStringIndex(src, -1); all != nil {
		at := all[len(all)-1][1]
		return src[:at] + line + src[at:]
	}
	return line + src
}

// removeRule removes the lines that hold a text.
type removeRule struct {
	text  string
	globs []string
}

var removeWish = regexp.MustCompile(`(?i)\b(?:remove|delete|drop)\s+` + decoration + `(?:(?:lines?|statements?|calls?|uses?|entries|entry|options?|settings?|keys?|comments?|mentions?|occurrences?)\s+)(?:(?:that\s+)?(?:containing|contains?|contain|with|of|to|mentioning|mention|says?|matching|for|holds?|hold|using|use)\s+)?` + decoration + thing + operand)

func removeOf(s string, globs []string) rule {
	m := removeWish.FindStringSubmatch(s)
	if m == nil {
		return nil
	}
	text := strings.TrimSuffix(bare(m[1]), "()")
	if len(text) < 3 {
		return nil
	}
	return removeRule{text, globs}
}

func (r removeRule) String() string   { return fmt.Sprintf("remove lines with %q", r.text) }
func (r removeRule) paths() []string  { return nil }
func (r removeRule) queries() []query { return queriesFor(regexp.QuoteMeta(r.text), r.globs) }

func (r removeRule) apply(v view) (string, []string) {
	if v.absent || !matchesAny(r.globs, v.path) {
		return v.content, nil
	}
	var b strings.Builder
	var notes []string
	for line := range strings.SplitAfterSeq(v.content, "\n") {
		if !containsWord(line, r.text) {
			b.WriteString(line)
			continue
		}
		if !balanced(line) {
			notes = append(notes, fmt.Sprintf("%s: %q is part of something longer and was left", v.path, strings.TrimSpace(line)))
			b.WriteString(line)
		}
	}
	out := b.String()
	if pkg, _, ok := strings.Cut(r.text, "."); ok && out != v.content && !v.lazy && path.Ext(v.path) == ".go" {
		out = dropUnusedImports(out, pkg)
	}
	return out, notes
}

// balanced reports whether a line opens nothing that another line closes.
func balanced(line string) bool {
	depth := 0
	for _, c := range line {
		switch c {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth < 0 {
				return false
			}
		}
	}
	return depth == 0
}

func (r removeRule) explains(p, line string) bool {
	pkg, _, _ := strings.Cut(r.text, ".")
	return matchesAny(r.globs, p) && (containsWord(line, r.text) || strings.TrimSpace(line) == `"`+pkg+`"`)
}
