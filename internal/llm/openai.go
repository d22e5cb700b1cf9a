package llm

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"gaggle/internal/fleet"
)

// openAI speaks OpenAI Chat Completions, to OpenAI and to the many endpoints that understand it more or less.
type openAI struct {
	caller
	quirks memo[quirks]
}

// quirks is what a model's endpoint turned out not to take.
type quirks struct {
	newLimit      bool // max_tokens: it wants max_completion_tokens
	noTemperature bool
	noSchema      bool // response_format: the prompt alone asks for the form
}

type chatRequest struct {
	Model         string        `json:"model"`
	Messages      []chatMessage `json:"messages"`
	Tools         []chatTool    `json:"tools,omitempty"`
	ToolChoice    any           `json:"tool_choice,omitempty"`
	MaxTokens     int64         `json:"max_tokens,omitempty"`
	MaxCompletion int64         `json:"max_completion_tokens,omitempty"`
	Temperature   *float64      `json:"temperature,omitempty"`
	Format        any           `json:"response_format,omitempty"`
}

type chatMessage struct {
	Role       string     `json:"role"`
	Content    *string    `json:"content"`
	ToolCalls  []chatCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
	Refusal    string     `json:"refusal,omitempty"`
}

type chatCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type chatTool struct {
	Type     string       `json:"type"`
	Function chatFunction `json:"function"`
}

type chatFunction struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
}

type chatReply struct {
	Model   string `json:"model"`
	Choices []struct {
		Message      chatMessage `json:"message"`
		FinishReason string      `json:"finish_reason"`
	} `json:"choices"`
	Usage struct {
		Prompt     int64 `json:"prompt_tokens"`
		Completion int64 `json:"completion_tokens"`
		Details    struct {
			Cached int64 `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
	} `json:"usage"`
}

// Complete implements Client. An endpoint that refuses a setting which only some take is asked again without it, and
// that is remembered.
func (o *openAI) Complete(ctx context.Context, req Request) (Response, error) {
	header := http.Header{}
	if o.Key != "" {
		header.Set("Authorization", "Bearer "+o.Key)
	}
	for {
		known := o.quirks.get(req.Model)
		var reply chatReply
		err := o.post(ctx, "/chat/completions", header, chatBody(req, known), &reply)
		if err == nil {
			return reply.response()
		}
		learnt, ok := known.learn(err, req)
		if !ok {
			return Response{}, explain(err)
		}
		o.quirks.set(req.Model, learnt)
	}
}

// learn reads a refusal. It reports false when nothing new is to be learnt, so that asking again ends.
func (q quirks) learn(err error, req Request) (quirks, bool) {
	text, ok := badRequest(err)
	if !ok {
		return q, false
	}
	was := q
	switch {
	case strings.Contains(text, "max_tokens") && strings.Contains(text, "max_completion_tokens"):
		q.newLimit = true
	case strings.Contains(text, "temperature") && req.Temperature != nil:
		q.noTemperature = true
	case strings.Contains(text, "response_format") || strings.Contains(text, "json_schema"):
		q.noSchema = req.Schema != nil
	}
	return q, q != was
}

func chatBody(req Request, known quirks) chatRequest {
	body := chatRequest{Model: req.Model, MaxTokens: maxTokens(req)}
	if known.newLimit {
		body.MaxTokens, body.MaxCompletion = 0, body.MaxTokens
	}
	if !known.noTemperature {
		body.Temperature = req.Temperature
	}
	system := req.System
	if req.Schema != nil && known.noSchema {
		system += "\n\nAnswer with one JSON object that matches this JSON Schema, and nothing else:\n" + string(req.Schema.JSON)
	} else if req.Schema != nil {
		body.Format = map[string]any{"type": "json_schema", "json_schema": map[string]any{
			"name": req.Schema.Name, "schema": req.Schema.JSON, "strict": true}}
	}
	if system != "" {
		body.Messages = append(body.Messages, chatMessage{Role: "system", Content: &system})
	}
	for _, m := range req.Messages {
		body.Messages = append(body.Messages, chatMessages(m)...)
	}
	for _, t := range req.Tools {
		body.Tools = append(body.Tools, chatTool{"function", chatFunction{t.Name, t.Description, t.Schema}})
	}
	switch {
	case req.Tool == "any":
		body.ToolChoice = "required"
	case req.Tool != "":
		body.ToolChoice = map[string]any{"type": "function", "function": map[string]string{"name": req.Tool}}
	}
	return body
}

// chatMessages writes one message: the format wants results of tools as messages of their own, before anything else.
func chatMessages(m Message) []chatMessage {
	var results []chatMessage
	var text strings.Builder
	own := chatMessage{Role: string(m.Role)}
	for _, p := range m.Parts {
		switch {
		case p.Result != nil:
			content := p.Result.Text
			if p.Result.Failed {
				content = "error: " + content
			}
			results = append(results, chatMessage{Role: "tool", Content: &content, ToolCallID: p.Result.ID})
		case p.Call != nil:
			call := chatCall{ID: p.Call.ID, Type: "function"}
			call.Function.Name, call.Function.Arguments = p.Call.Name, string(p.Call.Input)
			own.ToolCalls = append(own.ToolCalls, call)
		default:
			text.WriteString(p.Text)
		}
	}
	if text.Len() > 0 {
		s := text.String()
		own.Content = &s
	}
	if own.Content != nil || own.ToolCalls != nil {
		results = append(results, own)
	}
	return results
}

func (r chatReply) response() (Response, error) {
	if len(r.Choices) == 0 {
		return Response{}, fleet.Errorf(fleet.CodeModel, "the model's reply holds no choice")
	}
	cached := max(0, min(r.Usage.Details.Cached, r.Usage.Prompt))
	out := Response{Model: r.Model, Message: Message{Role: Assistant}, Stop: StopEnd,
		Usage: fleet.Tokens{Input: max(0, r.Usage.Prompt-cached), CacheRead: cached, Output: max(0, r.Usage.Completion)}}
	m := r.Choices[0].Message
	if m.Content != nil && *m.Content != "" {
		out.Message.Parts = append(out.Message.Parts, Part{Text: *m.Content})
	}
	for _, call := range m.ToolCalls {
		out.Message.Parts = append(out.Message.Parts, Part{Call: &Call{ID: call.ID, Name: call.Function.Name, Input: callInput([]byte(call.Function.Arguments))}})
	}
	switch reason := r.Choices[0].FinishReason; {
	case reason == "length":
		out.Stop = StopLength
	case reason == "content_filter" || m.Refusal != "":
		out.Stop = StopRefused
	case len(m.ToolCalls) > 0: // some endpoints say "stop" all the same
		out.Stop = StopTools
	}
	return out, nil
}
