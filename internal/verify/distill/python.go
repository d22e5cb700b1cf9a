package distill

import (
	"gaggle/internal/fleet"
	"regexp"
	"strconv"
	"strings"
)

// readPython reads pytest, unittest, mypy, ruff, flake8, black, compileall, and a traceback when nothing else is there.
func readPython(d *document) {
	readPytest(d)
	readUnittest(d)
	readPythonLinters(d)
	readLocated(d)
	if len(d.found) == 0 {
		readTraceback(d)
	}
}

var (
	pytestSection = regexp.MustCompile(`^_{3,} (.+?) _{3,}$`)
	pytestBanner  = regexp.MustCompile(`^[=!]{3,} (.+?) [=!]{3,}$`)
	pytestSummary = regexp.MustCompile(`^(FAILED|ERROR) (\S+?\.\w+(?:::.*?)?)(?: - (.*))?$`)
	pytestPlace   = regexp.MustCompile(`^(\S+\.\w+):(\d+): ?(.*)$`)
	pytestSays    = regexp.MustCompile(`^E(?:   ?(.*))?$`)
	pytestConf    = regexp.MustCompile(`^(?:ImportError|ConftestImportFailure).* conftest '([^']+)'|^(?:ERROR: |(?:__main__\.py|pytest|py\.test): )((?:error: |file or directory not found: |not found: |Wrong expression|while parsing |No |Unknown ).+)$`)
	pytestInner   = regexp.MustCompile(`^INTERNALERROR> +(\w+(?:\.\w+)*(?:Error|Exception|Exit): .*)$`)
)

// pytestFailure is what one section says.
type pytestFailure struct {
	at   int
	name string
	text []string
	said []string // places with what stands behind them
}

// readPytest joins the sections, which say what is wrong, with the closing summary, which says where each belongs.
func readPytest(d *document) {
	sections := map[string][]*pytestFailure{}
	var order []*pytestFailure
	summary := false
	for i := 0; i < len(d.lines); i++ {
		line := d.lines[i]
		if m := pytestBanner.FindStringSubmatch(line); m != nil {
			summary = m[1] == "short test summary info"
			continue
		}
		if m := pytestSection.FindStringSubmatch(line); m != nil && strings.Trim(m[1], "_ ") != "" {
			f, end := d.pytestBody(i, m[1])
			sections[f.name] = append(sections[f.name], f)
			order = append(order, f)
			d.use(i, end)
			i = end - 1
			continue
		}
		if m := pytestInner.FindStringSubmatch(line); m != nil {
			d.add(i, "pytest: "+m[1], "pytest itself: "+m[1])
			continue
		}
		if m := pytestConf.FindStringSubmatch(line); m != nil && !summary && len(order) == 0 && len(d.found) < 100 {
			d.pytestStart(i, m)
			continue
		}
		m := pytestSummary.FindStringSubmatch(line)
		if m == nil || !summary {
			continue
		}
		file, name, _ := strings.Cut(m[2], "::")
		section := strings.ReplaceAll(name, "::", ".")
		if m[1] == "ERROR" && name == "" {
			section = "ERROR collecting " + file
		}
		f := take(sections, section, "ERROR at setup of "+section, "ERROR at teardown of "+section, "ERROR collecting "+m[2])
		at, detail := i, []string{m[3]}
		if f != nil {
			at, detail = f.at, d.pytestDetail(f)
			f.at = -1
		}
		d.use(i, i+1)
		d.add(at, "test "+strings.TrimSuffix(d.file(file)+"::"+name, "::"), m[1]+" "+d.file(file)+strings.TrimSuffix("::"+name, "::"), detail...)
	}
	for _, f := range order { // no summary, or one that left some out
		if f.at >= 0 {
			d.add(f.at, "test "+f.name, "FAILED "+f.name, d.pytestDetail(f)...)
		}
	}
}

// take removes and returns the first section of the first name that has one.
func take(sections map[string][]*pytestFailure, names ...string) *pytestFailure {
	for _, name := range names {
		if list := sections[name]; len(list) > 0 {
			sections[name] = list[1:]
			return list[0]
		}
	}
	return nil
}

