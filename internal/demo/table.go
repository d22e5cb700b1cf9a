package demo

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/ops"
)

// result is what became of the fleet.
type result struct {
	targets    []ops.TargetDetail
	out        []ops.LeftOut
	components map[string]fleet.Component // by reference
	own        map[string]string          // what the agent's own checks first said, by component reference, where they failed
}

// rounds are those of the target's last attempt.
func rounds(t ops.TargetDetail) []fleet.Round {
	if n := len(t.AttemptList); n > 0 {
		return t.AttemptList[n-1].Rounds
	}
	return nil
}

// row is one component in the table of ends.
type row struct {
	name, end string
	how       string // colour
	why       []string
}

// table has a row for every component that is special or did not go smoothly, and one for all others.
func table(r result) []row {
	special := map[string]int{}
	for i, e := range ends {
		if e.special {
			special[e.component] = i + 1
		}
	}
	rank := func(ref string) int {
		if i := special[short(ref)]; i > 0 {
			return i
		}
		return len(ends) + 1
	}
	targets, out := slices.Clone(r.targets), slices.Clone(r.out)
	slices.SortStableFunc(targets, func(a, b ops.TargetDetail) int { return rank(a.Component) - rank(b.Component) })
	slices.SortStableFunc(out, func(a, b ops.LeftOut) int { return rank(a.Component) - rank(b.Component) })

	var rows []row
	smooth, idle, left := 0, 0, 0
	for _, t := range targets {
		switch {
		case len(t.AttemptList) == 0:
			idle++
			continue
		case special[short(t.Component)] == 0 && t.State == fleet.Proposed && len(rounds(t)) == 1:
			smooth++
			continue
		}
		rows = append(rows, row{short(t.Component), string(t.State), stateColour(t.State), r.why(t)})
	}
	if smooth > 0 {
		rows = append(rows, row{fleet.Count(smooth, "other"), string(fleet.Proposed), good, []string{"changed, built, tested and judged in one round"}})
	}
	if idle > 0 {
		rows = append(rows, row{fleet.Count(idle, "other"), "not begun", dim, []string{"its wave has not opened, or its turn has not come"}})
	}
	for _, o := range out {
		if special[short(o.Component)] == 0 {
			left++
			continue
		}
		rows = append(rows, row{short(o.Component), "left out", dim, []string{o.Why}})
	}
	if left > 0 {
		rows = append(rows, row{fleet.Count(left, "other"), "left out", dim, []string{"gaggle plan --out says why"}})
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

// why tells a target's story from what was recorded about it.
func (r result) why(t ops.TargetDetail) []string {
	var lines []string
	all := rounds(t)
	for i, round := range all {
		switch {
		case i < len(all)-1 || t.State == fleet.Failed && objection(round) != "":
			lines = append(lines, fmt.Sprintf("round %d went back: %s", round.Number, objection(round)))
			continue
		case i > 0 && t.State != fleet.Failed:
			lines = append(lines, fmt.Sprintf("round %d: mended, every check passes, the judge agrees", round.Number))
		}
		lines = append(lines, redBefore(round)...)
	}
	if said := r.own[t.Component]; said != "" && len(all) == 1 {
		lines = append(lines, "the agent ran the checks before it was done: "+said+"; it mended that")
	}
	switch t.State {
	case fleet.Unchanged:
		lines = append(lines, t.Message)
	case fleet.Failed:
		lines = append(lines, string(t.Reason)+": "+t.Message)
	}
	if c := r.components[t.Component]; c.Inferred && c.Owner != "" {
		lines = append(lines, "no catalog-info.yaml describes it; its owner, "+short(c.Owner)+", is from CODEOWNERS")
	}
	if len(lines) == 0 {
		lines = append(lines, fmt.Sprintf("%s, +%d -%d lines", fleet.Count(t.Stat.Files, "file"), t.Stat.Added, t.Stat.Deleted))
	}
	return lines
}

// objection is the first thing that was held against a round; "" when there was none.
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
	return clip(r.Feedback, 200)
}

// redBefore names the checks that failed before the change too.
func redBefore(r fleet.Round) []string {
	if r.Report == nil {
		return nil
	}
	var lines []string
	for _, c := range r.Report.Checks {
		if c.Outcome != fleet.FailedBefore {
			continue
		}
		which := ""
		if len(c.Failures) > 0 {
			if words := strings.Fields(c.Failures[0].Key); len(words) > 0 {
				which = " (" + words[len(words)-1] + ")"
			}
		}
		lines = append(lines, c.Verifier+which+" was red before the change: not blamed, not touched")
	}
	return lines
}

// ownCheck reads in what an agent printed what its checks first said when they failed.
func ownCheck(log []byte) string {
	for line := range strings.Lines(string(log)) {
		var e struct {
			Tool   string `json:"tool"`
			Failed bool   `json:"failed"`
			Text   string `json:"text"`
		}
		if json.Unmarshal([]byte(line), &e) != nil || e.Tool != "verify" || !e.Failed {
			continue
		}
		for said := range strings.Lines(e.Text) {
			if text, indented := strings.CutPrefix(said, "  "); indented {
				return clip(text, 100)
			}
		}
	}
	return ""
}

func firstOf(list []string, otherwise string) string {
	if len(list) > 0 {
		return list[0]
	}
	return otherwise
}
