package guard

import (
	"path"
	"slices"
	"strings"
	"unicode"
)

// want is one way to ask for something: a verb, and one of the objects after it.
type want struct {
	verbs   []string // stems: "updat" covers update, updates, updating
	objects []string // stems of the last word, or phrases of several words
	direct  bool     // the object must be the verb's own ("delete the tests"), not a place ("remove x from the tests")
}

// request is a prompt, cut into clauses that ask for something. Clauses with a negation are kept out.
type request struct {
	clauses [][]string // lower-case words
	words   map[string]bool
	parts   map[string]bool // words cut at punctuation
	text    string          // lower case, spaces folded
}

var (
	negations = words("not never no nor neither avoid avoiding keep keeping leave leaving forbid forbidden unchanged untouched intact preserve preserving cannot mustn't shouldn't don't doesn't won't can't isn't aren't none nothing refuse")
	cutters   = words("without except excluding unless instead rather besides")
	// clause openers end the reach of a verb: "update X so that CI passes" does not ask to update CI.
	openers = words("so that because until if when where while before after ensure ensuring sure check checking verify verifying run running see follow following using which whose pass passes passing")
	places  = words("from in into of across to for with within inside by on at via over under during like as")
	edits   = stems("updat edit chang add bump upgrad migrat replac renam mov modif rewrit convert switch adjust fix set pin remov delet drop refresh regenerat touch extend adapt introduc creat writ rais increas instal configur enabl use")
)

func words(list string) []string { return strings.Fields(list) }
func stems(list string) []string { return strings.Fields(list) }

// readPrompt cuts a prompt into positive clauses. A sentence without any negation is one clause; one with a
// negation is cut at commas and conjunctions, and only the parts without it count.
func readPrompt(prompt string) request {
	r := request{words: map[string]bool{}, parts: map[string]bool{}, text: strings.Join(strings.Fields(strings.ToLower(prompt)), " ")}
	for _, w := range wordsIn.FindAllString(r.text, -1) {
		r.parts[w] = true
	}
	for _, sentence := range sentences(prompt) {
		toks := tokenize(sentence)
		for _, w := range toks {
			r.words[w] = true
		}
		if !slices.ContainsFunc(toks, negates) {
			r.keep(toks)
			continue
		}
		var clause []string
		flush := func() {
			if !slices.ContainsFunc(clause, negates) {
				r.keep(clause)
			}
			clause = nil
		}
		for _, w := range toks {
			if w == "," || w == "and" || w == "but" || w == ":" || w == "or" {
				flush()
				continue
			}
			clause = append(clause, w)
		}
		flush()
	}
	return r
}

// keep adds a clause, up to the word that turns it round.
func (r *request) keep(clause []string) {
	if i := slices.IndexFunc(clause, func(w string) bool { return slices.Contains(cutters, w) }); i >= 0 {
		clause = clause[:i]
	}
	if len(clause) > 0 {
		r.clauses = append(r.clauses, clause)
	}
}

func negates(w string) bool { return slices.Contains(negations, w) }

// sentences splits at full stops before a space, at blank lines and at list items; a line that only wraps goes on.
func sentences(text string) []string {
	var out []string
	var b strings.Builder
	flush := func() {
		if s := strings.TrimSpace(b.String()); s != "" {
			out = append(out, s)
		}
		b.Reset()
	}
	for _, l := range strings.Split(text, "\n") {
		t := strings.TrimSpace(l)
		if t == "" || strings.HasPrefix(t, "- ") || strings.HasPrefix(t, "* ") || strings.HasPrefix(t, "#") || len(t) > 2 && unicode.IsDigit(rune(t[0])) && (t[1] == '.' || t[1] == ')') {
			flush()
		}
		for i, c := range t {
			end := i+1 >= len(t) || t[i+1] == ' '
			if (c == '.' || c == '!' || c == '?' || c == ';') && end {
				flush()
				continue
			}
			b.WriteRune(c)
		}
		b.WriteByte(' ')
	}
	flush()
	return out
}

// tokenize returns lower-case words; file names, versions and dotted names stay whole; commas and colons are words.
func tokenize(sentence string) []string {
	var out []string
	for _, field := range strings.Fields(strings.ToLower(strings.ReplaceAll(sentence, "’", "'"))) {
		field = strings.Trim(field, "`\"'()[]{}<>*!?“”")
		tail := ""
		for strings.HasSuffix(field, ",") || strings.HasSuffix(field, ":") {
			tail = field[len(field)-1:]
			field = field[:len(field)-1]
		}
		if field = strings.Trim(field, "`\"'()[]{}<>*!?“”"); field != "" {
			out = append(out, field)
		}
		if tail != "" {
			out = append(out, tail)
		}
	}
	return out
}

// permits reports whether the prompt asks for what the rule objects to.
func (r request) permits(rule *Rule, file string) bool {
	if rule == nil || len(r.clauses) == 0 {
		return false
	}
	if rule.named && r.namesFile(file) {
		return true
	}
	for _, w := range rule.asked {
		if r.wants(w) {
			return true
		}
	}
	return false
}

// wants reports whether some clause holds one of the verbs with one of the objects in its reach.
func (r request) wants(w want) bool {
	for _, clause := range r.clauses {
		for i, word := range clause {
			if !stemmed(word, w.verbs) {
				continue
			}
			if len(w.objects) == 0 {
				return true
			}
			reach := clause[i+1 : min(len(clause), i+25)]
			for j := range reach {
				if slices.Contains(openers, reach[j]) || w.direct && slices.Contains(places, reach[j]) || w.direct && j > 0 && stemmed(reach[j], edits) && !stemmed(reach[j], w.objects) {
					break
				}
				if n := objectAt(reach[j:], w.objects); n > 0 && headNoun(reach[j+n:], w.direct) {
					return true
				}
			}
		}
	}
	return false
}

