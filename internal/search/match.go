package search

import (
	"bytes"
	"context"
	"io"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"gaggle/internal/fleet"
)

// Place is where in one repository to look.
type Place struct {
	Repository fleet.Repository // Tree says which content; an empty one matches nothing
	// Paths are the directories of the components to look at, as in fleet.Component.Path. The order of paths is the quickest.
	Paths []string
	// Others are the directories of the repository's further components. A file belongs to the innermost component's
	// directory that it lies in, so a component at the root of a monorepo does not match by what its neighbours hold.
	Others []string
}

// Hit is the answer for one component.
type Hit struct {
	Path     string
	Matched  bool
	Examples []Location // where it matches, at most Terms.Examples; none for a query without terms
}

// Location is one place that matches. Line is 0 when the file matches by its name alone.
type Location struct {
	File string `json:"file"` // relative to the repository's root
	Line int    `json:"line,omitempty"`
	Text string `json:"text,omitempty"` // the line, shortened
}

const (
	maxExampleText = 160     // bytes of Location.Text
	eagerWork      = 1 << 26 // instructions times bytes above which an expression is run so that it can be interrupted
)

// search is one query's way through one shard.
type search struct {
	ctx    context.Context
	shard  *shard
	query  *Query
	owners map[string]bool // every component's directory; nil when there is only one
	count  *Explanation    // also counts, when not nil
}

func newSearch(ctx context.Context, s *shard, q *Query, p Place) *search {
	r := &search{ctx: ctx, shard: s, query: q}
	if len(p.Paths)+len(p.Others) > 1 {
		r.owners = make(map[string]bool, len(p.Paths)+len(p.Others))
		for _, list := range [][]string{p.Paths, p.Others} {
			for _, dir := range list {
				r.owners[cleanDir(dir)] = true
			}
		}
	}
	return r
}

func cleanDir(dir string) string {
	if dir == "" {
		return "."
	}
	return path.Clean(dir)
}

// owns reports whether the file, which lies below dir, belongs to the component there and to none further in.
func (r *search) owns(dir, file string) bool {
	if r.owners == nil {
		return true
	}
	floor := len(dir)
	if dir == "." {
		floor = 0
	}
	for i := strings.LastIndexByte(file, '/'); i > floor; i = strings.LastIndexByte(file[:i], '/') {
		if r.owners[file[:i]] {
			return false
		}
	}
	return true
}

// component looks at one component.
func (r *search) component(dir string) (Hit, error) {
	dir = cleanDir(dir)
	hit := Hit{Path: dir}
	prefix := dir + "/"
	if dir == "." {
		prefix = ""
	}
	needFile := r.query.files != nil
	var named *Location
	lo, hi := r.shard.below(prefix)
	for i := lo; i < hi; i++ {
		if err := r.ctx.Err(); err != nil {
			return hit, err
		}
		g, err := r.shard.segment(i)
		if err != nil {
			return hit, err
		}
		files := g.below(prefix)
		if r.count != nil {
			files = r.tally(g, files, dir, prefix)
		}
		if needFile && named == nil {
			if f, ok := r.firstNamed(g, files, dir, prefix); ok {
				named = &Location{File: g.paths[f]}
			}
		}
		if r.query.re != nil && len(hit.Examples) < r.query.examples {
			if err := r.contents(g, files, dir, prefix, &hit); err != nil {
				return hit, err
			}
		}
		if r.count == nil && (!needFile || named != nil) && (r.query.re == nil || len(hit.Examples) >= r.query.examples) {
			break
		}
	}
	hit.Matched = (!needFile || named != nil) && (r.query.re == nil || len(hit.Examples) > 0)
	switch {
	case !hit.Matched:
		hit.Examples = nil
	case r.query.re == nil && named != nil:
		hit.Examples = []Location{*named}
	}
	return hit, nil
}

