package redact

import (
	"bytes"
	"io"
)

const (
	maxLine  = 64 << 10 // a longer line is let go in pieces
	overlap  = 16 << 10 // what is held back of such a line
	maxPEM   = 64 << 10 // a private key without an end hides at most that much
	pemEnd   = "PRIVATE KEY"
	pemSlack = 64 // bytes within which the end marker of a private key stands
)

// Writer redacts a stream. It holds back what might be the beginning of a secret: the line under way (or, for known
// values alone, only bytes that a known value begins with), so a secret is found wherever the writes are cut. Close
// lets the rest go. It is not safe for use by several goroutines at once.
type Writer struct {
	r     *Redactor
	w     io.Writer
	known bool
	buf   []byte
	state int // of the secret that is being swallowed
	ate   int // bytes swallowed of a private key
}

const (
	plain = iota
	inToken
	inPEM
)

// Writer returns a Writer to w that hides known values and well-known patterns.
func (r *Redactor) Writer(w io.Writer) *Writer { return &Writer{r: r, w: w} }

// KnownWriter returns a Writer to w that hides known values only, and holds nothing else back: a stream without a
// known value passes byte for byte and at once.
func (r *Redactor) KnownWriter(w io.Writer) *Writer { return &Writer{r: r, w: w, known: true} }

// Write takes all of p; an error is the underlying writer's.
func (w *Writer) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	if !w.known && w.state == plain && len(w.buf) <= maxLine && bytes.IndexByte(p, '\n') < 0 {
		return len(p), nil // the line goes on: it is searched once, when it ends
	}
	if err := w.pass(false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what was held back. It does not close the underlying writer.
func (w *Writer) Close() error { return w.pass(true) }

func (w *Writer) pass(final bool) error {
	w.swallow()
	if w.state != plain || len(w.buf) == 0 {
		return nil
	}
	matches := w.r.find(w.buf, !w.known)
	cut, long := len(w.buf), false
	if !final {
		cut, long = w.cut(matches)
	}
	if last := len(matches) - 1; last >= 0 && !final {
		m := matches[last]
		switch {
		case m.end < len(w.buf) || m.from >= len(w.buf):
		case openPEM(w.buf[m.from:]):
			cut, w.state, w.ate = len(w.buf), inPEM, 0
		case long:
			cut, w.state = len(w.buf), inToken
		}
	}
	n := 0
	for n < len(matches) && matches[n].start < cut {
		n++
	}
	out := replace(w.buf[:cut], matches[:n])
	var err error
	if len(out) > 0 {
		_, err = w.w.Write(out)
	}
	w.buf = append(w.buf[:0], w.buf[cut:]...)
	return err
}

// openPEM reports whether a private key begins in a text and does not end there.
func openPEM(text []byte) bool {
	i := bytes.LastIndex(text, []byte("-----BEGIN"))
	return i >= 0 && bytes.Contains(text[i:], []byte(pemEnd)) && !bytes.Contains(text[i:], []byte("-----END"))
}

// cut returns how much of the buffer may go: everything before the first byte that a secret still to come could
// begin with. long reports that a line was too long to be held.
func (w *Writer) cut(matches []match) (cut int, long bool) {
	cut = len(w.buf)
	if !w.known {
		cut = bytes.LastIndexByte(w.buf, '\n') + 1
		if len(w.buf)-cut > maxLine {
			cut, long = len(w.buf)-overlap, true
		}
	}
	for {
		was := cut
		cut = w.r.straddled(w.buf, cut)
		for _, m := range matches {
			if m.from >= cut || m.end <= cut {
				continue
			}
			if long {
				cut = m.end
			} else {
				cut = m.from
			}
		}
		if cut == was || long {
			return cut, long
		}
	}
}

// straddled returns the start of the first known value that begins before cut and ends after it, or might; else cut.
func (r *Redactor) straddled(text []byte, cut int) int {
	r.mu.RLock()
	needles, longest := r.needles, r.longest
	r.mu.RUnlock()
	for p := max(0, cut-longest+1); p < cut; p++ {
		for _, n := range needles {
			if n[0] == text[p] && p+len(n) > cut && bytes.HasPrefix(n, text[p:min(len(text), p+len(n))]) {
				return p
			}
		}
	}
	return cut
}

// swallow drops the rest of a secret whose beginning was replaced already.
func (w *Writer) swallow() {
	switch w.state {
	case inToken:
		i := bytes.IndexFunc(w.buf, func(c rune) bool { return c < 0x80 && !isToken(byte(c)) })
		if i < 0 {
			w.buf = w.buf[:0]
			return
		}
		w.buf = append(w.buf[:0], w.buf[i:]...)
		w.state = plain
	case inPEM:
		if at := bytes.Index(w.buf, []byte(pemEnd)); at >= 0 {
			rest := w.buf[at+len(pemEnd):]
			end := bytes.Index(rest, []byte("-----"))
			if end < 0 && len(rest) < pemSlack {
				return
			}
			if end >= 0 && end < pemSlack {
				rest = rest[end+5:]
			}
			w.buf = append(w.buf[:0], rest...)
			w.state = plain
			return
		}
		keep := min(len(w.buf), len(pemEnd)-1)
		w.ate += len(w.buf) - keep
		w.buf = append(w.buf[:0], w.buf[len(w.buf)-keep:]...)
		if w.ate > maxPEM {
			w.state = plain
		}
	}
}
