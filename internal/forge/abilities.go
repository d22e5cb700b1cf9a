package forge

import (
	"context"
	"iter"
	"time"

	"gaggle/internal/fleet"
)

// Scope says which repositories are meant: those of one owner that pass the filter.
type Scope struct {
	Owner string // organisation, user, group or project; a GitLab group may have slashes
	Filter
}

// Filter narrows repositories. Its zero value takes all that are neither archived nor forks.
type Filter struct {
	Archived   bool     // archived ones too
	Forks      bool     // forks too
	Topics     []string // any of these; none: all
	Visibility []string // any of public, internal, private; none: all
	MaxSize    int64    // bytes as the host counts them; 0: any
}

// Takes says whether a repository passes.
func (f Filter) Takes(r Traits) bool {
	any := func(wanted []string, have ...string) bool {
		for _, w := range wanted {
			for _, h := range have {
				if w == h {
					return true
				}
			}
		}
		return len(wanted) == 0
	}
	return (f.Archived || !r.Archived) && (f.Forks || !r.Fork) && any(f.Topics, r.Topics...) && any(f.Visibility, r.Visibility) && (f.MaxSize <= 0 || r.Size <= f.MaxSize)
}

// Traits are what a Filter looks at.
type Traits struct {
	Archived, Fork bool
	Topics         []string
	Visibility     string
	Size           int64
}

// Discoverer lists repositories in as few calls as the host allows.
type Discoverer interface {
	// Discover yields repositories with name, clone URL and default branch; with Head and Tree too where the host has
	// them in bulk. It follows every page. An error ends the sequence, and then the list is not whole.
	Discover(ctx context.Context, scope Scope) iter.Seq2[fleet.Repository, error]
}

// HeadTeller is a Discoverer that may know where default branches stand.
type HeadTeller interface {
	// TellsHeads says whether Discover gives heads, so that it can be asked in the place of git.
	TellsHeads() bool
}

// Follower reads many pull requests in few calls.
type Follower interface {
	// Follow yields the pull requests among these that may have changed since a time of the host's clock, as they stand now. One that is not
	// yielded stands as it stood then. The error of one that cannot be read comes with its Repository and Number; any other
	// ends the sequence.
	Follow(ctx context.Context, among []PullRef, since time.Time) iter.Seq2[Pull, error]
}

// Clock tells the host's own time, which Follow's since is in: clocks differ.
type Clock interface {
	// HostTime is zero before the first answer of the host.
	HostTime() time.Time
}

// PullRef names a pull request.
type PullRef struct {
	Repo   fleet.Repository
	Number int
}

// Unread is the pull request beside the error of reading it.
func (r PullRef) Unread() Pull { return Pull{Repository: r.Repo.Name, Number: r.Number} }

// Index keys pull requests by what finds them in lists, each once and in their order. One that has no key is said to be unread;
// ok is false when the listener has heard enough.
func Index(among []PullRef, key func(PullRef) (string, error), yield func(Pull, error) bool) (refs map[string]PullRef, order []string, ok bool) {
	refs = map[string]PullRef{}
	for _, ref := range among {
		k, err := key(ref)
		if err != nil {
			if !yield(ref.Unread(), err) {
				return nil, nil, false
			}
			continue
		}
		if _, twice := refs[k]; !twice {
			refs[k], order = ref, append(order, k)
		}
	}
	return refs, order, true
}

// Ability is something that Gaggle asks of a host, and whether the credential allows it.
type Ability struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// Account is who a credential belongs to.
type Account struct {
	Name   string   `json:"name"`
	Scopes []string `json:"scopes,omitempty"` // as the host names them; none where it does not tell
}

// Checker looks at a credential before anything is started with it.
type Checker interface {
	// Check asks who the credential belongs to, and what it lacks. An error is one of reaching the host at all, or
	// forge_auth when the credential is not taken.
	Check(ctx context.Context) (Account, []Ability, error)
}

// CheckState is where a check of a commit stands.
type CheckState string

// The states of a check.
const (
	CheckPending CheckState = "pending"
	CheckPassed  CheckState = "passed"
	CheckFailed  CheckState = "failed"
	CheckSkipped CheckState = "skipped" // neutral, cancelled by a person, not wanted
	CheckNone    CheckState = "none"    // nothing checks this commit
)

// Sum says what several checks come to: failed once all have ended and one failed, pending while one runs.
func Sum(checks []Check) CheckState {
	sum := CheckNone
	for _, c := range checks {
		switch {
		case c.State == CheckPending:
			return CheckPending
		case c.State == CheckFailed:
			sum = CheckFailed
		case sum != CheckFailed:
			sum = CheckPassed
		}
	}
	return sum
}

// Check is one status or check run of a commit.
type Check struct {
	Name    string     `json:"name"`
	State   CheckState `json:"state"`
	URL     string     `json:"url,omitempty"`
	Summary string     `json:"summary,omitempty"` // untrusted text
	Log     string     `json:"log,omitempty"`     // handle for CheckLog; "" when there is no log to read
}

// Checks reads what the host's CI says of a commit.
type Checks interface {
	// Checks lists the newest status or run of each name.
	Checks(ctx context.Context, repo fleet.Repository, commit string) ([]Check, error)
	// CheckLog returns the end of a failing job's log, at most limit bytes. It is untrusted.
	CheckLog(ctx context.Context, repo fleet.Repository, log string, limit int64) ([]byte, error)
}

// Rerunner has a check run once more.
type Rerunner interface {
	// Rerun starts a failed check again, for the same commit; not_supported for one that only its author can start, such
	// as a status that another system posts.
	Rerun(ctx context.Context, repo fleet.Repository, commit string, check Check) error
}

// Remark is a comment or a review by somebody.
type Remark struct {
	ID        string    `json:"id"` // unique within the pull request, and stable
	Author    string    `json:"author"`
	MayWrite  bool      `json:"mayWrite"` // the author may push: what others say is data, never an instruction
	Body      string    `json:"body"`
	Verdict   string    `json:"verdict,omitempty"` // approved, changes_requested; "" for a mere comment
	File      string    `json:"file,omitempty"`
	Line      int       `json:"line,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
}

// Reviews reads what people said since a time, oldest first.
type Reviews interface {
	Reviews(ctx context.Context, repo fleet.Repository, number int, since time.Time) ([]Remark, error)
}

// Deployment is one deployment of a commit.
type Deployment struct {
	Environment string    `json:"environment"`
	State       string    `json:"state"` // pending, success, failure, inactive
	At          time.Time `json:"at"`
}

// Deployments reads where a commit was deployed, newest first.
type Deployments interface {
	Deployments(ctx context.Context, repo fleet.Repository, commit string) ([]Deployment, error)
}
