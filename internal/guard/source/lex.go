package source

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is what a token is.
type Kind uint8

// The kinds of tokens.
const (
	Ident Kind = iota
	Number
	String
	Punct
	Comment
)

// Token is one word of a file. A comment or string of several lines is one token for each of its lines when it is
// a comment, and one for all when it is a string.
type Token struct {
	Kind  Kind
	First bool // nothing but space stands before it on its line
	Text  string
	Line  int
	Col   int // bytes before it on its line
}

// lexer walks over one block of lines.
type lexer struct {
	lang *Language
	src  string
	pos  int
	line int
	out  []Token
	prev Token // last token that is no comment
	docs []heredoc

	lastLine  int // line of the end of the last token
	lineStart int // offset of the current line
}

type heredoc struct {
	end    string
	indent bool
}

// Lex returns the tokens of consecutive lines, the first of which has the number first.
func (l *Language) Lex(lines []string, first int) []Token {
	size := 0
	for _, s := range lines {
		size += len(s) + 1
	}
	x := &lexer{lang: l, src: strings.Join(lines, "\n"), line: first, out: make([]Token, 0, size/5)}
	x.skipOpenComment()
	for x.pos < len(x.src) {
		x.next()
	}
	return x.out
}

// skipOpenComment handles a hunk that begins inside a block comment: one that closes before any opens.
func (x *lexer) skipOpenComment() {
	l := x.lang
	if l.blockOpen == "" || x.line <= 1 {
		return
	}
	end := strings.Index(x.src, l.blockClose)
	if end < 0 {
		// A hunk that lies wholly inside a doc comment: each line begins with a star.
		if all := strings.Split(x.src, "\n"); allStars(all) {
			x.comment(len(x.src))
		}
		return
	}
	open := strings.Index(x.src, l.blockOpen)
	if open >= 0 && open < end {
		return
	}
	// "*/" also appears in globs and regular expressions: only believe one on a line that looks like a comment's end.
	start := strings.LastIndexByte(x.src[:end], '\n') + 1
	if before := strings.TrimSpace(x.src[start:end]); strings.ContainsAny(before, "\"'`;(){}") {
		return
	}
	x.comment(end + len(l.blockClose))
}

func allStars(lines []string) bool {
	for _, s := range lines {
		if !strings.HasPrefix(strings.TrimSpace(s), "*") {
			return false
		}
	}
	return len(lines) > 0
}

func (x *lexer) emit(k Kind, end int) {
	t := Token{Kind: k, Text: x.src[x.pos:end], Line: x.line, Col: x.pos - x.lineStart, First: x.line != x.lastLine}
	x.out = append(x.out, t)
	x.prev = t
	x.line += strings.Count(t.Text, "\n")
	x.lastLine = x.line
	x.pos = end
	if i := strings.LastIndexByte(t.Text, '\n'); i >= 0 {
		x.lineStart = end - len(t.Text) + i + 1
	}
}

// comment emits the text up to end as comments, one a line.
func (x *lexer) comment(end int) {
	for _, part := range strings.Split(x.src[x.pos:end], "\n") {
		x.out = append(x.out, Token{Kind: Comment, Text: part, Line: x.line})
		x.line++
	}
	x.line--
	if i := strings.LastIndexByte(x.src[x.pos:end], '\n'); i >= 0 {
		x.lineStart = x.pos + i + 1
	}
	x.pos = end
}

func (x *lexer) has(s string) bool { return s != "" && strings.HasPrefix(x.src[x.pos:], s) }

func (x *lexer) lineEnd() int {
	if i := strings.IndexByte(x.src[x.pos:], '\n'); i >= 0 {
		return x.pos + i
	}
	return len(x.src)
}

