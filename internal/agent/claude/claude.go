package claude

import (
	"context"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

// Config says which program is run, and how.
type Config struct {
	Program    string // path or name of Claude Code. Defaults to "claude" on PATH
	Upstream   string // the gateway's name for the endpoint. Defaults to "anthropic"
	Model      string // for tasks that name none; "" leaves it to Claude Code
	AnyVersion bool   // run versions too whose behaviour is not known
}

// Agent drives Claude Code. It is safe for concurrent use.
type Agent struct {
	cfg     Config
	version memo
}

var _ agent.Agent = (*Agent)(nil)

// New makes an Agent. Whether the program is there turns out in Version and Run.
func New(c Config) *Agent {
	if c.Program == "" {
		c.Program = "claude"
	}
	if c.Upstream == "" {
		c.Upstream = "anthropic"
	}
	return &Agent{cfg: c}
}

// Name implements agent.Agent.
func (*Agent) Name() string { return "claude" }

// tools are those that a change needs: no web, no further agents, no schedules, no messages.
const tools = "Bash,Edit,Glob,Grep,Read,Write"

// outOfWords is how Claude Code says that it cannot do it; its stream has no event for that.
const outOfWords = "I give up:"

const further = `
Work with your tools until the end state is reached; then end with a few sentences on what you changed and what you left. When the
change cannot be made here, end with a message that begins with the words "` + outOfWords + `" and says why.`

// Run implements agent.Agent.
func (a *Agent) Run(ctx context.Context, box agent.Box, task agent.Task) (agent.Result, error) {
	if box.Spec.Door == "" || box.Spec.Home == "" {
		return agent.Result{}, &fleet.Error{Code: fleet.CodeInternal, Message: "Claude Code needs a door to the gateway and a home that is kept"}
	}
	if task.Session != "" && uuid.Validate(task.Session) != nil {
		return agent.Result{}, fleet.Errorf(fleet.CodeInvalid, "%q is not a session of Claude Code", task.Session)
	}
	p, err := locate(a.cfg.Program)
	if err != nil {
		return agent.Result{}, err
	}
	guidance, err := agent.Guidance(box.Spec.Work, task.Component.Path)
	if err != nil {
		return agent.Result{}, err
	}
	session, words, resume := task.Session, task.Feedback, task.Session != "" && known(box.Spec.Home, task.Session)
	switch {
	case !resume:
		session, words = uuid.NewString(), agent.Instructions(task)
	case words == "":
		words = agent.GoOn
	default: // what begins with a slash would be taken for a command, and quietly do nothing
		words = "The change is not accepted yet.\n\n" + words
	}
	model := task.Model
	if model == "" {
		model = a.cfg.Model
	}
	spec := box.For(task, arguments(p.inside, session, resume, model, task.Limit(), agent.Rules+"\n"+further+"\n\n"+guidance), a.environment())
	spec.Mounts = append(spec.Mounts, sandbox.Mount{Host: p.mount, Inside: p.at})
	spec.Stdin = strings.NewReader(words)
	heard := &stream{}
	events, complaint := &agent.Lines{Each: heard.line}, &agent.Tail{Max: 4000}
	spec.Stdout, spec.Stderr = box.Outputs(events, complaint)
	end, err := box.Sandbox.Run(ctx, spec)
	if err != nil {
		return agent.Result{Session: session}, err
	}
	events.Flush()
	r := heard.conclude(end, complaint.LastLine())
	r.Session, r.Turns = session, len(heard.messages)
	return r, nil
}

func arguments(program, session string, resume bool, model string, turns int, system string) []string {
	argv := []string{program, "-p", "--output-format", "stream-json", "--verbose", "--permission-mode", "bypassPermissions",
		"--setting-sources", "user", "--strict-mcp-config", "--mcp-config", `{"mcpServers":{}}`, "--disable-slash-commands",
		"--tools", tools, "--max-turns", strconv.Itoa(turns), "--append-system-prompt", system}
	if model != "" {
		argv = append(argv, "--model", model)
	}
	if resume {
		return append(argv, "--resume", session)
	}
	return append(argv, "--session-id", session)
}

// environment is all that Claude Code gets beside the sandbox's own. The key is made up: the gateway adds the real one.
func (a *Agent) environment() map[string]string {
	return map[string]string{
		"ANTHROPIC_API_KEY": "gateway", "ANTHROPIC_BASE_URL": sandbox.DoorURL + "/" + a.cfg.Upstream,
		"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_MAX_RETRIES": "2",
		"IS_SANDBOX": "1", // without it, root may not do without permissions
	}
}

// known reports whether a home holds the session. Without it Claude Code would refuse to resume.
func known(home, session string) bool {
	root, err := os.OpenRoot(home)
	if err != nil {
		return false
	}
	defer root.Close()
	found, err := fs.Glob(root.FS(), ".claude/projects/*/"+session+".jsonl")
	return err == nil && len(found) > 0
}
