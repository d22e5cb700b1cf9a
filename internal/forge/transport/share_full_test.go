//go:build full

package transport_test

import (
	"testing"

	"gaggle/internal/store/storetest"
)

func TestSharedOnPostgres(t *testing.T) {
	exerciseSharing(t, func(t *testing.T) string { return storetest.Postgres(t) })
}
