package agent

import (
	"context"
	"io"
	"maps"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

// Agent edits code. It may be used by several goroutines at once.
type Agent interface {
	// Name is the word in campaign files: "script", "native", "claude".
	Name() string
	// Version names what exactly would run, so that results can be remembered by it. Its error is agent_missing or
	// not_supported, with the mend in its hint.
	Version(ctx context.Context) (string, error)
	// Run does one round. The error is for a broken machine and for ctx that ended, and the Result then holds the session if
	// there is one; whatever went wrong inside the box is the agent's own failure and stands in the Result.
	Run(ctx context.Context, box Box, task Task) (Result, error)
}

// Task is what one round is to do.
type Task struct {
	Campaign  string
	Target    string // reference of the component
	Component fleet.Component
	Prompt    string            // what to change; may be empty for a script
	Script    Script            // for the script agent
	Paths     []string          // globs relative to Dir that may be changed; none: all
	Dir       string            // inside the sandbox: sandbox.WorkDir or the component's folder below it. Defaults to the former
	Verify    []string          // a command that runs the component's verifiers inside; none: the agent has none
	Env       map[string]string // the campaign's plain values
	Model     string
	Turns     int    // of the model, in this round. Defaults to DefaultTurns
	Round     int    // 1-based
	Session   string // what the last Result said, to go on in the same conversation; "" begins one
	Feedback  string // why the last round was not good enough; "" when there was none
}

// Script is a program that makes the change.
type Script struct {
	Name    string // for messages
	Content []byte // begins with #! or is read by sh
}

// DefaultTurns is how often the model is asked in a round that does not say.
const DefaultTurns = 40

// Box is where one attempt runs. The engine fills it; drivers add the command and what it needs to see.
type Box struct {
	Sandbox sandbox.Sandbox
	Spec    sandbox.Spec // Work, Home, Door, Mounts, Env, Limits. Home is kept between the rounds of an attempt
	Scratch string       // host folder for a driver's own files, out of the agent's reach, removed after the attempt
	Log     io.Writer    // takes what the agent prints, as it comes, one write at a time. Nil discards
}

// Result is how a round ended.
type Result struct {
	Done    bool       // the agent says that it is done, whatever that is worth
	Code    fleet.Code // why not; "" when Done
	Message string     // one sentence for people about Code
	Summary string     // what the agent says it did
	Session string     // to be put into the next Task; "" when the agent keeps none
	Turns   int        // of the model, as the agent counts them; 0 when it does not
}

// For returns a copy of the box's spec to run argv for a task: in the task's folder, with the campaign's environment.
func (b Box) For(task Task, argv []string, env map[string]string) sandbox.Spec {
	spec := b.Spec
	spec.Argv, spec.Dir = argv, task.Folder()
	spec.Env = map[string]string{}
	maps.Copy(spec.Env, b.Spec.Env)
	maps.Copy(spec.Env, task.Env)
	maps.Copy(spec.Env, env)
	spec.Mounts = append([]sandbox.Mount(nil), b.Spec.Mounts...)
	return spec
}

// Outputs returns writers for a run's stdout and stderr: each goes to Log, one write at a time, and to the driver's own.
func (b Box) Outputs(out, err io.Writer) (stdout, stderr io.Writer) {
	if b.Log == nil {
		return out, err
	}
	log := &locked{w: b.Log}
	return io.MultiWriter(log, out), io.MultiWriter(log, err)
}

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// Folder returns Dir or its default.
func (t Task) Folder() string {
	if t.Dir == "" {
		return sandbox.WorkDir
	}
	return t.Dir
}

// Limit returns Turns or its default.
func (t Task) Limit() int {
	if t.Turns <= 0 {
		return DefaultTurns
	}
	return t.Turns
}

// Fail makes the Result of a round that failed.
func Fail(code fleet.Code, message string) Result {
	return Result{Code: code, Message: Printable(message, maxMessage)}
}

// Ended says what a run that the sandbox ended means for the round. It reports false when the command ended by itself.
func Ended(r sandbox.Result) (Result, bool) {
	switch r.Ended {
	case "":
		return Result{}, false
	case fleet.CodeTimeout:
		return Fail(r.Ended, "the agent was stopped at its time limit, after "+r.Wall.Round(time.Second).String()), true
	case fleet.CodeMemory:
		return Fail(r.Ended, "the agent needed more memory than its limit"), true
	case fleet.CodeProcesses:
		return Fail(r.Ended, "the agent started more processes than its limit"), true
	case fleet.CodeDiskLimit:
		return Fail(r.Ended, "the agent wrote more to disk than its limit"), true
	case fleet.CodeOutputLimit:
		return Fail(r.Ended, "the agent printed more than its limit"), true
	}
	return Fail(r.Ended, "the sandbox ended the agent"), true
}
