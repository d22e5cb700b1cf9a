//go:build full && linux

package native_test

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/agent"
	"gaggle/internal/agent/agenttest"
	"gaggle/internal/fleet"
	"gaggle/internal/gateway"
	"gaggle/internal/llm/wire"
	"gaggle/internal/rulemodel"
	"gaggle/internal/sandbox"
)

func TestConformanceInBubblewrap(t *testing.T) {
	agenttest.Exercise(t, harness(t, sandbox.Bubblewrap, wire.Messages))
}

// The whole way, in both wire formats: bubblewrap, the gateway with a key and a budget, verifiers that compile.
func TestThroughTheGateway(t *testing.T) {
	const key = "sk-made-up-0123456789abcdef"
	for _, format := range []wire.Format{wire.Messages, wire.Chat} {
		t.Run(string(format), func(t *testing.T) {
			server := httptest.NewServer(rulemodel.New(rulemodel.Config{Key: key}))
			t.Cleanup(server.Close)
			g, err := gateway.New(gateway.Config{Upstreams: map[string]gateway.Upstream{
				"anthropic": {Kind: gateway.Anthropic, BaseURL: server.URL, Key: key},
				"openai":    {Kind: gateway.OpenAI, BaseURL: server.URL + "/v1", Key: key},
			}})
			if err != nil {
				t.Fatal(err)
			}
			h := harness(t, sandbox.Bubblewrap, format)
			h.Env = map[string]string{"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOCACHE": sandbox.CacheDir + "/go-build"}
			model := map[wire.Format]string{wire.Messages: "claude-sonnet-4-5", wire.Chat: "gpt-5"}[format]
			run := func(limit fleet.Money) (agent.Result, *agenttest.Try, *gateway.Budget, string) {
				dir, err := os.MkdirTemp("", "door")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { os.RemoveAll(dir) })
				budget, transcript := gateway.NewBudget(gateway.BudgetConfig{Name: "attempt", Limit: limit}), &agenttest.Log{}
				s, err := g.Open(context.WithoutCancel(t.Context()), gateway.SessionConfig{Socket: filepath.Join(dir, "s"), Meter: budget, Transcript: transcript})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				try := h.NewTry(t, goPond, "")
				try.Box.Spec.Door = filepath.Join(dir, "s")
				try.Box.Spec.Mounts = []sandbox.Mount{{Host: goCache(t), Inside: sandbox.CacheDir + "/go-build"}} // a cold one takes a minute
				task := goTask()
				task.Model = model
				return try.Run(t, task), try, budget, transcript.String()
			}
			r, try, budget, transcript := run(fleet.Dollar)
			if !r.Done || !strings.Contains(try.Read(t, "pond.go"), "readDirInfo(dir)") {
				t.Fatalf("%+v\n%s", r, try.Log)
			}
			if budget.Spent() <= 0 || strings.Count(transcript, "\n") != r.Turns {
				t.Errorf("spent %s, %d turns, transcript of %d lines", budget.Spent(), r.Turns, strings.Count(transcript, "\n"))
			}
			if strings.Contains(transcript+try.Log.String(), key) {
				t.Error("the key is in the transcript or the log")
			}
			if r, _, budget, _ := run(1); r.Code != fleet.CodeBudget && budget.Spent() == 0 {
				t.Errorf("%+v", r)
			}
			if r, _, _, _ := run(0); r.Code != fleet.CodeBudget {
				t.Errorf("%+v", r)
			}
		})
	}
}
