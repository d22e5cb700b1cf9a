package source

import (
	"strconv"
	"strings"
)

// readRows finds tables of test data: lists of at least two elements that are themselves lists, records or
// calls holding literals; attributes that each hold one case; and lists inside annotations.
func (f *File) readRows() {
	table := 0
	for _, s := range f.openRuns() {
		table++
		f.tableRows(s, table)
	}
	for i, t := range f.Code {
		if t.Kind == Punct && (t.Text == "[" || t.Text == "{" || t.Text == "(") && f.pair[i] > i+1 && !(f.attribute(f.first[i]) && (f.first[i] == i || f.first[i] == i-1)) {
			table++
			f.tableAt(i, table)
		}
		if t.Kind == Ident && (f.at(i-1) == "[" || f.at(i-1) == "@" || f.at(i-1) == "#[" || f.at(i-1) == "," && f.attribute(f.first[i])) && f.at(i+1) == "(" {
			switch t.Text {
			case "InlineData", "TestCase", "DataRow", "case", "test_case", "TestWith", "MemberData", "Arguments":
				if t.Text != "case" || f.Lang.Name == "rust" {
					f.row(span{i, f.close(i+1) + 1}, -1)
				}
			case "ValueSource", "CsvSource", "EnumSource", "values", "parametrize":
				f.bareRows(i, table)
			}
		}
		if t.Text == "parametrize" && f.at(i-1) == "." && f.at(i+1) == "(" && f.Lang.Name == "python" {
			f.bareRows(i, table)
		}
		if t.Text == "each" && f.Lang.Name == "js" && f.at(i-1) == "." && f.at(i+1) == "(" && f.at(i+2) == "[" {
			f.bareRows(i, table)
		}
	}
}

func (f *File) row(s span, table int) {
	r := Row{Line: f.Code[s.from].Line, Text: f.text(s), Table: table}
	for j := s.from; j < s.to; j++ {
		switch t := f.Code[j]; t.Kind {
		case String:
			if r.Label == "" && f.labels(j) {
				r.Label = strconv.Quote(t.Value())
				continue
			}
			r.Literals = append(r.Literals, strconv.Quote(t.Value()))
		case Number:
			text := Normal(t.Text)
			if f.at(j-1) == "-" && (f.kind(j-2) == Punct) {
				text = "-" + text
			}
			r.Literals = append(r.Literals, text)
		case Ident:
			switch s := strings.ToLower(t.Text); s {
			case "true", "false", "null", "nil", "none":
				r.Literals = append(r.Literals, s)
			}
		}
	}
	if r.Label == "" && len(r.Literals) > 1 && strings.HasPrefix(r.Literals[0], `"`) && strings.Contains(r.Literals[0], " ") {
		r.Label, r.Literals = r.Literals[0], r.Literals[1:]
	}
	if len(r.Literals) > 0 {
		u := f.owner[s.from]
		u.Rows = append(u.Rows, r)
	}
}

// labels reports whether the string at j names a case: name: "…", id="…".
func (f *File) labels(j int) bool {
	if s := f.at(j - 1); s != ":" && s != "=" && s != "=>" {
		return false
	}
	switch strings.ToLower(strings.Trim(f.at(j-2), "\"'")) {
	case "name", "desc", "description", "title", "label", "scenario", "testname", "id", "comment", "reason", "case", "displayname", "msg", "message", "purpose", "about":
		return true
	}
	return false
}

// tableAt reads the group that opens at i when its elements are rows.
func (f *File) tableAt(i, table int) {
	if f.at(i) == "{" && f.blockBrace(i) || f.at(i) == "(" && f.Lang.Name != "python" && !f.listCall(i) {
		return
	}
	f.tableRows(span{i + 1, f.pair[i]}, table)
}

// openRuns are the stretches of a hunk that lie inside a bracket which the hunk does not close, or not open.
func (f *File) openRuns() []span {
	var out []span
	for n, start := range f.starts {
		end := len(f.Code)
		if n+1 < len(f.starts) {
			end = f.starts[n+1]
		}
		from := start
		for i := start; i < end; i++ {
			if t := f.Code[i]; t.Kind == Punct && f.pair[i] < 0 {
				switch t.Text {
				case "(", "[", "{", ")", "]", "}":
					out = append(out, span{from, i})
					from = i + 1
				}
			} else if f.pair[i] > i {
				i = f.pair[i]
			}
		}
		if from > start || start > 0 || end < len(f.Code) || f.partial {
			out = append(out, span{from, end})
		}
	}
	return out
}

