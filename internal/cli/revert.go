package cli

import (
	"context"

	"github.com/spf13/cobra"

	"gaggle/internal/ops"
	"gaggle/internal/store"
)

func (a *App) revertCommand() *cobra.Command {
	var in ops.RevertInput
	cmd := &cobra.Command{
		Use: "revert CAMPAIGN [COMPONENT...]", Short: "Open pull requests that take back what a campaign had merged, as a campaign of their own",
		Args: args(1, -1), ValidArgsFunction: a.completeTargets,
		RunE: func(cmd *cobra.Command, list []string) error {
			in.Campaign, in.Components = list[0], list[1:]
			return a.works(cmd, a.newProgress, func(ctx context.Context, o *ops.Ops, progress func(store.Event)) (*ops.RunOutput, error) {
				return o.Revert(ctx, in, progress)
			})
		},
	}
	cmd.Flags().IntVar(&in.Wave, "wave", 0, "of this wave only, counted from 1")
	cmd.Flags().BoolVar(&in.DryRun, "dry-run", false, "stop at verified diffs; nothing is pushed")
	cmd.Flags().StringVar(&in.Why, "why", "", "the reason, shown in the pull requests")
	return cmd
}
