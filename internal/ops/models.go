package ops

import (
	"net/http"
	"strings"

	"gaggle/internal/agent"
	"gaggle/internal/agent/claude"
	"gaggle/internal/agent/native"
	"gaggle/internal/agent/script"
	"gaggle/internal/fleet"
	"gaggle/internal/gateway"
	"gaggle/internal/judge"
	"gaggle/internal/llm"
	"gaggle/internal/llm/wire"
)

// Endpoint is where a provider's models are asked.
type Endpoint struct {
	URL  string // base URL
	Key  string // "" when the endpoint wants none
	Free bool   // its models cost nothing: a local endpoint
}

// Models says how models are reached. A zero Endpoint is not set up.
type Models struct {
	Anthropic Endpoint
	OpenAI    Endpoint // also any compatible one
	Model     string   // of agents, where the campaign names none
	Judge     string   // of the judge, where the campaign names none; should be another one than Model
}

// Models when nothing is named.
const (
	DefaultAnthropicModel = "claude-sonnet-4-5"
	DefaultAnthropicJudge = "claude-opus-4-5"
	DefaultOpenAIModel    = "gpt-5.1-codex"
	DefaultOpenAIJudge    = "gpt-5.1"
)

// ModelsFromEnvironment reads ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL, OPENAI_API_KEY, OPENAI_BASE_URL, GAGGLE_MODEL and
// GAGGLE_JUDGE_MODEL. An endpoint on this machine needs no key and costs nothing.
func ModelsFromEnvironment(env func(string) string) Models {
	read := func(name, url string) Endpoint {
		e := Endpoint{URL: env(name + "_BASE_URL"), Key: env(name + "_API_KEY")}
		if e.URL == "" && e.Key != "" {
			e.URL = url
		}
		e.Free = strings.HasPrefix(e.URL, "http://127.0.0.1") || strings.HasPrefix(e.URL, "http://localhost") || strings.HasPrefix(e.URL, "http://[::1]")
		return e
	}
	m := Models{Anthropic: read("ANTHROPIC", "https://api.anthropic.com"), OpenAI: read("OPENAI", "https://api.openai.com/v1"), Model: env("GAGGLE_MODEL"), Judge: env("GAGGLE_JUDGE_MODEL")}
	switch {
	case m.Anthropic.URL != "":
		m.Model, m.Judge = or(m.Model, DefaultAnthropicModel), or(m.Judge, DefaultAnthropicJudge)
	case m.OpenAI.URL != "":
		m.Model, m.Judge = or(m.Model, DefaultOpenAIModel), or(m.Judge, DefaultOpenAIJudge)
	}
	return m
}

// Ready says whether any endpoint is set up.
func (m Models) Ready() bool { return m.Anthropic.URL != "" || m.OpenAI.URL != "" }

func (m Models) secrets() []string {
	var all []string
	for _, e := range []Endpoint{m.Anthropic, m.OpenAI} {
		if e.Key != "" {
			all = append(all, e.Key)
		}
	}
	return all
}

func (m Models) upstreams() map[string]gateway.Upstream {
	up := map[string]gateway.Upstream{}
	if m.Anthropic.URL != "" {
		up["anthropic"] = gateway.Upstream{Kind: gateway.Anthropic, BaseURL: m.Anthropic.URL, Key: m.Anthropic.Key, Free: m.Anthropic.Free}
	}
	if m.OpenAI.URL != "" {
		up["openai"] = gateway.Upstream{Kind: gateway.OpenAI, BaseURL: m.OpenAI.URL, Key: m.OpenAI.Key, Free: m.OpenAI.Free}
	}
	return up
}

// upstreamOf names the endpoint that has the model.
func (m Models) upstreamOf(model string) (string, wire.Format, error) {
	switch {
	case m.Anthropic.URL != "" && (strings.HasPrefix(model, "claude") || m.OpenAI.URL == ""):
		return "anthropic", wire.Messages, nil
	case m.OpenAI.URL != "":
		return "openai", wire.Chat, nil
	}
	return "", "", &fleet.Error{Code: fleet.CodeNotReady, Message: "no model is set up", Hint: "set ANTHROPIC_API_KEY or OPENAI_API_KEY, or OPENAI_BASE_URL for a local endpoint; judge.mode: off does without"}
}

// judge makes a judge that asks through an attempt's session.
func (m Models) judge(model string, s *gateway.Session) (*judge.Judge, error) {
	model = or(model, m.Judge)
	name, format, err := m.upstreamOf(model)
	if err != nil {
		return nil, err
	}
	return m.judgeOver(model, format, s.URL(name), s.Client())
}

func (m Models) judgeOver(model string, format wire.Format, url string, client *http.Client) (*judge.Judge, error) {
	c, err := llm.New(llm.Config{Format: format, BaseURL: url, HTTP: client})
	if err != nil {
		return nil, err
	}
	return judge.New(c, judge.Config{Model: model})
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// agents lists the drivers of this machine.
func (m Models) agents() ([]agent.Agent, error) {
	upstream, format, err := m.upstreamOf(m.Model)
	if err != nil {
		upstream, format = "anthropic", wire.Messages // the gateway says what is missing when a model is asked for
	}
	own, err := native.New(native.Config{Format: format, Upstream: upstream, Model: m.Model})
	if err != nil {
		return nil, err
	}
	return []agent.Agent{script.Agent{}, own, claude.New(claude.Config{Model: m.Model})}, nil
}
