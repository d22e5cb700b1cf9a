package ops

import (
	"context"
	"sync"
	"time"

	"gaggle/internal/store"
)

// tail calls progress with the campaigns' new events as they come, one at a time. The function returned stops it, once what is there has been read.
func (o *Ops) tail(ctx context.Context, campaigns []string, progress func(store.Event)) (stop func() error, err error) {
	if progress == nil {
		return func() error { return nil }, nil
	}
	seen := make(map[string]int64, len(campaigns))
	for _, name := range campaigns {
		if seen[name], err = o.store.LastSeq(ctx, name); err != nil {
			return nil, err
		}
	}
	ctx = context.WithoutCancel(ctx)
	drain := func() error {
		for _, name := range campaigns {
			for {
				events, err := o.store.Events(ctx, name, 0, seen[name], 500)
				if err != nil {
					return err
				}
				for _, e := range events {
					progress(e)
					seen[name] = e.Seq
				}
				if len(events) < 500 {
					break
				}
			}
		}
		return nil
	}
	quit := make(chan struct{})
	var wg sync.WaitGroup
	var failed error
	wg.Go(func() {
		t := time.NewTicker(100 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-quit:
				failed = drain()
				return
			case <-t.C:
				_ = drain() // what it could not read is read later, by the last one at the latest
			}
		}
	})
	return func() error {
		close(quit)
		wg.Wait()
		return failed
	}, nil
}
