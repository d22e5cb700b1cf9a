package rulemodel

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// judge answers a request for a verdict: it reads the prompt and the diff, accounts for each changed line by the rules
// that the prompt amounts to, and names what is left over. It reports false when the request wants something else.
func judge(d dialog) (reply, bool) {
	schema := d.schema
	if schema == nil && d.forced != "" {
		for _, t := range d.tools {
			if t.name == d.forced {
				schema = t.schema
			}
		}
	}
	props := properties(schema)
	asked := props["pass"]
	var q string
	for _, t := range d.turns {
		if !t.assistant && t.text != "" {
			q = t.text // the first; a repeated question only repeats it
			break
		}
	}
	if !asked && !strings.Contains(d.system, `"pass": true or false`) {
		return reply{}, false
	}
	v := verdictOn(question(q))
	fields := map[string]any{"word": wordOf(q, d.system), "pass": v.pass(), "summary": v.summary, "reasons": v.reasons, "outside": v.outside, "injection": v.injection}
	if len(props) > 0 {
		for name := range fields {
			if !props[name] {
				delete(fields, name)
			}
		}
	}
	if d.forced != "" && d.schema == nil {
		return reply{calls: []call{{name: d.forced, input: fields}}}, true
	}
	text, _ := json.Marshal(fields) // strings, booleans and lists of them
	return reply{text: string(text)}, true
}

// asked is a question put to a judge, taken apart.
type asked struct{ prompt, diff, checks, parts string }

var fenceStart = regexp.MustCompile(`(?m)^<<<([0-9a-f]{8,}) ([A-Z ]+)$`)

// question takes the prompt and the data out of what the judge was sent; see package judge for its form. Any other text
// that holds a diff is understood too: all before the diff is the prompt then.
func question(text string) asked {
	var q asked
	loc := fenceStart.FindStringSubmatchIndex(text)
	if loc == nil {
		if at := strings.Index(text, "diff --git "); at >= 0 {
			return asked{prompt: text[:at], diff: text[at:]}
		}
		return asked{prompt: text}
	}
	q.prompt = strings.TrimPrefix(strings.TrimSpace(text[:loc[0]]), "The prompt that the change was made from:")
	fence := text[loc[2]:loc[3]]
	for _, piece := range strings.Split(text[loc[0]:], "<<<"+fence+" ")[1:] {
		name, rest, _ := strings.Cut(piece, "\n")
		body, _, _ := strings.Cut(rest, "\n"+fence+">>>")
		switch name {
		case "DIFF":
			q.diff = body
		case "CHECKS":
			q.checks = body
		case "WHAT THE PARTS HOLD":
			q.parts = body
		}
	}
	return q
}

var wordLine = regexp.MustCompile(`with the word ([0-9a-f]{8,})`)

func wordOf(text, system string) string {
	if m := wordLine.FindAllStringSubmatch(text+"\n"+system, -1); m != nil {
		return m[len(m)-1][1]
	}
	return ""
}

// verdict is what the judge found.
type verdict struct {
	summary   string
	reasons   []string
	outside   []map[string]any
	injection []string
}

func (v verdict) pass() bool { return len(v.reasons)+len(v.outside)+len(v.injection) == 0 }

// Bounds of one answer; a verdict with more is no better.
const maxNamed = 20

var (
	addressed = regexp.MustCompile(`(?i)ignore (?:all |any |the |your )*(?:previous|prior|above|earlier) |disregard (?:all |the |your )|(?:note|message|attention)[^a-z]{1,3}(?:to )?(?:the )?(?:judge|reviewer|model|ai)\b|\b(?:dear|as an?|you are (?:the|an?)) (?:judge|reviewer|language model|ai)\b|(?:set|answer|return|reply with)\W+"?pass"?\W+true|\bapprove this (?:change|diff)\b|"pass"\s*:\s*true`)
	gaming    = regexp.MustCompile(`\bt\.Skip(?:f|Now)?\(|@pytest\.mark\.skip|\b(?:it|test|describe)\.skip\(|@Disabled\b|@Ignore\b`)
)

