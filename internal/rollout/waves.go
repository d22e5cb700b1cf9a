package rollout

// Wave is one entry of a campaign's plan of waves: a number of targets, or a cumulative share of all of them.
// It has the fields of spec.Wave, so that one converts into the other.
type Wave struct {
	Count int // the wave's size; used when Share is 0
	Share int // hundredths of a percent: the wave takes targets until this share of all has been opened, rounded up
}

// Sizes deals total targets into waves and returns how many each takes, in order. Entries that would take nothing
// are left out (10% of a fleet whose first wave was larger), and what no entry takes makes a last wave; so the sizes are
// positive and add up to total. Without targets there are no waves.
func Sizes(total int, waves []Wave) []int {
	var sizes []int
	taken := 0
	take := func(n int) {
		if n = min(n, total-taken); n > 0 {
			sizes = append(sizes, n)
			taken += n
		}
	}
	for _, w := range waves {
		if w.Share > 0 {
			take(ceilShare(total, w.Share) - taken)
		} else {
			take(w.Count)
		}
	}
	take(total - taken)
	return sizes
}

// ceilShare is total * share / 10000 rounded up, for a share of at most all, without overflow.
func ceilShare(total, share int) int {
	share = min(share, 10_000)
	whole, rest := total/10_000, total%10_000
	return whole*share + (rest*share+9_999)/10_000
}
