package simulator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// vendor is one vendor's API over a Host.
type vendor interface {
	routes(*server)
	authorized(h http.Header, token string) bool
	limit(w http.ResponseWriter)                           // refuses for the moment
	problem(w http.ResponseWriter, status int, say string) // an error as the vendor words it
	page(w http.ResponseWriter, q url.Values, total, pageCap int, self *url.URL) (from, to int)
}

type server struct {
	host   *Host
	vendor vendor
	mux    *http.ServeMux
	url    string
	seen   func(Exchange)
}

// Exchange is a request with its reply, for tests that check both against the vendor's description.
type Exchange struct {
	Method, Path, Query string
	Request, Reply      []byte
	Status              int
}

// call is a request that is being served.
type call struct {
	*server
	w    http.ResponseWriter
	r    *http.Request
	ctx  context.Context
	repo *Repo
}

func start(t testing.TB, h *Host, v vendor, seen func(Exchange)) string {
	t.Helper()
	s := &server{host: h, vendor: v, mux: http.NewServeMux(), seen: seen}
	v.routes(s)
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return srv.URL
}

// handle serves a pattern. Handlers run one at a time.
func (s *server) handle(pattern string, do func(*call)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.host.calls[pattern]++
		do(&call{server: s, w: w, r: r, ctx: r.Context()})
	})
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, ".git/") || strings.Contains(r.URL.Path, "/_git/") {
		s.git(w, r)
		return
	}
	h := s.host
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	h.mu.Lock()
	delay := h.cfg.Delay
	h.mu.Unlock()
	time.Sleep(delay)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls[""]++
	if !s.vendor.authorized(r.Header, h.cfg.Token) {
		s.vendor.problem(w, http.StatusUnauthorized, "Bad credentials")
		return
	}
	o := h.dice.Roll(r.Method + " " + r.URL.RequestURI())
	switch o {
	case limited:
		s.vendor.limit(w)
		return
	case failsBefore:
		s.vendor.problem(w, http.StatusBadGateway, "bad gateway")
		return
	case hangsUpBefore:
		panic(http.ErrAbortHandler)
	}
	rec := httptest.NewRecorder()
	s.mux.ServeHTTP(rec, r)
	reply := rec.Body.Bytes()
	if s.seen != nil {
		s.seen(Exchange{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, body, bytes.Clone(reply), rec.Code})
	}
	switch o {
	case failsAfter:
		s.vendor.problem(w, http.StatusInternalServerError, "internal error")
		return
	case hangsUpAfter:
		panic(http.ErrAbortHandler)
	}
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	if r.Method == http.MethodGet && rec.Code == http.StatusOK {
		sum := sha256.Sum256(reply)
		etag := `"` + hex.EncodeToString(sum[:8]) + `"`
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			h.calls["304"]++
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if o == cut && len(reply) > 1 {
		w.Header().Set("Content-Length", strconv.Itoa(len(reply)))
		w.WriteHeader(rec.Code)
		_, _ = w.Write(reply[:len(reply)/2])
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(reply)
}

func (c *call) json(status int, v any) {
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	c.w.WriteHeader(status)
	_ = json.NewEncoder(c.w).Encode(v)
}

func (c *call) fail(status int, say string) { c.vendor.problem(c.w, status, say) }

func (c *call) read(into any) bool {
	if err := json.NewDecoder(c.r.Body).Decode(into); err != nil {
		c.fail(http.StatusBadRequest, "Problems parsing JSON")
		return false
	}
	return true
}

// at finds the repository, or says that it is gone or has moved.
func (c *call) at(slug string, redirect func(to string) string) bool {
	key := strings.ToLower(slug)
	if to, ok := c.host.moved[key]; ok && c.host.repos[key] == nil {
		if redirect == nil {
			c.fail(http.StatusNotFound, "Not Found")
			return false
		}
		status := http.StatusMovedPermanently
		if c.r.Method != http.MethodGet {
			status = http.StatusTemporaryRedirect
		}
		c.w.Header().Set("Location", c.url+redirect(to))
		c.fail(status, "Moved Permanently")
		return false
	}
	if c.repo = c.host.repos[key]; c.repo == nil {
		c.fail(http.StatusNotFound, "Not Found")
		return false
	}
	return true
}

// number finds the pull request that the path names.
func (c *call) number(name string) *Pull {
	n, err := strconv.Atoi(c.r.PathValue(name))
	if err != nil {
		c.fail(http.StatusNotFound, "Not Found")
		return nil
	}
	p, err := c.host.pull(c.ctx, c.repo, n)
	if errors.Is(err, errMissing) {
		c.fail(http.StatusNotFound, "Not Found")
		return nil
	}
	if err != nil {
		c.fail(http.StatusInternalServerError, err.Error())
		return nil
	}
	return p
}

// paged sends one page of a list.
func paged[T any](c *call, list []T, show func(T) any) {
	from, to := c.vendor.page(c.w, c.r.URL.Query(), len(list), c.host.cfg.PageCap, c.r.URL)
	out := []any{}
	for _, x := range list[from:to] {
		out = append(out, show(x))
	}
	c.json(http.StatusOK, out)
}

// linked pages by page and size parameters, and says where the next page is in a Link header.
func linked(w http.ResponseWriter, base string, q url.Values, size string, fallback, total, pageCap int, self *url.URL) (from, to int) {
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(q.Get(name)); err == nil && n > 0 {
			return n
		}
		return otherwise
	}
	page, per := number("page", 1), min(number(size, fallback), pageCap)
	from = min((page-1)*per, total)
	to = min(from+per, total)
	if to < total {
		next := *self
		v := next.Query()
		v.Set("page", strconv.Itoa(page+1))
		next.RawQuery = v.Encode()
		w.Header().Set("Link", fmt.Sprintf(`<%s%s>; rel="next"`, base, next.RequestURI()))
	}
	return from, to
}
