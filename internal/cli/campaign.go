package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"gaggle/internal/ops"
	"gaggle/internal/policy"
	"gaggle/internal/spec"
)

func (a *App) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "validate FILE.yaml", Short: "Check a campaign file, a .gaggle.yaml, an owners.yaml, an identity.yaml or a forges.yaml: every problem with its line, its column and what to do", Args: args(1, 1), ValidArgsFunction: completeFile,
		RunE: func(_ *cobra.Command, list []string) error {
			file := list[0]
			valid := func(kind string, more map[string]any, what string) error {
				more["kind"] = kind
				return a.answer(more, func(w io.Writer) { fmt.Fprintf(w, "%s: %s\n", file, what) })
			}
			switch ops.FileKind(file) {
			case "Repository":
				cfg, err := ops.ReadRepoSettings(file)
				if err != nil {
					return err
				}
				return valid("Repository", map[string]any{"settings": cfg}, "the repository's settings are valid")
			case "Identity":
				id, err := ops.ReadIdentity(file)
				if err != nil {
					return err
				}
				return valid("Identity", map[string]any{"name": id.Name, "email": id.Email, "sign": id.Format}, "the identity is valid; gaggle doctor tries its key")
			case "Forges":
				forges, err := ops.ReadForgesFile(file)
				if err != nil {
					return err
				}
				return valid("Forges", map[string]any{"forges": append([]string{}, slices.Sorted(maps.Keys(forges))...)}, "the forges are valid, "+fmt.Sprint(len(forges))+" of them; gaggle doctor asks each")
			case "Owners":
				owners, err := ops.ReadOwners(file)
				if err != nil {
					return err
				}
				return valid("Owners", map[string]any{"owners": append([]string{}, owners.Named()...)}, "the owners' policy is valid, with entries for "+plural(len(owners.Named()), "owner"))
			}
			c, err := ops.ReadCampaign(file)
			if err != nil {
				return err
			}
			return a.answer(c, func(w io.Writer) { fmt.Fprintf(w, "%s: campaign %s is valid\n", file, c.Metadata.Name) })
		},
	}
}

func (a *App) schemaCommand() *cobra.Command {
	var repository, owners, identity, forges bool
	cmd := &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of campaign files, for editors", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			asked := 0
			for _, yes := range []bool{repository, owners, identity, forges} {
				if yes {
					asked++
				}
			}
			schema := spec.Schema()
			switch {
			case asked > 1:
				return usage(cmd, "--repository, --owners, --identity and --forges say two things")
			case repository:
				schema = spec.RepositorySchema()
			case owners:
				schema = spec.OwnersSchema()
			case identity:
				schema = spec.IdentitySchema()
			case forges:
				schema = spec.ForgesSchema()
			}
			_, err := a.text.Write(schema)
			return err
		},
	}
	cmd.Flags().BoolVar(&repository, "repository", false, "of a repository's "+spec.RepoFile+" instead")
	cmd.Flags().BoolVar(&owners, "owners", false, "of the data folder's "+spec.OwnersFile+" instead")
	cmd.Flags().BoolVar(&identity, "identity", false, "of the data folder's "+spec.IdentityFile+" instead")
	cmd.Flags().BoolVar(&forges, "forges", false, "of the data folder's "+spec.ForgesFile+" instead")
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
	reasons := map[string]int{}
	for _, t := range p.Out {
		reasons[t.Reason]++
	}
	fmt.Fprint(w, plural(len(p.Targets), "target"))
	if len(p.Waves) > 1 {
		fmt.Fprintf(w, " in %d waves of %s", len(p.Waves), join(p.Waves, p.WaveNames))
	}
	fmt.Fprintln(w)
	if p.Estimate != nil {
		fmt.Fprintf(w, "run now: %s\n", clip(p.Estimate.Text, 500))
	}
	for _, o := range p.Owners {
		name := clip(short(o.Owner), longest)
		if name == "" {
			name = "(no owner)"
		}
		fmt.Fprintf(w, "  %4d  %s%s\n", o.Targets, name, allows(o))
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

// allows says what an owner's time allows, as far as it allows less than everything.
func allows(o ops.PlannedOwner) string {
	var parts []string
	if o.PerOwner > 0 {
		parts = append(parts, fmt.Sprintf("at most %d open at once, %d now", o.PerOwner, o.Open))
	}
	if o.PerRepository > 0 {
		parts = append(parts, fmt.Sprintf("at most %d of a repository", o.PerRepository))
	}
	if o.Merge == spec.MergeNever {
		parts = append(parts, "only people merge")
	}
	if o.Merge == spec.MergeApproved {
		parts = append(parts, "merged once approved")
	}
	if o.Quiet != "" {
		parts = append(parts, "left alone now: "+clip(policy.Until(o.Quiet, o.Next), 250))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, "; ")
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
