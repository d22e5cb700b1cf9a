package native

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
	"gaggle/internal/llm"
	"gaggle/internal/sandbox"
)

// script is a client that answers as it was told, and keeps what it was asked.
type script struct {
	answers []llm.Response
	errors  []error // by turn; nil for an answer
	asked   []llm.Request
}

func (s *script) Complete(_ context.Context, req llm.Request) (llm.Response, error) {
	s.asked = append(s.asked, req)
	n := len(s.asked) - 1
	if n < len(s.errors) && s.errors[n] != nil {
		return llm.Response{}, s.errors[n]
	}
	if len(s.answers) == 0 {
		return llm.Response{Message: llm.Say(llm.Assistant, "…"), Stop: llm.StopEnd}, nil
	}
	r := s.answers[min(n, len(s.answers)-1)]
	return r, nil
}

func calls(pairs ...string) llm.Response {
	r := llm.Response{Message: llm.Message{Role: llm.Assistant}, Stop: llm.StopTools}
	for i := 0; i < len(pairs); i += 2 {
		r.Message.Parts = append(r.Message.Parts, llm.Part{Call: &llm.Call{ID: fmt.Sprint(i), Name: pairs[i], Input: json.RawMessage(pairs[i+1])}})
	}
	return r
}

func says(text string) llm.Response {
	return llm.Response{Message: llm.Say(llm.Assistant, text), Stop: llm.StopEnd}
}

// round runs a loop against a script and returns its last event.
func round(t *testing.T, s *script, change func(*loop)) (event, *loop) {
	t.Helper()
	var out bytes.Buffer
	l := &loop{client: s, tools: newDesk(t, ".", map[string]string{"a.txt": "one\n"}), out: &printer{w: &out},
		file:  filepath.Join(t.TempDir(), "home", "session.json"),
		order: order{Session: strings.Repeat("a", 32), Model: "m", Ask: "do it", Turns: 10, Context: 400_000}}
	if change != nil {
		change(l)
	}
	if err := l.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	var last event
	if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil || last.Type != "result" {
		t.Fatalf("no result: %s", out.Bytes())
	}
	for _, req := range s.asked {
		wellFormed(t, req.Messages)
	}
	return last, l
}

// wellFormed fails the test when a provider would refuse a conversation: turns alternate, and each call has its result
// in the message that follows.
func wellFormed(t interface{ Errorf(string, ...any) }, messages []llm.Message) {
	for i, m := range messages {
		if want := []llm.Role{llm.User, llm.Assistant}[i%2]; m.Role != want || len(m.Parts) == 0 {
			t.Errorf("message %d is %s's, of %d parts", i, m.Role, len(m.Parts))
		}
		for _, p := range m.Parts {
			if p.Call == nil || i+1 >= len(messages) {
				continue
			}
			found := 0
			for _, q := range messages[i+1].Parts {
				if q.Result != nil && q.Result.ID == p.Call.ID {
					found++
				}
			}
			if found != 1 {
				t.Errorf("call %s of message %d has %d results", p.Call.ID, i, found)
			}
		}
	}
}

const edit = `{"path":"a.txt","old":"one","new":"two"}`

