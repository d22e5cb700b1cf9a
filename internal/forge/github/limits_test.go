package github_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/github"
)

// GraphQL tells limits in replies that are fine otherwise. A secondary one holds all calls back, a primary one those of GraphQL.
func TestLimitsToldByGraphQL(t *testing.T) {
	for message, rest := range map[string]bool{ // whether REST is still asked
		"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.": false,
		"API rate limit already exceeded for user ID 1.":                                            true,
	} {
		calls := map[string]int{}
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.Method == http.MethodPost {
				calls["graphql"]++
				_, _ = w.Write([]byte(`{"errors":[{"type":"RATE_LIMITED","message":"` + message + `"}]}`))
				return
			}
			calls["rest"]++
			w.WriteHeader(http.StatusNotFound)
		}))
		t.Cleanup(srv.Close)
		f, err := github.New(github.Config{URL: srv.URL, Credential: forge.Fixed("token")})
		if err != nil {
			t.Fatal(err)
		}
		repo := fleet.Repository{Name: "acme/a", URL: srv.URL + "/acme/a.git", DefaultBranch: "main"}
		_, err = f.Find(t.Context(), repo, "gaggle/c")
		if wait, ok := forge.RetryAfter(err); !ok || wait != time.Minute {
			t.Errorf("%s: %v", message, err)
		}
		if _, err := f.Comments(t.Context(), repo, 1); err == nil || calls["graphql"] != 1 || (calls["rest"] > 0) != rest {
			t.Errorf("%s: %v, %v", message, calls, err)
		}
	}
}
