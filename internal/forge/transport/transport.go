package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

// Config is how a host is reached.
type Config struct {
	Base       *url.URL         // of the API; the token goes to its scheme and host only
	Credential forge.Credential // nil: no token
	Sign       func(h http.Header, token string)
	Limiter    *Limiter
	Next       http.RoundTripper // defaults to a transport of its own
	Timeout    time.Duration     // of one request with its reply; defaults to 60 s
	MaxReply   int64             // bytes; defaults to 64 MiB
}

// Transport is an http.RoundTripper for any number of goroutines.
type Transport struct {
	cfg   Config
	cache *cache
	calls atomic.Int64
	ahead atomic.Pointer[time.Duration] // of our clock: the host's
}

// New makes a transport.
func New(cfg Config) (*Transport, error) {
	if cfg.Base == nil || cfg.Base.Host == "" || cfg.Base.User != nil {
		return nil, fleet.Errorf(fleet.CodeInvalid, "a forge needs a URL with a host and without a password")
	}
	if cfg.Base.Scheme != "https" && (cfg.Base.Scheme != "http" || !loopback(cfg.Base.Hostname())) {
		return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: "a forge is reached over https", Hint: "plain http is for this machine only"}
	}
	if cfg.Limiter == nil {
		cfg.Limiter = NewLimiter(Limits{}, nil)
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.MaxReply <= 0 {
		cfg.MaxReply = 64 << 20
	}
	if cfg.Next == nil {
		next := http.DefaultTransport.(*http.Transport).Clone()
		next.MaxIdleConnsPerHost = 32
		cfg.Next = next
	}
	return &Transport{cfg: cfg, cache: newCache(512)}, nil
}

// Client is an HTTP client over the transport.
func (t *Transport) Client() *http.Client {
	return &http.Client{Transport: t}
}

// Calls is how many requests went to the host.
func (t *Transport) Calls() int { return int(t.calls.Load()) }

// HostTime is what the host's own clock says now, to a second, by its latest reply; zero before the first one.
func (t *Transport) HostTime() time.Time {
	ahead := t.ahead.Load()
	if ahead == nil {
		return time.Time{}
	}
	return time.Now().Add(*ahead)
}

// Limiter returns the one that is in use.
func (t *Transport) Limiter() *Limiter { return t.cfg.Limiter }

// Pause has everybody who uses the credential make no call for a while: for hosts that ask for that in words.
func (t *Transport) Pause(ctx context.Context, wait time.Duration) { t.cfg.Limiter.close(ctx, wait) }

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

type writing struct{}

// Writing marks what is asked with a context as making or changing something, where that cannot be seen from outside.
func Writing(ctx context.Context) context.Context { return context.WithValue(ctx, writing{}, true) }

const (
	readTries = 3                     // of a request that reads, where the host fails at once
	readPause = 50 * time.Millisecond // before the second one; twice as long before each further one
	readSoon  = 2 * time.Second       // a failure that took longer is not asked for again
)

// RoundTrip implements http.RoundTripper. A reply of 400 and above is an error with a *Status in its chain. What only reads is asked
// again where the host fails at once: much is read to decide about one pull request, and one failure would undo it all.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		began := time.Now()
		resp, err := t.trip(req)
		if !errors.Is(err, forge.ErrPassing) || try == readTries || req.Method != http.MethodGet || time.Since(began) > readSoon || req.Context().Value(writing{}) != nil {
			return resp, err
		}
		if t.cfg.Limiter.pause(req.Context(), readPause<<(try-1), nil) != nil {
			return nil, err
		}
	}
}

// trip makes a request once.
func (t *Transport) trip(req *http.Request) (*http.Response, error) {
	own := req.URL.Scheme == t.cfg.Base.Scheme && req.URL.Host == t.cfg.Base.Host
	if !own && req.URL.Scheme != "https" && (req.URL.Scheme != "http" || !loopback(req.URL.Hostname()) || !loopback(t.cfg.Base.Hostname())) {
		closeBody(req)
		return nil, fleet.Errorf(fleet.CodeForge, "the forge sends the request on to where it must not go")
	}
	graphql := strings.HasSuffix(req.URL.Path, "/graphql")
	write := req.Context().Value(writing{}) != nil || req.Method != http.MethodGet && req.Method != http.MethodHead && !graphql
	var let *admission
	if own {
		var err error
		if let, err = t.cfg.Limiter.admit(req.Context(), graphql, write); err != nil {
			closeBody(req)
			return nil, err
		}
		defer t.cfg.Limiter.leave(let)
	}
	ctx, cancel := context.WithTimeout(req.Context(), t.cfg.Timeout)
	out := req.Clone(ctx)
	out.Header.Del("Authorization") // also what a redirect carried along
	if err := t.sign(out, own); err != nil {
		cancel()
		closeBody(req)
		return nil, err
	}
	remembered := t.cache.ask(out)
	t.calls.Add(1)
	if own {
		let.sent = true
	}
	resp, err := t.cfg.Next.RoundTrip(out)
	if err != nil {
		cancel()
		if req.Context().Err() != nil {
			return nil, context.Cause(req.Context())
		}
		return nil, &fleet.Error{Code: fleet.CodeForge, Message: "the forge at " + req.URL.Host + " does not answer", Err: fmt.Errorf("%w: %w", forge.ErrPassing, err)}
	}
	told := false
	if own {
		told = t.cfg.Limiter.learn(req.Context(), let, resp.StatusCode, resp.Header)
		// Azure DevOps asks for a pause before it refuses anything, on replies that are fine.
		if wait, asked := retryAfter(resp.Header.Get("Retry-After"), t.cfg.Limiter.now()); asked && wait > 0 && resp.StatusCode < 300 {
			t.cfg.Limiter.close(req.Context(), wait)
		}
		if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			ahead := time.Until(date)
			t.ahead.Store(&ahead)
		}
	}
	resp.Body = &body{Reader: io.LimitReader(resp.Body, t.cfg.MaxReply), closer: resp.Body, cancel: cancel}
	if remembered != nil && resp.StatusCode == http.StatusNotModified {
		_ = resp.Body.Close()
		return remembered.reply(req), nil
	}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		return nil, t.refusal(req, resp, told)
	}
	if write && own && (resp.StatusCode == http.StatusMovedPermanently || resp.StatusCode == http.StatusFound) {
		// A host says so of a repository that was renamed, and the client would go on with a GET.
		if to, err := resp.Location(); err == nil && to.Scheme == t.cfg.Base.Scheme && to.Host == t.cfg.Base.Host {
			resp.StatusCode, resp.Status = http.StatusPermanentRedirect, "308 Permanent Redirect"
		}
	}
	return t.cache.keep(out, resp)
}

