package gateway

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"gaggle/internal/fleet"
	"gaggle/internal/llm"
	"gaggle/internal/redact"
)

// Kind is whose API an upstream speaks.
type Kind string

// The kinds of upstream.
const (
	Anthropic Kind = "anthropic" // Messages
	OpenAI    Kind = "openai"    // Chat Completions and Responses
)

// Upstream is one provider's endpoint.
type Upstream struct {
	Kind    Kind
	BaseURL string            // "https://api.anthropic.com", "https://api.openai.com/v1", "http://127.0.0.1:11434/v1"
	Key     string            // "" when the endpoint wants none
	Header  map[string]string // further headers to send, such as OpenAI-Organization; may hold secrets
	Free    bool              // its models cost nothing (a local endpoint): they need no price
}

// Config is what a Gateway needs.
type Config struct {
	Upstreams map[string]Upstream // by the name that stands first in the path: "anthropic", "openai"
	Prices    *llm.Prices         // Defaults to the shipped table
	Redactor  *redact.Redactor    // what must not reach a transcript or an error; the keys are added to it. Defaults to a new one
	Timeouts  Timeouts
	Clock     func() time.Time // Defaults to time.Now

	// Transport reaches the upstreams. Defaults to one that honours HTTPS_PROXY and reads system certificates.
	Transport http.RoundTripper
	// Lookup and Dial are what egress resolves and connects with. They default to net's.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

// Timeouts bound what an upstream may keep a request waiting for.
type Timeouts struct {
	FirstByte time.Duration // until the reply begins. Defaults to 10 minutes: a reply that is not streamed begins at its end
	Idle      time.Duration // between two pieces of a reply, and on a tunnel. Defaults to 5 minutes
	Drain     time.Duration // how long a reply is still read, for its count, after the client has gone. Defaults to 1 minute
}

// Gateway holds the keys and opens sessions. It may be used by several goroutines at once.
type Gateway struct {
	config    Config
	upstreams map[string]*upstream
	keys      *redact.Redactor // the keys alone: what a reply is searched for
	memory    *semaphore.Weighted
}

// maxMemory bounds what the requests of all sessions take up at once. One session gets an eighth of it, so that a client
// which sends its requests without end keeps no other session waiting.
const maxMemory = 512 << 20

type upstream struct {
	Upstream
	name string
	base *url.URL

	noOptions atomic.Bool // it turned out to refuse stream_options
}

// New checks the configuration and makes a Gateway. It starts nothing.
func New(c Config) (*Gateway, error) {
	if c.Prices == nil {
		p, err := llm.ShippedPrices()
		if err != nil {
			return nil, err
		}
		c.Prices = p
	}
	if c.Redactor == nil {
		c.Redactor = redact.New()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.Timeouts.FirstByte = or(c.Timeouts.FirstByte, 10*time.Minute)
	c.Timeouts.Idle = or(c.Timeouts.Idle, 5*time.Minute)
	c.Timeouts.Drain = or(c.Timeouts.Drain, time.Minute)
	if c.Transport == nil {
		c.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableCompression: true, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: 32, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 15 * time.Second,
			DialContext:     (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		}
	}
	if c.Lookup == nil {
		c.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: 15 * time.Second}).DialContext
	}
	g := &Gateway{config: c, upstreams: map[string]*upstream{}, keys: redact.New(), memory: semaphore.NewWeighted(maxMemory)}
	for name, u := range c.Upstreams {
		base, err := url.Parse(strings.TrimRight(u.BaseURL, "/"))
		if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil || base.RawQuery != "" {
			return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: "the base URL of model endpoint " + name + " is not one", Hint: "write it as https://host/path, the key apart"}
		}
		if u.Kind != Anthropic && u.Kind != OpenAI {
			return nil, fleet.Errorf(fleet.CodeInvalid, "model endpoint %s is of no known kind: %q", name, u.Kind)
		}
		if name == "" || strings.ContainsAny(name, "/?#% ") {
			return nil, fleet.Errorf(fleet.CodeInvalid, "a model endpoint cannot be named %q", name)
		}
		for _, secret := range append(values(u.Header), u.Key) {
			g.keys.Add(secret)
			c.Redactor.Add(secret)
		}
		g.upstreams[name] = &upstream{Upstream: u, name: name, base: base}
	}
	return g, nil
}

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

func values(m map[string]string) []string {
	var all []string
	for _, v := range m {
		all = append(all, v)
	}
	return all
}
