package distill

import (
	"fmt"
	"gaggle/internal/fleet"
	"regexp"
	"strconv"
	"strings"
)

// NoTests begins the line of a verifier that passed because there was nothing to run.
const NoTests = "passed: no tests"

// Passed sums a success up in one line that is the same in every run: how many tests ran, where the tool tells.
func Passed(in Input) string {
	ok, none, told := 0, 0, false
	tests := 0
	all, _ := lines(in.Text)
	for _, line := range all {
		switch {
		case strings.HasPrefix(line, "ok  \t") && !strings.HasSuffix(line, "[no tests to run]"):
			ok++
		case strings.HasPrefix(line, "?   \t") || strings.HasPrefix(line, "ok  \t"):
			none++
		default:
			if n, says := testsIn(line); says {
				tests, told = tests+n, true
			}
		}
	}
	switch {
	case tests > 0:
		return "passed: " + fleet.Count(tests, "test")
	case ok > 0 && none > 0:
		return fmt.Sprintf("passed: tests of %s, %d without tests", fleet.Count(ok, "package"), none)
	case ok > 0:
		return "passed: tests of " + fleet.Count(ok, "package")
	case none > 0:
		return NoTests + " in " + fleet.Count(none, "package")
	case told:
		return NoTests
	}
	return "passed"
}

// summaries are the closing lines of test runners; the group is how many tests passed.
var summaries = []*regexp.Regexp{
	regexp.MustCompile(`^Tests: +(?:.*?\b(\d+) passed)?.*\b\d+ total$`),                                     // jest
	regexp.MustCompile(`^ +Tests  (?:.*?\b(\d+) passed)?.*\(\d+\)$`),                                        // vitest
	regexp.MustCompile(`^ +(\d+) passing\b`),                                                                // mocha
	regexp.MustCompile(`^(?:ℹ|#) pass +(\d+)$`),                                                             // node --test, tape
	regexp.MustCompile(`^ +(\d+) tests? passed$`),                                                           // ava
	regexp.MustCompile(`^(\d+) specs?, 0 failures`),                                                         // jasmine
	regexp.MustCompile(`^(?:=+ )?(?:(\d+) passed\b.*|\d+ (?:skipped|deselected)\b.*|no tests ran) in \d`),   // pytest
	regexp.MustCompile(`^Ran (\d+) tests? in `),                                                             // unittest
	regexp.MustCompile(`^\[(?:INFO|WARNING)\] Tests run: (\d+), Failures: \d+, Errors: \d+, Skipped: \d+$`), // surefire, for each module
	regexp.MustCompile(`^test result: ok\. (\d+) passed`),                                                   // cargo, for each target
	regexp.MustCompile(`^(?:Passed!|Bestanden!) +- Failed: +0, Passed: +(\d+),`),                            // dotnet, for each project
	regexp.MustCompile(`^Executed \d+ out of (\d+) tests?`),                                                 // bazel
}

func testsIn(line string) (n int, says bool) {
	for _, s := range summaries {
		if m := s.FindStringSubmatch(line); m != nil {
			n, _ = strconv.Atoi(m[1]) // an empty group is no test
			return n, true
		}
	}
	return 0, false
}
