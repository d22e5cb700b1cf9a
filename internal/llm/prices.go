package llm

import (
	_ "embed"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/llm/wire"
)

//go:embed prices.json
var shipped []byte

// Rates are prices of a million tokens. A kind of cached token without a price costs what input costs.
type Rates struct {
	Input          amount `json:"input"`
	Output         amount `json:"output"`
	CacheRead      amount `json:"cacheRead"`
	CacheWrite     amount `json:"cacheWrite"`
	CacheWriteLong amount `json:"cacheWriteLong"` // kept for an hour
}

// Price is what one model costs.
type Price struct {
	Model string `json:"model"` // the name without a date
	Rates
	Long *struct {
		Above int64 `json:"above"` // input tokens of all kinds
		Rates
	} `json:"long"` // the rates of the whole request when its input is longer; nil when there are none
	Context   int64  `json:"context"`   // the most tokens of input
	MaxOutput int64  `json:"maxOutput"` // the most tokens of output
	Date      string `json:"date"`      // when the source said so
	Source    string `json:"source"`
}

// amount is Money written as a JSON string such as "0.25".
type amount struct {
	fleet.Money
	set bool
}

func (a *amount) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return fleet.Errorf(fleet.CodeInvalid, "a price is not a string such as \"0.25\"")
	}
	m, err := fleet.ParseMoney(s)
	if err != nil {
		return err
	}
	if m > 10_000*fleet.Dollar {
		return fleet.Errorf(fleet.CodeInvalid, "%s for a million tokens is no price", m)
	}
	*a = amount{m, true}
	return nil
}

// Prices is a table of prices by model.
type Prices struct{ of map[string]Price }

// ShippedPrices returns the table that comes with the program.
func ShippedPrices() (*Prices, error) { return readPrices("prices.json", shipped) }

func readPrices(file string, text []byte) (*Prices, error) {
	bad := func(format string, args ...any) error {
		e := fleet.Errorf(fleet.CodeInvalid, format, args...)
		e.File, e.Hint = file, `write {"prices": [{"model": "m", "input": "3", "output": "15", "date": "2026-11-22", "source": "…"}]}, in US dollars a million tokens`
		return e
	}
	var table struct {
		Note   string  `json:"note"`
		Prices []Price `json:"prices"`
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&table); err != nil {
		return nil, bad("not a price table: %w", err)
	}
	p := &Prices{map[string]Price{}}
	for _, line := range table.Prices {
		_, twice := p.of[line.Model]
		switch {
		case line.Model == "":
			return nil, bad("a price names no model")
		case twice:
			return nil, bad("%s has two prices", line.Model)
		case !line.Input.set || !line.Output.set:
			return nil, bad("%s lacks the price of input or of output", line.Model)
		case line.Date == "" || line.Source == "":
			return nil, bad("the price of %s lacks its date or its source", line.Model)
		case line.Long != nil && (line.Long.Above <= 0 || !line.Long.Input.set || !line.Long.Output.set):
			return nil, bad("the long rates of %s lack their beginning or a price", line.Model)
		}
		p.of[line.Model] = line
	}
	return p, nil
}

var dated = regexp.MustCompile(`(?:-latest|-\d{8}|-\d{4}-\d{2}-\d{2}|@\d{8}|\[1m\])$`)

// Find returns the price of a model: of that very name, or of the name without a date, "-latest" or the provider in
// front. No other likeness counts: a model without a price has none.
func (p *Prices) Find(model string) (Price, bool) {
	for _, name := range []string{model, model[strings.LastIndexByte(model, '/')+1:]} {
		for name != "" {
			if found, ok := p.of[name]; ok {
				return found, true
			}
			shorter := dated.ReplaceAllString(name, "")
			if shorter == name {
				break
			}
			name = shorter
		}
	}
	return Price{}, false
}

// Models lists the models that have a price, sorted.
func (p *Prices) Models() []string { return slices.Sorted(maps.Keys(p.of)) }

// Cost is what a reply costs, rounded up to a millionth of a dollar.
func (p Price) Cost(u wire.Usage) fleet.Money {
	r := p.Rates
	if p.Long != nil && u.Input+u.CacheRead+u.CacheWrite > p.Long.Above {
		r = p.Long.Rates
	}
	long := min(u.CacheWriteLong, u.CacheWrite)
	write := r.CacheWrite.or(r.Input)
	sum := u.Input*int64(r.Input.Money) + u.Output*int64(r.Output.Money) +
		u.CacheRead*int64(r.CacheRead.or(r.Input).Money) +
		(u.CacheWrite-long)*int64(write.Money) + long*int64(r.CacheWriteLong.or(write).Money)
	return fleet.Money((sum + 999_999) / 1_000_000)
}

// Most is the most that a reply can cost for so many tokens of input, of whatever kind, and of output.
func (p Price) Most(input, output int64) fleet.Money {
	most := fleet.Money(0)
	for _, u := range []wire.Usage{
		{Tokens: fleet.Tokens{Input: input, Output: output}},
		{Tokens: fleet.Tokens{CacheWrite: input, Output: output}},
		{Tokens: fleet.Tokens{CacheWrite: input, Output: output}, CacheWriteLong: input},
	} {
		most = max(most, p.Cost(u))
	}
	return most
}

func (a amount) or(b amount) amount {
	if a.set {
		return a
	}
	return b
}
