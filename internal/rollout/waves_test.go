package rollout

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func n(count int) Wave       { return Wave{Count: count} }
func p(percent float64) Wave { return Wave{Share: int(math.Round(percent * 100))} }
func of(name string) Wave    { return Wave{Name: name, Where: "true"} }

func TestDealByNumber(t *testing.T) {
	for _, tc := range []struct {
		total int
		waves []Wave
		want  []int
	}{
		{200, []Wave{n(5), p(10), p(100)}, []int{5, 15, 180}},
		{30, []Wave{n(5), p(10), p(100)}, []int{5, 0, 25}},
		{3, []Wave{p(10), p(50), p(100)}, []int{1, 1, 1}},
		{1, []Wave{p(10), p(50), p(100)}, []int{1}},
		{7, []Wave{p(100)}, []int{7}},
		{7, []Wave{n(2), n(3)}, []int{2, 3, 2}},
		{7, []Wave{p(10), p(50)}, []int{1, 3, 3}},
		{7, nil, []int{7}},
		{0, []Wave{n(5), p(100)}, []int{}},
		{4, []Wave{n(5), p(100)}, []int{4}},
		{1000, []Wave{p(2.5), n(5), p(2.6), p(100)}, []int{25, 5, 0, 970}},
		{10, []Wave{n(-3), n(0), p(-1)}, []int{0, 0, 0, 10}},
	} {
		if _, got := Deal(tc.waves, make([][]int, tc.total), nil, 0); !slices.Equal(got, tc.want) {
			t.Errorf("%d by %v is %v, want %v", tc.total, tc.waves, got, tc.want)
		}
	}
	if got := ceilShare(math.MaxInt, 5000); got != math.MaxInt/2+1 {
		t.Errorf("half of all is %d", got)
	}
}

func TestDealByCohort(t *testing.T) {
	canary, platform := []int{0}, []int{1}
	both, late := []int{0, 1}, []int{2}
	none := []int(nil)
	for name, tc := range map[string]struct {
		entries []Wave
		belongs [][]int
		had     []int
		open    int
		waves   []int
		sizes   []int
	}{
		"a cohort comes first": {[]Wave{of("canaries"), p(50), p(100)}, [][]int{none, canary, none, none}, nil, 0,
			[]int{1, 0, 2, 2}, []int{1, 1, 2}},
		"of two cohorts the first takes": {[]Wave{of("canaries"), {Owner: "group:default/platform"}, p(100)}, [][]int{platform, both, none, canary}, nil, 0,
			[]int{1, 0, 2, 0}, []int{2, 1, 1}},
		"a number before a cohort takes from it": {[]Wave{n(1), n(1), of("canaries")}, [][]int{late, none, late}, nil, 0,
			[]int{0, 1, 2}, []int{1, 1, 1}},
		"a cohort larger than the share after it": {[]Wave{of("canaries"), p(50), p(100)}, [][]int{canary, canary, canary, none}, nil, 0,
			[]int{0, 0, 0, 2}, []int{3, 0, 1}},
		"an empty cohort keeps its number": {[]Wave{of("canaries"), n(1)}, [][]int{none, none}, nil, 0,
			[]int{1, 2}, []int{0, 1, 1}},
		"no entry is for the rest": {[]Wave{of("canaries")}, [][]int{none, canary}, nil, 0,
			[]int{1, 0}, []int{1, 1}},
		"an open cohort takes nobody in": {[]Wave{of("canaries"), n(1), p(100)}, [][]int{canary, none, none}, []int{2}, 1,
			[]int{1, 2, 2}, []int{2, 1, 2}},
		"a later cohort takes who missed the first": {[]Wave{of("canaries"), {Owner: "group:default/platform"}, p(100)}, [][]int{both, none}, []int{2}, 1,
			[]int{1, 2}, []int{2, 1, 1}},
		"the last wave takes in though it is open": {[]Wave{n(1), p(100)}, [][]int{none}, []int{1, 3}, 2,
			[]int{1}, []int{1, 4}},
		"a wave comes after the last number": {[]Wave{n(1), n(3)}, [][]int{none}, []int{1, 3}, 2,
			[]int{2}, []int{1, 3, 1}},
		"fewer entries than open waves": {[]Wave{p(100)}, [][]int{none}, []int{1, 3, 1}, 3,
			[]int{2}, []int{1, 3, 2}},
		"what had its turn in a closed wave counts": {[]Wave{n(2), p(100)}, [][]int{none, none}, []int{1, 1}, 0,
			[]int{0, 1}, []int{2, 2}},
		"shares count what had its turn, in a closed wave too": {[]Wave{p(50), p(100)}, make([][]int, 3), []int{1}, 0,
			[]int{0, 1, 1}, []int{2, 2}},
		"shares count what had its turn": {[]Wave{n(1), p(50), p(100)}, make([][]int, 7), []int{1}, 1,
			[]int{1, 1, 1, 2, 2, 2, 2}, []int{1, 3, 4}},
	} {
		waves, sizes := Deal(tc.entries, tc.belongs, tc.had, tc.open)
		if !slices.Equal(waves, tc.waves) || !slices.Equal(sizes, tc.sizes) {
			t.Errorf("%s: %v of %v, want %v of %v", name, waves, sizes, tc.waves, tc.sizes)
		}
	}
}

