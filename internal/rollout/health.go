package rollout

import (
	"fmt"
	"math"

	"gaggle/internal/fleet"
)

// Gate is what a wave must reach before the next one opens: all three at once. It has the fields of spec.Gate.
type Gate struct {
	Merged    float64 // share of the targets that count whose pull request is merged
	MinMerged int     // and at least so many; all that count where those are fewer
	Success   float64 // share of the targets that count whose pull request is open or merged
}

// Cohort is a wave as it stands.
type Cohort struct {
	Opened   bool                // OpenWave was carried out
	Approved bool                // a person approved it
	Asked    bool                // AskApproval was carried out
	Targets  map[fleet.State]int // how many targets are in each state
}

// Verdict says whether a wave holds the next one up.
type Verdict string

// The verdicts on a wave.
const (
	Passed  Verdict = "passed"  // the gate is reached
	Waiting Verdict = "waiting" // it can still be reached
	Failing Verdict = "failing" // it cannot be reached any more, unless a person retries or cancels targets
)

// Health is a wave seen through the gate.
type Health struct {
	Verdict Verdict
	Counted int    // targets that count: all but unchanged, skipped and canceled ones
	Good    int    // their pull request is open or merged (dry run: their diff is ready)
	Merged  int    // their pull request is merged (dry run: their diff is ready)
	Bad     int    // failed, or closed by a person
	Why     string // what is missing, as a clause; "" when passed
}

// Check looks at a wave through the gate.
func Check(c Cohort, g Gate, dryRun bool) Health {
	var h Health
	for state, n := range c.Targets {
		if n <= 0 {
			continue
		}
		h.Counted += n
		switch state {
		case fleet.Unchanged, fleet.Skipped, fleet.Canceled:
			h.Counted -= n
		case fleet.Failed, fleet.Closed:
			h.Bad += n
		case fleet.Merged:
			h.Good += n
			h.Merged += n
		case fleet.Ready, fleet.Revising:
			if dryRun {
				h.Good += n
				h.Merged += n
			}
		case fleet.Proposed:
			h.Good += n
			if dryRun {
				h.Merged += n
			}
		}
	}
	needGood := ceilOf(g.Success, h.Counted)
	needMerged := max(ceilOf(g.Merged, h.Counted), min(g.MinMerged, h.Counted))
	h.Verdict = Passed
	judge := func(have, need int, what string) {
		if have >= need || h.Verdict == Failing {
			return
		}
		h.Verdict = Waiting
		if h.Counted-h.Bad < need {
			h.Verdict = Failing
		}
		h.Why = fmt.Sprintf("%d of %d targets are %s, the gate needs %d", have, h.Counted, what, need)
		if h.Bad > 0 {
			h.Why += fmt.Sprintf("; %d failed or were closed", h.Bad)
		}
	}
	ready := "proposed or merged"
	merged := "merged"
	if dryRun {
		ready, merged = "ready", "ready"
	}
	judge(h.Good, needGood, ready)
	judge(h.Merged, needMerged, merged)
	return h
}

// ceilOf is the smallest whole number that is at least share of n; a share such as 0.9 is meant as written, not as
// the nearest float above it.
func ceilOf(share float64, n int) int {
	return min(n, int(math.Ceil(share*float64(n)-1e-9)))
}
