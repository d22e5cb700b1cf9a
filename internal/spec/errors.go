package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gaggle/internal/fleet"
)

// maxProblems bounds what one file can say about itself: past it, reading on helps nobody.
const maxProblems = 50

// Errors is everything wrong in one file, in the file's order, each problem once. It is never empty.
type Errors struct {
	List []*fleet.Error
	More int // problems left out of List
}

// Error renders one problem a line, without the hints.
func (e *Errors) Error() string {
	var b strings.Builder
	for i, p := range e.List {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.Error())
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\nand %d more", e.More)
	}
	return b.String()
}

// Unwrap lets errors.As and fleet.CodeOf see the problems.
func (e *Errors) Unwrap() []error {
	list := make([]error, len(e.List))
	for i, p := range e.List {
		list[i] = p
	}
	return list
}

// problems gathers what is wrong while a file is read.
type problems struct {
	file string
	list []*fleet.Error
	shut map[position]bool // places where nothing more is reported: what is wrong there is known
}

func (p *problems) add(at position, hint, format string, args ...any) {
	if p.shut[at] {
		return
	}
	p.list = append(p.list, &fleet.Error{
		Code: fleet.CodeInvalid, File: p.file, Line: at.line, Column: at.column,
		Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// err returns nil, or Errors in the file's order.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b *fleet.Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	e := &Errors{List: p.list}
	if len(e.List) > maxProblems {
		e.List, e.More = e.List[:maxProblems], len(e.List)-maxProblems
	}
	return e
}
