package native

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gaggle/internal/llm"
)

// conversation is what is kept between rounds.
type conversation struct {
	Version  int           `json:"version"`
	Messages []llm.Message `json:"messages"`
	Dirty    bool          `json:"dirty"` // something may have changed since the verifiers passed
}

const (
	conversationVersion = 1
	maxConversation     = 64 << 20
)

func sessionFile(home, session string) string {
	return filepath.Join(home, ".gaggle", "session-"+session+".json")
}

// load reads a conversation. Whatever is wrong with the file, the round can begin anew.
func load(file string) (conversation, error) {
	f, err := os.Open(file)
	if err != nil {
		return conversation{}, err
	}
	defer f.Close()
	var c conversation
	if err := json.NewDecoder(io.LimitReader(f, maxConversation)).Decode(&c); err != nil {
		return conversation{}, err
	}
	if c.Version != conversationVersion || len(c.Messages) == 0 || c.Messages[0].Role != llm.User {
		return conversation{}, errors.New("it is of another kind")
	}
	return c, nil
}

// save replaces the file whole, so that a kill leaves the conversation as it was a moment before.
func (c conversation) save(file string) error {
	c.Version = conversationVersion
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	fresh := file + ".new"
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, file)
}

// say adds the user's words. When the last answer called tools and the round was cut off before they had returned, they
// are answered first: a provider takes nothing else.
func (c *conversation) say(text string) {
	var parts []llm.Part
	if n := len(c.Messages); n > 0 {
		last := &c.Messages[n-1]
		if last.Role == llm.User {
			if text != "" {
				last.Parts = append(last.Parts, llm.Part{Text: text})
			}
			return
		}
		for _, p := range last.Parts {
			if p.Call != nil {
				parts = append(parts, llm.Part{Result: &llm.Result{ID: p.Call.ID, Text: "interrupted; whether it ran is not known", Failed: true}})
			}
		}
	}
	if text != "" {
		parts = append(parts, llm.Part{Text: text})
	}
	c.Messages = append(c.Messages, llm.Message{Role: llm.User, Parts: parts})
}

// size is roughly what a message adds to a request.
func size(m llm.Message) int {
	n := 0
	for _, p := range m.Parts {
		n += len(p.Text) + len(p.Opaque)
		if p.Call != nil {
			n += len(p.Call.Input)
		}
		if p.Result != nil {
			n += len(p.Result.Text)
		}
	}
	return n
}

const (
	recent     = 8   // messages at the end that are sent whole
	worthwhile = 400 // bytes: a shorter result is not worth leaving out
)

// trimmed returns the conversation as it is sent: whole while it is short, else with older tool results, and then older
// inputs of edits, left out. What is left out is decided anew only when half of the room is used up again, so that a
// provider's cache of the beginning stays good for many turns. The conversation itself stays whole.
func (c *conversation) trimmed(limit int) []llm.Message {
	total := 0
	for _, m := range c.Messages {
		total += size(m)
	}
	if total <= limit {
		return c.Messages
	}
	out := append([]llm.Message(nil), c.Messages...)
	// Dropping up to the same step as long as it will do keeps the beginning the same from turn to turn.
	steps := (total - limit + limit/2 - 1) / (limit / 2)
	drop := steps * (limit / 2)
	for i := 1; i < len(out)-recent && drop > 0; i++ {
		parts := append([]llm.Part(nil), out[i].Parts...)
		for j, p := range parts {
			switch {
			case p.Result != nil && len(p.Result.Text) > worthwhile:
				r := *p.Result
				drop -= len(r.Text)
				r.Text = fmt.Sprintf("(%d bytes left out to save room; call the tool again if you need them)", len(r.Text))
				parts[j].Result = &r
			case p.Call != nil && len(p.Call.Input) > worthwhile:
				call := *p.Call
				drop -= len(call.Input)
				call.Input = shortened(call.Input)
				parts[j].Call = &call
			}
		}
		out[i].Parts = parts
	}
	return out
}

// shortened keeps the short members of an input, so that it still says which file was edited.
func shortened(in json.RawMessage) json.RawMessage {
	var fields map[string]any
	if json.Unmarshal(in, &fields) != nil {
		return json.RawMessage(`{}`)
	}
	for name, v := range fields {
		if s, ok := v.(string); ok && len(s) > 200 {
			fields[name] = "(left out to save room)"
		}
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return json.RawMessage(`{}`)
	}
	return text
}

func validText(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
}
