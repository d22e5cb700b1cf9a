package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/llm"
)

// admit finds the rule for a host and port as a client wrote them.
func (s *Session) admit(host, port string) (string, rule, error) {
	name, ok := hostName(strings.Trim(host, "[]"))
	if !ok {
		return "", rule{}, fleet.Errorf(fleet.CodePolicy, "%.100q is not a host name", host)
	}
	r, ok := s.egress.find(name, port)
	if !ok {
		e := fleet.Errorf(fleet.CodePolicy, "%s:%.8s is not a host that this campaign may reach", name, port)
		e.Hint = "allow it under change.egress in the campaign"
		return "", rule{}, e
	}
	return name, r, nil
}

// deny refuses a request to a host, in words that a person finds in the agent's log.
func (s *Session) deny(w http.ResponseWriter, status int, e Entry, err error) {
	e.Error, e.Status = err.Error(), status
	s.script.write(e, nil)
	message := "gaggle: " + s.gateway.config.Redactor.Error(err).Error()
	if hint := fleet.HintOf(err); hint != "" {
		message += " (" + hint + ")"
	}
	w.Header().Set(llm.CodeHeader, string(fleet.CodePolicy))
	http.Error(w, message, status)
}

// connect serves CONNECT: a tunnel for TLS to an allowed host, whose greeting names that same host.
func (s *Session) connect(w http.ResponseWriter, r *http.Request) {
	e := Entry{Kind: "egress", Path: "CONNECT", Host: fmt.Sprintf("%.200s", r.Host)}
	host, port, err := net.SplitHostPort(r.RequestURI)
	if err != nil {
		s.deny(w, http.StatusBadRequest, e, fleet.Errorf(fleet.CodePolicy, "CONNECT names no host and port"))
		return
	}
	name, allowed, err := s.admit(host, port)
	if err == nil && port == "80" && allowed.port == "" {
		err = fleet.Errorf(fleet.CodePolicy, "a tunnel to port 80 is not allowed")
	}
	if err != nil {
		s.deny(w, http.StatusForbidden, e, err)
		return
	}
	e.Host = net.JoinHostPort(name, port)
	if !s.tunnel(r.Context()) {
		s.deny(w, http.StatusServiceUnavailable, e, fleet.Errorf(fleet.CodePolicy, "too many connections at once"))
		return
	}
	defer func() { <-s.tunnels }()
	far, err := s.gateway.dial(r.Context(), name, port, allowed)
	if err != nil {
		s.deny(w, http.StatusBadGateway, e, err)
		return
	}
	defer far.Close()
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.deny(w, http.StatusInternalServerError, e, fleet.Errorf(fleet.CodeInternal, "no tunnel could be made"))
		return
	}
	defer near.Close()
	stop := context.AfterFunc(s.ctx, func() { near.Close(); far.Close() })
	defer stop()
	near.SetDeadline(time.Now().Add(30 * time.Second)) //nolint:errcheck // a connection that is gone shows when read
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	hello, named, err := readHello(buffered)
	if sni, ok := hostName(named); err == nil && (!ok || sni != name) {
		err = fmt.Errorf("the TLS greeting names %.100q", named)
	}
	if _, isIP := addressOf(name); isIP && errors.Is(err, errNoName) {
		err = nil // there is no name to give for an address
	}
	if err != nil {
		e.Error, e.Status = err.Error(), http.StatusForbidden
		s.script.write(e, nil)
		return
	}
	near.SetDeadline(time.Time{}) //nolint:errcheck // as above
	if _, err := far.Write(hello); err != nil {
		return
	}
	e.Sent, e.Received = join(near, buffered, far, s.gateway.config.Timeouts.Idle)
	e.Sent += int64(len(hello))
	e.Status = http.StatusOK
	s.script.write(e, nil)
}

func addressOf(host string) (net.IP, bool) {
	ip := net.ParseIP(host)
	return ip, ip != nil
}

