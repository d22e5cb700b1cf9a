package store_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"gaggle/internal/store"
)

// Whoever amends a budget sees what the one before made of it, also when both find nothing.
func testForgeBudgets(t *testing.T, s *store.Store) {
	ctx := t.Context()
	count := func(kept string) (string, error) {
		n := 0
		if kept != "" {
			var err error
			if n, err = strconv.Atoi(kept); err != nil {
				return "", err
			}
		}
		return strconv.Itoa(n + 1), nil
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if err := s.Amend(ctx, "a", count); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if kept, err := s.ForgeBudget(ctx, "a"); err != nil || kept != "80" {
		t.Errorf("%q after 80 amendments, %v", kept, err)
	}
	boom := errors.New("boom")
	if err := s.Amend(ctx, "a", func(string) (string, error) { return "nonsense", boom }); !errors.Is(err, boom) {
		t.Error(err)
	}
	if err := s.Amend(ctx, "b", func(kept string) (string, error) { return kept, nil }); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"a": "80", "b": "", "c": ""} {
		if kept, err := s.ForgeBudget(ctx, name); err != nil || kept != want {
			t.Errorf("%s holds %q, %v", name, kept, err)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Amend(ctx, "a", count); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
