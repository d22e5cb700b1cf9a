package wire

import (
	"bytes"
	"fmt"
	"strings"

	"gaggle/internal/fleet"
)

// Format is one way of speaking to a model over HTTP.
type Format string

// The formats.
const (
	Messages  Format = "anthropic-messages" // POST /v1/messages
	Chat      Format = "openai-chat"        // POST /v1/chat/completions
	Responses Format = "openai-responses"   // POST /v1/responses
)

// Ask is what must be known of a request before it is sent.
type Ask struct {
	Format    Format
	Model     string
	Stream    bool
	MaxOutput int64 // tokens of one choice; 0 when the request does not say
	Choices   int64 // at least 1
	Bytes     int64 // of what can become input tokens: a token is at least one byte
	Unbounded bool  // holds images, documents or a reference to what the provider stores: Bytes does not bound its tokens

	// Hosted names what would make the provider run, fetch or connect to something: a way round the egress list.
	Hosted []string
	// Unpriced names what a token price does not cover: another service tier, speed or place.
	Unpriced []string
	// Usage tells whether a streamed chat reply will say what it cost.
	Usage bool
}

// Inspect reads a request's body. Its error, of code invalid, is for the one who sent the request. A key that stands
// twice at the top is refused: the provider might read the other one.
func Inspect(f Format, body []byte) (Ask, error) {
	ask := Ask{Format: f, Choices: 1, Bytes: int64(len(body))}
	top, err := parse(body)
	if err != nil {
		return ask, fleet.Errorf(fleet.CodeInvalid, "the request is %w", err)
	}
	if !top.isObject() {
		return ask, fleet.Errorf(fleet.CodeInvalid, "the request is not a JSON object")
	}
	seen := map[string]bool{}
	for m := range top.fields() {
		if seen[m.key] {
			return ask, fleet.Errorf(fleet.CodeInvalid, "the request holds %q twice", m.key)
		}
		seen[m.key] = true
		if m.value.isNull() {
			continue
		}
		switch m.key {
		case "model":
			ask.Model = m.value.str()
		case "stream":
			ask.Stream = string(m.value) == "true"
		case "max_tokens", "max_completion_tokens", "max_output_tokens", "n", "best_of":
			n, ok := m.value.whole()
			if !ok || n < 0 || n > maxTokens {
				return ask, fleet.Errorf(fleet.CodeInvalid, "%s is not a number of that kind", m.key)
			}
			if m.key == "n" || m.key == "best_of" {
				ask.Choices = max(ask.Choices, min(n, 1<<10))
			} else {
				ask.MaxOutput = max(ask.MaxOutput, n)
			}
		case "stream_options":
			ask.Usage = string(m.value.get("include_usage")) == "true"
		}
		ask.top(m.key, m.value)
	}
	if ask.Model == "" {
		return ask, fleet.Errorf(fleet.CodeInvalid, "the request names no model")
	}
	return ask, nil
}

// top collects what matters to policy of one member of the request.
func (a *Ask) top(key string, v value) {
	hosted := func(what string) { a.Hosted = append(a.Hosted, what) }
	unpriced := func(what string) { a.Unpriced = append(a.Unpriced, what) }
	switch key {
	case "tools":
		for tool := range v.elements() {
			if kind := tool.get("type").str(); !ownTool(a.Format, kind) {
				hosted("tool " + clip(kind))
			}
		}
	case "mcp_servers", "container", "web_search_options", "plugins", "search_parameters":
		if len(v) > 2 { // neither [] nor {}
			hosted(key)
		}
	case "background":
		if string(v) == "true" {
			hosted(key)
		}
	case "prompt":
		if a.Format == Responses {
			hosted("stored prompt")
		}
	case "previous_response_id", "conversation":
		a.Unbounded = true
	case "service_tier":
		switch tier := v.str(); tier {
		case "auto", "default", "standard", "standard_only", "flex":
		default:
			unpriced("service_tier " + clip(tier))
		}
	case "speed":
		if s := v.str(); s != "standard" {
			unpriced("speed " + clip(s))
		}
	case "inference_geo":
		if s := v.str(); s != "global" && s != "not_available" {
			unpriced("inference_geo " + clip(s))
		}
	case "modalities":
		for m := range v.elements() {
			if m.str() != "text" {
				unpriced("modality " + clip(m.str()))
			}
		}
	case "messages", "input", "system":
		for item := range v.elements() {
			a.item(item, 0)
		}
	}
}

