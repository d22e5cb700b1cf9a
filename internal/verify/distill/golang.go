package distill

import (
	"path"
	"regexp"
	"strings"
)

var (
	goPlace     = regexp.MustCompile(`^(?:vet: )?(\S+\.(?:go|s|c|h|cc|cpp|mod|work)):(\d+)(?::(\d+))?: (.*)$`)
	goTestFail  = regexp.MustCompile(`^(\s*)--- FAIL: (\S+)`)
	goPackage   = regexp.MustCompile(`^(FAIL|ok  |\?   |---)\t(\S+)(?:\s+(.*))?$`)
	goLogLine   = regexp.MustCompile(`^\s*([\w.+-]+\.go):(\d+): ?(.*)$`)
	goFrame     = regexp.MustCompile(`^\t(\S+\.go):(\d+)(?: \+0x[0-9a-f]+)?$`)
	goRaceFrame = regexp.MustCompile(`^ +(/\S+\.go):(\d+) \+0x[0-9a-f]+$`)
	goRunning   = regexp.MustCompile(`^\t\t(\S+)`)
	goProblem   = regexp.MustCompile(`^(?:go: (.*)|(package \S+(?: is not in std.*)?)|(import cycle not allowed.*)|(pattern \S+: .*))$`)
)

// readGo reads go build, go vet and go test without -v or -json.
func readGo(d *document) {
	var tests []goTest
	start := 0 // of the current package's output
	build := map[string]bool{}
	var race []string // places of a data race that the next failed test is about
	for i := 0; i < len(d.lines); i++ {
		line := d.lines[i]
		if m := goPackage.FindStringSubmatch(line); m != nil {
			if m[1] == "FAIL" {
				d.goPackageFailed(i, start, m[2], m[3], tests, build)
			}
			d.use(i, i+1)
			tests, start = nil, i+1
			continue
		}
		if name, ok := strings.CutPrefix(line, "# "); ok && !strings.HasPrefix(name, "# ") {
			name = strings.Trim(strings.Fields(name + " x")[0], "[]")
			if end := d.goCompiler(i+1, name); end > i+1 {
				build[strings.TrimSuffix(name, "_test")] = true
				d.use(i, end)
				i, start = end-1, end
				continue
			}
		}
		if line == "WARNING: DATA RACE" && race == nil {
			race = d.goRace(i)
		}
		if m := goTestFail.FindStringSubmatch(line); m != nil {
			t := goTest{at: i, name: m[2], lines: race}
			race = nil
			for i+1 < len(d.lines) && goDetail(d.lines[i+1], len(m[1])) {
				i++
				t.lines = append(t.lines, d.lines[i])
			}
			d.use(t.at, i+1)
			tests = append(tests, t)
			continue
		}
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			var end int
			tests, end = d.goPanic(i, tests)
			i = end - 1
			continue
		}
		if m := goPlace.FindStringSubmatch(line); m != nil && !mild.MatchString(m[4]) && len(tests) == 0 {
			if strings.Contains(m[4], "too many errors") {
				d.use(i, i+1)
				continue
			}
			end := i + 1
			for end < len(d.lines) && strings.HasPrefix(d.lines[end], "\t") && !goFrame.MatchString(d.lines[end]) {
				end++
			}
			d.place(i, d.file(m[1]), m[2], m[3], m[4], d.lines[i+1:end]...)
			d.use(i, end)
			i = end - 1
			continue
		}
		if m := goProblem.FindStringSubmatch(line); m != nil && !strings.HasPrefix(m[1], "downloading ") && !strings.HasPrefix(m[1], "finding ") && !strings.HasPrefix(m[1], "warning: ") {
			end := i + 1
			for end < len(d.lines) && strings.HasPrefix(d.lines[end], "\t") {
				end++
			}
			d.add(i, "go: "+strings.TrimPrefix(line, "go: "), line, d.lines[i+1:end]...)
			d.use(i, end)
			i = end - 1
		}
	}
	if len(tests) > 0 { // one package's own test binary, or output cut short
		d.goTests("", tests)
	}
}

type goTest struct {
	at    int
	name  string
	lines []string
	panic bool
}

// goRace lists the places in the repository that a data race's report names, first the access, then the other one.
func (d *document) goRace(i int) []string {
	places := []string{"data race"}
	for end := min(i+80, len(d.lines)); i < end && !strings.HasPrefix(d.lines[i], "====") && len(places) < 4; i++ {
		if m := goRaceFrame.FindStringSubmatch(d.lines[i]); m != nil && d.in.Root != "" && strings.HasPrefix(m[1], d.in.Root+"/") {
			places = append(places, "at "+d.file(m[1])+":"+m[2])
		}
	}
	return places
}

// goDetail reports whether a line belongs to a failed test that is indented by so much: it is indented deeper and is no
// result of its own.
func goDetail(line string, indent int) bool {
	if strings.TrimSpace(line) == "" {
		return false
	}
	if !strings.HasPrefix(line, strings.Repeat(" ", indent+4)) && !strings.HasPrefix(line, strings.Repeat(" ", indent)+"\t") {
		return false
	}
	return !strings.HasPrefix(strings.TrimLeft(line, " "), "--- ")
}

