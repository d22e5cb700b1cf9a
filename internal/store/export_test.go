package store

import (
	"context"
	"database/sql"
	"time"
)

// AddWorkerForTest enlists a worker under a name of the test's choice.
func (s *Store) AddWorkerForTest(ctx context.Context, id string) error {
	return s.Tx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, "INSERT INTO workers (id, beat_at) VALUES (?, ?)", id, micros(s.Now()))
		return err
	})
}

// NeverPollForTest leaves a store on SQLite with what the bell tells.
func (s *Store) NeverPollForTest() { s.jobs.(*riverJobs[*sql.Tx]).poll = time.Hour }
