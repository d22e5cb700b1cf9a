package source

import (
	"strings"
	"unicode/utf8"
)

// prefixed reads a string whose opening quote follows a prefix: r"", b"", f"", u8"", r#""#.
func (x *lexer) prefixed(word string, i int) bool {
	if len(word) > 3 {
		return false
	}
	q := x.src[i]
	switch x.lang.Name {
	case "python":
		if (q == '"' || q == '\'') && strings.Trim(strings.ToLower(word), "rbfut") == "" {
			x.quoted(i, !strings.ContainsAny(word, "rR"))
			return true
		}
	case "rust":
		if (word == "r" || word == "br" || word == "cr") && (q == '"' || q == '#') {
			j := i
			for j < len(x.src) && x.src[j] == '#' {
				j++
			}
			if j < len(x.src) && x.src[j] == '"' {
				closing := `"` + x.src[i:j]
				if end := strings.Index(x.src[j+1:], closing); end >= 0 {
					x.emit(String, j+1+end+len(closing))
				} else {
					x.emit(String, len(x.src))
				}
				return true
			}
		}
		if word == "b" && (q == '"' || q == '\'') {
			x.quoted(i, true)
			return true
		}
	case "c":
		if strings.HasSuffix(word, "R") && q == '"' {
			open := strings.IndexByte(x.src[i:], '(')
			if open > 0 && open < 20 {
				closing := ")" + x.src[i+1:i+open] + `"`
				if end := strings.Index(x.src[i+open:], closing); end >= 0 {
					x.emit(String, i+open+end+len(closing))
					return true
				}
			}
		}
	}
	return false
}

func (x *lexer) number() {
	i := x.pos
	for i < len(x.src) {
		c := x.src[i]
		exponent := (c == '+' || c == '-') && i > x.pos && (x.src[i-1] == 'e' || x.src[i-1] == 'E') && !strings.HasPrefix(x.src[x.pos:i], "0x")
		dot := c == '.' && i+1 < len(x.src) && isDigit(x.src[i+1])
		if !isDigit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '_' && !exponent && !dot {
			break
		}
		i++
	}
	x.emit(Number, i)
}

// stringHere reads a string, a character or a regular expression when one begins here.
func (x *lexer) stringHere() bool {
	c, l := x.src[x.pos], x.lang
	switch {
	case l.Name == "csharp" && (c == '@' || c == '$'):
		i := x.pos
		for i < len(x.src) && (x.src[i] == '@' || x.src[i] == '$') {
			i++
		}
		if i < len(x.src) && x.src[i] == '"' {
			if strings.HasPrefix(x.src[i:], `"""`) {
				x.quoted(i, false)
			} else if strings.Contains(x.src[x.pos:i], "@") {
				x.verbatim(i)
			} else {
				x.quoted(i, true)
			}
			return true
		}
		return false
	case l.Name == "rust" && c == '\'':
		return x.rustQuote()
	case l.heredoc != "" && x.has(l.heredoc):
		return x.openHeredoc()
	case strings.IndexByte(l.quotes, c) >= 0 && c != 0, strings.IndexByte(l.multi, c) >= 0:
		x.quoted(x.pos, !(l.Name == "go" && c == '`') && !(l.Name == "shell" && c == '\''))
		return true
	case l.regex && c == '/':
		return x.regexHere()
	}
	return false
}

