package rulemodel

import (
	"encoding/json"
	"regexp"
	"strings"
)

// dialog is one request in the words of no particular wire format.
type dialog struct {
	model  string
	system string
	tools  []tool
	turns  []turn
	schema json.RawMessage // the answer must be JSON of this schema; nil otherwise
	forced string          // the tool that must be called; "" otherwise
	stream bool
	usage  bool // OpenAI Chat: send usage at the end of a stream
}

// tool is one tool that the request offers.
type tool struct {
	name   string
	params map[string]bool
	schema json.RawMessage
	local  bool // OpenAI Responses' built-in local_shell
}

// turn is one message: what was said, which tools were called, what they returned.
type turn struct {
	assistant bool
	text      string // without the harness' reminders
	calls     []call
	results   []result
}

type call struct {
	id    string
	name  string
	input map[string]any
}

type result struct {
	id     string
	text   string
	failed bool
}

// reply is what the server answers: text, or calls, or both.
type reply struct {
	text  string
	calls []call
}

// str reads a string argument of a call under any of its usual names.
func (c call) str(names ...string) string {
	for _, n := range names {
		switch v := c.input[n].(type) {
		case string:
			return v
		case []any: // a command as argv
			words := make([]string, 0, len(v))
			for _, w := range v {
				if s, ok := w.(string); ok {
					words = append(words, s)
				}
			}
			if len(words) > 0 {
				return words[len(words)-1]
			}
		}
	}
	return ""
}

func (c call) flag(names ...string) bool {
	for _, n := range names {
		if v, ok := c.input[n].(bool); ok && v {
			return true
		}
	}
	return false
}

var reminder = regexp.MustCompile(`(?s)^\s*<system-reminder>.*?</system-reminder>\s*`)

// spoken drops what a harness mixes into a person's message.
func spoken(text string) string {
	for reminder.MatchString(text) {
		text = reminder.ReplaceAllString(text, "")
	}
	return strings.TrimSpace(text)
}

// returned drops what a harness appends to a tool's result.
func returned(text string) string {
	for strings.HasSuffix(strings.TrimSpace(text), "</system-reminder>") {
		at := strings.LastIndex(text, "<system-reminder>")
		if at < 0 {
			break
		}
		text = strings.TrimRight(text[:at], "\n")
	}
	return text
}

// properties lists the parameters that a tool's JSON Schema names.
func properties(schema json.RawMessage) map[string]bool {
	var s struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	_ = json.Unmarshal(schema, &s) // no object, no parameters
	names := make(map[string]bool, len(s.Properties))
	for n := range s.Properties {
		names[n] = true
	}
	return names
}

// add appends a message, joining it to the last one when the same side speaks again.
func (d *dialog) add(t turn) {
	if n := len(d.turns); n > 0 && d.turns[n-1].assistant == t.assistant {
		last := &d.turns[n-1]
		last.text = strings.TrimSpace(last.text + "\n" + t.text)
		last.calls = append(last.calls, t.calls...)
		last.results = append(last.results, t.results...)
		return
	}
	d.turns = append(d.turns, t)
}
