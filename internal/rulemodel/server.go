package rulemodel

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Config is what a Server needs. The zero value works.
type Config struct {
	Key    string  // requests without this key are refused with 401. "" takes any
	Lazy   bool    // a marked file makes the first try careless; see the package's comment
	Faults []Fault // what goes wrong, in order; each stands for as many requests as it says
}

// Server answers model requests by rule. It is safe for concurrent use.
type Server struct {
	cfg Config

	mu       sync.Mutex
	faults   []Fault
	requests int
}

// New makes a Server.
func New(cfg Config) *Server {
	return &Server{cfg: cfg, faults: append([]Fault(nil), cfg.Faults...)}
}

// Requests returns how many messages were asked for so far, failed ones included.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

const maxRequest = 32 << 20

// wireFormat is one wire format, decoded and encoded.
type wireFormat struct {
	decode func(body []byte) (dialog, error)
	encode func(w http.ResponseWriter, d dialog, r reply, id string, in, out int, cut bool)
	refuse func(w http.ResponseWriter, status int, message string)
}

var (
	messages  = wireFormat{decodeAnthropic, encodeAnthropic, errorAnthropic}
	chat      = wireFormat{decodeChat, encodeChat, errorOpenAI}
	responses = wireFormat{decodeResponses, encodeResponses, errorOpenAI}
)

// ServeHTTP implements http.Handler. The path's end names the wire format: /messages, /chat/completions, /responses.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimSuffix(r.URL.Path, "/")
	switch {
	case strings.HasSuffix(path, "/messages"):
		s.answer(w, r, messages)
	case strings.HasSuffix(path, "/chat/completions"):
		s.answer(w, r, chat)
	case strings.HasSuffix(path, "/responses"):
		s.answer(w, r, responses)
	case strings.HasSuffix(path, "/messages/count_tokens"):
		body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
		if err != nil {
			errorAnthropic(w, http.StatusBadRequest, "the request broke off")
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"input_tokens": tokens(len(body))}, false)
	case strings.HasSuffix(path, "/models"):
		writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": []any{map[string]any{"id": "rules", "object": "model", "type": "model", "owned_by": "gaggle"}}}, false)
	default:
		errorOpenAI(w, http.StatusNotFound, "no such path: "+path)
	}
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, f wireFormat) {
	fault := s.next()
	if r.Method != http.MethodPost {
		f.refuse(w, http.StatusMethodNotAllowed, "POST only")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	switch {
	case err != nil:
		f.refuse(w, http.StatusBadRequest, "the request broke off")
		return
	case len(body) > maxRequest:
		f.refuse(w, http.StatusRequestEntityTooLarge, "the request is too long")
		return
	}
	if s.cfg.Key != "" && r.Header.Get("X-Api-Key") != s.cfg.Key && r.Header.Get("Authorization") != "Bearer "+s.cfg.Key {
		f.refuse(w, http.StatusUnauthorized, "invalid key")
		return
	}
	d, err := f.decode(body)
	if err != nil {
		f.refuse(w, http.StatusBadRequest, "the request cannot be read: "+err.Error())
		return
	}
	if fault.strike(w, r, f) {
		return
	}
	say := think(d, s.cfg.Lazy)
	if fault.Kind == Babble {
		say = reply{text: "colourless green ideas sleep furiously"}
	}
	sum := sha256.Sum256(body)
	id := hex.EncodeToString(sum[:12])
	out := len(say.text)
	for i := range say.calls {
		say.calls[i].id = id + hex.EncodeToString([]byte{byte(i)})
		out += len(say.calls[i].name) + len(say.calls[i].arguments())
	}
	f.encode(w, d, say, id, tokens(len(body)), tokens(out), fault.Kind == Truncate)
}

// tokens is the usual rule of thumb for what a text costs.
func tokens(bytes int) int { return bytes/4 + 1 }

// writeJSON sends a whole answer, or the first half of it.
func writeJSON(w http.ResponseWriter, status int, v any, cut bool) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if cut {
		text = text[:len(text)/2]
	}
	_, _ = w.Write(text) // whoever asked may have gone
}

// stream writes server-sent events.
type stream struct {
	w   http.ResponseWriter
	cut bool
}

func newStream(w http.ResponseWriter, cut bool) *stream {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	return &stream{w: w, cut: cut}
}

// cutHere reports whether the stream is to end now, in the middle of things.
func (s *stream) cutHere() bool { return s.cut }

func (s *stream) event(name string, v any) { s.send("event: "+name+"\n", v) }

func (s *stream) data(v any) { s.send("", v) }

func (s *stream) send(head string, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		return // only maps of plain values come here
	}
	s.raw(head + "data: " + string(text) + "\n\n")
}

func (s *stream) raw(text string) {
	_, _ = io.WriteString(s.w, text) // whoever asked may have gone
	if f, ok := s.w.(http.Flusher); ok {
		f.Flush()
	}
}
