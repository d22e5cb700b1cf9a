package spec

import (
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// position is a place in a file, 1-based; the column counts characters, not bytes.
type position struct{ line, column int }

// source is a file's text, kept to find places inside it.
type source struct {
	text  []rune
	lines []int // index in text where each line starts
}

func newSource(data []byte) *source {
	s := &source{text: []rune(string(data)), lines: []int{0}}
	for i, r := range s.text {
		if r == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// line returns the text of a 1-based line, without its end.
func (s *source) line(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	end := len(s.text)
	if n < len(s.lines) {
		end = s.lines[n] - 1
	}
	return strings.TrimSuffix(string(s.text[s.lines[n-1]:end]), "\r")
}

func start(n *yaml.Node) position { return position{max(n.Line, 1), max(n.Column, 1)} }

// within finds the place in the file of the character at offset (in characters) of a scalar's value. YAML may have
// folded, indented or escaped the text in between; where the two cannot be matched up, the scalar's start is returned.
//
// Folding and indenting touch white space only, so it is enough to walk both texts from one visible character to the next.
func (s *source) within(n *yaml.Node, offset int) position {
	at := start(n)
	if n.Kind != yaml.ScalarNode || at.line > len(s.lines) {
		return at
	}
	src := s.lines[at.line-1] + at.column - 1
	switch n.Style {
	case yaml.LiteralStyle, yaml.FoldedStyle:
		if at.line >= len(s.lines) {
			return at
		}
		src = s.lines[at.line] // the text starts below the line with the | or >
	case yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle:
		src++
	}
	value := []rune(n.Value)
	offset = min(max(offset, 0), len(value))
	for i, r := range value {
		if i == offset && unicode.IsSpace(r) {
			return s.place(src)
		}
		if unicode.IsSpace(r) {
			continue
		}
		from, width := s.visible(src, n.Style, r)
		if width == 0 {
			return at
		}
		if i == offset {
			return s.place(from)
		}
		src = from + width
	}
	return s.place(src)
}

// visible skips white space from index src on and returns where the next character of a scalar is written, and in how
// many characters; width 0 means that it is not r.
func (s *source) visible(src int, style yaml.Style, r rune) (from, width int) {
	for src < len(s.text) {
		c := s.text[src]
		if unicode.IsSpace(c) {
			src++
			continue
		}
		if style != yaml.DoubleQuotedStyle || c != '\\' {
			if c != r {
				return src, 0
			}
			if style == yaml.SingleQuotedStyle && c == '\'' {
				return src, 2
			}
			return src, 1
		}
		decoded, width := s.escape(src)
		if width > 0 && !unicode.IsSpace(decoded) {
			if decoded != r {
				width = 0
			}
			return src, width
		}
		src += max(width, 1)
	}
	return src, 0
}

// escape reads a double-quoted scalar's escape at index src: the character that it stands for and its width.
func (s *source) escape(src int) (r rune, width int) {
	if src+1 >= len(s.text) {
		return 0, 0
	}
	digits := 0
	switch c := s.text[src+1]; c {
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	case 'n', 't', 'r', 'N', '_', 'L', 'P', 'v', 'f', '\n', '\r':
		return ' ', 2
	case '0':
		return 0, 2
	case 'a':
		return '\a', 2
	case 'b':
		return '\b', 2
	case 'e':
		return 0x1b, 2
	default:
		return c, 2
	}
	if src+2+digits > len(s.text) {
		return 0, 0
	}
	for _, d := range s.text[src+2 : src+2+digits] {
		v := strings.IndexRune("0123456789abcdef", unicode.ToLower(d))
		if v < 0 {
			return 0, 0
		}
		r = r<<4 | rune(v)
	}
	return r, 2 + digits
}

// place turns an index in the text into a position.
func (s *source) place(index int) position {
	index = min(index, len(s.text))
	lo, hi := 0, len(s.lines)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; s.lines[mid] <= index {
			lo = mid
		} else {
			hi = mid
		}
	}
	return position{lo + 1, index - s.lines[lo] + 1}
}
