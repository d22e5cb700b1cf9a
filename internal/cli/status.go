package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gaggle/internal/fleet"
	"gaggle/internal/ops"
)

func (a *App) statusCommand() *cobra.Command {
	var watch, targets bool
	var states []string
	var owner string
	cmd := &cobra.Command{
		Use: "status [CAMPAIGN]", Short: "Say where campaigns stand", Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			var in ops.StatusInput
			if len(list) == 1 {
				in.Campaign = list[0]
			}
			filter := ops.TargetsInput{Campaign: in.Campaign, Owner: owner}
			for _, s := range states {
				state, err := fleet.ParseState(s)
				if err != nil {
					return err
				}
				filter.States = append(filter.States, state)
			}
			return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
				if targets || len(states) > 0 || owner != "" {
					return a.listTargets(ctx, o, filter)
				}
				for {
					s, err := o.Status(ctx, in)
					if err != nil {
						return err
					}
					if watch && !a.json && terminal(a.Stdout) {
						fmt.Fprint(a.Stdout, "\x1b[H\x1b[2J")
					}
					if err := a.answer(s, func(w io.Writer) { printStatus(w, s) }); err != nil || !watch {
						return err
					}
					select {
					case <-ctx.Done():
						return nil
					case <-time.After(time.Second):
					}
				}
			})
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "go on, once a second")
	cmd.Flags().BoolVar(&targets, "targets", false, "list the targets")
	cmd.Flags().StringSliceVar(&states, "state", nil, "list the targets in these states")
	cmd.Flags().StringVar(&owner, "owner", "", "list the targets of this owner")
	return cmd
}

// listTargets streams targets, a page at a time.
func (a *App) listTargets(ctx context.Context, o *ops.Ops, in ops.TargetsInput) error {
	tw := tabwriter.NewWriter(a.Stdout, 0, 4, 2, ' ', 0)
	if !a.json {
		fmt.Fprintln(tw, "COMPONENT\tSTATE\tWAVE\tOWNER\tCOST\tWHAT")
	}
	for {
		page, err := o.Targets(ctx, in)
		if err != nil {
			return err
		}
		for _, t := range page {
			if a.json {
				if err := jsonLine(a.Stdout, t); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(tw, "%s\t%s\t%d\t%s\t%s\t%s\n", short(t.Component), t.State, t.Wave+1, short(t.Owner), t.Usage.Cost, what(t))
		}
		if len(page) < 1000 {
			return tw.Flush()
		}
		in.After = page[len(page)-1].ID
	}
}

// what says the one thing about a target that its state does not.
func what(t fleet.Target) string {
	switch {
	case t.Reason != "":
		return fmt.Sprintf("%s: %s", t.Reason, clip(t.Message, 100))
	case t.PullURL != "":
		return t.PullURL
	case t.Stat.Files > 0:
		return fmt.Sprintf("%s, +%d -%d", plural(t.Stat.Files, "file"), t.Stat.Added, t.Stat.Deleted)
	}
	return clip(t.Message, 100)
}

func clip(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// short leaves out what is the same everywhere: the kind and the default namespace.
func short(ref string) string {
	_, name, ok := strings.Cut(ref, ":")
	if !ok {
		return ref
	}
	return strings.TrimPrefix(name, "default/")
}

func printStatus(w io.Writer, s *ops.Status) {
	if len(s.Campaigns) == 0 {
		fmt.Fprintln(w, "no campaigns yet; gaggle run campaign.yaml starts one")
		return
	}
	for _, c := range s.Campaigns {
		mode := ""
		if c.DryRun {
			mode = ", dry run"
		}
		fmt.Fprintf(w, "%s: %s%s, %s", c.Name, c.State, mode, plural(c.Targets, "target"))
		if c.Spent > 0 {
			fmt.Fprintf(w, ", %s for %d model calls", c.Spent, c.Calls)
		}
		fmt.Fprintln(w)
		if c.Message != "" {
			fmt.Fprintf(w, "  %s\n", c.Message)
		}
		fmt.Fprintf(w, "  %s\n", states(c.States))
		if len(c.ByWave) > 1 {
			for _, wave := range c.ByWave {
				mark := "not open"
				if wave.Open {
					mark = "open"
				}
				fmt.Fprintf(w, "  wave %d (%s): %s\n", wave.Wave, mark, states(wave.States))
			}
		}
	}
}

// states renders counts in the order of a target's life.
func states(n map[fleet.State]int) string {
	var parts []string
	for _, s := range fleet.States {
		if n[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[s], s))
		}
	}
	if len(parts) == 0 {
		return "no targets"
	}
	return strings.Join(parts, ", ")
}
