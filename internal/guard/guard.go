package guard

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"gaggle/internal/fleet"
)

// Input is a diff and what is known about how it came to be.
type Input struct {
	// Diff is what `git diff --binary --full-index -M` prints, with or without --text. Any number of context lines will do.
	Diff []byte
	// Base returns a file as it was before the change, by its path from the repository's root, or nil when there
	// is none. It may be asked for files that the diff does not touch. Nil when the files before are not to be
	// had: the hunks alone are then read, which finds less.
	Base func(path string) []byte
	// Allow lists rules that the campaign allows, as "rule" or "rule:path-glob".
	Allow []string
	// Paths lists the globs that the change may touch, relative to the component; one with a leading slash is
	// relative to the repository's root and may leave the component, one with a leading "!" takes files away. Defaults to everything inside the component.
	Paths []string
	// ComponentPath is the component's folder, slash-separated from the repository's root. Defaults to the root.
	ComponentPath string
	// Prompt is what the campaign asked for, in its author's words.
	Prompt string
}

// maxPerFile is how many findings of one rule in one file are listed one by one; the last one counts the rest.
const maxPerFile = 5

// maxPerRule is the same over all files of the diff.
const maxPerRule = 40

// Check returns what the guards object to, ordered by file, line and rule. It errs only when the input itself is
// wrong: a diff that git did not make, or an Allow entry that names no rule. It may be called from many goroutines.
func Check(in Input) ([]fleet.Finding, error) {
	allowed, err := parseAllow(in.Allow)
	if err != nil {
		return nil, err
	}
	changes, err := parse(in.Diff, in.Base)
	if err != nil {
		return nil, err
	}
	sc, err := newScope(in.ComponentPath, in.Paths)
	if err != nil {
		return nil, err
	}
	r := &review{input: in, scope: sc, asked: readPrompt(in.Prompt), allowed: allowed, changes: changes}
	for _, step := range steps() {
		step(r)
	}
	return r.result(), nil
}

// review is one run of the rules over one diff.
type review struct {
	input    Input
	scope    scope
	asked    request
	allowed  []allowance
	changes  []*change
	findings []fleet.Finding
	prod     *production // read when first asked for
}

// report adds a finding unless the campaign allows it or the prompt asks for it.
func (r *review) report(rule, file string, line int, excerpt, format string, args ...any) {
	for _, a := range r.allowed {
		if a.rule == rule && a.covers(file) {
			return
		}
	}
	if r.asked.permits(ruleNamed(rule), file) {
		return
	}
	r.findings = append(r.findings, fleet.Finding{Rule: rule, File: file, Line: line, Message: fmt.Sprintf(format, args...), Excerpt: shorten(excerpt)})
}

// result orders the findings, drops repeats and counts what is more of the same.
func (r *review) result() []fleet.Finding {
	slices.SortStableFunc(r.findings, func(a, b fleet.Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Rule, b.Rule))
	})
	type place struct {
		rule, file string
		line       int
	}
	var out []fleet.Finding
	seen, last := map[place]bool{}, map[place]int{}
	count, hidden := map[place]int{}, map[place]int{}
	for _, f := range r.findings {
		if p := (place{f.Rule, f.File, f.Line}); f.Line > 0 && seen[p] {
			continue
		} else {
			seen[p] = true
		}
		inFile, inAll := place{rule: f.Rule, file: f.File}, place{rule: f.Rule}
		switch {
		case count[inFile] >= maxPerFile:
			hidden[inFile]++
		case count[inAll] >= maxPerRule:
			hidden[inAll]++
		default:
			count[inFile]++
			count[inAll]++
			out = append(out, f)
			last[inFile], last[inAll] = len(out)-1, len(out)-1
		}
	}
	for p, n := range hidden {
		where := "in this file"
		if p.file == "" {
			where = "in other files"
		}
		out[last[p]].Message += fmt.Sprintf(" (and %d more of this rule %s)", n, where)
	}
	return out
}

// shorten keeps an excerpt to one printable line.
func shorten(s string) string {
	s = strings.TrimSpace(s)
	s, _, _ = strings.Cut(s, "\n")
	s = strings.ToValidUTF8(s, "�")
	if r := []rune(s); len(r) > 160 {
		s = string(r[:160]) + "…"
	}
	return s
}

// allowance is one Allow entry.
type allowance struct {
	rule, glob string
}

func (a allowance) covers(file string) bool {
	return a.glob == "" || doublestar.MatchUnvalidated(a.glob, file)
}

func parseAllow(allow []string) ([]allowance, error) {
	var out []allowance
	for _, text := range allow {
		rule, glob, _ := strings.Cut(text, ":")
		if ruleNamed(rule) == nil {
			return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf("guard.allow names %q, which is no rule", rule), Hint: nearestRule(rule)}
		}
		if glob != "" && !doublestar.ValidatePattern(glob) {
			return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf("guard.allow has the glob %q, which is malformed", glob), Hint: `write "rule" or "rule:path-glob", such as "vendored:vendor/**"`}
		}
		out = append(out, allowance{rule, glob})
	}
	return out, nil
}

func nearestRule(name string) string {
	best, distance := "", 1+len(name)/2
	for _, rule := range table {
		if d := editDistance(name, rule.Name); d < distance {
			best, distance = rule.Name, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	names := make([]string, len(table))
	for i, rule := range table {
		names[i] = rule.Name
	}
	return "one of " + strings.Join(names, ", ")
}

func editDistance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
