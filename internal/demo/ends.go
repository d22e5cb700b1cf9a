package demo

import (
	"fmt"
	"slices"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/ops"
)

// end is how a component is to end when the rule-driven model does the work.
type end struct {
	component string
	state     fleet.State // "" when the campaign leaves it out
	out       string      // why it is left out: LeftOut.Reason
	rounds    int
	special   bool // worth a line in the table, even when all went well
}

// ends is the design of the demo; every component of the fleet stands in it. The archives say why.
var ends = []end{
	{component: "carrier-quotes", state: fleet.Proposed, rounds: 2, special: true},
	{component: "refund-ledger", state: fleet.Proposed, rounds: 2, special: true},
	{component: "depot-scanner", state: fleet.Proposed, rounds: 1, special: true},
	{component: "tide-tables", state: fleet.Proposed, rounds: 1, special: true},
	{component: "dead-letter", state: fleet.Proposed, rounds: 1, special: true},
	{component: "gift-notes", state: fleet.Unchanged, rounds: 1, special: true},
	{component: "stock-feed", state: fleet.Unchanged, rounds: 1, special: true},

	{component: "address-book", state: fleet.Proposed, rounds: 1},
	{component: "clickstream", state: fleet.Proposed, rounds: 1},
	{component: "geo-import", state: fleet.Proposed, rounds: 1},
	{component: "invoice-archive", state: fleet.Proposed, rounds: 1},
	{component: "island-checkout", state: fleet.Proposed, rounds: 1},
	{component: "island-tracking", state: fleet.Proposed, rounds: 1},
	{component: "ledger-export", state: fleet.Proposed, rounds: 1},
	{component: "parcel-labels", state: fleet.Proposed, rounds: 1},
	{component: "pickup-points", state: fleet.Proposed, rounds: 1},
	{component: "price-book", state: fleet.Proposed, rounds: 1},
	{component: "queue-bench", state: fleet.Proposed, rounds: 1},
	{component: "report-mailer", state: fleet.Proposed, rounds: 1},
	{component: "route-planner", state: fleet.Proposed, rounds: 1},

	{component: "card-vault", out: "opted_out", special: true},
	{component: "search-experiments", out: "where", special: true},
	{component: "toolbox", out: "contains", special: true},
	{component: "feature-flags", out: "contains"},
	{component: "envfile", out: "contains"},
}

// result is what became of the fleet.
type result struct {
	targets []ops.TargetDetail
	out     []ops.LeftOut
	owners  map[string]fleet.Component // components by reference
}

func rounds(t ops.TargetDetail) []fleet.Round {
	if n := len(t.AttemptList); n > 0 {
		return t.AttemptList[n-1].Rounds
	}
	return nil
}

// differences says where the result is not what was designed.
func differences(r result) []string {
	var diffs []string
	known := map[string]bool{}
	for _, e := range ends {
		known[e.component] = true
		got, want := "not in the fleet", describe(e)
		for _, t := range r.targets {
			if short(t.Component) == e.component {
				got = describe(end{state: t.State, rounds: len(rounds(t))})
			}
		}
		for _, o := range r.out {
			if short(o.Component) == e.component {
				got = describe(end{out: o.Reason})
			}
		}
		if got != want {
			diffs = append(diffs, fmt.Sprintf("%s: %s, should be: %s", e.component, got, want))
		}
	}
	for _, t := range r.targets {
		if !known[short(t.Component)] {
			diffs = append(diffs, short(t.Component)+": nobody knows it")
		}
	}
	return diffs
}

func describe(e end) string {
	if e.state == "" {
		return "left out (" + e.out + ")"
	}
	return fmt.Sprintf("%s in %d rounds", e.state, e.rounds)
}

// row is one line of the table.
type row struct {
	name, end string
	how       string // colour
	why       []string
}

