package policy

import (
	"fmt"
	"math"
	"strconv"
)

// Evidence is what a campaign's pull requests so far say about the next ones: in how many of those that were decided
// people found nothing to change, and what share of all that shows to be merged so, with 95% confidence.
type Evidence struct {
	Unchanged int     `json:"unchanged"` // merged by people, without a person's commit on top, and not reverted
	Decided   int     `json:"decided"`   // merged or closed, reverted ones included
	Lower     float64 `json:"lower"`     // one-sided lower 95% bound of the share
	Threshold float64 `json:"threshold"`
	Open      bool    `json:"open"` // the bound reaches the threshold: merging by itself may begin
}

// alpha is the error that is accepted: in at most this share of campaigns is the true share below the bound.
const alpha = 0.05

// Prove weighs the evidence by Clopper and Pearson's exact bound (Biometrika 26, 1934): the share at which as many
// as these or more would be merged unchanged in 5% of the cases. Counts that cannot be are read as the nearest that can.
func Prove(unchanged, decided int, threshold float64) Evidence {
	decided = max(decided, 0)
	unchanged = min(max(unchanged, 0), decided)
	lower := lowerBound(unchanged, decided)
	return Evidence{Unchanged: unchanged, Decided: decided, Lower: lower, Threshold: threshold, Open: lower >= threshold}
}

// String shows the numbers: "41 of 42 merged unchanged; lower 95% bound 0.892, threshold 0.9".
func (e Evidence) String() string {
	// Rounded down, so that a bound below the threshold never reads like it.
	return fmt.Sprintf("%d of %d merged unchanged; lower 95%% bound %.3f, threshold %s", e.Unchanged, e.Decided,
		math.Floor(e.Lower*1000)/1000, strconv.FormatFloat(e.Threshold, 'g', -1, 64))
}

// lowerBound is the alpha quantile of the beta distribution with parameters k and n-k+1, by bisection.
func lowerBound(k, n int) float64 {
	if k == 0 {
		return 0
	}
	if k == n {
		return math.Pow(alpha, 1/float64(n))
	}
	lo, hi := 0.0, float64(k)/float64(n) // the bound is below the share seen
	for range 60 {
		mid := lo + (hi-lo)/2
		if incompleteBeta(mid, float64(k), float64(n-k+1)) < alpha {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// incompleteBeta is the regularised incomplete beta function I_x(a, b) for 0 < x < 1 and a, b >= 1: by the continued
// fraction of DLMF 8.17.22, evaluated by Lentz's method (DLMF 3.10(iii)), from the side on which it converges fast.
func incompleteBeta(x, a, b float64) float64 {
	if x > (a+1)/(a+b+2) {
		return 1 - incompleteBeta(1-x, b, a)
	}
	front := math.Exp(lgamma(a+b) - lgamma(a) - lgamma(b) + a*math.Log(x) + b*math.Log1p(-x))
	const tiny, enough = 1e-300, 1e-15
	away := func(v float64) float64 { // from zero, by which the method divides
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	f, c, d := tiny, tiny, 0.0
	num := 1.0
	for m := 0; m < 100_000; {
		d = 1 / away(1+num*d)
		c = away(1 + num/c)
		step := c * d
		f *= step
		if math.Abs(step-1) < enough {
			break
		}
		m++
		i := float64(m / 2)
		if m%2 == 0 {
			num = i * (b - i) * x / ((a + 2*i - 1) * (a + 2*i))
		} else {
			num = -(a + i) * (a + b + i) * x / ((a + 2*i) * (a + 2*i + 1))
		}
	}
	return front * f / a
}

func lgamma(v float64) float64 {
	l, _ := math.Lgamma(v)
	return l
}
