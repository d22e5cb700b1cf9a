package spec

import (
	"encoding/json"
	"regexp"
	"time"

	"gaggle/internal/fleet"
)

// Campaign is one change rolled out over many targets, with every default applied. It survives a round trip through
// JSON, scripts included, so a campaign that runs does not depend on its file any more.
type Campaign struct {
	Metadata    Metadata    `json:"metadata"`
	Select      Select      `json:"select"`
	Change      Change      `json:"change"`
	Verify      Verify      `json:"verify"`
	Guard       Guard       `json:"guard"`
	Judge       Judge       `json:"judge"`
	Limits      Limits      `json:"limits"`
	PullRequest PullRequest `json:"pullRequest"`
	Merge       Merge       `json:"merge"`
	Rollout     Rollout     `json:"rollout"`

	File string `json:"file,omitempty"` // as given to Parse
	Raw  []byte `json:"raw,omitempty"`  // the file as it was read
}

// Metadata says what the campaign is called and whose it is.
type Metadata struct {
	Name        string `json:"name"`            // lower case letters, digits and dashes: it names branches
	Owner       string `json:"owner,omitempty"` // entity reference such as "group:default/platform"
	Description string `json:"description,omitempty"`
}

// Select says which components the campaign concerns: those that Where, Contains and Files all agree on (those of
// the three that are written), and those that Include names; without those that Exclude names or whose repository opted out.
type Select struct {
	Where    string   `json:"where,omitempty"` // CEL; see CompileWhere. "" when it does not restrict
	Contains Contains `json:"contains,omitzero"`
	Files    []string `json:"files,omitempty"`   // globs: the component holds at least one such file
	Include  []string `json:"include,omitempty"` // component references in full, "component:default/name"
	Exclude  []string `json:"exclude,omitempty"`
}

// Searches reports whether Where, Contains or Files is written. When none is, Include alone decides.
func (s Select) Searches() bool {
	return s.Where != "" || s.Contains.Pattern != "" || len(s.Files) > 0
}

// Contains asks for content on the default branch. It restricts nothing when Pattern is "".
//
// The pattern is searched in whole files: ^ and $ stand for the ends of lines, . for anything but a line's end.
type Contains struct {
	Pattern string   `json:"pattern,omitempty"` // see Regexp; it never matches the empty text
	Paths   []string `json:"paths,omitempty"`   // globs of the files to look in; Select.Files when not written; none means all
}

// Regexp compiles the pattern as it is meant, or returns nil when there is none.
func (c Contains) Regexp() (*regexp.Regexp, error) {
	if c.Pattern == "" {
		return nil, nil
	}
	return regexp.Compile("(?m:" + c.Pattern + ")")
}

// Agents that Change.Agent may name.
const (
	AgentNative = "native"
	AgentClaude = "claude"
	AgentScript = "script"
	AgentRevert = "revert" // no file names it: Change.Reverts does the change
)

// Change says what is to be done to each target.
type Change struct {
	Prompt string            `json:"prompt,omitempty"` // "" only for a script
	Agent  string            `json:"agent"`
	Model  string            `json:"model,omitempty"` // "" leaves it to the machine's settings
	Script Script            `json:"script,omitzero"`
	Paths  []string          `json:"paths"`         // globs as package guard reads them: relative to the component, "/x" from the repository's root, "!x" takes away
	Env    map[string]string `json:"env,omitempty"` // plain values for the agent and the verifiers
	// Reverts names the campaign whose merged changes this one takes back; "" for any other change. No file sets it.
	Reverts string   `json:"reverts,omitempty"`
	Egress  []string `json:"egress,omitempty"` // hosts that the agent and the verifiers may reach, such as "*.example.com"
}

// Script is the program of the script agent: a file beside the campaign file, or text written inside it.
type Script struct {
	Path    string `json:"path,omitempty"` // as written, cleaned, relative to the campaign file; "" when it stood inline
	Content []byte `json:"content,omitempty"`
}

// Verify says what decides mechanically whether the result is sound.
type Verify struct {
	Auto    bool          `json:"auto"` // by what the component contains
	Run     []string      `json:"run,omitempty"`
	Timeout time.Duration `json:"timeout"` // of one verifier
}

