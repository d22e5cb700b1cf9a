package distill

import (
	"regexp"
	"strings"
)

var (
	dotnetPlace = regexp.MustCompile(`^\s*(\S.*?\.\w+)\((\d+),(\d+)(?:,\d+,\d+)?\): error (.*?)(?: \[[^\]]*\])?$`)
	dotnetError = regexp.MustCompile(`^\s*(?:(\S+\.\w*proj|CSC|MSBUILD|\S+\.sln)\s*:)\s*error (.*?)(?: \[[^\]]*\])?$`)
	dotnetTest  = regexp.MustCompile(`^\s*(?:Failed|X) ([\w.+<>` + "`" + `\[\]]+(?:\(.*\))?)(?: \[.*\])?$`)
	dotnetFrame = regexp.MustCompile(`^\s*at .* in (.+):line (\d+)$`)
)

// readDotnet reads dotnet build and dotnet test.
func readDotnet(d *document) {
	for i := 0; i < len(d.lines); i++ {
		line := d.lines[i]
		if m := dotnetPlace.FindStringSubmatch(line); m != nil {
			d.place(i, d.file(m[1]), m[2], m[3], m[4])
		} else if m := dotnetError.FindStringSubmatch(line); m != nil {
			d.add(i, "dotnet: "+m[2], d.file(m[1])+": "+m[2])
			d.use(i, i+1)
		} else if m := dotnetTest.FindStringSubmatch(line); m != nil && strings.Contains(m[1], ".") {
			i = d.dotnetTest(i, m[1]) - 1
		}
	}
}

// dotnetTest reads a failed test's message and the first frame that has a file. It returns the line after it.
func (d *document) dotnetTest(i int, name string) int {
	var text []string
	place, part := "", ""
	end := i + 1
	for ; end < len(d.lines) && end < i+80; end++ {
		line := strings.TrimSpace(d.lines[end])
		switch {
		case line == "Error Message:" || line == "Stack Trace:" || line == "Standard Output Messages:":
			part = line
			continue
		case dotnetTest.MatchString(d.lines[end]) || line == "" || strings.HasPrefix(line, "Passed ") || strings.HasPrefix(line, "Failed!"):
			goto done
		}
		if m := dotnetFrame.FindStringSubmatch(d.lines[end]); m != nil && place == "" {
			if file := d.file(m[1]); !strings.HasPrefix(file, "/") {
				place = file + ":" + m[2]
			}
		} else if part == "Error Message:" && len(text) < 8 {
			text = append(text, line)
		}
	}
done:
	if place != "" {
		text = append(text, "at "+place)
	}
	d.add(i, "test "+name, "FAIL "+name, text...)
	d.use(i, end)
	return end
}

var (
	linker    = regexp.MustCompile(`^(?:\S*ld(?:\.\w+)?: )?(?:\S+\.o: )?\S*?([^\s:/]+):(?:\(\.\w[^)]*\)|\d+): (undefined reference to .*|multiple definition of .*)$`)
	makeStop  = regexp.MustCompile(`^(?:make|gmake)(?:\[\d+\])?: \*\*\* (.*)$`)
	makeError = regexp.MustCompile(`^\[(\S+?)(?::\d+)?: (.+)\] Error (\d+)`)
)

// readMake reads the linker, and make's own last words when nothing else was found.
func readMake(d *document) {
	for i, line := range d.lines {
		if m := linker.FindStringSubmatch(line); m != nil {
			d.add(i, "link "+m[1]+": "+m[2], m[1]+": "+m[2])
			d.use(i, i+1)
		}
	}
	if len(d.found) > 0 {
		return
	}
	for i, line := range d.lines {
		m := makeStop.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if e := makeError.FindStringSubmatch(m[1]); e != nil {
			var last []string
			for k := max(0, i-6); k < i; k++ {
				if !makeStop.MatchString(d.lines[k]) {
					last = append(last, d.lines[k])
				}
			}
			d.add(i, "make "+e[2]+" exit "+e[3], "make "+e[2]+" failed with exit status "+e[3], last...)
			continue
		}
		d.add(i, "make: "+m[1], "make: "+m[1])
	}
}

var (
	bazelError = regexp.MustCompile(`^ERROR: (\S+?/BUILD(?:\.bazel)?|\S+\.bzl|\S+/(?:MODULE|WORKSPACE)(?:\.bazel)?):(\d+):(\d+): (.*)$`)
	bazelOwn   = regexp.MustCompile(`^ERROR: (.*)$`)
	bazelTest  = regexp.MustCompile(`^(//\S+|@\S+//\S+)\s+(FAILED|TIMEOUT|FLAKY|FAILED TO BUILD|NO STATUS)\b`)
	bazelNoise = regexp.MustCompile(`^(?:Build did NOT complete|.*Build failed\. Not running target|Couldn't start the build)`)
)

// readBazel reads Bazel's own lines; the compilers that it starts are read by their own readers.
func readBazel(d *document) {
	for i, line := range d.lines {
		if m := bazelError.FindStringSubmatch(line); m != nil {
			d.place(i, d.file(m[1]), m[2], m[3], m[4])
		} else if m := bazelTest.FindStringSubmatch(line); m != nil && m[2] != "NO STATUS" && m[2] != "FLAKY" {
			d.add(i, "test "+m[1], m[2]+" "+m[1])
			d.use(i, i+1)
		}
	}
	if len(d.found) > 0 {
		return
	}
	for i, line := range d.lines {
		if m := bazelOwn.FindStringSubmatch(line); m != nil && !bazelNoise.MatchString(m[1]) {
			d.add(i, "bazel: "+m[1], m[1])
		}
	}
}

var (
	hookFailed = regexp.MustCompile(`^(.+?)\.{3,}(?:\(.*\))?(Failed|Passed|Skipped)$`)
	hookID     = regexp.MustCompile(`^- hook id: (.+)$`)
)

// readPreCommit reads one failure for each hook that failed, or its places where it names some.
func readPreCommit(d *document) {
	for i := 0; i < len(d.lines); i++ {
		m := hookFailed.FindStringSubmatch(d.lines[i])
		if m == nil || m[2] != "Failed" {
			continue
		}
		id := strings.TrimSpace(m[1])
		end := i + 1
		var body []string
		for ; end < len(d.lines) && !hookFailed.MatchString(d.lines[end]); end++ {
			if h := hookID.FindStringSubmatch(d.lines[end]); h != nil {
				id = h[1]
			} else if !strings.HasPrefix(d.lines[end], "- exit code:") && !strings.HasPrefix(d.lines[end], "- duration:") {
				body = append(body, d.lines[end])
			}
		}
		places := 0
		for k := i + 1; k < end; k++ {
			if at := located.FindStringSubmatch(d.lines[k]); at != nil && !mild.MatchString(at[4]) {
				d.place(k, d.file(at[1]), at[2], at[3], at[4]+" ("+id+")")
				places++
			}
		}
		if places == 0 {
			d.add(i, "hook "+id, "hook "+id+" failed", body...)
		}
		d.use(i, end)
		i = end - 1
	}
}
