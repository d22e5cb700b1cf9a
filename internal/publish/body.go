package publish

import (
	"fmt"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/spec"
)

const (
	maxAsked = 20_000 // characters of the prompt that a pull request shows
	maxLine  = 300    // characters of what a machine says
)

// body is what the owner of a component reads, who has five minutes: why, what was checked, and how to object. What people or
// programs outside the campaign can word stands in code spans, where it is neither markup nor a mention.
// The longest part stands last, where a host that takes less cuts it off.
func body(in Proposal, proof Provenance, with []Provenance) string {
	var b strings.Builder
	if len(in.With) > 0 {
		fmt.Fprintf(&b, "This pull request holds %d changes, a commit each. What goes wrong with it takes it apart: each change then gets a pull request of its own.\n\n# %s\n\n", len(in.With)+1, heading(in))
	}
	writeChange(&b, in, proof.Digest)
	for i, other := range in.With {
		fmt.Fprintf(&b, "\n# %s\n\n", heading(other))
		writeChange(&b, other, with[i].Digest)
	}
	b.WriteString("\n## How to object\n\nClose this pull request: it stays closed. ")
	campaigns := []string{in.Target.Campaign}
	for _, other := range in.With {
		campaigns = union(campaigns, []string{other.Target.Campaign})
	}
	which := "this campaign"
	if len(campaigns) > 1 {
		which = "these campaigns"
	}
	fmt.Fprintf(&b, "To keep %s out of the repository, add `campaigns: {exclude: [%s]}` to `%s`; `optOut: true` there keeps all campaigns out.\n", which, strings.Join(campaigns, ", "), spec.RepoFile)
	asked := map[string]bool{}
	for _, p := range append([]Proposal{in}, in.With...) {
		prompt := strings.TrimSpace(p.Campaign.Change.Prompt)
		if prompt == "" || asked[p.Target.Campaign] {
			continue
		}
		asked[p.Target.Campaign] = true
		b.WriteString("\n<details><summary>What was asked")
		if len(campaigns) > 1 {
			b.WriteString(" by " + p.Target.Campaign)
		}
		b.WriteString("</summary>\n\n")
		fence(&b, forge.Clip(prompt, maxAsked/len(campaigns)))
		b.WriteString("\n</details>\n")
	}
	return b.String()
}

// heading names one change among several.
func heading(in Proposal) string { return Code(title(in)) + " in " + Code(in.Target.Component) }

// writeChange tells about one change.
func writeChange(b *strings.Builder, in Proposal, provenance string) {
	c := in.Campaign
	if c.PullRequest.Body != "" {
		b.WriteString(strings.TrimSpace(c.PullRequest.Body) + "\n\n")
	} else if d := strings.TrimSpace(c.Metadata.Description); d != "" {
		b.WriteString(d + "\n\n")
	}
	b.WriteString("## Why\n\n")
	fmt.Fprintf(b, "Campaign %s changes every component that it concerns; here it is %s", Code(in.Target.Campaign), Code(in.Target.Component))
	if in.Component.Path != "" && in.Component.Path != "." {
		fmt.Fprintf(b, " in %s", Code(in.Component.Path))
	}
	if c.Metadata.Owner != "" {
		fmt.Fprintf(b, ". %s answers for the campaign", Code(c.Metadata.Owner))
	}
	b.WriteString(".\n")
	if c.PullRequest.Issue != "" {
		fmt.Fprintf(b, "\nIssue: %s\n", oneLine(c.PullRequest.Issue))
	}
	s := in.Target.Stat
	fmt.Fprintf(b, "\n## What\n\n%s, +%d −%d lines, by %s", fleet.Count(s.Files, "file"), s.Added, s.Deleted, Code(strings.TrimSpace(c.Change.Agent+" "+in.Attempt.AgentVersion)))
	if in.Target.Usage.Cost > 0 {
		fmt.Fprintf(b, " for %s", in.Target.Usage.Cost)
	}
	b.WriteString(".\n")
	writeChecks(b, c, in.Attempt)
	fmt.Fprintf(b, "\nHow it came about, for machines: %s (%s)\n", Code(provenance), Code("gaggle provenance "+in.Target.Campaign+" "+strings.TrimPrefix(in.Target.Component, "component:default/")))
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
			fmt.Fprintf(b, "- %s %s\n", Code(check.Verifier), map[fleet.CheckOutcome]string{
				fleet.Passed:        "passed",
				fleet.FailedBefore:  "failed before this change in the same way",
				fleet.ToolchainGone: "**did not run**: its toolchain is not on the machine that made this change",
			}[check.Outcome])
		}
	}
	b.WriteString("- guards: nothing to object to\n")
	switch {
	case last.Verdict != nil && last.Verdict.Pass:
		fmt.Fprintf(b, "- judge (%s): pass\n", Code(last.Verdict.Model))
	case last.Verdict != nil:
		fmt.Fprintf(b, "- judge (%s, advice only): **veto**\n", Code(last.Verdict.Model))
		for _, r := range last.Verdict.Reasons {
			fmt.Fprintf(b, "  - %s\n", Code(r))
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

// Code writes a text so that it means nothing to Markdown, to the host or to the eye but itself.
func Code(s string) string {
	s = strings.ReplaceAll(clean(s), "`", "'")
	if s == "" {
		s = "-"
	}
	return "`" + s + "`"
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
