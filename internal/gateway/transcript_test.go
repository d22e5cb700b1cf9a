package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestConversationsAreWrittenOnce sends a growing conversation, as agents do with every request.
func TestConversationsAreWrittenOnce(t *testing.T) {
	w := start(t, streams(messagesReply), nil)
	message := func(i int) string {
		return fmt.Sprintf(`{"role":"user","content":"message %d %s"}`, i, strings.Repeat("x", 1000))
	}
	var messages []string
	for i := range 5 {
		messages = append(messages, message(i))
		w.post(t, "/anthropic/v1/messages", `{"model":"claude-sonnet-4-5","max_tokens":100,"stream":true,"system":"`+strings.Repeat("s", 1000)+`","messages":[`+strings.Join(messages, ",")+`]}`)
	}
	for i, e := range w.transcript.entries(t) {
		var request struct {
			Model, System string
			Messages      []struct{ Content string }
		}
		if err := json.Unmarshal(e.Request, &request); err != nil {
			t.Fatal(err)
		}
		if e.From != i || len(request.Messages) != 1 || !strings.HasPrefix(request.Messages[0].Content, fmt.Sprintf("message %d ", i)) || request.Model == "" || (request.System != "") != (i == 0) {
			t.Errorf("line %d: from %d, %.200s", i, e.From, e.Request)
		}
	}
	// A conversation that begins anew is written from its beginning.
	w.post(t, "/anthropic/v1/messages", `{"model":"claude-sonnet-4-5","max_tokens":100,"stream":true,"messages":[`+message(9)+`]}`)
	if e := w.transcript.entries(t)[5]; e.From != 0 || !strings.Contains(string(e.Request), "message 9") {
		t.Errorf("%+v", e)
	}
}

func TestOddRequestsAreWrittenToo(t *testing.T) {
	w := start(t, streams(responsesReply), nil)
	for _, body := range []string{
		`{"model":"gpt-5","stream":true,"input":"text"}`, `{"model":"gpt-5","stream":true,"input":{"a":1}}`, `{"model":"gpt-5","stream":true}`,
		`{"model":"gpt-5","stream":true,"input":[1,null,"x",[]],"temperature":1.00000000000000000001}`,
	} {
		w.post(t, "/openai/v1/responses", body)
	}
	for _, e := range w.transcript.entries(t) {
		if !json.Valid(e.Request) || e.Reply.Text != "Hello." {
			t.Errorf("%+v", e)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestATranscriptThatCannotBeWrittenStopsNothing(t *testing.T) {
	w := start(t, streams(messagesReply), func(_ *Config, s *SessionConfig) { s.Transcript = full{} })
	if res, got := w.post(t, kinds[0].path, kinds[0].body); res.StatusCode != 200 || got != messagesReply {
		t.Errorf("%s %s", res.Status, got)
	}
	if w.budget.Spent() != kinds[0].cost {
		t.Error(w.budget.Spent())
	}
}
