package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gaggle/internal/ops"
	"gaggle/internal/report"
)

func (a *App) reportCommand() *cobra.Command {
	in := ops.ReportInput{}
	var name, out string
	cmd := &cobra.Command{
		Use: "report CAMPAIGN", Short: "Say how a campaign stands: burndown, who waits for whom, failures by cause, money, time to merge, minutes saved", Args: args(1, 1), ValidArgsFunction: a.completeCampaign,
		RunE: func(cmd *cobra.Command, list []string) error {
			in.Campaign = list[0]
			format, err := a.reportFormat(cmd, name, out)
			if err != nil {
				return err
			}
			if in.Minutes == 0 {
				return usage(cmd, "--minutes takes a number above 0")
			}
			if err := in.Validate(); err != nil {
				return err
			}
			return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
				r, err := o.Report(ctx, in)
				if err != nil {
					return err
				}
				write := func(w io.Writer) error { return report.Write(w, *r, format) }
				switch {
				case out != "" && out != "-":
				case format == report.FormatJSON:
					a.text.json = true
					return write(a.text)
				default:
					return a.page(write)
				}
				if err := replace(out, write); err != nil {
					return err
				}
				return a.answer(map[string]string{"file": out, "format": string(format)}, func(w io.Writer) { fmt.Fprintf(w, "wrote %s\n", clip(out, 300)) })
			})
		},
	}
	cmd.Flags().StringVar(&name, "format", "", "one of "+strings.Join(report.Formats(), ", ")+" (defaults to what the name of --out says, and to markdown)")
	cmd.Flags().StringVar(&out, "out", "", "write it to this file, in place of an older one")
	cmd.Flags().Float64Var(&in.Minutes, "minutes", ops.DefaultMinutes, "minutes that a person is assumed to need for one of the changes")
	_ = cmd.RegisterFlagCompletionFunc("format", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return report.Formats(), cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

// reportFormat is the format that the flags ask for.
func (a *App) reportFormat(cmd *cobra.Command, name, out string) (report.Format, error) {
	switch {
	case cmd.Flags().Changed("out") && out == "":
		return "", usage(cmd, "--out needs the name of a file")
	case cmd.Flags().Changed("format"):
		format, err := report.ParseFormat(name)
		if err == nil && a.json && format != report.FormatJSON {
			return "", usage(cmd, "--json and --format %s say two things", format)
		}
		return format, err
	case report.FormatOf(out) != "":
		return report.FormatOf(out), nil
	case a.json:
		return report.FormatJSON, nil
	case filepath.Ext(out) != "":
		return "", usage(cmd, "the name %q says no format: --format takes one of %s", clip(filepath.Base(out), 60), strings.Join(report.Formats(), ", "))
	}
	return report.FormatMarkdown, nil
}
