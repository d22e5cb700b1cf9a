package source

import "strings"

// Block is a run of consecutive lines of a file: all of it, or a hunk of a diff.
type Block struct {
	First   int // number of the first line, 1-based
	Lines   []string
	Heading string // the line of the enclosing function, as git shows it after @@; may be empty
}

// File is what was read of one side of a file.
type File struct {
	Lang     *Language
	Code     []Token // without comments
	Comments []Token
	Units    []*Unit // in order; the first one is the rest: what belongs to no other

	pair     []int   // index of the matching bracket, or -1
	first    []int   // index of the first token on the token's line
	owner    []*Unit // innermost unit of each token
	up       []int   // index of the innermost open bracket around the token, or -1
	words    map[string]bool
	headings map[int]bool // lines that are headings of hunks
	starts   []int        // where the blocks begin
	partial  bool         // the blocks are hunks
}

// UnitKind is what a unit is for.
type UnitKind int

// The kinds of units.
const (
	Rest   UnitKind = iota // what lies outside all functions
	Test                   // a runner would run it, or would but for its name
	Helper                 // any other function
	Suite                  // a class, a describe: holds tests
)

// Unit is a function, a test or a group of tests.
type Unit struct {
	Kind      UnitKind
	Name      string // within its parents: "describe > it"
	Short     string // its own name
	Line, End int
	Parent    *Unit // the suite or test around it; nil at the top
	Sub       bool  // a subtest: a test inside a test
	Found     bool  // a test that the runner finds by its name or mark
	Asserts   []*Assertion
	Expected  []*Assertion // values given to names such as want and expected
	Rows      []Row
	Marks     []Mark
	Calls     map[string]bool // functions that it calls
	Size      int             // tokens of its own body
	Text      string          // its own tokens, for equality; see Words

	start, end, body int // token range, and where the body begins
}

// separator stands between the tokens of a unit's text; no source holds it.
const separator = "\x1f"

// Words are the unit's own tokens.
func (u *Unit) Words() []string {
	return strings.Split(strings.TrimSuffix(u.Text, separator), separator)
}

// Holds reports whether the unit has these tokens, written with a space between them, in a row.
func (u *Unit) Holds(tokens string) bool { return u.Count(tokens) > 0 }

// Count is how often the unit has these tokens in a row.
func (u *Unit) Count(tokens string) int {
	return strings.Count(separator+u.Text, separator+strings.ReplaceAll(tokens, " ", separator)+separator)
}

// Row is one element of a table of test data.
type Row struct {
	Line     int
	Text     string
	Literals []string // its values, without the label
	Label    string   // what names the case, when something does
	Table    int      // which table of the unit it belongs to
}

// Mark is something that keeps a test, or what follows it, from running or from failing.
type Mark struct {
	Kind        MarkKind
	Line        int
	Text        string
	Conditional bool
}

// MarkKind is what a mark does.
type MarkKind string

// The kinds of marks.
const (
	MarkSkip     MarkKind = "skip"      // the runner leaves the test out
	MarkFocus    MarkKind = "focus"     // the runner leaves the others out
	MarkDead     MarkKind = "dead code" // if false
	MarkReturn   MarkKind = "return"    // ends before the checks
	MarkExit     MarkKind = "exit"      // ends the whole run as a success
	MarkSwallow  MarkKind = "swallow"   // catches what a check throws
	MarkExpected MarkKind = "expected"  // a failure counts as a success
)

// Read reads one side of a file.
func Read(l *Language, blocks []Block) *File {
	f := &File{Lang: l, words: map[string]bool{}, headings: map[int]bool{}}
	var starts []int
	for _, b := range blocks {
		starts = append(starts, len(f.Code))
		if b.Heading != "" && b.First > 1 && (l.extent != indent || strings.HasSuffix(b.Heading, ":")) {
			f.headings[b.First-1] = true
			f.add(l.Lex([]string{b.Heading}, b.First-1))
		}
		f.add(l.Lex(b.Lines, b.First))
	}
	f.starts = starts
	f.partial = len(blocks) > 0 && blocks[0].First > 1
	f.brackets(starts)
	f.readUnits()
	f.own()
	f.readAsserts()
	f.readMarks()
	f.readRows()
	return f
}

