package setting

import (
	"path"
	"strings"

	"gaggle/internal/guard/source"
)

// Setting is one value of a file.
type Setting struct {
	Path  string // lower case, parts joined by dots; as much of it as the text shows
	Name  string // the last part as it is written
	Value string // without quotes
	Item  bool   // one element of a list
	Line  int
}

// Block is a run of consecutive lines.
type Block struct {
	First int
	Lines []string
}

// Read returns the settings of a file, by the format that its name implies; nil for formats it does not know.
func Read(file string, blocks []Block) []Setting {
	var read func(b Block) []Setting
	base := strings.ToLower(path.Base(file))
	switch ext := path.Ext(base); {
	case ext == ".json" || ext == ".jsonc" || ext == ".json5" || ext == ".js" || ext == ".cjs" || ext == ".mjs" || ext == ".ts" || ext == ".mts" || base == ".eslintrc" || base == ".babelrc" || base == ".nycrc" || base == ".c8rc" || base == ".swcrc" || base == ".jshintrc" || base == ".mocharc":
		read = readObject
	case ext == ".yml" || ext == ".yaml" || ext == ".neon" || base == ".clang-tidy":
		read = readYAML
	case ext == ".toml" || ext == ".ini" || ext == ".cfg" || ext == ".properties" || ext == ".conf" || base == ".coveragerc" || base == ".flake8" || base == ".pylintrc" || base == "pylintrc" || base == ".editorconfig" || ext == ".globalconfig" || base == ".bandit" || base == ".isort.cfg" || base == "pipfile" || strings.HasSuffix(base, ".lock"):
		read = readINI
	case ext == ".xml" || strings.HasSuffix(ext, "proj") || ext == ".props" || ext == ".targets" || ext == ".ruleset" || ext == ".runsettings" || ext == ".dist":
		read = readXML
	default:
		return nil
	}
	var out []Setting
	for _, b := range blocks {
		out = append(out, read(b)...)
	}
	return out
}

func join(parts []string) string { return strings.ToLower(strings.Join(parts, ".")) }

// add appends a value of the path.
func add(out []Setting, parts []string, value string, item bool, line int) []Setting {
	name := ""
	if len(parts) > 0 {
		name = parts[len(parts)-1]
	}
	return append(out, Setting{Path: join(parts), Name: name, Value: value, Item: item, Line: line})
}

// readObject reads JSON and the object literals of JavaScript.
func readObject(b Block) []Setting {
	var out []Setting
	js := source.Of("x.js")
	var code []source.Token
	for _, t := range js.Lex(b.Lines, b.First) {
		if t.Kind != source.Comment {
			code = append(code, t)
		}
	}
	type frame struct {
		depth int // of keys
		list  bool
	}
	var keys []string
	var stack []frame
	pending := "" // a key that waits for its value
	push := func(list bool) {
		stack = append(stack, frame{len(keys), list})
		if pending != "" {
			keys = append(keys, pending)
			pending = ""
		}
	}
	for i := 0; i < len(code); i++ {
		t := code[i]
		next := ""
		if i+1 < len(code) {
			next = code[i+1].Text
		}
		switch {
		case t.Text == "{" || t.Text == "[" || t.Text == "(":
			push(t.Text == "[")
		case t.Text == "}" || t.Text == "]" || t.Text == ")":
			pending = ""
			if n := len(stack); n > 0 {
				keys = keys[:min(len(keys), stack[n-1].depth)]
				stack = stack[:n-1]
			}
		case (t.Kind == source.String || t.Kind == source.Ident || t.Kind == source.Number) && next == ":":
			pending = t.Value()
			i++
		case t.Text == ",":
			pending = ""
		case t.Kind == source.String || t.Kind == source.Number || t.Kind == source.Ident:
			value := t.Value()
			if i > 0 && code[i-1].Text == "-" {
				value = "-" + value
			}
			if pending != "" {
				out = add(out, append(keys[:len(keys):len(keys)], pending), value, false, t.Line)
				if next == "," || next == "}" {
					pending = ""
				}
			} else if len(stack) > 0 && stack[len(stack)-1].list {
				out = add(out, keys, value, true, t.Line)
			}
		}
	}
	return out
}