func (x *lexer) next() {
	c, l := x.src[x.pos], x.lang
	switch {
	case c == '\n':
		x.pos++
		x.line++
		x.lineStart = x.pos
		if len(x.docs) > 0 {
			x.hereDocuments()
		}
		return
	case c == ' ' || c == '\t' || c == '\r' || c == '\f':
		x.pos++
		return
	}
	if l.blockOpen != "" && x.has(l.blockOpen) {
		x.comment(x.blockEnd())
		return
	}
	if l.Name == "ruby" && x.has("=begin") && (x.pos == 0 || x.src[x.pos-1] == '\n') {
		end := strings.Index(x.src[x.pos:], "\n=end")
		if end < 0 {
			end = len(x.src) - x.pos - 5
		}
		x.comment(min(len(x.src), x.pos+max(end, 0)+5))
		return
	}
	for _, m := range l.lineComments {
		if x.has(m) && x.commentHere(m) {
			x.comment(x.lineEnd())
			return
		}
	}
	switch {
	case isNameStart(c, l) || c >= utf8.RuneSelf:
		x.name()
	case c >= '0' && c <= '9' || c == '.' && x.pos+1 < len(x.src) && isDigit(x.src[x.pos+1]) && x.prev.Kind == Punct:
		x.number()
	case x.stringHere():
	default:
		x.punct()
	}
}

// commentHere tells a # that opens a comment from one that does not.
func (x *lexer) commentHere(mark string) bool {
	if mark != "#" {
		return true
	}
	switch x.lang.Name {
	case "php":
		return !x.has("#[")
	case "shell":
		return x.pos == 0 || strings.IndexByte(" \t\n;&|(", x.src[x.pos-1]) >= 0
	}
	return true
}

func (x *lexer) blockEnd() int {
	l, i, depth := x.lang, x.pos+len(x.lang.blockOpen), 1
	for i < len(x.src) {
		switch {
		case strings.HasPrefix(x.src[i:], l.blockClose):
			i += len(l.blockClose)
			if depth--; depth == 0 {
				return i
			}
		case l.nested && strings.HasPrefix(x.src[i:], l.blockOpen):
			i += len(l.blockOpen)
			depth++
		default:
			i++
		}
	}
	return len(x.src)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNameStart(c byte, l *Language) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' && l.dollar
}

func (x *lexer) name() {
	i := x.pos
	for i < len(x.src) {
		c := x.src[i]
		if c < utf8.RuneSelf {
			if !isNameStart(c, x.lang) && !isDigit(c) && !(x.lang.Name == "shell" && c == '-' && i > x.pos) {
				break
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(x.src[i:])
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && r != '\u200c' && r != '\u200d' {
			break
		}
		i += size
	}
	if i == x.pos {
		_, size := utf8.DecodeRuneInString(x.src[i:])
		x.emit(Punct, i+size)
		return
	}
	word := x.src[x.pos:i]
	if i < len(x.src) && x.prefixed(word, i) {
		return
	}
	if x.lang.Name == "ruby" && i < len(x.src) && (x.src[i] == '?' || x.src[i] == '!') && (i+1 >= len(x.src) || x.src[i+1] != '=') {
		i++
	}
	x.emit(Ident, i)
}

var operators = []string{"===", "!==", "<=>", "...", "**=", "&&", "||", "==", "!=", "<=", ">=", "=>", "->", "::", "?.", "??", ":=", "+=", "-=", "=~", "!~", "..", "++", "--", "#[", "<<", "?:"}

func (x *lexer) punct() {
	for _, op := range operators {
		if x.has(op) && (op != "#[" || x.lang.Name == "php" || x.lang.Name == "rust") {
			if op == "<<" || op == "#[" && x.lang.Name == "rust" {
				break
			}
			x.emit(Punct, x.pos+len(op))
			return
		}
	}
	x.emit(Punct, x.pos+1)
}

// Value returns what a string literal holds, without its quotes and prefix.
func (t Token) Value() string {
	if t.Kind != String {
		return t.Text
	}
	s := strings.TrimLeft(t.Text, "rbfutRBFUTc#@$")
	if strings.HasSuffix(s, "#") { // Rust's r#"…"#
		s = strings.TrimRight(s, "#")
	}
	for _, q := range []string{`"""`, "'''", `"`, "'", "`", "/"} {
		if strings.HasPrefix(s, q) && len(s) >= 2*len(q) && strings.HasSuffix(s, q) {
			return s[len(q) : len(s)-len(q)]
		}
	}
	return t.Text
}
