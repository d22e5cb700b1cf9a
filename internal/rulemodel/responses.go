package rulemodel

import (
	"encoding/json"
	"net/http"
	"strings"
)

func decodeResponses(body []byte) (dialog, error) {
	var in struct {
		Model        string          `json:"model"`
		Instructions string          `json:"instructions"`
		Input        json.RawMessage `json:"input"`
		Tools        []struct {
			Type       string          `json:"type"`
			Name       string          `json:"name"`
			Parameters json.RawMessage `json:"parameters"`
		} `json:"tools"`
		ToolChoice json.RawMessage `json:"tool_choice"`
		Text       struct {
			Format struct {
				Schema json.RawMessage `json:"schema"`
			} `json:"format"`
		} `json:"text"`
		Stream bool `json:"stream"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return dialog{}, err
	}
	d := dialog{model: in.Model, system: in.Instructions, schema: in.Text.Format.Schema, forced: forcedFunction(in.ToolChoice), stream: in.Stream}
	for _, t := range in.Tools {
		switch t.Type {
		case "function":
			d.tools = append(d.tools, tool{name: t.Name, params: properties(t.Parameters), schema: t.Parameters})
		case "local_shell":
			d.tools = append(d.tools, tool{name: "local_shell", params: map[string]bool{"command": true}, local: true})
		}
	}
	var items []struct {
		Type      string          `json:"type"`
		Role      string          `json:"role"`
		Content   json.RawMessage `json:"content"`
		CallID    string          `json:"call_id"`
		Name      string          `json:"name"`
		Arguments string          `json:"arguments"`
		Output    json.RawMessage `json:"output"`
	}
	if len(in.Input) > 0 && in.Input[0] == '"' {
		d.add(turn{text: joined(in.Input)})
		return d, nil
	}
	if err := json.Unmarshal(in.Input, &items); err != nil {
		return dialog{}, err
	}
	for _, it := range items {
		switch it.Type {
		case "function_call":
			d.add(turn{assistant: true, calls: []call{{id: it.CallID, name: it.Name, input: arguments(it.Arguments)}}})
		case "function_call_output":
			d.add(turn{results: []result{{id: it.CallID, text: joined(it.Output)}}})
		case "message", "":
			text := joined(it.Content)
			switch it.Role {
			case "assistant":
				d.add(turn{assistant: true, text: text})
			case "system", "developer":
				d.system += text + "\n"
			default:
				// Codex sends what it knows of the machine as a user's message in tags of its own.
				if t := strings.TrimSpace(text); strings.HasPrefix(t, "<environment_context>") || strings.HasPrefix(t, "<user_instructions>") || strings.HasPrefix(t, "# AGENTS.md") {
					d.system += t + "\n"
					continue
				}
				d.add(turn{text: spoken(text)})
			}
		}
	}
	return d, nil
}

func (r reply) responseItems(id string) []map[string]any {
	var items []map[string]any
	if r.text != "" || len(r.calls) == 0 {
		items = append(items, map[string]any{"id": "msg_" + id, "type": "message", "role": "assistant", "status": "completed",
			"content": []any{map[string]any{"type": "output_text", "text": r.text, "annotations": []any{}}}})
	}
	for _, c := range r.calls {
		items = append(items, map[string]any{"id": "fc_" + c.id, "type": "function_call", "status": "completed", "call_id": "call_" + c.id,
			"name": c.name, "arguments": c.arguments()})
	}
	return items
}

func encodeResponses(w http.ResponseWriter, d dialog, r reply, id string, in, out int, cut bool) {
	response := func(status string, items []map[string]any) map[string]any {
		m := map[string]any{"id": "resp_" + id, "object": "response", "created_at": 0, "model": d.model, "status": status, "output": items}
		if status == "completed" {
			m["usage"] = map[string]any{"input_tokens": in, "output_tokens": out, "total_tokens": in + out,
				"input_tokens_details": map[string]any{"cached_tokens": 0}, "output_tokens_details": map[string]any{"reasoning_tokens": 0}}
		}
		return m
	}
	items := r.responseItems(id)
	if !d.stream {
		writeJSON(w, http.StatusOK, response("completed", items), cut)
		return
	}
	s := newStream(w, cut)
	n := 0
	send := func(kind string, fields map[string]any) {
		fields["type"], fields["sequence_number"] = kind, n
		n++
		s.event(kind, fields)
	}
	send("response.created", map[string]any{"response": response("in_progress", []map[string]any{})})
	for i, it := range items {
		send("response.output_item.added", map[string]any{"output_index": i, "item": it})
		if it["type"] == "message" {
			send("response.output_text.delta", map[string]any{"output_index": i, "content_index": 0, "item_id": it["id"], "delta": r.text})
			send("response.output_text.done", map[string]any{"output_index": i, "content_index": 0, "item_id": it["id"], "text": r.text})
		} else {
			send("response.function_call_arguments.delta", map[string]any{"output_index": i, "item_id": it["id"], "delta": it["arguments"]})
			send("response.function_call_arguments.done", map[string]any{"output_index": i, "item_id": it["id"], "arguments": it["arguments"]})
		}
		if s.cutHere() {
			return
		}
		send("response.output_item.done", map[string]any{"output_index": i, "item": it})
	}
	send("response.completed", map[string]any{"response": response("completed", items)})
}
