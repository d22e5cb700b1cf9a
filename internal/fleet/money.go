package fleet

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Money is an amount of US dollars in millionths (micro-dollars). There is one currency, so two amounts always add.
type Money int64

// Dollar is one US dollar.
const Dollar Money = 1_000_000

// ParseMoney reads "0.80", "$12" or "200" as US dollars; at most six decimals, never negative.
func ParseMoney(text string) (Money, error) {
	bad := func(why string) (Money, error) {
		return 0, &Error{Code: CodeInvalid, Message: fmt.Sprintf("%q is not an amount of money: %s", text, why), Hint: `write US dollars such as 0.80 or "12.50"`}
	}
	s := strings.TrimPrefix(strings.TrimSpace(text), "$")
	whole, frac, _ := strings.Cut(s, ".")
	if s == "" || len(frac) > 6 {
		return bad("at most six decimals")
	}
	if whole == "" {
		whole = "0"
	}
	w, err := strconv.ParseUint(whole, 10, 63)
	if err != nil || w > math.MaxInt64/uint64(Dollar)-1 {
		return bad("not a number of that size")
	}
	f := uint64(0)
	if frac != "" {
		f, err = strconv.ParseUint((frac + "000000")[:6], 10, 32)
		if err != nil {
			return bad("not a number")
		}
	}
	return Money(w*uint64(Dollar) + f), nil
}

// String renders dollars with two decimals, or up to six where two would hide the amount: "$0.80", "$0.000125".
func (m Money) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	whole, frac := m/Dollar, m%Dollar
	digits := fmt.Sprintf("%06d", int64(frac))
	if m >= Dollar/100 || m == 0 {
		cents := (frac + 5_000) / 10_000
		if cents == 100 {
			whole, cents = whole+1, 0
		}
		return fmt.Sprintf("%s$%d.%02d", sign, int64(whole), int64(cents))
	}
	return sign + "$" + strconv.FormatInt(int64(whole), 10) + "." + strings.TrimRight(digits, "0")
}

// Tokens counts what one model read and wrote, by the four kinds that providers price apart. Input excludes cached tokens.
type Tokens struct {
	Input      int64 `json:"input"`
	Output     int64 `json:"output"`
	CacheRead  int64 `json:"cacheRead,omitempty"`
	CacheWrite int64 `json:"cacheWrite,omitempty"`
}

// Add returns the sum of two counts of the same model.
func (t Tokens) Add(u Tokens) Tokens {
	return Tokens{t.Input + u.Input, t.Output + u.Output, t.CacheRead + u.CacheRead, t.CacheWrite + u.CacheWrite}
}

// Total is the number of tokens of all kinds.
func (t Tokens) Total() int64 { return t.Input + t.Output + t.CacheRead + t.CacheWrite }

// Usage is what calls to models came to, by model.
type Usage struct {
	Calls  int               `json:"calls"`
	Models map[string]Tokens `json:"models,omitempty"`
	Cost   Money             `json:"cost"` // micro-dollars
}

// Charge adds one call to the usage.
func (u *Usage) Charge(model string, t Tokens, cost Money) {
	if u.Models == nil {
		u.Models = map[string]Tokens{}
	}
	u.Calls++
	u.Models[model] = u.Models[model].Add(t)
	u.Cost += cost
}

// Merge adds another usage, model by model.
func (u *Usage) Merge(v Usage) {
	u.Calls += v.Calls
	u.Cost += v.Cost
	for model, t := range v.Models {
		if u.Models == nil {
			u.Models = map[string]Tokens{}
		}
		u.Models[model] = u.Models[model].Add(t)
	}
}

// Tokens sums over all models, for display only: tokens of two models do not cost the same.
func (u Usage) Tokens() Tokens {
	var sum Tokens
	for _, t := range u.Models {
		sum = sum.Add(t)
	}
	return sum
}
