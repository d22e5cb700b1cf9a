//go:build full

package ops

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"gaggle/internal/rulemodel"
)

// An attempt that is taken up after its worker ended asks the models only for what they had not answered yet.
func TestAnAttemptTakenUpPaysNothingTwice(t *testing.T) {
	for _, agent := range []string{"native", "claude"} {
		t.Run(agent, func(t *testing.T) { takenUp(t, agent) })
	}
}

func takenUp(t *testing.T, agent string) {
	if agent == "claude" {
		installClaude(t)
	}
	var whole int64
	for _, stopAt := range []int64{0, 1, 2, 3} {
		sound := rulemodel.New(rulemodel.Config{Key: plantedKey, Lazy: true})
		var asked, answered atomic.Int64
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			if asked.Add(1) == stopAt {
				stop()
				<-r.Context().Done() // never answered
				return
			}
			answered.Add(1)
			sound.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		h := newHouse(t, Models{Anthropic: Endpoint{URL: server.URL, Key: plantedKey}, Model: DefaultAnthropicModel, Judge: DefaultAnthropicJudge}, "one")
		file := h.prompted("c", agent, "")
		_, err := h.ops.Run(ctx, RunInput{File: file, Parallel: 1}, nil)
		if (stopAt == 0) != (err == nil) {
			t.Fatalf("stopped at %d: %v", stopAt, err)
		}
		h.run(file)
		h.expect("c", map[string]string{"one": "proposed"})
		status, err := h.ops.Status(t.Context(), StatusInput{Campaign: "c"})
		if err != nil {
			t.Fatal(err)
		}
		sent := answered.Load() + min(stopAt, 1) // what was sent and not answered may have been billed
		if c := status.Campaigns[0]; sent < 4 || c.Calls != sent {
			t.Errorf("stopped at %d: %d answers, %d calls paid", stopAt, answered.Load(), c.Calls)
		}
		if stopAt == 0 {
			whole = answered.Load()
		} else if answered.Load() != whole {
			t.Errorf("stopped at %d: %d answers, undisturbed %d", stopAt, answered.Load(), whole)
		}
		if (ctx.Err() != nil) != (stopAt > 0) {
			t.Error("it was not stopped where it should be")
		}
	}
}
