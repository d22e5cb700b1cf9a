package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/riverqueue/river/riverdriver"
)

// bell tells this process's own workers at once of the jobs that a transaction of this process has left for them. SQLite
// cannot tell, and River, which stands in with a table of notifications, would write to it with every job and ask it all
// the time. What another process leaves is found by asking, pollEvery.
type bell[TTx any] struct {
	riverdriver.Driver[TTx]
	mu   sync.Mutex
	ears map[*ear]bool
}

// SupportsListenNotify keeps River from writing notifications, which nobody would read.
func (b *bell[TTx]) SupportsListenNotify() bool { return false }

// GetListener gives a client what it hears the bell with.
func (b *bell[TTx]) GetListener(p *riverdriver.GetListenenerParams) riverdriver.Listener {
	e := &ear{schema: p.Schema, rung: make(chan struct{}, 1), queues: map[string]bool{}}
	e.close = func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.ears, e)
	}
	e.open = func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.ears == nil {
			b.ears = map[*ear]bool{}
		}
		b.ears[e] = true
	}
	return e
}

// ring tells that there are jobs in queues.
func (b *bell[TTx]) ring(queues map[string]bool) {
	if len(queues) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for e := range b.ears {
		e.hear(queues)
	}
}

// pause is how long the bell is silent after it was heard: where jobs come fast upon each other, each look finds many.
const pause = 30 * time.Millisecond

// jobsInserted is River's name of the topic under which its workers hear of new jobs.
const jobsInserted = "river_insert"

// ear is one client's riverdriver.Listener. It hears no topic but the one of new jobs.
type ear struct {
	open, close func()
	schema      string
	rung        chan struct{} // holds something while queues does
	silent      time.Time     // until then; only WaitForNotification, which one goroutine calls, knows it
	mu          sync.Mutex
	queues      map[string]bool
}

func (e *ear) hear(queues map[string]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for q := range queues {
		e.queues[q] = true
	}
	select {
	case e.rung <- struct{}{}:
	default:
	}
}

// WaitForNotification returns the next queue that got jobs.
func (e *ear) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	for {
		if q, ok := e.next(); ok {
			return &riverdriver.Notification{Topic: jobsInserted, Payload: fmt.Sprintf(`{"queue":%q}`, q)}, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-e.rung:
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Until(e.silent)):
		}
		e.silent = time.Now().Add(pause)
	}
}

func (e *ear) next() (string, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for q := range e.queues {
		delete(e.queues, q)
		return q, true
	}
	return "", false
}

func (e *ear) Connect(context.Context) error          { e.open(); return nil }
func (e *ear) Close(context.Context) error            { e.close(); return nil }
func (e *ear) Listen(context.Context, string) error   { return nil }
func (e *ear) Unlisten(context.Context, string) error { return nil }
func (e *ear) Ping(context.Context) error             { return nil }
func (e *ear) Schema() string                         { return e.schema }
func (e *ear) SetAfterConnectExec(string)             {}
