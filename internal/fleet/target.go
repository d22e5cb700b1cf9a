package fleet

import "time"

// Target is one component inside one campaign.
type Target struct {
	ID         int64     `json:"id"`
	Campaign   string    `json:"campaign"`
	Component  string    `json:"component"` // Component.Ref
	Repository string    `json:"repository"`
	Path       string    `json:"path"`
	Owner      string    `json:"owner,omitempty"`
	Wave       int       `json:"wave"` // 0-based
	State      State     `json:"state"`
	Version    int64     `json:"version"` // grows with every move; guards against acting on an old reading
	Reason     Code      `json:"reason,omitempty"`
	Message    string    `json:"message,omitempty"`
	Held       string    `json:"held,omitempty"` // why a ready target waits although its wave is open; written by the store alone
	Approved   bool      `json:"approved,omitempty"`
	ChangeHash string    `json:"changeHash,omitempty"` // of what the last attempt was asked to do
	BaseCommit string    `json:"baseCommit,omitempty"`
	BaseTree   string    `json:"baseTree,omitempty"`
	ResultTree string    `json:"resultTree,omitempty"`
	DiffKey    string    `json:"diffKey,omitempty"` // record that holds the accepted, or best, diff
	Stat       DiffStat  `json:"stat"`
	Attempts   int       `json:"attempts"`
	Usage      Usage     `json:"usage"`
	Branch     string    `json:"branch,omitempty"`
	HeadCommit string    `json:"headCommit,omitempty"` // what Gaggle last pushed
	PullNumber int       `json:"pullNumber,omitempty"`
	PullURL    string    `json:"pullURL,omitempty"`
	Batch      int64     `json:"batch,omitempty"` // target in whose pull request the change is, with others' (its own where it leads); Alone: never again
	CreatedAt  time.Time `json:"createdAt"`
	UpdatedAt  time.Time `json:"updatedAt"`
}

// Alone is the Batch of a target whose change was taken out of a shared pull request.
const Alone = -1

// Follows reports whether the target's pull request is another target's, which leads it.
func (t Target) Follows() bool { return t.Batch > 0 && t.Batch != t.ID }

// Leads reports whether the target's pull request may hold other targets' changes, too.
func (t Target) Leads() bool { return t.Batch > 0 && t.Batch == t.ID }

// DiffStat counts a diff.
type DiffStat struct {
	Files   int `json:"files"`
	Added   int `json:"added"`   // lines
	Deleted int `json:"deleted"` // lines
}

// Attempt is one try at changing one target, with its cost and its records.
type Attempt struct {
	ID           int64     `json:"id"`
	Target       int64     `json:"target"`
	Number       int       `json:"number"` // 1-based within the target
	State        string    `json:"state"`  // running, done, lost
	Outcome      State     `json:"outcome,omitempty"`
	Reason       Code      `json:"reason,omitempty"`
	Message      string    `json:"message,omitempty"`
	Agent        string    `json:"agent"`
	AgentVersion string    `json:"agentVersion,omitempty"`
	BaseCommit   string    `json:"baseCommit"`
	Rounds       []Round   `json:"rounds,omitempty"`
	Usage        Usage     `json:"usage"`
	Remembered   bool      `json:"remembered,omitempty"` // the result was taken from an equal earlier attempt
	StartedAt    time.Time `json:"startedAt"`
	EndedAt      time.Time `json:"endedAt,omitzero"`
}

// Round is one turn of the loop agent -> verifiers -> guard -> judge.
type Round struct {
	Number     int       `json:"number"` // 1-based
	Summary    string    `json:"summary,omitempty"`
	Turns      int       `json:"turns,omitempty"`
	Report     *Report   `json:"report,omitempty"`
	Findings   []Finding `json:"findings,omitempty"`
	Verdict    *Verdict  `json:"verdict,omitempty"`
	Feedback   string    `json:"feedback,omitempty"` // what was handed back to the agent after this round
	Usage      Usage     `json:"usage"`
	DurationMS int64     `json:"durationMS"`
}

// CheckOutcome is what one verifier found.
type CheckOutcome string

// The outcomes of a verifier.
const (
	Passed        CheckOutcome = "passed"
	CheckFailed   CheckOutcome = "failed"
	FailedBefore  CheckOutcome = "failed_before"     // it fails on the base in the same way: not blamed on the change
	ToolchainGone CheckOutcome = "toolchain_missing" // neither a pass nor a failure
	TimedOut      CheckOutcome = "timed_out"
)

// Check is one verifier's result.
type Check struct {
	Verifier   string       `json:"verifier"` // such as "go test"
	Command    string       `json:"command"`
	Outcome    CheckOutcome `json:"outcome"`
	Lines      []string     `json:"lines"` // distilled: one line on success, under 60 on failure
	Failures   []Failure    `json:"failures,omitempty"`
	DurationMS int64        `json:"durationMS"`
}

// Failure is one thing that a verifier objects to, apart from the others, so that a failure that was there
// before a change is told from a new one.
type Failure struct {
	Key   string   `json:"key"`             // equal before and after a change that is not to blame: no line numbers, times or addresses
	Lines []string `json:"lines,omitempty"` // distilled; dropped once the report is compared with the base's
}

// Report is what all verifiers found.
type Report struct {
	Checks []Check `json:"checks"`
}

// OK reports whether no check failed because of the change. A missing toolchain is not a failure here; see Missing.
func (r Report) OK() bool {
	for _, c := range r.Checks {
		if c.Outcome == CheckFailed || c.Outcome == TimedOut {
			return false
		}
	}
	return true
}

// Missing lists the verifiers whose toolchain is not on this machine.
func (r Report) Missing() []string {
	var names []string
	for _, c := range r.Checks {
		if c.Outcome == ToolchainGone {
			names = append(names, c.Verifier)
		}
	}
	return names
}

// Finding is one objection of a guard.
type Finding struct {
	Rule    string `json:"rule"` // such as "test-deleted"; campaigns allow rules by this name
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"` // 1-based, on the new side where there is one
	Message string `json:"message"`
	Excerpt string `json:"excerpt,omitempty"`
}

// Verdict is the judge's answer.
type Verdict struct {
	Pass    bool     `json:"pass"`
	Reasons []string `json:"reasons,omitempty"` // can be handed back to the agent
	Outside []string `json:"outside,omitempty"` // hunks outside the prompt, as "file:line"
	Model   string   `json:"model,omitempty"`
	Chunks  int      `json:"chunks,omitempty"` // how many parts the diff was judged in
}
