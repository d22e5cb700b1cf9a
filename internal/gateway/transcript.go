package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"slices"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/llm/wire"
	"gaggle/internal/redact"
)

// Entry is one line of a transcript.
type Entry struct {
	Time      time.Time       `json:"time"`
	Kind      string          `json:"kind"` // "model" or "egress"
	Upstream  string          `json:"upstream,omitempty"`
	Path      string          `json:"path,omitempty"`
	Model     string          `json:"model,omitempty"`
	Status    int             `json:"status,omitempty"`
	Request   json.RawMessage `json:"request,omitempty"` // what is new since the request before it; see From
	From      int             `json:"from,omitempty"`    // how many messages of the conversation were written in earlier lines
	Reply     *wire.Reply     `json:"reply,omitempty"`
	Tokens    *fleet.Tokens   `json:"tokens,omitempty"`
	Cost      fleet.Money     `json:"cost,omitempty"` // micro-dollars
	Estimated bool            `json:"estimated,omitempty"`
	FirstMS   int64           `json:"firstMS,omitempty"` // until the reply began
	TotalMS   int64           `json:"totalMS,omitempty"`
	Kept      bool            `json:"kept,omitempty"` // an earlier session had the reply, and paid
	Error     string          `json:"error,omitempty"`
	Host      string          `json:"host,omitempty"` // of egress, with its port
	Sent      int64           `json:"sent,omitempty"` // bytes, of egress
	Received  int64           `json:"received,omitempty"`
}

const (
	maxTranscript = 64 << 20 // bytes of a session's transcript after which requests and replies are left out
	maxParts      = 4096     // members and messages of a request whose repetition is remembered
)

// transcript writes entries. A conversation is sent whole with every request; it is written only once.
type transcript struct {
	w        io.Writer
	redactor *redact.Redactor
	clock    func() time.Time

	mu      sync.Mutex
	written int64
	last    map[string]*conversation // by upstream and path
}

type conversation struct {
	members  map[string][32]byte
	messages [][32]byte
}

// write completes an entry and writes it. A transcript that cannot be written stops nothing: the money is in the bill.
func (t *transcript) write(e Entry, request []byte) {
	if t.w == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e.Time = t.clock().UTC()
	full := t.written > maxTranscript
	if full {
		e.Reply = nil
	} else if request != nil {
		e.Request, e.From = t.fresh(e.Upstream+e.Path, request)
	}
	t.clean(&e)
	line, err := json.Marshal(e)
	if err != nil {
		return
	}
	line = append(line, '\n')
	t.written += int64(len(line))
	t.w.Write(line) //nolint:errcheck // see above
}

// clean removes secrets from every string of an entry. Those of the request are decoded first: a secret may be written
// with escapes, and what is left must be JSON still.
func (t *transcript) clean(e *Entry) {
	for _, s := range []*string{&e.Path, &e.Model, &e.Error, &e.Host} {
		*s = t.redactor.String(*s)
	}
	if r := e.Reply; r != nil {
		clean := wire.Reply{Text: t.redactor.String(r.Text), Thinking: t.redactor.String(r.Thinking), Stop: t.redactor.String(r.Stop)}
		for _, call := range r.Calls {
			clean.Calls = append(clean.Calls, wire.ToolCall{Name: t.redactor.String(call.Name), Input: t.redactor.String(call.Input)})
		}
		e.Reply = &clean
	}
	if e.Request == nil {
		return
	}
	dec := json.NewDecoder(bytes.NewReader(e.Request))
	dec.UseNumber()
	var v any
	e.Request = json.RawMessage("null")
	if dec.Decode(&v) == nil {
		if text, err := json.Marshal(t.walk(v)); err == nil {
			e.Request = text
		}
	}
}

func (t *transcript) walk(v any) any {
	switch v := v.(type) {
	case string:
		return t.redactor.String(v)
	case []any:
		for i := range v {
			v[i] = t.walk(v[i])
		}
	case map[string]any:
		clean := make(map[string]any, len(v))
		for key, value := range v {
			clean[t.redactor.String(key)] = t.walk(value)
		}
		return clean
	}
	return v
}

// fresh returns the members of a request that differ from the request before it, and of its messages those that
// follow the common beginning.
func (t *transcript) fresh(of string, request []byte) (json.RawMessage, int) {
	if t.last == nil {
		t.last = map[string]*conversation{}
	}
	was := t.last[of]
	if was == nil {
		was = &conversation{}
	}
	now := &conversation{members: map[string][32]byte{}}
	t.last[of] = now
	from := 0
	out := []byte("{")
	for i, m := range wire.Members(request) {
		if i == maxParts || len(m.Items) > maxParts {
			break
		}
		value := m.Value
		if m.Items != nil {
			for n, item := range m.Items {
				now.messages = append(now.messages, sha256.Sum256(item))
				if from == n && n < len(was.messages) && was.messages[n] == now.messages[n] {
					from++
				}
			}
			value = slices.Concat([]byte("["), bytes.Join(m.Items[from:], []byte(",")), []byte("]"))
		} else {
			sum := sha256.Sum256(value)
			now.members[m.Name] = sum
			if before, ok := was.members[m.Name]; ok && before == sum && m.Name != "model" {
				continue
			}
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		name, _ := json.Marshal(m.Name) // a string always marshals
		out = append(append(append(out, name...), ':'), value...)
	}
	return append(out, '}'), from
}
