package rulemodel

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// headerRule puts a header at the top of files that have none.
type headerRule struct {
	header string
	globs  []string
}

// lineRule puts a line at the end of a file that does not have it, or a whole file where there is none.
type lineRule struct {
	path string
	text string
	file bool // text is the whole file
}

var (
	headerWish = regexp.MustCompile(`(?i)\b(?:add|put|insert|prepend|start|begin)\b.*\b(?:header|comment|notice|line)\b.*\b(?:to|at|of|in|on)\b`)
	everyFile  = regexp.MustCompile(`(?i)\b(?:every|each|all)\s+(?:of the\s+)?(?:source\s+)?(?:\.?([a-z]+)\s+)?(?:source\s+)?files?\b`)
	addLine    = regexp.MustCompile(`(?i)\b(?:add|append|put)\s+(?:the\s+|a\s+)?(?:line|entry|pattern|text)?\s*` + "(" + quotedOperand + `)\s+(?:to|in|into|at the end of)\s+` + decoration + `(?:file\s+)?(` + quotedOperand + `|[\w./-]*[\w-])`)
	createFile = regexp.MustCompile(`(?i)\b(?:create|add|write)\s+(?:an?\s+|the\s+)?(?:new\s+)?(?:file\s+)?(?:called\s+|named\s+|at\s+)?(` + quotedOperand + `|[\w./-]+\.\w+|[A-Z]{4,})(?:\s+file)?\s*(?:to every \w+\s+)?(?:with|containing|that (?:says|contains|reads))\b\s*(?:the (?:text|content|line)s?\s*)?(` + quotedOperand + `)?`)
)

var extensions = map[string][]string{"go": {"*.go"}, "python": {"*.py"}, "py": {"*.py"}, "java": {"*.java"}, "javascript": {"*.js"}, "js": {"*.js"},
	"typescript": {"*.ts", "*.tsx"}, "ts": {"*.ts"}, "rust": {"*.rs"}, "yaml": {"*.yaml", "*.yml"}, "shell": {"*.sh"}, "sh": {"*.sh"}}

func ensureOf(s string, fences, globs []string) rule {
	if m := everyFile.FindStringSubmatch(s); m != nil && headerWish.MatchString(s) {
		text := ""
		if q := operandQuoted.FindString(s); q != "" {
			text = bare(q)
		} else if len(fences) > 0 {
			text = fences[0]
		}
		if g := extensions[strings.ToLower(m[1])]; g != nil {
			globs = g
		}
		if text != "" && len(globs) > 0 {
			return headerRule{text, globs}
		}
	}
	if m := createFile.FindStringSubmatch(s); m != nil {
		p := clean(bare(m[1]))
		text := bare(m[2])
		if m[2] == "" && len(fences) > 0 {
			text = fences[0]
		}
		if p != "" && text != "" {
			return lineRule{path: p, text: text, file: true}
		}
	}
	if m := addLine.FindStringSubmatch(s); m != nil {
		if p := clean(bare(m[2])); p != "" && (strings.ContainsAny(p, "./") || strings.ToUpper(p) == p) {
			return lineRule{path: p, text: bare(m[1])}
		}
	}
	return nil
}

func (r headerRule) String() string  { return fmt.Sprintf("begin files with %q", first(r.header)) }
func (r headerRule) paths() []string { return nil }
func (r headerRule) queries() []query {
	return queriesFor(".", r.globs)
}

func (r headerRule) apply(v view) (string, []string) {
	if v.absent || !matchesAny(r.globs, v.path) || v.content == "" || strings.Contains(v.content, first(r.header)) {
		return v.content, nil
	}
	head, rest := "", v.content
	if strings.HasPrefix(rest, "#!") { // the interpreter's line stays the first
		head, rest, _ = strings.Cut(rest, "\n")
		head += "\n"
	}
	gap := "\n"
	if path.Ext(v.path) == ".go" {
		gap = "\n\n" // or it would become the package's comment
	}
	return head + strings.TrimRight(r.header, "\n") + gap + rest, nil
}

func (r headerRule) explains(p, line string) bool {
	t := strings.TrimSpace(line)
	return matchesAny(r.globs, p) && (t == "" || strings.Contains(r.header, t))
}

