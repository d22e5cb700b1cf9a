package fleet

import "time"

// Follow is what is known, and was done, about a target's pull request since it was opened. It is a memory, not a truth:
// the forge has that, and is asked again whenever something depends on it.
type Follow struct {
	Target   int64     `json:"target"`
	Campaign string    `json:"campaign"`
	CI       string    `json:"ci,omitempty"`     // pending, passed, failed, before (fails, as on the base), none; "" while nobody has asked
	Deploy   string    `json:"deploy,omitempty"` // pending, success, failure; "" while there was no deployment
	Reverted bool      `json:"reverted,omitempty"`
	Touched  bool      `json:"touched,omitempty"` // a person's commit stands on the branch: it is theirs now
	OpenedAt time.Time `json:"openedAt,omitzero"`
	MergedAt time.Time `json:"mergedAt,omitzero"`
	MergedBy string    `json:"mergedBy,omitempty"` // people, approved or auto: the last two are Gaggle's, by its policy

	Head      string    `json:"head,omitempty"`      // commit that CI, and LookedAt, are about
	Base      string    `json:"base,omitempty"`      // commit that the branch starts from
	LookedAt  time.Time `json:"lookedAt,omitzero"`   // when more than the pull request itself was last read
	LookAgain time.Time `json:"lookAgain,omitzero"`  // when it is due again without a sign
	Changed   time.Time `json:"changed,omitzero"`    // the forge's own time of the last change that was seen
	Updated   time.Time `json:"updated,omitzero"`    // the same, once everything up to then was taken in: forges tell seconds
	HeardAt   time.Time `json:"heardAt,omitzero"`    // what people said up to then was taken in
	Heard     []string  `json:"heard,omitempty"`     // remarks taken in, newest last
	Revisions int       `json:"revisions,omitempty"` // begun because of CI or reviewers
	Reruns    []string  `json:"reruns,omitempty"`    // checks of Head that were run once more
	Flaky     []string  `json:"flaky,omitempty"`     // checks that passed when they were run once more
	Asked     string    `json:"asked,omitempty"`     // why a person has to go on; "" while Gaggle does
	HandsOff  string    `json:"handsOff,omitempty"`  // who told Gaggle to leave the pull request alone
	Reminded  time.Time `json:"reminded,omitzero"`   // when the reviewers were reminded of it
	Refreshed time.Time `json:"refreshed,omitzero"`  // when it was brought up to the base because it rested
	ActiveAt  time.Time `json:"activeAt,omitzero"`   // when something last happened on it
	MergeSHA  string    `json:"mergeSHA,omitempty"`  // commit that it was merged as
	Task      *Revision `json:"task,omitempty"`      // the revision under way
	Tried     []string  `json:"tried,omitempty"`     // a line for each revision that was made
	Asks      []Asked   `json:"asks,omitempty"`      // remarks that ask for something and wait to be taken up
	With      []int64   `json:"with,omitempty"`      // targets whose changes the pull request holds besides its own, as it was pushed last
	Approvals []string  `json:"approvals,omitempty"` // people with write access who approved, and have not taken it back
	Objectors []string  `json:"objectors,omitempty"` // people with write access who ask for changes
}

// Revision is why an attempt at an open pull request is made, and what was said.
type Revision struct {
	Kind     string `json:"kind"`               // ci, review, base, retry, split
	Feedback string `json:"feedback,omitempty"` // for the agent
	Replies  []Said `json:"replies,omitempty"`  // remarks that get an answer
	Push     bool   `json:"push,omitempty"`     // the attempt is done, and its diff waits to be pushed
	Summary  string `json:"summary,omitempty"`  // what the agent says it did

	Unchanged bool `json:"unchanged,omitempty"` // the attempt led to nothing that could be pushed
}

// Said is a remark that gets an answer.
type Said struct {
	ID     string `json:"id"`
	Author string `json:"author"`
	Body   string `json:"body"` // its beginning
}

// Asked is a remark that asks for something.
type Asked struct {
	ID     string `json:"id"`
	Author string `json:"author"`
	Body   string `json:"body"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"` // 1-based
}

// The kinds of a Revision.
const (
	ReviseCI     = "ci"     // the forge's checks failed
	ReviseReview = "review" // people with write access asked for something
	ReviseBase   = "base"   // the base moved in the way of the change
	ReviseSplit  = "split"  // other changes leave the pull request; no attempt is made
	ReviseRetry  = "retry"  // a person asked for another try from the start
)
