//go:build full

package engine_test

import (
	"testing"

	"gaggle/internal/store/storetest"
)

func TestOnPostgres(t *testing.T) {
	for name, test := range suite {
		t.Run(name, func(t *testing.T) { test(t, newWorld(t, storetest.Postgres(t))) })
	}
}

// BenchmarkNoOpPostgres is BenchmarkNoOp with two workers on one PostgreSQL.
func BenchmarkNoOpPostgres(b *testing.B) { benchmarkNoOp(b, storetest.Postgres(b), 2) }
