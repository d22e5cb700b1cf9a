package rollout

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSizes(t *testing.T) {
	n := func(count int) Wave { return Wave{Count: count} }
	p := func(percent float64) Wave { return Wave{Share: int(math.Round(percent * 100))} }
	for _, tc := range []struct {
		total int
		waves []Wave
		want  []int
	}{
		{200, []Wave{n(5), p(10), p(100)}, []int{5, 15, 180}},
		{30, []Wave{n(5), p(10), p(100)}, []int{5, 25}},
		{3, []Wave{p(10), p(50), p(100)}, []int{1, 1, 1}},
		{1, []Wave{p(10), p(50), p(100)}, []int{1}},
		{7, []Wave{p(100)}, []int{7}},
		{7, []Wave{n(2), n(3)}, []int{2, 3, 2}},
		{7, []Wave{p(10), p(50)}, []int{1, 3, 3}},
		{7, nil, []int{7}},
		{0, []Wave{n(5), p(100)}, nil},
		{4, []Wave{n(5), p(100)}, []int{4}},
		{1000, []Wave{p(2.5), n(5), p(2.6), p(100)}, []int{25, 5, 970}},
		{10, []Wave{n(-3), n(0), p(-1)}, []int{10}},
		{math.MaxInt, []Wave{p(50), p(100)}, []int{math.MaxInt/2 + 1, math.MaxInt / 2}},
	} {
		if got := Sizes(tc.total, tc.waves); !slices.Equal(got, tc.want) {
			t.Errorf("%d by %v is %v, want %v", tc.total, tc.waves, got, tc.want)
		}
	}
}

func TestSizesDealEveryTargetOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(0, 100_000).Draw(t, "total")
		waves := rapid.SliceOf(rapid.Custom(func(t *rapid.T) Wave {
			if rapid.Bool().Draw(t, "share") {
				return Wave{Share: rapid.IntRange(1, 10_000).Draw(t, "hundredths")}
			}
			return Wave{Count: rapid.IntRange(1, 5_000).Draw(t, "count")}
		})).Draw(t, "waves")
		sum := 0
		for _, size := range Sizes(total, waves) {
			if size <= 0 {
				t.Fatalf("a wave of %d", size)
			}
			sum += size
		}
		if sum != total {
			t.Fatalf("%d targets are dealt, of %d", sum, total)
		}
	})
}
