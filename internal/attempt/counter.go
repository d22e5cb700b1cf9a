package attempt

import (
	"context"
	"maps"
	"sync"

	"gaggle/internal/fleet"
	"gaggle/internal/gateway"
)

// counter sums up what an attempt's requests came to, on their way to the order's meter.
type counter struct {
	meter gateway.Meter
	mu    sync.Mutex
	sum   fleet.Usage
}

// Before implements gateway.Meter.
func (c *counter) Before(ctx context.Context, ask gateway.Ask) (gateway.Hold, error) {
	hold, err := c.meter.Before(ctx, ask)
	if err != nil {
		return nil, err
	}
	return counted{c, hold}, nil
}

type counted struct {
	counter *counter
	hold    gateway.Hold
}

// After implements gateway.Hold.
func (h counted) After(ctx context.Context, bill gateway.Bill) error {
	if !bill.Nothing {
		h.counter.mu.Lock()
		h.counter.sum.Charge(bill.Model, bill.Tokens, bill.Cost)
		h.counter.mu.Unlock()
	}
	return h.hold.After(ctx, bill)
}

// total is a copy of the sum so far.
func (c *counter) total() fleet.Usage {
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.sum
	u.Models = maps.Clone(u.Models)
	return u
}

// since is what came on top of an earlier total.
func (c *counter) since(before fleet.Usage) fleet.Usage {
	now := c.total()
	diff := fleet.Usage{Calls: now.Calls - before.Calls, Cost: now.Cost - before.Cost}
	for model, t := range now.Models {
		was := before.Models[model]
		t = fleet.Tokens{Input: t.Input - was.Input, Output: t.Output - was.Output, CacheRead: t.CacheRead - was.CacheRead, CacheWrite: t.CacheWrite - was.CacheWrite}
		if t != (fleet.Tokens{}) {
			if diff.Models == nil {
				diff.Models = map[string]fleet.Tokens{}
			}
			diff.Models[model] = t
		}
	}
	return diff
}
