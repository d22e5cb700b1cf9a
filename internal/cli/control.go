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

// controlCommands are those that move a campaign, or some of its targets.
func (a *App) controlCommands() []*cobra.Command {
	type operation func(o *ops.Ops, ctx context.Context, in ops.SelectInput) (*ops.CountOutput, error)
	command := func(use, short, done string, op operation) *cobra.Command {
		var in ops.SelectInput
		most, complete := 1, a.completeCampaign
		if strings.Contains(use, "[COMPONENT...]") {
			most, complete = -1, a.completeTargets
		}
		cmd := &cobra.Command{Use: use, Short: short, Args: args(1, most), ValidArgsFunction: complete, RunE: func(cmd *cobra.Command, list []string) error {
			in.Campaign, in.Components = list[0], list[1:]
			return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
				out, err := op(o, ctx, in)
				if err != nil {
					return err
				}
				return a.answer(out, func(w io.Writer) { fmt.Fprintf(w, done+"\n", in.Campaign, plural(out.Targets, "target")) })
			})
		}}
		if use == "pause CAMPAIGN" {
			cmd.Flags().StringVar(&in.Why, "why", "", "the reason, shown to everybody")
		}
		return cmd
	}
	var changed bool
	rerun := command("rerun --changed CAMPAIGN [COMPONENT...]", "Queue targets again whose base or change is new", "%s: %s queued again; gaggle run goes on", (*ops.Ops).Rerun)
	rerun.Flags().BoolVar(&changed, "changed", false, "only those whose result is out of date (required: nothing else is run twice)")
	inner := rerun.RunE
	rerun.RunE = func(cmd *cobra.Command, list []string) error {
		if !changed {
			return usageError{&fleet.Error{Code: fleet.CodeInvalid, Message: "rerun needs --changed", Hint: "gaggle retry CAMPAIGN COMPONENT runs one again whatever its result"}}
		}
		return inner(cmd, list)
	}
	return []*cobra.Command{
		command("approve CAMPAIGN [COMPONENT...]", "Let ready changes become pull requests", "%s: %s approved; gaggle run opens the pull requests", (*ops.Ops).Approve),
		command("retry CAMPAIGN [COMPONENT...]", "Queue failed targets again; named ones from any rest but merged", "%s: %s queued again; gaggle run goes on", (*ops.Ops).Retry),
		command("pause CAMPAIGN", "Start no new step; attempts under way end", "%[1]s is paused; gaggle resume goes on", (*ops.Ops).Pause),
		command("resume CAMPAIGN", "Let a paused campaign go on", "%[1]s is active again; gaggle run goes on", (*ops.Ops).Resume),
		command("cancel CAMPAIGN [COMPONENT...]", "Stop a campaign for good, or some of its targets, and withdraw the pull requests", "%s: %s canceled", (*ops.Ops).Cancel),
		rerun,
	}
}
