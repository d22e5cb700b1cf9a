package rulemodel

import (
	"path"
	"regexp"
	"strings"
)

// rule is one mechanical change that a prompt asks for.
type rule interface {
	// queries says where the change could have something to do.
	queries() []query
	// paths names files to look at in any case; they need not exist.
	paths() []string
	// apply makes the change in one file. Applied to its own result it changes nothing more. Notes say what was left.
	apply(v view) (content string, notes []string)
	// explains reports whether the rule accounts for one line of a diff that was removed or added. The judge asks it
	// about lines that apply alone does not account for.
	explains(p, line string) bool
	// String says what the rule does, for people.
	String() string
}

// view is a file as a rule sees it.
type view struct {
	path    string
	content string
	absent  bool // there is no such file yet
	lazy    bool // be careless: leave the imports alone
}

// generated reports whether a file says that a program wrote it.
var generated = regexp.MustCompile(`(?m)^.{0,6}Code generated .*DO NOT EDIT|^.{0,6}@generated\b`)

// offLimits reports whether a file is somebody else's: vendored, locked or minified.
func offLimits(p string) bool {
	for dir := range strings.SplitSeq(path.Dir(p), "/") {
		switch dir {
		case ".git", "vendor", "node_modules", "third_party", "dist":
			return true
		}
	}
	switch base := path.Base(p); base {
	case "go.sum", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "Cargo.lock", "poetry.lock":
		return true
	default:
		return strings.HasSuffix(base, ".min.js")
	}
}

// parsePrompt reads the mechanical changes out of a prompt. None: it asks for something that needs a real model.
func parsePrompt(prompt string) []rule {
	var rules []rule
	seen := map[string]bool{}
	add := func(r rule) {
		if key := r.String(); !seen[key] {
			seen[key] = true
			rules = append(rules, r)
		}
	}
	fences, prose := cutFences(prompt)
	globs := globsOf(prose)
	for _, s := range sentences(prose) {
		if restriction.MatchString(s) {
			continue
		}
		for _, r := range ruleOf(s, prose, fences, globs) {
			add(r)
		}
	}
	return rules
}

var fence = regexp.MustCompile("(?s)```[a-zA-Z]*\n(.*?)\n?```")

