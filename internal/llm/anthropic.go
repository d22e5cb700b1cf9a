package llm

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"gaggle/internal/fleet"
)

// anthropic speaks Anthropic Messages.
type anthropic struct {
	caller
	quirks memo[anthropicQuirks]
}

// anthropicQuirks is what a model, or an endpoint that imitates the format, turned out not to take.
type anthropicQuirks struct {
	noFormat      bool // output_config.format: a tool takes the answer
	noForce       bool // a tool that must be called: the prompt alone asks for it
	noTemperature bool
}

type anthropicRequest struct {
	Model       string             `json:"model"`
	MaxTokens   int64              `json:"max_tokens"`
	System      []anthropicBlock   `json:"system,omitempty"`
	Messages    []anthropicMessage `json:"messages"`
	Tools       []anthropicTool    `json:"tools,omitempty"`
	ToolChoice  *anthropicChoice   `json:"tool_choice,omitempty"`
	Temperature *float64           `json:"temperature,omitempty"`
	Output      *outputConfig      `json:"output_config,omitempty"`
}

type outputConfig struct {
	Format outputFormat `json:"format"`
}

type outputFormat struct {
	Type   string          `json:"type"`
	Schema json.RawMessage `json:"schema"`
}

type anthropicMessage struct {
	Role    Role             `json:"role"`
	Content []anthropicBlock `json:"content"`
}

type anthropicBlock struct {
	Type      string          `json:"type"`
	Text      string          `json:"text,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
	ToolUseID string          `json:"tool_use_id,omitempty"`
	Content   string          `json:"content,omitempty"`
	IsError   bool            `json:"is_error,omitempty"`
	Cache     *cacheControl   `json:"cache_control,omitempty"`

	raw json.RawMessage // stands for all of the above
}

func (b anthropicBlock) MarshalJSON() ([]byte, error) {
	if b.raw != nil {
		return b.raw, nil
	}
	type plain anthropicBlock
	return json.Marshal(plain(b))
}

type cacheControl struct {
	Type string `json:"type"`
}

type anthropicTool struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"input_schema"`
	Cache       *cacheControl   `json:"cache_control,omitempty"`
}

type anthropicChoice struct {
	Type string `json:"type"`
	Name string `json:"name,omitempty"`
}

type anthropicReply struct {
	Type       string            `json:"type"`
	Model      string            `json:"model"`
	Content    []json.RawMessage `json:"content"`
	StopReason string            `json:"stop_reason"`
	Usage      struct {
		Input      int64 `json:"input_tokens"`
		Output     int64 `json:"output_tokens"`
		CacheRead  int64 `json:"cache_read_input_tokens"`
		CacheWrite int64 `json:"cache_creation_input_tokens"`
	} `json:"usage"`
}

// Complete implements Client. What a model refuses that others want is left out when asking again, and remembered.
func (a *anthropic) Complete(ctx context.Context, req Request) (Response, error) {
	header := http.Header{"Anthropic-Version": {"2023-06-01"}}
	if strings.HasPrefix(a.Key, "sk-ant-oat") {
		header.Set("Authorization", "Bearer "+a.Key)
	} else if a.Key != "" {
		header.Set("X-Api-Key", a.Key)
	}
	for {
		known := a.quirks.get(req.Model)
		var reply anthropicReply
		err := a.post(ctx, "/v1/messages", header, anthropicBody(req, known), &reply)
		if err == nil {
			return reply.response(req)
		}
		learnt, ok := known.learn(err, req)
		if !ok {
			return Response{}, explain(err)
		}
		a.quirks.set(req.Model, learnt)
	}
}

// learn reads a refusal. It reports false when nothing new is to be learnt, so that asking again ends.
func (q anthropicQuirks) learn(err error, req Request) (anthropicQuirks, bool) {
	text, ok := badRequest(err)
	if !ok {
		return q, false
	}
	was := q
	switch {
	case req.Temperature != nil && strings.Contains(text, "temperature"):
		q.noTemperature = true
	case req.Schema != nil && strings.Contains(text, "output_config"), req.Schema != nil && strings.Contains(text, "output_format"):
		q.noFormat = true
	case strings.Contains(text, "tool_choice"), strings.Contains(text, "tool use"):
		q.noForce = true
	}
	return q, q != was
}

