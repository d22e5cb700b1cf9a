package fleet

import (
	"fmt"
	"maps"
	"testing"
)

func TestDependents(t *testing.T) {
	ref := func(n int) string { return fmt.Sprintf("component:default/c%d", n) }
	components := []Component{
		{Ref: "a", Provides: []string{"api:default/x"}},
		{Ref: "b", DependsOn: []string{"a", "resource:default/db"}, Consumes: []string{"api:default/x", "api:default/of-nobody"}},
		{Ref: "c", DependsOn: []string{"b"}},
		{Ref: "d", Consumes: []string{"api:default/x"}},
		{Ref: "e", DependsOn: []string{"f"}}, {Ref: "f", DependsOn: []string{"e", "f"}},
		{Ref: "g", DependsOn: []string{"g", "gone"}},
	}
	if got, want := Dependents(components), map[string]int{"a": 3, "b": 1, "e": 1, "f": 1}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := Dependents(components, "b", "c", "gone"), map[string]int{"b": 1}; !maps.Equal(got, want) {
		t.Errorf("of some: got %v, want %v", got, want)
	}
	components = nil
	for i := range 3000 { // a chain
		components = append(components, Component{Ref: ref(i), DependsOn: []string{ref(i - 1)}})
	}
	if got := Dependents(components); got[ref(2998)] != 1 || got[ref(2500)] != 499 || got[ref(0)] != mostDependents || got[ref(2999)] != 0 {
		t.Errorf("a chain: %d, %d, %d, %d", got[ref(2998)], got[ref(2500)], got[ref(0)], got[ref(2999)])
	}
}