func first(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func (r lineRule) String() string {
	if r.file {
		return "have a file " + r.path
	}
	return fmt.Sprintf("have %q in %s", r.text, r.path)
}

func (r lineRule) paths() []string  { return []string{r.path} }
func (r lineRule) queries() []query { return nil }

func (r lineRule) apply(v view) (string, []string) {
	if v.path != r.path {
		return v.content, nil
	}
	text := strings.TrimRight(r.text, "\n") + "\n"
	switch {
	case r.file && v.absent:
		return text, nil
	case r.file:
		return v.content, []string{r.path + " exists already and was left"}
	}
	for line := range strings.SplitSeq(v.content, "\n") {
		if strings.TrimSpace(line) == strings.TrimSpace(r.text) {
			return v.content, nil
		}
	}
	if v.content != "" && !strings.HasSuffix(v.content, "\n") {
		return v.content + "\n" + text, nil
	}
	return v.content + text, nil
}

func (r lineRule) explains(p, line string) bool {
	t := strings.TrimSpace(line)
	return (p == r.path || strings.HasSuffix(p, "/"+r.path)) && (t == "" || strings.Contains(r.text, t))
}

// settingRule gives a key of one file a value: YAML, JSON, TOML, properties, go.mod.
type settingRule struct{ path, key, value string }

var (
	settingWish = regexp.MustCompile(`(?i)\b(?:set|bump|change|raise|lower|update|upgrade|pin)\s+` + decoration + thing + operand + `\s+(?:(?:key|setting|option|field|value|directive|version)\s+)?(?:in|of|inside)\s+` + decoration + `(?:file\s+)?` + operand + `\s+to\s+` + decoration + `(?:version\s+|value\s+)?` + operand)
	settingIn   = regexp.MustCompile(`(?i)\bset\s+` + decoration + thing + operand + `\s+(?:(?:key|setting|option|field|value|directive|version)\s+)?to\s+` + operand + `\s+in\s+` + decoration + `(?:file\s+)?` + operand)
	goVersion   = regexp.MustCompile(`(?i)\bgo\s+(?:(?:language\s+)?version|directive)\s+(?:in\s+` + "`?go\\.mod`?" + `\s+)?to\s+` + operand)
)

func settingOf(s string) rule {
	if m := goVersion.FindStringSubmatch(s); m != nil {
		return settingRule{"go.mod", "go", bare(m[1])}
	}
	if m := settingWish.FindStringSubmatch(s); m != nil && strings.Contains(bare(m[2]), ".") {
		return settingRule{clean(bare(m[2])), bare(m[1]), bare(m[3])}
	}
	if m := settingIn.FindStringSubmatch(s); m != nil && strings.Contains(bare(m[3]), ".") {
		return settingRule{clean(bare(m[3])), bare(m[1]), bare(m[2])}
	}
	return nil
}

func (r settingRule) String() string {
	return fmt.Sprintf("set %s to %s in %s", r.key, r.value, r.path)
}
func (r settingRule) paths() []string  { return []string{r.path} }
func (r settingRule) queries() []query { return nil }

func (r settingRule) apply(v view) (string, []string) {
	if v.path != r.path || v.absent {
		return v.content, nil
	}
	line := regexp.MustCompile(`(?m)^(\s*["']?` + regexp.QuoteMeta(r.key) + `["']?(?:\s*[:=]\s*|[ \t]+))("[^"\n]*"|'[^'\n]*'|[^\s,#]+)`)
	at := line.FindStringSubmatchIndex(v.content)
	if at == nil {
		return v.content, []string{fmt.Sprintf("%s has no %s", r.path, r.key)}
	}
	value := r.value
	if q := v.content[at[4]]; (q == '"' || q == '\'') && !strings.ContainsAny(value, `"'`) {
		value = string(q) + value + string(q)
	}
	return v.content[:at[4]] + value + v.content[at[5]:], nil
}

func (r settingRule) explains(p, line string) bool {
	return (p == r.path || strings.HasSuffix(p, "/"+r.path)) && containsWord(line, r.key)
}

// versionRule raises (or lowers) the version of something wherever a line names both.
type versionRule struct{ name, from, to string }

var versionWish = regexp.MustCompile(`(?i)\b(?:raise|bump|upgrade|update|change|move|migrate|lift|set|switch)\s+` + decoration + "([`\"']?[\\w@./-]+[`\"']?)" +
	`\s+(?:version\s+)?from\s+(?:version\s+)?` + "[`\"']?(v?\\d[\\w.-]*)[`\"']?" + `\s+to\s+(?:version\s+)?` + "[`\"']?(v?\\d[\\w.-]*)[`\"']?")

func versionOf(s string) rule {
	m := versionWish.FindStringSubmatch(s)
	if m == nil {
		return nil
	}
	return versionRule{strings.Trim(m[1], "`\"'"), strings.TrimRight(m[2], "."), strings.TrimRight(m[3], ".")}
}

// versionFiles hold nothing but a version; whose, their name says.
var versionFiles = map[string]string{".nvmrc": "node", ".node-version": "node", ".python-version": "python", ".ruby-version": "ruby", ".java-version": "java", ".go-version": "go"}

func (r versionRule) String() string {
	return fmt.Sprintf("raise %s from %s to %s", r.name, r.from, r.to)
}
func (r versionRule) paths() []string { return nil }
func (r versionRule) queries() []query {
	return []query{{pattern: `\b` + regexp.QuoteMeta(r.from) + `\b`}}
}

func (r versionRule) apply(v view) (string, []string) {
	if v.absent {
		return v.content, nil
	}
	old := regexp.MustCompile(`(^|[^\w.])(v?)` + regexp.QuoteMeta(strings.TrimPrefix(r.from, "v")) + `((?:\.[0-9x*]+)*)([^\w.]|\.?$|\.[^\w])`)
	var b strings.Builder
	for line := range strings.SplitAfterSeq(v.content, "\n") {
		if strings.Contains(strings.ToLower(line), strings.ToLower(r.name)) || versionFiles[path.Base(v.path)] == strings.ToLower(r.name) {
			body := strings.TrimRight(line, "\r\n")
			line = old.ReplaceAllString(body, "${1}${2}"+strings.TrimPrefix(r.to, "v")+"${4}") + line[len(body):]
		}
		b.WriteString(line)
	}
	return b.String(), nil
}

func (r versionRule) explains(p, line string) bool {
	named := strings.Contains(strings.ToLower(line), strings.ToLower(r.name)) || versionFiles[path.Base(p)] == strings.ToLower(r.name)
	return named && (strings.Contains(line, strings.TrimPrefix(r.from, "v")) || strings.Contains(line, strings.TrimPrefix(r.to, "v")))
}
