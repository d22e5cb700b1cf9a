package gateway

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sync/semaphore"

	"gaggle/internal/fleet"
)

// SessionConfig describes what one attempt may do.
type SessionConfig struct {
	Socket string      // path of the unix socket to listen on; "" for none: the session is then reached through Client alone
	Mode   os.FileMode // of the socket. Defaults to 0600
	Meter  Meter       // required

	// Transcript takes the traffic as JSON lines, secrets removed; see Entry. One Write is one line, and they come one at
	// a time. nil when nobody keeps it.
	Transcript io.Writer

	// Replies keeps replies until the attempt has ended, for the one that takes it up after a crash. Scope names what a request
	// depends on beside its own text, such as the attempt's inputs. nil when nothing is kept.
	Replies Replies
	Scope   string

	Models     []string // the models that may be asked for; empty for every one that has a price or costs nothing
	Egress     []string // hosts that may be reached: "proxy.golang.org", "*.npmjs.org", "host:8443". Port 443 and 80 unless one is named
	Private    []string // hosts of Egress, as written there, that may resolve to private addresses
	MaxRequest int64    // bytes of a request to a model, unpacked. Defaults to 32 MB, which is what providers take; at most 256 MB
	MaxReply   int64    // bytes of a reply. Defaults to 128 MB
	Parallel   int      // requests to models at once; more wait. Defaults to 8
	Tunnels    int      // connections to allowed hosts at once. Defaults to 32

	// Own is the address under which the sandbox sees the session. A request that a client sends to it through its proxy
	// settings is taken for what it means. Defaults to "127.0.0.1:8787"
	Own string
}

// Session is one attempt's door.
type Session struct {
	gateway *Gateway
	config  SessionConfig
	egress  *allowlist
	server  *http.Server
	inner   *pipeListener
	ctx     context.Context
	cancel  context.CancelCauseFunc
	slots   chan struct{}
	tunnels chan struct{}
	memory  *semaphore.Weighted
	script  transcript
	work    sync.WaitGroup // requests and tunnels under way

	mu      sync.Mutex
	trouble error
	broken  error
	asked   map[string]int // how often, by request
}

// maxConnections is how many connections of a client are served at once; more wait to be accepted.
const maxConnections = 128

var errClosed = errors.New("the session is closed")

// Open makes a session and listens. It serves until Close or until ctx ends.
func (g *Gateway) Open(ctx context.Context, c SessionConfig) (*Session, error) {
	if c.Meter == nil {
		return nil, fleet.Errorf(fleet.CodeInternal, "a gateway session needs a meter")
	}
	if c.MaxRequest <= 0 {
		c.MaxRequest = 32 << 20
	}
	c.MaxRequest = min(c.MaxRequest, maxMemory/2)
	if c.MaxReply <= 0 {
		c.MaxReply = 128 << 20
	}
	if c.Parallel <= 0 {
		c.Parallel = 8
	}
	if c.Tunnels <= 0 {
		c.Tunnels = 32
	}
	if c.Mode == 0 {
		c.Mode = 0o600
	}
	if c.Own == "" {
		c.Own = "127.0.0.1:8787"
	}
	allowed, err := newAllowlist(c.Egress, c.Private)
	if err != nil {
		return nil, err
	}
	s := &Session{gateway: g, config: c, egress: allowed, inner: newPipeListener(),
		asked: map[string]int{}, slots: make(chan struct{}, c.Parallel), tunnels: make(chan struct{}, c.Tunnels),
		memory: semaphore.NewWeighted(max(c.MaxRequest, maxMemory/8))}
	s.script = transcript{w: c.Transcript, redactor: g.config.Redactor, clock: g.config.Clock}
	s.ctx, s.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	s.server = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // what goes wrong with a client is the client's
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
	}
	if c.Socket != "" {
		l, err := listenUnix(c.Socket, c.Mode)
		if err != nil {
			return nil, &fleet.Error{Code: fleet.CodeSandbox, Message: "the gateway's socket cannot be made", Err: err}
		}
		go s.server.Serve(netutil.LimitListener(l, maxConnections)) //nolint:errcheck // it ends with ErrServerClosed
	}
	go s.server.Serve(s.inner) //nolint:errcheck // it ends with ErrServerClosed
	context.AfterFunc(ctx, func() { s.cancel(context.Cause(ctx)) })
	return s, nil
}

// Close ends every request and tunnel, settles what they cost, and removes the socket. It may be called twice.
func (s *Session) Close() error {
	s.cancel(errClosed)
	err := s.server.Close()
	s.work.Wait()
	if s.config.Socket != "" {
		os.Remove(s.config.Socket) //nolint:errcheck // gone already in the usual case
	}
	return err
}

// Client returns an HTTP client whose every request goes to this session, whatever host its URL names. It needs no
// socket and may be used by several goroutines at once. Use URL for the base URL of an upstream.
func (s *Session) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return s.inner.dial(ctx) },
		DisableCompression: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute,
	}}
}

// URL returns the base URL of an upstream for Client: what llm.Config.BaseURL wants.
func (s *Session) URL(upstream string) string { return "http://gateway" + s.path(upstream) }

// InsideURL returns the base URL of an upstream as seen from inside the sandbox: what ANTHROPIC_BASE_URL and
// OPENAI_BASE_URL want.
func (s *Session) InsideURL(upstream string) string {
	return "http://" + s.config.Own + s.path(upstream)
}

func (s *Session) path(upstream string) string {
	if u := s.gateway.upstreams[upstream]; u != nil && u.Kind == OpenAI {
		return "/" + upstream + "/v1"
	}
	return "/" + upstream
}

// Trouble returns the last thing that kept a model from answering in this session, or nil when the last request was
// answered: an error of code budget, policy, model_busy or model_error. An agent's own words about it are less exact.
func (s *Session) Trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

func (s *Session) setTrouble(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = err
}

// pipeListener accepts connections made inside this process.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "gateway", Net: "pipe"} }
