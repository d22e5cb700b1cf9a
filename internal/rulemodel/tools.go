package rulemodel

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// toolbox knows which of the tools offered does what. Nil: nothing offered does it.
type toolbox struct {
	search, read, edit, write, shell, verify, done, giveUp *tool
	check                                                  string // a command that verifies, for the shell; "" when nobody said
}

var plainName = strings.NewReplacer("_", "", "-", "", ".", "")

func unpack(tools []tool) toolbox {
	var b toolbox
	for i := range tools {
		t := &tools[i]
		name := t.name
		if j := strings.LastIndex(name, "__"); j >= 0 { // mcp__server__tool
			name = name[j+2:]
		}
		slot := (**tool)(nil)
		switch plainName.Replace(strings.ToLower(name)) {
		case "search", "grep", "searchfilecontent", "grepsearch", "ripgrep", "searchtext":
			slot = &b.search
		case "read", "readfile", "view", "viewfile":
			slot = &b.read
		case "edit", "editfile", "replace", "strreplace", "replaceinfile":
			slot = &b.edit
		case "write", "writefile", "createfile", "create":
			slot = &b.write
		case "bash", "shell", "run", "execcommand", "runshellcommand", "localshell", "runinterminal":
			slot = &b.shell
		case "verify":
			slot = &b.verify
		case "done", "finish", "taskcomplete":
			slot = &b.done
		case "giveup":
			slot = &b.giveUp
		}
		if slot != nil && *slot == nil {
			*slot = t
		}
	}
	return b
}

// pick returns the first of the names that the tool has a parameter for, else the first name.
func (t *tool) pick(names ...string) string {
	for _, n := range names {
		if t.params[n] {
			return n
		}
	}
	return names[0]
}

var (
	pathNames    = []string{"path", "file_path", "filePath", "absolute_path", "file", "target_file"}
	oldNames     = []string{"old", "old_string", "oldString", "old_str"}
	newNames     = []string{"new", "new_string", "newString", "new_str"}
	contentNames = []string{"content", "contents", "text"}
	commandNames = []string{"command", "cmd"}
)

