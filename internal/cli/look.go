package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gaggle/internal/attempt"
	"gaggle/internal/fleet"
	"gaggle/internal/ops"
)

func (a *App) showCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show CAMPAIGN COMPONENT", Short: "Show a target: its attempts, what each round found, what it cost, its history", Args: args(2, 2), ValidArgsFunction: a.completeTargets,
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
				d, err := o.Show(ctx, ops.TargetInput{Campaign: list[0], Component: list[1]})
				if err != nil {
					return err
				}
				return a.answer(d, func(w io.Writer) { printTarget(w, d) })
			})
		},
	}
}

func printTarget(w io.Writer, d *ops.TargetDetail) {
	fmt.Fprintf(w, "%s in %s: %s\n", clip(d.Component, longest), d.Campaign, d.State)
	entry := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "  %-13s %s\n", name+":", clip(value, 2000))
		}
	}
	if d.Reason != "" {
		entry("reason", string(d.Reason)+": "+d.Message)
	}
	entry("waits", d.Held)
	entry("repository", place(d.Repository, d.Path))
	entry("owner", short(d.Owner))
	entry("wave", fmt.Sprint(d.Wave+1))
	entry("base", fmt.Sprintf("%.12s", d.BaseCommit))
	if d.Stat.Files > 0 {
		entry("diff", fmt.Sprintf("%s, +%d -%d lines", plural(d.Stat.Files, "file"), d.Stat.Added, d.Stat.Deleted))
	}
	if d.Risk != nil {
		var parts []string
		for _, p := range d.Risk.Parts {
			parts = append(parts, fmt.Sprintf("%d for %s (%s)", p.Points, p.Name, p.Why))
		}
		entry("risk", fmt.Sprintf("%d of 100: %s", d.Risk.Score, strings.Join(parts, ", ")))
	}
	if d.Evidence != nil {
		entry("evidence", fmt.Sprintf("%s: %s", merging(d.Evidence.Open), d.Evidence))
	}
	if d.PullURL != "" {
		on := " on " + d.Branch
		if d.Follows() {
			on = "" // on the leader's
		}
		entry("pull request", fmt.Sprintf("%s %d%s: %s", d.Repository, d.PullNumber, on, d.PullURL))
	}
	for _, s := range d.Shared {
		entry("shared with", fmt.Sprintf("%s of campaign %s", short(s.Component), s.Campaign))
	}
	if d.Usage.Calls > 0 {
		entry("cost", fmt.Sprintf("%s, %s, %s", d.Usage.Cost, plural(int(d.Usage.Calls), "model call"), plural(int(d.Usage.Tokens().Total()), "token")))
	}
	for _, at := range d.AttemptList {
		fmt.Fprintf(w, "\nattempt %d: %s\n", at.Number, describe(at))
		for _, r := range at.Rounds {
			printRound(w, r)
		}
	}
	fmt.Fprintln(w, "\nhistory:")
	for _, e := range d.Events {
		e.Component, e.Campaign = "", "" // both stand above
		fmt.Fprintf(w, "  %s %s: %s\n", e.At.Local().Format("2006-01-02 15:04:05"), clip(e.Actor, 40), line(e))
	}
}

// merging says what evidence for merging without a person comes to.
func merging(enough bool) string {
	if enough {
		return "enough to merge without a person"
	}
	return "not enough to merge without a person"
}

// describe says how an attempt ended, by whom and how long it took.
func describe(at fleet.Attempt) string {
	s := string(at.State)
	if at.Outcome != "" {
		s = string(at.Outcome)
	}
	s += ", by " + clip(at.Agent+" "+at.AgentVersion, 80)
	switch {
	case at.Remembered:
		s += ", remembered from an equal one"
	case !at.EndedAt.IsZero() && !at.StartedAt.IsZero():
		s += ", " + words(at.EndedAt.Sub(at.StartedAt))
	}
	return s
}

func printRound(w io.Writer, r fleet.Round) {
	fmt.Fprintf(w, "  %s, %s\n", clip(attempt.DescribeRound(r), 300), words(time.Duration(r.DurationMS)*time.Millisecond))
	if r.Report != nil {
		for _, c := range r.Report.Checks {
			fmt.Fprintf(w, "    %-18s %s\n", c.Outcome, clip(c.Verifier, longest))
			if c.Outcome == fleet.CheckFailed || c.Outcome == fleet.TimedOut || c.Outcome == fleet.FailedBefore {
				for _, l := range c.Lines {
					fmt.Fprintf(w, "      %s\n", l)
				}
			}
		}
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "    guard %s: %s:%d: %s\n", f.Rule, clip(f.File, longest), f.Line, clip(f.Message, 300))
	}
	if r.Verdict != nil {
		fmt.Fprintf(w, "    judge %s: %s\n", clip(r.Verdict.Model, 80), verdict(r.Verdict.Pass))
		for _, reason := range r.Verdict.Reasons {
			fmt.Fprintf(w, "      %s\n", clip(reason, 300))
		}
	}
}

func verdict(pass bool) string {
	if pass {
		return "pass"
	}
	return "veto"
}

func (a *App) diffCommand() *cobra.Command {
	return a.rawCommand("diff CAMPAIGN COMPONENT", "Print a target's diff: what is proposed, or the best effort of an attempt that failed", func(ctx context.Context, o *ops.Ops, in ops.TargetInput) ([]byte, error) {
		return o.Diff(ctx, in)
	}, false)
}

func (a *App) logsCommand() *cobra.Command {
	return a.rawCommand("logs CAMPAIGN COMPONENT", "Print what the agent printed", func(ctx context.Context, o *ops.Ops, in ops.TargetInput) ([]byte, error) {
		return o.Record(ctx, in, "log")
	}, true)
}

func (a *App) transcriptCommand() *cobra.Command {
	return a.rawCommand("transcript CAMPAIGN COMPONENT", "Print an attempt's traffic with models, as JSON lines without secrets", func(ctx context.Context, o *ops.Ops, in ops.TargetInput) ([]byte, error) {
		return o.Record(ctx, in, "transcript")
	}, true)
}

func (a *App) provenanceCommand() *cobra.Command {
	var envelope bool
	cmd := a.rawCommand("provenance CAMPAIGN COMPONENT", "Print how a target's pushed change came about: an in-toto statement, whose digest the commit and the pull request name", func(ctx context.Context, o *ops.Ops, in ops.TargetInput) ([]byte, error) {
		return o.Provenance(ctx, ops.ProvenanceInput{TargetInput: in, Envelope: envelope})
	}, true)
	cmd.Flags().BoolVar(&envelope, "envelope", false, "signed, in a DSSE envelope")
	return cmd
}

// rawCommand prints a record as it is stored; on a terminal, without what could steer it.
func (a *App) rawCommand(use, short string, get func(context.Context, *ops.Ops, ops.TargetInput) ([]byte, error), attempts bool) *cobra.Command {
	var in ops.TargetInput
	cmd := &cobra.Command{Use: use, Short: short, Args: args(2, 2), ValidArgsFunction: a.completeTargets, RunE: func(cmd *cobra.Command, list []string) error {
		in.Campaign, in.Component = list[0], list[1]
		return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
			data, err := get(ctx, o, in)
			if err != nil {
				return err
			}
			if terminal(a.Stdout) {
				_, err = a.text.Write(data)
			} else {
				_, err = a.Stdout.Write(data)
			}
			return err
		})
	}}
	if attempts {
		cmd.Flags().IntVar(&in.Attempt, "attempt", 0, "of this attempt; the newest otherwise")
	}
	return cmd
}
