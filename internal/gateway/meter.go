package gateway

import (
	"context"
	"math"
	"sync"

	"gaggle/internal/fleet"
	"gaggle/internal/policy"
)

// Meter holds the money. A Session asks it before each request that costs and settles after its reply.
type Meter interface {
	// Before holds back what the request may come to, or refuses with an error of code budget. It may wait for requests
	// in flight to settle, until ctx ends. It may be called by several goroutines at once.
	Before(ctx context.Context, ask Ask) (Hold, error)
}

// Hold is money held back for one request. After is called exactly once, also when the request failed and cost nothing;
// its context outlives the request. An error of it closes the session for further requests: what was spent could not be
// recorded.
type Hold interface {
	After(ctx context.Context, bill Bill) error
}

// Ask is a request about to be sent.
type Ask struct {
	Model     string
	MaxOutput int64       // tokens
	Most      fleet.Money // the most that its reply can cost
}

// Bill is what a request came to.
type Bill struct {
	Model     string
	Tokens    fleet.Tokens
	Cost      fleet.Money
	Estimated bool // the provider did not say, or not believably
	Nothing   bool // the request was not answered and is not charged
}

// NoLimit is a limit that is never reached.
const NoLimit fleet.Money = math.MaxInt64

// BudgetConfig describes one level of limits.
type BudgetConfig struct {
	Name   string      // what people call it: "campaign", "target", "attempt"
	Key    string      // where the limit is set, such as "limits.cost"; "" when it is set nowhere
	Limit  fleet.Money // NoLimit for none; 0 lets nothing through that costs
	Spent  fleet.Money // what was spent before
	Parent *Budget     // the level above, which is held to as well; nil at the top

	// Total says what was spent under this limit so far, by everybody, where several processes share it. It is asked before
	// each request that costs. nil when this process is the only one. Processes do not hold money back from each other, so
	// the limit is then exceeded by less than one reply a process.
	Total func(ctx context.Context) (fleet.Money, error)

	// Record is told of each bill of this very level, once it is charged here and above. It is called by one goroutine
	// at a time for each Budget. nil when nobody keeps it.
	Record func(ctx context.Context, bill Bill) error
}

// Budget is a Meter: one limit, and those above it. What a request may cost at most is held back on every level; when
// that does not fit, the request waits for those in flight, and when none is in flight it goes alone. So the money
// spent at a level exceeds its limit by less than one reply.
type Budget struct {
	BudgetConfig
	tree   *tree
	spent  fleet.Money
	held   fleet.Money
	flying int
	record sync.Mutex
}

// tree is what the levels of one top share.
type tree struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced when something settles
}

// NewBudget makes a level of limits.
func NewBudget(c BudgetConfig) *Budget {
	b := &Budget{BudgetConfig: c, spent: c.Spent}
	if c.Parent != nil {
		b.tree = c.Parent.tree
	} else {
		b.tree = &tree{changed: make(chan struct{})}
	}
	return b
}

// Spent returns what was spent at this level, below it included.
func (b *Budget) Spent() fleet.Money {
	b.tree.mu.Lock()
	defer b.tree.mu.Unlock()
	return b.spent
}

// Left returns what may still be spent, at this level and at all above; never negative.
func (b *Budget) Left() fleet.Money {
	b.tree.mu.Lock()
	defer b.tree.mu.Unlock()
	left := NoLimit
	for ; b != nil; b = b.Parent {
		left = min(left, max(0, b.Limit-b.spent))
	}
	return left
}

// Before implements Meter.
func (b *Budget) Before(ctx context.Context, ask Ask) (Hold, error) {
	if ask.Most <= 0 {
		return &held{budget: b}, nil
	}
	for {
		if err := b.refresh(ctx); err != nil {
			return nil, err
		}
		b.tree.mu.Lock()
		wait, err := b.fits(ask.Most)
		if err == nil && !wait {
			for l := b; l != nil; l = l.Parent {
				l.held += ask.Most
				l.flying++
			}
		}
		changed := b.tree.changed
		b.tree.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if !wait {
			return &held{b, ask.Most}, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, &fleet.Error{Code: fleet.CodeInterrupted, Message: "a request stopped waiting for others under the same budget", Err: ctx.Err()}
		}
	}
}

// refresh takes in what other processes spent.
func (b *Budget) refresh(ctx context.Context) error {
	for l := b; l != nil; l = l.Parent {
		if l.Total == nil {
			continue
		}
		total, err := l.Total(ctx)
		if err != nil {
			return err
		}
		l.tree.mu.Lock()
		l.spent = max(l.spent, total)
		l.tree.mu.Unlock()
	}
	return nil
}

// fits decides about a request; the tree is locked.
func (b *Budget) fits(most fleet.Money) (wait bool, err error) {
	for l := b; l != nil; l = l.Parent {
		switch {
		case l.Limit == NoLimit:
		case l.spent >= l.Limit:
			return false, policy.Refusal(policy.Level{Name: l.Name, Key: l.Key, Limit: l.Limit, Spent: l.spent})
		case l.spent+l.held+most > l.Limit && l.flying > 0:
			wait = true
		}
	}
	return wait, nil
}

type held struct {
	budget *Budget
	most   fleet.Money
}

// After implements Hold.
func (h *held) After(ctx context.Context, bill Bill) error {
	t := h.budget.tree
	t.mu.Lock()
	for l := h.budget; l != nil; l = l.Parent {
		if h.most > 0 {
			l.held -= h.most
			l.flying--
		}
		l.spent += bill.Cost
	}
	close(t.changed)
	t.changed = make(chan struct{})
	t.mu.Unlock()
	if h.budget.Record == nil || bill.Nothing {
		return nil
	}
	h.budget.record.Lock()
	defer h.budget.record.Unlock()
	return h.budget.Record(ctx, bill)
}
