package redact

import (
	"bytes"
	"errors"
	"slices"
	"sync"

	"gaggle/internal/fleet"
)

// Mark is what stands where a secret stood.
const Mark = "[redacted]"

// Redactor takes secrets out of text. Its methods may be called at once; its zero value knows the patterns only.
type Redactor struct {
	mu      sync.RWMutex
	needles [][]byte // every form of every known value, longest first
	longest int
}

// New makes a Redactor that knows the values given, beside the patterns. Values shorter than MinSecret are ignored.
func New(secrets ...string) *Redactor {
	r := &Redactor{}
	r.Add(secrets...)
	return r
}

// Add makes further values known. Streams under way look for them from their next write on.
func (r *Redactor) Add(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	needles := slices.Clone(r.needles)
	for _, s := range secrets {
		if len(s) < MinSecret {
			continue
		}
		for _, form := range forms(s) {
			if !slices.ContainsFunc(needles, func(n []byte) bool { return string(n) == form }) {
				needles = append(needles, []byte(form))
			}
		}
	}
	slices.SortStableFunc(needles, func(a, b []byte) int { return len(b) - len(a) })
	r.needles = needles
	if len(needles) > 0 {
		r.longest = len(needles[0])
	}
}

// String returns the text with every secret replaced by Mark.
func (r *Redactor) String(text string) string {
	matches := r.find([]byte(text), true)
	if len(matches) == 0 {
		return text
	}
	return string(replace([]byte(text), matches))
}

// Bytes returns the text with every secret replaced by Mark: the same slice when there is none.
func (r *Redactor) Bytes(text []byte) []byte {
	return replace(text, r.find(text, true))
}

// Known is Bytes for the known values alone: it leaves what merely looks like a credential.
func (r *Redactor) Known(text []byte) []byte {
	return replace(text, r.find(text, false))
}

// Holds reports whether the text holds a known value in any of its forms.
func (r *Redactor) Holds(text []byte) bool {
	return len(r.find(text, false)) > 0
}

// Error returns an error whose text, hint and chain hold no secret: the same error when it held none, else a new one
// with the same code. errors.Is still compares with the causes of the old one; errors.As does not reach them.
func (r *Redactor) Error(err error) error {
	if err == nil {
		return nil
	}
	text, hint := err.Error(), fleet.HintOf(err)
	clean, cleanHint := r.String(text), r.String(hint)
	if clean == text && cleanHint == hint {
		return err
	}
	return &redacted{&fleet.Error{Code: fleet.CodeOf(err), Message: clean, Hint: cleanHint}, err}
}

type redacted struct {
	clean *fleet.Error
	cause error
}

func (e *redacted) Error() string        { return e.clean.Message }
func (e *redacted) Unwrap() error        { return e.clean }
func (e *redacted) Is(target error) bool { return errors.Is(e.cause, target) }

// find lists the secrets in the text, sorted and merged where they overlap.
func (r *Redactor) find(text []byte, withPatterns bool) []match {
	r.mu.RLock()
	needles := r.needles
	r.mu.RUnlock()
	var found []match
	for _, n := range needles {
		for from := 0; ; {
			i := bytes.Index(text[from:], n)
			if i < 0 {
				break
			}
			found = append(found, match{"known", from + i, from + i + len(n), from + i})
			from += i + 1
		}
	}
	if withPatterns {
		for _, p := range patterns {
			found = p.find(text, found)
		}
	}
	if len(found) < 2 {
		return found
	}
	slices.SortFunc(found, func(a, b match) int { return a.start - b.start })
	merged := found[:1]
	for _, m := range found[1:] {
		if last := &merged[len(merged)-1]; m.start < last.end {
			last.end, last.from = max(last.end, m.end), min(last.from, m.from)
		} else {
			merged = append(merged, m)
		}
	}
	return merged
}

func replace(text []byte, matches []match) []byte {
	if len(matches) == 0 {
		return text
	}
	out := make([]byte, 0, len(text))
	at := 0
	for _, m := range matches {
		out = append(append(out, text[at:m.start]...), Mark...)
		at = m.end
	}
	return append(out, text[at:]...)
}
