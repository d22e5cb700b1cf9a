package store

import (
	"context"

	"gaggle/internal/fleet"
)

// KeepReply stores what a model answered in an attempt at a target, compressed, for whoever takes the attempt up after a crash.
func (tx *Tx) KeepReply(ctx context.Context, target int64, key string, data []byte) error {
	_, err := tx.exec(ctx, "INSERT INTO replies (target, key, data) VALUES (?, ?, ?) ON CONFLICT (target, key) DO NOTHING", target, key, tx.store.zip.EncodeAll(data, nil))
	return err
}

// Reply reads what KeepReply stored; ok is false when there is none.
func (s *Store) Reply(ctx context.Context, target int64, key string) (data []byte, ok bool, err error) {
	packed, ok, err := one(ctx, s.reader, func(r rows) (b []byte, err error) { err = r.Scan(&b); return b, err }, "SELECT data FROM replies WHERE target = ? AND key = ?", target, key)
	if err != nil || !ok {
		return nil, false, err
	}
	if data, err = s.unzip.DecodeAll(packed, nil); err != nil {
		return nil, false, &fleet.Error{Code: fleet.CodeDatabase, Message: "a kept reply is damaged", Err: err}
	}
	return data, true, nil
}

// DropReplies forgets what was kept of a target's attempts: they have ended.
func (tx *Tx) DropReplies(ctx context.Context, target int64) error {
	_, err := tx.exec(ctx, "DELETE FROM replies WHERE target = ?", target)
	return err
}
