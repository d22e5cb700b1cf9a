package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/llm/wire"
)

const testKey = "sk-ant-api03-test-0123456789abcdefghijklmnop"

// script is an endpoint that answers in order and keeps what it was asked.
type script struct {
	t       *testing.T
	answers []answer
	asked   []map[string]any
	headers []http.Header
	slept   []time.Duration
	server  *httptest.Server
	mu      sync.Mutex // a connection that broke off may still be in its handler when the next one is served
}

type answer struct {
	status int
	body   string
	header map[string]string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		s.t.Errorf("request: %v", err)
	}
	s.mu.Lock()
	s.asked, s.headers = append(s.asked, body), append(s.headers, r.Header)
	nth := len(s.asked)
	s.mu.Unlock()
	if nth > len(s.answers) {
		s.t.Errorf("asked %d times", nth)
		panic(http.ErrAbortHandler)
	}
	a := s.answers[nth-1]
	if a.status == 0 {
		panic(http.ErrAbortHandler)
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	io.WriteString(w, a.body)
}

func ask(t *testing.T, f wire.Format, answers ...answer) (*script, Client) {
	t.Helper()
	s := &script{t: t, answers: answers}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	client, err := New(Config{Format: f, BaseURL: s.server.URL + "/", Key: testKey, Sleep: func(_ context.Context, d time.Duration) error {
		s.slept = append(s.slept, d)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s, client
}

func ok(body string) answer { return answer{status: 200, body: body} }

func bad(status int, kind, message string) answer {
	return answer{status: status, body: fmt.Sprintf(`{"type":"error","error":{"type":%q,"message":%q}}`, kind, message)}
}

var conversation = Request{
	Model: "m", System: "Be brief.", MaxTokens: 100, Cache: true,
	Messages: []Message{
		Say(User, "Fix it."),
		{Role: Assistant, Parts: []Part{
			{Opaque: json.RawMessage(`{"type":"thinking","thinking":"Hm","signature":"s"}`)}, {Text: "I look."},
			{Call: &Call{ID: "c1", Name: "read", Input: json.RawMessage(`{"path":"a.go"}`)}},
			{Call: &Call{ID: "c2", Name: "read", Input: json.RawMessage(`"not an object"`)}}}},
		{Role: User, Parts: []Part{{Result: &Result{ID: "c1", Text: "package a"}}, {Result: &Result{ID: "c2", Text: "no such file", Failed: true}}, {Text: "Go on."}}},
		{Role: Assistant, Parts: []Part{{Text: "  "}}},
	},
	Tools: []Tool{{Name: "read", Description: "Reads a file.", Schema: json.RawMessage(`{"type":"object"}`)}},
	Tool:  "any",
}

func decode(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMessagesRequestAndReply(t *testing.T) {
	s, client := ask(t, wire.Messages, ok(`{"type":"message","model":"m-1","content":[{"type":"thinking","thinking":"x"},{"type":"text","text":"Done."},
		{"type":"tool_use","id":"c3","name":"read","input":{"path":"b"}}],"stop_reason":"tool_use","usage":{"input_tokens":5,"output_tokens":6,"cache_read_input_tokens":7,"cache_creation_input_tokens":8}}`))
	res, err := client.Complete(context.Background(), conversation)
	if err != nil {
		t.Fatal(err)
	}
	want := decode(t, `{"model":"m","max_tokens":100,"system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],
		"messages":[{"role":"user","content":[{"type":"text","text":"Fix it."}]},
		 {"role":"assistant","content":[{"type":"thinking","thinking":"Hm","signature":"s"},{"type":"text","text":"I look."},
		  {"type":"tool_use","id":"c1","name":"read","input":{"path":"a.go"}},{"type":"tool_use","id":"c2","name":"read","input":{"input":"not an object"}}]},
		 {"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"package a"},{"type":"tool_result","tool_use_id":"c2","content":"no such file","is_error":true},
		  {"type":"text","text":"Go on.","cache_control":{"type":"ephemeral"}}]}],
		"tools":[{"name":"read","description":"Reads a file.","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"}}`)
	if !reflect.DeepEqual(any(s.asked[0]), want) {
		t.Errorf("asked %v\nwant  %v", s.asked[0], want)
	}
	if h := s.headers[0]; h.Get("X-Api-Key") != testKey || h.Get("Anthropic-Version") == "" || h.Get("Authorization") != "" {
		t.Errorf("headers %v", h)
	}
	if res.Model != "m-1" || res.Stop != StopTools || res.Text() != "Done." || res.Usage != (fleet.Tokens{Input: 5, Output: 6, CacheRead: 7, CacheWrite: 8}) {
		t.Errorf("%+v", res)
	}
	if calls := res.Calls(); len(calls) != 1 || calls[0].ID != "c3" || string(calls[0].Input) != `{"path":"b"}` {
		t.Errorf("calls %+v", calls)
	}
	if p := res.Message.Parts[0]; string(p.Opaque) != `{"type":"thinking","thinking":"x"}` {
		t.Errorf("thinking is not kept: %+v", p)
	}
}

func TestChatRequestAndReply(t *testing.T) {
	s, client := ask(t, wire.Chat, ok(`{"model":"m-1","choices":[{"message":{"role":"assistant","content":"Done.","tool_calls":[
		{"id":"c3","type":"function","function":{"name":"read","arguments":"{\"path\":\"b\"}"}},{"id":"c4","type":"function","function":{"name":"read","arguments":"{broken"}},
		{"id":"c5","type":"function","function":{"name":"list","arguments":""}}]},"finish_reason":"stop"}],
		"usage":{"prompt_tokens":12,"completion_tokens":6,"prompt_tokens_details":{"cached_tokens":7}}}`))
	res, err := client.Complete(context.Background(), conversation)
	if err != nil {
		t.Fatal(err)
	}
	want := decode(t, `{"model":"m","max_tokens":100,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Fix it."},
		{"role":"assistant","content":"I look.","tool_calls":[{"id":"c1","type":"function","function":{"name":"read","arguments":"{\"path\":\"a.go\"}"}},
		 {"id":"c2","type":"function","function":{"name":"read","arguments":"\"not an object\""}}]},
		{"role":"tool","tool_call_id":"c1","content":"package a"},{"role":"tool","tool_call_id":"c2","content":"error: no such file"},{"role":"user","content":"Go on."},
		{"role":"assistant","content":"  "}],
		"tools":[{"type":"function","function":{"name":"read","description":"Reads a file.","parameters":{"type":"object"}}}],"tool_choice":"required"}`)
	if !reflect.DeepEqual(any(s.asked[0]), want) {
		t.Errorf("asked %v\nwant  %v", s.asked[0], want)
	}
	if h := s.headers[0]; h.Get("Authorization") != "Bearer "+testKey {
		t.Errorf("headers %v", h)
	}
	if res.Stop != StopTools || res.Text() != "Done." || res.Usage != (fleet.Tokens{Input: 5, CacheRead: 7, Output: 6}) {
		t.Errorf("%+v", res)
	}
	var inputs []string
	for _, c := range res.Calls() {
		inputs = append(inputs, string(c.Input))
	}
	if fmt.Sprint(inputs) != `[{"path":"b"} "{broken" {}]` {
		t.Errorf("inputs %v", inputs)
	}
}

func TestStops(t *testing.T) {
	for reason, want := range map[string]Stop{"end_turn": StopEnd, "max_tokens": StopLength, "refusal": StopRefused, "tool_use": StopEnd, "": StopEnd} {
		_, client := ask(t, wire.Messages, ok(`{"type":"message","content":[],"stop_reason":"`+reason+`"}`))
		if res, err := client.Complete(context.Background(), Request{Model: "m"}); err != nil || res.Stop != want {
			t.Errorf("%s: %s %v", reason, res.Stop, err)
		}
	}
	for reason, want := range map[string]Stop{"stop": StopEnd, "length": StopLength, "content_filter": StopRefused} {
		_, client := ask(t, wire.Chat, ok(`{"choices":[{"message":{"content":"x"},"finish_reason":"`+reason+`"}]}`))
		if res, err := client.Complete(context.Background(), Request{Model: "m"}); err != nil || res.Stop != want {
			t.Errorf("%s: %s %v", reason, res.Stop, err)
		}
	}
}

var form = &Schema{Name: "verdict", JSON: json.RawMessage(`{"type":"object"}`)}

// TestWhatEndpointsRefuse asks endpoints that do not take what others want: they are asked again without it, once, and
// the next request spares the detour.
func TestWhatEndpointsRefuse(t *testing.T) {
	zero := 0.0
	req := Request{Model: "m", Messages: []Message{Say(User, "x")}, Schema: form, Temperature: &zero}
	t.Run("messages", func(t *testing.T) {
		said := ok(`{"type":"message","content":[{"type":"text","text":"{}"}]}`)
		s, client := ask(t, wire.Messages,
			bad(400, "invalid_request_error", "`temperature` is deprecated for this model"),
			bad(400, "invalid_request_error", "output_config.format: not supported"),
			bad(400, "invalid_request_error", "tool_choice forces tool use, which is not compatible with thinking"),
			ok(`{"type":"message","content":[{"type":"tool_use","id":"1","name":"verdict","input":{"a":1}}],"stop_reason":"tool_use"}`), said)
		for i, want := range []string{`{"a":1}`, "{}"} {
			res, err := client.Complete(context.Background(), req)
			if err != nil || res.Text() != want || res.Stop != StopEnd {
				t.Errorf("answer %d: %q %s %v", i, res.Text(), res.Stop, err)
			}
		}
		has := func(i int, key string) bool { return s.asked[i][key] != nil }
		if !has(0, "temperature") || has(1, "temperature") || !has(1, "output_config") || has(2, "output_config") || !has(2, "tool_choice") || has(3, "tool_choice") || !has(3, "tools") || has(4, "temperature") {
			t.Errorf("%v", s.asked)
		}
	})
	t.Run("chat", func(t *testing.T) {
		said := ok(`{"choices":[{"message":{"content":"{}"}}]}`)
		s, client := ask(t, wire.Chat,
			bad(400, "invalid_request_error", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."),
			bad(400, "invalid_request_error", "Unsupported value: 'temperature' does not support 0 with this model."),
			bad(422, "", "response_format: extra fields not permitted"), said, said)
		for range 2 {
			if res, err := client.Complete(context.Background(), req); err != nil || res.Text() != "{}" {
				t.Errorf("%q %v", res.Text(), err)
			}
		}
		last := s.asked[4]
		if last["max_tokens"] != nil || last["max_completion_tokens"] == nil || last["temperature"] != nil || last["response_format"] != nil || !strings.Contains(fmt.Sprint(last["messages"]), "JSON Schema") {
			t.Errorf("%v", last)
		}
	})
	t.Run("endlessly", func(t *testing.T) {
		no := bad(400, "invalid_request_error", "temperature, output_config, tool_choice: no")
		_, client := ask(t, wire.Messages, no, no, no, no)
		if _, err := client.Complete(context.Background(), req); fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Error(err)
		}
	})
}

func TestBusyEndpointsAreAskedAgain(t *testing.T) {
	said := ok(`{"type":"message","content":[{"type":"text","text":"hi"}]}`)
	busy := answer{status: 429, body: "slow down", header: map[string]string{"Retry-After": "7"}}
	s, client := ask(t, wire.Messages, busy, bad(529, "overloaded_error", "Overloaded"), bad(500, "api_error", "oops"), answer{}, said)
	res, err := client.Complete(context.Background(), Request{Model: "m"})
	if err != nil || res.Text() != "hi" {
		t.Fatal(err)
	}
	if len(s.slept) != 4 || s.slept[0] != 7*time.Second || s.slept[1] < time.Second || s.slept[3] > 8*time.Second {
		t.Errorf("slept %v", s.slept)
	}
	for status, want := range map[int]fleet.Code{429: fleet.CodeModelBusy, 529: fleet.CodeModelBusy, 503: fleet.CodeModelBusy, 500: fleet.CodeModel} {
		no := bad(status, "x", "y")
		s, client := ask(t, wire.Messages, no, no, no, no, no)
		if _, err := client.Complete(context.Background(), Request{Model: "m"}); fleet.CodeOf(err) != want || len(s.asked) != 5 {
			t.Errorf("%d: %v after %d tries", status, err, len(s.asked))
		}
	}
}

func TestErrorsHaveCodes(t *testing.T) {
	for name, c := range map[string]struct {
		answer answer
		want   fleet.Code
	}{
		"a refused request":     {bad(400, "invalid_request_error", "prompt is too long"), fleet.CodeInvalid},
		"a refused key":         {bad(401, "authentication_error", "invalid x-api-key "+testKey), fleet.CodeModel},
		"no such model":         {bad(404, "not_found_error", "model: m"), fleet.CodeModel},
		"the gateway's budget":  {answer{400, `{"error":{"message":"spent"}}`, map[string]string{CodeHeader: "budget"}}, fleet.CodeBudget},
		"the gateway's policy":  {answer{404, `{"error":{"message":"no"}}`, map[string]string{CodeHeader: "policy"}}, fleet.CodePolicy},
		"a made-up code":        {answer{400, `{"error":{"message":"no"}}`, map[string]string{CodeHeader: "merged"}}, fleet.CodeInvalid},
		"a page":                {answer{403, "<html>no</html>", nil}, fleet.CodeModel},
		"nonsense":              {ok("<html>"), fleet.CodeModel},
		"another kind of thing": {ok(`{"object":"list","data":[]}`), fleet.CodeModel},
		"a redirect":            {answer{307, "", map[string]string{"Location": "http://127.0.0.1:1/"}}, fleet.CodeModel},
	} {
		for _, f := range []wire.Format{wire.Messages, wire.Chat} {
			s, client := ask(t, f, c.answer)
			_, err := client.Complete(context.Background(), Request{Model: "m"})
			if fleet.CodeOf(err) != c.want || len(s.asked) != 1 {
				t.Errorf("%s %s: %s %v after %d tries", f, name, fleet.CodeOf(err), err, len(s.asked))
			}
			if strings.Contains(err.Error(), testKey) {
				t.Errorf("%s: the key is in %v", name, err)
			}
		}
	}
}

func TestTheGatewaysBudgetIsNotRetried(t *testing.T) {
	s, client := ask(t, wire.Messages, answer{500, `{"error":{"message":"broken"}}`, map[string]string{CodeHeader: "internal"}})
	if _, err := client.Complete(context.Background(), Request{Model: "m"}); fleet.CodeOf(err) != fleet.CodeInternal || len(s.asked) != 1 {
		t.Error(err)
	}
}

func TestContextEndsEverything(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	client, _ := New(Config{Format: wire.Messages, BaseURL: server.URL})
	if _, err := client.Complete(ctx, Request{Model: "m"}); fleet.CodeOf(err) != fleet.CodeInterrupted || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	if _, err := client.Complete(ctx, Request{Model: "m"}); fleet.CodeOf(err) != fleet.CodeTimeout {
		t.Error(err)
	}
}

func TestUnreachable(t *testing.T) {
	for _, f := range []wire.Format{wire.Messages, wire.Chat} {
		client, _ := New(Config{Format: f, BaseURL: "http://127.0.0.1:1", Retries: -1})
		if _, err := client.Complete(context.Background(), Request{Model: "m"}); fleet.CodeOf(err) != fleet.CodeModel {
			t.Error(err)
		}
	}
	if _, err := New(Config{Format: wire.Responses}); fleet.CodeOf(err) != fleet.CodeUnsupported {
		t.Error(err)
	}
}
