package report

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gaggle/internal/fleet"
)

const (
	maxClusters = 50
	maxRead     = 2000 // bytes of a message that are looked at
	maxForm     = 160  // characters of a form
)

// failures groups the failed targets by reason and by what their messages say.
func (b *builder) failures(r *Report) {
	type key struct {
		reason fleet.Code
		form   string
	}
	groups := map[key]*Cluster{}
	for i := range b.in.Targets {
		t := &b.in.Targets[i]
		if t.State != fleet.Failed {
			continue
		}
		k := key{t.Reason, Normal(t.Message, t.Component, t.Repository)}
		g := groups[k]
		if g == nil {
			g = &Cluster{Reason: k.reason, Form: k.form, Example: Example{t.Component, t.Message}}
			groups[k] = g
		}
		if g.Count++; t.Component < g.Example.Component {
			g.Example = Example{t.Component, t.Message}
		}
	}
	r.Failures = []Cluster{}
	for _, g := range groups {
		r.Failures = append(r.Failures, *g)
	}
	slices.SortFunc(r.Failures, func(a, b Cluster) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Form, b.Form))
	})
	for len(r.Failures) > maxClusters {
		last := len(r.Failures) - 1
		r.Unlisted.Clusters++
		r.Unlisted.Targets += r.Failures[last].Count
		r.Failures = r.Failures[:last]
	}
}

// What stands in a normal form for what differs from target to target.
const (
	aName = "‹name›"
	aPath = "‹path›"
	aHash = "‹hash›"
	aURL  = "‹url›"
	aNum  = "‹n›"
)

// Normal takes out of a message what differs between targets that failed in the same way: the names given (references
// such as component:default/billing by their last part too, unless it is as short as a word), quoted text, paths, URLs, hashes and numbers.
func Normal(message string, names ...string) string {
	if len(message) > maxRead {
		message = strings.ToValidUTF8(message[:maxRead], "")
	}
	for i := len(names) - 1; i >= 0; i-- {
		if at := strings.LastIndexAny(names[i], ":/"); at >= 0 && len(names[i])-at > 4 {
			names = append(names[:len(names):len(names)], names[i][at+1:])
		}
	}
	var out strings.Builder
	out.Grow(len(message))
	for i, word := range strings.Fields(unquote(message)) {
		if i > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(normalWord(word, names))
	}
	form := out.String()
	if utf8.RuneCountInString(form) > maxForm {
		form = string([]rune(form)[:maxForm]) + "…"
	}
	return form
}

// unquote puts a placeholder for text in quotes. An apostrophe inside a word begins no quote.
func unquote(s string) string {
	if !strings.ContainsAny(s, "\"'`") {
		return s
	}
	var out strings.Builder
	before := ' '
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if opens := r == '"' || r == '`' || r == '\'' && !unicode.IsLetter(before) && !unicode.IsDigit(before); opens {
			if end := strings.IndexByte(s[1:], byte(r)); end >= 0 && !strings.Contains(s[1:1+end], "\n") {
				out.WriteString(aName)
				s, before = s[end+2:], '›'
				continue
			}
		}
		out.WriteString(s[:size])
		s, before = s[size:], r
	}
	return out.String()
}

// normalWord normalises what stands between two spaces, leaving the punctuation around it.
func normalWord(word string, names []string) string {
	const around = "()[]{}<>,;:.!?=\"'`"
	left := strings.TrimLeft(word, around)
	core := strings.TrimRight(left, around)
	if core == "" {
		return word
	}
	lead, trail := word[:len(word)-len(left)], left[len(core):]
	switch {
	case slices.Contains(names, core):
		core = aName
	case strings.Contains(core, "://"):
		core = aURL
	case strings.ContainsAny(core, `/\`) && strings.ContainsFunc(core, isLetterOrDigit):
		core = aPath
	case isFile(core):
		core = aPath
	case isHash(core):
		core = aHash
	default:
		core = normalNumbers(core)
	}
	return lead + core + trail
}

func isLetterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// isFile recognises main.go, main.go:12 and main.go:12:3.
func isFile(s string) bool {
	for range 2 {
		if at := strings.LastIndexByte(s, ':'); at > 0 && digits(s[at+1:]) == len(s)-at-1 {
			s = s[:at]
		}
	}
	at := strings.LastIndexByte(s, '.')
	if at <= 0 {
		return false
	}
	switch strings.ToLower(s[at+1:]) {
	case "go", "mod", "sum", "work", "java", "kt", "kts", "gradle", "scala", "py", "js", "jsx", "ts", "tsx", "mjs", "cjs", "json", "yaml", "yml", "toml", "xml",
		"rb", "rs", "c", "h", "cc", "cpp", "hpp", "cs", "fs", "php", "swift", "sh", "md", "txt", "lock", "properties", "proto", "sql", "tf", "html", "css":
		return true
	}
	return false
}

// isHash recognises at least seven hexadecimal digits with a number among them, 0x… and UUIDs too.
func isHash(s string) bool {
	hex, number := 0, strings.HasPrefix(s, "0x")
	for _, r := range strings.TrimPrefix(s, "0x") {
		switch {
		case r >= '0' && r <= '9':
			number = true
			hex++
		case r >= 'a' && r <= 'f', r >= 'A' && r <= 'F':
			hex++
		case r != '-':
			return false
		}
	}
	return hex >= 7 && number && digits(s) < len(s) // a long number is a number
}

// digits counts the decimal digits that s begins with.
func digits(s string) int {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return i
		}
	}
	return len(s)
}

// normalNumbers puts a placeholder for each number, with the unit that follows it: 12, 1.5, 10:30:00, 3m20s, 40%.
func normalNumbers(s string) string {
	if !strings.ContainsAny(s, "0123456789") {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		n := digits(s[i:])
		if n == 0 {
			out.WriteByte(s[i])
			i++
			continue
		}
		out.WriteString(aNum)
		for n > 0 {
			i += n
			if len(s) > i+1 && strings.IndexByte(".,:_-", s[i]) >= 0 && digits(s[i+1:]) > 0 {
				i++
			} else {
				i += unit(s[i:])
			}
			n = digits(s[i:])
		}
	}
	return out.String()
}

// unit counts the bytes of a unit of time or size that s begins with, and that no other letter follows.
func unit(s string) int {
	for _, u := range []string{"KiB", "MiB", "GiB", "KB", "MB", "GB", "ns", "µs", "us", "ms", "s", "m", "h", "B", "%"} {
		if strings.HasPrefix(s, u) {
			if next, _ := utf8.DecodeRuneInString(s[len(u):]); !unicode.IsLetter(next) {
				return len(u)
			}
		}
	}
	return 0
}
