package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gaggle/internal/fleet"
	"gaggle/internal/ops"
)

func (a *App) sweepCommand() *cobra.Command {
	var in ops.SweepInput
	cmd := &cobra.Command{
		Use: "sweep CAMPAIGN.yaml", Short: "Try a campaign's changes on the forges' CI before there are pull requests: push short-lived branches, say what fails and why, delete them",
		Args: args(1, 1), ValidArgsFunction: completeFile,
		RunE: func(cmd *cobra.Command, list []string) error {
			if !isFile(list[0]) {
				return usage(cmd, "a sweep takes a campaign file, and %q is none", clip(list[0], 60))
			}
			if in.Timeout == 0 || in.Every == 0 { // which mean the defaults below
				return usage(cmd, "--timeout and --every are at least one second")
			}
			in.File = list[0]
			return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
				p := a.newProgress(ctx, o)
				out, err := o.Sweep(ctx, in, p.event)
				p.close(err == nil)
				if out == nil {
					return err
				}
				if a.json {
					if lineErr := a.line(sweepLine{Kind: "end", SweepOutput: out}); err == nil {
						err = lineErr
					}
				} else {
					printSweep(a.text, out, in.File)
				}
				a.failed = out.Failed()
				return err
			})
		},
	}
	cmd.Flags().IntVar(&in.Limit, "limit", 0, "at most so many targets")
	cmd.Flags().StringSliceVar(&in.Only, "only", nil, "these components only")
	cmd.Flags().DurationVar(&in.Timeout, "timeout", ops.SweepTimeout, "how long CI is given, from when the branches are pushed")
	cmd.Flags().DurationVar(&in.Every, "every", ops.SweepEvery, "time between two looks at the checks of a commit, at first")
	cmd.Flags().IntVar(&in.Parallel, "parallel", 0, "attempts at once (defaults to limits.parallel, or one a processor)")
	_ = cmd.RegisterFlagCompletionFunc("only", a.completeComponent)
	return cmd
}

// sweepLine is the last line of sweep --json; those before it are events.
type sweepLine struct {
	Kind string `json:"kind"` // end
	*ops.SweepOutput
}

// outcome says in words what CI made of a change.
func outcome(o ops.SweepOutcome) string {
	switch o {
	case ops.SweepBefore:
		return "failed as on the base"
	case ops.SweepTimedOut:
		return "not done in time"
	case ops.SweepNoChecks:
		return "checked by nothing"
	case ops.SweepUnknown:
		return "not known"
	}
	return strings.ReplaceAll(string(o), "_", " ")
}

// printSweep tells the outcome, the causes of failures, and of what is neither passed nor failed the reasons.
func printSweep(w io.Writer, out *ops.SweepOutput, file string) {
	if len(out.Targets) == 0 {
		printStatus(w, &out.Status, false)
		fmt.Fprintln(w, "nothing was ready to be tried on CI")
		if len(out.Status.Campaigns) > 0 && out.Status.Campaigns[0].Targets == 0 {
			fmt.Fprintf(w, "next: gaggle plan --out %s says why nothing is concerned\n", name(file))
		}
	} else {
		fmt.Fprintf(w, "%s: %s tried on CI: ", out.Campaign, plural(len(out.Targets), "change"))
		var parts []string
		for _, o := range ops.SweepOutcomes() {
			if n := out.Outcomes[o]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, outcome(o)))
			}
		}
		fmt.Fprintln(w, strings.Join(parts, ", "))
	}
	for _, c := range out.Causes {
		fmt.Fprintf(w, "\n%s: %s\n", plural(c.Targets, "change"), clip(c.Cause, 300))
		fmt.Fprintf(w, "  such as %s in %s", short(c.Example.Component), clip(c.Example.Check, longest))
		if c.Example.URL != "" {
			fmt.Fprintf(w, " (%s)", clip(c.Example.URL, 300))
		}
		fmt.Fprintln(w)
		for _, l := range c.Example.Lines {
			fmt.Fprintf(w, "    %s\n", plain(l))
		}
		if others := c.Components[1:]; len(others) > 0 {
			fmt.Fprintf(w, "  also %s\n", some(others, c.Targets-1))
		}
	}
	if out.Unlisted > 0 {
		fmt.Fprintf(w, "\nand %s\n", plural(out.Unlisted, "more cause"))
	}
	t := newTable("COMPONENT", "OUTCOME", "WHY")
	for _, s := range out.Targets {
		if s.Outcome != ops.SweepPassed && s.Outcome != ops.SweepFailed {
			t.row(short(s.Component), outcome(s.Outcome), s.Message)
		}
	}
	if len(t.rows) > 1 {
		fmt.Fprintln(w)
		t.print(w)
	}
	if out.Outcomes[ops.SweepNoChecks] > 0 {
		fmt.Fprintln(w, "where nothing checked a change, CI may build no such branches: let it build gaggle-sweep/**")
	}
	for _, b := range out.Left {
		fmt.Fprintf(w, "branch %s of %s is still there: %s\n", clip(b.Branch, longest), clip(b.Repository, longest), clip(b.Message, 300))
	}
	if len(out.Left) > 0 {
		fmt.Fprintln(w, "the next sweep deletes those that are its own to delete")
	}
	for _, c := range out.Status.Campaigns {
		if n := c.States[fleet.Failed]; n > 0 {
			fmt.Fprintf(w, "%s failed before CI: gaggle status %s --state failed\n", plural(n, "target"), c.Name)
		}
	}
	for _, wait := range out.Waits {
		fmt.Fprintf(w, "  %s\n", clip(wait.Message, 500))
	}
	switch {
	case out.Outcomes[ops.SweepFailed] > 0:
		fmt.Fprintf(w, "next: gaggle diff %s COMPONENT\n", out.Campaign)
	case out.Outcomes[ops.SweepPassed] > 0:
		fmt.Fprintf(w, "next: gaggle run %s opens the pull requests; what was made is not made again\n", name(file))
	}
}

// some names a few of many.
func some(components []string, total int) string {
	const most = 5
	names := make([]string, 0, most)
	for _, c := range components[:min(len(components), most)] {
		names = append(names, clip(short(c), longest))
	}
	list := strings.Join(names, ", ")
	if more := total - len(names); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}
