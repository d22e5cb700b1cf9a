package native

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
	"gaggle/internal/llm/wire"
	"gaggle/internal/sandbox"
)

// Config says how the model is spoken to.
type Config struct {
	Format   wire.Format // wire.Messages or wire.Chat. Defaults to the former
	Upstream string      // the gateway's name for the endpoint. Defaults to "anthropic" or "openai", as the format wants
	Model    string      // for tasks that name none
	Context  int         // bytes of conversation that are sent at most; older tool results are left out. Defaults to 400,000
	MaxReply int64       // tokens of one answer. Defaults to 16,000
}

// Agent is the outside half. It is safe for concurrent use.
type Agent struct{ cfg Config }

var _ agent.Agent = (*Agent)(nil)

// version names the loop; it changes when the loop does. Remembered results hang on it.
const version = "1"

// New makes an Agent.
func New(c Config) (*Agent, error) {
	if c.Format == "" {
		c.Format = wire.Messages
	}
	switch c.Format {
	case wire.Messages, wire.Chat:
	default:
		return nil, fleet.Errorf(fleet.CodeUnsupported, "the native agent does not speak %q", c.Format)
	}
	if c.Upstream == "" {
		c.Upstream = map[wire.Format]string{wire.Messages: "anthropic", wire.Chat: "openai"}[c.Format]
	}
	if c.Context <= 0 {
		c.Context = 400_000
	}
	if c.MaxReply <= 0 {
		c.MaxReply = 16_000
	}
	return &Agent{c}, nil
}

// Name implements agent.Agent.
func (*Agent) Name() string { return "native" }

// Version implements agent.Agent: the loop, the wire format, and a fingerprint of what the model is told.
func (a *Agent) Version(context.Context) (string, error) {
	told, err := json.Marshal((&tools{verify: []string{""}}).offered())
	if err != nil {
		return "", fleet.Errorf(fleet.CodeInternal, "the tools cannot be written: %w", err)
	}
	return version + "+" + string(a.cfg.Format) + "." + agent.Fingerprint(toolRules, string(told)), nil
}

// order is what the inside half is told, on its standard input.
type order struct {
	Session  string      `json:"session"`
	Resume   bool        `json:"resume"`
	Format   wire.Format `json:"format"`
	Model    string      `json:"model"`
	Ask      string      `json:"ask"`   // the first message
	Rules    string      `json:"rules"` // the system prompt
	Feedback string      `json:"feedback"`
	Turns    int         `json:"turns"`
	Context  int         `json:"context"`
	MaxReply int64       `json:"maxReply"`
	Verify   bool        `json:"verify"`
}

// event is one line of what the inside half prints.
type event struct {
	Type    string     `json:"type"` // "turn", "tool", "note", "result"
	Turn    int        `json:"turn,omitempty"`
	Text    string     `json:"text,omitempty"`
	Tool    string     `json:"tool,omitempty"`
	Failed  bool       `json:"failed,omitempty"`
	Done    bool       `json:"done,omitempty"`
	Code    fleet.Code `json:"code,omitempty"`
	Session string     `json:"session,omitempty"`
}

var sessionName = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Run implements agent.Agent.
func (a *Agent) Run(ctx context.Context, box agent.Box, task agent.Task) (agent.Result, error) {
	model := task.Model
	if model == "" {
		model = a.cfg.Model
	}
	switch {
	case model == "":
		return agent.Result{}, &fleet.Error{Code: fleet.CodeInvalid, Message: "the native agent has no model", Hint: "set change.model in the campaign"}
	case box.Spec.Door == "":
		return agent.Result{}, &fleet.Error{Code: fleet.CodeInternal, Message: "the native agent has no door to the gateway"}
	case task.Session != "" && !sessionName.MatchString(task.Session):
		return agent.Result{}, fleet.Errorf(fleet.CodeInvalid, "%q is not a session of the native agent", task.Session)
	}
	guidance, err := agent.Guidance(box.Spec.Work, task.Component.Path)
	if err != nil {
		return agent.Result{}, err
	}
	o := order{Session: task.Session, Resume: task.Session != "", Format: a.cfg.Format, Model: model, Ask: agent.Instructions(task), Rules: agent.Rules + "\n\n" + toolRules,
		Feedback: task.Feedback, Turns: task.Limit(), Context: a.cfg.Context, MaxReply: a.cfg.MaxReply, Verify: len(task.Verify) > 0}
	if guidance != "" {
		o.Rules += "\n\n" + guidance
	}
	if o.Session == "" {
		var b [16]byte
		if _, err := rand.Read(b[:]); err != nil {
			return agent.Result{}, fleet.Errorf(fleet.CodeInternal, "no random numbers: %w", err)
		}
		o.Session = hex.EncodeToString(b[:])
	}
	text, err := json.Marshal(o)
	if err != nil {
		return agent.Result{}, fleet.Errorf(fleet.CodeInternal, "the task cannot be written: %w", err)
	}
	// Paths and the address stand in the arguments, where the sandbox that has no mounts finds and rewrites them.
	base := sandbox.DoorURL + "/" + a.cfg.Upstream
	if a.cfg.Format == wire.Chat {
		base += "/v1"
	}
	spec := box.For(task, append([]string{sandbox.Self, marker, sandbox.WorkDir, task.Folder(), sandbox.HomeDir, base}, task.Verify...), nil)
	spec.Stdin = bytes.NewReader(text)
	var last *event
	events := &agent.Lines{Max: 1 << 20, Each: func(line []byte) {
		var e event
		if json.Unmarshal(line, &e) == nil && e.Type == "result" {
			last = &e
		}
	}}
	complaint := &agent.Tail{Max: 4000}
	spec.Stdout, spec.Stderr = box.Outputs(events, complaint)
	end, err := box.Sandbox.Run(ctx, spec)
	if err != nil {
		return agent.Result{Session: o.Session}, err
	}
	events.Flush()
	r := conclude(end, last, complaint.LastLine())
	r.Session = o.Session
	return r, nil
}

// conclude turns an end and the last words into a result. Done takes all of: exit status 0, a result, no code in it.
func conclude(end sandbox.Result, last *event, complaint string) agent.Result {
	if r, ended := agent.Ended(end); ended {
		return r
	}
	switch {
	case last == nil && complaint != "":
		return agent.Fail(fleet.CodeAgent, fmt.Sprintf("the agent ended with status %d and without a result: %s", end.ExitCode, complaint))
	case last == nil:
		return agent.Fail(fleet.CodeAgent, fmt.Sprintf("the agent ended with status %d and without a result", end.ExitCode))
	case !last.Done || last.Code != "" || end.ExitCode != 0:
		code := last.Code
		switch code {
		case fleet.CodeAgentGaveUp, fleet.CodeTurns, fleet.CodeBudget, fleet.CodePolicy, fleet.CodeModel, fleet.CodeModelBusy, fleet.CodeInvalid:
		default: // it has no say in anything else
			code = fleet.CodeAgent
		}
		r := agent.Fail(code, last.Text)
		r.Turns = bounded(last.Turn)
		return r
	}
	return agent.Result{Done: true, Summary: agent.Summary(last.Text), Turns: bounded(last.Turn)}
}

func bounded(n int) int { return min(max(n, 0), 1_000_000) }
