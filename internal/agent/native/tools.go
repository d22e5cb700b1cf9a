package native

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"gaggle/internal/llm"
)

// toolRules is the part of the system prompt that is about these tools.
const toolRules = `Work with the tools only; text between calls is read by nobody. Paths are relative to your folder. Start with search or list, read
before you edit, and call several tools at once when they do not depend on each other. End with done, or with give_up. Nothing
else ends the work.`

// input is what any of the tools may be given.
type input struct {
	Path      string `json:"path"`
	Pattern   string `json:"pattern"`
	Glob      string `json:"glob"`
	FilesOnly bool   `json:"files_only"`
	Offset    int    `json:"offset"`
	Limit     int    `json:"limit"`
	Old       string `json:"old"`
	New       string `json:"new"`
	All       bool   `json:"all"`
	Command   string `json:"command"`
	Seconds   int    `json:"seconds"`
	Summary   string `json:"summary"`
	Reason    string `json:"reason"`
}

// tools is what the model can do.
type tools struct {
	ground *ground
	verify []string // none: there is no such tool
	dirty  bool     // something may have changed since the verifiers passed or were never run
}

func newTools(g *ground, verify []string) *tools { return &tools{ground: g, verify: verify} }

// ending is what the model's last call says.
type ending struct {
	done bool
	text string
}

func object(required string, properties string) json.RawMessage {
	return json.RawMessage(`{"type":"object","additionalProperties":false,"required":[` + required + `],"properties":{` + properties + `}}`)
}

// offered lists the tools for the model.
func (t *tools) offered() []llm.Tool {
	list := []llm.Tool{
		{Name: "list", Description: "Lists a folder: its entries, with / after folders and the size of files.",
			Schema: object(``, `"path":{"type":"string","description":"the folder; your own when left out"}`)},
		{Name: "search", Description: "Searches files for a regular expression (RE2) and returns the matching lines as path:line: text, or only the paths. Passes over .git, vendor and node_modules unless path names them.",
			Schema: object(`"pattern"`, `"pattern":{"type":"string"},"path":{"type":"string","description":"where to begin; your folder when left out"},"glob":{"type":"string","description":"only files of that name, such as *.go or docs/**/*.md"},"files_only":{"type":"boolean","description":"only the paths of files that match"}`)},
		{Name: "read", Description: "Reads a text file and returns its lines, each after its number and a tab. Long files come in pieces.",
			Schema: object(`"path"`, `"path":{"type":"string"},"offset":{"type":"integer","description":"the first line to read, 1-based"},"limit":{"type":"integer","description":"how many lines"}`)},
		{Name: "edit", Description: "Replaces text in a file. old must stand there exactly, without line numbers, and exactly once unless all is set; take enough lines around the place. With an empty old, makes a new file that holds new.",
			Schema: object(`"path","old","new"`, `"path":{"type":"string"},"old":{"type":"string"},"new":{"type":"string"},"all":{"type":"boolean","description":"replace every occurrence"}`)},
		{Name: "run", Description: "Runs a shell command (sh) in your folder and returns its output and exit status. There is no network. Not for reading or editing files: read, search and edit do that better.",
			Schema: object(`"command"`, `"command":{"type":"string"},"seconds":{"type":"integer","description":"time limit; 120 when left out, 600 at most"}`)},
	}
	if len(t.verify) > 0 {
		list = append(list, llm.Tool{Name: "verify", Description: "Runs the component's own checks (build, lint, tests) as they will be run on your result, and returns what is wrong, in short.",
			Schema: object(``, ``)})
	}
	return append(list,
		llm.Tool{Name: "done", Description: "Ends the work: the change is made, or there was nothing to change.",
			Schema: object(`"summary"`, `"summary":{"type":"string","description":"what was changed and what was left, in a few sentences"}`)},
		llm.Tool{Name: "give_up", Description: "Ends the work: the change cannot be made here, for a reason that people should know.",
			Schema: object(`"reason"`, `"reason":{"type":"string"}`)})
}

// errMisused is wrapped by errors that say that a call made no sense, as opposed to one that did not work out.
var errMisused = errors.New("")

func misused(format string, args ...any) error {
	return fmt.Errorf(format+"%w", append(args, errMisused)...)
}

