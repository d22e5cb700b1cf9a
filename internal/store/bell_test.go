package store_test

import (
	"context"
	"testing"

	"gaggle/internal/store"
)

// TestWorkersAreToldOfJobs leaves jobs while the queue rests that nobody asks for jobs.
func TestWorkersAreToldOfJobs(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s := openSQLite(t)
	s.NeverPollForTest()
	targets := seed(t, s, "a", 5)
	wake := func(i int) {
		if err := s.Tx(ctx, func(tx *store.Tx) error {
			return tx.Wake(ctx, store.Job{Target: targets[i].ID, Campaign: "a", Lane: store.LaneSteps})
		}); err != nil {
			t.Error(err)
		}
	}
	wake(0)
	worker, err := s.Enlist(ctx)
	if err != nil {
		t.Fatal(err)
	}
	begun := 0
	err = s.Work(ctx, store.WorkConfig{Worker: worker, Campaigns: []string{"a"}, Attempts: 1, Steps: 2 * len(targets), Handle: func(context.Context, int64) error {
		if begun++; begun == len(targets) {
			stop()
			return nil
		}
		wake(begun)
		<-ctx.Done() // as a place never becomes free, only the bell has the queue asked
		return nil
	}})
	if err != nil || begun != len(targets) {
		t.Errorf("%d of %d targets were begun: %v", begun, len(targets), err)
	}
}