func TestRounds(t *testing.T) {
	busy := &fleet.Error{Code: fleet.CodeModelBusy, Message: "busy"}
	for name, c := range map[string]struct {
		script script
		change func(*loop)
		done   bool
		code   fleet.Code
		text   string
		asked  int
	}{
		"done":                    {script{answers: []llm.Response{calls("edit", edit), calls("done", `{"summary":"changed it"}`)}}, nil, true, "", "changed it", 2},
		"gives up":                {script{answers: []llm.Response{calls("give_up", `{"reason":"cannot"}`)}}, nil, false, fleet.CodeAgentGaveUp, "cannot", 1},
		"talks only":              {script{answers: []llm.Response{says("I have finished!")}}, nil, false, fleet.CodeModel, "does not use the tools", 4},
		"says nothing":            {script{answers: []llm.Response{{Message: llm.Message{Role: llm.Assistant}}}}, nil, false, fleet.CodeModel, "does not use", 4},
		"calls nonsense":          {script{answers: []llm.Response{calls("fly", `{}`, "edit", `[1]`, "read", `{"path":7}`)}}, nil, false, fleet.CodeModel, "no sense", 4},
		"talks, then works":       {script{answers: []llm.Response{says("hm"), says("hm"), calls("done", `{"summary":"ok"}`)}}, nil, true, "", "ok", 3},
		"never ends":              {script{answers: []llm.Response{calls("list", `{}`)}}, nil, false, fleet.CodeTurns, "within 10 turns", 10},
		"ends in between":         {script{answers: []llm.Response{calls("done", `{"summary":"ok"}`, "edit", edit)}}, nil, true, "", "ok", 1},
		"a busy model":            {script{errors: []error{busy}}, nil, false, fleet.CodeModelBusy, "busy", 1},
		"a spent budget":          {script{errors: []error{&fleet.Error{Code: fleet.CodeBudget, Message: "spent"}}}, nil, false, fleet.CodeBudget, "spent", 1},
		"an unknown error":        {script{errors: []error{errors.New("odd")}}, nil, false, fleet.CodeModel, "odd", 1},
		"a conversation too long": {script{errors: []error{&fleet.Error{Code: fleet.CodeInvalid, Message: "prompt is too long"}}, answers: []llm.Response{calls("done", `{"summary":"ok"}`)}}, nil, true, "", "ok", 2},
		"verified before done": {script{answers: []llm.Response{calls("edit", edit), calls("done", `{}`), calls("verify", `{}`), calls("done", `{"summary":"ok"}`)}},
			func(l *loop) { l.tools.verify = []string{"true"} }, true, "", "ok", 4},
		"insists on done": {script{answers: []llm.Response{calls("edit", edit), calls("done", `{}`), calls("done", `{"summary":"ok"}`)}},
			func(l *loop) { l.tools.verify = []string{"true"} }, true, "", "ok", 3},
		"nothing to verify": {script{answers: []llm.Response{calls("done", `{"summary":"nothing to do"}`)}},
			func(l *loop) { l.tools.verify = []string{"false"} }, true, "", "nothing to do", 1},
	} {
		t.Run(name, func(t *testing.T) {
			last, _ := round(t, &c.script, c.change)
			if last.Done != c.done || last.Code != c.code || !strings.Contains(last.Text, c.text) || len(c.script.asked) != c.asked {
				t.Errorf("%+v after %d requests", last, len(c.script.asked))
			}
			if r := conclude(sandbox.Result{}, &last, ""); r.Done != c.done || c.code != "" && r.Code != c.code {
				t.Errorf("%+v became %+v", last, r)
			}
		})
	}
}

func TestVerifiersAreOfferedWhenThereAreAny(t *testing.T) {
	names := func(d *tools) (all string) {
		for _, o := range d.offered() {
			all += o.Name + " "
			var schema map[string]any
			if err := json.Unmarshal(o.Schema, &schema); err != nil {
				t.Errorf("%s: %v", o.Name, err)
			}
		}
		return all
	}
	if got := names(&tools{}); got != "list search read edit run done give_up " {
		t.Error(got)
	}
	if got := names(&tools{verify: []string{"x"}}); got != "list search read edit run verify done give_up " {
		t.Error(got)
	}
	d := newDesk(t, ".", nil)
	d.verify = []string{"sh", "-c", "echo a.go:1: broken; exit 1"}
	if _, err := do(t, d, "verify", nil); err == nil || err.Error() != "the verifiers failed\na.go:1: broken\n" {
		t.Errorf("%v", err)
	}
}

func TestRoundsGoOnInOneConversation(t *testing.T) {
	s := &script{answers: []llm.Response{calls("edit", edit), calls("done", `{"summary":"one"}`), calls("done", `{"summary":"two"}`)}}
	_, first := round(t, s, nil)
	last, second := round(t, s, func(l *loop) {
		l.file, l.order.Resume, l.order.Feedback = first.file, true, "not good enough"
	})
	sent := s.asked[2].Messages
	if !last.Done || last.Text != "two" || len(sent) != 5 || sent[4].Parts[len(sent[4].Parts)-1].Text != "not good enough" {
		t.Errorf("%+v: %+v", last, sent)
	}
	if second.turn != 1 {
		t.Errorf("turns are counted by round, not %d", second.turn)
	}
}

// Killed at any moment, a round goes on: what was answered is not asked again, and what was called has a result.
func TestKilledRoundsGoOn(t *testing.T) {
	for name, messages := range map[string][]llm.Message{
		"before the first answer": {llm.Say(llm.User, "do it")},
		"while tools ran":         {llm.Say(llm.User, "do it"), calls("edit", edit, "run", `{"command":"x"}`).Message},
		"after the last word":     {llm.Say(llm.User, "do it"), says("hm").Message},
	} {
		for _, feedback := range []string{"", "because"} {
			t.Run(name+feedback, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "s.json")
				if err := (conversation{Messages: messages}).save(file); err != nil {
					t.Fatal(err)
				}
				s := &script{answers: []llm.Response{calls("done", `{"summary":"ok"}`)}}
				last, _ := round(t, s, func(l *loop) { l.file, l.order.Resume, l.order.Feedback = file, true, feedback })
				if sent := s.asked[0].Messages; !last.Done || len(sent) < len(messages) || sent[0].Parts[0].Text != "do it" {
					t.Errorf("%+v: %+v", last, sent)
				}
			})
		}
	}
}

