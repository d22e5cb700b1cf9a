package store

import (
	"context"

	"gaggle/internal/fleet"
)

// LockBatches makes this transaction the only one that gathers targets into a batch, until it ends.
func (tx *Tx) LockBatches(ctx context.Context) error {
	if !tx.shared {
		return nil
	}
	_, err := tx.exec(ctx, "SELECT pg_advisory_xact_lock(CAST(? AS BIGINT))", int64(0x6261_7463))
	return err
}

// Beside lists the targets of all campaigns in t's repository, and of its owner, that wait for their attempt, are under way or are
// ready, and are in no batch.
func (tx *Tx) Beside(ctx context.Context, t fleet.Target) ([]fleet.Target, error) {
	return collect(ctx, tx, scanTarget, "SELECT "+targetColumns+" FROM targets WHERE repository = ? AND state IN ('queued', 'changing', 'ready') AND owner = ? AND batch = 0 AND id <> ? ORDER BY id",
		t.Repository, t.Owner, t.ID)
}

// Leased reports whether any worker holds the target.
func (tx *Tx) Leased(ctx context.Context, target int64) (bool, error) {
	_, held, err := one(ctx, tx, scanInt, "SELECT target FROM leases WHERE target = ?", target)
	return held, err
}

const inBatch = "SELECT " + targetColumns + " FROM targets WHERE batch = ? AND batch > 0 AND id <> ? ORDER BY id"

// Batch lists the targets whose changes are in the pull request of the one that leads, besides its own.
func (s *Store) Batch(ctx context.Context, leader int64) ([]fleet.Target, error) {
	return collect(ctx, s.reader, scanTarget, inBatch, leader, leader)
}

// Batch is Store.Batch inside the transaction.
func (tx *Tx) Batch(ctx context.Context, leader int64) ([]fleet.Target, error) {
	return collect(ctx, tx, scanTarget, inBatch, leader, leader)
}
