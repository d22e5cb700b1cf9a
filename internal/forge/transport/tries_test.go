package transport_test

import (
	"net/http"
	"testing"

	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// What only reads is asked again where the host fails at once; what makes something, and what the host refuses, is not.
func TestReadsAreTriedAgain(t *testing.T) {
	for _, c := range []struct {
		method      string
		fails, code int
		calls       int
		passing     bool
	}{
		{"GET", 2, 502, 3, false}, {"GET", 3, 500, 3, true}, {"GET", 1, 404, 1, false}, {"GET", 1, 403, 1, false}, {"GET", 1, 429, 1, true}, {"POST", 1, 502, 1, true}, {"DELETE", 1, 503, 1, true},
	} {
		calls := 0
		tr, at := client(t, transport.Limits{}, nil, func(w http.ResponseWriter, _ *http.Request) {
			if calls++; calls <= c.fails {
				w.WriteHeader(c.code)
				return
			}
			_, _ = w.Write([]byte("{}"))
		})
		_, err := tr.JSON(t.Context(), c.method, at+"/x", nil, nil)
		if calls != c.calls || forge.Passing(err) != c.passing {
			t.Errorf("%+v: %d calls, %v", c, calls, err)
		}
	}
}