// readYAML reads block mappings and lists by their indentation; flow lists in one line become items.
func readYAML(b Block) []Setting {
	var out []Setting
	type level struct {
		indent int
		key    string
	}
	var levels []level
	parts := func() []string {
		p := make([]string, 0, len(levels))
		for _, l := range levels {
			if l.key != "" {
				p = append(p, l.key)
			}
		}
		return p
	}
	text := -1 // indentation of the key of a block scalar
	for n, raw := range b.Lines {
		line := strings.TrimRight(raw, " \t")
		body := strings.TrimLeft(line, " ")
		indent := len(line) - len(body)
		if body == "" || strings.HasPrefix(body, "#") && text < 0 {
			continue
		}
		if text >= 0 {
			if indent > text {
				out = add(out, parts(), body, true, b.First+n)
				continue
			}
			text = -1
		}
		for len(levels) > 0 && levels[len(levels)-1].indent >= indent {
			levels = levels[:len(levels)-1]
		}
		for strings.HasPrefix(body, "- ") || body == "-" {
			rest := strings.TrimLeft(strings.TrimPrefix(body, "-"), " ")
			levels = append(levels, level{indent, ""})
			indent += len(body) - len(rest)
			body = rest
			if _, _, isKey := cutKey(body); !isKey && body != "" {
				for _, v := range flow(body) {
					out = add(out, parts(), v, true, b.First+n)
				}
				body = ""
			}
		}
		key, value, ok := cutKey(body)
		if !ok {
			continue
		}
		levels = append(levels, level{indent, key})
		switch {
		case value == "":
		case value[0] == '|' || value[0] == '>':
			text = indent
		case value[0] == '[':
			for _, v := range flow(value) {
				out = add(out, parts(), v, true, b.First+n)
			}
		default:
			out = add(out, parts(), unquote(uncomment(value)), false, b.First+n)
		}
	}
	return out
}

// cutKey splits "key: value".
func cutKey(s string) (key, value string, ok bool) {
	if s == "" {
		return "", "", false
	}
	if s[0] == '"' || s[0] == '\'' {
		end := strings.IndexByte(s[1:], s[0])
		if end < 0 || !strings.HasPrefix(strings.TrimLeft(s[end+2:], " "), ":") {
			return "", "", false
		}
		return s[1 : end+1], strings.TrimSpace(strings.TrimLeft(s[end+2:], " ")[1:]), true
	}
	if i := strings.Index(s, ": "); i > 0 {
		return strings.TrimSpace(s[:i]), strings.TrimSpace(s[i+2:]), true
	}
	if strings.HasSuffix(s, ":") {
		return s[:len(s)-1], "", true
	}
	return "", "", false
}

// flow returns the elements of [a, b], or the one value that a text is.
func flow(s string) []string {
	s = uncomment(s)
	if !strings.HasPrefix(s, "[") {
		return []string{unquote(s)}
	}
	var out []string
	for _, v := range strings.Split(strings.Trim(s, "[]"), ",") {
		if v = unquote(strings.TrimSpace(v)); v != "" {
			out = append(out, v)
		}
	}
	return out
}

