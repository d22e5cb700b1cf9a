package report

import (
	"time"

	"gaggle/internal/fleet"
)

// Input is everything that a report is made from. Build reads it and keeps nothing of it but Targets and Pulls, for the rows.
type Input struct {
	Campaign Campaign
	Waves    []string // what people call the waves; "" for one that is its number alone, and those after the last are, too
	Targets  []fleet.Target
	Events   []Event // of any kind, in any order; those of targets that are not in Targets do not count
	Attempts []fleet.Attempt
	Pulls    []PullFacts // one a target at most
	Now      time.Time   // times are shown in its zone
	Estimate *Estimate   // when the campaign's own work will be done; nil when nothing is left of it
	Evidence *Evidence   // for merging in the newest wave that is open; nil where the campaign merges nothing by itself
	// MinutesPerChange is how long a person is assumed to need for one of the changes. Defaults to DefaultMinutes.
	MinutesPerChange float64
}

// Campaign is what a report says of the campaign itself.
type Campaign struct {
	Name        string              `json:"name"`
	Owner       string              `json:"owner,omitempty"`
	Description string              `json:"description,omitempty"`
	State       fleet.CampaignState `json:"state"`
	Why         string              `json:"why,omitempty"` // it is paused, or what it waits for
	DryRun      bool                `json:"dryRun,omitempty"`
	Approval    bool                `json:"approval,omitempty"` // what is ready waits until its target is Approved
	Merge       string              `json:"merge,omitempty"`    // the policy: approved and auto let Gaggle merge; people do otherwise
	OpenWaves   int                 `json:"openWaves"`          // the first so many waves are open
	CreatedAt   time.Time           `json:"createdAt"`
}

// Event is one row of the campaign's history. Those with a To are moves of a target.
type Event struct {
	At        time.Time
	Target    int64
	Component string
	Kind      string
	From, To  fleet.State
	Actor     string
	Reason    fleet.Code
	Message   string
}

// PullFacts is what is known of a target's pull request beyond the target itself.
type PullFacts struct {
	Target             int64
	OpenedAt, MergedAt time.Time // zero: taken from the events
	CI                 string    // passed, failed, pending, none, before (fails, as without the change); "" when not known
	Deploy             string    // success, failure, pending; "" when not known
	Reverted           bool
	Touched            bool   // a person committed on top
	HandsOff           string // who told Gaggle to leave it alone; "" when nobody did
	Asked              string // why a person was asked to go on; "" while nobody was
	Approved           bool   // by somebody with write access, and nobody with write access objects
}
