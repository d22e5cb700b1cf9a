package simulator

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gaggle/internal/forge/dice"
	"gaggle/internal/git"
)

// Host is what all vendors have: repositories and pull requests.
type Host struct {
	git *git.Store
	cfg Config

	mu     sync.Mutex // held while a request is served
	repos  map[string]*Repo
	moved  map[string]string // old slug to new
	nextID int
	calls  map[string]int
	dice   *dice.Dice[outcome]

	answers map[string]bool // see once
	people  map[int]string  // by number, where the vendor has such
}

// Config is how the host behaves.
type Config struct {
	Git       *git.Store
	OrgLabels []string      // labels of every organisation, where the vendor has such
	Token     string        // defaults to "token"
	PageCap   int           // most that a page holds, whatever is asked; defaults to 50
	Delay     time.Duration // before each answer
	Seed      uint64
	Faults    Faults
}

// Repo is one repository. Its fields may be set before the host serves.
type Repo struct {
	ID         int
	Slug       string
	Path       string // bare repository
	Default    string
	Archived   bool
	Fork       bool
	Visibility string
	Topics     []string
	Size       int64    // kilobytes
	Labels     []string // the repository's own; defined at first use where the vendor does so
	Protected  bool     // merges are refused
	Refuses    []string // ways to merge that a policy does not allow, in the vendor's words
	Queue      bool     // merges go through a queue; Drain merges what is in it
	MustPass   bool     // merges wait for the checks
	Checks     []Check
	Deploys    []Deploy

	Lesser        bool              // Self may write, and not administer
	Person        bool              // the owner is a person, not an organisation
	Teams         []Team            // of the organisation, that have to do with it
	Collaborators map[string]string // by name, what they may do

	pulls   []*Pull
	updated time.Time // when somebody was last seen to have pushed
}

// Deploy is a deployment of a commit, in the vendor's words.
type Deploy struct {
	Commit, Environment, State string
	Release                    bool // by a release, where the vendor has such beside pipelines
	Attempt                    int
}

// Pull is a pull request.
type Pull struct {
	ID, Number                    int
	Title, Body, State            string // open, closed, merged
	Labels, Reviewers             []string
	Draft                         bool
	Head, HeadSHA, Base, MergeSHA string
	Author                        string
	Created, Updated              time.Time
	Comments                      []Comment

	repo  *Repo
	seen  string
	base  string // where the base branch stands
	queue bool   // to be merged by Drain
	dirty bool   // known to conflict with its base
	asked int    // how often anybody wanted to know since a branch moved
}

// Comment is what somebody said.
type Comment struct {
	ID           int
	Author, Body string
	MayWrite     bool
	At           time.Time
	Verdict      string // approved, changes_requested: it is a review
	Official     bool   // the review counts
	File         string // it is about a line
	Line         int
}

// The ways in which the host refuses.
var (
	errMissing   = errors.New("missing")
	errNothing   = errors.New("nothing to merge")
	errExists    = errors.New("exists")
	errDraft     = errors.New("draft")
	errClosed    = errors.New("closed")
	errHead      = errors.New("head moved")
	errConflict  = errors.New("conflict")
	errProtected = errors.New("protected")
	errChecks    = errors.New("checks have not passed")
)

// known are the users that the tests ask to review.
var known = []string{"ann", "bob", "cyd"}

// Self is the login behind the token.
const Self = "gaggle-bot"

// NewHost makes an empty host.
func NewHost(cfg Config) *Host {
	if cfg.Token == "" {
		cfg.Token = "token"
	}
	if cfg.PageCap == 0 {
		cfg.PageCap = 50
	}
	return &Host{git: cfg.Git, cfg: cfg, repos: map[string]*Repo{}, moved: map[string]string{}, calls: map[string]int{}, answers: map[string]bool{}, people: map[int]string{}, dice: newDice(cfg.Seed, cfg.Faults)}
}

// Token has the host want another token.
func (h *Host) Token(token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cfg.Token = token
}

// Add puts a repository on the host.
func (h *Host) Add(r Repo) *Repo {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nextID++
	r.ID = h.nextID
	if r.Default == "" {
		r.Default = "main"
	}
	if r.Visibility == "" {
		r.Visibility = "private"
	}
	h.repos[strings.ToLower(r.Slug)] = &r
	return &r
}

