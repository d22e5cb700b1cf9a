package storetest

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Postgres makes a database on the server that GAGGLE_TEST_POSTGRES names (go run ./ci starts one), and returns its URL.
func Postgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv("GAGGLE_TEST_POSTGRES")
	if server == "" {
		t.Fatal("missing part: PostgreSQL (GAGGLE_TEST_POSTGRES is not set; go run ./ci starts a server and sets it)")
	}
	admin, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	name := "gaggle_" + strings.ToLower(rand.Text()[:16])
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return server[:strings.LastIndex(server, "/")+1] + name
}
