package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gaggle/internal/fleet"
	"gaggle/internal/ops"
	"gaggle/internal/store"
)

func (a *App) statusCommand() *cobra.Command {
	var watch, targets bool
	var states []string
	var owner string
	cmd := &cobra.Command{
		Use: "status [CAMPAIGN]", Short: "Say where campaigns stand", Args: args(0, 1), ValidArgsFunction: a.completeCampaign,
		RunE: func(cmd *cobra.Command, list []string) error {
			in := ops.StatusInput{Waits: true, Estimate: true}
			if len(list) == 1 {
				in.Campaign = list[0]
			}
			filter := ops.TargetsInput{Campaign: in.Campaign, Owner: owner}
			for _, s := range states {
				state, err := fleet.ParseState(s)
				if err != nil {
					return err
				}
				filter.States = append(filter.States, state)
			}
			targets = targets || len(states) > 0 || owner != ""
			if watch && targets {
				return usage(cmd, "--watch counts targets and does not list them")
			}
			return a.with(cmd, func(ctx context.Context, o *ops.Ops) error {
				switch {
				case targets:
					return a.listTargets(ctx, o, filter)
				case watch:
					return a.watch(ctx, o, in)
				}
				s, err := o.Status(ctx, in)
				if err != nil {
					return err
				}
				return a.answer(s, func(w io.Writer) { printStatus(w, s, in.Campaign == "") })
			})
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "go on until stopped: a view on a terminal, elsewhere what is new")
	cmd.Flags().BoolVar(&targets, "targets", false, "list the targets")
	cmd.Flags().StringSliceVar(&states, "state", nil, "list the targets in these states")
	cmd.Flags().StringVar(&owner, "owner", "", "list the targets of this owner")
	_ = cmd.RegisterFlagCompletionFunc("state", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var words []string
		for _, s := range fleet.States {
			words = append(words, string(s))
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

// watch shows the status until ctx ends: over and over on a terminal; elsewhere, and as lines of JSON, when it is another one.
func (a *App) watch(ctx context.Context, o *ops.Ops, in ops.StatusInput) error {
	live := !a.json && a.steerable()
	in.Estimate = live // it changes with each look
	var last []byte
	for {
		s, err := o.Status(ctx, in)
		if err != nil {
			return stopped(ctx, err)
		}
		now, err := json.Marshal(s)
		if err != nil {
			return err
		}
		switch {
		case live:
			a.repaint(s, in.Campaign == "")
		case bytes.Equal(now, last):
		case a.json:
			err = a.line(s)
		default:
			if last != nil {
				fmt.Fprintln(a.text)
			}
			printStatus(a.text, s, in.Campaign == "")
			err = a.text.err
		}
		last = now
		if err != nil {
			return err
		}
		if !wait(ctx, followEvery) {
			if live {
				fmt.Fprintln(a.text) // the shell's prompt starts a line of its own
			}
			return nil
		}
	}
}

// repaint shows the status alone on the screen, as much of it as there is room for.
func (a *App) repaint(s *ops.Status, all bool) {
	var b bytes.Buffer
	printStatus(&b, s, all)
	columns, rows := size(a.Stdout)
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	if len(lines) > rows-1 {
		lines = append(lines[:max(rows-2, 0)], fmt.Sprintf("… and %s", plural(len(lines)-rows+2, "more line")))
	}
	var view strings.Builder
	view.WriteString("\x1b[H")
	for _, l := range lines {
		view.WriteString(cut(l, columns) + "\x1b[K\n")
	}
	view.WriteString("\x1b[J")
	_, _ = io.WriteString(a.Stdout, view.String())
}

// listTargets streams targets, a page at a time.
func (a *App) listTargets(ctx context.Context, o *ops.Ops, in ops.TargetsInput) error {
	in.Limit = maxRows
	head := []string{"COMPONENT", "STATE", "WAVE", "OWNER", "COST", "WHAT"}
	if in.Campaign == "" {
		head = append([]string{"CAMPAIGN"}, head...)
	}
	t := newTable(head...)
	for {
		page, err := o.Targets(ctx, in)
		if err != nil {
			return err
		}
		for _, target := range page {
			if a.json {
				if err := a.line(target); err != nil {
					return err
				}
				continue
			}
			cells := []string{short(target.Component), string(target.State), fmt.Sprint(target.Wave + 1), short(target.Owner), target.Usage.Cost.String(), what(target)}
			if in.Campaign == "" {
				cells = append([]string{target.Campaign}, cells...)
			}
			t.row(cells...)
		}
		if !a.json {
			t.print(a.text)
		}
		if len(page) < maxRows {
			return nil
		}
		in.After = page[len(page)-1].ID
	}
}

// what says the one thing about a target that its state does not.
func what(t fleet.Target) string {
	switch {
	case t.Reason != "":
		return fmt.Sprintf("%s: %s", t.Reason, clip(t.Message, 100))
	case t.Held != "":
		return "waits: " + clip(t.Held, 150)
	case t.PullURL != "":
		return t.PullURL
	case t.Stat.Files > 0:
		return fmt.Sprintf("%s, +%d -%d", plural(t.Stat.Files, "file"), t.Stat.Added, t.Stat.Deleted)
	}
	return clip(t.Message, 100)
}

// short leaves out what is the same everywhere: the kind and the default namespace.
func short(ref string) string {
	_, name, ok := strings.Cut(ref, ":")
	if !ok {
		return ref
	}
	return strings.TrimPrefix(name, "default/")
}

// printStatus says everything of a campaign, and of several one line each.
func printStatus(w io.Writer, s *ops.Status, all bool) {
	switch {
	case len(s.Campaigns) == 0:
		fmt.Fprintln(w, "no campaigns yet; gaggle run campaign.yaml starts one")
		return
	case all && len(s.Campaigns) > 1:
		printCampaigns(w, s)
		return
	}
	for _, c := range s.Campaigns {
		fmt.Fprintf(w, "%s: %s%s, %s", c.Name, c.State, mode(c), plural(c.Targets, "target"))
		if c.Calls > 0 {
			fmt.Fprintf(w, ", %s for %s", c.Spent, plural(int(c.Calls), "model call"))
		}
		fmt.Fprintln(w)
		if c.Message != "" {
			fmt.Fprintf(w, "  %s\n", clip(c.Message, 500))
		}
		fmt.Fprintf(w, "  %s\n", states(c.States))
		if c.Waits != "" && c.State != fleet.CampaignPaused { // of which Message says why
			fmt.Fprintf(w, "  %s\n", clip(c.Waits, 300))
		}
		if c.Estimate != nil {
			fmt.Fprintf(w, "  %s\n", clip(c.Estimate.Text, 500))
		}
		printHeld(w, c.Held)
		if len(c.ByWave) > 1 {
			for _, wave := range c.ByWave {
				mark := "not open"
				if wave.Open {
					mark = "open"
				}
				if wave.Name != "" {
					mark = wave.Name + ", " + mark
				}
				fmt.Fprintf(w, "  wave %d (%s): %s\n", wave.Wave, mark, states(wave.States))
			}
		}
	}
}

// printHeld says what ready targets wait for.
func printHeld(w io.Writer, held []store.HeldBack) {
	const most = 5
	for i, h := range held {
		if i == most {
			left := 0
			for _, more := range held[most:] {
				left += more.Targets
			}
			fmt.Fprintf(w, "  %d more wait for other reasons; gaggle status --state ready lists them\n", left)
			return
		}
		what := clip(short(h.Example), longest)
		if h.Targets > 1 {
			what = fmt.Sprintf("%d, such as %s,", h.Targets, what)
		}
		fmt.Fprintf(w, "  %s %s: %s\n", what, map[bool]string{true: "waits", false: "wait"}[h.Targets == 1], clip(h.Why, 300))
	}
}

func mode(c ops.CampaignStatus) string {
	if c.DryRun {
		return ", dry run"
	}
	return ""
}

func printCampaigns(w io.Writer, s *ops.Status) {
	t := newTable("CAMPAIGN", "STATE", "TARGETS", "COST", "WHERE THEY ARE")
	byState := map[fleet.CampaignState]int{}
	var waiting []ops.CampaignStatus
	for _, c := range s.Campaigns {
		byState[c.State]++
		if c.Waits != "" {
			waiting = append(waiting, c)
		}
		t.row(c.Name, string(c.State)+mode(c), fmt.Sprint(c.Targets), c.Spent.String(), states(c.States))
	}
	t.print(w)
	for i, c := range waiting {
		if i == 0 {
			fmt.Fprintln(w)
		}
		why := c.Waits
		if len(c.Held) > 0 {
			why += ": " + c.Held[0].Why
		}
		fmt.Fprintf(w, "%s: %s\n", c.Name, clip(why, 300))
	}
	var parts []string
	for _, state := range []fleet.CampaignState{fleet.CampaignActive, fleet.CampaignPaused, fleet.CampaignDone, fleet.CampaignCanceled} {
		if byState[state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", byState[state], state))
		}
	}
	fmt.Fprintf(w, "\n%s: %s; gaggle status CAMPAIGN says more of one\n", plural(len(s.Campaigns), "campaign"), strings.Join(parts, ", "))
}

// states renders counts in the order of a target's life.
func states(n map[fleet.State]int) string {
	var parts []string
	for _, s := range fleet.States {
		if n[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[s], s))
		}
	}
	if len(parts) == 0 {
		return "no targets"
	}
	return strings.Join(parts, ", ")
}