// Guard says which of the guard's rules this campaign is allowed to break.
type Guard struct {
	Allow []string `json:"allow,omitempty"`
}

// Modes of the judge.
const (
	JudgeEnforce = "enforce"
	JudgeAdvise  = "advise"
	JudgeOff     = "off"
)

// Judge says how an independent model looks at each diff.
type Judge struct {
	Mode   string `json:"mode"`
	Model  string `json:"model,omitempty"`
	Prompt string `json:"prompt,omitempty"` // what the judge should also look at
}

// Limits bounds one attempt, one target and the whole campaign.
type Limits struct {
	Rounds       int           `json:"rounds"`   // of one attempt: agent, verifiers, guard, judge
	Turns        int           `json:"turns"`    // of the agent in one round
	Wall         time.Duration `json:"minutes"`  // of one attempt
	Attempts     int           `json:"attempts"` // of one target, when the fault was not the change's
	Cost         fleet.Money   `json:"cost"`     // of one attempt
	TargetCost   fleet.Money   `json:"targetCost"`
	CampaignCost fleet.Money   `json:"campaignCost"`
	Memory       int64         `json:"memory"`             // bytes, of one sandbox
	Parallel     int           `json:"parallel,omitempty"` // targets at once; 0 leaves it to the machine
}

// PullRequest says how the result is proposed.
type PullRequest struct {
	Title     string   `json:"title"`
	Body      string   `json:"body,omitempty"`
	Labels    []string `json:"labels,omitempty"`
	Reviewers []string `json:"reviewers,omitempty"`
	Draft     bool     `json:"draft"`

	AskOwner    bool          `json:"askOwner,omitempty"`
	Issue       string        `json:"issue,omitempty"`
	Batch       string        `json:"batch,omitempty"` // changes of one repository and owner share a pull request with those of this name; "" for one each
	Revisions   int           `json:"revisions"`
	RemindAfter time.Duration `json:"remindAfter"`
	CloseAfter  time.Duration `json:"closeAfter,omitempty"` // 0 for never
}

// Policies of merging.
const (
	MergeNever    = "never"
	MergeApproved = "approved"
	MergeAuto     = "auto"
)

// DefaultMergeWhen is what Merge.When means when it is not written.
const DefaultMergeWhen = `verdict == "pass" && checks == "passed" && findings == 0`

// Merge says who merges a pull request, and when.
type Merge struct {
	Policy   string  `json:"policy"`
	When     string  `json:"when,omitempty"` // CEL; see DefaultMergeWhen
	Evidence float64 `json:"evidence"`
	Method   string  `json:"method"`
}

// What Rollout.Approval may ask for.
const (
	ApprovalNone   = "none"
	ApprovalWave   = "wave"
	ApprovalTarget = "target"
)

// What Rollout.Order may be.
const (
	OrderSpread = "spread"
	OrderRisk   = "risk"
)

// Rollout says in which order and under which conditions targets are taken on.
type Rollout struct {
	Waves    []Wave `json:"waves"`
	Order    string `json:"order"` // of the targets that numbers and percentages take
	Gate     Gate   `json:"gate"`
	Approval string `json:"approval"`
	Schedule string `json:"schedule,omitempty"` // see ParseSchedule; "" for never
	Priority int    `json:"priority"`           // -100 to 100
}

// Title is what people call the wave at an index: its name or its cohort, "" for its number alone.
func (r Rollout) Title(wave int) string {
	if wave < 0 || wave >= len(r.Waves) {
		return ""
	}
	return r.Waves[wave].Title()
}

// Gate is the condition that opens the next wave: a share of the targets that count in the wave before. What each
// share counts is package rollout's to say.
type Gate struct {
	Merged    float64       `json:"merged"`
	MinMerged int           `json:"minMerged"`
	Success   float64       `json:"success"`
	Checks    float64       `json:"checks"`
	Vetoed    float64       `json:"vetoed"`
	Reverted  float64       `json:"reverted"`
	Deployed  float64       `json:"deployed"`
	Soak      time.Duration `json:"soak"`
}

// UnmarshalJSON reads a gate. One that was stored before there was a limit on vetoes has none.
func (g *Gate) UnmarshalJSON(data []byte) error {
	type plain Gate
	read := plain{Vetoed: 1}
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	*g = Gate(read)
	return nil
}
