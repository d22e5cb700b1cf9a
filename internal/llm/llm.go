package llm

import (
	"context"
	"encoding/json"
	"strings"

	"gaggle/internal/fleet"
)

// Client makes requests to models. It may be used by several goroutines at once.
type Client interface {
	// Complete returns the model's next message. Errors are *fleet.Error: model_busy when the provider was too busy for
	// too long, budget when the gateway refused to spend more, invalid when the provider refused the request itself,
	// model_error for anything else that is the model's or its provider's fault, interrupted when ctx ended.
	Complete(ctx context.Context, req Request) (Response, error)
}

// Request is one request to one model.
type Request struct {
	Model       string
	System      string
	Messages    []Message // the user's first, then in turn
	Tools       []Tool
	Tool        string   // a tool that the model must call: its name, or "any"; "" leaves it to the model
	MaxTokens   int64    // of the reply. Defaults to 8,192
	Temperature *float64 // nil leaves it to the provider
	Schema      *Schema  // when set, the reply's text is one JSON object meant to match it
	Cache       bool     // marks the tools, the system prompt and the conversation so far as worth caching, where the provider wants to be told
}

// Role is who speaks.
type Role string

// The roles. Results of tools are parts of the user's message.
const (
	User      Role = "user"
	Assistant Role = "assistant"
)

// Message is one turn of a conversation.
type Message struct {
	Role  Role   `json:"role"`
	Parts []Part `json:"parts"`
}

// Part is a piece of a message. One of its fields is set.
type Part struct {
	Text   string          `json:"text,omitempty"`
	Call   *Call           `json:"call,omitempty"`
	Result *Result         `json:"result,omitempty"`
	Opaque json.RawMessage `json:"opaque,omitempty"` // the provider's own (such as signed thinking): to be sent back as it came
}

// Call is the model's wish to have a tool called.
type Call struct {
	ID    string          `json:"id"`
	Name  string          `json:"name"`
	Input json.RawMessage `json:"input"` // the model's words: valid JSON, but not necessarily what the tool's schema asks for
}

// Result answers a Call.
type Result struct {
	ID     string `json:"id"` // Call.ID
	Text   string `json:"text"`
	Failed bool   `json:"failed,omitempty"`
}

// Tool is what the model may call.
type Tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema"` // JSON Schema of the input, an object
}

// Schema is the form that an answer must have.
type Schema struct {
	Name string // letters, digits, _ and -
	JSON json.RawMessage
}

// Stop is why the model stopped.
type Stop string

// The reasons to stop.
const (
	StopEnd     Stop = "end"     // it had said what it had to say
	StopTools   Stop = "tools"   // it wants tools called
	StopLength  Stop = "length"  // MaxTokens, or the model's own limit
	StopRefused Stop = "refused" // it, or a filter, would not answer
)

// Response is the model's next message.
type Response struct {
	Model   string // as the provider names it
	Message Message
	Stop    Stop
	Usage   fleet.Tokens
}

// Text returns the text of the reply, its parts put together.
func (r Response) Text() string {
	var b strings.Builder
	for _, p := range r.Message.Parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// Calls lists the tools that the model wants called.
func (r Response) Calls() []Call {
	var calls []Call
	for _, p := range r.Message.Parts {
		if p.Call != nil {
			calls = append(calls, *p.Call)
		}
	}
	return calls
}

// Say makes a message of one text.
func Say(role Role, text string) Message { return Message{Role: role, Parts: []Part{{Text: text}}} }
