package catalog

import (
	"fmt"
	"strings"
	"unicode"

	"gaggle/internal/fleet"
)

// Codes of problems, besides the codes of fleet for repositories that cannot be reached.
const (
	ProblemDescriptor = "descriptor_invalid" // a document that cannot be read at all
	ProblemField      = "descriptor_field"   // a field that is missing or wrong; the rest of the document counts
	ProblemLocation   = "location_target"    // a Location that points to nothing, or out of the repository
	ProblemSource     = "source_location"    // a backstage.io/source-location that is of no use
	ProblemDuplicate  = "duplicate"          // a reference that another document has already
	ProblemCodeowners = "codeowners_invalid" // a line of CODEOWNERS that cannot be read
	ProblemTooMany    = "too_many"           // more than is read of one repository
	ProblemSettings   = "settings_too_large" // a .gaggle.yaml that is no settings file
	ProblemList       = "list_invalid"       // a line of the list of repositories
	ProblemFolder     = "folder_invalid"     // a folder among the repositories that cannot be read
)

// maxProblems bounds what one repository may report.
const maxProblems = 200

// problems collects what is wrong in one repository, or in a source.
type problems struct {
	repository string
	list       []fleet.Problem
	dropped    int
}

type place struct {
	file         string
	line, column int
}

func (p *problems) add(code string, at place, hint, format string, args ...any) {
	if len(p.list) >= maxProblems {
		p.dropped++
		return
	}
	p.list = append(p.list, fleet.Problem{Code: code, Repository: p.repository, File: printable(at.file), Line: at.line, Column: at.column,
		Message: printable(fmt.Sprintf(format, args...)), Hint: hint})
}

// done returns the problems, with a last one for those past the bound.
func (p *problems) done() []fleet.Problem {
	if p.dropped > 0 {
		p.list = append(p.list, fleet.Problem{Code: ProblemTooMany, Repository: p.repository, Message: fmt.Sprintf("%d further problems are not listed", p.dropped)})
		p.dropped = 0
	}
	return p.list
}

// printable makes somebody else's text fit for a line on a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// quote shows a word of somebody else's in a message.
func quote(s string) string {
	const most = 100
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return `"` + s + `"`
}
