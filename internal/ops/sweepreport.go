package ops

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"gaggle/internal/forge"
	"gaggle/internal/report"
)

// cause is why one check of one change fails.
type cause struct {
	component, repository, check, url string
	line                              string   // in one line
	lines                             []string // distilled
}

// SweepCause is what several changes fail of.
type SweepCause struct {
	Cause      string       `json:"cause"`   // without what differs from one to the other
	Checks     []string     `json:"checks"`  // that say so
	Targets    int          `json:"targets"` // how many changes fail of it
	Components []string     `json:"components"`
	Example    SweepExample `json:"example"`
}

// SweepExample is one failure of a cause.
type SweepExample struct {
	Component  string   `json:"component"`
	Repository string   `json:"repository"`
	Check      string   `json:"check"`
	URL        string   `json:"url,omitempty"`
	Lines      []string `json:"lines"`
}

const (
	mostCauses     = 50
	mostComponents = 100 // that a cause names
)

// report says what became of the trials.
func (s *sweep) report() *SweepOutput {
	out := &SweepOutput{Targets: []SweptTarget{}, Outcomes: map[SweepOutcome]int{}, Causes: []SweepCause{}, Left: []SweepBranch{}}
	for _, key := range slices.Sorted(maps.Keys(s.left)) {
		out.Left = append(out.Left, s.left[key])
	}
	var causes []cause
	for _, t := range s.trials {
		swept := SweptTarget{Component: t.target.Component, Repository: t.target.Repository, Branch: t.branch.Branch, Commit: t.commit, Outcome: cmp.Or(t.outcome, SweepUnknown), Code: t.code, Message: t.message, Checks: []SweptCheck{}}
		for _, c := range t.checks {
			state := string(c.State)
			if c.State == forge.CheckFailed && t.before[c.Name] {
				state = "failed_before"
			}
			swept.Checks = append(swept.Checks, SweptCheck{s.clean(c.Name), state, c.URL})
		}
		out.Targets = append(out.Targets, swept)
		out.Outcomes[swept.Outcome]++
		causes = append(causes, t.causes...)
	}
	slices.SortFunc(out.Targets, func(a, b SweptTarget) int { return strings.Compare(a.Component, b.Component) })
	out.Causes = cluster(causes)
	if n := len(out.Causes); n > mostCauses {
		out.Causes, out.Unlisted = out.Causes[:mostCauses], n-mostCauses
	}
	return out
}

// cluster groups failures that say the same of different changes.
func cluster(all []cause) []SweepCause {
	slices.SortStableFunc(all, func(a, b cause) int {
		return cmp.Or(strings.Compare(a.component, b.component), strings.Compare(a.check, b.check))
	})
	groups, order, last := map[string]*SweepCause{}, []string{}, map[string]string{}
	for _, c := range all {
		form := report.Normal(c.line, c.component, c.repository, c.check)
		g := groups[form]
		if g == nil {
			g = &SweepCause{Cause: form, Components: []string{}, Example: SweepExample{c.component, c.repository, c.check, c.url, append([]string{}, c.lines...)}}
			groups[form] = g
			order = append(order, form)
		}
		if !slices.Contains(g.Checks, c.check) && len(g.Checks) < mostComponents {
			g.Checks = append(g.Checks, c.check)
		}
		if last[form] != c.component {
			g.Targets++
			if len(g.Components) < mostComponents {
				g.Components = append(g.Components, c.component)
			}
		}
		last[form] = c.component
	}
	out := []SweepCause{}
	for _, form := range order {
		out = append(out, *groups[form])
	}
	slices.SortStableFunc(out, func(a, b SweepCause) int {
		return cmp.Or(cmp.Compare(b.Targets, a.Targets), strings.Compare(a.Cause, b.Cause))
	})
	return out
}