// pytestBody reads a section up to the next section or banner.
func (d *document) pytestBody(from int, name string) (*pytestFailure, int) {
	f := &pytestFailure{at: from, name: name}
	i := from + 1
	for ; i < len(d.lines); i++ {
		line := d.lines[i]
		if pytestBanner.MatchString(line) || strings.HasPrefix(line, "___") && pytestSection.MatchString(line) {
			break
		}
		if m := pytestSays.FindStringSubmatch(line); m != nil {
			if text := strings.TrimSpace(m[1]); text != "" && len(f.text) < 40 && !strings.HasPrefix(text, "?") {
				f.text = append(f.text, text)
			}
		} else if m := pytestPlace.FindStringSubmatch(line); m != nil && len(f.said) < 200 {
			f.said = append(f.said, d.file(m[1])+":"+m[2])
		}
	}
	return f, i
}

// pytestDetail shows the first lines that pytest marks with E, and the last place in the component's own files.
func (d *document) pytestDetail(f *pytestFailure) []string {
	detail := f.text
	if len(detail) > 8 {
		detail = append(append([]string(nil), detail[:7]...), "… "+fleet.Count(len(f.text)-7, "more line"))
	}
	for i := len(f.said) - 1; i >= 0; i-- {
		if place := f.said[i]; !strings.HasPrefix(place, "/") && !strings.HasPrefix(place, "../") && !strings.HasPrefix(place, "<") && !strings.Contains(place, "site-packages/") {
			return append(append([]string(nil), detail...), "at "+place)
		}
	}
	return detail
}

// pytestStart reads why pytest did not even begin: a broken conftest, or options that it does not know.
func (d *document) pytestStart(i int, m []string) {
	if m[1] == "" {
		d.add(i, "pytest: "+m[2], d.lines[i])
		d.use(i, i+1)
		return
	}
	end := i + 1
	f := &pytestFailure{}
	for ; end < len(d.lines) && end < i+60; end++ {
		if e := pytestSays.FindStringSubmatch(d.lines[end]); e != nil && strings.TrimSpace(e[1]) != "" {
			f.text = append(f.text, strings.TrimSpace(e[1]))
		}
	}
	file := d.file(m[1])
	d.add(i, "conftest "+file, "ERROR "+file+" cannot be loaded", d.pytestDetail(f)...)
	d.use(i, end)
}

var (
	unittestHead  = regexp.MustCompile(`^(FAIL|ERROR): (.+)$`)
	unittestRule  = regexp.MustCompile(`^(={50,}|-{50,})$`)
	tracebackFile = regexp.MustCompile(`^\s+File "([^"]+)", line (\d+)(?:, in (.*))?$`)
)

// readUnittest reads unittest's and Django's list of failures.
func readUnittest(d *document) {
	for i := 0; i+2 < len(d.lines); i++ {
		if !unittestRule.MatchString(d.lines[i]) || !strings.HasPrefix(d.lines[i], "=") {
			continue
		}
		m := unittestHead.FindStringSubmatch(d.lines[i+1])
		if m == nil {
			continue
		}
		end := i + 2
		for end < len(d.lines) && !(unittestRule.MatchString(d.lines[end]) && end > i+3) {
			end++
		}
		place, text := d.traceback(d.lines[i+2 : end])
		if place != "" {
			text = append(text, "at "+place)
		}
		d.add(i, "test "+m[2], m[1]+" "+m[2], text...)
		d.use(i, end)
		i = end - 1
	}
}

// traceback finds the last place of the component's own, and what the error says.
func (d *document) traceback(text []string) (place string, says []string) {
	speaking := false
	for _, line := range text {
		if m := tracebackFile.FindStringSubmatch(line); m != nil {
			if file := d.file(m[1]); !strings.HasPrefix(file, "/") && !strings.HasPrefix(file, "<") && !strings.Contains(file, "site-packages/") {
				place = file + ":" + m[2]
			}
			speaking = false
			continue
		}
		if line != "" && line[0] != ' ' && !strings.HasPrefix(line, "Traceback ") && !strings.HasPrefix(line, "---") {
			speaking = true
		}
		if speaking && strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "?") && !strings.HasPrefix(line, "Traceback ") && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "    ") && len(says) < 8 {
			says = append(says, strings.TrimSpace(line))
		}
	}
	return place, says
}

var (
	mypyLine    = regexp.MustCompile(`^(\S+\.pyi?):(\d+)(?::(\d+))?: error: (.*)$`)
	blackLine   = regexp.MustCompile(`^would reformat (\S.*)$`)
	isortLine   = regexp.MustCompile(`^ERROR: (\S+) (Imports are incorrectly sorted.*)$`)
	ruffHead    = regexp.MustCompile(`^([A-Z]{1,5}\d{3,4}|invalid-syntax)(?: \[\*\])?:? (.+)$`)
	ruffPlace   = regexp.MustCompile(`^\s*--> (\S+?):(\d+):(\d+)$`)
	compileHead = regexp.MustCompile(`^\*\*\* (?:Error compiling|Sorry:?) ?'?([^']*?)'?(?:\.\.\.)?$`)
	missingStub = regexp.MustCompile(`^\S+: note: `)
)

