package source

import "strings"

// callUnit reads tests that are calls: it("…", () => {…}), t.Run("…", func…), It("…", func() {…}), test("…") {…}.
func (f *File) callUnit(i int) *Unit {
	t := f.Code[i]
	if t.Kind == String && (f.Lang.Name == "kotlin" || f.Lang.Name == "scala") {
		return f.stringUnit(i)
	}
	if t.Kind != Ident {
		return nil
	}
	run := f.Lang.Name == "go" && t.Text == "Run" && f.at(i-1) == "." && f.at(i+1) == "("
	group := groupCalls[t.Text]
	if !run && !group && !caseCalls[t.Text] {
		return nil
	}
	if f.Lang.Name == "go" && !run && t.Text[0] >= 'a' {
		return nil
	}
	start := i
	switch f.at(i - 1) {
	case ".":
		if !run && f.at(i-2) != "Deno" && f.at(i-2) != "QUnit" && f.at(i-2) != "RSpec" {
			return nil
		}
		start = i - 2
	case "function", "def", "fun", "func", "fn", "->", "::", "new", "class", "import", ":":
		return nil
	}
	u := &Unit{Kind: Test, Found: true, start: start}
	if group {
		u.Kind, u.Found = Suite, false
	}
	name, end, body := "", -1, -1
	for j := i + 1; j < len(f.Code); {
		switch {
		case f.at(j) == "." && f.kind(j+1) == Ident:
			if f.at(j+1) == "describe" || f.at(j+1) == "suite" {
				u.Kind, u.Found = Suite, false
			}
			j += 2
			continue
		case f.kind(j) == String && f.Lang.Name == "js": // each`table`
			j++
			continue
		case f.at(j) == "<" && f.Lang.Name == "js": // each<T>(
			k := j
			for k < len(f.Code) && k < j+40 && f.at(k) != "(" {
				k++
			}
			j = k
			if f.at(j) == "(" {
				continue
			}
		case f.at(j) == "(":
			if name == "" {
				name = f.nameIn(j)
			}
			if name != "" && body < 0 {
				body = j + 1
			}
			end = f.close(j) + 1
			j = end
			continue
		case f.at(j) == "{" && end == j && f.Lang.Name != "js" && f.Lang.Name != "go" && f.Lang.Name != "php":
			body, end = j, f.close(j)+1
		}
		break
	}
	if end < 0 || name == "" || body < 0 {
		return nil
	}
	u.Short, u.end, u.body = name, end, body
	return u
}

// nameIn returns the name that a test call gives as its first argument, or "".
func (f *File) nameIn(open int) string {
	switch {
	case f.kind(open+1) == String:
		return f.Code[open+1].Value()
	case f.kind(open+1) == Ident && (f.at(open+2) == "," || f.at(open+2) == ".") && f.Lang.Name == "js":
		return f.at(open + 1)
	}
	return ""
}

// stringUnit reads "name" { … } of Kotest and "name" in { … } of ScalaTest.
func (f *File) stringUnit(i int) *Unit {
	j := i + 1
	for n := 0; n < 3 && f.at(j) != "{"; n++ {
		switch {
		case f.at(j) == "in" || f.at(j) == "should" || f.at(j) == "when" || f.at(j) == "-":
			j++
		case f.kind(j) == String && n > 0:
			j++
		default:
			return nil
		}
	}
	if f.at(j) != "{" || !f.Code[i].First {
		return nil
	}
	return &Unit{Kind: Test, Found: true, Short: f.Code[i].Value(), start: i, body: j, end: f.close(j) + 1}
}

