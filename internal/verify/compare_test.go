package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/verify"
)

func check(outcome fleet.CheckOutcome, keys ...string) fleet.Check {
	c := fleet.Check{Verifier: "go test", Outcome: outcome, Lines: []string{string(outcome)}}
	for _, k := range keys {
		c.Failures = append(c.Failures, fleet.Failure{Key: k, Lines: []string{"line of " + k}})
	}
	return c
}

func TestCompare(t *testing.T) {
	none := func() fleet.Check {
		c := check(fleet.Passed)
		c.Lines = []string{"passed: no tests in 3 packages"}
		return c
	}
	for _, c := range []struct {
		name         string
		base, after  fleet.Check
		want         fleet.CheckOutcome
		shows, hides string
	}{
		{"pass stays pass", check(fleet.Passed), check(fleet.Passed), fleet.Passed, "", ""},
		{"mended", check(fleet.CheckFailed, "a"), check(fleet.Passed), fleet.Passed, "", ""},
		{"newly failing", check(fleet.Passed), check(fleet.CheckFailed, "a"), fleet.CheckFailed, "", ""},
		{"failing as before", check(fleet.CheckFailed, "a", "b"), check(fleet.CheckFailed, "b", "a"), fleet.FailedBefore, "as it did before", ""},
		{"fewer failures than before", check(fleet.CheckFailed, "a", "b"), check(fleet.CheckFailed, "b"), fleet.FailedBefore, "line of b", ""},
		{"one new among old ones", check(fleet.CheckFailed, "a", "b"), check(fleet.CheckFailed, "a", "b", "c"), fleet.CheckFailed, "line of c", "line of a"},
		{"the same complaint once more", check(fleet.CheckFailed, "a"), check(fleet.CheckFailed, "a", "a (2)"), fleet.CheckFailed, "line of a (2)", ""},
		{"newly cannot build", check(fleet.CheckFailed, "test x"), check(fleet.CheckFailed, "a.go: undefined: y"), fleet.CheckFailed, "", ""},
		{"base remembered as failed before", check(fleet.FailedBefore, "a"), check(fleet.CheckFailed, "a"), fleet.FailedBefore, "", ""},
		{"toolchain missing on both", check(fleet.ToolchainGone), check(fleet.ToolchainGone), fleet.ToolchainGone, "", ""},
		{"toolchain newly missing", check(fleet.Passed), check(fleet.ToolchainGone), fleet.CheckFailed, "cannot run any more", ""},
		{"toolchain newly missing where it failed", check(fleet.CheckFailed, "a"), check(fleet.ToolchainGone), fleet.CheckFailed, "cannot run any more", ""},
		{"runs now and fails", check(fleet.ToolchainGone), check(fleet.CheckFailed, "a"), fleet.CheckFailed, "", ""},
		{"timed out on both", check(fleet.TimedOut, "timeout"), check(fleet.TimedOut, "timeout"), fleet.FailedBefore, "", ""},
		{"newly timed out", check(fleet.Passed), check(fleet.TimedOut, "timeout"), fleet.TimedOut, "", ""},
		{"newly timed out where it failed", check(fleet.CheckFailed, "a"), check(fleet.TimedOut, "timeout"), fleet.TimedOut, "", ""},
		{"timed out, now fails", check(fleet.TimedOut, "timeout"), check(fleet.CheckFailed, "a"), fleet.CheckFailed, "", ""},
		{"the tests are gone", check(fleet.Passed), none(), fleet.CheckFailed, "no test ran", ""},
		{"there never were tests", none(), none(), fleet.Passed, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			base, after := fleet.Report{Checks: []fleet.Check{c.base}}, fleet.Report{Checks: []fleet.Check{c.after}}
			before, _ := json.Marshal([]fleet.Report{base, after})
			got := verify.Compare(base, after).Checks[0]
			text := strings.Join(got.Lines, "\n")
			if got.Outcome != c.want || !strings.Contains(text, c.shows) || c.hides != "" && strings.Contains(text, c.hides) {
				t.Errorf("%+v", got)
			}
			if now, _ := json.Marshal([]fleet.Report{base, after}); !bytes.Equal(before, now) {
				t.Error("an argument was changed")
			}
			for _, f := range got.Failures {
				if f.Lines != nil {
					t.Error("lines are kept twice")
				}
			}
		})
	}
	alone := verify.Compare(fleet.Report{}, fleet.Report{Checks: []fleet.Check{check(fleet.CheckFailed, "a"), check(fleet.ToolchainGone)}})
	if alone.Checks[0].Outcome != fleet.CheckFailed || alone.Checks[1].Outcome != fleet.ToolchainGone {
		t.Errorf("without a base: %+v", alone)
	}
}

