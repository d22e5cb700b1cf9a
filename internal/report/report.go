package report

import (
	"time"

	"gaggle/internal/fleet"
)

// Report is how a campaign stands at one moment. Lists are never nil in its JSON form.
type Report struct {
	Campaign Campaign  `json:"campaign"`
	At       time.Time `json:"at"`
	Total    Tally     `json:"total"`
	States   []InState `json:"states"`   // those that occur, in the order of a target's life
	Burndown []Point   `json:"burndown"` // where something changed, oldest first; the last one is At
	Waves    []Wave    `json:"waves"`
	Owners   []Owner   `json:"owners"`   // those with the most left come first
	Waiting  []Waiting `json:"waiting"`  // those that most wait for come first
	Reasons  []Reason  `json:"reasons"`  // the most frequent come first
	Failures []Cluster `json:"failures"` // at most 50, the largest first
	Unlisted Unlisted  `json:"failuresLeftOut"`
	Money    Money     `json:"money"`
	Effort   Effort    `json:"effort"`
	ToMerge  Spread    `json:"timeToMerge"`
	Rates    Rates     `json:"rates"`
	Estimate *Estimate `json:"estimate,omitempty"` // nil when nothing is left of the campaign's own work
	Evidence *Evidence `json:"evidence,omitempty"` // nil where the campaign merges nothing by itself
	Saved    Saved     `json:"saved"`
	Rows     []Row     `json:"-"` // one a target, in the order of waves and components
}

// Tally counts targets by how far they have come. The eight add up to Targets.
type Tally struct {
	Targets int `json:"targets"`
	Waiting int `json:"waiting"` // pending
	Working int `json:"working"` // queued, changing
	Ready   int `json:"ready"`
	Open    int `json:"open"` // proposed, revising
	Merged  int `json:"merged"`
	Closed  int `json:"closed"`
	Failed  int `json:"failed"`
	Other   int `json:"other"` // unchanged, skipped, canceled: nothing was to be done
}

// Left is how many are not at rest.
func (t Tally) Left() int { return t.Waiting + t.Working + t.Ready + t.Open }

func (t *Tally) add(s fleet.State) {
	t.Targets++
	switch s {
	case fleet.Pending:
		t.Waiting++
	case fleet.Queued, fleet.Changing:
		t.Working++
	case fleet.Ready:
		t.Ready++
	case fleet.Proposed, fleet.Revising:
		t.Open++
	case fleet.Merged:
		t.Merged++
	case fleet.Closed:
		t.Closed++
	case fleet.Failed:
		t.Failed++
	default:
		t.Other++
	}
}

// InState counts the targets of one state.
type InState struct {
	State fleet.State `json:"state"`
	Count int         `json:"count"`
}

// Point is how the campaign stood from one moment on.
type Point struct {
	At     time.Time `json:"at"`
	Left   int       `json:"left"` // targets not at rest
	Merged int       `json:"merged"`
}

// Wave is how one wave stands.
type Wave struct {
	Number int    `json:"number"`         // as people count them: the first is 1
	Name   string `json:"name,omitempty"` // what they call it
	Opened bool   `json:"opened"`
	Tally
}

// Owner is how the targets of one owner stand.
type Owner struct {
	Owner string `json:"owner"` // "" for those whose owner is not known
	Tally
	OldestOpen time.Time `json:"oldestOpen,omitzero"` // since when its oldest open pull request is open
	ToMerge    Spread    `json:"timeToMerge"`
}

// Waiting is what several targets wait for.
type Waiting struct {
	Who     string    `json:"who"` // an owner, or "Gaggle", "CI", "nobody known"
	What    string    `json:"what"`
	Count   int       `json:"count"`
	Since   time.Time `json:"since"`   // the one that waits longest
	Example string    `json:"example"` // its component
}

// Reason counts the targets at rest for one reason.
type Reason struct {
	State  fleet.State `json:"state"`
	Reason fleet.Code  `json:"reason"`
	Count  int         `json:"count"`
}

// Cluster is failures whose messages say the same.
type Cluster struct {
	Reason  fleet.Code `json:"reason"`
	Form    string     `json:"form"` // the message without what differs
	Count   int        `json:"count"`
	Example Example    `json:"example"`
}