// entries draws a plan of waves, and for a number of targets the cohorts to which each belongs.
func drawEntries(t *rapid.T, targets int) (entries []Wave, belongs [][]int) {
	entries = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Wave {
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			return Wave{Share: rapid.SampledFrom([]int{1, 1000, 2500, 5000, 9999, 10_000}).Draw(t, "hundredths")}
		case 1:
			return of("cohort")
		}
		return n(rapid.IntRange(1, 20).Draw(t, "count"))
	}), 0, 6).Draw(t, "entries")
	belongs = make([][]int, targets)
	for i := range belongs {
		for e, entry := range entries {
			if entry.Cohort() && rapid.IntRange(0, 3).Draw(t, "belongs") == 0 {
				belongs[i] = append(belongs[i], e)
			}
		}
	}
	return entries, belongs
}

func TestDealGivesEveryTargetOneWave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries, belongs := drawEntries(t, rapid.IntRange(0, 60).Draw(t, "targets"))
		had := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 8).Draw(t, "had")
		open := rapid.IntRange(0, 8).Draw(t, "open")
		waves, sizes := Deal(entries, belongs, slices.Clone(had), open)
		got := make([]int, len(sizes))
		copy(got, had)
		for i, w := range waves {
			got[w]++
			if w < open && w != open-1 {
				t.Fatalf("target %d joins wave %d, and %d are open", i, w, open)
			}
			if w < open && open <= len(entries) && !(open == len(entries) && entries[open-1].Share == 10_000) {
				t.Fatalf("target %d joins open wave %d, and there is a later one", i, w)
			}
			if w < len(entries) && w >= open && entries[w].Cohort() && !slices.Contains(belongs[i], w) {
				t.Fatalf("target %d is not of cohort %d", i, w)
			}
		}
		if !slices.Equal(got, sizes) {
			t.Fatalf("the sizes are %v, the waves hold %v", sizes, got)
		}
		if len(sizes) > open && sizes[len(sizes)-1] == 0 && (len(had) < len(sizes) || had[len(sizes)-1] == 0) {
			t.Fatalf("an empty wave at the end: %v", sizes)
		}
	})
}

// TestDealByTheWords deals anew, entry by entry, as the campaign file's documentation says it.
func TestDealByTheWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries, belongs := drawEntries(t, rapid.IntRange(0, 60).Draw(t, "targets"))
		waves, _ := Deal(entries, belongs, nil, 0)
		want := make([]int, len(belongs))
		for i := range want {
			want[i] = -1
		}
		taken := 0
		for e, entry := range entries {
			begun := taken
			for i := range want {
				var takes bool
				switch {
				case entry.Cohort():
					takes = slices.Contains(belongs[i], e)
				case entry.Share > 0:
					takes = taken*10_000 < entry.Share*len(want)
				default:
					takes = taken-begun < entry.Count
				}
				if takes && want[i] < 0 {
					want[i] = e
					taken++
				}
			}
		}
		for i := range want {
			if want[i] < 0 {
				want[i] = len(entries)
			}
		}
		if !slices.Equal(waves, want) {
			t.Fatalf("%v over %v is %v, want %v", entries, belongs, waves, want)
		}
	})
}

// TestDealAgainMovesNobody opens some of the waves and deals the rest again, in the waves' order.
func TestDealAgainMovesNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries, belongs := drawEntries(t, rapid.IntRange(0, 60).Draw(t, "targets"))
		waves, sizes := Deal(entries, belongs, nil, 0)
		order := make([]int, len(waves))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return waves[a] - waves[b] })
		open := rapid.IntRange(0, len(sizes)).Draw(t, "open")
		var rest [][]int
		var want []int
		for _, i := range order {
			if waves[i] >= open {
				rest, want = append(rest, belongs[i]), append(want, waves[i])
			}
		}
		got, again := Deal(entries, rest, sizes[:open], open)
		if !slices.Equal(got, want) || !slices.Equal(again, sizes) {
			t.Fatalf("%v of %v, want %v of %v", got, again, want, sizes)
		}
	})
}
