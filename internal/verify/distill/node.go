package distill

import (
	"gaggle/internal/fleet"
	"regexp"
	"strings"
)

// readNode reads what npm, pnpm and yarn scripts run: test runners first, then compilers, bundlers and linters, and only when
// those say nothing the crash of a program or of the package manager.
func readNode(d *document) {
	for _, r := range []reader{readJest, readVitest, readMocha, readNodeTest, readTAP, readAVA, readJasmine} {
		r(d)
	}
	readNodeCompilers(d)
	readLocated(d)
	if len(d.found) == 0 || d.crashed {
		readNodeCrash(d)
	}
	if len(d.found) == 0 {
		readPackageManager(d)
	}
}

var jsFrame = regexp.MustCompile(`(?:^|[\s(])((?:file://)?[^\s():]+?\.[A-Za-z]{1,7}):(\d+):(\d+)\)?(?:\s*\{)?$`)

// frame finds a place in the component's own code in a line of a stack trace.
func (d *document) frame(line string) string {
	m := jsFrame.FindStringSubmatch(line)
	if m == nil || strings.Contains(m[1], "node_modules/") || strings.HasPrefix(m[1], "node:") {
		return ""
	}
	file := d.file(m[1])
	if strings.HasPrefix(file, "/") || strings.HasPrefix(file, "../") {
		return ""
	}
	return file + ":" + m[2] + ":" + m[3]
}

var codeFrame = regexp.MustCompile(`^\s*>?\s*\d*\s*[|│╵]`)

// tell boils a failed test's text down: what it says, without code frames and stack traces, and the first place of
// the component's own in its stack.
func (d *document) tell(text []string) []string {
	var out []string
	at, inside := "", false
	for _, line := range text {
		trimmed := strings.TrimSpace(line)
		switch {
		case inside: // the properties that node prints behind a stack trace
			inside = trimmed != "}"
		case trimmed == "Details:": // Jest's advice on files that it cannot parse stands before it
			out = nil
		case trimmed == "" || codeFrame.MatchString(line):
		case strings.HasPrefix(trimmed, "at ") || strings.HasPrefix(trimmed, "❯ ") || strings.HasPrefix(trimmed, "› "):
			if at == "" {
				at = d.frame(trimmed)
			}
			inside = strings.HasSuffix(trimmed, "{")
		case trimmed == "+ expected - actual", trimmed == "+ actual - expected", strings.HasPrefix(trimmed, "- Expected") || strings.HasPrefix(trimmed, "+ Received"):
		default:
			out = append(out, trimmed)
		}
	}
	if len(out) > 8 {
		out = append(out[:7], "… "+fleet.Count(len(out)-7, "more line"))
	}
	if at != "" {
		out = append(out, "at "+at)
	}
	return out
}

var (
	jestFile  = regexp.MustCompile(`^(?:FAIL|PASS)\s+(?:\S+ )?(\S+\.\S+?)(?: \(.*)?$`)
	jestTitle = regexp.MustCompile(`^\s{1,4}● (.+)$`)
	jestEnd   = regexp.MustCompile(`^(?:FAIL|PASS) |^Test Suites: |^Summary of all failing tests|^Snapshot Summary|^-{5,}.*\|`)
	jestSelf  = regexp.MustCompile(`^Jest: (.*)$`)
)

// readJest reads Jest's default reporter.
func readJest(d *document) {
	file := ""
	for i := 0; i < len(d.lines); i++ {
		if m := jestFile.FindStringSubmatch(d.lines[i]); m != nil {
			file = d.file(m[1])
			d.use(i, i+1)
			continue
		}
		if m := jestSelf.FindStringSubmatch(d.lines[i]); m != nil {
			d.add(i, "jest: "+digits.ReplaceAllString(m[1], "#"), d.lines[i])
			continue
		}
		m := jestTitle.FindStringSubmatch(d.lines[i])
		if m == nil {
			continue
		}
		end := i + 1
		for end < len(d.lines) && !jestTitle.MatchString(d.lines[end]) && !jestEnd.MatchString(d.lines[end]) {
			end++
		}
		if title := strings.TrimSpace(m[1]); title != "Console" && !strings.HasPrefix(title, "Deprecation") && !strings.HasPrefix(title, "Validation Warning") {
			d.add(i, "test "+file+" "+title, "FAIL "+strings.TrimSpace(file+" › "+title), d.tell(d.lines[i+1:end])...)
		}
		d.use(i, end)
		i = end - 1
	}
}

var (
	vitestTitle = regexp.MustCompile(`^\s?FAIL\s{2}(\S.*)$`)
	vitestRule  = regexp.MustCompile(`^⎯{4,}`)
	vitestLoose = regexp.MustCompile(`^⎯{2,} (Uncaught Exception|Unhandled Rejection|Unhandled Error) ⎯{2,}$`)
)