// call runs one call. An ending is returned when it was the last one. Errors are for the model to read.
func (t *tools) call(ctx context.Context, c llm.Call) (string, *ending, error) {
	var in input
	dec := json.NewDecoder(bytes.NewReader(c.Input))
	if err := dec.Decode(&in); err != nil {
		return "", nil, misused("the input is not what the tool takes: %v", err)
	}
	need := func(name, value string) error {
		if value == "" {
			return misused("%s needs %q", c.Name, name)
		}
		return nil
	}
	switch c.Name {
	case "list":
		text, err := t.list(in)
		return text, nil, err
	case "search":
		if err := need("pattern", in.Pattern); err != nil {
			return "", nil, err
		}
		text, err := t.search(ctx, in)
		return text, nil, err
	case "read":
		if err := need("path", in.Path); err != nil {
			return "", nil, err
		}
		text, err := t.read(in)
		return text, nil, err
	case "edit":
		if err := need("path", in.Path); err != nil {
			return "", nil, err
		}
		text, err := t.edit(in)
		if err == nil {
			t.dirty = true
		}
		return text, nil, err
	case "run":
		if err := need("command", in.Command); err != nil {
			return "", nil, err
		}
		t.dirty = true
		text, err := t.run(ctx, in)
		return text, nil, err
	case "verify":
		if len(t.verify) == 0 {
			break
		}
		text, err := t.check(ctx)
		return text, nil, err
	case "done":
		return "", &ending{true, in.Summary}, nil
	case "give_up":
		return "", &ending{false, in.Reason}, nil
	}
	return "", nil, misused("there is no tool %q", c.Name)
}

// Bounds of what one read returns.
const (
	maxLines = 2000
	maxRead  = 64 << 10
)

func (t *tools) read(in input) (string, error) {
	p, err := t.ground.place(in.Path)
	if err != nil {
		return "", err
	}
	text, _, err := t.ground.read(p)
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
		return "", fmt.Errorf("%s is not a text file", in.Path)
	}
	lines := strings.Split(string(text), "\n")
	from := max(in.Offset, 1)
	if from > len(lines) {
		return "", fmt.Errorf("%s has %d lines", in.Path, len(lines))
	}
	limit := maxLines
	if in.Limit > 0 {
		limit = min(in.Limit, maxLines)
	}
	var b strings.Builder
	n := from
	for ; n <= len(lines) && n < from+limit && b.Len() < maxRead; n++ {
		if n > from {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%d\t%s", n, strings.ToValidUTF8(lines[n-1], "\uFFFD"))
	}
	if n <= len(lines) {
		fmt.Fprintf(&b, "\n(%d more lines: read on with offset %d)", len(lines)-n+1, n)
	}
	return b.String(), nil
}

func (t *tools) edit(in input) (string, error) {
	p, err := t.ground.place(in.Path)
	if err != nil {
		return "", err
	}
	text, mode, err := t.ground.read(p)
	if in.Old == "" {
		if err == nil && len(text) > 0 {
			return "", fmt.Errorf("%s exists; say in old what to replace", in.Path)
		}
		if _, gone := t.ground.root.Lstat(p); err != nil && !errors.Is(gone, fs.ErrNotExist) {
			return "", err
		}
		if err := t.ground.write(p, []byte(in.New), 0o644); err != nil {
			return "", err
		}
		return "made " + in.Path, nil
	}
	if err != nil {
		return "", err
	}
	old, new, count := fit(string(text), in.Old, in.New)
	switch {
	case count == 0:
		return "", fmt.Errorf("old does not stand in %s%s", in.Path, near(string(text), in.Old))
	case count > 1 && !in.All:
		return "", fmt.Errorf("old stands %d times in %s; take more lines around the place, or set all", count, in.Path)
	case old == new:
		return "", errors.New("old and new are the same")
	}
	if err := t.ground.write(p, []byte(strings.ReplaceAll(string(text), old, new)), mode); err != nil {
		return "", err
	}
	if count == 1 {
		return "changed " + in.Path, nil
	}
	return fmt.Sprintf("changed %s in %d places", in.Path, count), nil
}

// fit finds old in a text; in one with Windows line ends, also when the model wrote it with plain ones.
func fit(text, old, new string) (string, string, int) {
	if n := strings.Count(text, old); n > 0 {
		return old, new, n
	}
	if strings.Contains(text, "\r\n") && !strings.Contains(old, "\r") {
		crlf := func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n") }
		return crlf(old), crlf(new), strings.Count(text, crlf(old))
	}
	return old, new, 0
}

// near says where something stands that differs from old in white space only.
func near(text, old string) string {
	want := strings.Fields(old)
	if len(want) == 0 {
		return ""
	}
	first, _, _ := strings.Cut(strings.TrimLeft(old, "\n"), "\n")
	key := strings.Join(strings.Fields(first), " ")
	for i, line := range strings.Split(text, "\n") {
		if key != "" && strings.Join(strings.Fields(line), " ") == key {
			return fmt.Sprintf("; line %d is like its beginning but for white space or what follows: read it again and copy it exactly", i+1)
		}
	}
	return "; read the file again and copy the text exactly, without line numbers"
}
