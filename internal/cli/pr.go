package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gaggle/internal/forge"
	"gaggle/internal/ops"
)

func (a *App) prCommand() *cobra.Command {
	pr := &cobra.Command{Use: "pr", Short: "Pull requests on the built-in local forge"}
	group(pr)
	var in ops.PullsInput
	var states []string
	list := &cobra.Command{Use: "list", Short: "List pull requests, newest first", Args: args(0, 0), RunE: func(cmd *cobra.Command, _ []string) error {
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
				if len(pulls) == 0 {
					fmt.Fprintln(w, "no such pull request; --state all looks at those that are merged or closed, too")
					return
				}
				t := newTable("PULL REQUEST", "STATE", "BRANCH", "TITLE")
				for _, p := range pulls {
					t.row(fmt.Sprintf("%s %d", p.Repository, p.Number), string(p.State), p.HeadBranch, p.Title)
				}
				t.print(w)
			})
		})
	}}
	list.Flags().StringVar(&in.Repository, "repository", "", "of this repository only")
	list.Flags().StringSliceVar(&states, "state", []string{"open"}, "open, merged, closed or all")

	one := func(use, short string, op func(o *ops.Ops, ctx context.Context, in ops.PullInput) (forge.Pull, error), show bool) (*cobra.Command, *ops.PullInput) {
		in := &ops.PullInput{}
		return &cobra.Command{Use: use + " REPOSITORY NUMBER", Short: short, Args: args(2, 2), RunE: func(cmd *cobra.Command, list []string) error {
			n, err := strconv.Atoi(strings.TrimPrefix(list[1], "#"))
			if err != nil {
				return usage(cmd, "%q is not a pull request's number", clip(list[1], 60))
			}
			in.Repository, in.Number = list[0], n
			return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
				p, err := op(o, ctx, *in)
				if err != nil {
					return err
				}
				return a.answer(p, func(w io.Writer) {
					fmt.Fprintf(w, "%s %d is %s: %s\n", clip(p.Repository, longest), p.Number, p.State, clip(p.Title, 300))
					if show {
						printPull(w, p)
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

func printPull(w io.Writer, p forge.Pull) {
	fmt.Fprintf(w, "%s -> %s at %.12s\n", clip(p.HeadBranch, longest), clip(p.BaseBranch, longest), p.HeadSHA)
	if p.Conflicts {
		fmt.Fprintln(w, "it conflicts with its base")
	}
	if p.CI != "" && p.CI != forge.CheckNone {
		fmt.Fprintf(w, "checks: %s\n", p.CI)
	}
	if len(p.Labels) > 0 {
		fmt.Fprintf(w, "labels: %s\n", clip(strings.Join(p.Labels, ", "), 500))
	}
	if len(p.Reviewers) > 0 {
		fmt.Fprintf(w, "reviewers: %s\n", clip(strings.Join(p.Reviewers, ", "), 500))
	}
	fmt.Fprintf(w, "%s\n\n%s\n", clip(p.URL, 500), p.Body)
}
