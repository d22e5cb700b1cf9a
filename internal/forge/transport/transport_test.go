package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

const token = "ghp_0123456789abcdef"

func client(t *testing.T, limits transport.Limits, clock func() time.Time, serve http.HandlerFunc) (*transport.Transport, string) {
	t.Helper()
	srv := httptest.NewServer(serve)
	t.Cleanup(srv.Close)
	base, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := transport.New(transport.Config{Base: base, Credential: forge.Fixed(token), Limiter: transport.NewLimiter(limits, clock)})
	if err != nil {
		t.Fatal(err)
	}
	return tr, srv.URL
}

// The token goes to the host itself, and stays out of every error.
func TestTheTokenStaysHome(t *testing.T) {
	var got []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, "other:"+r.Header.Get("Authorization"))
		_, _ = w.Write([]byte(`{}`))
	}))
	t.Cleanup(other.Close)
	tr, at := client(t, transport.Limits{}, nil, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, "own:"+r.Header.Get("Authorization"))
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL+"/x", http.StatusTemporaryRedirect)
		case "/bad":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(strings.Repeat("x\x1b[31m", 1000)))
		case "/plain":
			http.Redirect(w, r, "http://example.com/", http.StatusFound)
		}
	})
	if _, err := tr.JSON(t.Context(), "GET", at+"/away", nil, nil); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != "[own:Bearer "+token+" other:]" {
		t.Error(got)
	}
	for _, path := range []string{"/bad", "/plain"} {
		_, err := tr.JSON(t.Context(), "POST", at+path, map[string]int{"a": 1}, nil)
		if fleet.CodeOf(err) != fleet.CodeForge || strings.Contains(fmt.Sprintf("%+v", err), token) || strings.Contains(err.Error(), "\x1b") || len(err.Error()) > 1000 {
			t.Errorf("%.300q", err)
		}
	}
	secret, _ := forge.Fixed(token)(t.Context())
	if s := fmt.Sprintf("%v %+v %#v %s %q", secret, secret, secret, secret, secret); strings.Contains(s, token) {
		t.Error(s)
	}
	for _, bad := range []string{"http://example.com/", "https://user:pw@h/", "ftp://h/", "/x"} {
		base, _ := url.Parse(bad)
		if _, err := transport.New(transport.Config{Base: base}); fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestLimits(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	served, refuse := 0, http.Header{}
	status, left := 0, 0
	tr, at := client(t, transport.Limits{WritesPerMinute: 3, Reserve: 2}, func() time.Time { return now }, func(w http.ResponseWriter, _ *http.Request) {
		served++
		for k, v := range refuse {
			w.Header()[k] = v
		}
		if left > 0 {
			left--
			w.Header().Set("X-RateLimit-Remaining", fmt.Sprint(left))
		}
		if status != 0 {
			w.WriteHeader(status)
		}
	})
	get := func() error { _, err := tr.JSON(t.Context(), "GET", at, nil, nil); return err }
	post := func() error { _, err := tr.JSON(t.Context(), "POST", at, 1, nil); return err }
	waits := func(name string, err error, want time.Duration) {
		t.Helper()
		if wait, ok := forge.RetryAfter(err); !ok || wait != want || fleet.CodeOf(err) != fleet.CodeForgeRateLimit || !forge.Passing(err) {
			t.Errorf("%s: %v (%v)", name, err, wait)
		}
	}
	for range 3 {
		if err := post(); err != nil {
			t.Fatal(err)
		}
	}
	waits("a fourth write in a minute", post(), time.Minute+time.Second)
	if err := get(); err != nil || served != 4 {
		t.Fatalf("reading goes on: %v, %d", err, served)
	}
	now = now.Add(time.Minute + time.Second)
	left = 4
	refuse.Set("X-RateLimit-Reset", fmt.Sprint(now.Add(30*time.Minute).Unix()))
	if err := errors.Join(get(), get()); err != nil {
		t.Fatal(err)
	}
	waits("the reserve", get(), 30*time.Minute)
	if served != 6 {
		t.Errorf("%d calls", served)
	}
	now = now.Add(31 * time.Minute)
	left = 0
	refuse.Set("Retry-After", "120")
	status = http.StatusTooManyRequests
	waits("429", get(), 2*time.Minute)
	waits("while it is closed", get(), 2*time.Minute)
	if served != 7 {
		t.Errorf("%d calls: a closed forge is not asked", served)
	}
	now = now.Add(3 * time.Minute)
	refuse.Del("Retry-After")
	refuse.Set("X-RateLimit-Remaining", "0")
	refuse.Set("X-RateLimit-Reset", fmt.Sprint(now.Add(10*time.Minute).Unix()))
	status = http.StatusForbidden
	waits("a primary limit", get(), 10*time.Minute)
	now = now.Add(11 * time.Minute)
	refuse.Del("X-RateLimit-Remaining")
	if err := get(); fleet.CodeOf(err) != fleet.CodeForgeAuth || forge.Passing(err) {
		t.Errorf("a plain 403: %v", err)
	}
	status = 0
	refuse.Set("Retry-After", "30")
	if err := get(); err != nil {
		t.Error(err)
	}
	waits("after a reply that asks for a pause", get(), 30*time.Second)
	now = now.Add(time.Hour)
	refuse.Del("Retry-After")
	refuse.Del("X-RateLimit-Reset")
	refuse.Set("X-RateLimit-Remaining", "2")
	refuse.Set("X-RateLimit-Interval-Seconds", "5")
	if err := get(); err != nil {
		t.Error(err)
	}
	waits("until there are new tokens", get(), 5*time.Second)
}

// A host that has moved a repository says 301 also to what changes something, which must not become a mere question.
func TestMoved(t *testing.T) {
	var got []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, "elsewhere:"+r.Method)
		_, _ = w.Write([]byte(`{}`))
	}))
	t.Cleanup(elsewhere.Close)
	tr, at := client(t, transport.Limits{}, nil, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+r.URL.Path+string(body))
		switch r.URL.Path {
		case "/old":
			http.Redirect(w, r, "/new", http.StatusMovedPermanently)
		case "/away":
			http.Redirect(w, r, elsewhere.URL+"/x", http.StatusFound)
		}
	})
	for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
		if _, err := tr.JSON(t.Context(), method, at+"/old", 1, nil); err != nil {
			t.Error(err)
		}
	}
	if _, err := tr.JSON(t.Context(), "POST", at+"/away", 1, nil); err != nil {
		t.Error(err)
	}
	if want := "[GET/old1 GET/new POST/old1 POST/new1 PUT/old1 PUT/new1 DELETE/old1 DELETE/new1 POST/away1 elsewhere:GET]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestFailures(t *testing.T) {
	tr, at := client(t, transport.Limits{}, nil, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"a":`))
		case "/hang-up":
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	for _, path := range []string{"/cut", "/hang-up", "/502"} {
		var out any
		if _, err := tr.JSON(t.Context(), "POST", at+path, 1, &out); fleet.CodeOf(err) != fleet.CodeForge || !forge.Passing(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped by hand"))
	if _, err := tr.JSON(ctx, "GET", at, nil, nil); err == nil || err.Error() != "stopped by hand" {
		t.Error(err)
	}
}

func TestLastBytes(t *testing.T) {
	text := strings.Repeat("0123456789", 50_000)
	if got, err := transport.LastBytes(strings.NewReader(text+"end"), 5); err != nil || string(got) != "89end" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := transport.LastBytes(strings.NewReader("ab"), 5); err != nil || string(got) != "ab" {
		t.Errorf("%q, %v", got, err)
	}
}

// GitHub counts calls of GraphQL by themselves: when one budget is used up, the calls against the other go on.
func TestBudgetsApart(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	core := 2
	tr, at := client(t, transport.Limits{}, func() time.Time { return now }, func(w http.ResponseWriter, r *http.Request) {
		resource, left := "graphql", 1000
		if r.URL.Path != "/graphql" {
			core--
			resource, left = "core", max(core, 0)
		}
		w.Header().Set("X-RateLimit-Resource", resource)
		w.Header().Set("X-RateLimit-Remaining", fmt.Sprint(left))
		w.Header().Set("X-RateLimit-Reset", fmt.Sprint(now.Add(time.Hour).Unix()))
		if core < 0 {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	ask := func(path string) time.Duration {
		_, err := tr.JSON(t.Context(), "GET", at+path, nil, nil)
		wait, ok := forge.RetryAfter(err)
		if err != nil && !ok {
			t.Fatal(err)
		}
		return wait
	}
	for i, want := range []time.Duration{0, 0, time.Hour, time.Hour} {
		if got := ask("/x"); got != want {
			t.Errorf("call %d would wait %v", i, got)
		}
		if got := ask("/graphql"); got != 0 {
			t.Errorf("GraphQL would wait %v", got)
		}
	}
}

// The end of a window is told by the host's clock, which may be behind ours.
func TestOurClockIsAhead(t *testing.T) {
	ahead := 2 * time.Hour
	left := 2
	tr, at := client(t, transport.Limits{}, func() time.Time { return time.Now().Add(ahead) }, func(w http.ResponseWriter, _ *http.Request) {
		left--
		w.Header().Set("X-RateLimit-Remaining", fmt.Sprint(left))
		w.Header().Set("X-RateLimit-Reset", fmt.Sprint(time.Now().Add(time.Hour).Unix()))
	})
	for range 2 {
		if _, err := tr.JSON(t.Context(), "GET", at, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	_, err := tr.JSON(t.Context(), "GET", at, nil, nil)
	if wait, ok := forge.RetryAfter(err); !ok || wait < 59*time.Minute || wait > 61*time.Minute {
		t.Errorf("it would wait %v: %v", wait, err)
	}
}
