package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"gaggle/internal/fleet"
	"gaggle/internal/ops"
	"gaggle/internal/sandbox"
	"gaggle/internal/verify"
)

func (a *App) verifyCommand() *cobra.Command {
	var in ops.VerifyInput
	cmd := &cobra.Command{Use: "verify [DIR]", Short: "Run a checkout's verifiers in the sandbox, as a campaign would; fit for a pre-push hook", Args: args(0, 1), RunE: func(cmd *cobra.Command, list []string) error {
		in.Dir = "."
		if len(list) == 1 {
			in.Dir = list[0]
		}
		return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
			r, err := o.Verify(ctx, in)
			if err != nil {
				return err
			}
			a.failed = !r.OK()
			return a.answer(r, func(w io.Writer) {
				if len(r.Checks) == 0 {
					fmt.Fprintln(w, "no verifier fits this folder; --run adds one")
				}
				for _, c := range r.Checks {
					fmt.Fprintf(w, "%-18s %s (%s)\n", c.Outcome, clip(c.Verifier, longest), words(time.Duration(c.DurationMS)*time.Millisecond))
					if c.Outcome != fleet.Passed {
						for _, l := range c.Lines {
							fmt.Fprintf(w, "  %s\n", l)
						}
					}
				}
			})
		})
	}}
	cmd.Flags().StringSliceVar(&in.Run, "run", nil, "a further command that must succeed")
	cmd.Flags().StringVar(&in.Path, "path", ".", "the component's folder inside DIR")
	return cmd
}

func (a *App) judgeCommand() *cobra.Command {
	var in ops.JudgeInput
	var file string
	cmd := &cobra.Command{Use: "judge --prompt P --diff F", Short: "Have the judge compare a diff with a prompt", Args: args(0, 0), RunE: func(cmd *cobra.Command, _ []string) error {
		var err error
		switch {
		case file == "-":
			in.Diff, err = io.ReadAll(a.Stdin)
		case file != "":
			in.Diff, err = os.ReadFile(file)
		}
		if err != nil {
			return &fleet.Error{Code: fleet.CodeNotFound, Message: "the diff cannot be read", Hint: "--diff FILE, or - for standard input", Err: err}
		}
		return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
			v, err := o.Judge(ctx, in)
			if err != nil {
				return err
			}
			a.failed = !v.Pass
			return a.answer(v, func(w io.Writer) {
				fmt.Fprintf(w, "%s by %s\n", verdict(v.Pass), clip(v.Model, 80))
				for _, r := range v.Reasons {
					fmt.Fprintf(w, "- %s\n", clip(r, 1000))
				}
				for _, h := range v.Outside {
					fmt.Fprintf(w, "- outside the prompt: %s\n", clip(h, 300))
				}
			})
		})
	}}
	cmd.Flags().StringVar(&in.Prompt, "prompt", "", "what the change should do")
	cmd.Flags().StringVar(&file, "diff", "", "a file with the diff, - for standard input; such as git diff prints")
	cmd.Flags().StringVar(&in.Model, "model", "", "the judge's model")
	return cmd
}

func (a *App) doctorCommand() *cobra.Command {
	return &cobra.Command{Use: "doctor", Short: "Say what this machine can do, and how to mend what it cannot", Args: args(0, 0), RunE: func(cmd *cobra.Command, _ []string) error {
		forges, trouble := ops.ReadForges(a.Env, a.dataDir())
		checks := ops.Doctor(cmd.Context(), ops.DoctorInput{Data: a.dataDir(), Database: a.databaseURL(), Models: ops.ModelsFromEnvironment(a.Env), Forges: forges, Trouble: trouble})
		for _, c := range checks {
			a.failed = a.failed || !c.OK && c.Required
		}
		return a.answer(checks, func(w io.Writer) {
			for _, c := range checks {
				mark := "ok  "
				switch {
				case !c.OK && c.Required:
					mark = "FAIL"
				case !c.OK:
					mark = "no  "
				}
				fmt.Fprintf(w, "%s %-18s %s\n", mark, c.Name, clip(c.Detail, 500))
				if c.Mend != "" {
					fmt.Fprintf(w, "     mend: %s\n", c.Mend)
				}
			}
		})
	}}
}

func (a *App) demoCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{Use: "demo", Short: "Make a small fleet of real repositories and run a campaign on it, to open pull requests", Args: args(0, 0), RunE: func(cmd *cobra.Command, _ []string) error {
		for _, name := range []string{"data", "database", "dangerously-without-sandbox", "json"} {
			if cmd.Flags().Changed(name) {
				return usageError{&fleet.Error{Code: fleet.CodeInvalid, Message: "the demo takes no --" + name + ": it has a data folder of its own, and never runs without a sandbox", Hint: "--dir says where it is made"}}
			}
		}
		smooth, err := a.Demo(cmd.Context(), dir, a.Stdout)
		a.failed = !smooth
		return err
	}}
	cmd.Flags().StringVar(&dir, "dir", "", "the folder to make it in, or an earlier demo's to go on with; defaults to a new temporary one")
	return cmd
}

// insideCommand runs a plan's verifiers inside a sandbox, for the agent that sits there. What counts is the engine's own run.
func (a *App) insideCommand() *cobra.Command {
	return &cobra.Command{Use: "__verify PLAN", Hidden: true, Args: args(1, 1), RunE: func(cmd *cobra.Command, list []string) error {
		f, err := os.Open(list[0])
		if err != nil {
			return err
		}
		defer f.Close()
		plan, err := verify.ReadPlan(f)
		if err != nil {
			return err
		}
		report, err := plan.Run(cmd.Context(), verify.Local{Root: sandbox.WorkDir})
		if err != nil {
			return err
		}
		a.failed = !report.OK()
		return verify.Text(a.Stdout, report)
	}}
}
