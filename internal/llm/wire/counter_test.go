package wire

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gaggle/internal/fleet"
)

const messagesStream = `event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[],"usage":{"input_tokens":12,"cache_creation_input_tokens":200,"cache_read_input_tokens":3000,"cache_creation":{"ephemeral_5m_input_tokens":150,"ephemeral_1h_input_tokens":50},"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hmm."}}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"I wi"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"ll."}}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"edit","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"path\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"\"a.go\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":89}}

event: message_stop
data: {"type":"message_stop"}

`

const chatStream = `data: {"id":"c","object":"chat.completion.chunk","model":"gpt-4.1-2025-04-14","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":null}

data: {"id":"c","choices":[{"index":0,"delta":{"content":"I will."}}],"usage":null}

data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"edit","arguments":""}}]}}],"usage":null}

data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"path\":\"a.go\"}"}}]}}],"usage":null}

data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":null}

data: {"id":"c","choices":[],"usage":{"prompt_tokens":3212,"completion_tokens":89,"total_tokens":3301,"prompt_tokens_details":{"cached_tokens":3000},"completion_tokens_details":{"reasoning_tokens":12}}}

data: [DONE]

`

const responsesStream = `event: response.created
data: {"type":"response.created","response":{"id":"resp_1","model":"gpt-5.1-codex","status":"in_progress","usage":null}}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","item_id":"rs_1","delta":"Hmm."}

event: response.output_text.delta
data: {"type":"response.output_text.delta","item_id":"msg_1","delta":"I will."}

event: response.output_item.added
data: {"type":"response.output_item.added","item":{"id":"fc_1","type":"function_call","name":"edit","call_id":"call_1","arguments":""}}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","item_id":"fc_1","delta":"{\"path\":\"a.go\"}"}

event: response.completed
data: {"type":"response.completed","response":{"id":"resp_1","model":"gpt-5.1-codex","status":"completed","output":[],"usage":{"input_tokens":3212,"input_tokens_details":{"cached_tokens":3000},"output_tokens":89,"output_tokens_details":{"reasoning_tokens":40},"total_tokens":3301}}}

`

var streams = map[Format]string{Messages: messagesStream, Chat: chatStream, Responses: responsesStream}

func feed(f Format, stream bool, pieces ...string) Count {
	c := NewCounter(f, stream)
	for _, p := range pieces {
		if n, err := c.Write([]byte(p)); n != len(p) || err != nil {
			panic(fmt.Sprint(n, err))
		}
	}
	return c.Count()
}

func TestStreamsAreCounted(t *testing.T) {
	edit := []ToolCall{{"edit", `{"path":"a.go"}`}}
	for f, want := range map[Format]Count{
		Messages: {Usage: Usage{fleet.Tokens{Input: 12, Output: 89, CacheRead: 3000, CacheWrite: 200}, 50}, Input: true, Output: true, Complete: true,
			Seen: 26, Model: "claude-sonnet-4-5-20250929", Reply: Reply{Text: "I will.", Thinking: "Hmm.", Calls: edit, Stop: "tool_use"}},
		Chat: {Usage: Usage{fleet.Tokens{Input: 212, Output: 89, CacheRead: 3000}, 0}, Input: true, Output: true, Complete: true,
			Seen: 22, Model: "gpt-4.1-2025-04-14", Reply: Reply{Text: "I will.", Calls: edit, Stop: "tool_calls"}},
		Responses: {Usage: Usage{fleet.Tokens{Input: 212, Output: 89, CacheRead: 3000}, 0}, Input: true, Output: true, Complete: true,
			Seen: 26, Model: "gpt-5.1-codex", Reply: Reply{Text: "I will.", Thinking: "Hmm.", Calls: edit, Stop: "completed"}},
	} {
		for how, text := range map[string]string{
			"as sent": streams[f], "with CRLF": strings.ReplaceAll(streams[f], "\n", "\r\n"), "with CR": strings.ReplaceAll(streams[f], "\n", "\r"),
			"with comments": strings.ReplaceAll(streams[f], "\n\n", "\n\n: keep-alive\n\n"), "without the last blank line": strings.TrimRight(streams[f], "\n"),
			"without spaces": strings.ReplaceAll(streams[f], "data: ", "data:"), "with ids": strings.ReplaceAll(streams[f], "data: ", "id: 7\nretry: 10\ndata: "),
		} {
			if got := feed(f, true, text); !reflect.DeepEqual(got, want) {
				t.Errorf("%s %s\ngot  %+v\nwant %+v", f, how, got, want)
			}
		}
		rapid.Check(t, func(t *rapid.T) {
			var pieces []string
			for rest := streams[f]; rest != ""; {
				n := min(len(rest), rapid.IntRange(1, 90).Draw(t, "cut"))
				pieces, rest = append(pieces, rest[:n]), rest[n:]
			}
			if got := feed(f, true, pieces...); !reflect.DeepEqual(got, want) {
				t.Fatalf("%+v", got)
			}
		})
	}
}

func TestWholeRepliesAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		format Format
		text   string
		want   Count
	}{
		"messages": {Messages, `{"type":"message","model":"m","content":[{"type":"thinking","thinking":"Hmm."},{"type":"text","text":"I will."},{"type":"tool_use","id":"t","name":"edit","input":{"a":1}},{"type":"tool_use","id":"u","name":"run","input":{}}],"stop_reason":"tool_use","usage":{"input_tokens":5,"output_tokens":7}}`,
			Count{Usage: Usage{Tokens: fleet.Tokens{Input: 5, Output: 7}}, Input: true, Output: true, Complete: true, Seen: 18, Model: "m",
				Reply: Reply{Text: "I will.", Thinking: "Hmm.", Calls: []ToolCall{{"edit", `{"a":1}`}, {"run", ""}}, Stop: "tool_use"}}},
		"several samples": {Messages, `{"content":[],"usage":{"input_tokens":5,"output_tokens":7,"iterations":[{"input_tokens":100,"output_tokens":50},{"input_tokens":5,"output_tokens":7}]}}`,
			Count{Usage: Usage{Tokens: fleet.Tokens{Input: 105, Output: 57}}, Input: true, Output: true, Complete: true}},
		"chat": {Chat, `{"model":"m","choices":[{"index":0,"message":{"content":"A","tool_calls":[{"id":"x","function":{"name":"f","arguments":"{}"}},{"id":"y","function":{"name":"g","arguments":"[]"}}]},"finish_reason":"stop"},{"index":1,"message":{"content":"B"}}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`,
			Count{Usage: Usage{Tokens: fleet.Tokens{Input: 5, Output: 7}}, Input: true, Output: true, Complete: true, Seen: 6, Model: "m",
				Reply: Reply{Text: "AB", Calls: []ToolCall{{"f", "{}"}, {"g", "[]"}}, Stop: "stop"}}},
		"chat with reasoning beside": {Chat, `{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":112}}`,
			Count{Usage: Usage{Tokens: fleet.Tokens{Input: 5, Output: 107}}, Input: true, Output: true, Complete: true}},
		"responses": {Responses, `{"model":"m","status":"completed","output":[{"type":"reasoning","summary":[{"text":"Hmm."}]},{"type":"message","content":[{"type":"output_text","text":"Hi"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}],"usage":{"input_tokens":5,"output_tokens":7}}`,
			Count{Usage: Usage{Tokens: fleet.Tokens{Input: 5, Output: 7}}, Input: true, Output: true, Complete: true, Seen: 8, Model: "m",
				Reply: Reply{Text: "Hi", Thinking: "Hmm.", Calls: []ToolCall{{"f", "{}"}}, Stop: "completed"}}},
		"an error":             {Messages, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, Count{Failure: "Overloaded"}},
		"not JSON":             {Chat, `<html>busy</html>`, Count{Seen: 17}},
		"no usage":             {Chat, `{"choices":[{"message":{"content":"hello"}}]}`, Count{Complete: true, Seen: 5, Reply: Reply{Text: "hello"}}},
		"negative usage":       {Messages, `{"content":[],"usage":{"input_tokens":-5,"output_tokens":7}}`, Count{Usage: Usage{Tokens: fleet.Tokens{Output: 7}}, Output: true, Odd: true, Complete: true}},
		"enormous usage":       {Chat, `{"choices":[],"usage":{"prompt_tokens":9e18,"completion_tokens":99999999999999999999}}`, Count{Odd: true, Complete: true}},
		"text for usage":       {Chat, `{"choices":[],"usage":{"prompt_tokens":"12","completion_tokens":null}}`, Count{Odd: true, Complete: true}},
		"more cached":          {Chat, `{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":50}}}`, Count{Usage: Usage{Tokens: fleet.Tokens{CacheRead: 5, Output: 1}}, Input: true, Output: true, Complete: true}},
		"written to the cache": {Chat, `{"choices":[],"usage":{"prompt_tokens":50,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":5,"cache_write_tokens":20}}}`, Count{Usage: Usage{Tokens: fleet.Tokens{Input: 25, CacheRead: 5, CacheWrite: 20, Output: 1}}, Input: true, Output: true, Complete: true}},
		"more kept long":       {Messages, `{"content":[],"usage":{"input_tokens":1,"output_tokens":1,"cache_creation_input_tokens":5,"cache_creation":{"ephemeral_1h_input_tokens":50}}}`, Count{Usage: Usage{fleet.Tokens{Input: 1, Output: 1, CacheWrite: 5}, 5}, Input: true, Output: true, Complete: true}},
		"twice the usage":      {Messages, `{"content":[],"usage":{"input_tokens":500,"output_tokens":1},"usage":{"input_tokens":1,"output_tokens":1}}`, Count{Usage: Usage{Tokens: fleet.Tokens{Input: 1, Output: 1}}, Input: true, Output: true, Complete: true}},
	} {
		if got := feed(c.format, false, c.text[:len(c.text)/2], c.text[len(c.text)/2:]); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s\ngot  %+v\nwant %+v", name, got, c.want)
		}
	}
}

