package rollout

import (
	"fmt"
	"math"
	"time"

	"gaggle/internal/fleet"
)

// Gate is what a wave must reach before the next one opens: all of it at once. It has the fields of spec.Gate. The zero
// Gate allows no veto and no revert; a Gate that asks for nothing has 1 for both.
type Gate struct {
	Merged    float64       // share of the targets that count whose pull request is merged
	MinMerged int           // and at least so many; all that count where those are fewer
	Success   float64       // share of the targets that count whose pull request is open or merged
	Checks    float64       // share of the pull requests that CI has, or will have, an answer about for which it passed
	Vetoed    float64       // at most this share of the targets that count is refused, by the judge or by people
	Reverted  float64       // at most this share of what is merged is reverted
	Deployed  float64       // share of the merged changes that are deployed somewhere whose deployment is healthy
	Soak      time.Duration // and all of that since so long; a wave in which nothing counts does not soak
}

// Cohort is a wave as it stands.
type Cohort struct {
	Name     string              // "" for its number alone
	Opened   bool                // OpenWave was carried out
	Approved bool                // a person approved it
	Asked    bool                // AskApproval was carried out
	Reached  time.Time           // MarkReached was carried out then, and UnmarkReached not since; zero otherwise
	Targets  map[fleet.State]int // how many targets are in each state

	Vetoed int // failed targets about which the judge had the last word

	// What CI says of proposed and merged targets. One without CI is in none of the three; one that is red and will be revised, or run again,
	// is pending. Those under revision are pending whatever is said here.
	CIPassed, CIFailed, CIPending int

	// What became of merged targets. One that nobody deploys, or whose deployment nobody reports, is in none of the last three.
	Reverted                              int
	Deployed, DeployFailed, DeployPending int
}

// Verdict says whether a wave holds the next one up.
type Verdict string

// The verdicts on a wave.
const (
	Passed  Verdict = "passed"  // the gate is reached
	Waiting Verdict = "waiting" // it can still be reached
	Failing Verdict = "failing" // it cannot be reached any more, unless a person does something about it
)

// Health is a wave seen through the gate.
type Health struct {
	Verdict Verdict
	Counted int       // targets that count: all but unchanged, skipped and canceled ones
	Good    int       // their pull request is open or merged (dry run: their diff is ready)
	Merged  int       // their pull request is merged (dry run: their diff is ready)
	Bad     int       // failed, or closed by a person
	Reached bool      // everything but the soak holds
	Soaks   time.Time // when the soak will be over; zero unless the wave waits for that alone
	Why     string    // what is missing, as a clause; "" when passed
	Hint    string    // when failing: what a person can do
}

// Check looks at a wave through the gate. In a dry run, what only pull requests can tell is not asked, and nothing soaks.
func Check(c Cohort, g Gate, dryRun bool, now time.Time) Health {
	h := tally(c, dryRun)
	h.progress(g, dryRun)
	h.vetoed(c, g)
	if !dryRun {
		h.checks(c, g)
		h.reverted(c, g)
		h.deployed(c, g)
	}
	h.Reached = h.Verdict == Passed
	if h.Reached && !dryRun && g.Soak > 0 && h.Counted > 0 {
		h.soak(c.Reached, g.Soak, now)
	}
	return h
}

// tally sorts a wave's targets.
func tally(c Cohort, dryRun bool) Health {
	h := Health{Verdict: Passed}
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
	return h
}

// object takes a verdict other than Passed. A failure outweighs a wait; of two alike the first is told.
func (h *Health) object(v Verdict, hint, format string, args ...any) {
	if h.Verdict == Failing || h.Verdict == v {
		return
	}
	h.Verdict, h.Why, h.Hint = v, fmt.Sprintf(format, args...), ""
	if v == Failing {
		h.Hint = hint
	}
}

// progress asks how far the wave has come.
func (h *Health) progress(g Gate, dryRun bool) {
	judge := func(have, need int, what string) {
		if have >= need {
			return
		}
		v, bad := Waiting, ""
		if h.Counted-h.Bad < need {
			v = Failing
		}
		if h.Bad > 0 {
			bad = fmt.Sprintf("; %d failed or were closed", h.Bad)
		}
		h.object(v, "retry its failed targets, cancel them, or lower rollout.gate in the campaign file; then resume",
			"%d of %d targets are %s, the gate needs %d%s", have, h.Counted, what, need, bad)
	}
	good, merged := "proposed or merged", "merged"
	if dryRun {
		good, merged = "ready", "ready"
	}
	judge(h.Good, ceilOf(g.Success, h.Counted), good)
	judge(h.Merged, max(ceilOf(g.Merged, h.Counted), min(g.MinMerged, h.Counted)), merged)
}

