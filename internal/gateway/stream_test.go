package gateway

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"gaggle/internal/fleet"
)

const messagesReply = `event: message_start
data: {"type":"message_start","message":{"model":"claude-sonnet-4-5-20250929","usage":{"input_tokens":1000,"cache_creation_input_tokens":200,"cache_read_input_tokens":3000,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello."}}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":100}}

event: message_stop
data: {"type":"message_stop"}

`

const chatReply = `data: {"model":"gpt-4.1","choices":[{"index":0,"delta":{"content":"Hello."}}],"usage":null}

data: {"model":"gpt-4.1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}

data: {"model":"gpt-4.1","choices":[],"usage":{"prompt_tokens":4000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":3000}}}

data: [DONE]

`

const responsesReply = `event: response.created
data: {"type":"response.created","response":{"model":"gpt-5","status":"in_progress"}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","delta":"Hello."}

event: response.completed
data: {"type":"response.completed","response":{"model":"gpt-5","status":"completed","usage":{"input_tokens":4000,"input_tokens_details":{"cached_tokens":3000},"output_tokens":100}}}

`

// kinds is one streamed request of each wire format with what it must cost.
var kinds = []struct {
	name, path, body, reply string
	cost                    fleet.Money
	tokens                  fleet.Tokens
}{
	{"messages", "/anthropic/v1/messages", `{"model":"claude-sonnet-4-5","max_tokens":1000,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, messagesReply,
		1000*3 + 750 + 900 + 1500, fleet.Tokens{Input: 1000, CacheWrite: 200, CacheRead: 3000, Output: 100}},
	{"chat", "/openai/v1/chat/completions", `{"model":"gpt-4.1","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`, chatReply,
		1000*2 + 1500 + 800, fleet.Tokens{Input: 1000, CacheRead: 3000, Output: 100}},
	{"responses", "/openai/v1/responses", `{"model":"gpt-5","stream":true,"input":"hi"}`, responsesReply,
		1250 + 375 + 1000, fleet.Tokens{Input: 1000, CacheRead: 3000, Output: 100}},
}

// streams answers with a stream.
func streams(reply string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		io.WriteString(w, reply)
	}
}

func TestStreamsPassByteForByteAndAreCharged(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			w := start(t, streams(k.reply), nil)
			res, got := w.post(t, k.path, k.body)
			if got != k.reply || res.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
				t.Errorf("%v\n%s", res.Header, got)
			}
			if w.budget.Spent() != k.cost {
				t.Errorf("spent %d, want %d", w.budget.Spent(), k.cost)
			}
			if err := w.session.Trouble(); err != nil {
				t.Error(err)
			}
			e := w.transcript.entries(t)[0]
			if e.Kind != "model" || e.Cost != k.cost || *e.Tokens != k.tokens || e.Estimated || e.Reply.Text != "Hello." || e.Status != 200 || e.Error != "" {
				t.Errorf("%+v", e)
			}
		})
	}
}

// TestNothingIsHeldBack has the provider wait, after each event, until the client has received it.
func TestNothingIsHeldBack(t *testing.T) {
	for _, k := range kinds {
		for _, ask := range []string{k.body, strings.Replace(k.body, `"stream_options":{"include_usage":true},`, "", 1)} {
			hidden := func(event string) bool {
				return strings.Contains(event, `"choices":[]`) && !strings.Contains(ask, "stream_options")
			}
			received := make(chan bool)
			w := start(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				flush := http.NewResponseController(w)
				flush.Flush()
				<-received // the headers
				for _, event := range strings.SplitAfter(k.reply, "\n\n") {
					io.WriteString(w, event)
					flush.Flush()
					if event != "" && !hidden(event) {
						<-received
					}
				}
			}, nil)
			res, err := w.client.Post("http://gateway"+k.path, "application/json", strings.NewReader(ask))
			if err != nil {
				t.Fatal(err)
			}
			received <- true
			in := bufio.NewReader(res.Body)
			for {
				line, err := in.ReadString('\n')
				if err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				if line == "\n" {
					received <- true
				}
			}
			res.Body.Close()
		}
	}
}

