package search

import (
	"context"
	"fmt"
	"gaggle/internal/fleet"
	"strings"
)

// Explanation says why a component matches or does not, by counting what was looked at.
type Explanation struct {
	Hit
	query     *Query
	Files     int  `json:"files"`     // that belong to the component
	Named     int  `json:"named"`     // of them, those that Files lets through; all without Files
	Eligible  int  `json:"eligible"`  // of them, those with text that Contains may look in
	Narrowed  bool `json:"narrowed"`  // whether trigrams spared reading all of those
	Read      int  `json:"read"`      // those that were read
	Matching  int  `json:"matching"`  // those that matched before there were enough examples
	Binary    int  `json:"binary"`    // those that Contains would have looked in, were they not binary
	TooLarge  int  `json:"tooLarge"`  // or too large
	BeyondEnd int  `json:"beyondEnd"` // or past the text that is searched of one repository
}

// tally counts a segment's files and returns those that belong to the component.
func (r *search) tally(g *segment, files bitset, dir, prefix string) bitset {
	for f, p := range g.paths {
		if !files.has(f) {
			continue
		}
		if !r.owns(dir, p) {
			files.remove(f)
			continue
		}
		r.count.Files++
		if r.query.files == nil || r.query.files.match(p[len(prefix):]) {
			r.count.Named++
		}
		if r.query.re == nil || r.query.in != nil && !r.query.in.match(p[len(prefix):]) {
			continue
		}
		switch g.kinds[f] {
		case kindText:
			r.count.Eligible++
		case kindBinary:
			r.count.Binary++
		case kindHuge:
			r.count.TooLarge++
		case kindBeyond:
			r.count.BeyondEnd++
		}
	}
	return files
}

// String says it in one sentence, such as "12 files: contains matches none of the 3 that it looks in (1 too large was not searched)".
func (e Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", fleet.Count(e.Files, "file"))
	switch {
	case e.query.Empty():
		b.WriteString("nothing is asked of them")
	case e.query.files != nil && e.Named == 0:
		b.WriteString("none is named by files")
	case e.query.re == nil:
		fmt.Fprintf(&b, "%d named by files", e.Named)
	case e.Matched:
		fmt.Fprintf(&b, "contains matches, first at %s:%d", printable([]byte(e.Examples[0].File)), e.Examples[0].Line)
	case e.Eligible == 0:
		b.WriteString("contains has none to look in")
	default:
		fmt.Fprintf(&b, "contains matches none of the %d that it looks in", e.Eligible)
	}
	var not []string
	for _, c := range []struct {
		n    int
		what string
	}{{e.Binary, "binary"}, {e.TooLarge, "too large"}, {e.BeyondEnd, "past the limit of the repository"}} {
		if c.n > 0 {
			not = append(not, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if not != nil {
		fmt.Fprintf(&b, " (not searched: %s)", strings.Join(not, ", "))
	}
	return b.String()
}

// Explain looks at one component with all its files counted, which Match does not take the time for. The place has one path.
func (x *Index) Explain(ctx context.Context, p Place, q *Query) (Explanation, error) {
	e := Explanation{query: q, Narrowed: q.Narrowed()}
	if len(p.Paths) != 1 {
		return e, fmt.Errorf("search: Explain takes one path, not %d", len(p.Paths))
	}
	if p.Repository.Tree == "" {
		e.Hit = Hit{Path: cleanDir(p.Paths[0]), Matched: q.Empty()}
		return e, nil
	}
	err := x.with(ctx, p.Repository, func(s *shard) error {
		e = Explanation{query: q, Narrowed: e.Narrowed}
		r := newSearch(ctx, s, q, p)
		r.count = &e
		var err error
		e.Hit, err = r.component(p.Paths[0])
		return err
	})
	return e, err
}