// script answers each command with the next of its outputs, the last one again and again.
type script struct {
	answers map[string][]verify.Output
	ran     []verify.Command
}

func (s *script) Exec(_ context.Context, c verify.Command) (verify.Output, error) {
	s.ran = append(s.ran, c)
	name := strings.Join(c.Argv, " ")
	answers := s.answers[name]
	if len(answers) == 0 {
		return verify.Output{Missing: true, Exit: 127}, nil
	}
	if len(answers) > 1 {
		s.answers[name] = answers[1:]
	}
	return answers[0], nil
}

func says(exit int, text string) verify.Output {
	return verify.Output{Exit: exit, Text: []byte(text), Root: "/srv/work"}
}

var oneTest = []verify.Verifier{{Name: "go test", Kind: verify.Test, Tool: "go", Argv: []string{"t"}}}

const failing = "--- FAIL: TestA (0.00s)\n    a_test.go:1: no\nFAIL\tex/a\t0.1s\n"

func TestFlakyTestsAreRunOnceMore(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []verify.Output
		rerun   bool
		kind    verify.Kind
		want    fleet.CheckOutcome
		runs    int
		shows   string
	}{
		{"passes the second time", []verify.Output{says(1, failing), says(0, "ok  \tex/a\t0.1s\n")}, true, verify.Test, fleet.Passed, 2, "flaky"},
		{"fails twice", []verify.Output{says(1, failing)}, true, verify.Test, fleet.CheckFailed, 2, "TestA"},
		{"no second chance asked for", []verify.Output{says(1, failing), says(0, "")}, false, verify.Test, fleet.CheckFailed, 1, "TestA"},
		{"compilers are not flaky", []verify.Output{says(1, failing), says(0, "")}, true, verify.Build, fleet.CheckFailed, 1, "TestA"},
		{"passes at once", []verify.Output{says(0, "ok  \tex/a\t0.1s\n")}, true, verify.Test, fleet.Passed, 1, "passed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			exec := &script{answers: map[string][]verify.Output{"t": c.answers}}
			vs := slices.Clone(oneTest)
			vs[0].Kind = c.kind
			base := fleet.Report{Checks: []fleet.Check{{Verifier: "go test", Outcome: fleet.Passed, Lines: []string{"passed: tests of 1 package"}}}}
			r, err := verify.After(t.Context(), exec, vs, base, c.rerun)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Checks[0]; got.Outcome != c.want || len(exec.ran) != c.runs || !strings.Contains(strings.Join(got.Lines, "\n"), c.shows) {
				t.Errorf("%d runs, %+v", len(exec.ran), got)
			}
		})
	}
}

