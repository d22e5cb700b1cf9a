//go:build full

package transport_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

var databases atomic.Int64

func TestSharedOnPostgres(t *testing.T) {
	server := os.Getenv("GAGGLE_TEST_POSTGRES")
	if server == "" {
		t.Fatal("missing part: PostgreSQL (GAGGLE_TEST_POSTGRES is not set; go run ./ci starts a server and sets it)")
	}
	exerciseSharing(t, func(t *testing.T) string {
		admin, err := pgx.Connect(t.Context(), server)
		if err != nil {
			t.Fatal(err)
		}
		defer admin.Close(t.Context())
		name := fmt.Sprintf("transport_%d_%d", os.Getpid(), databases.Add(1))
		if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
			t.Fatal(err)
		}
		return server[:strings.LastIndex(server, "/")+1] + name
	})
}