// pythonUnit reads def and class with their decorators.
func (f *File) pythonUnit(i int) *Unit {
	t := f.Code[i]
	if t.Text != "def" && t.Text != "class" || f.kind(i+1) != Ident {
		return nil
	}
	if !t.First && f.at(i-1) != "async" {
		return nil
	}
	head := f.Code[f.first[i]]
	body := i + 2
	for body < len(f.Code) && f.at(body) != ":" {
		if s := f.at(body); s == "(" || s == "[" {
			body = f.close(body)
		}
		body++
	}
	end := len(f.Code)
	for j := body + 1; j < len(f.Code); j++ {
		if f.Code[j].First && f.up[j] < 0 && f.Code[j].Col <= head.Col || f.Code[j].Line < head.Line {
			end = j
			break
		}
	}
	u := &Unit{Kind: Helper, Short: f.at(i + 1), start: f.headStart(i), body: body, end: end}
	if t.Text == "class" {
		u.Kind = Suite
		u.Found = strings.HasPrefix(u.Short, "Test")
		for j := i + 2; j < body; j++ {
			u.Found = u.Found || strings.Contains(f.at(j), "Test")
		}
		return u
	}
	if pyTest.MatchString(u.Short) {
		u.Kind, u.Found = Test, true
		for k := len(f.Units) - 1; k >= 0; k-- {
			if c := f.Units[k]; c.Kind == Suite && c.end > i {
				u.Found = c.Found
				break
			}
		}
	}
	return u
}

// rubyUnit reads def, describe … do and it … do, to the end at the same indentation.
func (f *File) rubyUnit(i int) *Unit {
	t := f.Code[i]
	if t.Kind != Ident {
		return nil
	}
	word, at := t.Text, i
	if word == "RSpec" && f.at(i+1) == "." {
		at = i + 2
		word = f.at(at)
	}
	def := word == "def" || word == "class" || word == "module"
	group := groupCalls[word]
	if !t.First || !def && !group && !caseCalls[word] {
		return nil
	}
	last := at
	for last+1 < len(f.Code) && (f.first[last+1] == f.first[i] || f.Code[last+1].Line == t.Line) {
		last++
	}
	u := &Unit{Kind: Test, Found: true, start: i, end: last + 1, body: min(at+1, len(f.Code))}
	switch {
	case def:
		u.Short = f.at(at + 1)
		if u.Short == "self" {
			u.Short = f.at(at + 3)
		}
		if word != "def" {
			u.Kind, u.Found = Suite, false
		} else if !strings.HasPrefix(u.Short, "test_") {
			u.Kind, u.Found = Helper, false
		}
	default:
		if group {
			u.Kind, u.Found = Suite, false
		}
		for j := at + 1; j <= last; j++ {
			if k := f.kind(j); k == String || k == Ident && f.at(j) != "do" {
				u.Short = f.Code[j].Value()
				break
			}
		}
		opens := false
		for j := at + 1; j <= last; j++ {
			if f.at(j) == "do" {
				opens = true
			}
			if f.at(j) == "{" && f.pair[j] > 0 && f.pair[j] >= last {
				u.end = f.pair[j] + 1
				return u
			}
		}
		if !opens {
			if word == "it" || word == "xit" || word == "pending" {
				return u // pending: no body
			}
			return nil
		}
	}
	for j := last + 1; j < len(f.Code); j++ {
		if f.Code[j].First && f.Code[j].Col <= t.Col {
			u.end = j
			if f.at(j) == "end" {
				u.end = j + 1
			}
			return u
		}
	}
	u.end = len(f.Code)
	return u
}

// shellUnit reads name() { … } and @test "…" { … }.
func (f *File) shellUnit(i int) *Unit {
	t := f.Code[i]
	if !t.First {
		return nil
	}
	u := &Unit{Kind: Helper, Short: t.Text, start: i}
	j := i + 1
	switch {
	case t.Text == "@" && f.at(j) == "test" && f.kind(j+1) == String:
		u.Kind, u.Found, u.Short = Test, true, f.Code[j+1].Value()
		j += 2
	case t.Text == "function" && f.kind(j) == Ident:
		u.Short = f.at(j)
		if j++; f.at(j) == "(" {
			j += 2
		}
	case t.Kind == Ident && f.at(j) == "(" && f.at(j+1) == ")":
		j += 2
	default:
		return nil
	}
	if f.at(j) != "{" && f.at(j) != "(" {
		return nil
	}
	if anyTest.MatchString(u.Short) && u.Kind == Helper {
		u.Kind, u.Found = Test, true
	}
	u.body, u.end = j, f.close(j)+1
	return u
}
