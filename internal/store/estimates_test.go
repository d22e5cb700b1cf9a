package store_test

import (
	"reflect"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/store"
)

func testEstimates(t *testing.T, s *store.Store) {
	ctx := t.Context()
	if took, n, err := s.AttemptTime(ctx, "a"); took != 0 || n != 0 || err != nil {
		t.Errorf("%v of %d, %v", took, n, err)
	}
	targets := seed(t, s, "a", 6)
	err := s.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PutRepository(ctx, store.RepositoryInventory{Repository: fleet.Repository{Name: "r", URL: "u", Forge: "git.example.com"}}); err != nil {
			return err
		}
		for i := range targets[:5] {
			target := &targets[i]
			target.Attempts = 1
			if err := tx.Move(ctx, target, store.Move{To: fleet.Queued}); err != nil {
				return err
			}
			a := fleet.Attempt{Target: target.ID, Number: 1, State: "done", Outcome: fleet.Ready, Agent: "script", Remembered: i == 4}
			if err := tx.AddAttempt(ctx, &a); err != nil {
				return err
			}
			a.EndedAt = a.StartedAt.Add(time.Duration(i+1) * time.Minute)
			if i == 3 {
				a.State, a.EndedAt = "running", time.Time{}
			}
			if err := tx.SaveAttempt(ctx, &a); err != nil {
				return err
			}
		}
		for _, to := range []fleet.State{fleet.Changing, fleet.Unchanged} {
			if err := tx.Move(ctx, &targets[0], store.Move{To: to}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if took, n, err := s.AttemptTime(ctx, "a"); took != 2*time.Minute || n != 3 || err != nil {
		t.Errorf("%v of %d, %v", took, n, err)
	}
	if left, err := s.Unopened(ctx, "a"); err != nil || !reflect.DeepEqual(left, []store.Unopened{{Forge: "git.example.com", Targets: 5, Repositories: 1}}) {
		t.Errorf("%+v, %v", left, err)
	}
	states, err := s.States(ctx, "a")
	if err != nil || len(states) != 6 || states[targets[0].Component] != fleet.Unchanged || states[targets[5].Component] != fleet.Pending {
		t.Errorf("%v, %v", states, err)
	}
}
