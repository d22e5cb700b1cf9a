//go:build full

package ops

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/agent/claude"
	"gaggle/internal/fleet"
	"gaggle/internal/rulemodel"
)

// newModels serves the rule-driven model. Requests whose text names a key of faults go to a server with those faults.
func newModels(t *testing.T, faults map[string]string) (Models, *rulemodel.Server) {
	t.Helper()
	sound := rulemodel.New(rulemodel.Config{Key: plantedKey, Lazy: true})
	faulty := map[string]*rulemodel.Server{}
	for name, text := range faults {
		list, err := rulemodel.ParseFaults(text)
		if err != nil {
			t.Fatal(err)
		}
		faulty[name] = rulemodel.New(rulemodel.Config{Key: plantedKey, Faults: list})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		for name, s := range faulty {
			if bytes.Contains(body, []byte(name)) {
				s.ServeHTTP(w, r)
				return
			}
		}
		sound.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return Models{Anthropic: Endpoint{URL: server.URL, Key: plantedKey}, Model: DefaultAnthropicModel, Judge: DefaultAnthropicJudge}, sound
}

// prompted writes a campaign file whose change is a prompt.
func (h *house) prompted(name, agent, more string) string {
	h.t.Helper()
	file := filepath.Join(h.dir, name+".yaml")
	text := "apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: " + name + "}\nselect: {where: \"true\"}\n" +
		"change: {agent: " + agent + ", prompt: \"Replace `hello` with `goodbye` in all Markdown files.\"}\nverify: {auto: false, run: ['test -s README.md', '! grep -q BROKEN README.md']}\n" + more + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return file
}

// One target after the other meets a model that fails in its own way; the others do not notice.
func TestModelsThatFailForOneTarget(t *testing.T) {
	models, sound := newModels(t, map[string]string{"busy-one": "529:*", "broken-one": "nonsense:*", "slow-one": "hang:*", "locked-one": "401:*", "moody-one": "429:2,none:1,500:1"})
	h := newHouse(t, models, "good", "better", "done", "busy-one", "broken-one", "slow-one", "locked-one", "moody-one")
	h.write("done", "README.md", "goodbye\n")
	h.commit("done")
	h.sync()
	file := h.prompted("c", "native", "limits: {minutes: 0.2, attempts: 1}\n"+loose)
	h.run(file)
	h.expect("c", map[string]string{
		"good": "proposed", "better": "proposed", "done": "unchanged", "moody-one": "proposed",
		"busy-one": "failed " + string(fleet.CodeModelBusy), "broken-one": "failed " + string(fleet.CodeModel),
		"slow-one": "failed " + string(fleet.CodeTimeout), "locked-one": "failed " + string(fleet.CodeModel),
	})
	if diff, err := h.ops.Record(t.Context(), TargetInput{Campaign: "c", Component: "good"}, "transcript"); err != nil || !strings.Contains(string(diff), `"kind":"model"`) {
		t.Errorf("transcript of %d bytes, %v", len(diff), err)
	}
	// Running again asks for nothing that is known.
	asked := sound.Requests()
	h.run(file)
	if n := sound.Requests(); n != asked {
		t.Errorf("%d requests, then %d", asked, n)
	}
	// Nor does another campaign run of the same change: its result is remembered.
	if _, err := h.ops.Rerun(t.Context(), SelectInput{Campaign: "c", Components: []string{"done"}}); err != nil {
		t.Fatal(err)
	}
	h.run(file)
	if n := sound.Requests(); n != asked {
		t.Errorf("the result of an equal attempt was paid for again: %d requests, then %d", asked, n)
	}
	h.expect("c", map[string]string{"done": "unchanged"})
}

// The campaign stops when its money is spent, by at most the replies in flight, and says so; with more it goes on.
func TestTheCampaignsMoneyRunsOut(t *testing.T) {
	models, _ := newModels(t, nil)
	h := newHouse(t, models, "a", "b", "c", "d", "e", "f")
	h.run(h.prompted("whole", "native", "")) // what it costs
	whole := h.spent("whole")
	if whole <= 0 {
		t.Fatalf("spent %v", whole)
	}
	limit := whole / 3
	more := func(m fleet.Money) string {
		return "limits: {parallel: 1, campaignCost: " + strings.TrimPrefix(m.String(), "$") + "}\n" + loose
	}
	file := h.prompted("some", "native", strings.Replace(more(limit), "limits:", "pullRequest: {title: other}\nlimits:", 1))
	// Another prompt, or all would be remembered.
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(data, []byte("goodbye"), []byte("farewell"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	h.run(file)
	status, err := h.ops.Status(t.Context(), StatusInput{Campaign: "some"})
	if err != nil {
		t.Fatal(err)
	}
	row := status.Campaigns[0]
	t.Logf("whole %v, limit %v: %s %s %s, spent %v, %v", whole, limit, row.State, row.Reason, row.Message, row.Spent, row.States)
	if row.State != fleet.CampaignPaused || row.Reason != fleet.CodeBudget {
		t.Errorf("%s %s: %s", row.State, row.Reason, row.Message)
	}
	if row.Spent > limit+whole/6 || row.States[fleet.Proposed] == 0 || row.States[fleet.Proposed] == 6 {
		t.Errorf("spent %v of %v, %v", row.Spent, limit, row.States)
	}
}

func (h *house) spent(campaign string) fleet.Money {
	h.t.Helper()
	status, err := h.ops.Status(h.t.Context(), StatusInput{Campaign: campaign})
	if err != nil {
		h.t.Fatal(err)
	}
	return status.Campaigns[0].Spent
}

// installClaude puts Claude Code on the path.
func installClaude(t *testing.T) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(cache, "gaggle", "agents", "claude-"+claude.Tested, "node_modules", "@anthropic-ai", "claude-code-*", "claude"))
	if err != nil || len(found) == 0 {
		t.Fatal("missing part: Claude Code; go test -tags full ./internal/agent/claude installs it, as go run ./ci does first")
	}
	t.Setenv("PATH", filepath.Dir(found[0])+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// Claude Code itself, as the tests of its driver have installed it.
func TestClaudeRunsACampaign(t *testing.T) {
	installClaude(t)
	models, _ := newModels(t, nil)
	h := newHouse(t, models, "one", "two")
	h.write("two", ".claude/settings.json", `{"hooks":{"SessionStart":[{"hooks":[{"type":"command","command":"echo hooked >> README.md"}]}]}}`)
	h.commit("two")
	h.sync()
	h.run(h.prompted("c", "claude", loose))
	h.expect("c", map[string]string{"one": "proposed", "two": "proposed"})
	for _, name := range []string{"one", "two"} {
		if diff, err := h.ops.Diff(t.Context(), TargetInput{Campaign: "c", Component: name}); err != nil || !strings.Contains(string(diff), "+goodbye "+name) || strings.Contains(string(diff), "hooked") {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}
