package search

import (
	"fmt"
	"regexp"
	"regexp/syntax"

	"gaggle/internal/fleet"
)

const (
	maxPatternBytes = 4096
	maxInstructions = 5000 // of a compiled expression; time is linear in this times the text
)

// Terms is what a component's files must hold to be matched. Both conditions must hold; without any, everything matches.
// Globs are relative to the component's directory.
type Terms struct {
	// Contains is an RE2 expression that some file of the component must match. It is read with the flag m on: ^ and $ are the
	// ends of a line, as in grep. A dot does not match a line feed, but \n does, so a match may span lines. A carriage
	// return at the end of a line belongs to it: write \r?$ where files come from Windows.
	Contains string
	// In are globs of the files that Contains looks in. Defaults to Files, and without those to every file.
	In []string
	// Files are globs of which at least one must match some file of the component.
	Files []string
	// Examples is how many matching places a Hit names. Defaults to 1. Every further one costs reading on.
	Examples int
}

// Query is a compiled Terms. It is immutable and safe for use by many goroutines.
type Query struct {
	re           *regexp.Regexp // nil without Contains
	need         *need
	instructions int
	in, files    globs // in: nil for every file
	examples     int
}

// Compile checks the terms. Its errors have the code invalid, name the field and say what to write instead.
func Compile(t Terms) (*Query, error) {
	q := &Query{examples: max(1, t.Examples)}
	var err error
	if q.files, err = compileGlobs("files", t.Files); err != nil {
		return nil, err
	}
	if q.in, err = compileGlobs("contains", t.In); err != nil {
		return nil, err
	}
	if t.Contains == "" {
		if len(t.In) > 0 {
			return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: "contains has globs but no expression", Hint: "use files to select by file names alone"}
		}
		return q, nil
	}
	if q.in == nil {
		q.in = q.files
	}
	return q, q.compileExpression(t.Contains)
}

func (q *Query) compileExpression(text string) error {
	bad := func(why, hint string) error {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "contains: " + why, Hint: hint}
	}
	if len(text) > maxPatternBytes {
		return bad("the expression is too long", "at most 4096 bytes")
	}
	const flags = syntax.Perl &^ syntax.OneLine
	parsed, err := syntax.Parse(text, flags)
	if err != nil {
		hint := "the syntax is RE2's: https://golang.org/s/re2syntax"
		if e, ok := err.(*syntax.Error); ok && e.Code == syntax.ErrInvalidPerlOp {
			hint = "RE2 has no look-around and no back-references: select more with contains, and let the change itself decide"
		}
		return bad(err.Error(), hint)
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return bad(err.Error(), "")
	}
	if q.instructions = len(prog.Inst); q.instructions > maxInstructions {
		return bad(fmt.Sprintf("the expression is too complex (%d instructions, at most %d)", q.instructions, maxInstructions), "lower the counts in its repetitions")
	}
	// Parsed on its own above, so the group cannot be left by a stray parenthesis.
	if q.re, err = regexp.Compile("(?m:" + text + ")"); err != nil {
		return bad(err.Error(), "")
	}
	q.need = analyse(parsed)
	return nil
}

// Empty reports whether the query asks for nothing, so that everything matches without a look at any file.
func (q *Query) Empty() bool { return q.re == nil && q.files == nil }

// Narrowed reports whether the expression can be narrowed by trigrams. One that cannot, such as "[0-9]+" or "a.*b",
// reads every file that its globs let through, which on a large fleet takes minutes instead of milliseconds.
func (q *Query) Narrowed() bool { return q.re == nil || q.need != nil }
