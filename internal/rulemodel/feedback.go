package rulemodel

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// complaint is what a compiler, a linter or a test said about a line of a file.
type complaint struct {
	path    string // as it was written
	line    int
	message string
}

var (
	complaintLine = regexp.MustCompile(`(?m)^\s*(?:[-*] +)?(?:vet: +|#+ +)?(?:\./)?([\w@+][\w./@+-]*\.\w+):(\d+)(?::(\d+))?:? +(.+)$`)
	pythonTrace   = regexp.MustCompile(`(?m)^\s*File "([^"]+\.py)", line (\d+)`)
	pythonUnknown = regexp.MustCompile(`(?m)name '(\w+)' is not defined|[Uu]ndefined name [\x60'"](\w+)`)

	// How guards and the judge are quoted to agents: "- RULE at FILE:LINE: …", "- FILE:LINE: … (RULE)", "Outside of what was
	// asked: FILE:LINE, …", "- outside the task: FILE:LINE", "- FILE:LINE is outside the prompt: …".
	findingLine  = regexp.MustCompile(`(?m)^- [a-z][a-z0-9-]* at (\S+?)(?::\d+)?: `)
	findingFirst = regexp.MustCompile(`(?m)^- (\S+?):\d+: .*\([a-z][a-z0-9-]*\)$`)
	outsideLine  = regexp.MustCompile(`(?m)^(?:Outside of what was asked|- outside the task): (.+)$`)
	outsideFirst = regexp.MustCompile(`(?m)^- (\S+?):\d+ is outside `)
)

func complaints(text string) []complaint {
	var out []complaint
	for _, m := range complaintLine.FindAllStringSubmatch(text, 500) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			continue
		}
		out = append(out, complaint{m[1], n, m[4]})
	}
	for _, at := range pythonTrace.FindAllStringSubmatchIndex(text, 100) {
		n, err := strconv.Atoi(text[at[4]:at[5]])
		if m := pythonUnknown.FindString(text[at[1]:]); err == nil && m != "" {
			out = append(out, complaint{text[at[2]:at[3]], n, m})
		}
	}
	return out
}

// objections lists the files that guards or the judge want left alone or done differently.
func objections(text string) []string {
	var files []string
	add := func(p string) {
		if p = clean(p); p != "" && !slices.Contains(files, p) {
			files = append(files, p)
		}
	}
	for _, re := range []*regexp.Regexp{findingLine, findingFirst, outsideFirst} {
		for _, m := range re.FindAllStringSubmatch(text, 200) {
			add(m[1])
		}
	}
	for _, m := range outsideLine.FindAllStringSubmatch(text, 50) {
		for _, p := range strings.Split(m[1], ",") {
			p = strings.TrimSpace(p)
			if i := strings.LastIndexByte(p, ':'); i > 0 {
				p = p[:i]
			}
			add(p)
		}
	}
	return files
}

// meant returns the one of the files that a written path most likely means: that very one, else the one whose path agrees
// with the most of it; "" when none does.
func meant(written string, files []string) string {
	best := ""
	for _, p := range files {
		if p == path.Clean(written) {
			return p
		}
		if same(written, p) && len(p) > len(best) {
			best = p
		}
	}
	return best
}

// same reports whether a path as a tool wrote it, perhaps from another folder, may mean this file.
func same(written, p string) bool {
	written = path.Clean(written)
	return written == p || strings.HasSuffix(p, "/"+written) || strings.HasSuffix(written, "/"+p)
}

var (
	goUnused    = regexp.MustCompile(`^"([^"]+)" imported(?: as \w+)? and not used`)
	goUndefined = regexp.MustCompile(`^undefined: (\w+)$|^undefined: (\w+)\b`)
	goDirEntry  = regexp.MustCompile(`DirEntry\b.*(?:has no field or method|as .*FileInfo|does not implement)|cannot use .*DirEntry`)
	pyUnused    = regexp.MustCompile("[`']([\\w.]+)[`'] imported but unused")
)

// mend does what the complaints about one file call for, as far as there is a rule for it.
func mend(v view, about []complaint, helperElsewhere bool) string {
	src := v.content
	var dirLines []int
	for _, c := range about {
		msg := strings.TrimSpace(c.message)
		switch path.Ext(v.path) {
		case ".go":
			if m := goUnused.FindStringSubmatch(msg); m != nil {
				src = dropImport(src, m[1])
			} else if m := goUndefined.FindStringSubmatch(msg); m != nil {
				if home := standard[m[1]+m[2]]; home != "" {
					src = addImport(src, home)
				}
			} else if goDirEntry.MatchString(msg) {
				dirLines = append(dirLines, c.line)
			}
		case ".py":
			if m := pythonUnknown.FindStringSubmatch(msg); m != nil {
				if home := pythonHomes[m[1]+m[2]]; home != "" {
					src = pythonImport(src, home, m[1]+m[2])
				}
			} else if m := pyUnused.FindStringSubmatch(msg); m != nil {
				name := m[1][strings.LastIndexByte(m[1], '.')+1:]
				src = regexp.MustCompile(`(?m)^(?:from \S+ )?import `+regexp.QuoteMeta(name)+`\s*\n`).ReplaceAllString(src, "")
			}
		}
	}
	if dirLines != nil {
		fixed := infoHelper(src, dirLines)
		if helperElsewhere && fixed != src {
			fixed = strings.Replace(fixed, helperText, "\n", 1)
		}
		src = fixed
	}
	return src
}
