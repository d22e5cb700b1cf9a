package rulemodel

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

type block struct {
	Type      string          `json:"type"`
	Text      string          `json:"text,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
	ToolUseID string          `json:"tool_use_id,omitempty"`
	Content   json.RawMessage `json:"content,omitempty"`
	IsError   bool            `json:"is_error,omitempty"`
}

// blocks reads content that is a string or a list of blocks.
func blocks(raw json.RawMessage) ([]block, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if raw[0] == '"' {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, err
		}
		return []block{{Type: "text", Text: s}}, nil
	}
	var list []block
	err := json.Unmarshal(raw, &list)
	return list, err
}

func joined(raw json.RawMessage) string {
	list, err := blocks(raw)
	if err != nil {
		return ""
	}
	var parts []string
	for _, b := range list {
		if b.Text != "" {
			parts = append(parts, b.Text)
		}
	}
	return strings.Join(parts, "\n")
}

func decodeAnthropic(body []byte) (dialog, error) {
	var in struct {
		Model    string          `json:"model"`
		System   json.RawMessage `json:"system"`
		Messages []struct {
			Role    string          `json:"role"`
			Content json.RawMessage `json:"content"`
		} `json:"messages"`
		Tools []struct {
			Name   string          `json:"name"`
			Schema json.RawMessage `json:"input_schema"`
		} `json:"tools"`
		ToolChoice struct {
			Type string `json:"type"`
			Name string `json:"name"`
		} `json:"tool_choice"`
		OutputConfig struct {
			Format struct {
				Schema json.RawMessage `json:"schema"`
			} `json:"format"`
		} `json:"output_config"`
		Stream bool `json:"stream"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return dialog{}, err
	}
	d := dialog{model: in.Model, system: joined(in.System), schema: in.OutputConfig.Format.Schema, forced: in.ToolChoice.Name, stream: in.Stream}
	for _, t := range in.Tools {
		d.tools = append(d.tools, tool{name: t.Name, params: properties(t.Schema), schema: t.Schema})
	}
	for _, m := range in.Messages {
		list, err := blocks(m.Content)
		if err != nil {
			return dialog{}, err
		}
		t := turn{assistant: m.Role == "assistant"}
		for _, b := range list {
			switch b.Type {
			case "text":
				t.text = strings.TrimSpace(t.text + "\n" + spoken(b.Text))
			case "tool_use":
				var input map[string]any
				_ = json.Unmarshal(b.Input, &input) // a call without usable input is still a call
				t.calls = append(t.calls, call{id: b.ID, name: b.Name, input: input})
			case "tool_result":
				t.results = append(t.results, result{id: b.ToolUseID, text: returned(joined(b.Content)), failed: b.IsError})
			}
		}
		d.add(t)
	}
	return d, nil
}

type anthropicUsage struct {
	Input  int `json:"input_tokens"`
	Output int `json:"output_tokens"`
}

func (r reply) anthropicBlocks() []map[string]any {
	var out []map[string]any
	if r.text != "" || len(r.calls) == 0 {
		out = append(out, map[string]any{"type": "text", "text": r.text})
	}
	for _, c := range r.calls {
		out = append(out, map[string]any{"type": "tool_use", "id": "toolu_" + c.id, "name": c.name, "input": c.input})
	}
	return out
}

func encodeAnthropic(w http.ResponseWriter, d dialog, r reply, id string, in, out int, cut bool) {
	stop := "end_turn"
	if len(r.calls) > 0 {
		stop = "tool_use"
	}
	message := map[string]any{"id": "msg_" + id, "type": "message", "role": "assistant", "model": d.model, "stop_sequence": nil}
	if !d.stream {
		message["content"], message["stop_reason"], message["usage"] = r.anthropicBlocks(), stop, anthropicUsage{in, out}
		writeJSON(w, http.StatusOK, message, cut)
		return
	}
	message["content"], message["stop_reason"], message["usage"] = []any{}, nil, anthropicUsage{in, 1}
	s := newStream(w, cut)
	s.event("message_start", map[string]any{"type": "message_start", "message": message})
	for i, b := range r.anthropicBlocks() {
		start, delta := map[string]any{"type": "text", "text": ""}, map[string]any{"type": "text_delta", "text": b["text"]}
		if b["type"] == "tool_use" {
			args, _ := json.Marshal(b["input"]) // a map of strings, numbers and booleans
			start = map[string]any{"type": "tool_use", "id": b["id"], "name": b["name"], "input": map[string]any{}}
			delta = map[string]any{"type": "input_json_delta", "partial_json": string(args)}
		}
		s.event("content_block_start", map[string]any{"type": "content_block_start", "index": i, "content_block": start})
		s.event("content_block_delta", map[string]any{"type": "content_block_delta", "index": i, "delta": delta})
		if s.cutHere() {
			return
		}
		s.event("content_block_stop", map[string]any{"type": "content_block_stop", "index": i})
	}
	s.event("message_delta", map[string]any{"type": "message_delta", "delta": map[string]any{"stop_reason": stop, "stop_sequence": nil},
		"usage": map[string]any{"output_tokens": out}})
	s.event("message_stop", map[string]any{"type": "message_stop"})
}

func errorAnthropic(w http.ResponseWriter, status int, message string) {
	kind := map[int]string{400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}[status]
	if kind == "" {
		kind = "api_error"
	}
	writeJSON(w, status, map[string]any{"type": "error", "error": map[string]any{"type": kind, "message": fmt.Sprint(message)}}, false)
}
