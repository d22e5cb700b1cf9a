package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"iter"
	"strconv"
)

// value is one JSON value inside a text that parse found valid. It is read lazily and without copying: requests of
// agents hold megabytes of history of which a handful of fields matter.
type value []byte

const maxDepth = 200

var errJSON = errors.New("not valid JSON")

// parse checks that the text is exactly one JSON value.
func parse(text []byte) (value, error) {
	start := space(text, 0)
	end := skip(text, start, 0)
	if end < 0 || space(text, end) != len(text) {
		return nil, errJSON
	}
	return value(text[start:end]), nil
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skip returns the index after the value that starts at i, or -1 when there is no valid one.
func skip(b []byte, i, depth int) int {
	if i >= len(b) || depth > maxDepth {
		return -1
	}
	switch c := b[i]; {
	case c == '"':
		return skipString(b, i)
	case c == '{', c == '[':
		return skipContainer(b, i, depth)
	case c == '-', c >= '0' && c <= '9':
		return skipNumber(b, i)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
			return i + len(word)
		}
	}
	return -1
}

func skipContainer(b []byte, i, depth int) int {
	object := b[i] == '{'
	end := byte(']')
	if object {
		end = '}'
	}
	i = space(b, i+1)
	if i < len(b) && b[i] == end {
		return i + 1
	}
	for i < len(b) {
		if object {
			if b[i] != '"' {
				return -1
			}
			if i = skipString(b, i); i < 0 {
				return -1
			}
			if i = space(b, i); i >= len(b) || b[i] != ':' {
				return -1
			}
			i = space(b, i+1)
		}
		if i = skip(b, i, depth+1); i < 0 {
			return -1
		}
		if i = space(b, i); i >= len(b) {
			return -1
		}
		if b[i] == end {
			return i + 1
		}
		if b[i] != ',' {
			return -1
		}
		i = space(b, i+1)
	}
	return -1
}

func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		for i+8 <= len(b) && ordinary(binary.LittleEndian.Uint64(b[i:])) {
			i += 8
		}
		if i >= len(b) {
			return -1
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c == '\\':
			i++
			if i >= len(b) {
				return -1
			}
			switch b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					i++
					if i >= len(b) || !isHex(b[i]) {
						return -1
					}
				}
			default:
				return -1
			}
		}
	}
	return -1
}

// ordinary reports whether none of eight bytes is a quote, a backslash or a control character: most of a request is
// long strings, and this is what their reading costs. It may say no for bytes that are fine.
func ordinary(x uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote, slash := x^(ones*'"'), x^(ones*'\\')
	return ((x-ones*' ')|(quote-ones)|(slash-ones))&highs == 0
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func skipNumber(b []byte, i int) int {
	digits := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i++; !digits() {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return -1
		}
	}
	return i
}

// next returns the index after the value that starts at i of a text that parse found valid: the quick form of skip.
func next(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch c := b[i]; c {
		case '"':
			if i = closeQuote(b, i); depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return i // a bare word or number ended before it
			}
			if depth == 0 {
				return i + 1
			}
		case ',', ' ', '\n', '\r', '\t', ':':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}

// closeQuote returns the index after the string that starts at i of a valid text.
func closeQuote(b []byte, i int) int {
	for i++; i < len(b); {
		j := bytes.IndexByte(b[i:], '"')
		if j < 0 {
			return len(b)
		}
		k := i + j
		escapes := 0
		for k-1-escapes >= i && b[k-1-escapes] == '\\' {
			escapes++
		}
		if i = k + 1; escapes%2 == 0 {
			return i
		}
	}
	return len(b)
}

func (v value) isObject() bool { return len(v) > 0 && v[0] == '{' }
func (v value) isArray() bool  { return len(v) > 0 && v[0] == '[' }
func (v value) isString() bool { return len(v) > 0 && v[0] == '"' }
func (v value) isNull() bool   { return len(v) == 0 || v[0] == 'n' }

// field is one member of an object, with the bytes it takes from its key's first quote to its value's end.
type field struct {
	key        string
	value      value
	start, end int
}

// fields walks an object's members in order; nothing when v is no object.
func (v value) fields() iter.Seq[field] {
	return func(yield func(field) bool) {
		if !v.isObject() {
			return
		}
		for i := space(v, 1); i < len(v) && v[i] == '"'; {
			f := field{start: i}
			i = closeQuote(v, i)
			f.key, _ = value(v[f.start:i]).text()
			i = space(v, space(v, i)+1)
			f.end = next(v, i)
			f.value = v[i:f.end]
			if !yield(f) {
				return
			}
			i = space(v, space(v, f.end)+1)
		}
	}
}

// elements walks an array's values in order; nothing when v is no array.
func (v value) elements() iter.Seq[value] {
	return func(yield func(value) bool) {
		if !v.isArray() {
			return
		}
		for i := space(v, 1); i < len(v) && v[i] != ']'; {
			end := next(v, i)
			if !yield(v[i:end]) {
				return
			}
			i = space(v, space(v, end)+1)
		}
	}
}

// get returns the last member with that key, as most decoders do, or nil.
func (v value) get(keys ...string) value {
	for _, key := range keys {
		var found value
		for f := range v.fields() {
			if f.key == key {
				found = f.value
			}
		}
		if v = found; v == nil {
			return nil
		}
	}
	return v
}

// text returns the string that v holds.
func (v value) text() (string, bool) {
	if !v.isString() {
		return "", false
	}
	for _, c := range v {
		if c == '\\' || c >= 0x80 {
			var s string
			err := json.Unmarshal(v, &s)
			return s, err == nil
		}
	}
	return string(v[1 : len(v)-1]), true
}

// str is text without the doubt: "" when v is no string.
func (v value) str() string {
	s, _ := v.text()
	return s
}

// whole returns the whole number that v holds; 12.0 and 1e3 are whole.
func (v value) whole() (int64, bool) {
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return n, true
	}
	if len(v) == 0 || v[0] != '-' && (v[0] < '0' || v[0] > '9') {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || f != float64(int64(f)) || f > 1<<53 || f < -1<<53 {
		return 0, false
	}
	return int64(f), true
}
