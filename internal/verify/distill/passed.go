package distill

import (
	"fmt"
	"regexp"
	"strings"
)

// NoTests begins the line of a verifier that passed because there was nothing to run.
const NoTests = "passed: no tests"

// Passed sums a success up in one line that is the same in every run: what was counted, where the tool counts.
func Passed(in Input) string {
	all := lines(in.Text)
	switch in.Tool {
	case "go":
		return goPassed(all)
	}
	for i := len(all) - 1; i >= 0 && i > len(all)-400; i-- {
		for _, s := range summaries {
			if m := s.says.FindStringSubmatchIndex(all[i]); m != nil {
				return "passed: " + string(s.says.ExpandString(nil, s.what, all[i], m))
			}
		}
	}
	return "passed"
}

func goPassed(all []string) string {
	ok, none := 0, 0
	for _, line := range all {
		switch {
		case strings.HasPrefix(line, "ok  \t") && !strings.HasSuffix(line, "[no tests to run]"):
			ok++
		case strings.HasPrefix(line, "?   \t") || strings.HasPrefix(line, "ok  \t") || strings.Contains(line, "coverage: 0.0%"):
			none++
		}
	}
	switch {
	case ok > 0 && none > 0:
		return fmt.Sprintf("passed: %s, %d without tests", count(ok, "package"), none)
	case ok > 0:
		return "passed: " + count(ok, "package")
	case none > 0:
		return NoTests + " in " + count(none, "package")
	}
	return "passed"
}

// summaries are the closing lines of test runners.
var summaries = []struct {
	says *regexp.Regexp
	what string
}{}
