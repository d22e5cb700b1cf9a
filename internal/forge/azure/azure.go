package azure

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// Config says which organisation or collection, and who asks.
type Config struct {
	URL        string // https://dev.azure.com/ORG, https://ORG.visualstudio.com, or https://HOST/tfs/COLLECTION
	Credential forge.Credential
	Limiter    *transport.Limiter // shared by everything that uses the same token; defaults to one of its own
	Now        func() time.Time   // defaults to time.Now
	Next       http.RoundTripper  // for tests
}

// Limits spare an organisation, which counts the load that calls make and slows them down before it refuses any.
var Limits = transport.Limits{WritesPerMinute: 120, AtOnce: 16}

// Forge is one organisation or collection.
type Forge struct {
	site     site
	http     *transport.Transport
	people   *transport.Transport // Services keep identities on a host of their own; else the same as http
	releases *transport.Transport // and so they keep releases
	now      func() time.Time

	mu       sync.Mutex
	known    map[string]ids             // repositories by "project/name"
	names    map[string]string          // the other way round, by the id of the repository
	fresh    map[string]bool            // branches for which no pull request was found, by repository and branch
	users    map[string]string          // ids by name; "": there is nobody
	creators map[string]map[string]bool // who made the pull requests that are followed, by project
	memories map[string]memory          // of pull requests, by the id of the repository and the number
	self     identity

	environments map[string]*environments // by project
	shipped      map[string]*shipped      // by repository and commit
}

var (
	_ forge.Forge         = (*Forge)(nil)
	_ forge.Lister        = (*Forge)(nil)
	_ forge.Commenter     = (*Forge)(nil)
	_ forge.BranchDeleter = (*Forge)(nil)
	_ forge.Discoverer    = (*Forge)(nil)
	_ forge.Follower      = (*Forge)(nil)
	_ forge.Checker       = (*Forge)(nil)
	_ forge.Checks        = (*Forge)(nil)
	_ forge.Rerunner      = (*Forge)(nil)
	_ forge.Reviews       = (*Forge)(nil)
	_ forge.Deployments   = (*Forge)(nil)
	_ forge.Clock         = (*Forge)(nil)
)

// New makes the driver. It asks nothing yet.
func New(cfg Config) (*Forge, error) {
	at, err := parseSite(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.Limiter == nil {
		cfg.Limiter = transport.NewLimiter(Limits, nil)
	}
	if cfg.Next == nil {
		next := http.DefaultTransport.(*http.Transport).Clone()
		next.MaxIdleConnsPerHost = 32
		cfg.Next = next
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	f := &Forge{site: at, now: cfg.Now, memories: map[string]memory{}, known: map[string]ids{}, names: map[string]string{}, fresh: map[string]bool{}, users: map[string]string{}, creators: map[string]map[string]bool{},
		environments: map[string]*environments{}, shipped: map[string]*shipped{}}
	to := transport.Config{Base: at.url, Credential: cfg.Credential, Limiter: cfg.Limiter, Next: door{cfg.Next}, Sign: sign}
	if f.http, err = transport.New(to); err != nil {
		return nil, err
	}
	beside := func(base *url.URL) (*transport.Transport, error) {
		if base.Host == at.url.Host {
			return f.http, nil
		}
		to.Base = base
		return transport.New(to)
	}
	if f.people, err = beside(at.people); err == nil {
		f.releases, err = beside(at.releases)
	}
	return f, err
}

// Calls is how many requests were made.
func (f *Forge) Calls() int {
	calls := f.http.Calls()
	for _, t := range []*transport.Transport{f.people, f.releases} {
		if t != f.http {
			calls += t.Calls()
		}
	}
	return calls
}

// HostTime implements forge.Clock.
func (f *Forge) HostTime() time.Time { return f.http.HostTime() }

// sign takes personal access tokens, and those of Entra ID, which are JWTs.
func sign(h http.Header, token string) {
	h.Set("X-TFS-FedAuthRedirect", "Suppress") // a refusal instead of a sign-in page
	if strings.HasPrefix(token, "eyJ") && strings.Count(token, ".") == 2 {
		h.Set("X-VSS-ForceMsaPassThrough", "true") // without it, organisations outside Entra ID answer with the sign-in page
		h.Set("Authorization", "Bearer "+token)
		return
	}
	h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(":"+token)))
}

// door makes a refusal of the sign-in page with which a token is answered that is not taken: 203, a redirect, or plain HTML.
type door struct{ next http.RoundTripper }

func (d door) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	page := resp.StatusCode == http.StatusNonAuthoritativeInfo || resp.StatusCode < 300 && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		to, err := resp.Location()
		page = err == nil && (to.Host != req.URL.Host || strings.Contains(strings.ToLower(to.Path), "signin"))
	}
	if !page {
		return resp, nil
	}
	_ = resp.Body.Close()
	const said = "the token was answered with the sign-in page"
	return &http.Response{Status: "401 Unauthorized", StatusCode: http.StatusUnauthorized, Proto: resp.Proto, ProtoMajor: resp.ProtoMajor, ProtoMinor: resp.ProtoMinor,
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(said))), ContentLength: int64(len(said)), Request: req}, nil
}

// The versions of the API: some parts of it have never left their preview.
const (
	version = "7.1"
	preview = "7.1-preview.1"
)

// call makes a call below the organisation.
func (f *Forge) call(ctx context.Context, method, path string, q url.Values, in, out any) error {
	return send(ctx, f.http, method, f.site.url.String()+path, q, in, out)
}

func send(ctx context.Context, over *transport.Transport, method, at string, q url.Values, in, out any) error {
	all := url.Values{"api-version": {version}}
	for k, v := range q {
		all[k] = v
	}
	_, err := over.JSON(ctx, method, at+"?"+all.Encode(), in, out)
	if transport.Says(err, "VssVersionOutOfRange", "VssVersionNotSupported") {
		return &fleet.Error{Code: fleet.CodeUnsupported, Message: "the server does not speak version " + version + " of the API", Hint: "Azure DevOps Server 2022.1 and later do", Err: err}
	}
	return err
}

// values is how lists come.
type values[T any] struct {
	Value []T `json:"value"`
}