// query is what a rule looks for: lines that match in files of that name.
type query struct {
	pattern string // understood by RE2, ripgrep and grep -E alike
	glob    string // of the base name, such as "*.go"; "" for all files
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func unquoted(s string) string { return strings.ReplaceAll(s, `'\''`, "'") }

func (b toolbox) find(q query) (call, bool) {
	if b.search != nil {
		in := map[string]any{"pattern": q.pattern}
		if q.glob != "" {
			in[b.search.pick("glob", "include")] = q.glob
		}
		if b.search.params["output_mode"] {
			in["output_mode"] = "files_with_matches"
			if b.search.params["head_limit"] {
				in["head_limit"] = 500
			}
		}
		if b.search.params["files_only"] {
			in["files_only"] = true
		}
		return call{name: b.search.name, input: in}, true
	}
	command := "grep -rlIE --exclude-dir=.git --exclude-dir=node_modules --exclude-dir=vendor "
	if q.glob != "" {
		command += "--include=" + quoted(q.glob) + " "
	}
	return b.run(command + "-e " + quoted(q.pattern) + " . | sort | head -n 500")
}

func (b toolbox) run(command string) (call, bool) {
	if b.shell == nil {
		return call{}, false
	}
	in := map[string]any{b.shell.pick(commandNames...): command}
	if b.shell.local || b.shell.params["workdir"] && b.shell.name == "shell" { // argv is asked for
		in["command"] = []any{"sh", "-c", command}
	}
	if b.shell.params["description"] {
		in["description"] = "Look at the work tree"
	}
	return call{name: b.shell.name, input: in}, true
}

var atLine = regexp.MustCompile(`^(.+?):\d+[:\t ]`)

// found reads the paths out of what a search returned.
func found(text string) []string {
	var paths []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if m := atLine.FindStringSubmatch(line); m != nil {
			line = m[1]
		}
		line = strings.TrimPrefix(line, "./")
		lower := strings.ToLower(line)
		switch {
		case line == "", strings.HasPrefix(lower, "found "), strings.HasPrefix(lower, "no match"), strings.HasPrefix(lower, "no files"),
			strings.HasPrefix(line, "("), strings.HasPrefix(line, "["), strings.HasPrefix(lower, "exit code"), strings.HasPrefix(lower, "error"):
			continue
		}
		if p := clean(line); p != "" && !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	return paths
}

// clean makes a path relative to where the work is done, or "" when it lies outside.
func clean(p string) string {
	p = path.Clean(strings.TrimPrefix(p, "./"))
	if p == "." || p == ".." || strings.HasPrefix(p, "../") || strings.ContainsAny(p, "\x00\n") {
		return ""
	}
	return p
}

const pageLines = 400

// readPage reads a file from a line on; 0 means all of it, as far as the tool goes.
func (b toolbox) readPage(p string, from int) (call, bool) {
	if b.read == nil {
		return b.run("cat -- " + quoted(p))
	}
	in := map[string]any{b.read.pick(pathNames...): p}
	if from > 0 {
		in["offset"], in["limit"] = from, pageLines
	}
	return call{name: b.read.name, input: in}, true
}

// change turns a file's old content into the new one: by exact replacements when they are few, else by writing all of it.
func (b toolbox) change(p, old, new string, absent bool) ([]call, bool) {
	if b.edit != nil && !absent {
		if hunks, ok := hunksOf(old, new); ok && len(hunks) <= 12 {
			calls := make([]call, 0, len(hunks))
			for _, h := range hunks {
				calls = append(calls, call{name: b.edit.name, input: map[string]any{
					b.edit.pick(pathNames...): p, b.edit.pick(oldNames...): h.old, b.edit.pick(newNames...): h.new}})
			}
			return calls, true
		}
	}
	if b.write != nil {
		return []call{{name: b.write.name, input: map[string]any{b.write.pick(pathNames...): p, b.write.pick(contentNames...): new}}}, true
	}
	if b.edit != nil && absent {
		return []call{{name: b.edit.name, input: map[string]any{b.edit.pick(pathNames...): p, b.edit.pick(oldNames...): "", b.edit.pick(newNames...): new}}}, true
	}
	if b.edit != nil && old != "" {
		return []call{{name: b.edit.name, input: map[string]any{b.edit.pick(pathNames...): p, b.edit.pick(oldNames...): old, b.edit.pick(newNames...): new}}}, true
	}
	end := heredoc
	for strings.Contains(new, end) {
		end += "X"
	}
	body, tail := new, ""
	if !strings.HasSuffix(body, "\n") { // a heredoc always ends a line
		body, tail = body+"\n", fmt.Sprintf("\ntruncate -s -1 -- %s", quoted(p))
	}
	c, ok := b.run("mkdir -p -- " + quoted(path.Dir(p)) + "\ncat > " + quoted(p) + " <<'" + end + "'\n" + body + end + tail)
	return []call{c}, ok
}

const heredoc = "GAGGLE_END"

func (b toolbox) runVerify() (call, bool) {
	if b.verify != nil {
		return call{name: b.verify.name, input: map[string]any{}}, true
	}
	if b.check == "" {
		return call{}, false
	}
	return b.run(b.check)
}

func (b toolbox) finish(summary string) reply {
	if b.done != nil {
		return reply{calls: []call{{name: b.done.name, input: map[string]any{b.done.pick("summary", "message", "result"): summary}}}}
	}
	return reply{text: summary}
}

func (b toolbox) surrender(reason string) reply {
	if b.giveUp != nil {
		return reply{calls: []call{{name: b.giveUp.name, input: map[string]any{b.giveUp.pick("reason", "message"): reason}}}}
	}
	return reply{text: "I give up: " + reason}
}

// deed is what a call does, whichever tool it uses.
type deed struct {
	kind     string // find, read, edit, write, verify, other
	path     string
	old, new string
	from     int
	command  string
}

var (
	catCommand     = regexp.MustCompile(`^cat -- '((?:[^']|'\\'')+)'$`)
	heredocCommand = regexp.MustCompile(`(?s)^mkdir -p -- '(?:[^']|'\\'')*'\ncat > '((?:[^']|'\\'')+)' <<'(` + heredoc + `X*)'\n(.*)$`)
)

func (b toolbox) deedOf(c call) deed {
	is := func(t *tool) bool { return t != nil && t.name == c.name }
	d := deed{kind: "other", path: clean(c.str(pathNames...))}
	switch {
	case is(b.search):
		d.kind = "find"
	case is(b.read):
		d.kind = "read"
		if n, ok := c.input["offset"].(float64); ok {
			d.from = int(n)
		}
	case is(b.edit):
		d.kind, d.old, d.new = "edit", c.str(oldNames...), c.str(newNames...)
		if d.old == "" {
			d.kind = "write"
		}
	case is(b.write):
		d.kind, d.new = "write", c.str(contentNames...)
	case is(b.verify):
		d.kind = "verify"
	case is(b.shell):
		d.command = c.str(commandNames...)
		if m := catCommand.FindStringSubmatch(d.command); m != nil {
			d.kind, d.path = "read", unquoted(m[1])
		} else if m := heredocCommand.FindStringSubmatch(d.command); m != nil {
			if body, tail, ok := strings.Cut(m[3], m[2]); ok {
				d.kind, d.path, d.new = "write", unquoted(m[1]), body
				if tail != "" {
					d.new = strings.TrimSuffix(body, "\n")
				}
			}
		} else if b.check != "" && d.command == b.check {
			d.kind = "verify"
		} else if strings.HasPrefix(d.command, "grep -rlIE ") {
			d.kind = "find"
		}
	}
	return d
}

var numbered = regexp.MustCompile(`^\s*(\d+)(?:\t|→)(.*)$`)

// unnumber takes the line numbers off what a read returned. more is the line to read on from; 0 when that was all.
func unnumber(text string, from int) (content string, more int) {
	lines := strings.Split(text, "\n")
	last := 0
	for i, line := range lines {
		m := numbered.FindStringSubmatch(line)
		if m == nil {
			if i > 0 && i == len(lines)-1 && strings.TrimSpace(line) == strconv.Itoa(last+1) { // the empty last line, its end trimmed off
				lines[i] = ""
				break
			}
			if i > 0 && strings.HasPrefix(line, "(") { // a note of the tool after the last line
				if rest := moreLines.FindStringSubmatch(line); rest != nil {
					more, _ = strconv.Atoi(rest[1]) // digits
				}
				return strings.Join(lines[:i], "\n"), more
			}
			return text, 0 // not numbered at all
		}
		lines[i] = m[2]
		last, _ = strconv.Atoi(m[1]) // digits
	}
	if from > 0 && len(lines) >= pageLines || from == 0 && len(lines) >= 2000 {
		more = last + 1
	}
	return strings.Join(lines, "\n"), more
}

var moreLines = regexp.MustCompile(`offset (\d+)`)