// table has a row for every component that is special or did not go smoothly, and a last one for the others.
func table(r result) []row {
	special := map[string]int{}
	for i, e := range ends {
		if e.special {
			special[e.component] = i + 1
		}
	}
	var rows []row
	smooth := 0
	targets := slices.Clone(r.targets)
	rank := func(name string) int {
		if i := special[name]; i > 0 {
			return i
		}
		return len(ends) + 1
	}
	slices.SortStableFunc(targets, func(a, b ops.TargetDetail) int { return rank(short(a.Component)) - rank(short(b.Component)) })
	for _, t := range targets {
		name := short(t.Component)
		if special[name] == 0 && t.State == fleet.Proposed && len(rounds(t)) == 1 {
			smooth++
			continue
		}
		rows = append(rows, row{name, string(t.State), stateColour(t.State), why(t, r.owners[t.Component])})
	}
	if smooth > 0 {
		rows = append(rows, row{fmt.Sprintf("%d others", smooth), string(fleet.Proposed), good, []string{"changed, built, tested and judged in one round"}})
	}
	out := slices.Clone(r.out)
	slices.SortStableFunc(out, func(a, b ops.LeftOut) int { return rank(short(a.Component)) - rank(short(b.Component)) })
	left := 0
	for _, o := range out {
		if special[short(o.Component)] == 0 {
			left++
			continue
		}
		rows = append(rows, row{short(o.Component), "left out", dim, []string{o.Why}})
	}
	if left > 0 {
		rows = append(rows, row{fmt.Sprintf("%d others", left), "left out", dim, []string{"gaggle plan --out says why"}})
	}
	return rows
}

func stateColour(s fleet.State) string {
	switch s {
	case fleet.Proposed, fleet.Merged, fleet.Ready:
		return good
	case fleet.Failed:
		return bad
	}
	return warn
}

// why tells a target's story from what was recorded.
func why(t ops.TargetDetail, c fleet.Component) []string {
	var lines []string
	all := rounds(t)
	for i, r := range all {
		if i < len(all)-1 || t.State == fleet.Failed {
			lines = append(lines, fmt.Sprintf("round %d went back: %s", r.Number, objection(r)))
			continue
		}
		if n := len(all); n > 1 {
			lines = append(lines, fmt.Sprintf("round %d: mended, the checks pass, the judge agrees", n))
		}
		lines = append(lines, before(r)...)
	}
	switch {
	case t.State == fleet.Unchanged:
		lines = append(lines, t.Message)
	case t.State == fleet.Failed:
		lines = append(lines, string(t.Reason)+": "+t.Message)
	}
	if c.Inferred && c.Owner != "" {
		lines = append(lines, "described by no catalog-info.yaml; CODEOWNERS says that it is "+short(c.Owner)+"'s")
	}
	if len(lines) == 0 && len(all) == 1 {
		lines = append(lines, fmt.Sprintf("+%d -%d lines; the agent built and tested them in %d turns", t.Stat.Added, t.Stat.Deleted, all[0].Turns))
	}
	if len(lines) == 0 {
		lines = append(lines, "remembered from an equal attempt")
	}
	return lines
}

// objection is the first thing that was held against a round.
func objection(r fleet.Round) string {
	for _, f := range r.Findings {
		return fmt.Sprintf("guard %s: %s:%d: %s", f.Rule, f.File, f.Line, f.Message)
	}
	if r.Report != nil {
		for _, c := range r.Report.Checks {
			if c.Outcome == fleet.CheckFailed || c.Outcome == fleet.TimedOut {
				return c.Verifier + ": " + firstOf(c.Lines, "it failed")
			}
		}
	}
	if r.Verdict != nil && !r.Verdict.Pass {
		return "judge: " + firstOf(r.Verdict.Reasons, "veto")
	}
	return clip(r.Feedback, 120)
}

// before names the checks that were red before the change.
func before(r fleet.Round) []string {
	var lines []string
	if r.Report == nil {
		return nil
	}
	for _, c := range r.Report.Checks {
		if c.Outcome != fleet.FailedBefore {
			continue
		}
		which := ""
		if len(c.Failures) > 0 {
			which = " (" + strings.TrimSpace(c.Failures[0].Key) + ")"
		}
		lines = append(lines, c.Verifier+which+" was red before the change too: not blamed, and not touched")
	}
	return lines
}

func firstOf(list []string, otherwise string) string {
	if len(list) > 0 {
		return list[0]
	}
	return otherwise
}
