package distill

import (
	"path"
	"regexp"
	"strings"
)

var (
	mavenPlace  = regexp.MustCompile(`^\[ERROR\] +(\S.*?\.\w+):\[(\d+)(?:,(\d+))?\] (.*)$`)
	mavenTest2  = regexp.MustCompile(`^(?:\[ERROR\] )?(.+?)\(([\w.$]+)\)\s+Time elapsed: .*<<< (FAILURE|ERROR)!`)
	mavenTest3  = regexp.MustCompile(`^(?:\[ERROR\] )?([\w.$]+)\.([^\s.(]+(?:[({\[].*?[)}\]])?)(?: --)? +(?:--)? ?Time elapsed: .*<<< (FAILURE|ERROR)!`)
	mavenClass  = regexp.MustCompile(`^(?:\[ERROR\] )?([\w.$]+)(?: --)?\s+(?:--)? ?Time elapsed: .*<<< (FAILURE|ERROR)!`)
	mavenShort  = regexp.MustCompile(`^\[ERROR\] {2,4}(?:Run \d+: )?([A-Z]\w*)[.>]([\w$\[\]>.]+?)(?::(\d+))?(?:->\S+)? (.*)$`)
	mavenGoal   = regexp.MustCompile(`^\[ERROR\] Failed to execute goal (?:(\S+) (?:\(\S+\) )?)?on project (\S+): (.*?)(?: -> \[Help \d+\])?$`)
	mavenPom    = regexp.MustCompile(`^\[(?:ERROR|FATAL)\] +(?:\[\w+\] )?((?:Non-|'|Non|Unknown |Malformed |Child module |Could not find the selected project).*?)(?: -> \[Help \d+\])?$`)
	mavenVerson = regexp.MustCompile(`:\d[\w.\-]*:`)
	javaFrame   = regexp.MustCompile(`^\s+at (?:app//|[\w.]+@\S*/)?([\w.$]+)\.[\w$<>]+\((\w+\.(?:java|kt|kts|scala|groovy)):(\d+)\)$`)
	javac       = regexp.MustCompile(`^(?::[\w:-]+)?(/?\S*?[^\s:]+\.(?:java|kt|scala|groovy)):(\d+): error: (.*)$`)
)

// readMaven reads Maven with Surefire, Failsafe, the compilers and Checkstyle.
func readMaven(d *document) {
	tests := 0
	for i := 0; i < len(d.lines); i++ {
		line := d.lines[i]
		if !strings.Contains(line, "[ERROR]") && !strings.Contains(line, "[FATAL]") && !strings.Contains(line, "<<< ") {
			continue
		}
		if m := mavenPlace.FindStringSubmatch(line); m != nil {
			end := i + 1
			var detail []string
			for end < len(d.lines) {
				rest := strings.TrimPrefix(d.lines[end], "[ERROR]")
				if !strings.HasPrefix(rest, "  ") || mavenPlace.MatchString(d.lines[end]) {
					break
				}
				detail = append(detail, rest)
				end++
			}
			message, detail := withSymbol(m[4], detail)
			d.place(i, d.file(m[1]), m[2], m[3], message, detail...)
			d.use(i, end)
			i = end - 1
			continue
		}
		if class, method, ok := mavenTest(line); ok {
			end := i + 1
			for end < len(d.lines) && d.lines[end] != "" && !strings.HasPrefix(d.lines[end], "[") {
				end++
			}
			d.javaTest(i, class, method, d.lines[i+1:end])
			d.use(i, end)
			tests++
			i = end - 1
		}
	}
	for i, line := range d.lines {
		if m := mavenShort.FindStringSubmatch(line); m != nil && tests == 0 && !d.used[i] {
			place := m[1] + "." + m[2]
			if m[3] != "" {
				place += ":" + m[3]
			}
			d.add(i, "test "+m[1]+"."+m[2], "FAIL "+place, m[4])
		} else if m := mavenGoal.FindStringSubmatch(line); m != nil {
			if told := strings.Contains(m[3], "test failures") || strings.HasPrefix(m[3], "Compilation failure"); !told || len(d.found) == 0 {
				d.add(i, "goal "+mavenVerson.ReplaceAllString(m[1], ":")+" "+m[2]+": "+mavenVerson.ReplaceAllString(m[3], ":"), m[2]+": "+m[3])
			}
		} else if m := mavenPom.FindStringSubmatch(line); m != nil {
			d.add(i, "pom: "+m[1], m[1])
		}
	}
}

// withSymbol puts the symbol that javac names on a line of its own behind its message, which says nothing without it.
func withSymbol(message string, detail []string) (string, []string) {
	for i, line := range detail {
		if symbol, ok := strings.CutPrefix(strings.TrimSpace(line), "symbol:"); ok {
			return message + ": " + strings.Join(strings.Fields(symbol), " "), append(detail[:i:i], detail[i+1:]...)
		}
	}
	return message, detail
}

// mavenTest reads the line that Surefire prints for a failed test, in the forms of its second and third version.
func mavenTest(line string) (class, method string, ok bool) {
	if strings.Contains(line, "Tests run:") {
		return "", "", false
	}
	if m := mavenTest2.FindStringSubmatch(line); m != nil {
		return m[2], strings.TrimPrefix(m[1], "[ERROR] "), true
	}
	if m := mavenTest3.FindStringSubmatch(line); m != nil {
		return m[1], m[2], true
	}
	if m := mavenClass.FindStringSubmatch(line); m != nil {
		return m[1], "", true
	}
	return "", "", false
}

