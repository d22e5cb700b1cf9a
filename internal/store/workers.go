package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"gaggle/internal/fleet"
)

// BeatEvery is how often a worker shows that it lives; one that was silent for DeadAfter is dead to the others. A worker whose
// process is seen to be gone on this machine is dead at once.
const (
	BeatEvery = 2 * time.Second
	DeadAfter = 10 * time.Second
)

// ErrFenced says that other workers took this one for dead, so it must stop at once and touch nothing.
var ErrFenced = &fleet.Error{Code: fleet.CodeLost, Message: "other workers took this one for dead", Hint: "the machine was asleep or overloaded; run again"}

// Enlist registers this process as a worker and returns its name: host, boot, process and its start, so that a process
// on the same machine can tell whether it still runs.
func (s *Store) Enlist(ctx context.Context) (string, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	var nonce [4]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return "", err
	}
	clean := strings.Map(func(r rune) rune {
		if r == '/' || r > 126 || r < 33 {
			return '-'
		}
		return r
	}, host)
	if len(clean) > 32 {
		clean = clean[:32]
	}
	id := fmt.Sprintf("%s/%s/%d/%s/%s", clean, bootID(), os.Getpid(), processStart(os.Getpid()), hex.EncodeToString(nonce[:]))
	return id, s.Tx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, "INSERT INTO workers (id, beat_at) VALUES (?, ?)", id, micros(s.Now()))
		return err
	})
}

// Beat shows that the worker lives. ErrFenced means that it was taken for dead.
func (s *Store) Beat(ctx context.Context, worker string) error {
	return s.Tx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, "UPDATE workers SET beat_at = ? WHERE id = ?", micros(s.Now()), worker)
		if err == nil && n == 0 {
			return ErrFenced
		}
		return err
	})
}

// Discharge removes a worker that has stopped in good order.
func (s *Store) Discharge(ctx context.Context, worker string) error {
	return s.Tx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, "DELETE FROM leases WHERE worker = ?", worker); err != nil {
			return err
		}
		_, err := tx.exec(ctx, "DELETE FROM workers WHERE id = ?", worker)
		return err
	})
}

// Reap finds dead workers, hands their River jobs back and gives each target that they held to lost, in the transaction
// that removes the lease. It returns the names of the dead. self is the worker that asks: it lives, whatever the clock does
// between two beats.
func (s *Store) Reap(ctx context.Context, self string, lost func(ctx context.Context, tx *Tx, target int64) error) ([]string, error) {
	alive, dead, err := s.census(ctx, self)
	if err != nil {
		return nil, err
	}
	for _, id := range dead {
		if err := s.bury(ctx, id, lost); err != nil {
			return nil, err
		}
	}
	stuck, err := s.jobs.stuck(ctx, func(w string) bool { return !alive[w] })
	if err != nil || len(stuck) == 0 {
		return dead, err
	}
	// A job that River still believes to be running on a dead worker becomes available again: its own rescue, but now
	// instead of after its time-out.
	return dead, s.Tx(ctx, func(tx *Tx) error {
		for _, id := range stuck {
			if _, err := tx.exec(ctx, "UPDATE river_job SET state = 'available' WHERE id = ? AND state = 'running'", id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Alive lists the workers that live, as far as can be told; self is the one that asks.
func (s *Store) Alive(ctx context.Context, self string) (map[string]bool, error) {
	alive, _, err := s.census(ctx, self)
	return alive, err
}

// census tells the living from the dead.
func (s *Store) census(ctx context.Context, self string) (alive map[string]bool, dead []string, err error) {
	type worker struct {
		id   string
		beat int64
	}
	all, err := collect(ctx, s.reader, func(r rows) (w worker, err error) { err = r.Scan(&w.id, &w.beat); return w, err }, "SELECT id, beat_at FROM workers")
	if err != nil {
		return nil, nil, err
	}
	alive = map[string]bool{}
	now := s.Now()
	for _, w := range all {
		if w.id != self && (now.Sub(fromMicros(w.beat)) > DeadAfter || gone(w.id)) {
			dead = append(dead, w.id)
		} else {
			alive[w.id] = true
		}
	}
	return alive, dead, nil
}

func (s *Store) bury(ctx context.Context, worker string, lost func(context.Context, *Tx, int64) error) error {
	return s.Tx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, "DELETE FROM workers WHERE id = ?", worker)
		if err != nil || n == 0 { // another process buried it
			return err
		}
		held, err := collect(ctx, tx, scanInt, "SELECT target FROM leases WHERE worker = ? ORDER BY target", worker)
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, "DELETE FROM leases WHERE worker = ?", worker); err != nil {
			return err
		}
		for _, id := range held {
			if err := lost(ctx, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Lease takes the target for the worker. It returns false when another living worker, or another job of this one, has it.
func (s *Store) Lease(ctx context.Context, worker string, target int64) (taken bool, err error) {
	err = s.Tx(ctx, func(tx *Tx) error {
		taken, err = tx.Lease(ctx, worker, target)
		return err
	})
	return taken, err
}

// Lease is Store.Lease as part of a transaction.
func (tx *Tx) Lease(ctx context.Context, worker string, target int64) (bool, error) {
	n, err := tx.exec(ctx, "INSERT INTO leases (target, worker, taken_at) SELECT CAST(? AS BIGINT), id, CAST(? AS BIGINT) FROM workers WHERE id = ? ON CONFLICT DO NOTHING", target, micros(tx.store.Now()), worker)
	return n == 1, err
}

// Release gives the target back. It is a no-op when the lease is lost.
func (s *Store) Release(ctx context.Context, worker string, target int64) error {
	return s.Tx(ctx, func(tx *Tx) error { return tx.Release(ctx, worker, target) })
}

// Release is Store.Release as part of a transaction.
func (tx *Tx) Release(ctx context.Context, worker string, target int64) error {
	_, err := tx.exec(ctx, "DELETE FROM leases WHERE target = ? AND worker = ?", target, worker)
	return err
}

// Holds fails with ErrFenced unless the worker still has the target's lease: call it first in a transaction that
// records what was done under the lease.
func (tx *Tx) Holds(ctx context.Context, worker string, target int64) error {
	_, ok, err := one(ctx, tx, scanInt, "SELECT target FROM leases WHERE target = ? AND worker = ?", target, worker)
	if err == nil && !ok {
		return ErrFenced
	}
	return err
}

// gone reports whether the worker's process is known to have ended: same machine, and either an earlier boot or no
// process with that number and start.
func gone(worker string) bool {
	parts := strings.Split(worker, "/")
	if len(parts) != 5 {
		return false
	}
	host, err := os.Hostname()
	if err != nil || parts[1] == "" || parts[3] == "" || !strings.HasPrefix(host, parts[0]) {
		return false
	}
	if parts[1] != bootID() {
		// Another boot identity under the same host name may be another machine: leave it to the heartbeat.
		return false
	}
	pid, err := strconv.Atoi(parts[2])
	return err == nil && processStart(pid) != parts[3]
}
