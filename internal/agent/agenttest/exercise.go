package agenttest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

// Harness is one driver and what it needs.
type Harness struct {
	Agent   agent.Agent
	Sandbox sandbox.Sandbox
	Env     map[string]string // for the box

	// Door serves a model on a unix socket until the test ends, with the faults given ("", "hang", "429:*", …), and
	// returns the socket. Nil for drivers that speak to no model.
	Door func(t *testing.T, faults string) string
	// Replace makes a task that replaces a text in all files. Nil: a prompt does.
	Replace func(from, to string) agent.Task
	// Impossible makes a task that the driver cannot do.
	Impossible agent.Task
	// Hangs makes a task that does not end by itself. Drivers with a Door may leave it empty: the model hangs.
	Hangs agent.Task
	// Sessions is set for drivers that go on in the same conversation.
	Sessions bool
}

// Try is one attempt: a tree, a home and a box around them.
type Try struct {
	H    Harness
	Box  agent.Box
	Work string
	Log  *Log
}

// Log is a log that may be written and read at once.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns what was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// NewTry makes a tree of files and a box for it. With a model, faults says what goes wrong with it.
func (h Harness) NewTry(t *testing.T, files map[string]string, faults string) *Try {
	t.Helper()
	base := t.TempDir()
	try := &Try{H: h, Work: filepath.Join(base, "tree"), Log: &Log{}}
	home, scratch := filepath.Join(base, "home"), filepath.Join(base, "scratch")
	for _, dir := range []string{try.Work, home, scratch} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		p := filepath.Join(try.Work, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	try.Box = agent.Box{Sandbox: h.Sandbox, Scratch: scratch, Log: try.Log,
		Spec: sandbox.Spec{Work: try.Work, Home: home, Env: h.Env, Limits: sandbox.Limits{Wall: 2 * time.Minute}}}
	if h.Door != nil {
		try.Box.Spec.Door = h.Door(t, faults)
	}
	return try
}

// Run runs a round and fails the test when the machine is broken.
func (try *Try) Run(t *testing.T, task agent.Task) agent.Result {
	t.Helper()
	r, err := try.H.Agent.Run(t.Context(), try.Box, task)
	if err != nil {
		t.Fatalf("%s: %v\n%s", try.H.Agent.Name(), err, try.Log)
	}
	if r.Done != (r.Code == "") {
		t.Fatalf("%s: a result must be done or have a code: %+v", try.H.Agent.Name(), r)
	}
	return r
}

// Read returns a file of the tree.
func (try *Try) Read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(try.Work, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Files returns the whole tree, without .git.
func (try *Try) Files(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(try.Work), ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(p, ".git/") {
			return err
		}
		files[p] = try.Read(t, p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Task completes a task with what every task has.
func Task(task agent.Task) agent.Task {
	task.Campaign, task.Target, task.Round = "conformance", "component:default/pond", max(task.Round, 1)
	task.Component = fleet.Component{Ref: task.Target, Kind: "Component", Namespace: "default", Name: "pond", Path: "."}
	if task.Model == "" {
		task.Model = "rules"
	}
	return task
}

func (h Harness) replace(from, to string) agent.Task {
	if h.Replace != nil {
		return Task(h.Replace(from, to))
	}
	return Task(agent.Task{Prompt: "Replace `" + from + "` with `" + to + "`."})
}

// Exercise runs the suite.
func Exercise(t *testing.T, h Harness) {
	files := map[string]string{"a.txt": "the old-word stands here\nand here: old-word\n", "sub/b.txt": "old-word\n", "c.txt": "nothing\n"}

	t.Run("names itself", func(t *testing.T) {
		one, err := h.Agent.Version(t.Context())
		if err != nil || one == "" || h.Agent.Name() == "" {
			t.Fatalf("name %q, version %q, %v", h.Agent.Name(), one, err)
		}
		if two, err := h.Agent.Version(t.Context()); err != nil || two != one {
			t.Errorf("the version changed from %q to %q, %v", one, two, err)
		}
	})
	t.Run("makes the change", func(t *testing.T) {
		try := h.NewTry(t, files, "")
		if r := try.Run(t, h.replace("old-word", "new-word")); !r.Done {
			t.Fatalf("%+v\n%s", r, try.Log)
		}
		if got := try.Read(t, "a.txt") + try.Read(t, "sub/b.txt"); got != "the new-word stands here\nand here: new-word\nnew-word\n" {
			t.Errorf("it left %q\n%s", got, try.Log)
		}
		if try.Read(t, "c.txt") != "nothing\n" {
			t.Error("it changed what it was not asked to")
		}
	})
	t.Run("leaves alone what needs no change", func(t *testing.T) {
		try := h.NewTry(t, map[string]string{"c.txt": "nothing\n"}, "")
		if r := try.Run(t, h.replace("old-word", "new-word")); !r.Done {
			t.Fatalf("%+v\n%s", r, try.Log)
		}
		if got := try.Files(t); len(got) != 1 || got["c.txt"] != "nothing\n" {
			t.Errorf("it left %v", got)
		}
	})
	t.Run("says that it cannot", func(t *testing.T) {
		try := h.NewTry(t, files, "")
		if r := try.Run(t, Task(h.Impossible)); r.Done || r.Message == "" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("works in the component's folder", func(t *testing.T) {
		try := h.NewTry(t, files, "")
		task := h.replace("old-word", "new-word")
		task.Dir, task.Component.Path = sandbox.WorkDir+"/sub", "sub"
		if r := try.Run(t, task); !r.Done {
			t.Fatalf("%+v\n%s", r, try.Log)
		}
		if try.Read(t, "sub/b.txt") != "new-word\n" || try.Read(t, "a.txt") != files["a.txt"] {
			t.Errorf("it left %v\n%s", try.Files(t), try.Log)
		}
	})
	t.Run("ends at the time limit", func(t *testing.T) {
		try := h.NewTry(t, files, "hang:*")
		try.Box.Spec.Limits.Wall = 3 * time.Second
		task := Task(h.Hangs)
		if h.Hangs.Prompt == "" && h.Hangs.Script.Content == nil {
			task = h.replace("old-word", "new-word")
		}
		if r := try.Run(t, task); r.Code != fleet.CodeTimeout {
			t.Errorf("%+v\n%s", r, try.Log)
		}
	})
	t.Run("ends when it is cancelled", func(t *testing.T) {
		try := h.NewTry(t, files, "hang:*")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if r, err := h.Agent.Run(ctx, try.Box, h.replace("old-word", "new-word")); !errors.Is(err, context.Canceled) {
			t.Errorf("%+v, %v", r, err)
		}
	})
	t.Run("works on several trees at once", func(t *testing.T) {
		tries := []*Try{h.NewTry(t, files, ""), h.NewTry(t, files, ""), h.NewTry(t, files, "")}
		results := make([]agent.Result, len(tries))
		var wg sync.WaitGroup
		for i, try := range tries {
			wg.Go(func() { results[i], _ = h.Agent.Run(t.Context(), try.Box, h.replace("old-word", "new-word")) })
		}
		wg.Wait()
		for i, try := range tries {
			if !results[i].Done || try.Read(t, "sub/b.txt") != "new-word\n" {
				t.Errorf("%d: %+v\n%s", i, results[i], try.Log)
			}
		}
	})
	if h.Sessions {
		sessions(t, h, files)
	}
	if h.Door != nil {
		models(t, h, files)
	}
}

// sessions is for drivers that go on in the same conversation.
func sessions(t *testing.T, h Harness, files map[string]string) {
	t.Run("goes on with feedback", func(t *testing.T) {
		try := h.NewTry(t, files, "")
		task := h.replace("old-word", "new-word")
		first := try.Run(t, task)
		if !first.Done || first.Session == "" {
			t.Fatalf("%+v\n%s", first, try.Log)
		}
		// A guard objects to one file: the same conversation must put that one back and leave the rest.
		task.Session, task.Round = first.Session, 2
		task.Feedback = agent.Feedback(fleet.Report{}, []fleet.Finding{{Rule: "out-of-scope", File: "sub/b.txt", Line: 1, Message: "sub is not yours"}}, nil)
		second := try.Run(t, task)
		if !second.Done || second.Session == "" {
			t.Fatalf("%+v\n%s", second, try.Log)
		}
		if try.Read(t, "sub/b.txt") != "old-word\n" || strings.Contains(try.Read(t, "a.txt"), "old-word") {
			t.Errorf("it left %v\n%s", try.Files(t), try.Log)
		}
	})
	t.Run("goes on after its home is lost", func(t *testing.T) {
		try := h.NewTry(t, files, "")
		task := h.replace("old-word", "new-word")
		first := try.Run(t, task)
		try.Box.Spec.Home = t.TempDir()
		if err := os.WriteFile(filepath.Join(try.Work, "sub/b.txt"), []byte("old-word again\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		task.Session, task.Feedback, task.Round = first.Session, "sub/b.txt still has it", 2
		if r := try.Run(t, task); !r.Done || try.Read(t, "sub/b.txt") != "new-word again\n" {
			t.Errorf("%+v, it left %q\n%s", r, try.Read(t, "sub/b.txt"), try.Log)
		}
	})
}

// models is for drivers that speak to a model: what goes wrong with it is typed.
func models(t *testing.T, h Harness, files map[string]string) {
	for _, c := range []struct {
		name, faults string
		want         fleet.Code // "" for done
	}{
		{"a model that is busy for a moment", "429,529", ""},
		{"a model that stays busy", "429:*", fleet.CodeModelBusy},
		{"a model that refuses the key", "401:*", fleet.CodeModel},
		{"a model that answers nonsense", "nonsense:*", fleet.CodeModel},
	} {
		t.Run(c.name, func(t *testing.T) {
			try := h.NewTry(t, files, c.faults)
			if r := try.Run(t, h.replace("old-word", "new-word")); r.Code != c.want {
				t.Errorf("%+v\n%s", r, try.Log)
			}
		})
	}
	t.Run("ends at the limit of turns", func(t *testing.T) {
		try := h.NewTry(t, files, "")
		task := h.replace("old-word", "new-word")
		task.Turns = 1
		if r := try.Run(t, task); r.Code != fleet.CodeTurns {
			t.Errorf("%+v\n%s", r, try.Log)
		}
	})
}
