package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"gaggle/internal/attempt"
	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/gateway"
	"gaggle/internal/publish"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// Changer makes one attempt at changing one target. An error means that the machine is broken or the attempt was
// interrupted; what went wrong with the change itself is in the outcome.
type Changer interface {
	Attempt(ctx context.Context, order attempt.Order) (attempt.Outcome, error)
}

// Publisher turns a ready diff into a pull request, brings one up to date, or takes it back. All are idempotent: what
// is there already is found before anything is made.
type Publisher interface {
	Publish(ctx context.Context, p publish.Proposal) (publish.Published, error)
	Withdraw(ctx context.Context, w publish.Withdrawal) (publish.Withdrawn, error)
}

// Config is what an engine works with.
type Config struct {
	Store     *store.Store
	Changer   Changer
	Publisher Publisher
	// Forge finds a forge by the name that repositories carry.
	Forge func(name string) (forge.Forge, error)
	// Owners says what an owner's time allows. Defaults to everything at any time.
	Owners func(owner string) OwnerRules
	// Dependents counts the components that depend on one, directly or not. Defaults to none.
	Dependents func(ctx context.Context, component string) (int, error)
	// Reverted looks on the default branch, after a commit, for one whose message holds one of the signs; "" when there is
	// none. Defaults to not looking.
	Reverted func(ctx context.Context, repo fleet.Repository, after string, signs ...string) (string, error)
	// Conflicts says whether a diff can no longer be merged into the default branch. Forges say so while they have not found
	// out yet, too. Defaults to believing the forge.
	Conflicts func(ctx context.Context, repo fleet.Repository, diff []byte) (bool, error)
	// Tip reads the commit that a repository's default branch stands at. Defaults to not looking, so that nothing is refreshed.
	Tip func(ctx context.Context, repo fleet.Repository) (string, error)
	// Clean removes secrets from what came from a forge. Defaults to leaving texts as they are.
	Clean func(text string) string
	// Actor is written into events for what the engine does by itself. Defaults to "gaggle".
	Actor string
	// Parallel is how many attempts run at once in this process. Defaults to 2.
	Parallel int
	// Tick is how often waves and gates are looked at. Defaults to 100 milliseconds.
	Tick time.Duration
}

// Engine advances campaigns. Several engines, in one process or many, may work on one database.
type Engine struct {
	cfg     Config
	store   *store.Store
	worker  string
	mu      sync.Mutex
	loaded  map[string]*loaded // by campaign
	budgets map[string]*gateway.Budget
	running map[int64]context.CancelCauseFunc // by target
	said    map[string]string                 // by forge: its trouble, as campaigns were told of it last
	every   time.Duration                     // between passes; 0 for one pass
	eager   bool                              // passes ask after all, also after what was just opened
}

type loaded struct {
	version int64
	spec    *spec.Campaign
	merge   *spec.MergeRule // when auto merges, compiled when it is first asked
}

// New makes an engine.
func New(cfg Config) *Engine {
	if cfg.Actor == "" {
		cfg.Actor = "gaggle"
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = 2
	}
	if cfg.Tick <= 0 {
		cfg.Tick = 100 * time.Millisecond
	}
	return &Engine{cfg: cfg, store: cfg.Store, loaded: map[string]*loaded{}, budgets: map[string]*gateway.Budget{}, running: map[int64]context.CancelCauseFunc{}, said: map[string]string{}}
}

// Pause says why a run stopped before every target was at rest.
type Pause struct {
	Campaign string     `json:"campaign"`
	Code     fleet.Code `json:"code,omitempty"`
	Message  string     `json:"message"`
}

// Run works the campaigns until nothing is left that can be done without a person, another system or more time, and
// says for each what it waits for, if anything. It looks at the pull requests once. When ctx ends it stops in good order:
// attempts under way are taken back, to be resumed by the next Run.
func (e *Engine) Run(ctx context.Context, campaigns []string) ([]Pause, error) {
	return e.run(ctx, campaigns, 0)
}

// FollowOnce is Run that is there to follow: it also asks after pull requests that were just opened.
func (e *Engine) FollowOnce(ctx context.Context, campaigns []string) ([]Pause, error) {
	e.eager = true
	return e.run(ctx, campaigns, 0)
}

// Follow is Run that goes on until every target rests, and looks at the pull requests every so often.
func (e *Engine) Follow(ctx context.Context, campaigns []string, every time.Duration) ([]Pause, error) {
	return e.run(ctx, campaigns, every)
}

