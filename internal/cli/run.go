package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/ops"
	"gaggle/internal/store"
)

func (a *App) runCommand() *cobra.Command {
	var in ops.RunInput
	cmd := &cobra.Command{
		Use: "run CAMPAIGN.yaml | CAMPAIGN", Short: "Run a campaign: plan, change, verify, guard, judge, open pull requests; run again to resume",
		Args: args(1, 1), ValidArgsFunction: a.completeRun,
		RunE: func(cmd *cobra.Command, list []string) error {
			in.File, in.Campaign = "", ""
			if isFile(list[0]) {
				in.File = list[0]
			} else {
				in.Campaign = list[0]
			}
			if in.Every == 0 { // which means the default below
				return usage(cmd, "--every is at least one second")
			}
			show := func(ctx context.Context, o *ops.Ops) *progress { return a.show(ctx, o, &progress{long: in.Follow}) }
			return a.works(cmd, show, func(ctx context.Context, o *ops.Ops, progress func(store.Event)) (*ops.RunOutput, error) {
				return o.Run(ctx, in, progress)
			})
		},
	}
	cmd.Flags().BoolVar(&in.DryRun, "dry-run", false, "stop at verified and judged diffs; nothing is pushed")
	cmd.Flags().IntVar(&in.Limit, "limit", 0, "at most so many targets")
	cmd.Flags().StringSliceVar(&in.Only, "only", nil, "these components only")
	cmd.Flags().BoolVar(&in.Follow, "follow", false, "then follow the pull requests until every target rests, as gaggle follow does")
	cmd.Flags().DurationVar(&in.Every, "every", ops.FollowEvery, "with --follow: time between two looks at the pull requests")
	cmd.Flags().IntVar(&in.Parallel, "parallel", 0, "attempts at once (defaults to limits.parallel, or one a processor)")
	_ = cmd.RegisterFlagCompletionFunc("only", a.completeComponent)
	return cmd
}

// works has do work campaigns, shows their events meanwhile and then where that ended.
func (a *App) works(cmd *cobra.Command, show func(context.Context, *ops.Ops) *progress, do func(ctx context.Context, o *ops.Ops, progress func(store.Event)) (*ops.RunOutput, error)) error {
	return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
		p := show(ctx, o)
		out, err := do(ctx, o, p.event)
		p.close(err == nil)
		if err != nil {
			return err
		}
		a.failed = out.Status.Failed() > 0
		if a.json {
			return a.line(endLine{Kind: "end", Status: out.Status, Waits: out.Waits})
		}
		printRun(a.text, out)
		return nil
	})
}

// endLine is the last line of run --json; those before it are events.
type endLine struct {
	Kind   string         `json:"kind"` // end
	Status ops.Status     `json:"status"`
	Waits  []engine.Pause `json:"waits"`
}

// completeRun completes a campaign's name, or else a file.
func (a *App) completeRun(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
	if names, how := a.completeCampaign(cmd, given, begun); len(names) > 0 || len(given) > 0 {
		return names, how
	}
	return completeFile(cmd, given, begun)
}

// isFile tells a campaign file from a campaign's name, which has no dot and no slash.
func isFile(arg string) bool {
	if strings.ContainsAny(arg, "./\\") {
		return true
	}
	info, err := os.Stat(arg)
	return err == nil && !info.IsDir()
}

// name is a file's as one can give it to a shell.
func name(file string) string {
	if strings.ContainsAny(file, " '\"$`\\*?[](){}<>|&;#~!") {
		return "'" + strings.ReplaceAll(clip(file, 500), "'", `'\''`) + "'"
	}
	return clip(file, 500)
}

// printRun says where the run ended and what to do next.
func printRun(w io.Writer, out *ops.RunOutput) {
	if len(out.Status.Campaigns) == 0 {
		fmt.Fprintln(w, "no campaign is under way; gaggle run CAMPAIGN.yaml starts one")
		return
	}
	printStatus(w, &out.Status, false)
	said := map[string]bool{}
	for _, c := range out.Status.Campaigns {
		said[c.Message] = true
	}
	for _, wait := range out.Waits {
		if said[strings.TrimPrefix(wait.Message, "paused: ")] {
			continue
		}
		fmt.Fprintf(w, "  %s\n", clip(wait.Message, 500))
	}
	for _, c := range out.Status.Campaigns {
		var next []string
		if c.Targets == 0 {
			next = append(next, "gaggle plan --out "+name(c.File)+" says why nothing is concerned")
		}
		if c.State == fleet.CampaignPaused {
			next = append(next, "gaggle resume "+c.Name)
		}
		if c.States[fleet.Failed] > 0 {
			next = append(next, "gaggle status "+c.Name+" --state failed")
		}
		if c.States[fleet.Proposed] > 0 {
			next = append(next, "gaggle follow "+c.Name, "gaggle pr list")
		}
		if c.States[fleet.Ready] > 0 {
			next = append(next, "gaggle diff "+c.Name+" COMPONENT")
		}
		if len(next) > 0 {
			fmt.Fprintf(w, "next: %s\n", strings.Join(next, "; "))
		}
	}
}