func anthropicBody(req Request, known anthropicQuirks) anthropicRequest {
	body := anthropicRequest{Model: req.Model, MaxTokens: maxTokens(req)}
	if !known.noTemperature {
		body.Temperature = req.Temperature
	}
	var mark *cacheControl
	if req.Cache {
		mark = &cacheControl{"ephemeral"}
	}
	force := req.Tool
	if req.Schema != nil && !known.noFormat {
		body.Output = &outputConfig{Format: outputFormat{"json_schema", req.Schema.JSON}}
	} else if req.Schema != nil {
		force = req.Schema.Name
	}
	system := req.System
	if known.noForce && force != "" {
		if system += "\n\nAnswer by calling a tool"; force != "any" {
			system += ": " + force
		}
	} else if force == "any" {
		body.ToolChoice = &anthropicChoice{Type: "any"}
	} else if force != "" {
		body.ToolChoice = &anthropicChoice{"tool", force}
	}
	if system != "" {
		body.System = []anthropicBlock{{Type: "text", Text: system, Cache: mark}}
	}
	for _, m := range req.Messages {
		if blocks := anthropicBlocks(m); len(blocks) > 0 { // the format takes no empty message
			body.Messages = append(body.Messages, anthropicMessage{m.Role, blocks})
		}
	}
	if n := len(body.Messages); n > 0 && mark != nil {
		if last := body.Messages[n-1].Content; len(last) > 0 && last[len(last)-1].raw == nil {
			last[len(last)-1].Cache = mark
		}
	}
	for _, t := range req.Tools {
		body.Tools = append(body.Tools, anthropicTool{Name: t.Name, Description: t.Description, Schema: t.Schema})
	}
	if req.Schema != nil && known.noFormat {
		body.Tools = append(body.Tools, anthropicTool{Name: req.Schema.Name, Description: "Takes your answer.", Schema: req.Schema.JSON})
	}
	return body
}

func anthropicBlocks(m Message) []anthropicBlock {
	var blocks []anthropicBlock
	for _, p := range m.Parts {
		switch {
		case p.Call != nil:
			input := p.Call.Input
			if !strings.HasPrefix(strings.TrimSpace(string(input)), "{") {
				input, _ = json.Marshal(map[string]json.RawMessage{"input": callInput(input)}) // the format takes objects only
			}
			blocks = append(blocks, anthropicBlock{Type: "tool_use", ID: p.Call.ID, Name: p.Call.Name, Input: input})
		case p.Result != nil:
			blocks = append(blocks, anthropicBlock{Type: "tool_result", ToolUseID: p.Result.ID, Content: p.Result.Text, IsError: p.Result.Failed})
		case p.Opaque != nil:
			blocks = append(blocks, anthropicBlock{raw: p.Opaque})
		case strings.TrimSpace(p.Text) != "": // nor a blank text
			blocks = append(blocks, anthropicBlock{Type: "text", Text: p.Text})
		}
	}
	return blocks
}

func (r anthropicReply) response(req Request) (Response, error) {
	if r.Type != "message" && r.Content == nil {
		return Response{}, fleet.Errorf(fleet.CodeModel, "the model's reply is no message")
	}
	out := Response{Model: r.Model, Message: Message{Role: Assistant}, Stop: StopEnd,
		Usage: fleet.Tokens{Input: max(0, r.Usage.Input), Output: max(0, r.Usage.Output), CacheRead: max(0, r.Usage.CacheRead), CacheWrite: max(0, r.Usage.CacheWrite)}}
	for _, raw := range r.Content {
		var b struct {
			Type  string          `json:"type"`
			Text  string          `json:"text"`
			ID    string          `json:"id"`
			Name  string          `json:"name"`
			Input json.RawMessage `json:"input"`
		}
		if err := json.Unmarshal(raw, &b); err != nil {
			return Response{}, fleet.Errorf(fleet.CodeModel, "the model's reply holds a part that cannot be read: %w", err)
		}
		part := Part{Opaque: raw}
		switch {
		case b.Type == "text":
			part = Part{Text: b.Text}
		case b.Type == "tool_use" && req.Schema != nil && b.Name == req.Schema.Name:
			part = Part{Text: string(b.Input)}
		case b.Type == "tool_use":
			part = Part{Call: &Call{ID: b.ID, Name: b.Name, Input: callInput(b.Input)}}
		}
		out.Message.Parts = append(out.Message.Parts, part)
	}
	switch r.StopReason {
	case "max_tokens", "model_context_window_exceeded":
		out.Stop = StopLength
	case "refusal":
		out.Stop = StopRefused
	case "tool_use":
		if len(out.Calls()) > 0 {
			out.Stop = StopTools
		}
	}
	return out, nil
}

func maxTokens(req Request) int64 {
	if req.MaxTokens > 0 {
		return req.MaxTokens
	}
	return 8192
}
