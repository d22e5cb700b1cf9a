package spec

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gaggle/internal/fleet"
)

func TestCohorts(t *testing.T) {
	c, err := CompileCohorts([]Wave{
		{Where: `"canary" in component.tags`}, {Count: 5}, {Owner: "group:default/platform"}, {Where: `component.labels["tier"] == "3" && repository.forge == "local"`}, {Share: 10_000},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		component fleet.Component
		want      []int
		hint      string
	}{
		"all":     {fleet.Component{Ref: "component:default/a", Owner: "group:default/platform", Tags: []string{"x", "canary"}, Labels: map[string]string{"tier": "3"}}, []int{0, 2, 3}, ""},
		"none":    {fleet.Component{Owner: "group:default/payments", Labels: map[string]string{"tier": "1"}}, nil, ""},
		"no tier": {fleet.Component{Owner: "group:default/platform"}, []int{2}, `"tier" in component.labels`},
	} {
		got, err := c.Of(tc.component, fleet.Repository{Forge: "local"})
		if !slices.Equal(got, tc.want) || (err != nil) != (tc.hint != "") || err != nil && !strings.Contains(fmt.Sprint(err), "no such key") {
			t.Errorf("%s: %v, error %v", name, got, err)
		}
	}
	if _, err := CompileCohorts([]Wave{{Where: "component"}}); err == nil {
		t.Error("what Parse refuses compiles")
	}
}

func TestWaveTitles(t *testing.T) {
	for _, tc := range []struct {
		wave          Wave
		title, string string
	}{
		{Wave{Count: 5}, "", "5"},
		{Wave{Share: 1250}, "", "12.5%"},
		{Wave{Share: 1000, Name: "a tenth"}, "a tenth", "10%"},
		{Wave{Owner: "group:default/a"}, "a", "owner group:default/a"},
		{Wave{Where: "component.name ==\n  'x'"}, "component.name == 'x'", "where component.name ==\n  'x'"},
		{Wave{Where: "true", Name: "all"}, "all", "where true"},
	} {
		if tc.wave.Title() != tc.title || tc.wave.String() != tc.string {
			t.Errorf("%+v is %q, %q", tc.wave, tc.wave.Title(), tc.wave)
		}
	}
}

// TestAGateOfBefore reads a gate that was stored when it had fewer conditions.
func TestAGateOfBefore(t *testing.T) {
	c := roundTrip(t, &Campaign{})
	if c.Rollout.Gate.Vetoed != 0 {
		t.Errorf("no veto is allowed, and becomes %v", c.Rollout.Gate.Vetoed)
	}
	var g Gate
	if err := g.UnmarshalJSON([]byte(`{"merged": 0.5, "minMerged": 2, "success": 0.8}`)); err != nil || g != (Gate{Merged: 0.5, MinMerged: 2, Success: 0.8, Vetoed: 1}) {
		t.Errorf("%+v, error %v", g, err)
	}
}