func (f *File) add(tokens []Token) {
	for _, t := range tokens {
		if t.Kind == Comment {
			f.Comments = append(f.Comments, t)
		} else {
			f.Code = append(f.Code, t)
		}
	}
}

// brackets pairs brackets within each block; what does not fit stays unpaired.
func (f *File) brackets(starts []int) {
	n := len(f.Code)
	f.pair, f.first, f.up = make([]int, n), make([]int, n), make([]int, n)
	var open []int
	next := 0
	for i, t := range f.Code {
		for next < len(starts) && starts[next] <= i {
			open, next = open[:0], next+1
		}
		f.pair[i] = -1
		f.first[i] = i
		if i > 0 && !t.First && f.Code[i-1].Line <= t.Line {
			f.first[i] = f.first[i-1]
		}
		f.up[i] = -1
		if len(open) > 0 {
			f.up[i] = open[len(open)-1]
		}
		if t.Kind != Punct {
			continue
		}
		switch t.Text {
		case "(", "[", "{", "#[":
			open = append(open, i)
		case ")", "]", "}":
			want := map[string]string{")": "(", "]": "[", "}": "{"}[t.Text]
			for k := len(open) - 1; k >= 0 && k >= len(open)-4; k-- {
				if f.inHeading(open[k], i) {
					break
				}
				if o := f.Code[open[k]].Text; o == want || want == "[" && o == "#[" {
					f.pair[open[k]], f.pair[i] = i, open[k]
					open = open[:k]
					if len(open) > 0 {
						f.up[i] = open[len(open)-1]
					} else {
						f.up[i] = -1
					}
					break
				}
			}
		}
	}
}

// inHeading reports whether the bracket at open stands in a heading, some lines above the hunk, and the one at i
// is too far inside to close it.
func (f *File) inHeading(open, i int) bool {
	return f.headings[f.Code[open].Line] && !f.headings[f.Code[i].Line] && !(f.Code[i].First && f.Code[i].Col == 0)
}

// close returns the index of the bracket that closes the one at i, or the last token when none does.
func (f *File) close(i int) int {
	if p := f.pair[i]; p > i {
		return p
	}
	return len(f.Code) - 1
}

// at returns the text of the token at i, or "" outside.
func (f *File) at(i int) string {
	if i < 0 || i >= len(f.Code) {
		return ""
	}
	return f.Code[i].Text
}

func (f *File) kind(i int) Kind {
	if i < 0 || i >= len(f.Code) {
		return Punct
	}
	return f.Code[i].Kind
}

// own gives every token to its innermost unit and completes the units' text.
func (f *File) own() {
	rest := &Unit{Kind: Rest, Line: 1, end: len(f.Code), Calls: map[string]bool{}}
	f.owner = make([]*Unit, len(f.Code))
	stack := []*Unit{rest}
	next := 0
	texts := map[*Unit]*strings.Builder{}
	for i := range f.Code {
		for len(stack) > 1 && stack[len(stack)-1].end <= i {
			stack = stack[:len(stack)-1]
		}
		for next < len(f.Units) && f.Units[next].start <= i {
			u := f.Units[next]
			next++
			for len(stack) > 1 && stack[len(stack)-1].end <= u.start {
				stack = stack[:len(stack)-1]
			}
			if top := stack[len(stack)-1]; top != rest {
				u.Parent = top
				u.Sub = u.Kind == Test && top.Kind == Test
				if u.Name = u.Short; len(top.Name) < 500 {
					u.Name = top.Name + " > " + u.Short
				}
				u.end = min(u.end, top.end)
			}
			stack = append(stack, u)
		}
		u := stack[len(stack)-1]
		f.owner[i] = u
		b := texts[u]
		if b == nil {
			b = &strings.Builder{}
			texts[u] = b
		}
		b.WriteString(f.Code[i].Text)
		b.WriteString(separator)
		u.Size++
		if f.Code[i].Kind == Ident && (f.at(i+1) == "(" || f.at(i+1) == "!") {
			if u.Calls == nil {
				u.Calls = map[string]bool{}
			}
			u.Calls[f.Code[i].Text] = true
		}
	}
	for u, b := range texts {
		u.Text = b.String()
	}
	f.Units = append([]*Unit{rest}, f.Units...)
}
