package forge

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"gaggle/internal/fleet"
)

// Forge is one code host. Its methods may be called at once, and each may be called again after any failure,
// also one that came after it had done its work. Errors carry a code: not_found, conflict, merge_conflict,
// forge_rate_limit (see RetryAfter), forge_auth, forge_error, protected_branch, repository_gone.
type Forge interface {
	// Open returns the open pull request with that head branch, brought up to the spec, or makes it. The head
	// branch must have been pushed. It never makes a second open one.
	Open(ctx context.Context, spec PullSpec) (Pull, error)
	// Find returns the newest pull request with that head branch, whatever its state; not_found when there is none.
	Find(ctx context.Context, repo fleet.Repository, branch string) (Pull, error)
	// Get returns one pull request as it stands now.
	Get(ctx context.Context, repo fleet.Repository, number int) (Pull, error)
	// Close closes it without a merge, leaving a comment when one is given. One that is not open stays as it is.
	Close(ctx context.Context, repo fleet.Repository, number int, comment string) error
	// Merge merges it. One that is merged already is fine; one that is closed is a conflict. Where the host merges through
	// a queue, or once the checks have passed, it is told to, and the error has ErrQueued in its chain: nothing failed, but the
	// pull request is still open, and Queued until the host has merged it or has put it out of the queue.
	Merge(ctx context.Context, repo fleet.Repository, number int, spec MergeSpec) error
}

// PullSpec is what a pull request should be.
type PullSpec struct {
	Repo       fleet.Repository
	HeadBranch string // pushed before
	BaseBranch string // defaults to the repository's default branch
	Title      string
	Body       string
	Labels     []string // added to those that people gave
	Reviewers  []string // added to those that people asked
	Draft      bool     // counts when the pull request is made; people decide afterwards
}

// State is where a pull request stands.
type State string

// The states of a pull request.
const (
	StateOpen   State = "open"
	StateMerged State = "merged"
	StateClosed State = "closed"
)

// Pull is a pull request.
type Pull struct {
	Repository string    `json:"repository"`
	Number     int       `json:"number"`
	URL        string    `json:"url"`
	Title      string    `json:"title"`
	Body       string    `json:"body"`
	Labels     []string  `json:"labels,omitempty"`
	Reviewers  []string  `json:"reviewers,omitempty"`
	State      State     `json:"state"`
	Draft      bool      `json:"draft,omitempty"`
	HeadBranch string    `json:"headBranch"`
	HeadSHA    string    `json:"headSHA"`
	BaseBranch string    `json:"baseBranch"`
	MergeSHA   string    `json:"mergeSHA,omitempty"` // commit that the base branch came to stand at
	Author     string    `json:"author"`
	CreatedAt  time.Time `json:"createdAt"`
	UpdatedAt  time.Time `json:"updatedAt"`

	// Conflicts says that the host cannot merge it as it stands; false, too, where the host does not know yet.
	Conflicts bool `json:"conflicts,omitempty"`
	// Queued says that the host has been told to merge it and does so by itself when its turn comes; false, too, where the
	// host does not tell.
	Queued bool `json:"queued,omitempty"`
	// CI sums up the checks of the head where the host tells it together with the pull request; "" means: ask Checks.
	CI CheckState `json:"ci,omitempty"`
}

// Method is how a pull request is merged.
type Method string

// The methods of a merge. A host that forbids one answers not_supported.
const (
	MethodMerge  Method = "merge"
	MethodSquash Method = "squash"
	MethodRebase Method = "rebase"
)

// MergeSpec says how to merge.
type MergeSpec struct {
	Method     Method // defaults to MethodMerge
	ExpectHead string // commit that must be the head; another one is a conflict; "" for any
}

// Lister lists pull requests, newest first.
type Lister interface {
	// List yields those of one repository, or of all when repo is nil, in the given states, or in all when there
	// are none. An error beside a numbered Pull says that it is as it was last seen; any other ends the sequence.
	List(ctx context.Context, repo *fleet.Repository, states ...State) iter.Seq2[Pull, error]
}

// Comment is what somebody said on a pull request.
type Comment struct {
	Author    string    `json:"author"`
	Body      string    `json:"body"`
	CreatedAt time.Time `json:"createdAt"`
}

// Commenter reads and writes comments. Adding is not idempotent: look first.
type Commenter interface {
	AddComment(ctx context.Context, repo fleet.Repository, number int, body string) error
	Comments(ctx context.Context, repo fleet.Repository, number int) ([]Comment, error)
}

// PushTarget is a forge that takes branches at another URL than the repository's clone URL.
type PushTarget interface {
	// PushURL returns where to push, and makes that place ready for it.
	PushURL(ctx context.Context, repo fleet.Repository) (string, error)
}

// BranchDeleter removes a branch that stands at exactly a commit; one that is gone is fine.
type BranchDeleter interface {
	DeleteBranch(ctx context.Context, repo fleet.Repository, branch, expect string) error
}

// ErrUnsupported is in the chain of every error about something that this forge cannot do.
var ErrUnsupported = errors.New("not supported by this forge")

// Unsupported makes a not_supported error.
func Unsupported(what string) error {
	return &fleet.Error{Code: fleet.CodeUnsupported, Message: what, Err: ErrUnsupported}
}

// ErrQueued is in the chain of Merge's error when the host merges the pull request later, by itself.
var ErrQueued = errors.New("the host merges it when its turn comes")

// Queued makes the error about a pull request that the host merges later.
func Queued(number int, where string) error {
	return &fleet.Error{Code: fleet.CodeQueued, Message: fmt.Sprintf("pull request #%d is %s", number, where), Err: ErrQueued}
}

// RateLimit is in the chain of a forge_rate_limit error.
type RateLimit struct{ After time.Duration }

func (e *RateLimit) Error() string { return "asked to wait " + e.After.String() }

// RetryAfter returns how long the forge asked to wait; ok is false when it did not.
func RetryAfter(err error) (wait time.Duration, ok bool) {
	var r *RateLimit
	if errors.As(err, &r) {
		return r.After, true
	}
	return 0, false
}

// NotFound makes the error about a pull request that does not exist.
func NotFound(repo fleet.Repository, what string) error {
	return fleet.Errorf(fleet.CodeNotFound, "repository %s has no pull request %s", repo.Name, what)
}

// ErrPassing is in the chain of an error that a later try may get past: a host that failed or did not answer.
var ErrPassing = errors.New("the forge may answer later")

// Passing says whether the same call may succeed later, with nothing changed by the caller.
func Passing(err error) bool {
	var limit *RateLimit
	return errors.As(err, &limit) || errors.Is(err, ErrPassing)
}
