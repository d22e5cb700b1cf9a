//go:build full

package store_test

import (
	"testing"

	"gaggle/internal/store"
	"gaggle/internal/store/storetest"
)

func openPostgres(t testing.TB) *store.Store {
	s, err := store.Open(t.Context(), store.Config{URL: storetest.Postgres(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestPostgres(t *testing.T) {
	exercise(t, func(t *testing.T) *store.Store { return openPostgres(t) })
}