// vetoed asks how many targets were refused. Those that are not changed yet could be.
func (h *Health) vetoed(c Cohort, g Gate) {
	refused, most := c.Vetoed+in(c, fleet.Closed), floorOf(g.Vetoed, h.Counted)
	coming := in(c, fleet.Pending, fleet.Queued, fleet.Changing)
	if refused+coming <= most {
		return
	}
	v := Waiting
	if refused > most {
		v = Failing
	}
	h.object(v, "read the judge's reasons and what people said, then change the prompt and rerun those targets, cancel them, or raise rollout.gate.vetoed; then resume",
		"%d of %d targets were refused by the judge or by people, the gate allows %d%s", refused, h.Counted, most, list(numbered(coming, "not judged yet")))
}

// checks asks CI. What is not proposed yet counts as pending: CI will have an answer about it.
func (h *Health) checks(c Cohort, g Gate) {
	coming := in(c, fleet.Pending, fleet.Queued, fleet.Changing, fleet.Ready)
	pending := c.CIPending + in(c, fleet.Revising)
	all := c.CIPassed + c.CIFailed + pending + coming
	need := ceilOf(g.Checks, all)
	if c.CIPassed >= need {
		return
	}
	v := Waiting
	if all-c.CIFailed < need {
		v = Failing
	}
	h.object(v, "look at the failing checks; retry those targets, cancel them, or lower rollout.gate.checks in the campaign file; then resume",
		"CI passed for %d of %d pull requests, the gate needs %d%s", c.CIPassed, all, need,
		list(numbered(c.CIFailed, "failed"), numbered(pending, "pending"), numbered(coming, "not open yet")))
}

// reverted asks how much of what was merged did not last.
func (h *Health) reverted(c Cohort, g Gate) {
	if most := floorOf(g.Reverted, h.Merged); c.Reverted > most {
		h.object(Failing, "find out why; then cancel the campaign, or raise rollout.gate.reverted in the campaign file and resume",
			"%d of %d merged changes were reverted, the gate allows %d", c.Reverted, h.Merged, most)
	}
}

// deployed asks whether what was merged runs well.
func (h *Health) deployed(c Cohort, g Gate) {
	all := c.Deployed + c.DeployFailed + c.DeployPending
	need := ceilOf(g.Deployed, all)
	if c.Deployed >= need {
		return
	}
	v := Waiting
	if all-c.DeployFailed < need {
		v = Failing
	}
	h.object(v, "look at the failed deployments; resume once they are repaired, or lower rollout.gate.deployed in the campaign file first",
		"%d of %d deployments are healthy, the gate needs %d%s", c.Deployed, all, need,
		list(numbered(c.DeployFailed, "failed"), numbered(c.DeployPending, "pending")))
}

// soak asks for how long all the rest has held.
func (h *Health) soak(since time.Time, long time.Duration, now time.Time) {
	if since.IsZero() {
		since = now
	}
	if until := since.Add(long); now.Before(until) {
		h.Soaks = until
		h.object(Waiting, "", "it soaks until %s", clock(until, now))
	}
}

// in adds up a wave's targets in some states.
func in(c Cohort, states ...fleet.State) int {
	sum := 0
	for _, state := range states {
		sum += max(c.Targets[state], 0)
	}
	return sum
}

// clock writes a time as short as it can be, in the zone of now.
func clock(t, now time.Time) string {
	t = t.In(now.Location())
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04 MST")
	}
	return t.Format("2006-01-02 15:04 MST")
}

func numbered(n int, what string) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf("%d %s", n, what)
}

// list joins what there is to a clause of its own.
func list(parts ...string) string {
	text, before := "", "; "
	for _, p := range parts {
		if p != "" {
			text, before = text+before+p, ", "
		}
	}
	return text
}

// ceilOf is the smallest whole number that is at least share of n; a share such as 0.9 is meant as written, not as
// the nearest float above it.
func ceilOf(share float64, n int) int {
	return min(n, int(math.Ceil(share*float64(n)-1e-9)))
}

// floorOf is the largest whole number that is at most share of n.
func floorOf(share float64, n int) int {
	return int(math.Floor(share*float64(n) + 1e-9))
}
