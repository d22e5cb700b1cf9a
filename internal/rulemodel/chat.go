package rulemodel

import (
	"encoding/json"
	"net/http"
	"strings"
)

func decodeChat(body []byte) (dialog, error) {
	var in struct {
		Model    string `json:"model"`
		Messages []struct {
			Role       string          `json:"role"`
			Content    json.RawMessage `json:"content"`
			ToolCallID string          `json:"tool_call_id"`
			ToolCalls  []struct {
				ID       string `json:"id"`
				Function struct {
					Name      string `json:"name"`
					Arguments string `json:"arguments"`
				} `json:"function"`
			} `json:"tool_calls"`
		} `json:"messages"`
		Tools []struct {
			Function struct {
				Name       string          `json:"name"`
				Parameters json.RawMessage `json:"parameters"`
			} `json:"function"`
		} `json:"tools"`
		ToolChoice     json.RawMessage `json:"tool_choice"`
		ResponseFormat struct {
			JSONSchema struct {
				Schema json.RawMessage `json:"schema"`
			} `json:"json_schema"`
		} `json:"response_format"`
		Stream        bool `json:"stream"`
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return dialog{}, err
	}
	d := dialog{model: in.Model, schema: in.ResponseFormat.JSONSchema.Schema, forced: forcedFunction(in.ToolChoice), stream: in.Stream, usage: in.StreamOptions.IncludeUsage}
	for _, t := range in.Tools {
		d.tools = append(d.tools, tool{name: t.Function.Name, params: properties(t.Function.Parameters), schema: t.Function.Parameters})
	}
	for _, m := range in.Messages {
		text := joined(m.Content)
		switch m.Role {
		case "system", "developer":
			d.system += text + "\n"
		case "tool":
			d.add(turn{results: []result{{id: m.ToolCallID, text: returned(text)}}})
		case "assistant":
			t := turn{assistant: true, text: text}
			for _, c := range m.ToolCalls {
				t.calls = append(t.calls, call{id: c.ID, name: c.Function.Name, input: arguments(c.Function.Arguments)})
			}
			d.add(t)
		default:
			d.add(turn{text: spoken(text)})
		}
	}
	return d, nil
}

// forcedFunction reads tool_choice as both OpenAI formats write it: {"type":"function","function":{"name":N}} or {"type":"function","name":N}.
func forcedFunction(raw json.RawMessage) string {
	var choice struct {
		Name     string `json:"name"`
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if json.Unmarshal(raw, &choice) != nil { // "auto", "required": nothing is named
		return ""
	}
	return choice.Name + choice.Function.Name
}

func arguments(text string) map[string]any {
	var input map[string]any
	_ = json.Unmarshal([]byte(text), &input) // a call without usable input is still a call
	return input
}

func (c call) arguments() string {
	args, _ := json.Marshal(c.input) // strings, numbers and booleans
	return string(args)
}

func encodeChat(w http.ResponseWriter, d dialog, r reply, id string, in, out int, cut bool) {
	stop := "stop"
	calls := make([]map[string]any, 0, len(r.calls))
	for i, c := range r.calls {
		stop = "tool_calls"
		calls = append(calls, map[string]any{"index": i, "id": "call_" + c.id, "type": "function",
			"function": map[string]any{"name": c.name, "arguments": c.arguments()}})
	}
	usage := map[string]any{"prompt_tokens": in, "completion_tokens": out, "total_tokens": in + out}
	answer := func(object, part string, value map[string]any, finish any) map[string]any {
		return map[string]any{"id": "chatcmpl-" + id, "object": object, "created": 0, "model": d.model,
			"choices": []any{map[string]any{"index": 0, part: value, "finish_reason": finish}}}
	}
	message := map[string]any{"role": "assistant", "content": r.text}
	if len(calls) > 0 {
		message["tool_calls"] = calls
	}
	if !d.stream {
		full := answer("chat.completion", "message", message, stop)
		full["usage"] = usage
		writeJSON(w, http.StatusOK, full, cut)
		return
	}
	s := newStream(w, cut)
	chunk := func(delta map[string]any, finish any) {
		s.data(answer("chat.completion.chunk", "delta", delta, finish))
	}
	chunk(map[string]any{"role": "assistant", "content": ""}, nil)
	for _, part := range strings.SplitAfter(r.text, "\n") {
		if part != "" {
			chunk(map[string]any{"content": part}, nil)
		}
	}
	for _, c := range calls {
		chunk(map[string]any{"tool_calls": []any{c}}, nil)
	}
	if s.cutHere() {
		return
	}
	chunk(map[string]any{}, stop)
	if d.usage {
		last := answer("chat.completion.chunk", "delta", nil, nil)
		last["choices"], last["usage"] = []any{}, usage
		s.data(last)
	}
	s.raw("data: [DONE]\n\n")
}

func errorOpenAI(w http.ResponseWriter, status int, message string) {
	kind := map[int]string{400: "invalid_request_error", 401: "invalid_api_key", 429: "rate_limit_exceeded", 529: "server_overloaded"}[status]
	if kind == "" {
		kind = "server_error"
	}
	writeJSON(w, status, map[string]any{"error": map[string]any{"message": message, "type": kind, "code": kind}}, false)
}
