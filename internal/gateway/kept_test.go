package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// shelf keeps replies in memory.
type shelf struct {
	mu  sync.Mutex
	all map[string][]byte
}

func (s *shelf) Find(_ context.Context, key string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.all[key]
	return data, ok, nil
}

func (s *shelf) Keep(_ context.Context, key string, kept []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string][]byte{}
	}
	s.all[key] = kept
	return nil
}

// say posts a message and returns the whole reply.
func (w *world) say(t *testing.T, body string) string {
	t.Helper()
	res, err := w.client.Post(w.session.URL("anthropic")+"/v1/messages", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const asked = `{"model":"claude-sonnet-4-5","max_tokens":100,"metadata":{"user_id":"%s"},"messages":[{"role":"user","content":"%s"}]}`

// What an earlier session of the same attempt was answered is not asked, and not paid, again; the second time that
// something is asked in one session, it is another question.
func TestKeptReplies(t *testing.T) {
	var calls atomic.Int64
	provider := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"m","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"answer %d"}],"stop_reason":"end_turn","usage":{"input_tokens":100,"output_tokens":100}}`, calls.Add(1))
	}
	kept := &shelf{}
	open := func(scope string) *world {
		return start(t, provider, func(_ *Config, s *SessionConfig) { s.Replies, s.Scope = kept, scope })
	}
	first := open("a")
	if one, two := first.say(t, fmt.Sprintf(asked, "x", "hi")), first.say(t, fmt.Sprintf(asked, "x", "hi")); !strings.Contains(one, "answer 1") || !strings.Contains(two, "answer 2") {
		t.Errorf("%s, %s", one, two)
	}
	again := open("a")
	for n := range 3 {
		if got := again.say(t, fmt.Sprintf(asked, "another session", "hi")); !strings.Contains(got, fmt.Sprintf("answer %d", n+1)) {
			t.Errorf("%d: %s", n, got)
		}
	}
	if calls.Load() != 3 || again.budget.Spent() == 0 || 2*again.budget.Spent() != first.budget.Spent() {
		t.Errorf("%d calls; spent %s, then %s", calls.Load(), first.budget.Spent(), again.budget.Spent())
	}
	if e := again.transcript.entries(t); len(e) != 3 || !e[0].Kept || e[0].Reply.Text != "answer 1" || e[0].Cost != 0 || e[2].Kept {
		t.Errorf("transcript %+v", e)
	}
	if open("b").say(t, fmt.Sprintf(asked, "x", "hi")); calls.Load() != 4 {
		t.Error("another attempt got this one's reply")
	}
}

// A stream comes again as it came, also where the count was asked for in the client's name.
func TestKeptStreams(t *testing.T) {
	var calls atomic.Int64
	kept := &shelf{}
	var got []string
	for range 2 {
		w := start(t, func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			w.Header().Set("Content-Type", "text/event-stream")
			for _, event := range []string{`{"choices":[{"index":0,"delta":{"content":"hello"}}]}`, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, `{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5}}`, `[DONE]`} {
				fmt.Fprintf(w, "data: %s\n\n", event)
			}
		}, func(_ *Config, s *SessionConfig) { s.Replies = kept })
		res, err := w.client.Post(w.session.URL("openai")+"/chat/completions", "application/json", strings.NewReader(`{"model":"gpt-5-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, res.Header.Get("Content-Type")+" "+string(text))
	}
	if calls.Load() != 1 || got[0] != got[1] || !strings.Contains(got[0], "hello") || strings.Contains(got[0], "prompt_tokens") {
		t.Errorf("%d calls: %q", calls.Load(), got)
	}
}

// What failed, was cut off or holds a secret is not kept.
func TestWhatIsNotKept(t *testing.T) {
	for name, provider := range map[string]http.HandlerFunc{
		"refused": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(529) },
		"cut off": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":1}}}\n\n")
		},
		"a secret": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"it is ghp_`+strings.Repeat("a1B2", 9)+`"}],"stop_reason":"end_turn","usage":{"input_tokens":100,"output_tokens":100}}`)
		},
	} {
		kept := &shelf{}
		w := start(t, provider, func(_ *Config, s *SessionConfig) { s.Replies = kept })
		res, err := w.client.Post(w.session.URL("anthropic")+"/v1/messages", "application/json", strings.NewReader(fmt.Sprintf(asked, "x", "hi")))
		if err == nil {
			io.Copy(io.Discard, res.Body) //nolint:errcheck // it may be cut off
			res.Body.Close()
		}
		w.session.Close()
		if len(kept.all) != 0 {
			t.Errorf("%s: kept", name)
		}
	}
}
