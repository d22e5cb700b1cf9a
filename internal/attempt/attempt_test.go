package attempt_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gaggle/internal/agent"
	"gaggle/internal/agent/native"
	"gaggle/internal/agent/script"
	"gaggle/internal/attempt"
	"gaggle/internal/fleet"
	"gaggle/internal/gateway"
	"gaggle/internal/git"
	"gaggle/internal/judge"
	"gaggle/internal/llm"
	"gaggle/internal/llm/wire"
	"gaggle/internal/redact"
	"gaggle/internal/rulemodel"
	"gaggle/internal/sandbox"
	"gaggle/internal/spec"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	native.Main()
	os.Exit(m.Run())
}

// The models of the tests: both have a price, so that money counts.
const (
	author   = "claude-sonnet-4-5"
	reviewer = "claude-opus-4-5"
)

// memory remembers as the store does.
type memory struct {
	mu      sync.Mutex
	said    map[string]string
	records map[string][]byte
}

func (m *memory) Recall(_ context.Context, key string) (string, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.said[key]
	return v, ok, nil
}

func (m *memory) Remember(_ context.Context, key, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.said[key] = value
	return nil
}

func (m *memory) Record(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.records[key]
	if !ok {
		return nil, fleet.Errorf(fleet.CodeNotFound, "no record %s", key)
	}
	return data, nil
}

// keep does what the engine does with an outcome.
func (m *memory) keep(o attempt.Outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := ""
	if len(o.Diff) > 0 {
		key = "diff/" + o.Tree
		m.records[key] = o.Diff
	}
	if o.Memo != "" {
		m.said[o.Memo] = o.Remember(key)
	}
}

// bench is a runner over one repository, with the rule-driven models behind the gateway.
type bench struct {
	t       *testing.T
	kind    string
	dir     string
	repo    string
	author  *rulemodel.Server
	judges  *rulemodel.Server
	memory  *memory
	cfg     attempt.Config
	runner  *attempt.Runner
	limit   fleet.Money
	secrets []string
	tries   int64
	rounds  []fleet.Round // of the last attempt
	budget  *gateway.Budget
}

// newBench makes a repository of the files. faults are what goes wrong with the author's model.
func newBench(t *testing.T, kind string, files map[string]string, faults string) *bench {
	t.Helper()
	b := &bench{t: t, kind: kind, dir: shortDir(t), limit: gateway.NoLimit, memory: &memory{said: map[string]string{}, records: map[string][]byte{}}}
	b.repo = filepath.Join(b.dir, "repo")
	b.git("init", "-q", "-b", "main", b.repo)
	b.commit(files)
	list, err := rulemodel.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	b.author, b.judges = rulemodel.New(rulemodel.Config{Key: modelKey, Lazy: true, Faults: list}), rulemodel.New(rulemodel.Config{Key: modelKey})
	b.open(b.serve)
	return b
}

// modelKey is what the gateway adds, and nobody else sees.
const modelKey = "sk-ant-api03-made-up-Fq2Lz9Xv4Kp1Rt7Wm3Nc6Bd5Hs0Jg2Yu"

// shortDir is a temporary folder whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "att")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sandbox.Remove(dir) })
	return dir
}

// serve sends each model's requests to its own server.
func (b *bench) serve(w http.ResponseWriter, r *http.Request, model string) {
	if model == reviewer {
		b.judges.ServeHTTP(w, r)
	} else {
		b.author.ServeHTTP(w, r)
	}
}

