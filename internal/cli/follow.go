package cli

import (
	"context"

	"github.com/spf13/cobra"

	"gaggle/internal/ops"
	"gaggle/internal/store"
)

func (a *App) followCommand() *cobra.Command {
	var in ops.FollowInput
	cmd := &cobra.Command{
		Use: "follow [CAMPAIGN...]", Short: "Follow open pull requests until they rest: answer CI and reviewers, rebase, merge by policy, open the next waves; safe to stop and start",
		Args: args(0, -1), ValidArgsFunction: a.completeCampaign,
		RunE: func(cmd *cobra.Command, list []string) error {
			in.Campaigns = list
			if in.Every == 0 { // which means the default below
				return usage(cmd, "--every is at least one second")
			}
			show := a.newProgress
			if !in.Once {
				show = func(ctx context.Context, o *ops.Ops) *progress { return a.newFollowing(ctx, o, list) }
			}
			return a.works(cmd, show, func(ctx context.Context, o *ops.Ops, progress func(store.Event)) (*ops.RunOutput, error) {
				return o.Follow(ctx, in, progress)
			})
		},
	}
	cmd.Flags().DurationVar(&in.Every, "every", ops.FollowEvery, "time between two looks at the pull requests")
	cmd.Flags().BoolVar(&in.Once, "once", false, "look once, do what is to be done, and stop")
	cmd.Flags().IntVar(&in.Parallel, "parallel", 0, "attempts at once (defaults to one a processor)")
	return cmd
}
