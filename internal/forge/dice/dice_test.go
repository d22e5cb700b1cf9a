package dice_test

import (
	"fmt"
	"slices"
	"testing"

	"gaggle/internal/forge/dice"
)

// The same calls fare alike under the same seed, in whatever order they come among others, and none fails for ever.
func TestDice(t *testing.T) {
	throw := func(seed uint64, other bool) (all []int) {
		d := dice.New(seed, 2, dice.Face[int]{Odds: .3, Outcome: 1}, dice.Face[int]{Odds: .3, Outcome: 2})
		for i := range 200 {
			if other {
				d.Roll(fmt.Sprint("other ", i))
			}
			all = append(all, d.Roll("call"))
		}
		if other && d.Rolls() != 400 {
			t.Errorf("%d rolls", d.Rolls())
		}
		return all
	}
	first := throw(1, false)
	if !slices.Equal(first, throw(1, true)) || slices.Equal(first, throw(2, false)) {
		t.Error("it is not by the seed and the call")
	}
	row, count := 0, map[int]int{}
	for _, o := range first {
		if row++; o == 0 {
			row = 0
		}
		if row > 2 {
			t.Fatal("three in a row")
		}
		count[o]++
	}
	if count[1] < 30 || count[2] < 30 || count[0] < 30 {
		t.Errorf("%v", count)
	}
}
