package ops

import (
	"cmp"
	"hash/fnv"
	"slices"
)

// spread orders the chosen components: owners take turns, so that one owner is not alone in a wave, and within an owner
// a hash of campaign and component decides, so that neither the alphabet nor the last plan does.
func spread(in []*choice, campaign string) {
	rank := func(text string) uint64 {
		h := fnv.New64a()
		_, _ = h.Write([]byte(campaign + "\x00" + text))
		return h.Sum64()
	}
	slices.SortFunc(in, func(a, b *choice) int {
		return cmp.Or(cmp.Compare(rank(a.component.Ref), rank(b.component.Ref)), cmp.Compare(a.component.Ref, b.component.Ref))
	})
	turn := map[string]int{}
	turns := make(map[*choice]int, len(in))
	for _, ch := range in {
		turns[ch] = turn[ch.component.Owner]
		turn[ch.component.Owner]++
	}
	slices.SortStableFunc(in, func(a, b *choice) int { return cmp.Compare(turns[a], turns[b]) })
}
