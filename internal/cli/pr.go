package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/ops"
)

func (a *App) prCommand() *cobra.Command {
	pr := &cobra.Command{Use: "pr", Short: "Pull requests on the built-in local forge", Args: args(cobra.NoArgs), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	var in ops.PullsInput
	var states []string
	list := &cobra.Command{Use: "list", Short: "List pull requests, newest first", Args: args(cobra.NoArgs), RunE: func(cmd *cobra.Command, _ []string) error {
		in.States = nil
		for _, s := range states {
			if s != "all" {
				in.States = append(in.States, forge.State(s))
			}
		}
		return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
			pulls, err := o.Pulls(ctx, in)
			if err != nil {
				return err
			}
			return a.answer(pulls, func(w io.Writer) {
				tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
				fmt.Fprintln(tw, "PULL REQUEST\tSTATE\tBRANCH\tTITLE")
				for _, p := range pulls {
					fmt.Fprintf(tw, "%s %d\t%s\t%s\t%s\n", p.Repository, p.Number, p.State, p.HeadBranch, p.Title)
				}
				_ = tw.Flush()
			})
		})
	}}
	list.Flags().StringVar(&in.Repository, "repository", "", "of this repository only")
	list.Flags().StringSliceVar(&states, "state", []string{"open"}, "open, merged, closed or all")

	one := func(use, short string, op func(o *ops.Ops, ctx context.Context, in ops.PullInput) (forge.Pull, error), show bool) (*cobra.Command, *ops.PullInput) {
		in := &ops.PullInput{}
		return &cobra.Command{Use: use + " REPOSITORY NUMBER", Short: short, Args: args(cobra.ExactArgs(2)), RunE: func(cmd *cobra.Command, list []string) error {
			n, err := strconv.Atoi(strings.TrimPrefix(list[1], "#"))
			if err != nil {
				return usageError{&fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf("%q is not a pull request's number", list[1]), Hint: cmd.UseLine()}}
			}
			in.Repository, in.Number = list[0], n
			return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
				p, err := op(o, ctx, *in)
				if err != nil {
					return err
				}
				return a.answer(p, func(w io.Writer) {
					fmt.Fprintf(w, "%s %d is %s: %s\n", p.Repository, p.Number, p.State, p.Title)
					if show {
						fmt.Fprintf(w, "%s -> %s at %.12s\nlabels: %s\nreviewers: %s\n%s\n\n%s\n", p.HeadBranch, p.BaseBranch, p.HeadSHA, strings.Join(p.Labels, ", "), strings.Join(p.Reviewers, ", "), p.URL, p.Body)
					}
				})
			})
		}}, in
	}
	show, _ := one("show", "Show a pull request", (*ops.Ops).Pull, true)
	merge, mergeIn := one("merge", "Merge a pull request", (*ops.Ops).MergePull, false)
	merge.Flags().StringVar((*string)(&mergeIn.Method), "method", "merge", "merge, squash or rebase")
	closing, closeIn := one("close", "Close a pull request without a merge", (*ops.Ops).ClosePull, false)
	closing.Flags().StringVar(&closeIn.Comment, "comment", "", "why")
	pr.AddCommand(list, show, merge, closing)
	return pr
}
