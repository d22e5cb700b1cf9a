package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/llm"
)

// never is a provider that must not be asked.
func never(t *testing.T) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the provider was asked for %s %s", r.Method, r.URL)
	}
}

func TestOnlyKnownPathsPass(t *testing.T) {
	w := start(t, never(t), nil)
	for _, c := range []string{
		"POST /v1/messages", "POST /anthropic/v1/messages/batches", "POST /anthropic/v1/files", "GET /anthropic/v1/messages", "DELETE /anthropic/v1/models/x",
		"POST /anthropic/v1/complete", "POST /openai/v1/responses/resp_1/cancel", "GET /openai/v1/responses/resp_1", "POST /openai/v1/embeddings", "POST /openai/chat/completions",
		"POST /anthropic/v1/chat/completions", "POST /openai/v1/messages", "GET /anthropic/v1/models/a%2Fb", "GET /anthropic/v1/models/..", "GET /anthropic/v1/models/a/b",
		"POST /anthropic/v1/messages/", "POST /anthropic//v1/messages", "POST /anthropic/v1/%6dessages", "POST /nobody/v1/messages", "POST /anthropic/../openai/v1/responses", "GET /anthropic/v1/organizations",
	} {
		method, path, _ := strings.Cut(c, " ")
		req, err := http.NewRequest(method, "http://gateway"+path, strings.NewReader(kinds[0].body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusNotFound || !json.Valid(body) {
			t.Errorf("%s: %s %s", c, res.Status, body)
		}
	}
	if err := w.session.Trouble(); err != nil {
		t.Errorf("a stray request is trouble: %v", err)
	}
}

func TestFreeEndpoints(t *testing.T) {
	w := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") != plantedKey && r.Header.Get("Authorization") != "Bearer "+plantedKey {
			t.Errorf("no key for %s", r.URL)
		}
		switch r.URL.String() {
		case "/v1/messages/count_tokens?beta=true":
			io.WriteString(w, `{"input_tokens":7}`)
		case "/v1/models", "/v1/models?limit=5":
			io.WriteString(w, `{"data":[{"id":"claude-sonnet-4-5","x":1},{"id":"secret-model"}]}`)
		case "/v1/models/claude-sonnet-4-5":
			io.WriteString(w, `{"id":"claude-sonnet-4-5"}`)
		default:
			t.Errorf("asked for %s", r.URL)
		}
	}, func(_ *Config, s *SessionConfig) { s.Models = []string{"claude-sonnet-4-5"} })
	if _, got := w.post(t, "/anthropic/v1/messages/count_tokens?beta=true&x=1", kinds[0].body); got != `{"input_tokens":7}` {
		t.Error(got)
	}
	for path, want := range map[string]string{
		"/anthropic/v1/models?limit=5&evil=1":    `{"object":"list","has_more":false,"data":[{"id":"claude-sonnet-4-5","x":1}]}`,
		"/openai/v1/models":                      `{"object":"list","has_more":false,"data":[{"id":"claude-sonnet-4-5","x":1}]}`,
		"/anthropic/v1/models/claude-sonnet-4-5": `{"id":"claude-sonnet-4-5"}`,
		"/":                                      "gaggle gateway\n",
	} {
		res, err := w.client.Get("http://gateway" + path)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if string(got) != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	if w.budget.Spent() != 0 {
		t.Errorf("spent %s", w.budget.Spent())
	}
}

func TestRefusals(t *testing.T) {
	w := start(t, never(t), func(_ *Config, s *SessionConfig) {
		s.Models = []string{"claude-sonnet-4-5", "gpt-4.1", "gpt-unheard-of"}
		s.MaxRequest = 10_000
	})
	for name, c := range map[string]struct {
		path, body string
		status     int
		code       fleet.Code
	}{
		"another model":             {"/anthropic/v1/messages", `{"model":"claude-opus-4-5"}`, 404, fleet.CodePolicy},
		"a model twice":             {"/anthropic/v1/messages", `{"model":"claude-sonnet-4-5","model":"claude-opus-4-5"}`, 400, fleet.CodeInvalid},
		"no price":                  {"/openai/v1/chat/completions", `{"model":"gpt-unheard-of"}`, 404, fleet.CodePolicy},
		"web search":                {"/anthropic/v1/messages", `{"model":"claude-sonnet-4-5","tools":[{"type":"web_search_20250305"}]}`, 400, fleet.CodePolicy},
		"web fetch":                 {"/anthropic/v1/messages/count_tokens", `{"model":"claude-sonnet-4-5","tools":[{"type":"web_fetch_20250910"}]}`, 400, fleet.CodePolicy},
		"image by URL":              {"/openai/v1/chat/completions", `{"model":"gpt-4.1","messages":[{"content":[{"type":"image_url","image_url":{"url":"https://evil.example/?data"}}]}]}`, 400, fleet.CodePolicy},
		"another tier":              {"/openai/v1/responses", `{"model":"gpt-4.1","service_tier":"priority"}`, 400, fleet.CodePolicy},
		"not JSON":                  {"/openai/v1/responses", `hello`, 400, fleet.CodeInvalid},
		"nothing":                   {"/openai/v1/responses", ``, 400, fleet.CodeInvalid},
		"too long":                  {"/openai/v1/responses", `{"model":"gpt-4.1","input":"` + strings.Repeat("x", 10_000) + `"}`, 413, fleet.CodeInvalid},
		"a free model, not allowed": {"/local/v1/chat/completions", `{"model":"qwen"}`, 404, fleet.CodePolicy},
	} {
		res, body := w.post(t, c.path, c.body)
		if res.StatusCode != c.status || fleet.Code(res.Header.Get(llm.CodeHeader)) != c.code || res.Header.Get("X-Should-Retry") != "false" {
			t.Errorf("%s: %s %v %s", name, res.Status, res.Header, body)
		}
		var shape struct {
			Type  string `json:"type"`
			Error struct{ Type, Message string }
		}
		if err := json.Unmarshal([]byte(body), &shape); err != nil || !strings.HasPrefix(shape.Error.Message, "gaggle: ") || (shape.Type == "error") != strings.HasPrefix(c.path, "/anthropic") {
			t.Errorf("%s: not in the provider's form: %s", name, body)
		}
	}
	if w.budget.Spent() != 0 || len(w.transcript.entries(t)) != 11 {
		t.Errorf("spent %s, %d lines", w.budget.Spent(), len(w.transcript.entries(t)))
	}
}