func readPythonLinters(d *document) {
	for i := 0; i < len(d.lines); i++ {
		line := d.lines[i]
		if d.used[i] {
			continue
		}
		if m := mypyLine.FindStringSubmatch(line); m != nil {
			d.place(i, d.file(m[1]), m[2], m[3], m[4])
		} else if m := blackLine.FindStringSubmatch(line); m != nil {
			d.add(i, d.file(m[1])+": format", d.file(m[1])+": not formatted (black)")
			d.use(i, i+1)
		} else if m := isortLine.FindStringSubmatch(line); m != nil {
			d.add(i, d.file(m[1])+": imports", d.file(m[1])+": "+m[2])
			d.use(i, i+1)
		} else if m := ruffHead.FindStringSubmatch(line); m != nil && i+1 < len(d.lines) && ruffPlace.MatchString(d.lines[i+1]) {
			at := ruffPlace.FindStringSubmatch(d.lines[i+1])
			d.place(i, d.file(at[1]), at[2], at[3], m[1]+" "+m[2])
			d.use(i, i+2)
		} else if m := compileHead.FindStringSubmatch(line); m != nil {
			end := i + 1
			for end < len(d.lines) && d.lines[end] != "" && !compileHead.MatchString(d.lines[end]) {
				end++
			}
			place, says := d.traceback(d.lines[i+1 : end])
			file, number, _ := strings.Cut(place, ":")
			if file == "" {
				file, number = d.file(m[1]), "1"
			}
			d.place(i, file, number, "", strings.Join(says, " "))
			d.use(i, end)
			i = end - 1
		} else if missingStub.MatchString(line) {
			d.use(i, i+1)
		}
	}
}

// readTraceback reads an uncaught exception.
func readTraceback(d *document) {
	for i := 0; i < len(d.lines); i++ {
		if d.lines[i] != "Traceback (most recent call last):" {
			continue
		}
		end := i + 1
		for end < len(d.lines) && (strings.HasPrefix(d.lines[end], " ") || d.lines[end] == "") && end < i+300 {
			end++
		}
		for end < len(d.lines) && end < i+300 && d.lines[end] != "" && !strings.HasPrefix(d.lines[end], "Traceback ") {
			end++
		}
		place, says := d.traceback(d.lines[i:end])
		if len(says) == 0 {
			continue
		}
		if place != "" {
			says = append(says, "at "+place)
		}
		file, _, _ := strings.Cut(place, ":")
		d.add(i, "crash "+file+" "+says[0], says[0], says[1:]...)
		i = end - 1
	}
}

var (
	noModule    = regexp.MustCompile(`^E?\s*(?:ModuleNotFoundError|ImportError): No module named '([^'.]+)`)
	otherError  = regexp.MustCompile(`^(?:E\s+)?(?:\w+\.)*\w*(?:Error|Exception|Exit)\b(?: *$|:)`)
	importing   = regexp.MustCompile(`^ImportError: Failed to import test module`)
	ranTests    = regexp.MustCompile(`^Ran (\d+) tests? in `)
	pythonCount = regexp.MustCompile(`\b(\d+) (passed|failed)\b`)
	pluginGone  = regexp.MustCompile(`error: unrecognized arguments: (--\S+)`)
)

// pythonLacks names a package that is not installed when for want of it no test could run at all.
func pythonLacks(all []string) string {
	name, broken := "", 0
	for _, line := range all {
		if importing.MatchString(line) {
			broken++
			continue
		}
		if m := ranTests.FindStringSubmatch(line); m != nil && m[1] != strconv.Itoa(broken) {
			return ""
		}
		if m := pluginGone.FindStringSubmatch(line); m != nil {
			return "the pytest plugin that " + m[1] + " belongs to"
		}
		if m := noModule.FindStringSubmatch(line); m != nil {
			if name == "" {
				name = m[1]
			}
		} else if otherError.MatchString(line) || pythonCount.MatchString(line) {
			return ""
		}
	}
	if name == "" {
		return ""
	}
	return "python package " + name
}