// TestTruncatedStreams cuts every stream at every byte: what is not complete says so, and nothing counted goes down.
func TestTruncatedStreams(t *testing.T) {
	for f, text := range streams {
		last := Count{}
		end := strings.LastIndex(strings.TrimRight(text, "\n"), "data: ") // the event that ends it
		for n := range len(text) {
			got := feed(f, true, text[:n])
			if got.Complete && n <= end && f != Chat {
				t.Fatalf("%s is complete after %q", f, text[:n])
			}
			if got.Usage.Input < last.Usage.Input || got.Usage.Output < last.Usage.Output || got.Seen < last.Seen {
				t.Fatalf("%s went from %+v to %+v after %q", f, last, got, text[:n])
			}
			if got.Output && !got.Complete {
				t.Fatalf("%s: final but not complete after %q", f, text[:n])
			}
			last = got
		}
	}
}

func TestErrorsInStreams(t *testing.T) {
	start := messagesStream[:strings.Index(messagesStream, "event: content_block_start")]
	got := feed(Messages, true, start, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n")
	if got.Failure != "Overloaded" || got.Complete || !got.Input || got.Output {
		t.Errorf("%+v", got)
	}
	if got := feed(Responses, true, "data: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"message\":\"no\"},\"usage\":{\"input_tokens\":4,\"output_tokens\":2}}}\n\n"); got.Failure != "no" || got.Usage.Output != 2 {
		t.Errorf("%+v", got)
	}
	if got := feed(Chat, true, "data: {\"error\":{\"message\":\"no\"}}\n\n"); got.Failure != "no" {
		t.Errorf("%+v", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	c := NewCounter(Messages, true)
	c.Write([]byte("data: "))
	piece := []byte(strings.Repeat("x", 1<<20))
	for range 40 {
		c.Write(piece)
		if len(c.line)+len(c.data) > maxEvent+len(piece) {
			t.Fatalf("%d bytes are kept", len(c.line)+len(c.data))
		}
	}
	c.Write([]byte("\n\n" + messagesStream))
	if got := c.Count(); got.Usage.Output != 89 || !got.Complete {
		t.Errorf("what follows an event that is too long is not read: %+v", got)
	}
	c = NewCounter(Chat, true)
	for range 2 * maxKept / len(piece) {
		fmt.Fprintf(c, "data: {\"choices\":[{\"delta\":{\"content\":\"%s\"}}]}\n\n", piece)
	}
	if got := c.Count(); len(got.Reply.Text) > maxKept || got.Seen != 2*maxKept {
		t.Errorf("%d bytes are kept of %d", len(got.Reply.Text), got.Seen)
	}
	c = NewCounter(Messages, true)
	for i := range 5 * maxCalls {
		fmt.Fprintf(c, "data: {\"type\":\"content_block_start\",\"index\":%d,\"content_block\":{\"type\":\"tool_use\",\"name\":\"x\"}}\n\n", i)
	}
	if got := c.Count(); len(got.Reply.Calls) != maxCalls {
		t.Errorf("%d calls are kept", len(got.Reply.Calls))
	}
}

func TestProblems(t *testing.T) {
	if got := string(Problem(Messages, "invalid_request_error", "budget", `the "budget" is spent`)); got != `{"type":"error","error":{"type":"invalid_request_error","message":"the \"budget\" is spent"}}` {
		t.Error(got)
	}
	if got := string(Problem(Chat, "insufficient_quota", "budget", "spent")); got != `{"error":{"type":"insufficient_quota","message":"spent","code":"budget"}}` {
		t.Error(got)
	}
}

func FuzzCounter(f *testing.F) {
	for format, text := range streams {
		f.Add(string(format), true, []byte(text), uint16(7))
	}
	f.Add(string(Messages), false, []byte(`{"type":"message","content":[{"type":"text","text":"x"}],"usage":{"input_tokens":1}}`), uint16(3))
	f.Fuzz(func(t *testing.T, format string, stream bool, text []byte, step uint16) {
		whole, pieces := NewCounter(Format(format), stream), NewCounter(Format(format), stream)
		whole.Write(text)
		for rest := text; len(rest) > 0; {
			n := min(len(rest), int(step)+1)
			pieces.Write(rest[:n])
			rest = rest[n:]
		}
		a, b := whole.Count(), pieces.Count()
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("cut by %d: %+v, whole: %+v", step, b, a)
		}
		u := a.Usage
		if u.Input < 0 || u.Output < 0 || u.CacheRead < 0 || u.CacheWrite < 0 || u.CacheWriteLong < 0 || u.CacheWriteLong > u.CacheWrite || a.Seen < 0 {
			t.Fatalf("%+v", a)
		}
	})
}
