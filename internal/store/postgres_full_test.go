//go:build full

package store_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"gaggle/internal/store"
)

var databases atomic.Int64

// openPostgres makes a database of its own on the server that GAGGLE_TEST_POSTGRES names (go run ./ci starts one).
func openPostgres(t testing.TB) *store.Store {
	server := os.Getenv("GAGGLE_TEST_POSTGRES")
	if server == "" {
		t.Fatal("missing part: PostgreSQL (GAGGLE_TEST_POSTGRES is not set; go run ./ci starts a server and sets it)")
	}
	ctx := t.Context()
	admin, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(ctx)
	name := fmt.Sprintf("store_%d_%d", os.Getpid(), databases.Add(1))
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	at := strings.LastIndex(server, "/")
	s, err := store.Open(ctx, store.Config{URL: server[:at+1] + name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestPostgres(t *testing.T) {
	exercise(t, func(t *testing.T) *store.Store { return openPostgres(t) })
}
