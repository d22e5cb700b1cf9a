package search

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gaggle/internal/fleet"
)

func compile(t testing.TB, terms Terms) *Query {
	t.Helper()
	q, err := Compile(terms)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

var monorepo = map[string]string{
	"README.md":                 "# mono\n\nuse ioutil.ReadAll at will\n",
	"go.mod":                    "module mono\n",
	"services/a/main.go":        "package main\n\nimport \"io/ioutil\"\n\nfunc main() {\n\tioutil.ReadAll(nil)\n\tioutil.ReadFile(\"x\")\n}\n",
	"services/a/go.mod":         "module a\n",
	"services/a-b/main.go":      "package main\n",
	"services/a/deep/util.go":   "package deep // ioutil.WriteFile\n",
	"services/b/app.py":         "print('Käse')\r\nprint('STRASSE')\r\n",
	"services/b/picture.png":    "\x89PNG\x00ioutil.ReadAll",
	"services/b/link.go":        "link:ioutil.ReadAll",
	"services/b/empty.txt":      "",
	"services/b/conf/x[1].yaml": "a: 1\n",
}

func TestMatch(t *testing.T) {
	m := &memory{}
	x, repo := open(t, m), m.put(monorepo)
	paths := []string{".", "services/a", "services/a-b", "services/b", "services/none"}
	for name, c := range map[string]struct {
		terms Terms
		want  string // the matched paths, each with its examples
	}{
		"nothing asked":             {Terms{}, ". services/a services/a-b services/b services/none"},
		"content":                   {Terms{Contains: `ioutil\.(ReadAll|ReadFile)`}, ".=README.md:3 services/a=services/a/main.go:6"},
		"files limit contains":      {Terms{Contains: `ioutil`, Files: []string{"**/*.go"}}, "services/a=services/a/deep/util.go:1"},
		"own globs":                 {Terms{Contains: `ioutil`, In: []string{"*.go"}, Files: []string{"go.mod"}}, "services/a=services/a/main.go:3"},
		"files only":                {Terms{Files: []string{"go.mod"}}, ".=go.mod:0 services/a=services/a/go.mod:0"},
		"files in the component":    {Terms{Files: []string{"services/**"}}, ""},
		"links and binaries":        {Terms{Files: []string{"*.png", "link.go"}}, "services/b=services/b/link.go:0"},
		"several examples":          {Terms{Contains: `ioutil\.`, Examples: 3}, ".=README.md:3 services/a=services/a/deep/util.go:1,services/a/main.go:6,services/a/main.go:7"},
		"folded":                    {Terms{Contains: `(?i)strasse`}, "services/b=services/b/app.py:2"},
		"folded beyond ASCII":       {Terms{Contains: `(?i)kÄSE`}, "services/b=services/b/app.py:1"},
		"line anchors":              {Terms{Contains: `^module a$`}, "services/a=services/a/go.mod:1"},
		"several lines":             {Terms{Contains: `main\n\nimport`}, "services/a=services/a/main.go:1"},
		"not narrowed":              {Terms{Contains: `\(.x.\)`}, "services/a=services/a/main.go:7"},
		"nowhere":                   {Terms{Contains: `ioutil.*ReadNothing`}, ""},
		"empty match":               {Terms{Contains: `x*`, In: []string{"empty.txt"}}, "services/b=services/b/empty.txt:1"},
		"braces, escapes":           {Terms{Files: []string{`conf/x\[1\].{yml,yaml}`}}, "services/b=services/b/conf/x[1].yaml:0"},
		"folder":                    {Terms{Files: []string{"deep/"}}, "services/a=services/a/deep/util.go:0"},
		"files of one, text of two": {Terms{Contains: "package", In: []string{"**/*.go"}, Files: []string{"app.py"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			hits, err := x.Match(t.Context(), Place{Repository: repo, Paths: paths}, compile(t, c.terms))
			if err != nil {
				t.Fatal(err)
			}
			if got := show(hits); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	if m.opens.Load() != 1 {
		t.Errorf("the tree was opened %d times", m.opens.Load())
	}
}

func show(hits []Hit) string {
	var out []string
	for _, h := range hits {
		if !h.Matched {
			continue
		}
		var at []string
		for _, l := range h.Examples {
			at = append(at, fmt.Sprintf("%s:%d", l.File, l.Line))
		}
		if at == nil {
			out = append(out, h.Path)
		} else {
			out = append(out, h.Path+"="+strings.Join(at, ","))
		}
	}
	return strings.Join(out, " ")
}

func TestAFileBelongsToTheInnermostComponent(t *testing.T) {
	m := &memory{}
	x, repo := open(t, m), m.put(monorepo)
	q := compile(t, Terms{Contains: "WriteFile"})
	for others, want := range map[string]string{"": "services/a=services/a/deep/util.go:1", "services/a/deep": "", "services/a/de": "services/a=services/a/deep/util.go:1"} {
		p := Place{Repository: repo, Paths: []string{"services/a"}}
		if others != "" {
			p.Others = []string{others}
		}
		hits, err := x.Match(t.Context(), p, q)
		if err != nil || show(hits) != want {
			t.Errorf("with %q: %s, %v; want %q", others, show(hits), err, want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		terms Terms
		want  string
	}{
		"syntax":        {Terms{Contains: "a(b"}, "missing closing )"},
		"stray":         {Terms{Contains: "a)(b"}, "unexpected )"},
		"look-ahead":    {Terms{Contains: "a(?=b)"}, "invalid or unsupported Perl syntax"},
		"bomb":          {Terms{Contains: "((a{30}){30}){30}"}, "repeat count"},
		"large":         {Terms{Contains: strings.Repeat("(a{1000}|b)", 20)}, "too complex"},
		"long":          {Terms{Contains: strings.Repeat("a", 5000)}, "too long"},
		"globs alone":   {Terms{In: []string{"*"}}, "no expression"},
		"absolute":      {Terms{Files: []string{"/etc/passwd"}}, "begins with a slash"},
		"parent":        {Terms{Files: []string{"../x"}}, `"." or ".."`},
		"bad class":     {Terms{Files: []string{"[a"}}, "not a valid pattern"},
		"empty":         {Terms{Files: []string{""}}, "is empty"},
		"negated":       {Terms{Files: []string{"!a"}}, "exclamation"},
		"brace bomb":    {Terms{Files: []string{strings.Repeat("{a,b}", 30)}}, "too many patterns"},
		"nested braces": {Terms{Files: []string{strings.Repeat("{a,", 60) + "b" + strings.Repeat("}", 60) + strings.Repeat("{c,d}", 3)}}, "too many patterns"},
		"list":          {Terms{Files: make([]string, 300)}, "too many globs"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(c.terms)
			if fleet.CodeOf(err) != fleet.CodeInvalid || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestGlobs(t *testing.T) {
	for pattern, paths := range map[string]string{ // a path with a minus in front must not match
		"**":          "a a/b .x/y",
		"**/*":        "a a/b .x/y",
		"*":           "a .x -a/b",
		"*.go":        "a.go .go -a/b.go",
		"**/*.go":     "a.go a/b.go a/b/.go -a.goo",
		"**/go.mod":   "go.mod a/go.mod -a/no-go.mod",
		"a/**":        "a/b a/b/c -b/a/c",
		"a/**/c":      "a/c a/b/c a/b/b/c -a/b/cc",
		"{a,b/**}/c":  "a/c b/c b/x/c -c",
		"a{,.txt}":    "a a.txt -a.tx",
		"{a,{b,c}}.x": "a.x b.x c.x -d.x",
		"[ab].x":      "a.x b.x -c.x",
		"[{}].x":      "{.x }.x -a.x",
		`\{a,b\}`:     "{a,b} -a -b",
		"./a":         "a -b/a",
		"a/":          "a/b -b",
		"**/te?t/*.x": "test/a.x a/text/b.x -a/test/b/c.x",
	} {
		gs, err := compileGlobs("files", []string{pattern})
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		for p := range strings.FieldsSeq(paths) {
			p, not := strings.CutPrefix(p, "-")
			if gs.match(p) == not {
				t.Errorf("%s and %s: %v", pattern, p, !not)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	m := &memory{}
	repo := m.put(map[string]string{"a": "needle " + strings.Repeat("x", 100), "b": "needle", "c": "needle", "d": "needle\x00", "e": strings.Repeat("y", 8000) + "\x00needle"})
	q := compile(t, Terms{Contains: "needle", Examples: 9})
	place := Place{Repository: repo, Paths: []string{"."}}
	x := Open(Config{Dir: t.TempDir(), Trees: m, Limits: Limits{FileBytes: 50, TextBytes: 11}})
	e, err := x.Explain(t.Context(), place, q)
	if err != nil || show([]Hit{e.Hit}) != ".=b:1" {
		t.Fatalf("%v, %v", e, err)
	}
	if got, want := e.String(), "5 files: contains matches, first at b:1 (not searched: 2 too large, 2 past the limit of the repository)"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	e, err = open(t, m).Explain(t.Context(), place, q)
	if err != nil || show([]Hit{e.Hit}) != ".=a:1,b:1,c:1,e:1" || e.Binary != 1 || e.Read != 4 || e.Matching != 4 {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := Open(Config{Dir: t.TempDir(), Trees: m, Limits: Limits{Files: 4}}).Ensure(t.Context(), repo, ""); fleet.CodeOf(err) != fleet.CodeUnsafeTree {
		t.Errorf("too many files: %v", err)
	}
}

func TestExplainWords(t *testing.T) {
	m := &memory{}
	x, repo := open(t, m), m.put(monorepo)
	for want, c := range map[string]struct {
		path  string
		terms Terms
	}{
		"5 files: none is named by files": {"services/b", Terms{Contains: "x", Files: []string{"*.rs"}, In: []string{"*.go"}}},
		"5 files: contains matches none of the 3 that it looks in (not searched: 1 binary)": {"services/b", Terms{Contains: "absent"}},
		"5 files: contains has none to look in":                                             {"services/b", Terms{Contains: "absent", In: []string{"*.go"}}},
		"3 files: 1 named by files":                                                         {"services/a", Terms{Files: []string{"go.mod"}}},
		"3 files: contains matches, first at services/a/main.go:3":                          {"services/a", Terms{Contains: "ioutil", In: []string{"main.go"}}},
		"0 files: none is named by files":                                                   {"services/zz", Terms{Files: []string{"**"}}},
		"2 files: contains matches none of the 2 that it looks in":                          {".", Terms{Contains: "absent"}},
		"1 file: nothing is asked of them":                                                  {"services/a-b", Terms{}},
	} {
		e, err := x.Explain(t.Context(), Place{Repository: repo, Paths: []string{c.path}, Others: []string{"services/a", "services/a-b", "services/b"}}, compile(t, c.terms))
		if err != nil || e.String() != want {
			t.Errorf("%s: got %q, %v, want %q", c.path, e, err, want)
		}
	}
}

func TestAHostileExpressionEndsWithItsContext(t *testing.T) {
	m := &memory{}
	repo := m.put(map[string]string{"a": strings.Repeat("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", 1<<20/32-1)})
	x := open(t, m)
	q := compile(t, Terms{Contains: `(?s)(a?b?c?d?.*){99}(x{500}|y{500})z`})
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := x.Ensure(ctx, repo, ""); err != nil {
		t.Fatal(err)
	}
	q.need = nil // as if it could not be narrowed
	started := &cancelOnLook{Context: ctx, cancel: cancel, after: 20}
	if _, err := x.Match(started, Place{Repository: repo, Paths: []string{"."}}, q); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// cancelOnLook is canceled by the so-many-th look at it, which the matcher takes as it reads on.
type cancelOnLook struct {
	context.Context
	cancel context.CancelFunc
	after  int
}

func (c *cancelOnLook) Err() error {
	if c.after--; c.after == 0 {
		c.cancel()
	}
	return c.Context.Err()
}

func TestExampleTextIsFitForATerminal(t *testing.T) {
	long := strings.Repeat("x", 500) + "needle" + strings.Repeat("y", 500)
	for text, want := range map[string]string{
		"\tneedle \x1b[31mred\x07\r\n": "needle ?[31mred?",
		"needle \xff\u202e":            "needle ??",
		long:                           "needle" + strings.Repeat("y", maxExampleText-6),
	} {
		found, err := compile(t, Terms{Contains: "needle"}).find(t.Context(), "f", []byte(text), nil)
		if err != nil || len(found) != 1 || found[0].Text != want {
			t.Errorf("%q: %+v, %v", text, found, err)
		}
	}
}
