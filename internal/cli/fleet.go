package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gaggle/internal/ops"
)

func (a *App) fleetCommand() *cobra.Command {
	root := &cobra.Command{Use: "fleet", Short: "The repositories and components that Gaggle knows"}
	group(root)
	var in ops.SyncInput
	sync := &cobra.Command{Use: "sync --from DIR|FILE|FORGE:OWNER", Short: "Read a folder of repositories, a file of clone URLs, or an owner on a forge, into the fleet", Args: args(0, 0), RunE: func(cmd *cobra.Command, _ []string) error {
		return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
			out, err := o.Sync(ctx, in)
			if err != nil {
				return err
			}
			return a.answer(out, func(w io.Writer) {
				fmt.Fprintf(w, "%s, %s; %d read, %d unchanged, %d gone\n", plural(out.Repositories, "repository"), plural(out.Components, "component"), out.Read, out.Unchanged, out.Gone)
				for _, p := range out.Problems {
					at := p.Repository
					if p.File != "" {
						at += ":" + p.File
					}
					if p.Line > 0 {
						at += fmt.Sprintf(":%d:%d", p.Line, p.Column)
					}
					fmt.Fprintf(w, "problem: %s: %s\n", clip(at, 300), clip(p.Message, 500))
					if p.Hint != "" {
						fmt.Fprintf(w, "  hint: %s\n", clip(p.Hint, 500))
					}
				}
			})
		})
	}}
	sync.Flags().StringVar(&in.From, "from", "", "a folder of repositories, a file with a clone URL a line, or a forge and an owner such as github:acme; without it, what was named before is read again")

	var owner string
	list := &cobra.Command{Use: "list", Short: "List the components", Args: args(0, 0), RunE: func(cmd *cobra.Command, _ []string) error {
		return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
			comps, err := o.Components(ctx, ops.ComponentsInput{Owner: owner})
			if err != nil {
				return err
			}
			return a.answer(comps, func(w io.Writer) {
				if len(comps) == 0 && owner == "" {
					fmt.Fprintln(w, "the fleet is empty; gaggle fleet sync --from DIR adds repositories")
					return
				}
				t := newTable("COMPONENT", "OWNER", "LANGUAGE", "LIFECYCLE", "REPOSITORY")
				for _, c := range comps {
					t.row(short(c.Ref), short(c.Owner), c.Language, c.Lifecycle, place(c.Repository, c.Path))
				}
				t.print(w)
			})
		})
	}}
	list.Flags().StringVar(&owner, "owner", "", "of this owner only")

	show := &cobra.Command{Use: "show COMPONENT", Short: "Show a component: where it is, what it is, and what campaigns did to it", Args: args(1, 1), ValidArgsFunction: a.completeComponent, RunE: func(cmd *cobra.Command, list []string) error {
		return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
			d, err := o.Component(ctx, list[0])
			if err != nil {
				return err
			}
			return a.answer(d, func(w io.Writer) {
				c := d.Component
				for _, f := range [][2]string{{"component", c.Ref}, {"title", c.Title}, {"description", c.Description}, {"type", c.Type}, {"lifecycle", c.Lifecycle}, {"owner", c.Owner}, {"system", c.System},
					{"repository", c.Repository}, {"path", c.Path}, {"url", d.Repository.URL}, {"head", d.Repository.Head}, {"languages", strings.Join(c.Languages, ", ")}, {"tags", strings.Join(c.Tags, ", ")}, {"depends on", strings.Join(c.DependsOn, ", ")}} {
					if f[1] != "" {
						fmt.Fprintf(w, "%-12s %s\n", f[0], clip(f[1], 2000))
					}
				}
				if c.Inferred {
					fmt.Fprintln(w, "It has no descriptor: the repository is taken as one component.")
				}
				for _, t := range d.Targets {
					fmt.Fprintf(w, "campaign     %s: %s\n", t.Campaign, t.State)
				}
				for _, p := range d.Problems {
					fmt.Fprintf(w, "problem      %s:%d:%d: %s\n", clip(p.File, 300), p.Line, p.Column, clip(p.Message, 500))
				}
			})
		})
	}}
	root.AddCommand(sync, list, show)
	return root
}
