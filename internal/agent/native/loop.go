package native

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
	"gaggle/internal/llm"
)

// loop is one round: ask the model, do what it wants, until it ends the work or a bound ends it.
type loop struct {
	client llm.Client
	order  order
	tools  *tools
	out    *printer
	file   string
	conv   conversation
	turn   int
	urged  bool // the model was asked once to verify before it is done
}

// Bounds of nonsense: answers in a row without a call that makes sense.
const maxIdle = 4

func (l *loop) run(ctx context.Context) error {
	if err := l.begin(); err != nil {
		return err
	}
	idle, tight := 0, false
	for l.turn < l.order.Turns {
		l.turn++
		limit := l.order.Context
		if tight {
			limit /= 2
		}
		res, err := l.client.Complete(ctx, llm.Request{Model: l.order.Model, System: l.order.Rules, Messages: l.conv.trimmed(limit),
			Tools: l.tools.offered(), MaxTokens: l.order.MaxReply, Cache: true})
		if err != nil {
			if !tight && tooLong(err) {
				tight = true
				l.turn--
				continue
			}
			return l.end(event{Code: codeOf(err), Text: err.Error()})
		}
		calls := res.Calls()
		if err := l.out.print(event{Type: "turn", Turn: l.turn, Text: short(res.Text(), 2000)}); err != nil {
			return err
		}
		if len(res.Message.Parts) == 0 {
			res.Message.Parts = []llm.Part{{Text: "(nothing)"}} // an empty message would be refused when it is sent back
		}
		l.conv.Messages = append(l.conv.Messages, res.Message)
		if len(calls) == 0 {
			if idle++; idle >= maxIdle {
				return l.end(event{Code: fleet.CodeModel, Text: "the model does not use the tools that it is given: " + res.Text()})
			}
			l.conv.say(nudge(res.Stop))
			if err := l.keep(); err != nil {
				return err
			}
			continue
		}
		if err := l.keep(); err != nil { // before anything is done: a kill now must not do it twice unawares
			return err
		}
		last, sense, err := l.do(ctx, calls)
		if err != nil {
			return err
		}
		if last != nil {
			return l.end(*last)
		}
		if idle++; sense {
			idle = 0
		}
		if idle >= maxIdle {
			return l.end(event{Code: fleet.CodeModel, Text: "the model calls tools in ways that make no sense"})
		}
	}
	return l.end(event{Code: fleet.CodeTurns, Text: fmt.Sprintf("not done within %d turns", l.order.Turns)})
}

// begin takes the conversation up, or starts it.
func (l *loop) begin() error {
	if l.order.Resume {
		c, err := load(l.file)
		if err == nil {
			l.conv, l.tools.dirty = c, c.Dirty
			words := l.order.Feedback
			if words == "" {
				words = agent.GoOn
			}
			l.conv.say(words)
			return l.keep()
		}
		if err := l.out.print(event{Type: "note", Text: "the conversation is lost and begins anew: " + err.Error()}); err != nil {
			return err
		}
		l.tools.dirty = true
	}
	l.conv = conversation{}
	l.conv.say(l.order.Ask)
	return l.keep()
}

func (l *loop) keep() error {
	l.conv.Dirty = l.tools.dirty
	if err := l.conv.save(l.file); err != nil {
		return fmt.Errorf("the conversation cannot be kept: %w", err)
	}
	return nil
}

// do runs the calls of one answer and adds their results. It returns the last event when one of them ended the work, and
// whether any call made sense.
func (l *loop) do(ctx context.Context, calls []llm.Call) (last *event, sense bool, err error) {
	var parts []llm.Part
	for _, c := range calls {
		text, end, failed := "", (*ending)(nil), error(nil)
		if last != nil {
			text = "not run: the work was ended"
		} else {
			text, end, failed = l.tools.call(ctx, c)
		}
		if failed != nil {
			text = failed.Error()
		}
		if end != nil {
			text = "ended"
			switch {
			case end.done && l.tools.dirty && len(l.tools.verify) > 0 && !l.urged:
				l.urged = true
				text, failed = "Not yet: files may have changed since the verifiers last passed. Call verify first; then call done again.", errUrged
			case end.done:
				last = &event{Done: true, Text: end.text}
			default:
				last = &event{Code: fleet.CodeAgentGaveUp, Text: end.text}
			}
		}
		sense = sense || !errors.Is(failed, errMisused)
		text = validText(text)
		if err := l.out.print(event{Type: "tool", Turn: l.turn, Tool: c.Name, Failed: failed != nil, Text: short(describe(c)+" -> "+text, 500)}); err != nil {
			return nil, false, err
		}
		parts = append(parts, llm.Part{Result: &llm.Result{ID: c.ID, Text: text, Failed: failed != nil}})
	}
	if left := l.order.Turns - l.turn; last == nil && left > 0 && left <= 3 {
		parts[len(parts)-1].Result.Text += fmt.Sprintf("\n(Only %d more answers of yours will be read: bring the work to an end.)", left)
	}
	l.conv.Messages = append(l.conv.Messages, llm.Message{Role: llm.User, Parts: parts})
	return last, sense, l.keep()
}

var errUrged = errors.New("not verified")

// end prints the result.
func (l *loop) end(e event) error {
	e.Type, e.Turn, e.Session = "result", l.turn, l.order.Session
	e.Text = short(e.Text, 8000)
	return l.out.print(e)
}

func describe(c llm.Call) string {
	return short(strings.Join(strings.Fields(string(c.Input)), " "), 200)
}

func nudge(stop llm.Stop) string {
	switch stop {
	case llm.StopLength:
		return "Your answer was longer than what fits and was cut off. Make smaller steps, and call a tool."
	case llm.StopRefused:
		return "Go on with the change, or call give_up and say why."
	}
	return "Nobody reads text. Call a tool; when the work is finished call done, and when it cannot be done call give_up."
}

// tooLong reports whether a provider refused a conversation for its length.
func tooLong(err error) bool {
	text := strings.ToLower(err.Error())
	for _, sign := range []string{"too long", "context length", "context_length", "context window", "maximum context", "too many tokens"} {
		if strings.Contains(text, sign) {
			return codeOf(err) == fleet.CodeInvalid || codeOf(err) == fleet.CodeModel
		}
	}
	return false
}
