package rollout

import "slices"

// Wave is one entry of a campaign's plan of waves: a number of targets, a cumulative share of all of them, or a cohort:
// all targets that belong to it. It has the fields of spec.Wave, so that one converts into the other.
type Wave struct {
	Count int    // the wave's size; used when the others are zero
	Share int    // hundredths of a percent: the wave takes targets until this share of all has been opened, rounded up
	Name  string // what people call it; "" for its number alone
	Where string // a cohort by an expression; who belongs to it is the caller's to know
	Owner string // a cohort by its owner
}

// Cohort reports whether the wave takes targets by what they are, not by how many.
func (w Wave) Cohort() bool { return w.Where != "" || w.Owner != "" }

// Deal gives each of some targets a wave, and returns these and the waves' sizes.
//
// The i-th entry makes the i-th wave, even one that stays empty; empty waves at the end are left out. A cohort takes all
// targets that belong to it and that no earlier wave took; a number or a share takes the first of those that are left.
// What no entry takes makes a last wave; after a last entry of 100% there is no such wave, and everything is that entry's.
//
// belongs holds, for each target in the campaign's order, the entries whose cohort it belongs to. had says how many
// targets have had their turn, by wave: they stay where they are, and count towards numbers and shares. Nobody joins the
// first open waves any more, except the last of them when no later one can come.
func Deal(entries []Wave, belongs [][]int, had []int, open int) (waves, sizes []int) {
	total := len(belongs)
	for _, n := range had {
		total += n
	}
	rest := len(entries) // the wave of what no entry takes
	if rest > 0 && entries[rest-1].Share >= 10_000 {
		rest--
	}
	sizes = make([]int, max(rest+1, len(had), open))
	copy(sizes, had)
	waves = make([]int, len(belongs))
	left := make([]int, len(belongs)) // indexes of targets without a wave
	for i := range left {
		left[i] = i
	}
	taken := 0
	for e, entry := range entries[:rest] {
		if e >= open {
			room := entry.Count - sizes[e]
			if entry.Share > 0 {
				room = ceilShare(total, entry.Share) - taken - sizes[e]
			}
			left = slices.DeleteFunc(left, func(i int) bool {
				if entry.Cohort() != slices.Contains(belongs[i], e) || !entry.Cohort() && room <= 0 {
					return false
				}
				room--
				waves[i] = e
				sizes[e]++
				return true
			})
		}
		taken += sizes[e]
	}
	rest = max(rest, open-1)
	for _, i := range left {
		waves[i] = rest
		sizes[rest]++
	}
	for len(sizes) > open && sizes[len(sizes)-1] == 0 {
		sizes = sizes[:len(sizes)-1]
	}
	return waves, sizes
}

// ceilShare is total * share / 10000 rounded up, for a share of at most all, without overflow.
func ceilShare(total, share int) int {
	share = min(share, 10_000)
	whole, rest := total/10_000, total%10_000
	return whole*share + (rest*share+9_999)/10_000
}
