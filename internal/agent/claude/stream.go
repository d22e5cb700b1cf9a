package claude

import (
	"encoding/json"
	"fmt"
	"strings"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

// event is what is read of an event. Everything else in it is for the log.
type event struct {
	Type     string   `json:"type"`
	Subtype  string   `json:"subtype"`
	IsError  bool     `json:"is_error"`
	Status   *int     `json:"api_error_status"`
	Terminal string   `json:"terminal_reason"`
	Turns    int      `json:"num_turns"`
	Result   string   `json:"result"`
	Errors   []string `json:"errors"`
	Message  struct {
		ID string `json:"id"`
	} `json:"message"`
}

// stream is what was heard of one run. The last result counts.
type stream struct {
	result   *event
	messages map[string]bool // answers of the model, by their ids
}

// maxMessages bounds what a hostile stream can make us keep.
const maxMessages = 100_000

func (s *stream) line(text []byte) {
	var e event
	if json.Unmarshal(text, &e) != nil { // a field of another type than it should be, or no JSON at all: not an event
		return
	}
	switch e.Type {
	case "assistant":
		if s.messages == nil {
			s.messages = map[string]bool{}
		}
		if len(e.Message.ID) <= 200 && len(s.messages) < maxMessages {
			s.messages[e.Message.ID] = true
		}
	case "result":
		s.result = &e
	}
}

// conclude says how the run ended. Done takes all of: an end of its own, exit status 0, a result event, and no sign of an
// error in it; subtype alone says "success" also when the API failed.
func (s *stream) conclude(end sandbox.Result, complaint string) agent.Result {
	if r, ended := agent.Ended(end); ended {
		return r
	}
	e := s.result
	if e == nil {
		return silent(end.ExitCode, complaint)
	}
	said := e.Result
	if said == "" {
		said = strings.Join(e.Errors[:min(len(e.Errors), 5)], "; ")
	}
	switch {
	case e.Subtype == "error_max_turns" || e.Terminal == "max_turns":
		return agent.Fail(fleet.CodeTurns, or(said, "not done within the limit of turns"))
	case strings.HasPrefix(e.Subtype, "error_max_budget"):
		return agent.Fail(fleet.CodeBudget, or(said, "the budget is used up"))
	case e.IsError && (e.Status != nil || e.Terminal == "api_error"):
		return agent.Fail(apiError(e.Status, said), or(said, "the model did not answer"))
	case e.IsError || e.Subtype != "success" || e.Terminal != "" && e.Terminal != "completed":
		return agent.Fail(fleet.CodeAgent, or(said, fmt.Sprintf("Claude Code ended with %s", or(e.Terminal, e.Subtype))))
	case end.ExitCode != 0:
		return agent.Fail(fleet.CodeAgent, fmt.Sprintf("Claude Code exited with %d: %s", end.ExitCode, or(complaint, said)))
	case e.Turns <= 0 || len(s.messages) == 0:
		return agent.Fail(fleet.CodeAgent, "Claude Code ended without having asked the model: "+said)
	}
	if why, ok := strings.CutPrefix(strings.TrimSpace(e.Result), outOfWords); ok {
		return agent.Fail(fleet.CodeAgentGaveUp, or(strings.TrimSpace(why), "it gave no reason"))
	}
	return agent.Result{Done: true, Summary: agent.Summary(e.Result)}
}

// silent is the end of a run without a result event: it was killed, or did not start.
func silent(exit int, complaint string) agent.Result {
	switch {
	case exit == 127 || exit == 126:
		return agent.Fail(fleet.CodeAgentMissing, fmt.Sprintf("Claude Code does not start inside the sandbox: %s", or(complaint, "no reason given")))
	case exit > 128:
		return agent.Fail(fleet.CodeAgent, fmt.Sprintf("Claude Code was killed by signal %d", exit-128))
	}
	return agent.Fail(fleet.CodeAgent, fmt.Sprintf("Claude Code ended with status %d and without a result: %s", exit, or(complaint, "it said nothing")))
}

// apiError sorts the ways in which the model's endpoint refuses. The gateway refuses with 400 what the budget does not
// allow, since anything else would be tried again.
func apiError(status *int, said string) fleet.Code {
	if status == nil {
		return fleet.CodeModel
	}
	switch *status {
	case 429, 503, 529:
		return fleet.CodeModelBusy
	case 400, 402:
		if *status == 402 || strings.Contains(strings.ToLower(said), "budget") {
			return fleet.CodeBudget
		}
	}
	return fleet.CodeModel
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
