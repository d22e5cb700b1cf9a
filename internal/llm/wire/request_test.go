package wire

import (
	"reflect"
	"strings"
	"testing"
)

func TestInspect(t *testing.T) {
	for name, c := range map[string]struct {
		format Format
		body   string
		want   Ask
	}{
		"plain":           {Messages, `{"model":"m","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, Ask{Model: "m", MaxOutput: 100, Stream: true}},
		"other case":      {Messages, `{"model":"m","Model":"M","MODEL":"x"}`, Ask{Model: "m"}},
		"escaped key":     {Messages, `{"mod\u0065l":"m"}`, Ask{Model: "m"}},
		"own tools":       {Messages, `{"model":"m","tools":[{"name":"a","input_schema":{}},{"type":"custom","name":"b"},{"type":"bash_20250124"},{"type":"text_editor_20250728"},{"type":"tool_search_tool_regex_20251119"}]}`, Ask{Model: "m"}},
		"web search":      {Messages, `{"model":"m","tools":[{"type":"web_search_20250305"}]}`, Ask{Model: "m", Hosted: []string{`tool "web_search_20250305"`}}},
		"web fetch":       {Messages, `{"model":"m","tools":[{"type":"web_fetch_20250910"},{"type":"code_execution_20250825"}]}`, Ask{Model: "m", Hosted: []string{`tool "web_fetch_20250910"`, `tool "code_execution_20250825"`}}},
		"MCP servers":     {Messages, `{"model":"m","mcp_servers":[{"type":"url","url":"https://evil"}]}`, Ask{Model: "m", Hosted: []string{"mcp_servers"}}},
		"no MCP servers":  {Messages, `{"model":"m","mcp_servers":[]}`, Ask{Model: "m"}},
		"image by URL":    {Messages, `{"model":"m","messages":[{"content":[{"type":"image","source":{"type":"url","url":"https://evil/?d=1"}}]}]}`, Ask{Model: "m", Unbounded: true, Hosted: []string{`image by "url"`}}},
		"image in result": {Messages, `{"model":"m","messages":[{"content":[{"type":"tool_result","content":[{"source":{"url":"https://evil","type":"url"},"type":"image"}]}]}]}`, Ask{Model: "m", Unbounded: true, Hosted: []string{`image by "url"`}}},
		"image in document": {Messages, `{"model":"m","messages":[{"content":[{"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"url"}}]}}]}]}`,
			Ask{Model: "m", Unbounded: true, Hosted: []string{`image by "url"`}}},
		"image by value":     {Messages, `{"model":"m","messages":[{"content":[{"type":"image","source":{"type":"base64","data":"AA"}}]}]}`, Ask{Model: "m", Unbounded: true}},
		"URL in a call":      {Messages, `{"model":"m","messages":[{"content":[{"type":"tool_use","input":{"type":"image","source":{"type":"url"}}}]}]}`, Ask{Model: "m"}},
		"URL in text":        {Messages, `{"model":"m","messages":[{"content":[{"type":"text","text":"{\"type\":\"image\",\"source\":{\"type\":\"url\"}}"}]}]}`, Ask{Model: "m"}},
		"fast mode":          {Messages, `{"model":"m","speed":"fast"}`, Ask{Model: "m", Unpriced: []string{`speed "fast"`}}},
		"place":              {Messages, `{"model":"m","inference_geo":"us"}`, Ask{Model: "m", Unpriced: []string{`inference_geo "us"`}}},
		"chat":               {Chat, `{"model":"m","max_completion_tokens":50,"n":3,"stream":true,"stream_options":{"include_usage":true}}`, Ask{Model: "m", MaxOutput: 50, Choices: 3, Stream: true, Usage: true}},
		"chat tools":         {Chat, `{"model":"m","tools":[{"type":"function"},{"type":"web_search"}]}`, Ask{Model: "m", Hosted: []string{`tool "web_search"`}}},
		"chat image":         {Chat, `{"model":"m","messages":[{"content":[{"type":"image_url","image_url":{"url":"https://evil"}}]}]}`, Ask{Model: "m", Unbounded: true, Hosted: []string{"image by URL"}}},
		"chat image by data": {Chat, `{"model":"m","messages":[{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}]}`, Ask{Model: "m", Unbounded: true}},
		"web search options": {Chat, `{"model":"m","web_search_options":{"a":1}}`, Ask{Model: "m", Hosted: []string{"web_search_options"}}},
		"priority":           {Chat, `{"model":"m","service_tier":"priority"}`, Ask{Model: "m", Unpriced: []string{`service_tier "priority"`}}},
		"flex":               {Chat, `{"model":"m","service_tier":"flex"}`, Ask{Model: "m"}},
		"audio":              {Chat, `{"model":"m","modalities":["text","audio"]}`, Ask{Model: "m", Unpriced: []string{`modality "audio"`}}},
		"responses":          {Responses, `{"model":"m","max_output_tokens":9,"input":"hi","tools":[{"type":"function"},{"type":"local_shell"},{"type":"custom"}]}`, Ask{Model: "m", MaxOutput: 9}},
		"responses tools":    {Responses, `{"model":"m","tools":[{"type":"mcp","server_url":"https://evil"},{"type":"code_interpreter"}]}`, Ask{Model: "m", Hosted: []string{`tool "mcp"`, `tool "code_interpreter"`}}},
		"responses image":    {Responses, `{"model":"m","input":[{"type":"function_call_output","output":[{"type":"input_image","image_url":"https://evil"}]}]}`, Ask{Model: "m", Unbounded: true, Hosted: []string{"image by URL"}}},
		"responses file":     {Responses, `{"model":"m","input":[{"content":[{"type":"input_file","file_url":"https://evil"}]}]}`, Ask{Model: "m", Unbounded: true, Hosted: []string{"file by URL"}}},
		"background":         {Responses, `{"model":"m","background":true}`, Ask{Model: "m", Hosted: []string{"background"}}},
		"stored prompt":      {Responses, `{"model":"m","prompt":{"id":"p"}}`, Ask{Model: "m", Hosted: []string{"stored prompt"}}},
		"stored replies":     {Responses, `{"model":"m","previous_response_id":"r"}`, Ask{Model: "m", Unbounded: true}},
		"nulls":              {Responses, `{"model":"m","previous_response_id":null,"max_output_tokens":null,"tools":null,"background":null,"service_tier":null}`, Ask{Model: "m"}},
	} {
		c.want.Format, c.want.Bytes, c.want.Choices = c.format, int64(len(c.body)), max(c.want.Choices, 1)
		got, err := Inspect(c.format, []byte(c.body))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v %v\nwant %+v", name, got, err, c.want)
		}
	}
}

func TestInspectRefuses(t *testing.T) {
	for _, body := range []string{
		``, `[]`, `"x"`, `{`, `{"model":"m"} x`, `{}`, `{"model":5}`, `{"model":"a","model":"b"}`, `{"model":"a","mod\u0065l":"b"}`,
		`{"model":"m","max_tokens":-1}`, `{"model":"m","max_tokens":1.5}`, `{"model":"m","max_tokens":"9"}`, `{"model":"m","max_tokens":1e300}`, `{"model":"m","n":-1}`,
	} {
		if got, err := Inspect(Chat, []byte(body)); err == nil {
			t.Errorf("%s was taken: %+v", body, got)
		}
	}
}

func TestWithUsage(t *testing.T) {
	for body, want := range map[string]string{
		`{"model":"m"}`: `{"stream_options":{"include_usage":true},"model":"m"}`,
		`{"model":"m","stream_options":{"include_usage":false,"x":[1]},"a":1}`:        `{"model":"m","stream_options":{"include_usage":true,"x":[1]},"a":1}`,
		`{"model":"m","stream_options":null}`:                                         `{"model":"m","stream_options":{"include_usage":true}}`,
		`{"stream_options":{"include_usage":true,"include_usage":false},"model":"m"}`: `{"stream_options":{"include_usage":true},"model":"m"}`,
	} {
		if got := string(WithUsage([]byte(body))); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", body, got, want)
		}
	}
}

func FuzzInspect(f *testing.F) {
	f.Add("openai-chat", []byte(`{"model":"m","stream":true,"stream_options":{"a":1},"messages":[{"role":"user","content":[{"type":"image_url","image_url":"x"}]}]}`))
	f.Add("anthropic-messages", []byte(`{"model":"m","messages":[{"content":[{"type":"document","source":{"type":"content","content":[{}]}}]}],"tools":[{"type":"bash_1"}]}`))
	f.Add("openai-responses", []byte(`{"model":"m","input":[{"type":"function_call_output","output":[{"type":"input_image"}]}]}`))
	f.Fuzz(func(t *testing.T, format string, body []byte) {
		ask, err := Inspect(Format(format), body)
		if err != nil {
			return
		}
		changed := WithUsage(body)
		again, err := Inspect(Format(format), changed)
		if err != nil || !again.Usage || again.Model != ask.Model || again.MaxOutput != ask.MaxOutput || len(again.Hosted) != len(ask.Hosted) {
			t.Fatalf("%q became %q: %+v %v", body, changed, again, err)
		}
	})
}

func BenchmarkInspect(b *testing.B) {
	turn := `{"role":"assistant","content":[{"type":"text","text":"I look."},{"type":"tool_use","id":"t","name":"read","input":{"path":"a.go"}}]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"` + strings.Repeat(`func (w *Writer) Write(p []byte) (int, error) {\n\treturn \"x\"\n}\n`, 50) + `"}]}`
	body := []byte(`{"model":"claude-sonnet-4-5","max_tokens":32000,"stream":true,"messages":[` + strings.Repeat(turn+",", 120) + turn + `]}`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := Inspect(Messages, body); err != nil {
			b.Fatal(err)
		}
	}
}
