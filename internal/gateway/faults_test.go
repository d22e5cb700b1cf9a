package gateway

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/llm"
)

func TestErrorsOfTheProviderPassAndCostNothing(t *testing.T) {
	for status, want := range map[int]fleet.Code{429: fleet.CodeModelBusy, 529: fleet.CodeModelBusy, 503: fleet.CodeModelBusy, 500: fleet.CodeModel, 401: fleet.CodeModel, 400: fleet.CodeModel, 307: fleet.CodeModel} {
		body := fmt.Sprintf(`{"type":"error","error":{"type":"x","message":"no, not with %s"}}`, plantedKey)
		w := start(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "17")
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(status)
			io.WriteString(w, body)
		}, nil)
		res, got := w.post(t, kinds[0].path, kinds[0].body)
		if res.StatusCode != status || got != strings.ReplaceAll(body, plantedKey, "[redacted]") || res.Header.Get("Retry-After") != "17" || res.Header.Get("Location") != "" {
			t.Errorf("%d: %s %v %s", status, res.Status, res.Header, got)
		}
		if w.budget.Spent() != 0 || w.budget.held != 0 || fleet.CodeOf(w.session.Trouble()) != want {
			t.Errorf("%d: spent %s, held %s, trouble %v", status, w.budget.Spent(), w.budget.held, w.session.Trouble())
		}
		if e := w.transcript.entries(t)[0]; e.Status != status || strings.Contains(e.Error, plantedKey) || e.Error == "" {
			t.Errorf("%+v", e)
		}
	}
}

func TestAProviderThatCannotBeReached(t *testing.T) {
	w := start(t, never(t), func(c *Config, _ *SessionConfig) {
		c.Upstreams["anthropic"] = Upstream{Kind: Anthropic, BaseURL: "http://127.0.0.1:1", Key: plantedKey}
	})
	res, body := w.post(t, kinds[0].path, kinds[0].body)
	if res.StatusCode != http.StatusBadGateway || !strings.Contains(body, "cannot be reached") || w.budget.Spent() != 0 || fleet.CodeOf(w.session.Trouble()) != fleet.CodeModel {
		t.Errorf("%s %s, spent %s, %v", res.Status, body, w.budget.Spent(), w.session.Trouble())
	}
}

// hang keeps a reply waiting until the test ends or the gateway gives up.
func hang(r *http.Request) {
	io.Copy(io.Discard, r.Body) // so that the server notices when the gateway hangs up
	<-r.Context().Done()
}

func TestAProviderThatNeverBegins(t *testing.T) {
	w := start(t, func(_ http.ResponseWriter, r *http.Request) { hang(r) }, func(c *Config, _ *SessionConfig) { c.Timeouts.FirstByte = 20 * time.Millisecond })
	res, body := w.post(t, kinds[0].path, kinds[0].body)
	if res.StatusCode != http.StatusGatewayTimeout || !strings.Contains(body, "timeout_error") || fleet.CodeOf(w.session.Trouble()) != fleet.CodeModelBusy {
		t.Errorf("%s %s %v", res.Status, body, w.session.Trouble())
	}
	// The request was sent, so it may have been paid for.
	if e := w.transcript.entries(t)[0]; w.budget.Spent() == 0 || !e.Estimated || e.Tokens.Input == 0 || w.budget.Spent() > fleet.Dollar/100 {
		t.Errorf("spent %s, %+v", w.budget.Spent(), e)
	}
}

// begins sends the beginning of a stream and then does what is asked.
func begins(text string, then func(http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, text)
		http.NewResponseController(w).Flush()
		then(w, r)
	}
}

var (
	messagesBegin  = messagesReply[:strings.Index(messagesReply, "event: message_delta")]
	chatBegin      = chatReply[:strings.Index(chatReply, "\n\n")+2]
	responsesBegin = responsesReply[:strings.Index(responsesReply, "event: response.completed")]
)

