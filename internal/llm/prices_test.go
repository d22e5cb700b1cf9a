package llm

import (
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/llm/wire"
)

func TestPrices(t *testing.T) {
	p, err := ShippedPrices()
	if err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]string{
		"claude-sonnet-4-5": "claude-sonnet-4-5", "claude-sonnet-4-5-20250929": "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5": "claude-sonnet-4-5",
		"claude-opus-4-1[1m]": "claude-opus-4-1", "gpt-5-2025-08-07": "gpt-5", "openai/gpt-5-mini": "gpt-5-mini", "models/gemini-2.5-pro": "gemini-2.5-pro",
		"gpt-5-turbo": "", "claude": "", "": "", "/": "", "claude-sonnet-4-5-evil": "", "gpt-5.1-2025": "", "my-gpt-5": "",
	} {
		if got, ok := p.Find(model); got.Model != want || ok != (want != "") {
			t.Errorf("Find(%q) = %q %v", model, got.Model, ok)
		}
	}
	for _, model := range p.Models() {
		l := p.of[model]
		if l.Output.Money < l.Input.Money || l.Context < 1000 || l.MaxOutput < 1000 || !strings.HasPrefix(l.Source, "https://") || len(l.Date) != 10 {
			t.Errorf("%+v", l)
		}
		if l.CacheRead.or(l.Input).Money > l.Input.Money || l.Long != nil && (l.Long.Input.Money < l.Input.Money || l.Long.Output.Money < l.Output.Money) {
			t.Errorf("%s: cached costs more than fresh, or long less than short", model)
		}
	}
}

func TestCost(t *testing.T) {
	p, _ := ShippedPrices()
	sonnet, _ := p.Find("claude-sonnet-4-5")
	for want, u := range map[fleet.Money]wire.Usage{
		0:                  {},
		3:                  {Tokens: fleet.Tokens{Input: 1}},
		1:                  {Tokens: fleet.Tokens{CacheRead: 1}}, // 0.3 rounds up
		300:                {Tokens: fleet.Tokens{CacheRead: 1000}},
		3750:               {Tokens: fleet.Tokens{CacheWrite: 1000}},
		6000:               {Tokens: fleet.Tokens{CacheWrite: 1000}, CacheWriteLong: 1000},
		18_000:             {Tokens: fleet.Tokens{Input: 1000, Output: 1000}},
		600_000:            {Tokens: fleet.Tokens{Input: 200_000}},
		1_200_006 + 22_500: {Tokens: fleet.Tokens{Input: 200_001, Output: 1000}},
	} {
		if got := sonnet.Cost(u); got != want {
			t.Errorf("%+v costs %d, want %d", u, got, want)
		}
		if most := sonnet.Most(u.Input+u.CacheRead+u.CacheWrite, u.Output); most < want {
			t.Errorf("%+v may cost %d but at most %d", u, want, most)
		}
	}
	top := Price{Rates: Rates{Input: amount{10_000 * fleet.Dollar, true}, Output: amount{10_000 * fleet.Dollar, true}}}
	if got := top.Most(1<<27, 1<<27); got <= 0 {
		t.Errorf("the dearest request overflows: %d", got)
	}
}

func TestPriceTables(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON": "x", "unknown key": `{"prices":[{"model":"m","input":"1","output":"1","date":"d","source":"s","inptu":"1"}]}`,
		"a number": `{"prices":[{"model":"m","input":1,"output":"1","date":"d","source":"s"}]}`, "no output": `{"prices":[{"model":"m","input":"1","date":"d","source":"s"}]}`,
		"negative": `{"prices":[{"model":"m","input":"-1","output":"1","date":"d","source":"s"}]}`, "no date": `{"prices":[{"model":"m","input":"1","output":"1","source":"s"}]}`,
		"twice":  `{"prices":[{"model":"m","input":"1","output":"1","date":"d","source":"s"},{"model":"m","input":"1","output":"1","date":"d","source":"s"}]}`,
		"absurd": `{"prices":[{"model":"m","input":"10001","output":"1","date":"d","source":"s"}]}`, "no model": `{"prices":[{"input":"1","output":"1","date":"d","source":"s"}]}`,
		"half a long price": `{"prices":[{"model":"m","input":"1","output":"1","date":"d","source":"s","long":{"above":5,"input":"1"}}]}`,
	} {
		if _, err := readPrices("prices.json", []byte(text)); fleet.CodeOf(err) != fleet.CodeInvalid || fleet.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
