package engine

import (
	"context"
	"fmt"

	"gaggle/internal/fleet"
	"gaggle/internal/gateway"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// ScopeCampaign is the scope under which a campaign's spend is kept.
func ScopeCampaign(name string) string { return "campaign:" + name }
func scopeTarget(id int64) string      { return fmt.Sprintf("target:%d", id) }
func scopeAttempt(id int64) string     { return fmt.Sprintf("attempt:%d", id) }

// budgets makes the attempt's budget below its target's and its campaign's. The campaign's is one for the whole
// process, because the attempts that run at once hold money back from each other.
func (e *Engine) meter(ctx context.Context, c *spec.Campaign, target, attempt int64) (gateway.Meter, error) {
	campaign, err := e.campaignBudget(ctx, c)
	if err != nil {
		return nil, err
	}
	spent, err := e.store.Spent(ctx, scopeTarget(target))
	if err != nil {
		return nil, err
	}
	perTarget := gateway.NewBudget(gateway.BudgetConfig{Name: "target", Key: "limits.targetCost", Limit: c.Limits.TargetCost, Spent: spent.Cost, Parent: campaign})
	return gateway.NewBudget(gateway.BudgetConfig{Name: "attempt", Key: "limits.cost", Limit: c.Limits.Cost, Parent: perTarget, Record: func(ctx context.Context, b gateway.Bill) error {
		return e.store.Charge(ctx, b.Cost, b.Tokens.Total(), ScopeCampaign(c.Metadata.Name), scopeTarget(target), scopeAttempt(attempt))
	}}), nil
}

func (e *Engine) campaignBudget(ctx context.Context, c *spec.Campaign) (*gateway.Budget, error) {
	name := c.Metadata.Name
	spent, err := e.store.Spent(ctx, ScopeCampaign(name))
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	b := e.budgets[name]
	if b == nil || b.Limit != c.Limits.CampaignCost {
		b = gateway.NewBudget(gateway.BudgetConfig{Name: "campaign", Key: "limits.campaignCost", Limit: c.Limits.CampaignCost, Spent: spent.Cost, Total: func(ctx context.Context) (fleet.Money, error) {
			all, err := e.store.Spent(ctx, ScopeCampaign(name)) // other workers spend it too
			return all.Cost, err
		}})
		e.budgets[name] = b
	}
	return b, nil
}

// replies keeps what models answer in one target's attempt, for as long as this worker holds it.
type replies struct {
	e      *Engine
	target int64
}

func (r replies) Find(ctx context.Context, key string) ([]byte, bool, error) {
	return r.e.store.Reply(ctx, r.target, key)
}

func (r replies) Keep(ctx context.Context, key string, kept []byte) error {
	return r.e.record(ctx, r.target, func(ctx context.Context, tx *store.Tx) error { return tx.KeepReply(ctx, r.target, key, kept) })
}

// memory is the attempts' memory, in the store.
type memory struct{ s *store.Store }

func (m memory) Recall(ctx context.Context, key string) (string, bool, error) {
	return m.s.Memo(ctx, key)
}

func (m memory) Remember(ctx context.Context, key, value string) error {
	return m.s.Tx(ctx, func(tx *store.Tx) error { return tx.Remember(ctx, key, value) })
}

func (m memory) Record(ctx context.Context, key string) ([]byte, error) {
	return m.s.GetRecord(ctx, key)
}