// readVitest reads the list of failures with which Vitest ends.
func readVitest(d *document) {
	for i := 0; i < len(d.lines); i++ {
		var titles []string
		end := i
		if m := vitestLoose.FindStringSubmatch(d.lines[i]); m != nil {
			titles, end = []string{m[1]}, i+1
		}
		for end < len(d.lines) && vitestTitle.MatchString(d.lines[end]) && strings.ContainsAny(d.lines[end], ">[./") {
			titles = append(titles, vitestTitle.FindStringSubmatch(d.lines[end])[1])
			end++
		}
		if len(titles) == 0 {
			continue
		}
		body := end
		for end < len(d.lines) && !vitestRule.MatchString(d.lines[end]) && !vitestTitle.MatchString(d.lines[end]) {
			end++
		}
		for _, title := range titles {
			if before, _, ok := strings.Cut(title, " [ "); ok {
				title = before
			}
			d.add(i, "test "+d.in.Dir+" "+title, "FAIL "+d.under(title), d.tell(d.lines[body:end])...)
		}
		d.use(i, end)
		i = end - 1
	}
}

// under puts the command's folder before a text that begins with a file.
func (d *document) under(text string) string {
	if file, rest, _ := strings.Cut(text, " "); strings.Contains(file, ".") && d.in.Dir != "." && d.in.Dir != "" {
		return strings.TrimSpace(d.file(file) + " " + rest)
	}
	return text
}

var (
	mochaCount = regexp.MustCompile(`^\s+\d+ failing$`)
	mochaItem  = regexp.MustCompile(`^\s{1,6}\d+\) (.+)$`)
)

// readMocha reads the list of failures with which Mocha's reporters end.
func readMocha(d *document) {
	i := 0
	for i < len(d.lines) && !mochaCount.MatchString(d.lines[i]) {
		i++
	}
	for i++; i < len(d.lines); i++ {
		m := mochaItem.FindStringSubmatch(d.lines[i])
		if m == nil {
			continue
		}
		start := i
		title := []string{strings.TrimSuffix(strings.TrimSpace(m[1]), ":")}
		for done := strings.HasSuffix(d.lines[i], ":"); !done && i+1 < len(d.lines) && len(title) < 12; {
			i++
			next := strings.TrimSpace(d.lines[i])
			if next == "" {
				break
			}
			done = strings.HasSuffix(next, ":")
			title = append(title, strings.TrimSuffix(next, ":"))
		}
		end := i + 1
		for end < len(d.lines) && !mochaItem.MatchString(d.lines[end]) && !strings.HasPrefix(d.lines[end], "npm ") {
			end++
		}
		name := strings.Join(title, " › ")
		d.add(start, "test "+d.in.Dir+" "+name, "FAIL "+name, d.tell(d.lines[i+1:end])...)
		d.use(start, end)
		i = end - 1
	}
}

var (
	nodeTestAt   = regexp.MustCompile(`^test at (\S+?):(\d+):(\d+)$`)
	nodeTestName = regexp.MustCompile(`^✖ (.+?)(?: \(\d[\d.]*m?s\))?$`)
)

// readNodeTest reads the list of failures with which node --test ends in its spec reporter.
func readNodeTest(d *document) {
	i := len(d.lines) - 1
	for i >= 0 && d.lines[i] != "✖ failing tests:" {
		i--
	}
	if i < 0 {
		return
	}
	for i++; i < len(d.lines); i++ {
		at := nodeTestAt.FindStringSubmatch(d.lines[i])
		if at == nil || i+1 == len(d.lines) {
			continue
		}
		name := nodeTestName.FindStringSubmatch(d.lines[i+1])
		if name == nil {
			continue
		}
		end := i + 2
		for end < len(d.lines) && !nodeTestAt.MatchString(d.lines[end]) {
			end++
		}
		title := name[1]
		if strings.HasPrefix(title, "/") {
			title, d.crashed = "the file", true
		}
		file := d.file(at[1])
		d.add(i, "test "+file+" "+title, "FAIL "+file+":"+at[2]+" › "+title, d.tell(d.lines[i+2:end])...)
		d.use(i, end)
		i = end - 1
	}
}

var (
	tapResult = regexp.MustCompile(`^(\s*)(not ok|ok) \d+\s*(?:- )?(.*)$`)
	tapField  = regexp.MustCompile(`^\s*(error|location|at|file|line|expected|actual|found|wanted|message|failureType|exitCode):\s*(.*)$`)
)

