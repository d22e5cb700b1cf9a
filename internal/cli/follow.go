package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"gaggle/internal/ops"
)

func (a *App) followCommand() *cobra.Command {
	var in ops.FollowInput
	cmd := &cobra.Command{
		Use: "follow [CAMPAIGN...]", Short: "Follow open pull requests until they rest: answer CI and reviewers, rebase, merge by policy, open the next waves; safe to stop and start",
		Args: args(0, -1), ValidArgsFunction: a.completeCampaign,
		RunE: func(cmd *cobra.Command, list []string) error {
			in.Campaigns = list
			return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
				p := a.newProgress(ctx, o)
				out, err := o.Follow(ctx, in, p.event)
				p.close(err == nil)
				if err != nil {
					return err
				}
				a.failed = out.Status.Failed() > 0
				if a.json {
					return a.line(endLine{Kind: "end", Status: out.Status, Waits: out.Waits})
				}
				if len(out.Status.Campaigns) == 0 {
					fmt.Fprintln(a.text, "no campaign is under way; gaggle run CAMPAIGN.yaml starts one")
					return nil
				}
				printRun(a.text, out)
				return nil
			})
		},
	}
	cmd.Flags().DurationVar(&in.Every, "every", ops.FollowEvery, "time between two looks at the pull requests")
	cmd.Flags().BoolVar(&in.Once, "once", false, "look once, do what is to be done, and stop")
	cmd.Flags().IntVar(&in.Parallel, "parallel", 0, "attempts at once (defaults to one a processor)")
	return cmd
}