// ownTool reports whether a tool of that type is run by the one who sent the request, or only searches the request's
// own list of tools. Any other runs, fetches or connects to something at the provider's.
func ownTool(f Format, kind string) bool {
	switch f {
	case Messages:
		for _, own := range [...]string{"bash_", "text_editor_", "computer_", "memory_", "tool_search_tool_"} {
			if strings.HasPrefix(kind, own) {
				return true
			}
		}
		return kind == "" || kind == "custom"
	case Chat:
		return kind == "function" || kind == "custom"
	}
	switch kind {
	case "function", "custom", "local_shell", "apply_patch", "namespace", "tool_search":
		return true
	}
	return false
}

// item reads a message, an input item or a content block, and the blocks inside it. What a tool was called with is
// the agent's own data and is not looked into.
func (a *Ask) item(v value, depth int) {
	if depth > 8 || !v.isObject() {
		return
	}
	fetches := func(what string, at value) {
		switch s := at.str(); {
		case at == nil || at.isNull():
		case strings.HasPrefix(s, "data:"):
			a.Unbounded = true
		default:
			a.Hosted = append(a.Hosted, what+" by URL")
		}
	}
	var kind string
	var source, image, file, fileURL value
	var inside [2]value
	for m := range v.fields() {
		switch m.key {
		case "type":
			kind = m.value.str()
		case "source":
			source = m.value
		case "image_url":
			image = m.value
		case "file":
			file = m.value
		case "file_url":
			fileURL = m.value
		case "content":
			inside[0] = m.value
		case "output":
			inside[1] = m.value
		}
	}
	switch kind {
	case "tool_use", "function_call":
		return
	case "item_reference":
		a.Unbounded = true
	case "image", "document":
		a.Unbounded = true
		switch of := source.get("type").str(); of {
		case "base64", "text", "content", "file":
			for block := range source.get("content").elements() {
				a.item(block, depth+1)
			}
		default:
			a.Hosted = append(a.Hosted, kind+" by "+clip(of))
		}
	case "image_url", "input_image", "computer_screenshot":
		a.Unbounded = true
		if image.isObject() {
			image = image.get("url")
		}
		fetches("image", image)
	case "file", "input_file", "input_audio":
		a.Unbounded = true
		fetches("file", fileURL)
		fetches("file", file.get("file_url"))
	}
	for _, v := range inside {
		a.item(v, depth+1)
		for block := range v.elements() {
			a.item(block, depth+1)
		}
	}
}

// clip keeps a word from a request fit for an error message.
func clip(word string) string {
	if len(word) > 40 {
		word = word[:40]
	}
	return fmt.Sprintf("%q", word)
}

// WithUsage returns the body of a streamed chat request changed so that the reply says what it cost. The body must
// have passed Inspect.
func WithUsage(body []byte) []byte {
	top, err := parse(body)
	if err != nil || !top.isObject() {
		return body
	}
	var out bytes.Buffer
	for m := range top.fields() {
		if m.key != "stream_options" {
			continue
		}
		out.Write(top[:m.start])
		out.WriteString(`"stream_options":{"include_usage":true`)
		for o := range m.value.fields() {
			if o.key != "include_usage" {
				out.WriteByte(',')
				out.Write(m.value[o.start:o.end])
			}
		}
		out.WriteByte('}')
		out.Write(top[m.end:])
		return out.Bytes()
	}
	out.WriteString(`{"stream_options":{"include_usage":true},`) // an object that passed Inspect holds a model at least
	out.Write(top[1:])
	return out.Bytes()
}