// objectAt returns how many words at the start of text are one of the objects, or 0.
func objectAt(text, objects []string) int {
	for _, o := range objects {
		parts := strings.Fields(o)
		if len(parts) > len(text) {
			continue
		}
		ok := true
		for k, part := range parts {
			last := k == len(parts)-1
			ok = ok && (text[k] == part || last && strings.HasPrefix(text[k], part) && len(text[k]) <= len(part)+3)
		}
		if ok {
			return len(parts)
		}
	}
	return 0
}

// headNoun reports whether the object before rest is what the phrase is about: "the tests of X" is about tests,
// "the test runner" is not.
func headNoun(rest []string, direct bool) bool {
	if len(rest) == 0 {
		return true
	}
	w := rest[0]
	if slices.Contains([]string{"pass", "passes", "stays", "is", "must", "should", "remains", "runs", "succeeds", "green", "still"}, w) {
		return false
	}
	if !direct {
		return true
	}
	return slices.Contains(places, w) || slices.Contains(openers, w) || slices.Contains(cutters, w) ||
		slices.Contains([]string{",", "and", "or", "too", "also", "entirely", "file", "files", "case", "cases", "class", "classes", "method", "methods", "function", "functions", "suite", "suites", "version", "versions", "there", "that", "altogether", "themselves", "it", "they"}, w)
}

// namesFile reports whether a positive clause names the file, by its path or base name, and an edit.
func (r request) namesFile(file string) bool {
	lower, base := strings.ToLower(file), strings.ToLower(path.Base(file))
	for _, clause := range r.clauses {
		verb := false
		for _, w := range clause {
			if slices.Contains(openers, w) {
				verb = false
				continue
			}
			verb = verb || stemmed(w, edits)
			name := strings.TrimPrefix(strings.TrimSuffix(w, "/"), "./")
			if w := name == lower || name == base || strings.Contains(name, "/") && strings.HasPrefix(lower, name+"/") || strings.HasSuffix(name, "/**") && strings.HasPrefix(lower, strings.TrimSuffix(name, "**")); !w {
				continue
			}
			if verb || stemmed(clause[len(clause)-1], edits) || clause[0] == "in" && slices.ContainsFunc(clause, func(w string) bool { return stemmed(w, edits) }) {
				return true
			}
		}
	}
	return false
}

func stemmed(word string, list []string) bool {
	for _, s := range list {
		if strings.HasPrefix(word, s) && len(word) <= len(s)+5 {
			return true
		}
	}
	return false
}

var removals = stems("remov delet drop retir deprecat eliminat prun replac inlin merg consolidat purg strip")

// removes reports whether the prompt asks for a removal of anything.
func (r request) removes() bool {
	for _, clause := range r.clauses {
		for _, w := range clause {
			if stemmed(w, removals) {
				return true
			}
		}
	}
	return false
}

// speaksOf reports whether the prompt holds a name, alone, with its package, or as separate words.
func (r request) speaksOf(name string) bool {
	lower := strings.ToLower(name)
	if r.words[lower] {
		return true
	}
	parts := nameParts(name)
	hits := 0
	for _, p := range parts {
		if len(p) > 2 && (r.words[p] || r.words[p+"s"] || r.words[strings.TrimSuffix(p, "s")]) {
			hits++
		}
	}
	if hits > 0 && hits*2 >= len(parts) {
		return true
	}
	for w := range r.words {
		if strings.HasSuffix(w, "."+lower) || strings.HasSuffix(w, "#"+lower) || strings.HasSuffix(w, "/"+lower) || strings.HasPrefix(w, lower+"(") || strings.HasPrefix(w, lower+".") {
			return true
		}
	}
	return false
}

// speaksOfPath reports whether the prompt holds a folder of a path.
func (r request) speaksOfPath(file string) bool {
	for _, part := range strings.Split(path.Dir(file), "/") {
		if p := strings.ToLower(part); len(p) > 3 && p != "internal" && p != "main" && p != "java" && p != "test" && (r.words[p] || r.parts[p]) {
			return true
		}
	}
	return false
}

// nameParts splits a name at underscores and capitals into lower-case words.
func nameParts(name string) []string {
	var out []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			out = append(out, strings.ToLower(b.String()))
			b.Reset()
		}
	}
	var prev rune
	for _, c := range name {
		if c == '_' || c == '-' || c == '.' {
			flush()
		} else {
			if unicode.IsUpper(c) && !unicode.IsUpper(prev) {
				flush()
			}
			b.WriteRune(c)
		}
		prev = c
	}
	flush()
	return out
}

// holdsValue reports whether the prompt holds a literal value, as a word or in quotes.
func (r request) holdsValue(v string) bool {
	v = strings.ToLower(strings.TrimSpace(v))
	if v == "" || len(v) > 500 {
		return false
	}
	switch v {
	case "true", "false", "null", "nil", "none", "0", "1":
		return false // too common a word to speak of this value
	}
	return r.words[v] || len(v) > 3 && strings.ContainsAny(v, " /-.:_") && strings.Contains(r.text, v)
}

// holdsWord reports whether the prompt holds a word, also as a part of a longer one.
func (r request) holdsWord(w string) bool { return r.parts[strings.ToLower(w)] }
