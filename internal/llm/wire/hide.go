package wire

import (
	"bytes"
	"io"
)

// HideUsage returns a writer that takes out of a streamed chat reply what WithUsage asked for and the client did not:
// the chunk that holds nothing but the usage, and the member "usage" of the others. All other bytes pass unchanged, an
// event at a time. Close passes what is left.
func HideUsage(w io.Writer) io.WriteCloser { return &hider{w: w} }

type hider struct {
	w   io.Writer
	buf []byte
	raw bool // the event under way is too long to be held
	at  int  // no event ends before
}

func (h *hider) Write(p []byte) (int, error) {
	h.buf = append(h.buf, p...)
	for {
		end := eventEnd(h.buf, h.at)
		if end < 0 {
			h.at = max(0, len(h.buf)-4) // its last bytes may be the first of an end
			break
		}
		event := h.buf[:end]
		if !h.raw {
			event = withoutUsage(event)
		}
		h.raw = false
		if err := h.pass(event, end); err != nil {
			return 0, err
		}
	}
	if len(h.buf) > maxEvent {
		h.raw = true
	}
	if h.raw && len(h.buf) > 4 {
		n := len(h.buf) - 4 // the end of the event may be under way
		if err := h.pass(h.buf[:n], n); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (h *hider) pass(event []byte, n int) error {
	if len(event) > 0 {
		if _, err := h.w.Write(event); err != nil {
			return err
		}
	}
	h.buf = append(h.buf[:0], h.buf[n:]...)
	h.at = 0
	return nil
}

func (h *hider) Close() error { return h.pass(h.buf, len(h.buf)) }

// eventEnd returns the index after the blank line that ends the first event, or -1. It looks from i on.
func eventEnd(b []byte, i int) int {
	for i < len(b) {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return -1
		}
		i += j + 1
		switch {
		case i < len(b) && b[i] == '\n':
			return i + 1
		case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n':
			return i + 2
		}
	}
	return -1
}

// withoutUsage returns an event without its usage; nothing when it holds nothing else.
func withoutUsage(event []byte) []byte {
	at := bytes.Index(event, []byte("data:"))
	if at < 0 || at > 0 && event[at-1] != '\n' {
		return event
	}
	start := at + len("data:")
	line := bytes.IndexAny(event[start:], "\r\n")
	if line < 0 {
		return event
	}
	v, err := parse(event[start : start+line])
	if err != nil || !v.isObject() {
		return event
	}
	var members, kept []field
	empty, told := false, false
	for f := range v.fields() {
		members = append(members, f)
		switch f.key {
		case "usage":
			told = told || !f.value.isNull()
			continue
		case "choices":
			empty = f.value.isArray() && space(f.value, 1) == len(f.value)-1
		}
		kept = append(kept, f)
	}
	switch {
	case len(kept) == len(members):
		return event
	case told && empty:
		return nil
	}
	from := start + bytes.IndexByte(event[start:], '{')
	out := append([]byte(nil), event[:from+1]...)
	for i, f := range kept {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, v[f.start:f.end]...)
	}
	out = append(out, '}')
	return append(out, event[from+len(v):]...)
}