func uncomment(s string) string {
	if i := strings.Index(s, " #"); i >= 0 {
		s = s[:i]
	}
	return strings.TrimSpace(s)
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// readINI reads TOML, INI and properties files.
func readINI(b Block) []Setting {
	var out []Setting
	var section []string
	key, open := "", false // a key whose list or indented lines go on
	for n, raw := range b.Lines {
		line := strings.TrimSpace(raw)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if open {
			for _, v := range items(line) {
				out = add(out, append(section[:len(section):len(section)], key), v, true, b.First+n)
			}
			if strings.HasPrefix(strings.TrimSpace(strings.TrimSuffix(uncomment(line), ",")), "]") || strings.HasSuffix(uncomment(line), "]") && !strings.Contains(line, "[") {
				open = false
			}
			continue
		}
		if line[0] == '[' && strings.HasSuffix(uncomment(line), "]") {
			name := strings.Trim(uncomment(line), "[]")
			section = strings.Split(strings.ReplaceAll(name, `"`, ""), ".")
			key = ""
			continue
		}
		if key != "" && (raw[0] == ' ' || raw[0] == '\t') {
			if _, _, ok := cutAssign(line); !ok || !strings.Contains(line, " = ") {
				for _, v := range items(line) { // an INI value over several lines
					out = add(out, append(section[:len(section):len(section)], key), v, true, b.First+n)
				}
				continue
			}
		}
		k, v, ok := cutAssign(line)
		if !ok {
			continue
		}
		key = k
		p := append(section[:len(section):len(section)], strings.Split(key, ".")...)
		switch {
		case strings.HasPrefix(v, "["):
			for _, e := range items(v) {
				out = add(out, p, e, true, b.First+n)
			}
			open = !strings.Contains(uncomment(v), "]")
		case strings.HasPrefix(v, "{"):
			for _, e := range strings.Split(strings.Trim(uncomment(v), "{}"), ",") {
				if k2, v2, ok := cutAssign(strings.TrimSpace(e)); ok {
					out = add(out, append(p[:len(p):len(p)], k2), unquote(v2), false, b.First+n)
				}
			}
		case v != "":
			out = add(out, p, unquote(uncomment(v)), false, b.First+n)
		}
	}
	return out
}

func cutAssign(s string) (key, value string, ok bool) {
	i := strings.IndexAny(s, "=:")
	if i <= 0 {
		return "", "", false
	}
	return strings.Trim(strings.TrimSpace(s[:i]), `"'`), strings.TrimSpace(s[i+1:]), true
}

// items returns the elements of one line of a list.
func items(s string) []string {
	var out []string
	for _, v := range strings.Split(strings.Trim(uncomment(s), "[] "), ",") {
		if v = unquote(strings.TrimSpace(strings.Trim(strings.TrimSpace(v), "[]"))); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// readXML reads elements and attributes.
func readXML(b Block) []Setting {
	var out []Setting
	var stack []string
	line := b.First
	text := strings.Join(b.Lines, "\n")
	for text != "" {
		open := strings.IndexByte(text, '<')
		content := text
		if open >= 0 {
			content = text[:open]
		}
		if v := strings.TrimSpace(content); v != "" && len(stack) > 0 {
			lead := strings.Count(content[:strings.Index(content, v)], "\n")
			out = add(out, stack, v, false, line+lead)
		}
		line += strings.Count(content, "\n")
		if open < 0 {
			break
		}
		text = text[open:]
		skip := ">"
		switch {
		case strings.HasPrefix(text, "<!--"):
			skip = "-->"
		case strings.HasPrefix(text, "<![CDATA["):
			skip = "]]>"
		}
		end := strings.Index(text, skip)
		if end < 0 {
			break
		}
		tag := text[1:end]
		switch {
		case skip != ">" || strings.HasPrefix(tag, "?") || strings.HasPrefix(tag, "!"):
		case strings.HasPrefix(tag, "/"):
			if len(stack) > 0 {
				stack = stack[:len(stack)-1]
			}
		default:
			name, attributes, _ := strings.Cut(strings.TrimSuffix(strings.Join(strings.Fields(tag), " "), "/"), " ")
			stack = append(stack, name)
			for attributes != "" {
				k, rest, ok := strings.Cut(attributes, "=")
				rest = strings.TrimSpace(rest)
				if !ok || rest == "" || rest[0] != '"' && rest[0] != '\'' {
					break
				}
				stop := strings.IndexByte(rest[1:], rest[0])
				if stop < 0 {
					break
				}
				out = add(out, append(stack[:len(stack):len(stack)], strings.TrimSpace(k)), rest[1:stop+1], false, line)
				attributes = strings.TrimSpace(rest[stop+2:])
			}
			if strings.HasSuffix(tag, "/") {
				stack = stack[:len(stack)-1]
			}
		}
		line += strings.Count(text[:end+len(skip)], "\n")
		text = text[end+len(skip):]
		if len(stack) > 60 {
			stack = stack[:60]
		}
	}
	return out
}
