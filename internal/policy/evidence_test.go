package policy

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// TestBoundIsThePublishedOne holds the bound against tables that others reckoned.
func TestBoundIsThePublishedOne(t *testing.T) {
	near := func(k, n int, want, within float64) {
		t.Helper()
		if got := Prove(k, n, 0).Lower; math.Abs(got-want) > within {
			t.Errorf("%d of %d: %.7f, want %.7f", k, n, got, want)
		}
	}
	// NIST/SEMATECH e-Handbook, 7.2.4.1: 4 of 20, two-sided 90%: 0.071354 to 0.401029; the last digit is its solver's.
	near(4, 20, 0.071354, 2e-6)
	near(16, 20, 1-0.401029, 2e-6)
	// All of n: the nth root of 0.05.
	near(10, 10, 0.741134, 5e-7)
	near(59, 59, 0.950492, 5e-7)

	// Wilks's sample sizes: so many are the fewest that show a share with 95% confidence when f of them fail.
	for share, sizes := range map[float64][]int{0.95: {59, 93, 124, 153, 181}, 0.90: {29, 46, 61, 76, 89}} {
		for f, n := range sizes {
			if !Prove(n-f, n, share).Open {
				t.Errorf("%v", Prove(n-f, n, share))
			}
			if Prove(n-1-f, n-1, share).Open {
				t.Errorf("%v", Prove(n-1-f, n-1, share))
			}
		}
	}
}

// TestBoundIsExact asks, in rational numbers, whether the tail of the binomial distribution at the bound is alpha.
func TestBoundIsExact(t *testing.T) {
	tail := func(k, n int, p float64) float64 {
		at, one := new(big.Float).SetPrec(200).SetFloat64(p), big.NewFloat(1)
		rest := new(big.Float).SetPrec(200).Sub(one, at)
		power := func(x *big.Float, n int) *big.Float {
			y := new(big.Float).SetPrec(200).SetInt64(1)
			for range n {
				y.Mul(y, x)
			}
			return y
		}
		sum := new(big.Float).SetPrec(200)
		for i := k; i <= n; i++ {
			term := new(big.Float).SetPrec(200).SetInt(new(big.Int).Binomial(int64(n), int64(i)))
			sum.Add(sum, term.Mul(term, power(at, i)).Mul(term, power(rest, n-i)))
		}
		got, _ := sum.Float64()
		return got
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 150).Draw(t, "n")
		k := rapid.IntRange(1, n).Draw(t, "k")
		p := Prove(k, n, 0).Lower
		if got := tail(k, n, p); math.Abs(got-0.05) > 1e-10 {
			t.Fatalf("%d of %d: at %v the tail is %v", k, n, p, got)
		}
	})
}

func TestEvidence(t *testing.T) {
	for want, e := range map[string]Evidence{
		"41 of 42 merged unchanged; lower 95% bound 0.891, threshold 0.9":               Prove(41, 42, 0.9),
		"0 of 0 merged unchanged; lower 95% bound 0.000, threshold 0.9":                 Prove(0, 0, 0.9),
		"5 of 5 merged unchanged; lower 95% bound 0.549, threshold 0.95":                Prove(9, 5, 0.95),
		"0 of 0 merged unchanged; lower 95% bound 0.000, threshold 0.5":                 Prove(-1, -5, 0.5),
		"99000 of 100000 merged unchanged; lower 95% bound 0.989, threshold 0.99":       Prove(99_000, 100_000, 0.99),
		"999999 of 1000000 merged unchanged; lower 95% bound 0.999, threshold 0.999999": Prove(999_999, 1_000_000, 0.999999),
	} {
		if got := e.String(); got != want || e.Open {
			t.Errorf("\n got %s, open %v\nwant %s", got, e.Open, want)
		}
	}
	if !Prove(0, 0, 0).Open {
		t.Error("a threshold of 0 asks for no evidence")
	}
	if Prove(1000, 1000, 1).Open || Prove(1000, 1000, math.NaN()).Open {
		t.Error("nothing shows a share of 1")
	}
}

// TestEvidenceIsMonotone: another one merged unchanged never closes what is open, another one that was not never opens it.
func TestEvidenceIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 5000).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "k")
		e := Prove(k, n, 0.9)
		good, bad := Prove(k+1, n+1, 0.9), Prove(k, n+1, 0.9)
		if good.Lower < e.Lower || bad.Lower > e.Lower || e.Lower < 0 || n > 0 && e.Lower >= float64(max(k, 1))/float64(n) {
			t.Fatalf("%v then %v or %v", e, good, bad)
		}
	})
}
