package ops

import (
	"context"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/store"
)

// countFresh is for how long counts of dependents hold: a pass that weighs a thousand changes reads the fleet once.
const countFresh = time.Minute

// dependents counts the components that depend on one. It may be asked from many goroutines.
type dependents struct {
	store *store.Store
	now   func() time.Time

	mu     sync.Mutex // held while the fleet is read, so that it is read once
	at     time.Time
	counts map[string]int
}

// of counts those that depend on a component, directly or not, as of countFresh ago at the earliest.
func (d *dependents) of(ctx context.Context, component string) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := d.now(); d.counts == nil || now.Before(d.at) || now.Sub(d.at) >= countFresh {
		all, err := d.store.Components(ctx)
		if err != nil {
			return 0, err
		}
		d.at, d.counts = now, fleet.Dependents(all)
	}
	return d.counts[component], nil
}