func (r *search) firstNamed(g *segment, files bitset, dir, prefix string) (int, bool) {
	for f, p := range g.paths {
		if files.has(f) && r.query.files.match(p[len(prefix):]) && r.owns(dir, p) {
			return f, true
		}
	}
	return 0, false
}

// contents looks for the expression in a segment's files and adds examples to the hit.
func (r *search) contents(g *segment, files bitset, dir, prefix string, hit *Hit) error {
	if g.candidates == nil {
		set, err := g.holding(r.query.need, g.text)
		if err != nil {
			return err
		}
		g.candidates = &set
	}
	files = files.and(*g.candidates)
	if files.empty() {
		return nil
	}
	for f, p := range g.paths {
		if !files.has(f) || r.query.in != nil && !r.query.in.match(p[len(prefix):]) || !r.owns(dir, p) {
			continue
		}
		if err := r.ctx.Err(); err != nil {
			return err
		}
		text, err := g.content(f)
		if err != nil {
			return err
		}
		if r.count != nil {
			r.count.Read++
		}
		before := len(hit.Examples)
		if hit.Examples, err = r.query.find(r.ctx, p, text, hit.Examples); err != nil {
			return err
		}
		if r.count != nil && len(hit.Examples) > before {
			r.count.Matching++
		}
		if len(hit.Examples) >= r.query.examples {
			return nil
		}
	}
	return nil
}

// find appends the lines of the text that match, up to the number of examples asked for.
func (q *Query) find(ctx context.Context, file string, text []byte, found []Location) ([]Location, error) {
	if int64(len(text))*int64(q.instructions) > eagerWork {
		at := q.re.FindReaderIndex(&runes{ctx: ctx, text: text})
		if err := ctx.Err(); err != nil {
			return found, err
		}
		if at != nil {
			found = append(found, locate(file, text, at[0]))
		}
		return found, nil
	}
	want := q.examples - len(found)
	if want <= 1 {
		if at := q.re.FindIndex(text); at != nil {
			found = append(found, locate(file, text, at[0]))
		}
		return found, nil
	}
	last := 0
	for _, at := range q.re.FindAllIndex(text, 8*want) { // more than wanted, for a line may match more than once
		l := locate(file, text, at[0])
		if l.Line == last {
			continue
		}
		last = l.Line
		if found = append(found, l); len(found) >= q.examples {
			break
		}
	}
	return found, nil
}

func locate(file string, text []byte, at int) Location {
	start := bytes.LastIndexByte(text[:at], '\n') + 1
	end := len(text)
	if n := bytes.IndexByte(text[at:], '\n'); n >= 0 {
		end = at + n
	}
	line := bytes.TrimSpace(text[start:end])
	if len(line) > maxExampleText {
		// Long lines are shown from the match on.
		line = bytes.TrimSpace(text[max(start, min(at, end-maxExampleText)):end])
		line = line[:min(len(line), maxExampleText)]
	}
	return Location{File: file, Line: 1 + bytes.Count(text[:at], []byte{'\n'}), Text: printable(line)}
}

// printable leaves no control or formatting character in a line of somebody else's file: it ends up on a terminal.
func printable(line []byte) string {
	return strings.Map(func(c rune) rune {
		if c == '\t' {
			return ' '
		}
		if c < ' ' || c >= 0x7f && c < 0xa0 || unicode.Is(unicode.Cf, c) {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(string(line), "?"))
}

// runes reads a text so that a long search through it ends with its context.
type runes struct {
	ctx  context.Context
	text []byte
	at   int
	next int // when to look at ctx again
}

func (r *runes) ReadRune() (rune, int, error) {
	if r.at >= r.next {
		if r.ctx.Err() != nil {
			return 0, 0, io.EOF
		}
		r.next = r.at + 4096
	}
	if r.at >= len(r.text) {
		return 0, 0, io.EOF
	}
	c, n := utf8.DecodeRune(r.text[r.at:])
	r.at += n
	return c, n, nil
}