// open makes the runner.
func (b *bench) open(serve func(http.ResponseWriter, *http.Request, string)) {
	t := b.t
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readAll(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var ask struct{ Model string }
		_ = json.Unmarshal(body, &ask)
		serve(w, r, ask.Model)
	}))
	t.Cleanup(server.Close)
	red := redact.New(append(b.secrets, modelKey)...)
	door, err := gateway.New(gateway.Config{Upstreams: map[string]gateway.Upstream{"anthropic": {Kind: gateway.Anthropic, BaseURL: server.URL, Key: modelKey}}, Redactor: red})
	if err != nil {
		t.Fatal(err)
	}
	store, err := git.Open(git.Config{Dir: filepath.Join(b.dir, "mirrors"), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	box, err := sandbox.New(t.Context(), sandbox.Config{Kind: b.kind, Dir: b.dir})
	if err != nil {
		t.Fatalf("missing part: %s: %v", b.kind, err)
	}
	own, err := native.New(native.Config{Format: wire.Messages, Model: author})
	if err != nil {
		t.Fatal(err)
	}
	b.cfg = attempt.Config{
		Git: store, Sandbox: box, Gateway: door, Agents: map[string]agent.Agent{"native": own, "script": script.Agent{}},
		Judge: func(model string, s *gateway.Session) (*judge.Judge, error) {
			c, err := llm.New(llm.Config{Format: wire.Messages, BaseURL: s.URL("anthropic"), HTTP: s.Client()})
			if err != nil {
				return nil, err
			}
			return judge.New(c, judge.Config{Model: reviewer})
		},
		Caches: sandbox.Caches{Dir: filepath.Join(b.dir, "cache")}, WorkDir: filepath.Join(b.dir, "work"), MaxAge: 1,
		Model: author, JudgeModel: reviewer, Redact: red,
	}
	b.runner = attempt.New(b.cfg)
}

func (b *bench) git(args ...string) string {
	b.t.Helper()
	cmd := exec.Command("git", args...)
	if args[0] != "init" {
		cmd.Dir = b.repo
	}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return string(out)
}

func (b *bench) commit(files map[string]string) {
	b.t.Helper()
	for name, text := range files {
		file := filepath.Join(b.repo, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
	b.git("add", "-A", "-f")
	b.git("commit", "-qm", "change")
}

// campaign parses a campaign whose change and what follows it are given.
func (b *bench) campaign(change string) *spec.Campaign {
	b.t.Helper()
	c, err := spec.Parse("c.yaml", []byte("apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: c}\nselect: {where: \"true\"}\n"+change))
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// try makes one attempt.
func (b *bench) try(c *spec.Campaign) attempt.Outcome {
	b.t.Helper()
	out, err := b.attempt(b.t.Context(), c, "")
	if err != nil {
		b.t.Fatalf("the machine is broken: %v", err)
	}
	if left, err := os.ReadDir(b.cfg.WorkDir); err == nil && len(left) > 0 {
		b.t.Errorf("%d folders are left", len(left))
	}
	return out
}

func (b *bench) attempt(ctx context.Context, c *spec.Campaign, feedback string) (attempt.Outcome, error) {
	id := atomic.AddInt64(&b.tries, 1)
	b.rounds = nil
	b.budget = gateway.NewBudget(gateway.BudgetConfig{Name: "attempt", Key: "limits.cost", Limit: b.limit})
	out, err := b.runner.Attempt(ctx, attempt.Order{
		Campaign: c, Target: fleet.Target{ID: 1, Campaign: "c", Component: "component:default/repo", Repository: "repo", Path: "."}, Attempt: fleet.Attempt{ID: id, Number: 1},
		Component:  fleet.Component{Ref: "component:default/repo", Kind: "component", Namespace: "default", Name: "repo", Repository: "repo", Path: "."},
		Repository: fleet.Repository{Name: "repo", URL: b.repo, Forge: "local", DefaultBranch: "main"},
		Memory:     b.memory, Meter: b.budget, Feedback: feedback,
		Round: func(_ context.Context, r fleet.Round) error { b.rounds = append(b.rounds, r); return nil },
	})
	b.memory.keep(out)
	return out, err
}

// requests counts what both models were asked.
func (b *bench) requests() int { return b.author.Requests() + b.judges.Requests() }

// expect checks how an attempt ended and after how many rounds.
func (b *bench) expect(out attempt.Outcome, state fleet.State, reason fleet.Code, rounds int) {
	b.t.Helper()
	if out.State != state || out.Reason != reason || len(b.rounds) != rounds {
		b.t.Fatalf("ended %s %s after %d rounds, want %s %s after %d: %s\n%s\n%s", out.State, out.Reason, len(b.rounds), state, reason, rounds, out.Message, b.told(), out.Records["log"])
	}
}

// told is all the feedback of the last attempt.
func (b *bench) told() string {
	var all []string
	for _, r := range b.rounds {
		all = append(all, fmt.Sprintf("round %d: %s", r.Number, r.Feedback))
	}
	return strings.Join(all, "\n")
}
