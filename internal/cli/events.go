package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gaggle/internal/ops"
)

// followEvery is how often --follow and --watch look again.
const followEvery = time.Second

func (a *App) eventsCommand() *cobra.Command {
	var in ops.EventsInput
	var follow bool
	cmd := &cobra.Command{
		Use: "events CAMPAIGN [COMPONENT]", Short: "Print what happened, oldest first: who did what to what, and why", Args: args(1, 2), ValidArgsFunction: a.completeTargets,
		RunE: func(cmd *cobra.Command, list []string) error {
			in.Campaign = list[0]
			if len(list) == 2 {
				in.Component = list[1]
			}
			return a.with(cmd, func(ctx context.Context, o *ops.Ops) error { return a.printEvents(ctx, o, in, follow) })
		},
	}
	cmd.Flags().Int64Var(&in.After, "after", 0, "only those after this number (seq in --json)")
	cmd.Flags().BoolVar(&follow, "follow", false, "go on with what happens from now on, until stopped")
	return cmd
}

// printEvents prints a page at a time, so that a ledger of any length takes no memory.
func (a *App) printEvents(ctx context.Context, o *ops.Ops, in ops.EventsInput, follow bool) error {
	in.Limit = 1000
	for {
		page, err := o.Events(ctx, in)
		if err != nil {
			return stopped(ctx, err)
		}
		for _, e := range page {
			in.After = e.Seq
			if a.json {
				err = a.line(e)
			} else {
				_, err = fmt.Fprintf(a.text, "%s  %-8s  %s\n", e.At.Local().Format("2006-01-02 15:04:05"), clip(e.Actor, 20), line(e))
			}
			if err != nil {
				return err
			}
		}
		if len(page) == in.Limit {
			continue
		}
		if !follow || !wait(ctx, followEvery) {
			return nil
		}
	}
}

// wait returns false when ctx ends before the time is over.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// stopped is nil for an error that comes from the person's stopping something that has no other end.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
