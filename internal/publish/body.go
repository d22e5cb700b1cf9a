package publish

import (
	"fmt"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/spec"
)

// body is what the owner of a component reads, who has five minutes: why, what was checked, and how to object.
func body(in Proposal) string {
	var b strings.Builder
	c := in.Campaign
	if c.PullRequest.Body != "" {
		b.WriteString(strings.TrimSpace(c.PullRequest.Body) + "\n\n")
	} else if d := strings.TrimSpace(c.Metadata.Description); d != "" {
		b.WriteString(d + "\n\n")
	}
	b.WriteString("## Why\n\n")
	fmt.Fprintf(&b, "Campaign `%s` changes every component that it concerns; here it is `%s`", in.Target.Campaign, in.Target.Component)
	if in.Component.Path != "" && in.Component.Path != "." {
		fmt.Fprintf(&b, " in `%s`", in.Component.Path)
	}
	if c.Metadata.Owner != "" {
		fmt.Fprintf(&b, ". `%s` answers for the campaign", c.Metadata.Owner)
	}
	b.WriteString(".\n")
	if c.PullRequest.Issue != "" {
		fmt.Fprintf(&b, "\nIssue: %s\n", oneLine(c.PullRequest.Issue))
	}
	if p := strings.TrimSpace(c.Change.Prompt); p != "" {
		b.WriteString("\n<details><summary>What was asked</summary>\n\n")
		fence(&b, p)
		b.WriteString("\n</details>\n")
	}
	s := in.Target.Stat
	fmt.Fprintf(&b, "\n## What\n\n%d files, +%d −%d lines, by `%s`", s.Files, s.Added, s.Deleted, c.Change.Agent)
	if in.Attempt.AgentVersion != "" {
		fmt.Fprintf(&b, " (%s)", in.Attempt.AgentVersion)
	}
	if in.Target.Usage.Cost > 0 {
		fmt.Fprintf(&b, " for %s", in.Target.Usage.Cost)
	}
	b.WriteString(".\n")
	writeChecks(&b, c, in.Attempt)
	b.WriteString("\n## How to object\n\nClose this pull request: it stays closed. ")
	fmt.Fprintf(&b, "To keep this campaign out of the repository, add `campaigns: {exclude: [%s]}` to `%s`; `optOut: true` there keeps all campaigns out.\n", in.Target.Campaign, spec.RepoFile)
	return b.String()
}

func writeChecks(b *strings.Builder, c *spec.Campaign, a fleet.Attempt) {
	b.WriteString("\n## Verified\n\n")
	if len(a.Rounds) == 0 {
		b.WriteString("The same change on the same base was verified before.\n")
		return
	}
	last := a.Rounds[len(a.Rounds)-1]
	if last.Report == nil || len(last.Report.Checks) == 0 {
		b.WriteString("- **nothing**: no verifier fits this component\n")
	} else {
		for _, check := range last.Report.Checks {
			fmt.Fprintf(b, "- %s %s\n", code(check.Verifier), map[fleet.CheckOutcome]string{
				fleet.Passed:        "passed",
				fleet.FailedBefore:  "failed before this change in the same way",
				fleet.ToolchainGone: "**did not run**: its toolchain is not on the machine that made this change",
			}[check.Outcome])
		}
	}
	b.WriteString("- guards: nothing to object to\n")
	switch {
	case last.Verdict != nil && last.Verdict.Pass:
		fmt.Fprintf(b, "- judge (%s): pass\n", last.Verdict.Model)
	case last.Verdict != nil:
		fmt.Fprintf(b, "- judge (%s, advice only): **veto**\n", last.Verdict.Model)
		for _, r := range last.Verdict.Reasons {
			fmt.Fprintf(b, "  - %s\n", oneLine(r))
		}
	case c.Judge.Mode == spec.JudgeOff:
		b.WriteString("- judge: not asked\n")
	default:
		b.WriteString("- judge (advice only): **could not be asked**\n")
	}
	if n := len(a.Rounds); n > 1 {
		fmt.Fprintf(b, "- %d rounds\n", n)
	}
}

// fence writes text as a code block that the text cannot end.
func fence(b *strings.Builder, text string) {
	mark := "```"
	for strings.Contains(text, mark) {
		mark += "`"
	}
	b.WriteString(mark + "\n" + text + "\n" + mark + "\n")
}

func code(s string) string { return "`" + strings.ReplaceAll(oneLine(s), "`", "'") + "`" }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