// tableRows reads the elements of a list when they are rows.
func (f *File) tableRows(s span, table int) {
	if s.to <= s.from {
		return
	}
	elements := f.splitAt(s, ",")
	if n := len(elements); n > 0 && elements[n-1].from >= elements[n-1].to {
		elements = elements[:n-1]
	}
	rows := 0
	for _, e := range elements {
		if f.rowLike(e) {
			rows++
		}
	}
	if rows < 2 || rows*3 < len(elements)*2 && s.to-s.from < 4000 {
		return
	}
	for _, e := range elements {
		if f.rowLike(e) {
			f.row(e, table)
		}
	}
}

// blockBrace reports whether a brace opens statements rather than a literal.
func (f *File) blockBrace(i int) bool {
	switch f.Lang.Name {
	case "go", "c":
		switch p := f.at(i - 1); {
		case p == "{" || p == "," || p == "(" || p == "=" || p == ":":
			return false
		case p == "}": // []struct{ … }{ … }
			return f.pair[i-1] >= 0 && f.at(f.pair[i-1]-1) != "struct"
		default:
			return f.kind(i-1) != Ident || f.kind(i+1) == Ident && f.at(i+2) != ":" && f.at(i+2) != "{" && f.at(i+2) != "," && f.at(i+2) != "("
		}
	case "rust", "kotlin", "swift", "scala", "shell":
		return true
	}
	p := f.at(i - 1)
	return p == ")" || p == "=>" || p == "->" || p == ";" || p == "}" || p == "{" && f.Lang.Name != "java" && f.Lang.Name != "csharp"
}

// listCall reports whether a call makes a list: listOf(…), Stream.of(…), vec!(…).
func (f *File) listCall(i int) bool {
	switch f.at(i - 1) {
	case "of", "listOf", "arrayOf", "asList", "array", "List", "Set", "Arrays", "setOf", "sequenceOf", "forAll", "mapOf", "row", "table", "yield":
		return true
	}
	return false
}

// rowLike reports whether an element is a list, a record or a call, with a literal in it.
func (f *File) rowLike(e span) bool {
	n := e.to - e.from
	if n < 3 {
		return false
	}
	from := e.from
	if f.kind(from) == String && (f.at(from+1) == ":" || f.at(from+1) == "=>" || f.at(from+1) == "=") { // "name": {…}
		from += 2
	}
	if f.at(from) == "new" || f.at(from) == "&" {
		from++
	}
	for from < e.to && f.kind(from) == Ident {
		if from+1 < e.to && (f.at(from+1) == "." || f.at(from+1) == "::" || f.at(from+1) == "!") {
			from += 2
			continue
		}
		from++
		break
	}
	if s := f.at(from); from >= e.to || s != "{" && s != "[" && s != "(" || f.pair[from] != e.to-1 {
		return false
	}
	if f.at(from) == "(" && from > e.from { // a call: only constructors and known makers of rows
		name := f.at(from - 1)
		known := name == "param" || name == "arguments" || name == "of" || name == "array" || name == "row" || name == "Arguments" || name == "listOf" || name == "Pair" || name == "Triple" || name == "Case" || name == "Entry" || name == "case" || name == "tuple" || name == "Tuple"
		if !known && !(name != "" && name[0] >= 'A' && name[0] <= 'Z') {
			return false
		}
	}
	inner, groups := f.splitAt(span{from + 1, e.to - 1}, ","), 0
	for _, i := range inner {
		if s := f.at(i.from); i.to-i.from > 4 && (s == "(" || s == "[" || s == "{") && f.pair[i.from] == i.to-1 {
			groups++
		}
	}
	if groups >= 2 && groups*3 >= len(inner)*2 {
		return false // a table of its own
	}
	for j := from; j < e.to; j++ {
		if k := f.kind(j); k == String || k == Number {
			return true
		}
	}
	return false
}

// bareRows reads the plain literals of the first list in an annotation as rows.
func (f *File) bareRows(i, table int) {
	for j := i + 1; j < len(f.Code) && j <= f.close(i+1); j++ {
		if s := f.at(j); (s == "{" || s == "[") && f.pair[j] > j {
			for _, e := range f.splitAt(span{j + 1, f.pair[j]}, ",") {
				if e.to-e.from == 1 && (f.kind(e.from) == String || f.kind(e.from) == Number) {
					f.row(e, table)
				}
			}
			return
		}
	}
}
