package attempt

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/gateway"
	"gaggle/internal/git"
	"gaggle/internal/spec"
)

// Memory remembers results by what they depend on.
type Memory interface {
	Recall(ctx context.Context, key string) (value string, ok bool, err error)
	Remember(ctx context.Context, key, value string) error
	Record(ctx context.Context, key string) ([]byte, error)
}

// Order is everything that an attempt needs to know.
type Order struct {
	Campaign         *spec.Campaign
	Target           fleet.Target
	Attempt          fleet.Attempt
	Component        fleet.Component
	Repository       fleet.Repository
	RepositoryConfig string // the text of the repository's .gaggle.yaml
	Memory           Memory
	Meter            gateway.Meter
	// Replies keeps what models answer until the attempt is settled; nil keeps nothing.
	Replies gateway.Replies
	// Feedback starts the first round with what CI, a reviewer or a moved base says.
	Feedback string
	// Base is the commit to change; the zero value is the newest of the default branch.
	Base git.Head
	// Seed is an earlier result, as a diff, that the attempt goes on from. A program starts from nothing instead; so does any
	// agent when the diff does not fit the base.
	Seed []byte
	// Replay takes the seed for the first round's result: where it fits and is found good, no agent is asked.
	Replay bool
	// Reverse takes the seed back out of the base instead. It goes with spec.AgentRevert.
	Reverse bool
	// Round is told each round as it ends; an error stops the attempt.
	Round func(ctx context.Context, r fleet.Round) error
}

// Outcome is how an attempt ended.
type Outcome struct {
	State        fleet.State // ready, unchanged, failed or skipped
	Reason       fleet.Code
	Message      string
	AgentVersion string
	Base         git.Head
	Tree         string // the result's tree
	Diff         []byte // what is proposed, or the best effort of a failed attempt
	Stat         fleet.DiffStat
	Usage        fleet.Usage
	Records      map[string][]byte // "log", "transcript", "report": secrets removed
	Memo         string            // the key under which this result may be remembered; "" when it may not
	Remembered   bool
	Last         *fleet.Round // how the result was found good, for those who take it from memory; nil when it failed
}

// memo is an outcome as remembered: everything but the diff itself, which is stored once under its own key.
type memo struct {
	State   fleet.State    `json:"state"`
	Reason  fleet.Code     `json:"reason,omitempty"`
	Message string         `json:"message,omitempty"`
	Tree    string         `json:"tree,omitempty"`
	DiffKey string         `json:"diffKey,omitempty"`
	Stat    fleet.DiffStat `json:"stat"`
	Last    *fleet.Round   `json:"last,omitempty"`
}

// Remember renders the outcome for Memory, with the key under which its diff was stored.
func (o Outcome) Remember(diffKey string) string {
	data, err := json.Marshal(memo{o.State, o.Reason, o.Message, o.Tree, diffKey, o.Stat, o.Last})
	if err != nil { // strings and numbers always marshal
		panic(err)
	}
	return string(data)
}

// DescribeRound says in one line how a round went.
func DescribeRound(r fleet.Round) string {
	var parts []string
	if r.Report != nil {
		n := map[fleet.CheckOutcome]int{}
		for _, c := range r.Report.Checks {
			n[c.Outcome]++
		}
		for _, o := range []fleet.CheckOutcome{fleet.Passed, fleet.CheckFailed, fleet.TimedOut, fleet.FailedBefore, fleet.ToolchainGone} {
			if n[o] > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n[o], strings.ReplaceAll(string(o), "_", " ")))
			}
		}
	}
	if n := len(r.Findings); n > 0 {
		parts = append(parts, fmt.Sprintf("%d guard findings", n))
	}
	if r.Verdict != nil {
		parts = append(parts, map[bool]string{true: "judge: pass", false: "judge: veto"}[r.Verdict.Pass])
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing to verify")
	}
	s := fmt.Sprintf("round %d: %s", r.Number, strings.Join(parts, ", "))
	if r.Usage.Cost > 0 {
		s += ", " + r.Usage.Cost.String()
	}
	return s
}
