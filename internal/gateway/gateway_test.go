package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/llm"
	"gaggle/internal/llm/wire"
)

const plantedKey = "sk-ant-api03-PLANTED-0123456789abcdefghijklmnopqrstuvwxyz"

// lines collects a transcript.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(p))
	return len(p), nil
}

func (l *lines) entries(t *testing.T) []Entry {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Entry
	for _, line := range l.all {
		var e Entry
		if !strings.HasSuffix(line, "\n") || strings.Count(line, "\n") != 1 {
			t.Errorf("not one line: %q", line)
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Errorf("line %q: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

// world is a gateway in front of a scripted provider.
type world struct {
	session    *Session
	budget     *Budget
	transcript *lines
	client     *http.Client
}

// start makes one. provider answers as both kinds of upstream.
func start(t testing.TB, provider http.HandlerFunc, change func(*Config, *SessionConfig)) *world {
	t.Helper()
	server := httptest.NewServer(provider)
	t.Cleanup(server.Close)
	c := Config{Upstreams: map[string]Upstream{
		"anthropic": {Kind: Anthropic, BaseURL: server.URL, Key: plantedKey},
		"openai":    {Kind: OpenAI, BaseURL: server.URL + "/v1", Key: plantedKey},
		"local":     {Kind: OpenAI, BaseURL: server.URL + "/v1", Free: true},
	}}
	w := &world{transcript: &lines{}}
	s := SessionConfig{Transcript: w.transcript}
	if change != nil {
		change(&c, &s)
	}
	if s.Meter == nil {
		w.budget = NewBudget(BudgetConfig{Name: "attempt", Limit: 100 * fleet.Dollar})
		s.Meter = w.budget
	}
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	w.session, err = g.Open(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	w.client = w.session.Client()
	t.Cleanup(func() {
		if err := w.session.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) post(t testing.TB, path, body string) (*http.Response, string) {
	t.Helper()
	res, err := w.client.Post("http://gateway"+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		text = append(text, []byte(" <<"+err.Error()+">>")...)
	}
	return res, string(text)
}

func TestClientsTalkThroughTheGateway(t *testing.T) {
	w := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/v1/messages":
			if r.Header.Get("X-Api-Key") != plantedKey {
				t.Errorf("key %q", r.Header.Get("X-Api-Key"))
			}
			fmt.Fprint(w, `{"type":"message","model":"claude-sonnet-4-5","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":100,"output_tokens":50}}`)
		case "/v1/chat/completions":
			if r.Header.Get("Authorization") != "Bearer "+plantedKey {
				t.Errorf("authorization %q", r.Header.Get("Authorization"))
			}
			fmt.Fprint(w, `{"model":"gpt-4.1","choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":50}}`)
		default:
			t.Errorf("%s %s", r.URL.Path, body)
		}
	}, nil)
	for upstream, c := range map[string]struct {
		format wire.Format
		model  string
		want   string
	}{"anthropic": {wire.Messages, "claude-sonnet-4-5", "hello"}, "openai": {wire.Chat, "gpt-4.1", "hi"}} {
		client, err := llm.New(llm.Config{Format: c.format, BaseURL: w.session.URL(upstream), HTTP: w.client})
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Complete(context.Background(), llm.Request{Model: c.model, Messages: []llm.Message{llm.Say(llm.User, "Say hello.")}})
		if err != nil || res.Text() != c.want || res.Usage != (fleet.Tokens{Input: 100, Output: 50}) {
			t.Errorf("%s: %q %+v %v", upstream, res.Text(), res.Usage, err)
		}
	}
	if got, want := w.budget.Spent(), fleet.Money(100*3+50*15+100*2+50*8); got != want {
		t.Errorf("spent %d, want %d", got, want)
	}
	entries := w.transcript.entries(t)
	if len(entries) != 2 || entries[0].Reply == nil || entries[0].Reply.Text == "" || entries[0].Cost == 0 {
		t.Errorf("transcript %+v", entries)
	}
}

func TestTheSocketIsServed(t *testing.T) {
	for name, dir := range map[string]string{"short": t.TempDir(), "too long for an address": filepath.Join(t.TempDir(), strings.Repeat("d", 90), strings.Repeat("e", 90))} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "gateway.sock")
		w := start(t, func(w http.ResponseWriter, r *http.Request) {}, func(_ *Config, s *SessionConfig) { s.Socket = path })
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%s: %v %v", name, info, err)
		}
		in, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", fmt.Sprintf("/proc/self/fd/%d/gateway.sock", in.Fd()))
		}}}
		res, err := client.Get("http://127.0.0.1:8787/")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		res.Body.Close()
		client.CloseIdleConnections()
		if err := w.session.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s: the socket is still there: %v", name, err)
		}
	}
}