func (e *Engine) run(ctx context.Context, campaigns []string, every time.Duration) ([]Pause, error) {
	e.every, e.eager = every, e.eager || every > 0
	worker, err := e.store.Enlist(ctx)
	if err != nil {
		return nil, err
	}
	e.worker = worker
	defer func() {
		// Without this the next run would still find the worker dead, and do the same.
		_ = e.store.Discharge(context.WithoutCancel(ctx), worker)
	}()
	if _, err := e.store.Reap(ctx, e.worker, e.lost); err != nil {
		return nil, err
	}

	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	fail := func(err error) {
		if err != nil {
			stop(err)
		}
	}
	wg.Go(func() { fail(e.beat(work)) }) // a pass over many may take longer than a worker that is silent is taken to live
	if err := e.pass(work, campaigns); err != nil {
		fail(err)
	}
	var waits []Pause
	if work.Err() == nil {
		wg.Go(func() {
			fail(e.store.Work(work, store.WorkConfig{Worker: worker, Campaigns: campaigns, Attempts: e.cfg.Parallel, Steps: 2 * e.cfg.Parallel, Handle: e.reconcile}))
		})
		if every > 0 {
			wg.Go(func() { fail(e.followLoop(work, campaigns, every)) })
		}
		wg.Go(func() {
			w, err := e.steer(work, campaigns)
			waits = w
			if err == nil {
				err = errRested
			}
			fail(err)
		})
	}
	wg.Wait()
	switch cause := context.Cause(work); {
	case errors.Is(cause, errRested):
		return waits, nil
	case ctx.Err() != nil:
		return nil, &fleet.Error{Code: fleet.CodeInterrupted, Message: "stopped", Hint: "the same command resumes it; nothing is lost"}
	default:
		return nil, cause
	}
}

var errRested = errors.New("everything rests")

// beat shows that this worker lives, and finds others that died.
func (e *Engine) beat(ctx context.Context) error {
	t := time.NewTicker(store.BeatEvery)
	defer t.Stop()
	failing := time.Time{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		err := e.store.Beat(ctx, e.worker)
		if err == nil {
			_, err = e.store.Reap(ctx, e.worker, e.lost)
		}
		switch {
		case err == nil || ctx.Err() != nil:
			failing = time.Time{}
		case errors.Is(err, store.ErrFenced):
			return err
		case failing.IsZero():
			failing = time.Now()
		case time.Since(failing) > store.DeadAfter:
			return err // by now others take this worker for dead
		}
	}
}

// lost takes up a target whose worker died: the attempt is marked, the target queued again.
func (e *Engine) lost(ctx context.Context, tx *store.Tx, id int64) error {
	t, err := tx.Target(ctx, id)
	if err != nil {
		return err
	}
	if _, err := tx.LoseAttempts(ctx, id); err != nil {
		return err
	}
	switch t.State {
	case fleet.Changing:
		return tx.Move(ctx, &t, store.Move{To: fleet.Queued, Actor: e.cfg.Actor, Reason: fleet.CodeLost, Message: "its worker died; the attempt is taken up again", Next: &store.Job{Lane: store.LaneAttempts}})
	case fleet.Queued:
		return tx.Wake(ctx, store.Job{Target: id, Campaign: t.Campaign, Lane: store.LaneAttempts})
	case fleet.Ready, fleet.Proposed, fleet.Revising:
		return tx.Wake(ctx, store.Job{Target: id, Campaign: t.Campaign, Lane: store.LaneSteps})
	}
	return nil
}

// campaign reads a campaign and its file, parsed once a version.
func (e *Engine) campaign(ctx context.Context, name string) (store.Campaign, *spec.Campaign, error) {
	row, err := e.store.Campaign(ctx, name)
	if err != nil {
		return row, nil, err
	}
	c, err := e.specOf(row)
	return row, c, err
}

func (e *Engine) specOf(row store.Campaign) (*spec.Campaign, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l, ok := e.loaded[row.Name]; ok && l.version == row.Version {
		return l.spec, nil
	}
	var c spec.Campaign
	if err := json.Unmarshal([]byte(row.Spec), &c); err != nil {
		return nil, &fleet.Error{Code: fleet.CodeInternal, Message: fmt.Sprintf("the stored file of campaign %q cannot be read", row.Name), Err: err}
	}
	e.loaded[row.Name] = &loaded{version: row.Version, spec: &c}
	return &c, nil
}

func (e *Engine) clean(text string) string {
	if e.cfg.Clean == nil {
		return text
	}
	return e.cfg.Clean(text)
}
