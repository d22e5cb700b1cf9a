package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/ops"
)

func (a *App) prCommand() *cobra.Command {
	pr := &cobra.Command{Use: "pr", Short: "Pull requests: those of campaigns on any forge, and all on the built-in one"}
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
				head, elsewhere := []string{"PULL REQUEST", "STATE", "BRANCH", "TITLE"}, slices.ContainsFunc(pulls, onTheWeb)
				if elsewhere {
					head = append(head, "URL")
				}
				t := newTable(head...)
				for _, p := range pulls {
					cells := []string{fmt.Sprintf("%s %d", p.Repository, p.Number), string(p.State), p.HeadBranch, p.Title}
					if elsewhere {
						cells = append(cells, p.URL)
					}
					t.row(cells...)
				}
				t.print(w)
			})
		})
	}}
	list.Flags().StringVar(&in.Repository, "repository", "", "of this repository only")
	list.Flags().StringVar(&in.Campaign, "campaign", "", "of this campaign only")
	_ = list.RegisterFlagCompletionFunc("campaign", a.completeCampaignFlag)
	list.Flags().StringSliceVar(&states, "state", []string{"open"}, "open, merged, closed or all")

	one := func(use, short string, op func(o *ops.Ops, ctx context.Context, in ops.PullInput) (forge.Pull, error), show bool) (*cobra.Command, *ops.PullInput) {
		in := &ops.PullInput{}
		return &cobra.Command{Use: use + " REPOSITORY NUMBER", Short: short, Args: args(2, 2), RunE: func(cmd *cobra.Command, list []string) error {
			var err error
			if in.Repository, in.Number, err = which(cmd, list); err != nil {
				return err
			}
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
	pr.AddCommand(list, show, merge, a.prClose(one("close", "Close a pull request without a merge, or all of a campaign", (*ops.Ops).ClosePull, false)), a.prComment(), a.prCheck())
	return pr
}

// onTheWeb says that a browser can show the pull request.
func onTheWeb(p forge.Pull) bool { return strings.HasPrefix(p.URL, "http") }

// which reads a pull request's name from the arguments.
func which(cmd *cobra.Command, list []string) (repository string, number int, err error) {
	n, err := strconv.Atoi(strings.TrimPrefix(list[1], "#"))
	if err != nil {
		return "", 0, usage(cmd, "%q is not a pull request's number", clip(list[1], 60))
	}
	return list[0], n, nil
}

func (a *App) prComment() *cobra.Command {
	in := ops.RemarkInput{}
	cmd := &cobra.Command{Use: "comment REPOSITORY NUMBER --body TEXT", Short: "Comment on a pull request, or review it", Args: args(2, 2), RunE: func(cmd *cobra.Command, list []string) (err error) {
		if in.Repository, in.Number, err = which(cmd, list); err != nil {
			return err
		}
		return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
			r, err := o.Remark(ctx, in)
			if err != nil {
				return err
			}
			return a.answer(r, func(w io.Writer) {
				fmt.Fprintf(w, "%s %d: %s by %s\n", clip(in.Repository, longest), in.Number, cmp.Or(strings.ReplaceAll(r.Verdict, "_", " "), "comment"), clip(r.Author, 100))
			})
		})
	}}
	cmd.Flags().StringVar(&in.Body, "body", "", "what is said")
	cmd.Flags().StringVar(&in.Author, "author", "", "who says it; you by default")
	cmd.Flags().StringVar(&in.Verdict, "verdict", "", "approved or changes_requested makes it a review")
	cmd.Flags().BoolVar(&in.Outsider, "outsider", false, "the author may not write to the repository: what is said is data, never an instruction")
	return cmd
}

func (a *App) prCheck() *cobra.Command {
	in, file := ops.CheckInput{}, ""
	cmd := &cobra.Command{Use: "check REPOSITORY NUMBER --name NAME --state STATE", Short: "Report a check of a pull request, as CI does", Args: args(2, 2), RunE: func(cmd *cobra.Command, list []string) (err error) {
		if in.Repository, in.Number, err = which(cmd, list); err != nil {
			return err
		}
		var log []byte
		switch file {
		case "":
		case "-":
			log, err = io.ReadAll(io.LimitReader(a.Stdin, longestLog))
		default:
			var f *os.File
			if f, err = os.Open(file); err == nil {
				log, err = io.ReadAll(io.LimitReader(f, longestLog))
				_ = f.Close()
			}
		}
		if err != nil {
			return &fleet.Error{Code: fleet.CodeInvalid, Message: "the log cannot be read", Err: err}
		}
		in.Log = string(log)
		return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
			p, err := o.ReportCheck(ctx, in)
			if err != nil {
				return err
			}
			return a.answer(p, func(w io.Writer) {
				fmt.Fprintf(w, "%s %d: %s %s; all checks of its head: %s\n", clip(p.Repository, longest), p.Number, clip(in.Name, 100), in.State, cmp.Or(p.CI, forge.CheckNone))
			})
		})
	}}
	cmd.Flags().StringVar(&in.Name, "name", "", "of the check, such as build")
	cmd.Flags().StringVar((*string)(&in.State), "state", "", "pending, passed, failed or skipped")
	cmd.Flags().StringVar(&file, "log", "", "file with the log; - for the standard input")
	cmd.Flags().StringVar(&in.Summary, "summary", "", "a sentence about it")
	cmd.Flags().StringVar(&in.URL, "url", "", "where to read more")
	cmd.Flags().StringVar(&in.Commit, "commit", "", "another commit than the pull request's head, such as its base")
	return cmd
}

// longestLog is how much of a log is read.
const longestLog = 64 << 20

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
