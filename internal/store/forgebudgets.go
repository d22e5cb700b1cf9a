package store

import (
	"context"
	"time"
)

// budgetKept is how long a budget that nobody uses is kept: far longer than anything in one counts.
const budgetKept = 7 * 24 * time.Hour

// Amend reads what is kept of a forge's budget under the name, "" for nothing, and keeps what change makes of it. Nobody else,
// in any process, amends the same name in between. change is called once at most; its error leaves everything as it was.
func (s *Store) Amend(ctx context.Context, name string, change func(kept string) (string, error)) error {
	return s.Tx(ctx, func(tx *Tx) error {
		lock := ""
		if tx.shared {
			lock = " FOR UPDATE"
		}
		read := func() (string, bool, error) {
			return one(ctx, tx, scanText, "SELECT data FROM forge_budgets WHERE name = ?"+lock, name)
		}
		kept, there, err := read()
		if err == nil && !there {
			now := s.Now()
			if _, err = tx.exec(ctx, "DELETE FROM forge_budgets WHERE changed_at < ?", micros(now.Add(-budgetKept))); err != nil {
				return err
			}
			if _, err = tx.exec(ctx, "INSERT INTO forge_budgets (name, data, changed_at) VALUES (?, '', ?) ON CONFLICT DO NOTHING", name, micros(now)); err != nil {
				return err
			}
			kept, _, err = read()
		}
		if err != nil {
			return err
		}
		changed, err := change(kept)
		if err != nil || changed == kept {
			return err
		}
		_, err = tx.exec(ctx, "UPDATE forge_budgets SET data = ?, changed_at = ? WHERE name = ?", changed, micros(s.Now()), name)
		return err
	})
}

// ForgeBudget is what is kept of a forge's budget under the name; "" for nothing.
func (s *Store) ForgeBudget(ctx context.Context, name string) (string, error) {
	kept, _, err := one(ctx, s.reader, scanText, "SELECT data FROM forge_budgets WHERE name = ?", name)
	return kept, err
}
