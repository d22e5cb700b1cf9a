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

// Nor does one that is tried again after its model was too busy to go on.
func TestAnAttemptAfterABusyModelPaysNothingTwice(t *testing.T) {
	var whole int64
	for _, busyFrom := range []int64{1000, 3} {
		sound := rulemodel.New(rulemodel.Config{Key: plantedKey, Lazy: true})
		var answered atomic.Int64
		var free atomic.Bool
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if answered.Load()+1 >= busyFrom && !free.Load() {
				w.WriteHeader(529)
				return
			}
			answered.Add(1)
			sound.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		h := newHouse(t, Models{Anthropic: Endpoint{URL: server.URL, Key: plantedKey}, Model: DefaultAnthropicModel, Judge: DefaultAnthropicJudge}, "one")
		file := h.prompted("c", "native", "limits: {attempts: 1, minutes: 0.2}\nrollout: {gate: {success: 0}}")
		h.run(file)
		if busyFrom == 1000 {
			whole = answered.Load()
			continue
		}
		if status, err := h.ops.Status(t.Context(), StatusInput{Campaign: "c"}); err != nil || status.Failed() != 1 {
			t.Fatalf("%+v, %v", status, err) // of model_busy, or of the time that the agent waited
		}
		free.Store(true)
		if _, err := h.ops.Retry(t.Context(), SelectInput{Campaign: "c"}); err != nil {
			t.Fatal(err)
		}
		h.run(file)
		h.expect("c", map[string]string{"one": "proposed"})
		if answered.Load() != whole || whole < 4 {
			t.Errorf("%d answers, undisturbed %d", answered.Load(), whole)
		}
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