// goCompiler reads what follows "# package": places with tab-indented continuations. It returns the line after them.
func (d *document) goCompiler(from int, pkg string) int {
	i := from
	for i < len(d.lines) {
		line := d.lines[i]
		m := goPlace.FindStringSubmatch(line)
		if m == nil {
			if strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "    ") || strings.Contains(line, "too many errors") || strings.HasPrefix(line, "In file included") {
				i++
				continue
			}
			if strings.Contains(line, ": In function ") || strings.HasSuffix(line, ": At top level:") {
				i++
				continue
			}
			if i == from && line != "" && !strings.HasPrefix(line, "#") && goPackage.FindString(line) == "" { // the linker, cgo and pkg-config speak freely
				d.add(i, "build "+pkg+": "+line, pkg+": "+line)
				i++
				continue
			}
			return i
		}
		end := i + 1
		for end < len(d.lines) && strings.HasPrefix(d.lines[end], "\t") {
			end++
		}
		if !strings.Contains(m[4], "too many errors") && !mild.MatchString(m[4]) {
			d.place(i, d.file(m[1]), m[2], m[3], m[4], d.lines[i+1:end]...)
		}
		i = end
	}
	return i
}

// goPanic reads a crash: its message, and the first frame that lies in the repository.
func (d *document) goPanic(i int, tests []goTest) ([]goTest, int) {
	text := []string{d.lines[i]}
	end := i + 1
	var running []string
	for ; end < len(d.lines); end++ {
		line := d.lines[end]
		if goPackage.MatchString(line) || line == "FAIL" {
			break
		}
		if m := goRunning.FindStringSubmatch(line); m != nil && len(text) < 3 && strings.Contains(d.lines[i], "timed out") {
			running = append(running, m[1])
		}
		if strings.HasPrefix(line, "\tpanic: ") && len(text) < 4 {
			text = append(text, strings.TrimSpace(line))
		}
		if m := goFrame.FindStringSubmatch(line); m != nil && len(text) < 5 && strings.HasPrefix(m[1], d.in.Root+"/") && d.in.Root != "" {
			text = append(text, d.file(m[1])+":"+m[2])
		}
	}
	if len(running) > 0 {
		for _, name := range running {
			tests = append(tests, goTest{at: i, name: name, lines: text[:1], panic: true})
		}
		return tests, end
	}
	if n := len(tests); n > 0 && !tests[n-1].panic {
		tests[n-1].lines = append(tests[n-1].lines, text...)
		tests[n-1].panic = true
		return tests, end
	}
	return append(tests, goTest{at: i, name: "panic", lines: text, panic: true}), end
}

func (d *document) goPackageFailed(at, start int, pkg, note string, tests []goTest, built map[string]bool) {
	pkg = strings.TrimSuffix(pkg, ".test")
	if len(tests) > 0 {
		d.goTests(pkg, tests)
		return
	}
	if strings.Contains(note, "failed]") { // [build failed] or [setup failed]
		if !built[pkg] && !d.anySince(start) {
			d.add(at, "build "+pkg, d.goFolder(pkg)+": "+note)
		}
		return
	}
	// No test says that it failed: os.Exit, log.Fatal, TestMain, a killed process.
	from := max(start, at-9)
	var last []string
	for _, line := range d.lines[from:at] {
		if line != "FAIL" && !strings.HasPrefix(line, "ok  \t") {
			last = append(last, line)
		}
	}
	d.add(start, "package "+pkg, "FAIL "+d.goFolder(pkg)+" (no single test)", last...)
}

// anySince reports whether something was found at or after a line.
func (d *document) anySince(line int) bool {
	return len(d.found) > 0 && d.found[len(d.found)-1].at >= line
}

// goTests records failed tests of a package, a parent only when it says something itself.
func (d *document) goTests(pkg string, tests []goTest) {
	folder := d.goFolder(pkg)
	for i, t := range tests {
		if len(t.lines) == 0 && i+1 < len(tests) && strings.HasPrefix(tests[i+1].name, t.name+"/") {
			continue
		}
		head := "FAIL " + t.name
		if pkg != "" {
			head += " (" + folder + ")"
		}
		detail := make([]string, len(t.lines))
		for k, line := range t.lines {
			if m := goLogLine.FindStringSubmatch(line); m != nil && m[1] == "testing.go" {
				line = m[3]
			} else if m != nil {
				line = path.Join(folder, m[1]) + ":" + m[2] + ": " + m[3]
			}
			detail[k] = line
		}
		d.add(t.at, "test "+pkg+" "+t.name, head, detail...)
	}
}

// goFolder turns an import path into a folder of the repository where the modules tell.
func (d *document) goFolder(pkg string) string {
	best, folder := "", pkg
	for module, dir := range d.in.Modules {
		if (pkg == module || strings.HasPrefix(pkg, module+"/")) && len(module) > len(best) {
			best, folder = module, path.Join(dir, strings.TrimPrefix(pkg[len(module):], "/"))
		}
	}
	return folder
}