func TestDamagedConversationsBeginAnew(t *testing.T) {
	for _, text := range []string{"", "{", "null", `{"version":1}`, `{"version":99,"messages":[{"role":"user"}]}`, `{"version":1,"messages":[{"role":"assistant","parts":[{"text":"x"}]}]}`} {
		file := filepath.Join(t.TempDir(), "s.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := &script{answers: []llm.Response{calls("done", `{"summary":"ok"}`)}}
		if last, _ := round(t, s, func(l *loop) { l.file, l.order.Resume = file, true }); !last.Done || s.asked[0].Messages[0].Parts[0].Text != "do it" {
			t.Errorf("%q: %+v", text, last)
		}
	}
}

// However long a conversation, what is sent is well-formed, keeps its first and its latest messages, and shrinks.
func TestTrimming(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := conversation{Messages: []llm.Message{llm.Say(llm.User, "the task")}}
		for i := range rapid.IntRange(0, 40).Draw(t, "turns") {
			answer := llm.Message{Role: llm.Assistant}
			back := llm.Message{Role: llm.User}
			for j := range rapid.IntRange(1, 3).Draw(t, "calls") {
				id := fmt.Sprintf("%d-%d", i, j)
				in := `{"path":"a.go","new":"` + strings.Repeat("n", rapid.IntRange(0, 2000).Draw(t, "input")) + `"}`
				answer.Parts = append(answer.Parts, llm.Part{Call: &llm.Call{ID: id, Name: "edit", Input: json.RawMessage(in)}})
				back.Parts = append(back.Parts, llm.Part{Result: &llm.Result{ID: id, Text: strings.Repeat("r", rapid.IntRange(0, 3000).Draw(t, "result"))}})
			}
			c.Messages = append(c.Messages, answer, back)
		}
		whole, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		limit := rapid.IntRange(1000, 100_000).Draw(t, "limit")
		sent := c.trimmed(limit)
		wellFormed(t, sent)
		if len(sent) != len(c.Messages) || sent[0].Parts[0].Text != "the task" {
			t.Fatal("the task is gone")
		}
		old, total, latest := 0, 0, 0
		for i, m := range sent {
			total += size(m)
			old += size(c.Messages[i])
			if i >= len(sent)-recent {
				latest += size(c.Messages[i])
				if size(m) != size(c.Messages[i]) {
					t.Fatal("a recent message was cut")
				}
			}
			for _, p := range m.Parts {
				if p.Call != nil && !json.Valid(p.Call.Input) {
					t.Fatalf("a call's input is no JSON any more: %s", p.Call.Input)
				}
			}
		}
		if old <= limit && total != old || total > old {
			t.Fatalf("%d of %d bytes are sent, %d fit", total, old, limit)
		}
		if after, err := json.Marshal(c); err != nil || !bytes.Equal(after, whole) {
			t.Fatal("the conversation itself was changed")
		}
	})
}

// The agent prints what it likes: the outside believes none of it beyond its place.
func TestConclusionsAreTheOutsides(t *testing.T) {
	for _, c := range []struct {
		end  sandbox.Result
		last *event
		want fleet.Code
	}{
		{sandbox.Result{}, nil, fleet.CodeAgent},
		{sandbox.Result{ExitCode: 1}, &event{Done: true}, fleet.CodeAgent},
		{sandbox.Result{}, &event{Done: true, Code: fleet.CodeBudget}, fleet.CodeBudget},
		{sandbox.Result{}, &event{Code: fleet.CodeInternal}, fleet.CodeAgent},
		{sandbox.Result{}, &event{Code: "made up"}, fleet.CodeAgent},
		{sandbox.Result{}, &event{}, fleet.CodeAgent},
		{sandbox.Result{Ended: fleet.CodeMemory, ExitCode: 137}, &event{Done: true}, fleet.CodeMemory},
		{sandbox.Result{}, &event{Done: true, Text: strings.Repeat("x\x1b", 100_000), Turn: -5}, ""},
	} {
		r := conclude(c.end, c.last, "")
		if r.Code != c.want || r.Done != (c.want == "") || len(r.Message)+len(r.Summary) > 5000 || r.Turns < 0 || strings.Contains(r.Summary, "\x1b") {
			t.Errorf("%+v, %+v: %+v", c.end, c.last, r)
		}
	}
}

func FuzzInside(f *testing.F) {
	f.Add([]byte(`{"version":1,"messages":[{"role":"user","parts":[{"text":"x"}]},{"role":"assistant","parts":[{"call":{"id":"1","name":"run","input":{}}}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(t.TempDir(), "s.json")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := load(file)
		if err != nil {
			return
		}
		c.say(agent.GoOn)
		c.trimmed(1000)
		if err := c.save(file); err != nil {
			t.Fatal(err)
		}
	})
}
