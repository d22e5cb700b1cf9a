package search

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"gaggle/internal/fleet"
)

const (
	maxGlobBytes = 512 // of one pattern
	maxGlobAlts  = 128 // patterns that one pattern's braces may stand for
	maxGlobs     = 200 // patterns in one list
)

// globs is a compiled list of patterns; a path matches when any of them does.
type globs []glob

// glob is one pattern without braces, in the cheapest of the four forms that expresses it.
type glob struct {
	kind globKind
	text string
}

type globKind uint8

const (
	globAll    globKind = iota // **
	globExact                  // a/b.go
	globBase                   // **/go.mod: text is "go.mod"
	globSuffix                 // **/*.go: text is ".go"
	globFull                   // anything else
)

func compileGlobs(field string, patterns []string) (globs, error) {
	if len(patterns) > maxGlobs {
		return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: field + " has too many globs", Hint: "at most 200; join them with braces or use a wider one"}
	}
	var out globs
	for _, p := range patterns {
		bad := func(why, hint string) error {
			return &fleet.Error{Code: fleet.CodeInvalid, Message: "the glob " + quote(p) + " in " + field + " " + why, Hint: hint}
		}
		clean := strings.TrimPrefix(p, "./")
		if strings.HasSuffix(clean, "/") {
			clean += "**"
		}
		switch {
		case clean == "":
			return nil, bad("is empty", `write "**" for every file`)
		case len(clean) > maxGlobBytes:
			return nil, bad("is too long", "at most 512 bytes")
		case strings.HasPrefix(clean, "/"):
			return nil, bad("begins with a slash", "globs are relative to the component's directory: leave the slash out")
		case strings.HasPrefix(clean, "!"):
			return nil, bad("begins with an exclamation mark", `negation is not supported; write \! for a file of that name`)
		case hasDotSegment(clean):
			return nil, bad(`has a "." or ".." in it`, "globs look only below the component's directory")
		case !doublestar.ValidatePattern(clean):
			return nil, bad("is not a valid pattern", "**, *, ?, [a-z] and {a,b} are understood; a backslash takes the meaning away")
		}
		alts, ok := expandBraces(clean)
		if !ok {
			return nil, bad("stands for too many patterns", "its braces may make at most 128")
		}
		for _, alt := range alts {
			out = append(out, simplifyGlob(alt))
		}
	}
	return out, nil
}

func quote(s string) string {
	if len(s) > 80 {
		s = s[:77] + "..."
	}
	return `"` + strings.ToValidUTF8(s, "?") + `"`
}

func hasDotSegment(p string) bool {
	for s := range strings.SplitSeq(p, "/") {
		if s == "." || s == ".." {
			return true
		}
	}
	return false
}

// expandBraces writes {a,b} out. The matcher would try the alternatives by recursion, which hostile patterns make exponential.
func expandBraces(p string) ([]string, bool) {
	done, todo := []string(nil), []string{p}
	for len(todo) > 0 {
		if len(done)+len(todo) > maxGlobAlts {
			return nil, false
		}
		head := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		open, closing, commas := firstBrace(head)
		if open < 0 {
			done = append(done, head)
			continue
		}
		ends := append(commas, closing)
		for i := len(ends) - 1; i >= 0; i-- {
			from := open + 1
			if i > 0 {
				from = ends[i-1] + 1
			}
			todo = append(todo, head[:open]+head[from:ends[i]]+head[closing+1:])
		}
	}
	return done, true
}

// firstBrace finds the first group outside classes and escapes, its end, and its own commas.
func firstBrace(p string) (open, closing int, commas []int) {
	open, depth, inClass := -1, 0, false
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\\':
			i++
		case inClass:
			inClass = c != ']'
		case c == '[':
			inClass = true
		case c == '{':
			if depth++; depth == 1 {
				open = i
			}
		case c == '}' && depth > 0:
			if depth--; depth == 0 {
				return open, i, commas
			}
		case c == ',' && depth == 1:
			commas = append(commas, i)
		}
	}
	return -1, -1, nil
}

func simplifyGlob(p string) glob {
	const meta = `*?[]{}\`
	switch {
	case p == "**" || p == "**/*":
		return glob{globAll, ""}
	case !strings.ContainsAny(p, meta):
		return glob{globExact, p}
	}
	if base, ok := strings.CutPrefix(p, "**/"); ok && !strings.Contains(base, "/") {
		if !strings.ContainsAny(base, meta) {
			return glob{globBase, base}
		}
		if suffix, ok := strings.CutPrefix(base, "*"); ok && suffix != "" && !strings.ContainsAny(suffix, meta) {
			return glob{globSuffix, suffix}
		}
	}
	return glob{globFull, p}
}

// match reports whether any pattern matches the path, which is relative to the component's directory.
func (gs globs) match(path string) bool {
	for _, g := range gs {
		if g.match(path) {
			return true
		}
	}
	return false
}

func (g glob) match(path string) bool {
	switch g.kind {
	case globAll:
		return true
	case globExact:
		return path == g.text
	case globSuffix:
		return strings.HasSuffix(path, g.text)
	case globBase:
		rest, ok := strings.CutSuffix(path, g.text)
		return ok && (rest == "" || rest[len(rest)-1] == '/')
	}
	return doublestar.MatchUnvalidated(g.text, path)
}