// tunnel takes a place among the connections, without waiting.
func (s *Session) tunnel(ctx context.Context) bool {
	select {
	case s.tunnels <- struct{}{}:
		return ctx.Err() == nil || func() bool { <-s.tunnels; return false }()
	default:
		return false
	}
}

// join copies both ways until both have ended, one has failed, or nothing has moved for the idle time.
func join(near net.Conn, fromNear io.Reader, far net.Conn, idle time.Duration) (sent, received int64) {
	var up, down atomic.Int64
	end := func() { near.Close(); far.Close() }
	watch := time.AfterFunc(idle, end)
	defer watch.Stop()
	var both sync.WaitGroup
	pump := func(to net.Conn, from io.Reader, count *atomic.Int64) {
		defer both.Done()
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			if n > 0 {
				watch.Reset(idle)
				if _, failed := to.Write(buf[:n]); failed != nil {
					end()
					return
				}
				count.Add(int64(n))
			}
			if errors.Is(err, io.EOF) {
				if half, ok := to.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
					return
				}
			}
			if err != nil {
				end()
				return
			}
		}
	}
	both.Add(2)
	go pump(far, fromNear, &up)
	go pump(near, far, &down)
	both.Wait()
	return up.Load(), down.Load()
}

// hopHeaders concern one connection, or the proxy, and are never sent on. Those that Connection names are dropped too.
var hopHeaders = []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Forwarded", "X-Forwarded-For"}

func dropHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopHeaders {
		h.Del(name)
	}
}

// forward serves a request with an absolute URL: plain HTTP to an allowed host.
func (s *Session) forward(w http.ResponseWriter, r *http.Request) {
	e := Entry{Kind: "egress", Path: r.Method, Host: fmt.Sprintf("%.200s", r.URL.Host)}
	if r.URL.Scheme != "http" || r.URL.User != nil {
		s.deny(w, http.StatusBadRequest, e, fleet.Errorf(fleet.CodePolicy, "only http:// URLs are forwarded; https goes through CONNECT"))
		return
	}
	port := r.URL.Port()
	if port == "" {
		port = "80"
	}
	name, allowed, err := s.admit(r.URL.Hostname(), port)
	if err == nil && port == "443" {
		err = fleet.Errorf(fleet.CodePolicy, "plain HTTP to port 443 is not allowed")
	}
	if err != nil {
		s.deny(w, http.StatusForbidden, e, err)
		return
	}
	e.Host = net.JoinHostPort(name, port)
	if !s.tunnel(r.Context()) {
		s.deny(w, http.StatusServiceUnavailable, e, fleet.Errorf(fleet.CodePolicy, "too many connections at once"))
		return
	}
	defer func() { <-s.tunnels }()

	out := r.Clone(r.Context())
	out.RequestURI, out.Close = "", true
	out.URL.Host = name
	if port != "80" {
		out.URL.Host = e.Host
	}
	out.Host = out.URL.Host
	dropHop(out.Header)
	if out.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", "") // else net/http would name itself
	}
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true, ResponseHeaderTimeout: s.gateway.config.Timeouts.Idle, MaxResponseHeaderBytes: 256 << 10,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return s.gateway.dial(ctx, name, port, allowed)
		}}
	res, err := transport.RoundTrip(out)
	if err != nil {
		s.deny(w, http.StatusBadGateway, e, fleet.Errorf(fleet.CodePolicy, "%s cannot be reached", name))
		return
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusSwitchingProtocols {
		s.deny(w, http.StatusBadGateway, e, fleet.Errorf(fleet.CodePolicy, "%s switched to another protocol", name))
		return
	}
	dropHop(res.Header)
	for key, values := range res.Header {
		w.Header()[key] = values
	}
	w.WriteHeader(res.StatusCode)
	n, err := io.Copy(w, res.Body)
	e.Status, e.Received, e.Sent = res.StatusCode, n, max(0, r.ContentLength)
	s.script.write(e, nil)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}
