//go:build full

package engine_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

var databases atomic.Int64

// postgresURL makes a database of its own on the server that GAGGLE_TEST_POSTGRES names (go run ./ci starts one).
func postgresURL(t testing.TB) string {
	server := os.Getenv("GAGGLE_TEST_POSTGRES")
	if server == "" {
		t.Fatal("missing part: PostgreSQL (GAGGLE_TEST_POSTGRES is not set; go run ./ci starts a server and sets it)")
	}
	admin, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	name := fmt.Sprintf("engine_%d_%d", os.Getpid(), databases.Add(1))
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return server[:strings.LastIndex(server, "/")+1] + name
}

func TestOnPostgres(t *testing.T) {
	for name, test := range suite {
		t.Run(name, func(t *testing.T) { test(t, newWorld(t, postgresURL(t))) })
	}
}

// BenchmarkNoOpPostgres is BenchmarkNoOp with two workers on one PostgreSQL.
func BenchmarkNoOpPostgres(b *testing.B) { benchmarkNoOp(b, postgresURL(b), 2) }
