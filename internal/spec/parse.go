package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"gaggle/internal/fleet"
)

// maxScript bounds a script file.
const maxScript = 4 << 20

// Parser reads campaign files. Its zero value reads everything but scripts in files of their own.
type Parser struct {
	Files fs.FS    // the folder of the campaign file, for change.script; nil when there is none. Should not follow links out of it (os.Root.FS)
	Rules []string // the guard's rules, to find slips in guard.allow. Defaults to accepting any name
}

// Parse reads a campaign file without a folder around it; file is what errors call it. See Parser.Parse.
func Parse(file string, data []byte) (*Campaign, error) { return Parser{}.Parse(file, data) }

// Parse reads a campaign file and applies the defaults. The error, if any, is an *Errors that holds everything wrong
// with the file.
func (p Parser) Parse(file string, data []byte) (*Campaign, error) {
	r := &reader{problems: problems{file: file}}
	root, src := document(&r.problems, data)
	if root == nil {
		if len(r.list) == 0 {
			r.add(position{1, 1}, "gaggle schema describes what belongs here; the examples folder has whole files", "the file is empty")
		}
		return nil, r.err()
	}
	r.src = src
	c := &Campaign{File: file, Raw: bytes.Clone(data)}
	var s scripts
	r.read(root, campaignFields(c, &header{}, &s, &guards{p.Rules}))
	p.finish(r, c, s)
	if err := r.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// finish checks what depends on more than one key, and applies the defaults that do.
func (p Parser) finish(r *reader, c *Campaign, s scripts) {
	r.selection(c)
	p.program(r, c, s)
	r.judging(c)
	for i, glob := range c.Change.Paths {
		if rest, ok := strings.CutPrefix(glob, "//"); ok {
			c.Change.Paths[i] = "/" + rest
		} else if rest, ok := strings.CutPrefix(glob, "!//"); ok {
			c.Change.Paths[i] = "!/" + rest
		}
	}
	if c.Metadata.Owner != "" {
		c.Metadata.Owner = normalRef(c.Metadata.Owner, "group")
	}
	if r.set["limits.targetCost"] == nil {
		c.Limits.TargetCost = c.Limits.Cost * fleet.Money(c.Limits.Attempts)
	}
	if c.PullRequest.Title == "" {
		first, _, _ := strings.Cut(strings.TrimSpace(c.Metadata.Description), "\n")
		c.PullRequest.Title = strings.TrimRight(clipTo(first, 200), " .")
	}
	if c.PullRequest.Title == "" {
		c.PullRequest.Title = c.Metadata.Name
	}
}

func (r *reader) selection(c *Campaign) {
	if n := r.set["select"]; n != nil && n.Kind == yaml.MappingNode &&
		r.set["select.where"] == nil && r.set["select.contains"] == nil && r.set["select.files"] == nil && r.set["select.include"] == nil {
		r.add(start(n), "give where, contains, files or include; where: 'true' takes every component", "select selects nothing")
	}
	if n := r.set["select.where"]; n != nil && c.Select.Where != "" {
		if _, err := CompileWhere(c.Select.Where); err != nil {
			r.where(n, "select.where", err)
		}
	}
	if r.set["select.contains.paths"] == nil && c.Select.Contains.Pattern != "" {
		c.Select.Contains.Paths = slices.Clone(c.Select.Files)
	}
	for _, list := range [][]string{c.Select.Include, c.Select.Exclude} {
		for i, ref := range list {
			list[i] = normalRef(ref, "component")
		}
	}
	if n := r.set["select.include"]; n != nil && n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			if checkRef(item.Value) == nil && slices.Contains(c.Select.Exclude, normalRef(item.Value, "component")) {
				r.add(start(item), "remove it from one of the two", "%s is both included and excluded", item.Value)
			}
		}
	}
}

