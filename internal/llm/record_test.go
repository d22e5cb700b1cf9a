package llm

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/llm/wire"
	"gaggle/internal/redact"
)

func TestWhatIsRecordedIsReplayed(t *testing.T) {
	dir, secrets := t.TempDir(), redact.New("planted-secret-value")
	say := func(text string) answer {
		return ok(`{"type":"message","content":[{"type":"text","text":"` + text + `"}]}`)
	}
	s, _ := ask(t, wire.Messages, say("one"), say("two planted-secret-value"), say("three"))
	use := func(rt http.RoundTripper, base string) []string {
		client, err := New(Config{Format: wire.Messages, BaseURL: base, Key: testKey, HTTP: &http.Client{Transport: rt}, Retries: -1})
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, prompt := range []string{"a planted-secret-value", "a planted-secret-value", "b"} {
			res, err := client.Complete(context.Background(), Request{Model: "m", Messages: []Message{Say(User, prompt)}})
			if err != nil {
				t.Fatal(err)
			}
			said = append(said, res.Text())
		}
		return said
	}
	live := use(Record(dir, http.DefaultTransport, secrets), s.server.URL)
	again := use(Replay(dir, secrets), "http://elsewhere.invalid")
	if strings.Join(live, ",") != "one,two planted-secret-value,three" || strings.Join(again, ",") != "one,two "+redact.Mark+",three" {
		t.Errorf("live %v, again %v", live, again)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(files) != 3 {
		t.Errorf("%d files", len(files))
	}
	for _, f := range files {
		text, _ := os.ReadFile(f)
		if strings.Contains(string(text), "planted") || strings.Contains(string(text), testKey) {
			t.Errorf("%s holds a secret", f)
		}
	}
	client, _ := New(Config{Format: wire.Messages, HTTP: &http.Client{Transport: Replay(dir, secrets)}, BaseURL: "http://x.invalid", Retries: -1})
	if _, err := client.Complete(context.Background(), Request{Model: "other"}); err == nil || !strings.Contains(err.Error(), "no recording") {
		t.Error(err)
	}
}

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

func TestPriceFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "prices.json")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"prices":[{"model":"mine","input":"1","output":"2","date":"2026-11-22","source":"contract"},{"model":"gpt-5","input":"9","output":"9","date":"2026-11-22","source":"contract"}]}`)
	p, err := LoadPrices(file)
	if err != nil {
		t.Fatal(err)
	}
	mine, _ := p.Find("mine")
	other, _ := p.Find("gpt-5")
	_, kept := p.Find("claude-opus-4-5")
	if mine.Input.Money != fleet.Dollar || other.Input.Money != 9*fleet.Dollar || !kept {
		t.Errorf("%+v %+v %v", mine, other, kept)
	}
	for name, text := range map[string]string{
		"not JSON": "x", "unknown key": `{"prices":[{"model":"m","input":"1","output":"1","date":"d","source":"s","inptu":"1"}]}`,
		"a number": `{"prices":[{"model":"m","input":1,"output":"1","date":"d","source":"s"}]}`, "no output": `{"prices":[{"model":"m","input":"1","date":"d","source":"s"}]}`,
		"negative": `{"prices":[{"model":"m","input":"-1","output":"1","date":"d","source":"s"}]}`, "no date": `{"prices":[{"model":"m","input":"1","output":"1","source":"s"}]}`,
		"twice":  `{"prices":[{"model":"m","input":"1","output":"1","date":"d","source":"s"},{"model":"m","input":"1","output":"1","date":"d","source":"s"}]}`,
		"absurd": `{"prices":[{"model":"m","input":"10001","output":"1","date":"d","source":"s"}]}`, "no model": `{"prices":[{"input":"1","output":"1","date":"d","source":"s"}]}`,
		"half a long price": `{"prices":[{"model":"m","input":"1","output":"1","date":"d","source":"s","long":{"above":5,"input":"1"}}]}`,
	} {
		write(text)
		if _, err := LoadPrices(file); fleet.CodeOf(err) != fleet.CodeInvalid || fleet.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadPrices(file + ".gone"); fleet.CodeOf(err) != fleet.CodeInvalid {
		t.Error(err)
	}
}
