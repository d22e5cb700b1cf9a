package git

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// LockFile takes an exclusive lock that other processes, and other callers here, see. It ends with unlock, or with the
// process, however that ends. Processes that are started with the returned context hold it too: when Gaggle is killed, the
// lock is free once the git that it had started is gone as well.
//
// The file itself is never removed: removing it would let two holders lock two files of one name.
func LockFile(ctx context.Context, path string) (held context.Context, unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, nil, err
	}
	wait := time.Millisecond
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return context.WithValue(ctx, locksKey{}, append(locksOf(ctx), f)), func() {
				// Not only closed: whatever still runs with a copy of the descriptor must not hold it longer.
				_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
				f.Close()
			}, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, nil, &os.PathError{Op: "lock", Path: path, Err: err}
		}
		// A blocking flock could not be given up when ctx ends.
		select {
		case <-ctx.Done():
			f.Close()
			return nil, nil, context.Cause(ctx)
		case <-time.After(wait):
			wait = min(2*wait, 50*time.Millisecond)
		}
	}
}

type locksKey struct{}

// locksOf returns the lock files that processes started with ctx inherit.
func locksOf(ctx context.Context) []*os.File {
	files, _ := ctx.Value(locksKey{}).([]*os.File)
	return slices.Clip(files)
}

// keyed is a set of mutexes by name whose waiters can give up.
type keyed struct {
	mu   sync.Mutex
	held map[string]*keyedEntry
}

type keyedEntry struct {
	turn  chan struct{}
	users int
}

func (k *keyed) lock(ctx context.Context, name string) (unlock func(), err error) {
	k.mu.Lock()
	if k.held == nil {
		k.held = map[string]*keyedEntry{}
	}
	e := k.held[name]
	if e == nil {
		e = &keyedEntry{turn: make(chan struct{}, 1)}
		k.held[name] = e
	}
	e.users++
	k.mu.Unlock()
	leave := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if e.users--; e.users == 0 {
			delete(k.held, name)
		}
	}
	select {
	case e.turn <- struct{}{}:
		return func() { <-e.turn; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}
