package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gaggle/internal/fleet"
	"gaggle/internal/ops"
)

// usage is a usage error with the command's form as its hint.
func usage(cmd *cobra.Command, format string, values ...any) error {
	form := cmd.Use
	if cmd.HasParent() {
		form = cmd.Parent().CommandPath() + " " + cmd.Use
	}
	return usageError{&fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf(format, values...), Hint: form + " (--help says more)"}}
}

// args checks how many arguments a command is given; most is -1 for any number.
func args(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, list []string) error {
		switch {
		case len(list) < least:
			return usage(cmd, "%s needs %s", cmd.CommandPath(), plural(least, "argument"))
		case most == 0 && len(list) > 0:
			return usage(cmd, "%s takes no argument, and %q is one", cmd.CommandPath(), clip(list[0], 60))
		case most > 0 && len(list) > most:
			return usage(cmd, "%s takes %s, and %q is one too many", cmd.CommandPath(), plural(most, "argument"), clip(list[most], 60))
		}
		return nil
	}
}

// group makes cmd one that only holds others: alone it shows its help, and a word that names none of them is an error
// that says which one may be meant.
func group(cmd *cobra.Command) {
	cmd.Args = func(cmd *cobra.Command, list []string) error {
		if len(list) == 0 {
			return nil
		}
		hint := cmd.CommandPath() + " --help lists the commands"
		if near := cmd.SuggestionsFor(list[0]); len(near) > 0 {
			hint = "did you mean " + cmd.CommandPath() + " " + strings.Join(near, " or "+cmd.CommandPath()+" ") + "?"
		}
		return usageError{&fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf("there is no command %q", cmd.CommandPath()+" "+clip(list[0], 60)), Hint: hint}}
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// completeTargets completes a campaign's name and then the references of its targets.
func (a *App) completeTargets(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
	return a.completion(cmd, begun, func(ctx context.Context, o *ops.Ops) (words []string, err error) {
		if len(given) == 0 {
			s, err := o.Status(ctx, ops.StatusInput{})
			if err != nil {
				return nil, err
			}
			for _, c := range s.Campaigns {
				words = append(words, c.Name)
			}
			return words, nil
		}
		targets, err := o.Targets(ctx, ops.TargetsInput{Campaign: given[0], Limit: 5000})
		for _, t := range targets {
			words = append(words, short(t.Component))
		}
		return words, err
	})
}

// completeCampaign completes one campaign's name.
func (a *App) completeCampaign(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeTargets(cmd, given, begun)
}

// completeCampaignFlag completes a campaign's name as the value of a flag.
func (a *App) completeCampaignFlag(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	return a.completeTargets(cmd, nil, begun)
}

// completeComponent completes a component of the fleet.
func (a *App) completeComponent(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	return a.completion(cmd, begun, func(ctx context.Context, o *ops.Ops) (words []string, err error) {
		all, err := o.Components(ctx, ops.ComponentsInput{})
		for _, c := range all {
			words = append(words, short(c.Ref))
		}
		return words, err
	})
}

// completeFile completes a campaign file.
func completeFile(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

// completion lists words, in silence when something is wrong: a shell is waiting. It makes no data folder.
func (a *App) completion(cmd *cobra.Command, begun string, list func(ctx context.Context, o *ops.Ops) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	if _, err := os.Stat(a.dataDir()); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var fit []string
	_ = a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
		words, err := list(ctx, o)
		for _, w := range words {
			if strings.HasPrefix(w, begun) && clip(w, longest) == w {
				fit = append(fit, w)
			}
		}
		return err
	})
	return fit, cobra.ShellCompDirectiveNoFileComp
}
