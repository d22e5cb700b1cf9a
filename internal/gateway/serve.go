package gateway

import (
	"io"
	"net"
	"net/http"
	"strconv"

	"gaggle/internal/fleet"
	"gaggle/internal/llm"
	"gaggle/internal/llm/wire"
)

// ServeHTTP tells the kinds of request apart. It is the handler of the session's own server and no one else's.
func (s *Session) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer s.work.Done()
	switch {
	case r.Method == http.MethodConnect:
		s.connect(w, r)
	case r.URL.Scheme != "" && !s.own(r.URL.Host):
		s.forward(w, r)
	case r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		io.WriteString(w, "gaggle gateway\n") //nolint:errcheck // the client is gone
	default:
		s.model(w, r)
	}
}

// enter counts a request in, unless the session is closed.
func (s *Session) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.work.Add(1)
	return true
}

// own reports whether a host of an absolute URL is the session itself: a client that sends everything through its
// proxy settings means us when it names the loopback address, unless that is an allowed host.
func (s *Session) own(host string) bool {
	if host == s.config.Own || host == "gateway" {
		return true
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil || name != "127.0.0.1" && name != "localhost" && name != "::1" {
		return false
	}
	_, allowed := s.egress.find(name, port)
	return !allowed
}

// refusal is an answer of the gateway's own.
type refusal struct {
	status int
	kind   string // the provider's word
	err    *fleet.Error
}

func refuse(status int, kind string, code fleet.Code, format string, args ...any) *refusal {
	return &refusal{status, kind, fleet.Errorf(code, format, args...)}
}

// answer writes a refusal as the provider would, in a way that no client retries when it would not help.
func (s *Session) answer(w http.ResponseWriter, f wire.Format, no *refusal) {
	err := s.gateway.config.Redactor.Error(no.err)
	message := err.Error()
	if hint := fleet.HintOf(err); hint != "" {
		message += " (" + hint + ")"
	}
	body := wire.Problem(f, no.kind, string(no.err.Code), "gaggle: "+message)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set(llm.CodeHeader, string(no.err.Code))
	if no.status < 500 {
		h.Set("X-Should-Retry", "false")
	}
	w.WriteHeader(no.status)
	w.Write(body) //nolint:errcheck // the client is gone
}