func TestStreamsThatBreakOff(t *testing.T) {
	abort := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	end := func(http.ResponseWriter, *http.Request) {}
	stop := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	fail := func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n")
	}
	for name, c := range map[string]struct {
		kind  int
		begin string
		then  func(http.ResponseWriter, *http.Request)
		known fleet.Tokens // what the provider told
		clean bool         // the client sees a proper end, as the provider sent one
		says  string
	}{
		"messages, aborted": {0, messagesBegin, abort, fleet.Tokens{Input: 1000, CacheWrite: 200, CacheRead: 3000}, false, "unexpected EOF"},
		"messages, ended":   {0, messagesBegin, end, fleet.Tokens{Input: 1000, CacheWrite: 200, CacheRead: 3000}, true, "in the middle"},
		"messages, silent":  {0, messagesBegin, stop, fleet.Tokens{Input: 1000, CacheWrite: 200, CacheRead: 3000}, false, "stopped in the middle of its answer"},
		"messages, error":   {0, messagesBegin, fail, fleet.Tokens{Input: 1000, CacheWrite: 200, CacheRead: 3000}, true, "Overloaded"},
		"messages, nothing": {0, "", abort, fleet.Tokens{}, false, "unexpected EOF"},
		"chat, aborted":     {1, chatBegin, abort, fleet.Tokens{}, false, "unexpected EOF"},
		"responses, silent": {2, responsesBegin, stop, fleet.Tokens{}, false, "stopped in the middle of its answer"},
	} {
		w := start(t, begins(c.begin, c.then), func(c *Config, _ *SessionConfig) { c.Timeouts.Idle = 50 * time.Millisecond })
		_, got := w.post(t, kinds[c.kind].path, kinds[c.kind].body)
		if !strings.HasPrefix(got, c.begin) || strings.Contains(got, "<<unexpected EOF>>") == c.clean {
			t.Errorf("%s: the client sees %q", name, got)
		}
		e := w.transcript.entries(t)[0]
		if !e.Estimated || e.Cost == 0 || e.Cost != w.budget.Spent() || e.Error == "" || w.budget.held != 0 {
			t.Errorf("%s: %+v, spent %d, held %d", name, e, w.budget.Spent(), w.budget.held)
		}
		if e.Tokens.CacheRead != c.known.CacheRead || e.Tokens.CacheWrite != c.known.CacheWrite || e.Tokens.Input < max(c.known.Input, 1) {
			t.Errorf("%s: %+v, known %+v", name, e.Tokens, c.known)
		}
		if strings.Contains(c.begin, "Hello.") && e.Tokens.Output < int64(len("Hello."))/guessOutput {
			t.Errorf("%s: what was written is not charged: %+v", name, e.Tokens)
		}
		if err := w.session.Trouble(); fleet.CodeOf(err) != fleet.CodeModel || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: trouble %v", name, err)
		}
	}
}

// TestHiddenReasoningIsCharged lets time pass on the gateway's clock while nothing visible comes.
func TestHiddenReasoningIsCharged(t *testing.T) {
	var mu sync.Mutex
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	w := start(t, begins(responsesBegin, func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		now = now.Add(time.Minute)
		mu.Unlock()
		panic(http.ErrAbortHandler)
	}), func(c *Config, _ *SessionConfig) {
		c.Clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	w.post(t, kinds[2].path, kinds[2].body)
	w.post(t, kinds[2].path, `{"model":"gpt-5","stream":true,"input":"hi","max_output_tokens":500}`)
	entries := w.transcript.entries(t)
	if entries[0].Tokens.Output != 60*tokensASecond || entries[1].Tokens.Output != 500 || entries[0].TotalMS != 60_000 {
		t.Errorf("%+v %+v", entries[0].Tokens, entries[1].Tokens)
	}
}

func TestUsageThatCannotBeTrue(t *testing.T) {
	long := strings.Repeat("x", 6400)
	for name, c := range map[string]struct {
		reply       string
		input, out  int64 // at least
		atMostTotal int64
	}{
		"zero":      {`{"type":"message","content":[{"type":"text","text":"` + long + `"}],"usage":{"input_tokens":0,"output_tokens":0}}`, 2000, 3000, 9000},
		"negative":  {`{"type":"message","content":[{"type":"text","text":"` + long + `"}],"usage":{"input_tokens":-9000000,"output_tokens":-9000000}}`, 2000, 3000, 9000},
		"enormous":  {`{"type":"message","content":[{"type":"text","text":"` + long + `"}],"usage":{"input_tokens":9000000000000000000,"output_tokens":1e300}}`, 2000, 1000, 9000},
		"too large": {`{"type":"message","content":[],"usage":{"input_tokens":123456789123,"output_tokens":5}}`, 2000, 5, 9000},
		"none":      {`{"type":"message","content":[{"type":"text","text":"` + long + `"}]}`, 2000, 3000, 9000},
		"not JSON":  {long, 2000, 1000, 9000},
		"words":     {`{"type":"message","content":[],"usage":{"input_tokens":"many","output_tokens":"few"}}`, 2000, 0, 9000},
	} {
		w := start(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, c.reply)
		}, nil)
		body := `{"model":"claude-sonnet-4-5","max_tokens":4000,"messages":[{"role":"user","content":"` + long + `"}]}`
		if _, got := w.post(t, kinds[0].path, body); got != c.reply {
			t.Errorf("%s: the reply was changed", name)
		}
		e := w.transcript.entries(t)[0]
		if !e.Estimated || e.Tokens.Input < c.input || e.Tokens.Output < c.out || e.Tokens.Total() > c.atMostTotal || w.budget.Spent() <= 0 {
			t.Errorf("%s: %+v, spent %s", name, e.Tokens, w.budget.Spent())
		}
	}
}

