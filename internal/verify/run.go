package verify

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/verify/distill"
)

func cmpOr(d, otherwise time.Duration) time.Duration { return cmp.Or(d, otherwise) }

// clean turns a folder as people write it ("", "./a/") into the form of package io/fs.
func clean(dir string) string { return path.Clean(cmp.Or(dir, ".")) }

// Run runs the verifiers one after the other and reports what each found, in their order, as if nothing were known of the base. An
// error means that the machine is broken or the context is done; the report then holds what was found until then.
func Run(ctx context.Context, exec Exec, verifiers []Verifier) (fleet.Report, error) {
	return run(ctx, exec, verifiers, map[string]*fleet.Check{})
}

// run is Run; steps holds what became of setup steps: the check of one that failed, nil for one that went well.
func run(ctx context.Context, exec Exec, verifiers []Verifier, steps map[string]*fleet.Check) (fleet.Report, error) {
	var report fleet.Report
	for _, v := range verifiers {
		check, err := one(ctx, exec, v, steps)
		if err != nil {
			return report, err
		}
		report.Checks = append(report.Checks, check)
	}
	return report, nil
}

func one(ctx context.Context, exec Exec, v Verifier, steps map[string]*fleet.Check) (fleet.Check, error) {
	for _, step := range v.Setup {
		failed, ran := steps[step.id()]
		if !ran {
			check, err := prepare(ctx, exec, v, step)
			if err != nil {
				return fleet.Check{}, err
			}
			if check.Outcome != fleet.Passed {
				failed = &check
			}
			steps[step.id()] = failed
		}
		if failed != nil && !step.Optional {
			check := *failed
			check.Verifier, check.Command = v.Name, v.Command()
			return check, nil
		}
	}
	out, err := exec.Exec(ctx, Command{Argv: v.Argv, Dir: clean(v.Dir), Env: v.Env, Path: v.Path, Timeout: cmpOr(v.Timeout, DefaultTimeout)})
	if err != nil {
		return fleet.Check{}, err
	}
	return judge(v, v.Argv, clean(v.Dir), v.Tool, out), nil
}

// prepare runs a step that a verifier needs first.
func prepare(ctx context.Context, exec Exec, v Verifier, step Step) (fleet.Check, error) {
	out, err := exec.Exec(ctx, Command{Argv: step.Argv, Dir: clean(step.Dir), Env: step.Env, Path: v.Path, Timeout: cmpOr(v.Timeout, DefaultTimeout)})
	if err != nil {
		return fleet.Check{}, err
	}
	check := judge(v, step.Argv, clean(step.Dir), v.Tool, out)
	if check.Outcome == fleet.CheckFailed {
		head := "preparing with `" + shorten(cmp.Or(step.Name, commandLine(clean(step.Dir), step.Argv)), 120) + "` failed:"
		check.Lines = append([]string{head}, check.Lines[:min(len(check.Lines), distill.MaxLines-1)]...)
		for i := range check.Failures {
			check.Failures[i].Key = "setup: " + check.Failures[i].Key
		}
	}
	return check, nil
}

// judge turns how a command ended into a check.
func judge(v Verifier, argv []string, dir, tool string, out Output) fleet.Check {
	check := fleet.Check{Verifier: v.Name, Command: v.Command(), DurationMS: out.Wall.Milliseconds()}
	in := distill.Input{Tool: tool, Text: out.Text, Cut: out.Cut, Exit: out.Exit, Root: out.Root, Dir: dir, Modules: v.Modules}
	var seen []fleet.Failure
	var unread int64
	switch {
	case out.Missing:
		check.Outcome, check.Lines = fleet.ToolchainGone, []string{argv[0] + " is not on this machine"}
	case out.Ended == fleet.CodeTimeout:
		check.Outcome = fleet.TimedOut
		check.Failures = []fleet.Failure{{Key: "timeout", Lines: []string{fmt.Sprintf("did not end within %s", cmpOr(v.Timeout, DefaultTimeout))}}}
		seen, unread = distill.Recognised(in)
		check.Failures = append(check.Failures, seen...)
	case out.Ended != "":
		check.Outcome = fleet.CheckFailed
		what := strings.ReplaceAll(string(out.Ended), "_", " ")
		check.Failures = []fleet.Failure{{Key: string(out.Ended), Lines: []string{"ended by the " + what}}}
		seen, unread = distill.Recognised(in)
		check.Failures = append(check.Failures, seen...)
	case out.Exit == 0:
		check.Outcome, check.Lines = fleet.Passed, []string{distill.Passed(in)}
	case nothingToDo(tool, out.Exit):
		check.Outcome, check.Lines = fleet.Passed, []string{distill.NoTests}
	default:
		if what, line, gone := distill.Missing(in); gone {
			check.Outcome, check.Lines = fleet.ToolchainGone, []string{"missing: " + what}
			if line != "" {
				check.Lines = append(check.Lines, "  "+line)
			}
			return check
		}
		check.Outcome = fleet.CheckFailed
		check.Failures, unread = distill.Failures(in)
	}
	if check.Failures != nil {
		check.Lines = distill.Render(check.Failures, unread, distill.MaxLines)
	}
	return check
}

// nothingToDo knows the exit statuses by which tools say that there was no test: pytest and unittest 5, bazel 4.
func nothingToDo(tool string, exit int) bool {
	return tool == "python" && exit == 5 || tool == "bazel" && exit == 4
}

func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
