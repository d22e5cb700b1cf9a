package demo

import (
	"fmt"

	"gaggle/internal/fleet"
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

// differences says where the result is not what was designed. What people did to pull requests since is none.
func differences(r result) []string {
	var diffs []string
	known := map[string]bool{}
	for _, e := range ends {
		known[e.component] = true
		got := "not in the fleet"
		for _, t := range r.targets {
			if short(t.Component) != e.component {
				continue
			}
			state := t.State
			if state == fleet.Merged || state == fleet.Closed {
				state = fleet.Proposed
			}
			got = end{state: state, rounds: len(rounds(t))}.String()
		}
		for _, o := range r.out {
			if short(o.Component) == e.component {
				got = end{out: o.Reason}.String()
			}
		}
		if got != e.String() {
			diffs = append(diffs, fmt.Sprintf("%s: %s, should be: %s", e.component, got, e))
		}
	}
	for _, t := range r.targets {
		if !known[short(t.Component)] {
			diffs = append(diffs, short(t.Component)+": nobody knows it")
		}
	}
	return diffs
}

func (e end) String() string {
	if e.state == "" {
		return "left out (" + e.out + ")"
	}
	return fmt.Sprintf("%s in %s", e.state, fleet.Count(e.rounds, "round"))
}
