//go:build full

package ops

import (
	"encoding/json"
	"io"
	"testing"
)

func writeJSON(t *testing.T, w io.Writer, v any) {
	t.Helper()
	if err := json.NewEncoder(w).Encode(v); err != nil {
		t.Fatal(err)
	}
}