// Example is one target of a cluster: the first by name.
type Example struct {
	Component string `json:"component"`
	Message   string `json:"message"`
}

// Unlisted counts what a list leaves out.
type Unlisted struct {
	Clusters int `json:"clusters"`
	Targets  int `json:"targets"`
}

// Money is what the campaign spent on models, in micro-dollars.
type Money struct {
	Total      fleet.Money `json:"total"`
	PerMerged  fleet.Money `json:"perMerged"`  // all of it over the merged ones; 0 when none is
	PerAttempt fleet.Money `json:"perAttempt"` // of the attempts that were not remembered from equal ones
	// Wasted was spent on targets that ended failed, closed, skipped or canceled, and on other targets' attempts that
	// failed or were lost.
	Wasted fleet.Money `json:"wasted"`
}

// Effort is what machines did for it.
type Effort struct {
	Attempts          int     `json:"attempts"`
	Remembered        int     `json:"remembered"` // of them, taken from equal earlier ones
	Rounds            int     `json:"rounds"`
	AttemptsPerMerged float64 `json:"attemptsPerMerged"` // of the merged targets themselves
	RoundsPerMerged   float64 `json:"roundsPerMerged"`
	Calls             int     `json:"calls"` // to models
	Models            []Model `json:"models"`
}

// Model is what one model read and wrote.
type Model struct {
	Model string `json:"model"`
	fleet.Tokens
}

// Spread is how long something took, by nearest rank. Both are 0 when nothing was measured.
type Spread struct {
	Measured int   `json:"measured"`
	P50      int64 `json:"p50Seconds"`
	P90      int64 `json:"p90Seconds"`
}

// Ratio is so many of so many.
type Ratio struct {
	N  int `json:"n"`
	Of int `json:"of"`
}

// Share is N over Of; 0 of nothing.
func (r Ratio) Share() float64 {
	if r.Of == 0 {
		return 0
	}
	return float64(r.N) / float64(r.Of)
}

// Rates is how good the changes were.
type Rates struct {
	CI        Ratio `json:"ciPassed"`  // pull requests whose checks passed, of those whose checks have ended
	Deployed  Ratio `json:"deployed"`  // merged ones whose deployment succeeded, of those whose deployment has ended
	Unchanged Ratio `json:"unchanged"` // merged without a person's commit and not reverted, of those that were merged or closed
	Reverted  Ratio `json:"reverted"`  // of the merged
	Vetoed    Ratio `json:"vetoed"`    // attempts that the judge objected to at least once, of those it looked at
	Corrected Ratio `json:"corrected"` // of the vetoed, those that it passed in the end
}

// Estimate is when the campaign's own work will be done: attempts ended and, unless in a dry run, pull requests open.
type Estimate struct {
	Done     time.Time `json:"done"`
	AtLeast  []string  `json:"atLeast"` // what it waits for besides; then Done is the earliest time
	Bound    string    `json:"bound"`   // what takes most of the time: attempts, forge, soak, people
	Why      string    `json:"why,omitempty"`
	Attempts int       `json:"attempts"` // to be made
	Pulls    int       `json:"pulls"`    // pull requests to be opened
}

// Evidence is what the earlier waves say for merging without a person.
type Evidence struct {
	Unchanged int     `json:"unchanged"` // merged by people as they were, of the decided
	Decided   int     `json:"decided"`
	Lower     float64 `json:"lower"` // lower 95% bound of the share
	Threshold float64 `json:"threshold"`
	Open      bool    `json:"open"` // the bound reaches the threshold
	Says      string  `json:"-"`    // the numbers in words
}

// Saved is the people's time that the merged changes stand for. MinutesPerChange is an assumption, and the time that
// reviews took is not taken off.
type Saved struct {
	Changes          int     `json:"changes"` // merged and not reverted
	MinutesPerChange float64 `json:"minutesPerChange"`
	Minutes          float64 `json:"minutes"`
}

// Row is one target in the CSV file.
type Row struct {
	*fleet.Target
	Since    time.Time // it is in its state
	OpenedAt time.Time
	MergedAt time.Time
	CI       string
	Deploy   string
	Reverted bool
	Touched  bool
}
