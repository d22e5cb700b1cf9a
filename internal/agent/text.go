package agent

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxMessage = 500
	maxSummary = 4000
)

// Printable makes an agent's words fit to be shown and stored: valid UTF-8 without control or direction-changing
// characters, at most limit bytes.
func Printable(text string, limit int) string {
	text = strings.TrimSpace(text)
	if len(text) > 4*limit { // do not walk through megabytes for a sentence
		text = text[:4*limit]
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if len(text) <= limit {
		return text
	}
	cut := limit - len("…")
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:max(cut, 0)] + "…"
}

// Summary bounds what an agent says it did.
func Summary(text string) string { return Printable(text, maxSummary) }

// Lines is a writer that hands on whole lines and never keeps more than Max bytes: a longer line is dropped, its end
// awaited. What stands after the last newline is handed on by Flush.
type Lines struct {
	Max  int               // bytes of a line. Defaults to 16 MiB
	Each func(line []byte) // the line without its newline; valid during the call only

	buf  []byte
	skip bool
}

// Write implements io.Writer. It never fails.
func (l *Lines) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		part := p
		if i >= 0 {
			part = p[:i]
		}
		limit := l.Max
		if limit <= 0 {
			limit = 16 << 20
		}
		if !l.skip && len(l.buf)+len(part) <= limit {
			l.buf = append(l.buf, part...)
		} else {
			l.buf, l.skip = nil, true
		}
		if i < 0 {
			break
		}
		l.Flush()
		p = p[i+1:]
	}
	return n, nil
}

// Flush hands on what has no newline yet.
func (l *Lines) Flush() {
	if !l.skip && len(l.buf) > 0 {
		l.Each(l.buf)
	}
	l.buf, l.skip = l.buf[:0], false
}

// Tail is a writer that keeps the last Max bytes.
type Tail struct {
	Max int

	buf []byte
}

// Write implements io.Writer. It never fails.
func (t *Tail) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > t.Max {
		p = p[len(p)-t.Max:]
	}
	if over := len(t.buf) + len(p) - t.Max; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	t.buf = append(t.buf, p...)
	return n, nil
}

// String returns what was kept.
func (t *Tail) String() string { return string(t.buf) }

// LastLine returns the last line that says something.
func (t *Tail) LastLine() string {
	text := strings.TrimSpace(string(t.buf))
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}
