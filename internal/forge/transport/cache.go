package transport

import (
	"bytes"
	"container/list"
	"io"
	"net/http"
	"sync"
)

// cache remembers replies that have an ETag, so that asking again costs no budget where nothing changed.
type cache struct {
	most int

	mu      sync.Mutex
	order   *list.List // newest first
	entries map[string]*list.Element
}

type entry struct {
	key, etag string
	header    http.Header
	body      []byte
}

// largest is the size of a reply that is worth remembering.
const largest = 256 << 10

func newCache(most int) *cache {
	return &cache{most: most, order: list.New(), entries: map[string]*list.Element{}}
}

func key(req *http.Request) string { return req.URL.String() + "\n" + req.Header.Get("Accept") }

// ask makes a request conditional when its reply is remembered.
func (c *cache) ask(req *http.Request) *entry {
	if req.Method != http.MethodGet {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.entries[key(req)]
	if !ok {
		return nil
	}
	c.order.MoveToFront(at)
	e := at.Value.(*entry)
	req.Header.Set("If-None-Match", e.etag)
	return e
}

// keep remembers a reply and hands on one that reads the same.
func (c *cache) keep(req *http.Request, resp *http.Response) (*http.Response, error) {
	etag := resp.Header.Get("ETag")
	if req.Method != http.MethodGet || resp.StatusCode != http.StatusOK || etag == "" || resp.ContentLength > largest {
		return resp, nil
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, largest+1))
	rest := resp.Body
	resp.Body = &joined{Reader: io.MultiReader(bytes.NewReader(data), failing{err, rest}), Closer: rest}
	if err != nil || len(data) > largest {
		return resp, nil // the reader sees the same failure, and a large reply is only passed on
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k := key(req)
	if at, ok := c.entries[k]; ok {
		c.order.Remove(at)
	}
	c.entries[k] = c.order.PushFront(&entry{key: k, etag: etag, header: resp.Header.Clone(), body: data})
	for c.order.Len() > c.most {
		last := c.order.Back()
		delete(c.entries, last.Value.(*entry).key)
		c.order.Remove(last)
	}
	return resp, nil
}

// reply is the remembered reply again.
func (e *entry) reply(req *http.Request) *http.Response {
	return &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: e.header.Clone(), Body: io.NopCloser(bytes.NewReader(e.body)), ContentLength: int64(len(e.body)), Request: req}
}

type joined struct {
	io.Reader
	io.Closer
}

// failing repeats an error that was met while reading ahead, or reads on.
type failing struct {
	err error
	io.Reader
}

func (f failing) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return f.Reader.Read(p)
}
