package cli

import (
	"context"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"gaggle/internal/ops"
	"gaggle/internal/spec"
)

func (a *App) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "validate CAMPAIGN.yaml", Short: "Check a campaign file: every problem with its line, its column and what to do", Args: args(1, 1), ValidArgsFunction: completeFile,
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
		Use: "schema", Short: "Print the JSON Schema of campaign files, for editors", Args: args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			schema := spec.Schema()
			if repository {
				schema = spec.RepositorySchema()
			}
			_, err := a.text.Write(schema)
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
		Use: "plan CAMPAIGN.yaml", Short: "Say which components a campaign concerns and why, and which not; nothing is changed", Args: args(1, 1), ValidArgsFunction: completeFile,
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
	for _, name := range []string{"only", "why"} {
		_ = cmd.RegisterFlagCompletionFunc(name, a.completeComponent)
	}
	return cmd
}

func printPlan(w io.Writer, p *ops.Plan, all bool, why []string) {
	if len(why) > 0 {
		for _, e := range p.Explanations {
			fmt.Fprintln(w, e)
		}
		return
	}
	names := p.WaveNames
	t := newTable("WAVE", "COMPONENT", "OWNER", "REPOSITORY", "WHY")
	for _, p := range p.Targets {
		t.row(waveCell(p.Wave, names), short(p.Component), short(p.Owner), place(p.Repository, p.Path), p.Why)
	}
	if len(p.Targets) > 0 {
		t.print(w)
		fmt.Fprintln(w)
	}
	owners := map[string]int{}
	for _, t := range p.Targets {
		owners[t.Owner]++
	}
	reasons := map[string]int{}
	for _, t := range p.Out {
		reasons[t.Reason]++
	}
	fmt.Fprint(w, plural(len(p.Targets), "target"))
	if len(p.Waves) > 1 {
		fmt.Fprintf(w, " in %d waves of %s", len(p.Waves), join(p.Waves, p.WaveNames))
	}
	fmt.Fprintln(w)
	for _, o := range sorted(owners) {
		name := clip(short(o), longest)
		if name == "" {
			name = "(no owner)"
		}
		fmt.Fprintf(w, "  %4d  %s\n", owners[o], name)
	}
	if len(p.Out) == 0 {
		return
	}
	fmt.Fprintf(w, "%s left out\n", plural(len(p.Out), "component"))
	for _, r := range sorted(reasons) {
		fmt.Fprintf(w, "  %4d  %s\n", reasons[r], r)
	}
	if !all {
		fmt.Fprintln(w, "--out lists them; --why COMPONENT explains one")
		return
	}
	t = newTable("OUT", "REPOSITORY", "WHY")
	for _, o := range p.Out {
		t.row(short(o.Component), o.Repository, o.Why)
	}
	fmt.Fprintln(w)
	t.print(w)
}

// waveCell is a wave's number, and its name where it has one.
func waveCell(wave int, names []string) string {
	if wave > len(names) || names[wave-1] == "" {
		return fmt.Sprint(wave)
	}
	return fmt.Sprintf("%d %s", wave, clip(names[wave-1], 24))
}

// join writes the sizes of waves as people list them.
func join(sizes []int, names []string) string {
	parts := make([]string, len(sizes))
	for i, v := range sizes {
		parts[i] = fmt.Sprint(v)
		if i < len(names) && names[i] != "" {
			parts[i] += " (" + names[i] + ")"
		}
	}
	if len(parts) > 1 {
		return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
	}
	return strings.Join(parts, "")
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