func TestTheClientDoesNotNoticeThatUsageWasAskedFor(t *testing.T) {
	var asked map[string]any
	w := start(t, func(w http.ResponseWriter, r *http.Request) {
		json.NewDecoder(r.Body).Decode(&asked)
		streams(chatReply)(w, r)
	}, nil)
	_, got := w.post(t, "/openai/v1/chat/completions", `{"model":"gpt-4.1","stream":true,"messages":[]}`)
	want := strings.ReplaceAll(chatReply[:strings.Index(chatReply, `data: {"model":"gpt-4.1","choices":[],`)], `,"usage":null`, "") + "data: [DONE]\n\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if fmt.Sprint(asked["stream_options"]) != "map[include_usage:true]" || w.budget.Spent() != 1000*2+1500+800 {
		t.Errorf("asked %v, spent %d", asked, w.budget.Spent())
	}
}

func TestAnEndpointThatRefusesToSayIsAskedWithoutIt(t *testing.T) {
	asked := 0
	w := start(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "stream_options") {
			w.WriteHeader(http.StatusUnprocessableEntity)
			io.WriteString(w, `{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"]}]}`)
			return
		}
		streams("data: {\"choices\":[{\"delta\":{\"content\":\"Hello there, here I am.\"}}],\"usage\":null}\n\ndata: [DONE]\n\n")(w, r)
	}, nil)
	for range 2 {
		if _, got := w.post(t, "/local/v1/chat/completions", `{"model":"qwen","stream":true,"messages":[]}`); !strings.Contains(got, `"usage":null`) || !strings.Contains(got, "here I am") {
			t.Error(got)
		}
	}
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
	for _, e := range w.transcript.entries(t) {
		if !e.Estimated || e.Tokens.Output == 0 || e.Cost != 0 {
			t.Errorf("%+v", e)
		}
	}
}

func TestPackedRepliesAreUnpacked(t *testing.T) {
	w := start(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("asked for %q", got)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, messagesReply)
		z.Close()
	}, nil)
	req, _ := http.NewRequest(http.MethodPost, "http://gateway"+kinds[0].path, strings.NewReader(kinds[0].body))
	req.Header.Set("Accept-Encoding", "gzip, br")
	res, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || string(got) != messagesReply || res.Header.Get("Content-Encoding") != "" {
		t.Errorf("%v %v %q", err, res.Header, got)
	}
	if w.budget.Spent() != kinds[0].cost {
		t.Errorf("spent %d", w.budget.Spent())
	}
}

func TestPackedRequestsAreUnpacked(t *testing.T) {
	var asked string
	w := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = string(body)
		if r.Header.Get("Content-Encoding") != "" {
			t.Error("the provider is told that the request is packed")
		}
		streams(messagesReply)(w, r)
	}, func(_ *Config, s *SessionConfig) { s.MaxRequest = 1 << 20 })
	var packed strings.Builder
	z := gzip.NewWriter(&packed)
	io.WriteString(z, kinds[0].body)
	z.Close()
	post := func(packing, body string) *http.Response {
		req, _ := http.NewRequest(http.MethodPost, "http://gateway"+kinds[0].path, strings.NewReader(body))
		req.Header.Set("Content-Encoding", packing)
		res, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		return res
	}
	if res := post("gzip", packed.String()); res.StatusCode != 200 || asked != kinds[0].body {
		t.Errorf("%s, asked %q", res.Status, asked)
	}
	var bomb strings.Builder
	z = gzip.NewWriter(&bomb)
	for range 6 {
		z.Write(make([]byte, 1<<20))
	}
	z.Close()
	for packing, c := range map[string]struct {
		body string
		want int
	}{"gzip": {bomb.String(), 413}, "br": {"x", 415}, "gzip ": {"not gzip", 400}, "zstd": {"not zstd", 400}} {
		if res := post(packing, c.body); res.StatusCode != c.want {
			t.Errorf("%s: %s", packing, res.Status)
		}
	}
}