func verdictOn(q asked) verdict {
	v := verdict{reasons: []string{}, outside: []map[string]any{}, injection: []string{}}
	if q.parts != "" {
		v.summary = "The parts together do what the prompt asks for."
		return v
	}
	rules := parsePrompt(promptOf(q.prompt))
	vocabulary := wordsOf(q.prompt)
	if len(rules) == 0 && len(vocabulary) == 0 {
		v.reasons = append(v.reasons, "this is a rule-driven judge and it cannot read what the prompt asks for; use a real model as the judge")
		return v
	}
	accounted := 0
	blocks := blocksOf(q.diff)
	names := importNames(blocks)
	for _, b := range blocks {
		for _, line := range b.added {
			if text := strings.TrimSpace(line); addressed.MatchString(text) && !strings.Contains(q.prompt, text) && len(v.injection) < maxNamed {
				v.injection = append(v.injection, text[:min(len(text), 200)])
			}
			if gaming.MatchString(line) && !gaming.MatchString(q.prompt) && len(v.reasons) < maxNamed {
				v.reasons = append(v.reasons, fmt.Sprintf("%s:%d skips a test; make it pass instead", b.path, b.line))
			}
		}
		why, ok := account(b.named(names[b.path]), rules, vocabulary)
		if ok {
			accounted++
			continue
		}
		if len(v.outside) < maxNamed {
			v.outside = append(v.outside, map[string]any{"file": b.path, "line": b.line, "why": why})
		}
	}
	v.summary = fmt.Sprintf("%d changes follow from the prompt, %d do not.", accounted, len(v.outside))
	return v
}

func promptOf(text string) string {
	if b := changeBlock.FindStringSubmatch(text); b != nil {
		return b[1]
	}
	return text
}

var vocable = regexp.MustCompile("`[^`\n]+`|\"[^\"\n]+\"|[\\w-]+(?:[./:_-][\\w-]+)+|\\.[a-z]\\w{3,}|\\b(?:Dockerfile|Makefile|Jenkinsfile)\\b|\\b[a-z]+[A-Z]\\w*|\\b[A-Z][a-z]+[A-Z]\\w*")