func TestARouterThatAsksADearerModel(t *testing.T) {
	w := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"type":"message","model":"claude-opus-4-1-20250805","content":[],"usage":{"input_tokens":1000,"output_tokens":0}}`)
	}, nil)
	w.post(t, kinds[0].path, kinds[0].body)
	if w.budget.Spent() != 15_000 {
		t.Errorf("spent %d", w.budget.Spent())
	}
}

func TestEndlessAndPackedReplies(t *testing.T) {
	for name, provider := range map[string]http.HandlerFunc{
		"endless": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for piece := []byte(strings.Repeat(": x\n", 1<<12)); ; {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		},
		"a packed bomb": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for range 6 {
				z.Write(make([]byte, 1<<20))
			}
			z.Close()
		},
		"packed in another way": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			io.WriteString(w, "xxxx")
		},
	} {
		w := start(t, provider, func(_ *Config, s *SessionConfig) { s.MaxReply = 1 << 20 })
		_, got := w.post(t, kinds[0].path, kinds[0].body)
		if len(got) > 2<<20 || !strings.Contains(got, "<<unexpected EOF>>") {
			t.Errorf("%s: %d bytes, %q", name, len(got), got[max(0, len(got)-50):])
		}
		if w.budget.Spent() == 0 || w.session.Trouble() == nil {
			t.Errorf("%s: spent %s, %v", name, w.budget.Spent(), w.session.Trouble())
		}
	}
}

// TestAClientThatGoesAwayStillPays hangs up as soon as the reply has begun.
func TestAClientThatGoesAwayStillPays(t *testing.T) {
	gone := make(chan struct{})
	w := start(t, begins(messagesBegin, func(w http.ResponseWriter, r *http.Request) {
		<-gone
		io.WriteString(w, messagesReply[len(messagesBegin):])
	}), nil)
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://gateway"+kinds[0].path, strings.NewReader(kinds[0].body))
	res, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Read(make([]byte, 10))
	cancel()
	res.Body.Close()
	close(gone)
	w.session.work.Wait()
	if e := w.transcript.entries(t)[0]; w.budget.Spent() != kinds[0].cost || e.Estimated {
		t.Errorf("spent %d, want %d: %+v", w.budget.Spent(), kinds[0].cost, e)
	}
}

func TestAClientThatGoesAwayIsNotWaitedForEndlessly(t *testing.T) {
	ended := make(chan struct{})
	w := start(t, begins(messagesBegin, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); close(ended) }), func(c *Config, _ *SessionConfig) { c.Timeouts.Drain = 10 * time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://gateway"+kinds[0].path, strings.NewReader(kinds[0].body))
	res, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Read(make([]byte, 10))
	cancel()
	res.Body.Close()
	<-ended
	w.session.work.Wait()
	if e := w.transcript.entries(t)[0]; !e.Estimated || w.budget.Spent() == 0 {
		t.Errorf("%+v", e)
	}
}

func TestCloseEndsWhatIsUnderWayAndSettles(t *testing.T) {
	began := make(chan struct{})
	w := start(t, begins(messagesBegin, func(_ http.ResponseWriter, r *http.Request) { close(began); <-r.Context().Done() }), nil)
	done := make(chan error)
	go func() {
		res, err := w.client.Post("http://gateway"+kinds[0].path, "application/json", strings.NewReader(kinds[0].body))
		if err == nil && res.StatusCode == http.StatusOK {
			_, err = io.ReadAll(res.Body)
		} else if err == nil {
			err = errors.New(res.Status)
		}
		done <- err
	}()
	<-began
	if err := w.session.Close(); err != nil {
		t.Error(err)
	}
	if <-done == nil {
		t.Error("the client saw a proper end")
	}
	if w.budget.held != 0 || w.budget.Spent() == 0 {
		t.Errorf("held %d, spent %d", w.budget.held, w.budget.Spent())
	}
	if err := w.session.Close(); err != nil {
		t.Error(err)
	}
	if _, err := w.client.Get("http://gateway/"); err == nil {
		t.Error("a closed session answers")
	}
}

func TestTheContextEndsTheSession(t *testing.T) {
	g, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s, err := g.Open(ctx, SessionConfig{Meter: NewBudget(BudgetConfig{})})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-s.ctx.Done()
	res, err := s.Client().Get("http://gateway/")
	if err == nil && res.StatusCode != http.StatusServiceUnavailable {
		t.Error(res.Status)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// ledger is a meter whose book cannot be written.
type ledger struct{ err error }

func (l ledger) Before(context.Context, Ask) (Hold, error) { return l, nil }
func (l ledger) After(context.Context, Bill) error         { return l.err }

func TestWhatCannotBeRecordedIsTheLast(t *testing.T) {
	w := start(t, streams(messagesReply), func(_ *Config, s *SessionConfig) { s.Meter = ledger{errors.New("disk full")} })
	if res, _ := w.post(t, kinds[0].path, kinds[0].body); res.StatusCode != 200 {
		t.Error(res.Status)
	}
	res, body := w.post(t, kinds[0].path, kinds[0].body)
	if res.StatusCode != 500 || fleet.Code(res.Header.Get(llm.CodeHeader)) != fleet.CodeInternal || !strings.Contains(body, "disk full") {
		t.Errorf("%s %v %s", res.Status, res.Header, body)
	}
}
