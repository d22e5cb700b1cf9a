package script

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

// Agent runs scripts. The zero value works.
type Agent struct{}

var _ agent.Agent = Agent{}

// dir is where the script and its two files are seen inside.
const dir = "/srv/change"

// Name implements agent.Agent.
func (Agent) Name() string { return "script" }

// Version implements agent.Agent. It names this driver; which script runs is the campaign's own matter.
func (Agent) Version(context.Context) (string, error) { return "1", nil }

// about is what GAGGLE_COMPONENT_FILE holds.
type about struct {
	Campaign  string          `json:"campaign"`
	Target    string          `json:"target"`
	Component fleet.Component `json:"component"`
	Path      string          `json:"path"` // of the component's folder in its repository
	Prompt    string          `json:"prompt,omitempty"`
	Paths     []string        `json:"paths,omitempty"`
	Round     int             `json:"round"`
	Feedback  string          `json:"feedback,omitempty"`
}

// Run implements agent.Agent.
func (Agent) Run(ctx context.Context, box agent.Box, task agent.Task) (agent.Result, error) {
	if len(task.Script.Content) == 0 {
		return agent.Result{}, &fleet.Error{Code: fleet.CodeInvalid, Message: "the campaign has no script", Hint: "set change.script or change.run"}
	}
	files, err := os.MkdirTemp(box.Scratch, "script-")
	if err != nil {
		return agent.Result{}, fleet.Errorf(fleet.CodeInternal, "the script could not be prepared: %w", err)
	}
	defer os.RemoveAll(files)
	if err := prepare(files, task); err != nil {
		return agent.Result{}, err
	}
	spec := box.For(task, command(task.Script.Content), environment(task))
	spec.Mounts = append(spec.Mounts, sandbox.Mount{Host: files, Inside: dir})
	said, failed := &agent.Tail{Max: 4000}, &agent.Tail{Max: 4000}
	spec.Stdout, spec.Stderr = box.Outputs(said, failed)
	end, err := box.Sandbox.Run(ctx, spec)
	if err != nil {
		return agent.Result{}, err
	}
	if r, ended := agent.Ended(end); ended {
		return r, nil
	}
	if end.ExitCode != 0 {
		why := failed.LastLine()
		if why == "" {
			why = said.LastLine()
		}
		if why == "" {
			why = "it printed nothing"
		}
		return agent.Fail(fleet.CodeAgent, fmt.Sprintf("%s exited with %d: %s", name(task), end.ExitCode, why)), nil
	}
	return agent.Result{Done: true, Summary: agent.Summary(said.String())}, nil
}

// command starts a script through its interpreter, never the file itself: while another attempt's process is being
// forked, a file that was just written may still be open for writing there, and then Linux refuses to start it.
func command(content []byte) []string {
	const file = dir + "/script"
	if bytes.HasPrefix(content, []byte("\x7fELF")) {
		return []string{file}
	}
	line, _, _ := bytes.Cut(content, []byte("\n"))
	interpreter, ok := strings.CutPrefix(string(line), "#!")
	if interpreter = strings.TrimSpace(interpreter); !ok || interpreter == "" {
		return []string{"sh", file}
	}
	program, argument, more := strings.Cut(interpreter, " ")
	if argument = strings.TrimSpace(argument); more && argument != "" {
		return []string{program, argument, file}
	}
	return []string{program, file}
}

func name(task agent.Task) string {
	if task.Script.Name != "" {
		return task.Script.Name
	}
	return "the script"
}

// prepare writes the script and its files where the sandbox will show them, readable by whoever runs inside.
func prepare(files string, task agent.Task) error {
	text, err := json.MarshalIndent(about{Campaign: task.Campaign, Target: task.Target, Component: task.Component, Path: folder(task),
		Prompt: task.Prompt, Paths: task.Paths, Round: task.Round, Feedback: task.Feedback}, "", "  ")
	if err != nil {
		return fleet.Errorf(fleet.CodeInternal, "the component could not be described: %w", err)
	}
	for _, f := range []struct {
		name string
		data []byte
		mode os.FileMode
	}{{"script", task.Script.Content, 0o755}, {"component.json", append(text, '\n'), 0o644}, {"feedback.txt", []byte(task.Feedback), 0o644}} {
		if err := os.WriteFile(filepath.Join(files, f.name), f.data, f.mode); err != nil {
			return fleet.Errorf(fleet.CodeInternal, "the script could not be prepared: %w", err)
		}
	}
	return nil
}

func environment(task agent.Task) map[string]string {
	return map[string]string{
		"GAGGLE_CAMPAIGN": task.Campaign, "GAGGLE_COMPONENT": task.Target, "GAGGLE_NAME": task.Component.Name, "GAGGLE_OWNER": task.Component.Owner,
		"GAGGLE_LANGUAGE": task.Component.Language, "GAGGLE_REPOSITORY": task.Component.Repository, "GAGGLE_PATH": folder(task),
		"GAGGLE_ROOT": sandbox.WorkDir, "GAGGLE_ROUND": strconv.Itoa(max(task.Round, 1)),
		"GAGGLE_COMPONENT_FILE": dir + "/component.json", "GAGGLE_FEEDBACK_FILE": dir + "/feedback.txt",
	}
}

func folder(task agent.Task) string {
	if task.Component.Path == "" {
		return "."
	}
	return task.Component.Path
}