func (t *Transport) sign(req *http.Request, own bool) error {
	if !own || t.cfg.Credential == nil {
		return nil
	}
	secret, err := t.cfg.Credential(req.Context())
	if err != nil {
		return err
	}
	if t.cfg.Sign != nil {
		t.cfg.Sign(req.Header, secret.Reveal())
	} else {
		req.Header.Set("Authorization", "Bearer "+secret.Reveal())
	}
	return nil
}

// body bounds a reply and ends its timeout.
type body struct {
	io.Reader
	closer io.Closer
	cancel context.CancelFunc
}

func (b *body) Close() error {
	defer b.cancel()
	return b.closer.Close()
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// Status is in the chain of the error about a reply of 400 and above.
type Status struct {
	Code int
	Body string // the beginning of what the host said; untrusted
}

func (s *Status) Error() string { return fmt.Sprintf("status %d: %s", s.Code, excerpt(s.Body)) }

func excerpt(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}

// refusal makes an error of a reply, and holds later calls back when it is about a limit. counted says that the limiter knows from the
// reply which budget is used up, so that those against others go on.
func (t *Transport) refusal(req *http.Request, resp *http.Response, counted bool) error {
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 16<<10))
	status := &Status{Code: resp.StatusCode, Body: string(said)}
	if wait, why, primary, limited := t.limited(resp, status.Body); limited {
		if !primary || !counted {
			t.cfg.Limiter.close(req.Context(), wait)
		}
		return Limited(wait, why)
	}
	e := &fleet.Error{Code: fleet.CodeForge, Message: fmt.Sprintf("the forge refused %s %s", req.Method, excerpt(req.URL.Path)), Err: status}
	switch {
	case resp.StatusCode >= 500:
		e.Message, e.Err = "the forge failed at "+req.Method+" "+excerpt(req.URL.Path), fmt.Errorf("%w: %w", forge.ErrPassing, status)
	case resp.StatusCode == 401 || resp.StatusCode == 403:
		e.Code, e.Hint = fleet.CodeForgeAuth, "gaggle doctor says what the credential lacks"
	case resp.StatusCode == 404 || resp.StatusCode == 410:
		e.Code = fleet.CodeNotFound
	case resp.StatusCode == 409:
		e.Code = fleet.CodeConflict
	}
	return e
}

// limited recognises the refusals that only ask to wait: 429, and GitHub's 403 for primary and secondary limits. primary says that
// it is the budget that the reply's header tells of.
func (t *Transport) limited(resp *http.Response, said string) (wait time.Duration, why string, primary, ok bool) {
	after, asked := retryAfter(resp.Header.Get("Retry-After"), t.cfg.Limiter.now())
	spent := resp.Header.Get("X-RateLimit-Remaining") == "0"
	lower := strings.ToLower(said)
	secondary := strings.Contains(lower, "secondary rate limit") || strings.Contains(lower, "abuse detection")
	switch {
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusForbidden && (asked || spent || secondary):
	case resp.StatusCode == http.StatusServiceUnavailable && asked:
	default:
		return 0, "", false, false
	}
	why = "the forge limits the rate of calls"
	if asked {
		return min(max(after, time.Millisecond), time.Hour), why, false, true
	}
	if spent {
		if n, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			return min(max(time.Unix(n, 0).Sub(t.cfg.Limiter.now()), time.Second), time.Hour), why, !secondary, true
		}
	}
	return time.Minute, why, false, true // what GitHub asks for when it does not say
}

func retryAfter(h string, now time.Time) (time.Duration, bool) {
	if n, err := strconv.ParseFloat(h, 64); err == nil && n >= 0 && n < 1e6 {
		return time.Duration(n * float64(time.Second)), true
	}
	if at, err := http.ParseTime(h); err == nil {
		return at.Sub(now), true
	}
	return 0, false
}
