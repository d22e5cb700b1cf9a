package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"gaggle/internal/fleet"
)

// PutRecord stores data under the key, compressed; what was there is replaced.
func (tx *Tx) PutRecord(ctx context.Context, key string, data []byte) error {
	packed := tx.store.zip.EncodeAll(data, nil)
	_, err := tx.exec(ctx, "INSERT INTO records (key, size, data, made_at) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET size = excluded.size, data = excluded.data, made_at = excluded.made_at",
		key, len(data), packed, micros(tx.store.Now()))
	return err
}

// PutContent stores data under a key made of the prefix and its hash, once however often it is given, and returns the key.
func (tx *Tx) PutContent(ctx context.Context, prefix string, data []byte) (string, error) {
	sum := sha256.Sum256(data)
	key := prefix + "/" + hex.EncodeToString(sum[:])
	if _, there, err := one(ctx, tx, scanInt, "SELECT size FROM records WHERE key = ?", key); err != nil || there {
		return key, err
	}
	return key, tx.PutRecord(ctx, key, data)
}

// GetRecord reads what is stored under the key.
func (s *Store) GetRecord(ctx context.Context, key string) ([]byte, error) {
	packed, ok, err := one(ctx, s.reader, func(r rows) (b []byte, err error) { err = r.Scan(&b); return b, err }, "SELECT data FROM records WHERE key = ?", key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &fleet.Error{Code: fleet.CodeNotFound, Message: fmt.Sprintf("there is no record %q", key)}
	}
	data, err := s.unzip.DecodeAll(packed, nil)
	if err != nil {
		return nil, &fleet.Error{Code: fleet.CodeDatabase, Message: fmt.Sprintf("record %q is damaged", key), Err: err}
	}
	return data, nil
}

// Memo reads a remembered result; ok is false when there is none.
func (s *Store) Memo(ctx context.Context, key string) (value string, ok bool, err error) {
	return one(ctx, s.reader, scanText, "SELECT value FROM memos WHERE key = ?", key)
}

// Remember stores a result under the key, replacing what was there.
func (tx *Tx) Remember(ctx context.Context, key, value string) error {
	_, err := tx.exec(ctx, "INSERT INTO memos (key, value, made_at) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, made_at = excluded.made_at", key, value, micros(tx.store.Now()))
	return err
}

// Memos lists the remembered results whose keys begin with the prefix.
func (s *Store) Memos(ctx context.Context, prefix string) (map[string]string, error) {
	type memo struct{ key, value string }
	like := strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(prefix) + "%"
	list, err := collect(ctx, s.reader, func(r rows) (m memo, err error) { err = r.Scan(&m.key, &m.value); return m, err }, `SELECT key, value FROM memos WHERE key LIKE ? ESCAPE '\'`, like)
	all := make(map[string]string, len(list))
	for _, m := range list {
		if strings.HasPrefix(m.key, prefix) { // SQLite's LIKE knows no case
			all[m.key] = m.value
		}
	}
	return all, err
}

// Forget removes a remembered result; one that is not there is fine.
func (tx *Tx) Forget(ctx context.Context, key string) error {
	_, err := tx.exec(ctx, "DELETE FROM memos WHERE key = ?", key)
	return err
}

// Spend is what one scope, such as "campaign:x" or "attempt:7", has paid.
type Spend struct {
	Cost   fleet.Money
	Calls  int64
	Tokens int64
}

// Charge adds the cost of one call to every scope given: a child spends its parents' budgets too.
func (s *Store) Charge(ctx context.Context, cost fleet.Money, tokens int64, scopes ...string) error {
	return s.Tx(ctx, func(tx *Tx) error {
		for _, scope := range scopes {
			if _, err := tx.exec(ctx, "INSERT INTO spend (scope, micros, calls, tokens) VALUES (?, ?, 1, ?) ON CONFLICT (scope) DO UPDATE SET micros = spend.micros + excluded.micros, calls = spend.calls + 1, tokens = spend.tokens + excluded.tokens",
				scope, int64(cost), tokens); err != nil {
				return err
			}
		}
		return nil
	})
}

// Spent reads what a scope has paid so far.
func (s *Store) Spent(ctx context.Context, scope string) (Spend, error) {
	v, _, err := one(ctx, s.reader, func(r rows) (v Spend, err error) { err = r.Scan(&v.Cost, &v.Calls, &v.Tokens); return v, err }, "SELECT micros, calls, tokens FROM spend WHERE scope = ?", scope)
	return v, err
}