// rustQuote tells a character from a lifetime.
func (x *lexer) rustQuote() bool {
	rest := x.src[x.pos+1:]
	if strings.HasPrefix(rest, `\`) {
		if end := strings.IndexByte(rest[min(2, len(rest)):], '\''); end >= 0 && end < 12 {
			x.emit(String, x.pos+1+2+end+1)
			return true
		}
		return false
	}
	_, size := utf8.DecodeRuneInString(rest)
	if size > 0 && len(rest) > size && rest[size] == '\'' {
		x.emit(String, x.pos+1+size+1)
		return true
	}
	return false
}

// verbatim reads C#'s @"…", in which "" is a quote.
func (x *lexer) verbatim(i int) {
	for i++; i < len(x.src); i++ {
		if x.src[i] == '"' {
			if i+1 < len(x.src) && x.src[i+1] == '"' {
				i++
				continue
			}
			x.emit(String, i+1)
			return
		}
	}
	x.emit(String, len(x.src))
}

// quoted reads a string whose opening quote stands at i.
func (x *lexer) quoted(i int, escapes bool) {
	l, q := x.lang, x.src[i]
	many := strings.IndexByte(l.multi, q) >= 0
	closing := string(q)
	if l.triple && (q == '"' || l.Name == "python" || l.Name == "groovy" || l.Name == "dart") && strings.HasPrefix(x.src[i:], strings.Repeat(closing, 3)) {
		closing, many = strings.Repeat(closing, 3), true
	}
	for i += len(closing); i < len(x.src); {
		switch {
		case escapes && x.src[i] == '\\':
			i += 2
		case x.src[i] == '\n' && !many:
			x.emit(String, i) // an apostrophe in text, or a hunk's edge
			return
		case strings.HasPrefix(x.src[i:], closing):
			x.emit(String, i+len(closing))
			return
		case l.interpolate != "" && q != '\'' && strings.HasPrefix(x.src[i:], l.interpolate):
			i = x.nestedEnd(i+len(l.interpolate), many)
		default:
			i++
		}
	}
	x.emit(String, len(x.src))
}

// nestedEnd skips an expression inside a string up to its closing brace.
func (x *lexer) nestedEnd(i int, many bool) int {
	for depth := 1; i < len(x.src) && depth > 0; i++ {
		switch x.src[i] {
		case '{':
			depth++
		case '}':
			depth--
		case '\n':
			if !many {
				return i
			}
		}
	}
	return i
}

// regexHere reads /…/ where an expression may begin.
func (x *lexer) regexHere() bool {
	switch p := x.prev; p.Kind {
	case Number, String:
		return false
	case Ident:
		switch p.Text {
		case "return", "typeof", "case", "in", "of", "and", "or", "not", "if", "unless", "when", "match", "to", "=~":
		default:
			return false
		}
	case Punct:
		if p.Text == ")" || p.Text == "]" || p.Text == "}" {
			return false
		}
	}
	class := false
	for i := x.pos + 1; i < len(x.src) && x.src[i] != '\n'; i++ {
		switch x.src[i] {
		case '\\':
			i++
		case '[':
			class = true
		case ']':
			class = false
		case '/':
			if class {
				continue
			}
			for i++; i < len(x.src) && x.src[i] >= 'a' && x.src[i] <= 'z'; i++ {
			}
			x.emit(String, i)
			return true
		}
	}
	return false
}

// openHeredoc notes a here document; its lines are read after this one.
func (x *lexer) openHeredoc() bool {
	rest := x.src[x.pos+len(x.lang.heredoc):]
	dash := strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "~")
	word := strings.TrimLeft(rest, "-~")
	if x.lang.Name == "php" {
		word = strings.TrimLeft(rest, " ")
	}
	word = strings.TrimLeft(word, `"'`)
	n := 0
	for n < len(word) && (isNameStart(word[n], x.lang) || isDigit(word[n])) {
		n++
	}
	if n == 0 || x.lang.Name == "ruby" && (word[0] < 'A' || word[0] > 'Z') || strings.HasPrefix(rest, "<") || strings.HasPrefix(rest, " ") && x.lang.Name == "ruby" {
		return false
	}
	x.docs = append(x.docs, heredoc{word[:n], dash || x.lang.Name != "shell"})
	x.emit(Punct, x.pos+len(x.lang.heredoc))
	return true
}

// hereDocuments reads the bodies of the documents that the last line opened, each as one string.
func (x *lexer) hereDocuments() {
	for _, d := range x.docs {
		end := x.pos
		for end < len(x.src) {
			stop := strings.IndexByte(x.src[end:], '\n')
			text := x.src[end:]
			if stop >= 0 {
				text = x.src[end : end+stop]
			}
			if text == d.end || d.indent && strings.HasPrefix(strings.TrimLeft(text, " \t"), d.end) {
				break
			}
			if stop < 0 {
				end = len(x.src)
				break
			}
			end += stop + 1
		}
		if end > x.pos {
			x.emit(String, end)
		}
		if end < len(x.src) {
			x.pos = x.lineEnd() // the closing word
		}
	}
	x.docs = nil
}
