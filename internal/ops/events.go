package ops

import (
	"context"
	"sync"
	"time"

	"gaggle/internal/store"
)

// tail calls progress with the campaign's events after seq as they come. The function returned stops it, once what is there has been read.
func (o *Ops) tail(ctx context.Context, campaign string, after int64, progress func(store.Event)) (stop func() error) {
	if progress == nil {
		return func() error { return nil }
	}
	ctx = context.WithoutCancel(ctx)
	quit := make(chan struct{})
	var wg sync.WaitGroup
	var failed error
	drain := func() {
		for {
			events, err := o.store.Events(ctx, campaign, 0, after, 500)
			if err != nil {
				failed = err
				return
			}
			for _, e := range events {
				progress(e)
				after = e.Seq
			}
			if len(events) < 500 {
				return
			}
		}
	}
	wg.Go(func() {
		t := time.NewTicker(100 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-quit:
				drain()
				return
			case <-t.C:
				drain()
			}
		}
	})
	return func() error {
		close(quit)
		wg.Wait()
		return failed
	}
}