// cutFences takes fenced blocks out of a prompt.
func cutFences(prompt string) (blocks []string, prose string) {
	for _, m := range fence.FindAllStringSubmatch(prompt, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks, fence.ReplaceAllString(prompt, "")
}

var (
	sentenceEnd = regexp.MustCompile(`[.;:!]\s+|\n\s*(?:[-*]|\d+\.)\s+|\n\s*\n`)
	restriction = regexp.MustCompile(`(?i)^\s*(?:do not|don't|never|leave|when|if|unless|except|keep|make sure|ensure that|be careful|note)\b`)
)

// sentences splits prose where one wish ends and the next begins; what stands in quotes is never split.
func sentences(prose string) []string {
	masked := operandQuoted.ReplaceAllStringFunc(prose, func(q string) string { return strings.Repeat("\x01", len(q)) })
	var out []string
	at := 0
	for _, m := range sentenceEnd.FindAllStringIndex(masked, -1) {
		out = append(out, squeeze(prose[at:m[0]]))
		at = m[1]
	}
	return append(out, squeeze(prose[at:]))
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// An operand is what stands in backticks or quotes, or one bare word.
const (
	quotedOperand = "`[^`]+`|\"[^\"]+\"|'[^'\\s][^']*'|“[^”]+”"
	operand       = "(" + quotedOperand + "|[^\\s,;]+)"
	decoration    = `(?:(?:every|all|any|each|the|a|an|its|our|deprecated|old|new|legacy|remaining|direct|own)\s+)*`
	uses          = `(?:(?:use|uses|usage|usages|call|calls|occurrence|occurrences|instance|instances|reference|references|import|imports|mention|mentions)\s+(?:of|to)\s+)?`
	thing         = `(?:(?:package|module|function|method|type|constant|variable|field|identifier|name|string|text|word|image|label|option|setting|import|path|class|key|flag|call)s?\s+)?`
)

var (
	operandQuoted = regexp.MustCompile(quotedOperand)
	replaceVerb   = regexp.MustCompile(`(?i)\b(?:replace|swap|substitute|migrate|switch|convert|change|move|rename|update|rewrite|turn|upgrade|bump|modernise|modernize|port)\b`)
	replaceWith   = regexp.MustCompile(`(?i)\b(?:replace|swap|substitute|migrate|switch|convert|change|move|rename|update|rewrite|turn|upgrade|bump|port)\s+(?:over\s+)?(?:from\s+)?` +
		decoration + uses + decoration + thing + operand + `\s+(?:everywhere\s+)?(?:with|by|to|into|→|->|=>)\s+` + decoration + thing + operand)
	insteadOf  = regexp.MustCompile(`(?i)\buse\s+` + decoration + thing + operand + `\s+(?:instead of|in place of|rather than|not)\s+` + decoration + thing + operand)
	pair       = regexp.MustCompile("(" + quotedOperand + `)\s*(?:with|by|to|into|becomes|→|->|=>)\s*` + decoration + thing + "(" + quotedOperand + ")")
	ioutilWord = regexp.MustCompile(`(?i)\bioutil\b`)
)

// settled reports whether the last operand of a sentence is a piece of code and not a word of a sentence that goes on: it is
// quoted, or nothing but a place follows it.
func settled(last, s string) bool {
	return operandQuoted.MatchString(last) || placeOrEnd.MatchString(s[strings.LastIndex(s, last)+len(last):])
}

var placeOrEnd = regexp.MustCompile(`(?i)^[.,;:!)]*\s*(?:$|,|(?:everywhere|in|across|throughout|and|for|from|wherever|where|of|including|but|also|with)\b)`)

// bare takes quotes, or the punctuation of the sentence, off an operand.
func bare(op string) string {
	if operandQuoted.MatchString(op) && len(op) > 2 {
		return strings.Trim(op, "`\"“”'")
	}
	return strings.TrimRight(op, ".,;:!?)")
}

func ruleOf(s, prose string, fences []string, globs []string) []rule {
	switch {
	case errorfWish.MatchString(s):
		return []rule{errorfRule{}}
	case contextWish.MatchString(s):
		return []rule{contextRule{name: bare(contextWish.FindStringSubmatch(s)[1])}}
	}
	if r := ensureOf(s, fences, globs); r != nil {
		return []rule{r}
	}
	if r := versionOf(s); r != nil {
		return []rule{r}
	}
	if r := settingOf(s); r != nil {
		return []rule{r}
	}
	if r := removeOf(s, globs); r != nil {
		return []rule{r}
	}
	var rules []rule
	if replaceVerb.MatchString(s) || strings.Contains(strings.ToLower(s), "use ") {
		for _, m := range pair.FindAllStringSubmatch(s, -1) {
			rules = append(rules, replacement(bare(m[1]), bare(m[2]), prose, globs)...)
		}
	}
	if len(rules) == 0 {
		if m := replaceWith.FindStringSubmatch(s); m != nil && settled(m[2], s) {
			rules = replacement(bare(m[1]), bare(m[2]), prose, globs)
		} else if m := insteadOf.FindStringSubmatch(s); m != nil && settled(m[2], s) {
			rules = replacement(bare(m[2]), bare(m[1]), prose, globs)
		} else if replaceVerb.MatchString(s) && ioutilWord.MatchString(s) {
			rules = []rule{ioutilRule()}
		}
	}
	if len(rules) == 0 && replaceVerb.MatchString(prose) { // a list under a sentence with the verb
		for _, m := range pair.FindAllStringSubmatch(s, -1) {
			rules = append(rules, replacement(bare(m[1]), bare(m[2]), prose, globs)...)
		}
	}
	return rules
}

var (
	goQualified = regexp.MustCompile(`^[a-z][a-z0-9]*\.[A-Z]\w*$`)
	goPath      = regexp.MustCompile(`^[a-z0-9.-]+\.[a-z]{2,}(?:/[\w.~-]+)+$|^(?:io/ioutil|math/rand|container/\w+)(?:/v2)?$`)
)

// replacement chooses how "replace from by to" is done.
func replacement(from, to, prose string, globs []string) []rule {
	from, to = strings.TrimSpace(from), strings.TrimSpace(to)
	call := func(s string) string { return strings.TrimSuffix(s, "()") }
	switch {
	case from == "" || from == to:
		return nil
	case from == "io/ioutil" || from == "ioutil" || strings.HasPrefix(from, "ioutil.*"):
		return []rule{ioutilRule()}
	case goQualified.MatchString(call(from)) && goQualified.MatchString(call(to)):
		return []rule{selectorRule(call(from), call(to), prose)}
	case goPath.MatchString(from) && strings.Contains(from, "/") && !strings.Contains(to, " ") && len(globs) == 0 && strings.Contains(strings.ToLower(prose), "import"):
		return []rule{importRule{from: from, to: to}}
	}
	return []rule{newTextRule(from, to, globs)}
}

var languageGlobs = []struct {
	words *regexp.Regexp
	globs []string
}{
	{regexp.MustCompile(`\bin (?:every |all |the |any )*go (?:code|files?|sources?)\b|\*\.go\b`), []string{"*.go"}},
	{regexp.MustCompile(`\bin (?:every |all |the |any )*python (?:code|files?|sources?)\b|\*\.py\b`), []string{"*.py"}},
	{regexp.MustCompile(`\bin (?:every |all |the |any )*(?:javascript|js) (?:code|files?|sources?)\b|\*\.js\b`), []string{"*.js", "*.mjs", "*.cjs", "*.jsx"}},
	{regexp.MustCompile(`\bin (?:every |all |the |any )*(?:typescript|ts) (?:code|files?|sources?)\b|\*\.ts\b`), []string{"*.ts", "*.tsx"}},
	{regexp.MustCompile(`\bin (?:every |all |the |any )*java (?:code|files?|sources?)\b|\*\.java\b`), []string{"*.java"}},
	{regexp.MustCompile(`\bin (?:every |all |the |any )*ya?ml (?:files?)\b|\*\.ya?ml\b`), []string{"*.yaml", "*.yml"}},
	{regexp.MustCompile(`\bin (?:every |all |the |any )*markdown (?:files?)\b|\*\.md\b`), []string{"*.md"}},
	{regexp.MustCompile(`\bin (?:every |all |the |any )*dockerfiles?\b|\b(?:every|each|all) dockerfiles?\b`), []string{"Dockerfile*", "*.Dockerfile"}},
}

// globsOf reads which files a prompt is about; none: all of them.
func globsOf(prose string) []string {
	lower := strings.ToLower(prose)
	var globs []string
	for _, l := range languageGlobs {
		if l.words.MatchString(lower) {
			globs = append(globs, l.globs...)
		}
	}
	return globs
}

// matchesAny reports whether a path's base name fits one of the globs; no globs fit everything.
func matchesAny(globs []string, p string) bool {
	for _, g := range globs {
		if ok, err := path.Match(g, path.Base(p)); ok && err == nil {
			return true
		}
	}
	return len(globs) == 0
}

func queriesFor(pattern string, globs []string) []query {
	if len(globs) == 0 {
		return []query{{pattern: pattern}}
	}
	var qs []query
	for _, g := range globs {
		qs = append(qs, query{pattern, g})
	}
	return qs
}
