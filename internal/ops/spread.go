package ops

import (
	"cmp"
	"hash/fnv"
	"math/bits"
	"slices"

	"gaggle/internal/fleet"
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

// carefully puts what is least risky first, by what is known before there is a diff: each doubling of the component's code
// counts one, each doubling of the components that depend on it two. What is alike keeps its order.
func carefully(in []*choice, components []fleet.Component) {
	refs := make([]string, len(in))
	for i, ch := range in {
		refs[i] = ch.component.Ref
	}
	dependents := fleet.Dependents(components, refs...)
	risk := func(ch *choice) int {
		return bits.Len64(uint64(max(ch.component.Bytes, 0)>>10)) + 2*bits.Len(uint(dependents[ch.component.Ref]))
	}
	slices.SortStableFunc(in, func(a, b *choice) int { return cmp.Compare(risk(a), risk(b)) })
}