// wordsOf lists what in a prompt looks like a piece of code: the vocabulary of a wish that no rule understands.
func wordsOf(prompt string) []string {
	var words []string
	for _, w := range vocable.FindAllString(prompt, 200) {
		w = strings.TrimSuffix(strings.Trim(w, "`\"."), "()")
		if len(w) > 2 && !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return words
}

var namedImport = regexp.MustCompile(`^\s*(?:import\s+)?(\w+)\s+"([^"]+)"$`)

// importNames lists, for each file, the imports under another name whose lines a diff changes: the name, and the
// package's own.
func importNames(blocks []changed) map[string][][2]string {
	names := map[string][][2]string{}
	for _, b := range blocks {
		for _, line := range slices.Concat(b.removed, b.added) {
			if m := namedImport.FindStringSubmatch(line); m != nil && path.Ext(b.path) == ".go" && m[1] != baseOf(m[2]) {
				names[b.path] = append(names[b.path], [2]string{m[1], baseOf(m[2])})
			}
		}
	}
	return names
}

// named is the block with packages called by their own names.
func (b changed) named(names [][2]string) changed {
	for _, n := range names {
		use := regexp.MustCompile(`\b` + n[0] + `\.([A-Z])`)
		own := func(lines []string) []string {
			lines = slices.Clone(lines)
			for i, l := range lines {
				lines[i] = use.ReplaceAllString(l, n[1]+".$1")
			}
			return lines
		}
		b.removed, b.added = own(b.removed), own(b.added)
	}
	return b
}

// account says whether a block of changed lines follows from the rules; if not, why not.
func account(b changed, rules []rule, vocabulary []string) (string, bool) {
	explained := func(line string) bool {
		t := strings.TrimSpace(line)
		if t == "" || t == "{" || t == "}" || t == "(" || t == ")" {
			return true
		}
		if slices.ContainsFunc(rules, func(r rule) bool { return r.explains(b.path, line) || r.explains(b.path, t) }) {
			return true
		}
		return len(rules) == 0 && slices.ContainsFunc(vocabulary, func(w string) bool { return strings.Contains(t, w) || strings.HasSuffix(b.path, w) })
	}
	// Lines that only moved or were aligned anew are nobody's wish and nobody's harm.
	removed, added := map[string]int{}, map[string]int{}
	for _, l := range b.removed {
		removed[squeeze(l)]++
	}
	for _, l := range b.added {
		added[squeeze(l)]++
	}
	for _, l := range b.removed {
		if k := squeeze(l); added[k] == 0 && !explained(l) {
			return fmt.Sprintf("the prompt does not ask to remove %q", clip(strings.TrimSpace(l))), false
		}
	}
	for _, l := range b.added {
		if k := squeeze(l); removed[k] == 0 && !explained(l) {
			return fmt.Sprintf("the prompt does not ask for %q", clip(strings.TrimSpace(l))), false
		}
	}
	return "", true
}

func clip(s string) string { return s[:min(len(s), 120)] }

// changed is a run of changed lines in a diff, without the context around it.
type changed struct {
	path           string
	line           int // on the new side
	removed, added []string
}

var hunkHead = regexp.MustCompile(`^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@`)

// blocksOf takes a unified diff apart. Line counts of the hunk heads decide what is content, so that a changed line that
// looks like a header is none.
func blocksOf(diff string) []changed {
	var out []changed
	var path string
	var now *changed
	oldLeft, newLeft, line := 0, 0, 0
	end := func() {
		if now != nil {
			out = append(out, *now)
			now = nil
		}
	}
	block := func() *changed {
		if now == nil {
			now = &changed{path: path, line: max(line, 1)}
		}
		return now
	}
	for text := range strings.SplitSeq(diff, "\n") {
		if oldLeft > 0 || newLeft > 0 {
			switch {
			case strings.HasPrefix(text, "+"):
				block().added = append(block().added, text[1:])
				newLeft--
				line++
				continue
			case strings.HasPrefix(text, "-"):
				block().removed = append(block().removed, text[1:])
				oldLeft--
				continue
			case strings.HasPrefix(text, " "), text == "":
				end()
				oldLeft, newLeft = oldLeft-1, newLeft-1
				line++
				continue
			case strings.HasPrefix(text, `\`):
				continue
			}
			oldLeft, newLeft = 0, 0
		}
		if strings.HasPrefix(text, `\`) {
			continue
		}
		end()
		switch {
		case strings.HasPrefix(text, "diff --git "):
			path = ""
			if i := strings.LastIndex(text, " b/"); i >= 0 {
				path = text[i+3:]
			}
		case strings.HasPrefix(text, "+++ b/"):
			path = strings.TrimRight(text[6:], "\t")
		case strings.HasPrefix(text, "@@ "):
			if m := hunkHead.FindStringSubmatch(text); m != nil {
				oldLeft, line, newLeft = count(m[2]), atoi(m[3]), count(m[4])
			}
		case strings.HasPrefix(text, "GIT binary patch"), strings.HasPrefix(text, "Binary files "):
			out = append(out, changed{path: path, line: 1, added: []string{text}})
		case strings.HasPrefix(text, "deleted file mode"), strings.HasPrefix(text, "rename to "):
			out = append(out, changed{path: path, line: 1, removed: []string{text}})
		}
	}
	end()
	return out
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

func count(s string) int {
	if s == "" {
		return 1
	}
	return atoi(s)
}
