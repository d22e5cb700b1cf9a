package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/ops"
	"gaggle/internal/store"
)

// prClose makes the command that closes one pull request close all of a campaign, too.
func (a *App) prClose(cmd *cobra.Command, one *ops.PullInput) *cobra.Command {
	campaign, yes := "", false
	single := cmd.RunE
	cmd.Use = "close REPOSITORY NUMBER | --campaign NAME"
	cmd.Args = func(cmd *cobra.Command, list []string) error {
		if campaign != "" && len(list) > 0 {
			return usage(cmd, "%s closes one pull request, or all of a campaign with --campaign alone", cmd.CommandPath())
		}
		if campaign != "" {
			return nil
		}
		if yes {
			return usage(cmd, "--yes goes with --campaign")
		}
		return args(2, 2)(cmd, list)
	}
	cmd.RunE = func(cmd *cobra.Command, list []string) error {
		if !cmd.Flags().Changed("campaign") {
			return single(cmd, list)
		}
		return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
			return a.closeCampaign(ctx, o, ops.ClosePullsInput{Campaign: campaign, Comment: one.Comment}, yes)
		})
	}
	cmd.Flags().StringVar(&one.Comment, "comment", "", "why, left on the pull request")
	cmd.Flags().StringVar(&campaign, "campaign", "", "close all open pull requests of this campaign and delete their branches; the targets rest as closed")
	cmd.Flags().BoolVar(&yes, "yes", false, "with --campaign: do not ask first")
	_ = cmd.RegisterFlagCompletionFunc("campaign", a.completeCampaignFlag)
	return cmd
}

func (a *App) closeCampaign(ctx context.Context, o *ops.Ops, in ops.ClosePullsInput, yes bool) error {
	open, err := o.OpenPulls(ctx, in.Campaign)
	if err != nil {
		return err
	}
	if open > 0 && !yes {
		if !asksPeople(a.Stdin) {
			return usageError{&fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf("this closes %s of campaign %s, and nobody is there to confirm it", plural(open, "pull request"), in.Campaign), Hint: "say --yes"}}
		}
		agreed, err := confirm(a.Stdin, a.Stderr, fmt.Sprintf("Close %s of campaign %s and delete their branches?", plural(open, "open pull request"), in.Campaign))
		if err != nil || !agreed {
			fmt.Fprintln(a.Stderr, "nothing was closed")
			return err
		}
	}
	out, err := o.ClosePulls(ctx, in, func(e store.Event) {
		if !a.json {
			fmt.Fprintln(a.text, line(e))
		}
	})
	if err != nil && out != nil && !a.json {
		printClosing(a.text, in.Campaign, out)
	}
	if err != nil {
		return err
	}
	a.failed = len(out.Failed) > 0
	return a.answer(out, func(w io.Writer) { printClosing(w, in.Campaign, out) })
}

func printClosing(w io.Writer, campaign string, out *engine.Closing) {
	fmt.Fprintf(w, "%s: %s closed", campaign, plural(out.Closed, "pull request"))
	for _, n := range []struct {
		n    int
		what string
	}{{out.Ended, "found closed"}, {out.Merged, "found merged"}, {len(out.Failed), "could not be closed"}} {
		if n.n > 0 {
			fmt.Fprintf(w, ", %d %s", n.n, n.what)
		}
	}
	fmt.Fprintln(w)
	for _, k := range out.Kept {
		fmt.Fprintf(w, "  branch %s of %s stays: %s\n", clip(k.Branch, longest), clip(k.Repository, longest), clip(k.Message, 300))
	}
	for _, f := range out.Failed {
		fmt.Fprintf(w, "  %s %d: %s\n", clip(f.Repository, longest), f.Number, clip(f.Message, 300))
	}
	if len(out.Failed) > 0 {
		fmt.Fprintln(w, "next: the same command tries those again")
	}
}

// asksPeople says whether somebody can answer a question.
func asksPeople(in io.Reader) bool {
	f, ok := in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// confirm asks a question that has to be agreed to in so many words.
func confirm(in io.Reader, out io.Writer, question string) (bool, error) {
	fmt.Fprintf(out, "%s [y/N] ", question)
	answer, err := bufio.NewReader(io.LimitReader(in, 1000)).ReadString('\n')
	if err != nil && err != io.EOF {
		return false, &fleet.Error{Code: fleet.CodeInvalid, Message: "the answer cannot be read", Hint: "say --yes", Err: err}
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}