// readTAP reads the Test Anything Protocol: node --test, tap, tape, and what else speaks it.
func readTAP(d *document) {
	var failed []int // indents of the failures since the last result of their parent
	for i := 0; i < len(d.lines); i++ {
		m := tapResult.FindStringSubmatch(d.lines[i])
		if m == nil {
			continue
		}
		indent := len(m[1])
		nested := false
		for len(failed) > 0 && failed[len(failed)-1] > indent {
			failed, nested = failed[:len(failed)-1], true
		}
		name, note, _ := strings.Cut(m[3], " # ")
		note = strings.ToUpper(note)
		if m[2] == "ok" || strings.HasPrefix(note, "TODO") || strings.HasPrefix(note, "SKIP") {
			continue
		}
		failed = append(failed, indent)
		at, end := i, i+1
		var fields []string
		file, number := "", ""
		if end < len(d.lines) && strings.TrimSpace(d.lines[end]) == "---" {
			for end++; end < min(i+100, len(d.lines)) && strings.TrimSpace(d.lines[end]) != "..." && !tapResult.MatchString(d.lines[end]); end++ {
				if f := tapField.FindStringSubmatch(d.lines[end]); f != nil {
					value := strings.Trim(f[2], `'"`)
					switch {
					case f[1] == "location" || f[1] == "at" && value != "":
						if place := d.frame(value); place != "" {
							file = strings.SplitN(place, ":", 2)[0]
							fields = append(fields, "at "+place)
						}
					case f[1] == "file":
						file = d.file(value)
					case f[1] == "line":
						number = value
					case f[1] == "failureType" || f[1] == "exitCode" || value == "":
					case value == "|-" || value == "|" || value == ">-":
						fields = append(fields, d.block(end)...)
					default:
						fields = append(fields, f[1]+": "+value)
					}
				} else if place := d.frame(d.lines[end]); place != "" && file == "" {
					file = strings.SplitN(place, ":", 2)[0]
					fields = append(fields, "at "+place)
				}
			}
		}
		d.use(i, end)
		i = max(i, end-1)
		if file != "" && number != "" && !strings.Contains(strings.Join(fields, "\n"), "at "+file+":") {
			fields = append(fields, "at "+file+":"+number)
		}
		if nested { // a parent whose child failed says nothing of its own
			continue
		}
		name = strings.TrimSpace(underRoot(name, d.in.Root))
		if strings.HasSuffix(file, name) && name != "" {
			name, d.crashed = "the file", true
		}
		d.add(at, "test "+file+" "+name, "FAIL "+strings.TrimSpace(file+" › "+name), fields...)
	}
}

// block returns the text of a YAML block scalar that begins after a line, at most ten lines of it.
func (d *document) block(at int) []string {
	indent := len(d.lines[at]) - len(strings.TrimLeft(d.lines[at], " "))
	var out []string
	for i := at + 1; i < len(d.lines) && len(out) < 10; i++ {
		line := d.lines[i]
		if line == "" || strings.TrimSpace(line) == "+ actual - expected" {
			continue
		}
		if len(line)-len(strings.TrimLeft(line, " ")) <= indent {
			break
		}
		out = append(out, strings.TrimSpace(line))
	}
	return out
}

var avaTitle = regexp.MustCompile(`^\s+[✘✖×] \[fail\]: (.+?)$`)

// readAVA reads AVA: a list of failed tests, then a section for each with its title on a line of its own.
func readAVA(d *document) {
	type test struct {
		at   int
		name string
	}
	var tests []test
	for i, line := range d.lines {
		if m := avaTitle.FindStringSubmatch(line); m != nil && len(tests) < 100 {
			tests = append(tests, test{i, m[1]})
		}
	}
	for _, t := range tests {
		var body []string
		for i := t.at + 1; i < len(d.lines); i++ {
			title := strings.TrimSpace(d.lines[i])
			if title == "" || title != t.name && !strings.HasPrefix(t.name, title+" ") || avaTitle.MatchString(d.lines[i]) {
				continue
			}
			t.name = title
			blank := 0
			for k := i + 1; k < len(d.lines) && blank < 3 && len(body) < 40 && strings.TrimSpace(d.lines[k]) != "─"; k++ {
				if d.lines[k] == "" {
					blank++
				} else {
					blank = 0
				}
				if avaCode.MatchString(d.lines[k]) {
					continue
				}
				body = append(body, d.lines[k])
			}
			d.use(i, i+len(body))
			break
		}
		d.add(t.at, "test "+d.in.Dir+" "+t.name, "FAIL "+t.name, d.tell(body)...)
	}
}

var avaCode = regexp.MustCompile(`^\s+\d+: `)

var jasmineItem = regexp.MustCompile(`^\d+\) (.+)$`)

// readJasmine reads Jasmine's list of failures.
func readJasmine(d *document) {
	i := 0
	for i < len(d.lines) && d.lines[i] != "Failures:" {
		i++
	}
	for ; i < len(d.lines); i++ {
		m := jasmineItem.FindStringSubmatch(d.lines[i])
		if m == nil || i+1 == len(d.lines) || strings.TrimSpace(d.lines[i+1]) != "Message:" {
			continue
		}
		end := i + 2
		for end < len(d.lines) && d.lines[end] != "" {
			end++
		}
		body := d.lines[i+2 : end]
		for k, line := range body {
			if strings.TrimSpace(line) == "Stack:" {
				body[k] = ""
			}
		}
		d.add(i, "test "+d.in.Dir+" "+m[1], "FAIL "+m[1], d.tell(body)...)
		d.use(i, end)
		i = end
	}
}