// Seed has the host's faults fall in another way from now on.
func (h *Host) Seed(seed uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dice = newDice(seed, h.cfg.Faults)
}

// Rename moves a repository; the old name redirects.
func (h *Host) Rename(from, to string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.repos[strings.ToLower(from)]
	delete(h.repos, strings.ToLower(from))
	r.Slug = to
	h.repos[strings.ToLower(to)] = r
	h.moved[strings.ToLower(from)] = to
}

// Remove takes a repository away.
func (h *Host) Remove(slug string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.repos, strings.ToLower(slug))
	maps.DeleteFunc(h.moved, func(_, to string) bool { return strings.EqualFold(to, slug) })
}

// With looks at or changes a repository while nobody is served.
func (h *Host) With(slug string, do func(*Repo)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	do(h.repos[strings.ToLower(slug)])
}

// Look looks at or changes a pull request while nobody is served.
func (h *Host) Look(slug string, number int, do func(*Pull)) {
	h.With(slug, func(r *Repo) {
		p := r.pulls[number-1]
		_ = h.look(context.Background(), p)
		do(p)
	})
}

// Say adds a comment or a review.
func (h *Host) Say(slug string, number int, c Comment) {
	h.With(slug, func(r *Repo) {
		h.nextID++
		c.ID = h.nextID
		p := r.pulls[number-1]
		p.Comments = append(p.Comments, c)
		p.Updated = time.Now().UTC()
	})
}

// Pages sets the most that a page holds.
func (h *Host) Pages(most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cfg.PageCap = most
}

// Drain has the host merge what is queued and ready, and throw out what conflicts.
func (h *Host) Drain(ctx context.Context, slug string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.repos[strings.ToLower(slug)].pulls {
		if err := h.look(ctx, p); err != nil {
			return err
		}
		if p.State != "open" || !p.queue {
			continue
		}
		switch err := h.merge(ctx, p, "merge", ""); {
		case errors.Is(err, errConflict):
			p.queue, p.Updated = false, time.Now().UTC()
		case err != nil && !errors.Is(err, errChecks):
			return err
		}
	}
	return nil
}

// Slow sets how long each answer takes.
func (h *Host) Slow(delay time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cfg.Delay = delay
}

// Calls counts requests by "METHOD /path/pattern"; "" is all.
func (h *Host) Calls(pattern string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls[pattern]
}

// Pulls is how many pull requests of a repository are open, and how many there are.
func (h *Host) Pulls(slug string) (open, all int) {
	h.With(slug, func(r *Repo) {
		for _, p := range r.pulls {
			if p.State == "open" {
				open++
			}
		}
		all = len(r.pulls)
	})
	return open, all
}

func (h *Host) owned(owner string) []*Repo {
	var list []*Repo
	for _, r := range h.repos {
		if strings.HasPrefix(strings.ToLower(r.Slug), strings.ToLower(owner)+"/") {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *Repo) int { return a.ID - b.ID })
	return list
}

func (h *Host) pull(ctx context.Context, r *Repo, number int) (*Pull, error) {
	if number < 1 || number > len(r.pulls) {
		return nil, errMissing
	}
	p := r.pulls[number-1]
	return p, h.look(ctx, p)
}

// list yields the pull requests that a filter takes, newest first.
func (h *Host) list(ctx context.Context, r *Repo, take func(*Pull) bool) ([]*Pull, error) {
	var out []*Pull
	for _, p := range slices.Backward(r.pulls) {
		if err := h.look(ctx, p); err != nil {
			return nil, err
		}
		if take(p) {
			out = append(out, p)
		}
	}
	return out, nil
}

func (h *Host) tips(ctx context.Context, r *Repo, branches ...string) ([]string, *git.Hosted, error) {
	repo, err := h.git.Hosted(r.Path)
	if err != nil {
		return nil, nil, err
	}
	var out []string
	for _, b := range branches {
		sha, err := repo.Branch(ctx, b)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, sha)
	}
	return out, repo, nil
}
