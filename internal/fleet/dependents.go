package fleet

// mostDependents is how far Dependents counts: past it, more of them make no difference to anybody.
const mostDependents = 1000

// Dependents counts, for some components or for all when none is named, how many others depend on each: directly or not, by
// what these say they depend on and by the APIs that they consume. It counts up to 1000 and leaves out who has none.
func Dependents(components []Component, of ...string) map[string]int {
	index, provider := make(map[string]int, len(components)), map[string]int{}
	for i, c := range components {
		index[c.Ref] = i
		for _, api := range c.Provides {
			provider[api] = i
		}
	}
	direct := make([][]int, len(components))
	for i, c := range components {
		for _, ref := range c.DependsOn {
			if on, ok := index[ref]; ok {
				direct[on] = append(direct[on], i)
			}
		}
		for _, api := range c.Consumes {
			if on, ok := provider[api]; ok {
				direct[on] = append(direct[on], i)
			}
		}
	}
	counts := map[string]int{}
	seen := make([]int, len(components)) // by whose walk, so that it need not be cleared
	some := make(map[string]bool, len(of))
	for _, ref := range of {
		some[ref] = true
	}
	for i, c := range components {
		if len(of) > 0 && !some[c.Ref] {
			continue
		}
		walk := []int{i}
		seen[i] = i + 1
		for at := 0; at < len(walk) && len(walk) <= mostDependents; at++ {
			for _, next := range direct[walk[at]] {
				if seen[next] != i+1 && len(walk) <= mostDependents {
					seen[next] = i + 1
					walk = append(walk, next)
				}
			}
		}
		if len(walk) > 1 {
			counts[c.Ref] = len(walk) - 1
		}
	}
	return counts
}