func TestFreeEndpointsNeedNoPrice(t *testing.T) {
	w := start(t, streams(chatReply), func(_ *Config, s *SessionConfig) {
		s.Meter = NewBudget(BudgetConfig{Name: "attempt", Limit: 0})
	})
	if res, got := w.post(t, "/local/v1/chat/completions", `{"model":"qwen3-coder","stream":true,"messages":[],"service_tier":"priority"}`); res.StatusCode != 200 {
		t.Error(got)
	}
	e := w.transcript.entries(t)[0]
	if e.Cost != 0 || e.Tokens.Output != 100 {
		t.Errorf("%+v", e)
	}
	if res, got := w.post(t, kinds[0].path, kinds[0].body); res.StatusCode != 400 || fleet.CodeOf(w.session.Trouble()) != fleet.CodeBudget {
		t.Errorf("what costs went through: %s", got)
	}
}

func TestHeaders(t *testing.T) {
	var got http.Header
	w := start(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Request-Id", "req_1")
		w.Header().Set("Anthropic-Ratelimit-Requests-Remaining", "5")
		w.Header().Set("X-Echo", plantedKey)
		w.Header().Set("Set-Cookie", "session=1")
		w.Header().Set("Anthropic-Organization-Id", "org")
		w.Header().Set("X-Request-Id", "about "+plantedKey)
		w.Header().Set(llm.CodeHeader, "budget")
		io.WriteString(w, `{"type":"message","content":[],"usage":{"input_tokens":50,"output_tokens":1}}`)
	}, func(c *Config, _ *SessionConfig) {
		u := c.Upstreams["anthropic"]
		u.Header = map[string]string{"X-Tenant": "tenant-secret"}
		c.Upstreams["anthropic"] = u
	})
	req, _ := http.NewRequest(http.MethodPost, "http://gateway"+kinds[0].path, strings.NewReader(kinds[0].body))
	for name, value := range map[string]string{
		"X-Api-Key": "stolen", "Authorization": "Bearer stolen", "Api-Key": "stolen", "X-Goog-Api-Key": "stolen", "Cookie": "stolen", "Proxy-Authorization": "stolen",
		"Openai-Organization": "stolen", "Openai-Project": "stolen", "X-Forwarded-For": "stolen", "Forwarded": "stolen", "X-Tenant": "stolen", "X-Evil": "stolen",
		"Anthropic-Beta": "interleaved-thinking-2025-05-14", "Anthropic-Version": "2023-06-01", "User-Agent": "claude-cli/2.1", "X-Stainless-Lang": "js", "Accept": "application/json",
		"Connection": "X-Evil",
	} {
		req.Header.Set(name, value)
	}
	res, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if text := fmt.Sprint(got); strings.Contains(text, "stolen") {
		t.Errorf("passed on: %v", got)
	}
	for name, want := range map[string]string{"X-Api-Key": plantedKey, "X-Tenant": "tenant-secret", "Anthropic-Beta": "interleaved-thinking-2025-05-14", "User-Agent": "claude-cli/2.1", "X-Stainless-Lang": "js"} {
		if got.Get(name) != want {
			t.Errorf("%s is %q", name, got.Get(name))
		}
	}
	for name, want := range map[string]string{"Request-Id": "req_1", "Anthropic-Ratelimit-Requests-Remaining": "5", "X-Echo": "", "Set-Cookie": "", "Anthropic-Organization-Id": "", llm.CodeHeader: "", "X-Request-Id": "about [redacted]"} {
		if res.Header.Get(name) != want {
			t.Errorf("the client sees %s: %q", name, res.Header.Get(name))
		}
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	for name, u := range map[string]Upstream{
		"a": {Kind: Anthropic, BaseURL: "api.anthropic.com"}, "b": {Kind: Anthropic, BaseURL: "https://user:pass@host"}, "c": {Kind: "other", BaseURL: "https://host"},
		"d": {Kind: OpenAI, BaseURL: "ftp://host"}, "e/f": {Kind: OpenAI, BaseURL: "https://host"}, "": {Kind: OpenAI, BaseURL: "https://host"}, "g": {Kind: OpenAI, BaseURL: "https://host/?key=x"},
	} {
		if _, err := New(Config{Upstreams: map[string]Upstream{name: u}}); fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Errorf("%+v: %v", u, err)
		} else if strings.Contains(err.Error(), "pass") {
			t.Error(err)
		}
	}
	g, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Open(t.Context(), SessionConfig{}); err == nil {
		t.Error("a session without a meter was opened")
	}
	for _, host := range []string{"", "*", "*.", "*.com", "http://x", "x/y", "x:0", "x:99999", "x y", "ex\x00ample.com", "exämple.com"} {
		if _, err := g.Open(t.Context(), SessionConfig{Meter: NewBudget(BudgetConfig{}), Egress: []string{host}}); fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Errorf("egress to %q: %v", host, err)
		}
	}
}
