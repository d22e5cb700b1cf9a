package ops

import (
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/store"
)

func TestDependentsAreCountedOnceAMinute(t *testing.T) {
	ref := func(name string) string { return fleet.Ref("component", "", name) }
	o := planner(t, fleet.Component{Name: "lib"}, fleet.Component{Name: "app", DependsOn: []string{ref("lib")}})
	now := time.Now()
	o.dependents.now = func() time.Time { return now }
	want := func(n int) {
		t.Helper()
		if got, err := o.dependents.of(t.Context(), ref("lib")); got != n || err != nil {
			t.Errorf("%d, %v; want %d", got, err, n)
		}
	}
	want(1)
	c := fleet.Component{Kind: "Component", Namespace: "default", Name: "web", Ref: ref("web"), Repository: "web", Path: ".", DependsOn: []string{ref("app")}}
	if err := o.store.Tx(t.Context(), func(tx *store.Tx) error {
		return tx.PutRepository(t.Context(), store.RepositoryInventory{Repository: fleet.Repository{Name: "web", Forge: "local"}, Components: []fleet.Component{c}})
	}); err != nil {
		t.Fatal(err)
	}
	want(1)
	now = now.Add(countFresh)
	want(2)
	now = now.Add(-time.Hour) // a clock that was set back
	want(2)
}