// javaTest records a failed test: what the exception says, and its first frame in the test's own class or package.
func (d *document) javaTest(at int, class, method string, body []string) {
	var text []string
	place, frames := "", 0
	pkg, simple := "", class
	if i := strings.LastIndexByte(class, '.'); i >= 0 {
		pkg, simple = class[:i], class[i+1:]
	}
	simple, _, _ = strings.Cut(simple, "$")
	for _, line := range body {
		if m := javaFrame.FindStringSubmatch(line); m != nil {
			frames++
			file, _, _ := strings.Cut(m[2], ".")
			if own := file == simple; own && !strings.Contains(place, simple) || place == "" && pkg != "" && strings.HasPrefix(m[1], pkg+".") {
				place = path.Join(strings.ReplaceAll(packageOf(m[1]), ".", "/"), m[2]) + ":" + m[3]
			}
			continue
		}
		line = strings.TrimSpace(line)
		if m := gradleFrame.FindStringSubmatch(line); m != nil && place == "" {
			line, place = m[1], path.Join(strings.ReplaceAll(pkg, ".", "/"), m[2])
		}
		if line == "" || strings.HasPrefix(line, "at ") || strings.HasPrefix(line, "... ") || frames > 0 && !strings.HasPrefix(line, "Caused by: ") {
			continue
		}
		if len(text) < 8 {
			text = append(text, line)
		}
	}
	if place != "" {
		text = append(text, "at "+place)
	}
	name := class
	if method != "" {
		name += "." + method
	}
	d.add(at, "test "+name, "FAIL "+name, text...)
}

// packageOf cuts the class off a qualified name.
func packageOf(class string) string {
	parts := strings.Split(class, ".")
	for i, p := range parts {
		if p != "" && p[0] >= 'A' && p[0] <= 'Z' {
			return strings.Join(parts[:i], ".")
		}
	}
	return strings.Join(parts[:max(len(parts)-1, 0)], ".")
}

// readJavac reads the Java compiler's own form, which Gradle, Bazel and make print.
func readJavac(d *document) {
	for i, line := range d.lines {
		m := javac.FindStringSubmatch(line)
		if m == nil || d.used[i] {
			continue
		}
		var detail []string
		for k := i + 1; k < min(i+6, len(d.lines)); k++ {
			if text := strings.TrimSpace(d.lines[k]); strings.HasPrefix(text, "symbol:") || strings.HasPrefix(text, "location:") || strings.HasPrefix(text, "required:") || strings.HasPrefix(text, "found:") {
				detail = append(detail, d.lines[k])
			} else if javac.MatchString(d.lines[k]) {
				break
			}
		}
		message, detail := withSymbol(m[3], detail)
		file := m[1]
		if k := strings.Index(file, d.in.Root+"/"); k > 0 && d.in.Root != "" { // ":compileJava/srv/work/…"
			file = file[k:]
		}
		d.place(i, d.file(file), m[2], "", message, detail...)
	}
}

var (
	gradleTest   = regexp.MustCompile(`^(\S.*?) > (.+) FAILED$`)
	kotlinPlace  = regexp.MustCompile(`^e: (?:file://)?(\S+?\.kts?):(?: \((\d+), (\d+)\)|(\d+):(\d+)):? (.*)$`)
	antPlace     = regexp.MustCompile(`^\[ant:\w+\] \[(?:ERROR|error)\] (\S+?):(\d+)(?::(\d+))?: (.*)$`)
	gradleFrame  = regexp.MustCompile(`^(.+) at (\w+\.(?:java|kt|groovy|scala):\d+)$`)
	gradleReason = regexp.MustCompile(`^\* What went wrong:$`)
)

// readGradle reads Gradle with javac, kotlinc, JUnit and Checkstyle.
func readGradle(d *document) {
	readJavac(d)
	for i := 0; i < len(d.lines); i++ {
		line := d.lines[i]
		if m := kotlinPlace.FindStringSubmatch(line); m != nil {
			d.place(i, d.file(m[1]), m[2]+m[4], m[3]+m[5], m[6])
		} else if m := antPlace.FindStringSubmatch(line); m != nil {
			d.place(i, d.file(m[1]), m[2], m[3], m[4])
		} else if m := gradleTest.FindStringSubmatch(line); m != nil && !strings.HasPrefix(line, "> ") {
			end := i + 1
			for end < len(d.lines) && strings.HasPrefix(d.lines[end], "    ") {
				end++
			}
			d.javaTest(i, m[1], strings.TrimSuffix(m[2], "()"), d.lines[i+1:end])
			d.use(i, end)
			i = end - 1
		}
	}
	found := len(d.found)
	for i := 0; i < len(d.lines); i++ {
		if !gradleReason.MatchString(d.lines[i]) {
			continue
		}
		end := i + 1
		for end < len(d.lines) && d.lines[end] != "" && !strings.HasPrefix(d.lines[end], "* ") {
			end++
		}
		text := d.lines[i+1 : end]
		whole := strings.Join(text, " ")
		told := strings.Contains(whole, "Compilation failed") || strings.Contains(whole, "Compilation error") || strings.Contains(whole, "There were failing tests") || strings.Contains(whole, "violations were found")
		if len(text) > 0 && (!told || found == 0) {
			d.add(i, "gradle: "+whole, text[0], text[1:]...)
		}
		i = end - 1
	}
}
