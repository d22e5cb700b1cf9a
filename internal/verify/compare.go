package verify

import (
	"context"
	"fmt"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/verify/distill"
)

// Compare lays the report of a change beside the report of its base and returns the one to act on: what failed in the same way
// before is failed_before, what is new is failed and shows the new failures only. A check that could not run
// on the base for want of a toolchain stays toolchain_missing; one that could and no longer can has failed, for the
// change has taken its ground away. A verifier that the base's report does not hold is new, and all it says is new.
// Neither argument is changed.
func Compare(base, after fleet.Report) fleet.Report {
	known := map[string]fleet.Check{}
	for _, c := range base.Checks {
		known[c.Verifier] = c
	}
	var out fleet.Report
	for _, c := range after.Checks {
		before, ok := known[c.Verifier]
		if ok {
			c = compare(before, c)
		}
		c.Failures = keysOnly(c.Failures)
		out.Checks = append(out.Checks, c)
	}
	return out
}

func compare(before, after fleet.Check) fleet.Check {
	switch after.Outcome {
	case fleet.Passed:
		if testsVanished(before, after) {
			after.Outcome = fleet.CheckFailed
			after.Lines = []string{"no test ran; on the base: " + strings.Join(before.Lines, " ")}
			after.Failures = []fleet.Failure{{Key: "no tests"}}
		}
	case fleet.ToolchainGone:
		if before.Outcome != fleet.ToolchainGone {
			after.Outcome = fleet.CheckFailed
			after.Lines = append([]string{"it ran on the base and cannot run any more:"}, after.Lines...)
			after.Failures = []fleet.Failure{{Key: "toolchain"}}
		}
	case fleet.CheckFailed, fleet.TimedOut:
		after = sameAsBefore(before, after)
	}
	return after
}

// testsVanished reports whether tests ran on the base and none do now.
func testsVanished(before, after fleet.Check) bool {
	ran := func(c fleet.Check) bool {
		return len(c.Lines) == 0 || !strings.HasPrefix(c.Lines[0], distill.NoTests)
	}
	return before.Outcome == fleet.Passed && ran(before) && !ran(after)
}

func sameAsBefore(before, after fleet.Check) fleet.Check {
	if before.Outcome != fleet.CheckFailed && before.Outcome != fleet.FailedBefore && before.Outcome != fleet.TimedOut {
		return after
	}
	old := map[string]bool{}
	for _, f := range before.Failures {
		old[f.Key] = true
	}
	var fresh []fleet.Failure
	for _, f := range after.Failures {
		if !old[f.Key] {
			fresh = append(fresh, f)
		}
	}
	same := len(after.Failures) - len(fresh)
	if len(fresh) == 0 && len(after.Failures) > 0 {
		after.Outcome = fleet.FailedBefore
		after.Lines = append([]string{fmt.Sprintf("fails as it did before the change (%s)", fleet.Count(same, "failure"))}, heads(after.Failures, 8)...)
		return after
	}
	if same == 0 {
		return after
	}
	after.Failures = fresh
	after.Lines = append(distill.Render(fresh, 0, distill.MaxLines-1), fmt.Sprintf("(%s that the base has too left out)", fleet.Count(same, "failure")))
	return after
}

func heads(failures []fleet.Failure, most int) []string {
	var all []string
	for i, f := range failures {
		if i == most {
			all = append(all, fmt.Sprintf("  … %d more", len(failures)-most))
			break
		}
		if len(f.Lines) > 0 {
			all = append(all, "  "+strings.TrimSpace(f.Lines[0]))
		}
	}
	return all
}

func keysOnly(failures []fleet.Failure) []fleet.Failure {
	var keys []fleet.Failure
	for _, f := range failures {
		keys = append(keys, fleet.Failure{Key: f.Key})
	}
	return keys
}

// After runs the verifiers on a change and compares the result with the base's report. With rerun, a test verifier
// that newly fails is run once more, and passes when the second run has nothing new to say: then it is
// flaky, and the report says so.
func After(ctx context.Context, exec Exec, verifiers []Verifier, base fleet.Report, rerun bool) (fleet.Report, error) {
	steps := map[string]*fleet.Check{}
	report, err := run(ctx, exec, verifiers, steps)
	if err != nil {
		return report, err
	}
	out := Compare(base, report)
	if !rerun {
		return out, nil
	}
	for i, v := range verifiers {
		if v.Kind != Test || out.Checks[i].Outcome != fleet.CheckFailed {
			continue
		}
		again, err := run(ctx, exec, verifiers[i:i+1], steps)
		if err != nil {
			return out, err
		}
		second := Compare(base, again).Checks[0]
		second.DurationMS += out.Checks[i].DurationMS
		if second.Outcome == fleet.Passed || second.Outcome == fleet.FailedBefore {
			first := out.Checks[i].Lines
			second.Lines = append(second.Lines, "flaky: it failed once and not when run again; the first time it said:")
			second.Lines = append(second.Lines, indent(first[:min(len(first), 6)])...)
		}
		out.Checks[i] = second
	}
	return out, nil
}

func indent(lines []string) []string {
	var all []string
	for _, line := range lines {
		all = append(all, "  "+line)
	}
	return all
}