func TestSetupRunsOnceAndItsFailureIsTheChecks(t *testing.T) {
	step := verify.Step{Argv: []string{"install"}, Dir: "web"}
	vs := []verify.Verifier{
		{Name: "npm build", Kind: verify.Build, Tool: "node", Argv: []string{"b"}, Dir: "web", Setup: []verify.Step{step}},
		{Name: "npm test", Kind: verify.Test, Tool: "node", Argv: []string{"t"}, Dir: "web", Setup: []verify.Step{step}},
	}
	exec := &script{answers: map[string][]verify.Output{
		"install": {says(1, "npm error code EUSAGE\nnpm error Missing: left-pad@1.3.0 from lock file\n")}, "b": {says(0, "")}, "t": {says(1, "")},
	}}
	r, err := verify.Run(t.Context(), exec, vs)
	if err != nil || len(exec.ran) != 1 {
		t.Fatalf("%v, %+v", err, exec.ran)
	}
	for i, c := range r.Checks {
		if c.Outcome != fleet.CheckFailed || c.Verifier != vs[i].Name || !strings.Contains(strings.Join(c.Lines, "\n"), "Missing: left-pad@1.3.0 from lock file") {
			t.Errorf("%+v", c)
		}
	}
	vs[0].Setup = []verify.Step{{Argv: []string{"install"}, Dir: "web", Optional: true}}
	exec.ran = nil
	if r, _ = verify.Run(t.Context(), exec, vs[:1]); r.Checks[0].Outcome != fleet.Passed || len(exec.ran) != 2 {
		t.Errorf("an optional step that fails: %+v", r)
	}
}

func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		name  string
		out   verify.Output
		tool  string
		want  fleet.CheckOutcome
		shows string
	}{
		{"no program", verify.Output{Missing: true, Exit: 127}, "go", fleet.ToolchainGone, "t is not on this machine"},
		{"not found in a script", says(127, "sh: 1: jest: not found\n"), "node", fleet.ToolchainGone, "missing: jest"},
		{"not found on the way", says(1, "sh: 1: notify: not found\na.c:1:1: error: x\n"), "shell", fleet.CheckFailed, "a.c:1:1"},
		{"timeout", verify.Output{Ended: fleet.CodeTimeout, Exit: 137, Text: []byte("--- FAIL: TestA (0.00s)\n    a_test.go:1: no\n")}, "go", fleet.TimedOut, "did not end within 10m0s"},
		{"memory", verify.Output{Ended: fleet.CodeMemory, Exit: 137}, "go", fleet.CheckFailed, "memory limit"},
		{"silence", says(3, ""), "shell", fleet.CheckFailed, "printed nothing"},
		{"no tests for pytest", says(5, "no tests ran in 0.01s\n"), "python", fleet.Passed, "passed: no tests"},
		{"exit 5 of anything else", says(5, "x\n"), "shell", fleet.CheckFailed, "x"},
		{"killed by a signal", says(139, ""), "shell", fleet.CheckFailed, "printed nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := verify.Run(t.Context(), &script{answers: map[string][]verify.Output{"t": {c.out}}}, []verify.Verifier{{Name: "v", Tool: c.tool, Argv: []string{"t"}}})
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Checks[0]; got.Outcome != c.want || !strings.Contains(strings.Join(got.Lines, "\n"), c.shows) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestPlanRunsInsideAsOutside sends a plan through its file and keeps what setup made before.
func TestPlanRunsInsideAsOutside(t *testing.T) {
	vs := slices.Clone(oneTest)
	vs[0].Setup = []verify.Step{{Argv: []string{"install"}}}
	base := fleet.Report{Checks: []fleet.Check{{Verifier: "go test", Outcome: fleet.CheckFailed, Failures: []fleet.Failure{{Key: "test ex/a TestA"}}}}}
	var file bytes.Buffer
	if err := (verify.Plan{Verifiers: vs, Base: &base}).Write(&file); err != nil {
		t.Fatal(err)
	}
	plan, err := verify.ReadPlan(&file)
	if err != nil || verify.Hash(plan.Verifiers) != verify.Hash(vs) {
		t.Fatalf("%v, %+v", err, plan)
	}
	exec := &script{answers: map[string][]verify.Output{"install": {says(0, "")}, "t": {says(1, failing)}}}
	r, err := plan.Run(t.Context(), exec)
	if err != nil || r.Checks[0].Outcome != fleet.FailedBefore {
		t.Errorf("%v, %+v", err, r)
	}
	if exec.ran[0].Env["GAGGLE_KEEP_SETUP"] != "1" || vs[0].Setup[0].Env != nil {
		t.Errorf("%+v", exec.ran[0])
	}
	for _, bad := range []string{"", "[]", `{"version": 99}`} {
		if _, err := verify.ReadPlan(strings.NewReader(bad)); fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
