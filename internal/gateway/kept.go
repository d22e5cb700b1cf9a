package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"gaggle/internal/llm/wire"
)

// Replies keeps what models answered for as long as the attempt that asked may have to be made anew: after a crash the same
// request gets the same reply again, and nobody is charged for it. It may be called by several goroutines at once.
type Replies interface {
	Find(ctx context.Context, key string) (kept []byte, ok bool, err error)
	Keep(ctx context.Context, key string, kept []byte) error
}

// maxKept is how many bytes of a reply are kept; a longer one is asked for again.
const maxKept = 4 << 20

// passing are members of a request that differ from one run of an agent to the next and change nothing about the reply.
var passing = []string{"metadata", "user", "prompt_cache_key", "safety_identifier"}

// keptReply is a reply as it came.
type keptReply struct {
	Type string `json:"type"` // its Content-Type
	Body []byte `json:"body"`
}

// keyOf names a request: what is asked of whom, and how often the session has asked it before. "" when nothing is kept.
func (x *exchange) keyOf() string {
	if x.s.config.Replies == nil || !x.route.paid {
		return ""
	}
	h := sha256.New()
	part := func(text []byte) {
		h.Write(strconv.AppendInt(nil, int64(len(text)), 10)) //nolint:errcheck // a hash takes everything
		h.Write([]byte{':'})                                  //nolint:errcheck // as above
		h.Write(text)                                         //nolint:errcheck // as above
	}
	part([]byte(x.s.config.Scope))
	part([]byte(x.up.name))
	part([]byte(x.route.path))
	body := x.body
	if x.plain != nil {
		body = x.plain
	}
	for _, m := range wire.Members(body) {
		if !slices.Contains(passing, m.Name) {
			part([]byte(m.Name))
			part(m.Value)
		}
	}
	sum := hex.EncodeToString(h.Sum(nil))
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.asked[sum]++
	return sum + "/" + strconv.Itoa(x.s.asked[sum])
}

// again answers a request with the reply that an earlier session got, and reports whether there was one.
func (x *exchange) again(w http.ResponseWriter, r *http.Request) bool {
	if x.key = x.keyOf(); x.key == "" {
		return false
	}
	data, ok, err := x.s.config.Replies.Find(r.Context(), x.key)
	var kept keptReply
	if err != nil || !ok || json.Unmarshal(data, &kept) != nil {
		return false // then it is asked for
	}
	res := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {kept.Type}}}
	counter := wire.NewCounter(x.route.format, x.streams(kept.Type))
	counter.Write(kept.Body) //nolint:errcheck // never fails
	count := counter.Count()
	x.entry.Status, x.entry.Reply, x.entry.Kept = res.StatusCode, &count.Reply, true
	x.first = x.s.gateway.config.Clock()
	out := x.outlet(w, kept.Type)
	x.head(w, res)
	_, err = out.Write(kept.Body)
	x.s.setTrouble(nil)
	x.free()
	if err != nil || out.Close() != nil {
		panic(http.ErrAbortHandler) // the client must not take a broken reply for a whole one
	}
	return true
}

// streams says whether a reply of that type comes in events.
func (x *exchange) streams(kind string) bool {
	kind = strings.ToLower(kind)
	return strings.HasPrefix(kind, "text/event-stream") || kind == "" && x.ask.Stream
}

// outlet is what a reply is written to on its way to the client.
func (x *exchange) outlet(w http.ResponseWriter, kind string) io.WriteCloser {
	guard := x.s.gateway.keys.KnownWriter(w)
	if x.plain != nil && x.streams(kind) {
		return both{wire.HideUsage(guard), guard}
	}
	return guard
}

// both closes what lies below a writer, too.
type both struct {
	io.WriteCloser
	below io.Closer
}

func (b both) Close() error {
	if err := b.WriteCloser.Close(); err != nil {
		return err
	}
	return b.below.Close()
}

// keep stores a whole reply. One that holds what looks like a secret is not kept: it would be stored as it is.
func (x *exchange) keep(kind string, body []byte, said wire.Reply) {
	if x.key == "" || len(body) > maxKept {
		return
	}
	clean := x.s.gateway.config.Redactor
	texts := []string{string(body), said.Text, said.Thinking}
	for _, call := range said.Calls {
		texts = append(texts, call.Name, call.Input)
	}
	for _, text := range texts {
		if clean.String(text) != text {
			return
		}
	}
	data, err := json.Marshal(keptReply{kind, body})
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.s.ctx), settleDeadline)
	defer cancel()
	x.s.config.Replies.Keep(ctx, x.key, data) //nolint:errcheck // it is only asked for again
}

// copied is a buffer of bounded size: once it is full, it keeps nothing.
type copied struct {
	buf  bytes.Buffer
	full bool
}

func (c *copied) write(p []byte) {
	if c.full = c.full || c.buf.Len()+len(p) > maxKept; c.full {
		c.buf = bytes.Buffer{}
		return
	}
	c.buf.Write(p)
}
