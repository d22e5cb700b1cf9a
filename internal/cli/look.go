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
		Use: "show CAMPAIGN COMPONENT", Short: "Show a target: its attempts, what each round found, what it cost, its history", Args: args(cobra.ExactArgs(2)),
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
	fmt.Fprintf(w, "%s in %s: %s\n", d.Component, d.Campaign, d.State)
	if d.Reason != "" {
		fmt.Fprintf(w, "  reason: %s: %s\n", d.Reason, d.Message)
	}
	fmt.Fprintf(w, "  repository: %s\n  owner: %s\n  wave: %d\n", place(d.Repository, d.Path), d.Owner, d.Wave+1)
	if d.BaseCommit != "" {
		fmt.Fprintf(w, "  base: %.12s\n", d.BaseCommit)
	}
	if d.Stat.Files > 0 {
		fmt.Fprintf(w, "  diff: %s, +%d -%d lines\n", plural(d.Stat.Files, "file"), d.Stat.Added, d.Stat.Deleted)
	}
	if d.PullURL != "" {
		fmt.Fprintf(w, "  pull request: %s %d on %s: %s\n", d.Repository, d.PullNumber, d.Branch, d.PullURL)
	}
	if d.Usage.Calls > 0 {
		fmt.Fprintf(w, "  cost: %s, %d model calls, %d tokens\n", d.Usage.Cost, d.Usage.Calls, d.Usage.Tokens().Total())
	}
	for _, at := range d.AttemptList {
		fmt.Fprintf(w, "\nattempt %d: %s %s by %s %s, %s", at.Number, at.State, at.Outcome, at.Agent, at.AgentVersion, at.EndedAt.Sub(at.StartedAt).Truncate(time.Millisecond))
		if at.Remembered {
			fmt.Fprint(w, ", remembered from an equal one")
		}
		fmt.Fprintln(w)
		for _, r := range at.Rounds {
			printRound(w, r)
		}
	}
	fmt.Fprintln(w, "\nhistory:")
	for _, e := range d.Events {
		fmt.Fprintf(w, "  %s %s: %s\n", e.At.Local().Format("2006-01-02 15:04:05"), e.Actor, strings.TrimPrefix(line(e), short(e.Component)+" "))
	}
}

func printRound(w io.Writer, r fleet.Round) {
	fmt.Fprintf(w, "  %s, %d ms\n", attempt.DescribeRound(r), r.DurationMS)
	if r.Report != nil {
		for _, c := range r.Report.Checks {
			fmt.Fprintf(w, "    %-18s %s\n", c.Outcome, c.Verifier)
			if c.Outcome == fleet.CheckFailed || c.Outcome == fleet.TimedOut {
				for _, l := range c.Lines {
					fmt.Fprintf(w, "      %s\n", l)
				}
			}
		}
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "    guard %s: %s:%d: %s\n", f.Rule, f.File, f.Line, f.Message)
	}
	if r.Verdict != nil {
		fmt.Fprintf(w, "    judge %s: pass %v\n", r.Verdict.Model, r.Verdict.Pass)
		for _, reason := range r.Verdict.Reasons {
			fmt.Fprintf(w, "      %s\n", clip(reason, 200))
		}
	}
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

// rawCommand prints a record as it is stored; on a terminal, without what could steer it.
func (a *App) rawCommand(use, short string, get func(context.Context, *ops.Ops, ops.TargetInput) ([]byte, error), attempts bool) *cobra.Command {
	var in ops.TargetInput
	cmd := &cobra.Command{Use: use, Short: short, Args: args(cobra.ExactArgs(2)), RunE: func(cmd *cobra.Command, list []string) error {
		in.Campaign, in.Component = list[0], list[1]
		return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
			data, err := get(ctx, o, in)
			if err != nil {
				return err
			}
			if terminal(a.Stdout) {
				data = []byte(plain(string(data)))
			}
			_, err = a.Stdout.Write(data)
			return err
		})
	}}
	if attempts {
		cmd.Flags().IntVar(&in.Attempt, "attempt", 0, "of this attempt; the newest otherwise")
	}
	return cmd
}

// plain replaces control characters, with which hostile text could rewrite a terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) {
			return r
		}
		return '\uFFFD'
	}, s)
}
