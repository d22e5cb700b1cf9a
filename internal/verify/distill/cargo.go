package distill

import (
	"gaggle/internal/fleet"
	"regexp"
	"strings"
)

var (
	rustHead   = regexp.MustCompile(`^error(\[E\d+\])?: (.*)$`)
	rustPlace  = regexp.MustCompile(`^\s*--> (\S+?):(\d+):(\d+)$`)
	rustShort  = regexp.MustCompile(`^(\S+?\.\w+):(\d+):(\d+): error(?:\[E\d+\])?: (.*)$`)
	rustTest   = regexp.MustCompile(`^---- (.+?) stdout ----$`)
	rustResult = regexp.MustCompile(`^test (.+?)(?: - should panic)? \.\.\. FAILED`)
	rustTarget = regexp.MustCompile(`^\s+(?:Running (?:unittests |tests/)?(\S+)|Doc-tests (\S+))`)
	rustPanic  = regexp.MustCompile(`^thread '.*?'(?: \(\d+\))? panicked at (?:'(.*)', )?(\S+?):(\d+):(\d+):?$`)
	rustfmt    = regexp.MustCompile(`^Diff in (\S+?)(?::| at line )(\d+):?$`)
	rustDoc    = regexp.MustCompile(` \(line \d+\)`)
	rustNoise  = regexp.MustCompile(`^(?:could not compile|aborting due to|test failed, to rerun|doctest failed|\d+ targets? failed|build failed|process didn't exit successfully.*exit (?:status|code): 1\)|.* is not stable and)`)
)

// readCargo reads cargo check, build, clippy, fmt --check and test.
func readCargo(d *document) {
	target := ""
	told := map[string]bool{} // tests whose output was shown
	for i := 0; i < len(d.lines); i++ {
		line := d.lines[i]
		if m := rustTarget.FindStringSubmatch(line); m != nil {
			target = m[1]
			if m[1] == "" {
				target = "doc " + m[2]
			}
			continue
		}
		if m := rustShort.FindStringSubmatch(line); m != nil {
			d.place(i, d.file(m[1]), m[2], m[3], m[4])
			continue
		}
		if m := rustfmt.FindStringSubmatch(line); m != nil {
			file := d.file(m[1])
			d.add(i, file+": format", file+":"+m[2]+": not formatted (rustfmt)")
			d.use(i, i+1)
			continue
		}
		if m := rustHead.FindStringSubmatch(line); m != nil {
			d.rustError(i, m[1], m[2])
			continue
		}
		if m := rustTest.FindStringSubmatch(line); m != nil {
			end := i + 1
			for end < len(d.lines) && !rustTest.MatchString(d.lines[end]) && d.lines[end] != "failures:" && !strings.HasPrefix(d.lines[end], "test result:") {
				end++
			}
			d.rustTest(i, target, m[1], d.lines[i+1:end])
			told[target+"\x00"+m[1]] = true
			d.use(i, end)
			i = end - 1
		}
	}
	target = ""
	for i, line := range d.lines { // tests that failed and whose output was not captured
		if m := rustTarget.FindStringSubmatch(line); m != nil {
			target = m[1]
			if m[1] == "" {
				target = "doc " + m[2]
			}
		} else if m := rustResult.FindStringSubmatch(line); m != nil && !told[target+"\x00"+m[1]] {
			d.rustTest(i, target, m[1], nil)
		}
	}
}

// rustError reads an error in rustc's long form, or one of cargo's own.
func (d *document) rustError(i int, code, message string) {
	if rustNoise.MatchString(message) {
		d.use(i, i+1)
		return
	}
	for k := i + 1; k < min(i+4, len(d.lines)); k++ {
		if at := rustPlace.FindStringSubmatch(d.lines[k]); at != nil {
			d.place(i, d.file(at[1]), at[2], at[3], strings.TrimSpace(message+" "+code))
			d.use(i, k+1)
			return
		}
	}
	end := i + 1
	for end < len(d.lines) && end < i+8 && d.lines[end] != "" && (strings.HasPrefix(d.lines[end], " ") || strings.HasPrefix(d.lines[end], "Caused by:")) {
		end++
	}
	d.add(i, "cargo: "+message, "error: "+message, d.lines[i+1:end]...)
	d.use(i, end)
}

func (d *document) rustTest(at int, target, name string, body []string) {
	var text []string
	place := ""
	for _, line := range body {
		if m := rustPanic.FindStringSubmatch(line); m != nil && place == "" {
			place = d.file(m[2]) + ":" + m[3] + ":" + m[4]
			if m[1] != "" {
				text = append(text, m[1])
			}
			continue
		}
		line = strings.TrimSpace(line)
		if line == "" || line == "stderr:" || strings.HasPrefix(line, "note: run with ") || strings.HasPrefix(line, "stack backtrace:") {
			continue
		}
		text = append(text, line)
	}
	if len(text) > 8 {
		text = append(text[:7:7], "… "+fleet.Count(len(text)-7, "more line"))
	}
	if place != "" && !strings.HasPrefix(place, "/") {
		text = append(text, "at "+place)
	}
	head := "FAIL " + name
	if target != "" {
		head += " (" + target + ")"
	}
	d.add(at, "test "+target+" "+rustDoc.ReplaceAllString(name, ""), head, text...)
}
