package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"gaggle/internal/ops"
	"gaggle/internal/report"
)

func (a *App) digestCommand() *cobra.Command {
	var in ops.DigestInput
	cmd := &cobra.Command{
		Use: "digest [OWNER]", Short: "Say what all campaigns have for an owner, or for each: what waits for them, what comes, what came to rest; as Markdown", Args: args(0, 1), ValidArgsFunction: a.completeOwner,
		RunE: func(cmd *cobra.Command, list []string) error {
			if len(list) == 1 {
				in.Owner = list[0]
			}
			switch {
			case len(list) == 1 && in.Owner == "":
				return usage(cmd, "the owner has no name")
			case in.Since == 0:
				return usage(cmd, "--since takes a length of time above 0, such as 24h or 168h")
			}
			if err := in.Validate(); err != nil {
				return err
			}
			return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
				out, err := o.Digest(ctx, in)
				if err != nil {
					return err
				}
				if a.json {
					return a.answer(out, nil)
				}
				if len(out.Digests) == 0 {
					fmt.Fprintln(a.text, "nothing to tell: no campaign has anything open, ahead or lately at rest")
					return nil
				}
				return a.page(func(w io.Writer) error {
					for i, d := range out.Digests {
						if i > 0 {
							fmt.Fprint(w, "\n---\n\n")
						}
						if err := report.DigestMarkdown(w, d); err != nil {
							return err
						}
					}
					return nil
				})
			})
		},
	}
	cmd.Flags().DurationVar(&in.Since, "since", ops.DigestSince, "leave out what came to rest earlier than this long ago")
	return cmd
}

// completeOwner completes the owner of a component.
func (a *App) completeOwner(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completion(cmd, begun, func(ctx context.Context, o *ops.Ops) (words []string, err error) {
		seen := map[string]bool{}
		all, err := o.Components(ctx, ops.ComponentsInput{})
		for _, c := range all {
			if name := short(c.Owner); name != "" && !seen[name] {
				seen[name] = true
				words = append(words, name)
			}
		}
		return words, err
	})
}
