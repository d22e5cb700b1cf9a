package transport_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
	"gaggle/internal/store"
)

// limited is a host that grants a budget of calls, and counts what it refuses.
type limited struct {
	url *url.URL

	mu              sync.Mutex
	limit, left     int
	reset           time.Time
	served, refused int
	writes          int
	after           string // Retry-After, and 429
}

func newLimited(t *testing.T, limit int, reset time.Time) *limited {
	t.Helper()
	h := &limited{limit: limit, left: limit, reset: reset}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	var err error
	if h.url, err = url.Parse(srv.URL); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *limited) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	status := http.StatusOK
	switch {
	case h.after != "":
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", h.after)
	case h.left == 0:
		status = http.StatusForbidden
	default:
		h.left--
	}
	if h.limit > 0 {
		w.Header().Set("X-RateLimit-Limit", fmt.Sprint(h.limit))
		w.Header().Set("X-RateLimit-Remaining", fmt.Sprint(h.left))
		w.Header().Set("X-RateLimit-Reset", fmt.Sprint(h.reset.Unix()))
	}
	if status == http.StatusOK {
		h.served++
	} else {
		h.refused++
	}
	if r.Method == http.MethodPost {
		h.writes++
	}
	w.WriteHeader(status)
}

// clock is the time of several processes.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// sharing is the transport of one process, which opens the books for itself.
func sharing(t *testing.T, h *limited, books transport.Books, limits transport.Limits, c *clock) *transport.Transport {
	t.Helper()
	l := transport.NewLimiter(limits, c.now).Share(books, transport.NameFor(h.url, forge.Fixed(token)))
	tr, err := transport.New(transport.Config{Base: h.url, Credential: forge.Fixed(token), Limiter: l})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// until asks from many goroutines until each is told to wait, and returns the shortest wait.
func until(t *testing.T, h *limited, tr *transport.Transport, method string) (wait time.Duration) {
	t.Helper()
	wait = time.Duration(1 << 62)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				_, err := tr.JSON(t.Context(), method, h.url.String(), nil, nil)
				if after, ok := forge.RetryAfter(err); ok {
					mu.Lock()
					wait = min(wait, after)
					mu.Unlock()
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return wait
}

func TestSharedOnSQLite(t *testing.T) {
	exerciseSharing(t, func(t *testing.T) string { return filepath.Join(t.TempDir(), "gaggle.db") })
}

// exerciseSharing has two processes use one credential, with the database as what they share.
func exerciseSharing(t *testing.T, database func(t *testing.T) string) {
	two := func(t *testing.T, h *limited, limits transport.Limits, c *clock) (a, b *transport.Transport, at *store.Store) {
		t.Helper()
		address := database(t)
		open := func() *store.Store {
			s, err := store.Open(t.Context(), store.Config{URL: address, Clock: c.now})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			return s
		}
		at = open()
		return sharing(t, h, at, limits, c), sharing(t, h, open(), limits, c), at
	}
	start := func() *clock {
		c := &clock{}
		c.advance(1_800_000_000 * time.Second)
		return c
	}
	both := func(t *testing.T, h *limited, method string, all ...*transport.Transport) {
		t.Helper()
		var wg sync.WaitGroup
		for _, tr := range all {
			wg.Go(func() { until(t, h, tr, method) })
		}
		wg.Wait()
	}

	t.Run("one budget", func(t *testing.T) {
		c := start()
		h := newLimited(t, 400, c.now().Add(30*time.Minute))
		a, b, _ := two(t, h, transport.Limits{AtOnce: 16, Reserve: 30}, c)
		for range 3 {
			both(t, h, "GET", a, b)
			c.advance(time.Minute) // what one had left over comes back
		}
		if h.refused != 0 || h.served > 371 || h.served < 365 { // one call may find out that nothing came back

			t.Errorf("%d served (%d and %d), %d refused", h.served, a.Calls(), b.Calls(), h.refused)
		}
		if wait := until(t, h, b, "GET"); wait > 27*time.Minute {
			t.Errorf("it would wait %v", wait)
		}
		c.advance(27 * time.Minute)
		h.left, h.reset = 400, c.now().Add(time.Hour)
		for range 3 {
			both(t, h, "GET", a, b)
			c.advance(time.Minute)
		}
		if h.refused != 0 || h.served > 2*371 || h.served < 370+365 {
			t.Errorf("in the next window: %d served, %d refused", h.served, h.refused)
		}
	})

	t.Run("nothing left at first", func(t *testing.T) {
		c := start()
		h := newLimited(t, 5000, c.now().Add(30*time.Minute))
		h.left = 0
		a, b, _ := two(t, h, transport.Limits{AtOnce: 16}, c)
		both(t, h, "GET", a, b)
		if h.refused != 1 {
			t.Errorf("%d calls were refused", h.refused)
		}
	})

	t.Run("a pause", func(t *testing.T) {
		c := start()
		h := newLimited(t, 5000, c.now().Add(30*time.Minute))
		a, b, _ := two(t, h, transport.Limits{}, c)
		for _, tr := range []*transport.Transport{a, b} {
			if _, err := tr.JSON(t.Context(), "GET", h.url.String(), nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		h.after = "120"
		if wait := until(t, h, a, "GET"); wait != 2*time.Minute {
			t.Errorf("it would wait %v", wait)
		}
		h.after = ""
		refused, calls := h.refused, b.Calls()
		c.advance(time.Second)
		if wait := until(t, h, b, "GET"); wait != 2*time.Minute-time.Second || b.Calls() != calls {
			t.Errorf("the other would wait %v and made %d calls", wait, b.Calls()-calls)
		}
		c.advance(2 * time.Minute)
		if _, err := b.JSON(t.Context(), "GET", h.url.String(), nil, nil); err != nil || h.refused != refused {
			t.Error(err)
		}
	})

	t.Run("a dead one's slice", func(t *testing.T) {
		c := start()
		h := newLimited(t, 100, c.now().Add(30*time.Minute))
		a, b, _ := two(t, h, transport.Limits{}, c)
		for range 2 { // the second one takes a slice and uses one call of it
			if _, err := a.JSON(t.Context(), "GET", h.url.String(), nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if wait := until(t, h, b, "GET"); h.left == 0 || wait > time.Minute {
			t.Errorf("%d left, it would wait %v", h.left, wait)
		}
		for range 5 { // a is not heard of again
			c.advance(15 * time.Second)
			until(t, h, b, "GET")
		}
		if h.left != 0 || h.refused != 0 {
			t.Errorf("%d left, %d refused", h.left, h.refused)
		}
	})

	t.Run("what one gives back", func(t *testing.T) {
		c := start()
		h := newLimited(t, 100, c.now().Add(30*time.Minute))
		a, b, _ := two(t, h, transport.Limits{}, c)
		for range 2 {
			if _, err := a.JSON(t.Context(), "GET", h.url.String(), nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Limiter().Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if until(t, h, b, "GET"); h.left != 0 || h.refused != 0 {
			t.Errorf("%d left, %d refused", h.left, h.refused)
		}
		h.left, h.reset = 10, c.now().Add(2*time.Hour)
		c.advance(time.Hour)
		if _, err := a.JSON(t.Context(), "GET", h.url.String(), nil, nil); err != nil {
			t.Errorf("it does not go on: %v", err)
		}
	})

	t.Run("what is made", func(t *testing.T) {
		c := start()
		h := newLimited(t, 0, time.Time{})
		h.left = 1 << 30
		a, b, _ := two(t, h, transport.Limits{WritesPerMinute: 40, WritesPerHour: 90}, c)
		for minute, want := range []int{40, 80, 90, 90} {
			both(t, h, "POST", a, b)
			if h.writes != want {
				t.Errorf("%d made in %d minutes, want %d", h.writes, minute+1, want)
			}
			c.advance(time.Minute + time.Second)
		}
		if wait := until(t, h, a, "POST"); wait < 50*time.Minute || wait > time.Hour {
			t.Errorf("it would wait %v", wait)
		}
		c.advance(time.Hour)
		if both(t, h, "POST", a, b); h.writes != 130 {
			t.Errorf("%d made", h.writes)
		}
	})

	t.Run("no token is kept", func(t *testing.T) {
		c := start()
		h := newLimited(t, 100, c.now().Add(time.Hour))
		a, _, s := two(t, h, transport.Limits{}, c)
		if _, err := a.JSON(t.Context(), "GET", h.url.String(), nil, nil); err != nil {
			t.Fatal(err)
		}
		name, err := transport.NameFor(h.url, forge.Fixed(token))(context.Background())
		if err != nil || strings.Contains(name, token) {
			t.Error(name, err)
		}
		kept, err := s.ForgeBudget(t.Context(), name)
		if err != nil || kept == "" || strings.Contains(kept, token) {
			t.Error(kept, err)
		}
		if other := transport.BookName(h.url, token+"x"); other == name {
			t.Error("two tokens have one name")
		}
	})
}

// Most calls ask the books nothing.
func TestBooksAreSeldomAsked(t *testing.T) {
	c := &clock{}
	c.advance(1_800_000_000 * time.Second)
	h := newLimited(t, 5000, c.now().Add(time.Hour))
	books := &counted{}
	tr := sharing(t, h, books, transport.Limits{}, c)
	for range 1000 {
		if _, err := tr.JSON(t.Context(), "GET", h.url.String(), nil, nil); err != nil {
			t.Fatal(err)
		}
		c.advance(10 * time.Millisecond)
	}
	if books.n > 40 {
		t.Errorf("the books were asked %d times in ten seconds with a thousand calls", books.n)
	}
}

type counted struct {
	n    int
	kept string
}

func (b *counted) Amend(_ context.Context, _ string, change func(string) (string, error)) (err error) {
	b.n++
	b.kept, err = change(b.kept)
	return err
}
