package gateway

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkFirstByte measures from the request to the first byte of a streamed reply, straight to a provider on
// loopback and through the gateway's socket, with a request as large as a coding agent's. What the gateway adds is
// reported as added-ms/op (median); it should stay below 1.
func BenchmarkFirstByte(b *testing.B) {
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, messagesReply)
	}))
	defer provider.Close()
	g, err := New(Config{Upstreams: map[string]Upstream{"anthropic": {Kind: Anthropic, BaseURL: provider.URL, Key: plantedKey}}})
	if err != nil {
		b.Fatal(err)
	}
	socket := filepath.Join(b.TempDir(), "s")
	s, err := g.Open(context.Background(), SessionConfig{Socket: socket, Meter: NewBudget(BudgetConfig{Limit: NoLimit}), Transcript: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	through := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) }}}
	direct := &http.Client{}
	for name, size := range map[string]int{"small": 1 << 10, "100KB": 100 << 10} {
		body := `{"model":"claude-sonnet-4-5","max_tokens":1000,"stream":true,"messages":[{"role":"user","content":"` + strings.Repeat("some words of code\\n", size/20) + `"}]}`
		once := func(c *http.Client, url string) time.Duration {
			begun := time.Now()
			res, err := c.Post(url, "application/json", strings.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(res.Body, make([]byte, 1)); err != nil {
				b.Fatal(err)
			}
			took := time.Since(begun)
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			return took
		}
		b.Run(name, func(b *testing.B) {
			var straight, with []time.Duration
			for b.Loop() {
				straight = append(straight, once(direct, provider.URL+"/v1/messages"))
				with = append(with, once(through, "http://127.0.0.1:8787/anthropic/v1/messages"))
			}
			median := func(d []time.Duration) float64 {
				slices.Sort(d)
				return float64(d[len(d)/2]) / float64(time.Millisecond)
			}
			b.ReportMetric(median(with)-median(straight), "added-ms/op")
			b.ReportMetric(median(straight), "direct-ms/op")
		})
	}
}

// BenchmarkStream measures how much of a long stream passes in a second.
func BenchmarkStream(b *testing.B) {
	reply := strings.Repeat("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a few words of code\"}}\n\n", 10_000)
	w := start(b, streams(reply), nil)
	b.SetBytes(int64(len(reply)))
	for b.Loop() {
		w.post(b, kinds[0].path, kinds[0].body)
	}
}