// where places an error of CompileWhere inside the file.
func (r *reader) where(n *yaml.Node, path string, err error) {
	var all *Errors
	if !errors.As(err, &all) {
		r.add(start(n), fleet.HintOf(err), "%s: %v", path, err)
		return
	}
	for _, e := range all.List {
		offset := offsetIn(n.Value, e.Line, e.Column)
		r.add(r.src.within(n, offset), e.Hint, "%s: %s", path, e.Message)
	}
}

// offsetIn turns a 1-based line and column of a text into an offset in characters.
func offsetIn(text string, line, column int) int {
	offset := 0
	for _, r := range text {
		if line <= 1 {
			break
		}
		if r == '\n' {
			line--
		}
		offset++
	}
	return offset + max(column, 1) - 1
}

// program settles who makes the change.
func (p Parser) program(r *reader, c *Campaign, s scripts) {
	change, agent := r.set["change"], r.set["change.agent"]
	if change == nil || change.Kind != yaml.MappingNode {
		return
	}
	path, run := r.set["change.script"], r.set["change.run"]
	switch {
	case path != nil && run != nil:
		r.add(start(run), "keep one of the two", "change has both script and run")
		return
	case path == nil && run == nil:
		if agent != nil && c.Change.Agent == AgentScript {
			r.add(start(agent), "name a program by change.script, or write it below change.run", "the script agent has no script")
		} else if r.set["change.prompt"] == nil {
			r.add(start(change), "say what to change in change.prompt, or give a program by change.script or change.run", "change says nothing to do")
		}
		return
	}
	if agent != nil && c.Change.Agent != AgentScript {
		r.add(start(agent), "leave agent out, or the script", "change has a script, which %s does not run", c.Change.Agent)
	}
	if n := r.set["change.model"]; n != nil {
		r.add(start(n), "leave it out", "a script has no model")
	}
	c.Change.Agent = AgentScript
	if run != nil {
		c.Change.Script.Content = []byte(s.run)
		return
	}
	if s.path == "" {
		return // reported already
	}
	content, clean, err := p.script(s.path)
	if err != nil {
		r.add(start(path), fleet.HintOf(err), "change.script: %v", err)
		return
	}
	c.Change.Script = Script{Path: clean, Content: content}
}

// script reads a program beside the campaign file.
func (p Parser) script(name string) (content []byte, clean string, err error) {
	clean = path.Clean(name)
	if p.Files == nil {
		return nil, "", &fleet.Error{Code: fleet.CodeInvalid, Message: "no files stand beside this campaign", Hint: "write the program below change.run"}
	}
	bad := func(err error) ([]byte, string, error) {
		return nil, "", &fleet.Error{Code: fleet.CodeInvalid, Message: "the script cannot be read", Err: err, Hint: "name a program by its path from the campaign file"}
	}
	info, err := fs.Stat(p.Files, clean)
	if err != nil {
		return bad(err)
	}
	if !info.Mode().IsRegular() {
		return bad(errors.New("it is not a regular file"))
	}
	f, err := p.Files.Open(clean)
	if err != nil {
		return bad(err)
	}
	defer f.Close()
	content, err = io.ReadAll(io.LimitReader(f, maxScript+1))
	switch {
	case err != nil:
		return bad(err)
	case len(content) == 0:
		return bad(errors.New("it is empty"))
	case len(content) > maxScript:
		return bad(fmt.Errorf("it is larger than %d MiB", maxScript>>20))
	}
	return content, clean, nil
}

// judging settles the judge of a change that has nothing to be compared with.
func (r *reader) judging(c *Campaign) {
	if c.Change.Agent != AgentScript || c.Change.Prompt != "" || c.Judge.Mode == JudgeOff {
		return
	}
	if n := r.set["judge.mode"]; n != nil && r.set["change.prompt"] == nil {
		r.add(start(n), "say in change.prompt what the script is meant to do, or leave the mode out", "the judge has no prompt to compare the diff with")
		return
	}
	c.Judge.Mode = JudgeOff
}

func clipTo(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}
