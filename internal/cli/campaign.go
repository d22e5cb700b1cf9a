package cli

import (
	"context"
	"fmt"
	"io"
	"sort"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gaggle/internal/ops"
	"gaggle/internal/spec"
)

func (a *App) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "validate CAMPAIGN.yaml", Short: "Check a campaign file: every problem with its line, its column and what to do", Args: args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, list []string) error {
			c, err := ops.ReadCampaign(list[0])
			if err != nil {
				return err
			}
			return a.answer(c, func(w io.Writer) { fmt.Fprintf(w, "%s: campaign %s is valid\n", list[0], c.Metadata.Name) })
		},
	}
}

func (a *App) schemaCommand() *cobra.Command {
	var repository bool
	cmd := &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of campaign files, for editors", Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			schema := spec.Schema()
			if repository {
				schema = spec.RepositorySchema()
			}
			_, err := a.Stdout.Write(append(schema, '\n'))
			return err
		},
	}
	cmd.Flags().BoolVar(&repository, "repository", false, "of a repository's "+spec.RepoFile+" instead")
	return cmd
}

func (a *App) planCommand() *cobra.Command {
	var in ops.PlanInput
	var all bool
	cmd := &cobra.Command{
		Use: "plan CAMPAIGN.yaml", Short: "Say which components a campaign concerns and why, and which not; nothing is changed", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			in.File = list[0]
			return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
				p, err := o.Plan(ctx, in)
				if err != nil {
					return err
				}
				return a.answer(p, func(w io.Writer) { printPlan(w, p, all, in.Why) })
			})
		},
	}
	cmd.Flags().StringSliceVar(&in.Only, "only", nil, "plan for these components only")
	cmd.Flags().IntVar(&in.Limit, "limit", 0, "at most so many targets")
	cmd.Flags().BoolVar(&all, "out", false, "list every component that is left out, too")
	cmd.Flags().StringSliceVar(&in.Why, "why", nil, "explain why these components are in or out")
	return cmd
}

func printPlan(w io.Writer, p *ops.Plan, all bool, why []string) {
	if len(why) > 0 {
		for _, e := range p.Explanations {
			fmt.Fprintln(w, e)
		}
		return
	}
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "WAVE\tCOMPONENT\tOWNER\tREPOSITORY\tWHY")
	for _, t := range p.Targets {
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\n", t.Wave, short(t.Component), short(t.Owner), place(t.Repository, t.Path), t.Why)
	}
	_ = tw.Flush()
	owners := map[string]int{}
	for _, t := range p.Targets {
		owners[t.Owner]++
	}
	reasons := map[string]int{}
	for _, t := range p.Out {
		reasons[t.Reason]++
	}
	fmt.Fprintf(w, "\n%s in %s of %v, %s\n", plural(len(p.Targets), "target"), plural(len(p.Waves), "wave"), p.Waves, plural(len(owners), "owner"))
	for _, o := range sorted(owners) {
		name := short(o)
		if name == "" {
			name = "(no owner)"
		}
		fmt.Fprintf(w, "  %4d  %s\n", owners[o], name)
	}
	fmt.Fprintf(w, "%s left out\n", plural(len(p.Out), "component"))
	for _, r := range sorted(reasons) {
		fmt.Fprintf(w, "  %4d  %s\n", reasons[r], r)
	}
	if all {
		tw = tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(tw, "\nOUT\tREPOSITORY\tWHY")
		for _, t := range p.Out {
			fmt.Fprintf(tw, "%s\t%s\t%s\n", short(t.Component), t.Repository, t.Why)
		}
		_ = tw.Flush()
	} else if len(p.Out) > 0 {
		fmt.Fprintln(w, "--out lists them; --why COMPONENT explains one")
	}
}

func place(repository, path string) string {
	if path == "" || path == "." {
		return repository
	}
	return repository + "/" + path
}

func sorted(m map[string]int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		if m[keys[i]] != m[keys[j]] {
			return m[keys[i]] > m[keys[j]]
		}
		return keys[i] < keys[j]
	})
	return keys
}
