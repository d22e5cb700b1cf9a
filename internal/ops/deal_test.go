package ops

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/store"
)

// planner holds a fleet of components that exist by name only.
func planner(t *testing.T, components ...fleet.Component) *Ops {
	t.Helper()
	o, err := Open(t.Context(), Config{Data: t.TempDir(), Actor: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	if err := o.store.Tx(t.Context(), func(tx *store.Tx) error {
		for _, c := range components {
			c.Kind, c.Namespace, c.Ref, c.Repository, c.Path = "Component", "default", fleet.Ref("component", "", c.Name), c.Name, "."
			r := fleet.Repository{Name: c.Name, Forge: "local", DefaultBranch: "main", Head: "h", Tree: "t"}
			if err := tx.PutRepository(t.Context(), store.RepositoryInventory{Repository: r, Components: []fleet.Component{c}}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return o
}

// plan plans a campaign over all components whose rollout is given.
func (o *Ops) plan(t *testing.T, rollout string, in PlanInput) *Plan {
	t.Helper()
	in.File = filepath.Join(t.TempDir(), "c.yaml")
	text := "apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: waves}\nselect: {where: 'true'}\nchange: {run: 'true'}\nrollout: " + rollout + "\n"
	if err := os.WriteFile(in.File, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := o.Plan(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// told writes who is in which wave, by name.
func told(p *Plan) string {
	waves := make([][]string, len(p.Waves))
	for _, target := range p.Targets {
		name := strings.TrimPrefix(target.Component, "component:default/")
		waves[target.Wave-1] = append(waves[target.Wave-1], name)
	}
	for _, names := range waves {
		slices.Sort(names)
	}
	return fmt.Sprint(waves)
}

func TestCohortsInAPlan(t *testing.T) {
	platform, payments := "group:default/platform", "group:default/payments"
	canary, tier := []string{"canary"}, func(n string) map[string]string { return map[string]string{"tier": n} }
	o := planner(t,
		fleet.Component{Name: "a", Owner: platform}, fleet.Component{Name: "b", Owner: payments, Tags: canary}, fleet.Component{Name: "c", Owner: platform, Tags: canary},
		fleet.Component{Name: "d", Owner: payments, Labels: tier("1")}, fleet.Component{Name: "e", Owner: payments, Labels: tier("3")})
	const cohorts = `{waves: [{where: '"canary" in component.tags', name: canaries}, {owner: platform}, {where: 'component.labels["tier"] == "3"'}, 100%]}`
	p := o.plan(t, cohorts, PlanInput{})
	if got := told(p); got != "[[b c] [a] [e] [d]]" {
		t.Errorf("waves %s", got)
	}
	if want := []string{"canaries", "platform", `component.labels["tier"] == "3"`, ""}; !slices.Equal(p.WaveNames, want) || !slices.Equal(p.Waves, []int{2, 1, 1, 1}) {
		t.Errorf("waves %v called %q", p.Waves, p.WaveNames)
	}
	for _, target := range p.Targets {
		if without := strings.Contains(target.Why, "no answer for it"); without != strings.Contains("component:default/a component:default/b component:default/c", target.Component) {
			t.Errorf("%s: %s", target.Component, target.Why)
		}
	}
	// A limit takes the first waves.
	p = o.plan(t, cohorts, PlanInput{Limit: 3})
	if got := told(p); got != "[[b c] [a]]" || len(p.Out) != 2 || p.Out[0].Reason != "limit" {
		t.Errorf("waves %s, out %+v", got, p.Out)
	}
	if p := o.plan(t, "{waves: [2, 100%]}", PlanInput{}); p.WaveNames != nil || !slices.Equal(p.Waves, []int{2, 3}) {
		t.Errorf("waves %v called %q", p.Waves, p.WaveNames)
	}
}

func TestLessRiskyFirst(t *testing.T) {
	library := "component:default/library"
	o := planner(t, fleet.Component{Name: "library", Bytes: 500}, fleet.Component{Name: "small", Bytes: 900, DependsOn: []string{library}},
		fleet.Component{Name: "large", Bytes: 900_000, DependsOn: []string{library}}, fleet.Component{Name: "huge", Bytes: 90_000_000, DependsOn: []string{library}})
	if got := told(o.plan(t, "{order: risk, waves: [1, 1, 1, 1]}", PlanInput{})); got != "[[small] [library] [large] [huge]]" {
		t.Errorf("waves %s", got)
	}
}

// TestAPlanIsWhatARunDoes plans a campaign that is under way.
func TestAPlanIsWhatARunDoes(t *testing.T) {
	var all []fleet.Component
	for i := range 12 {
		c := fleet.Component{Name: fmt.Sprintf("c%d", i), Owner: fmt.Sprintf("group:default/team-%d", i%3)}
		if i%4 == 0 {
			c.Tags = []string{"canary"}
		}
		all = append(all, c)
	}
	o := planner(t, all...)
	e := engine.New(engine.Config{Store: o.store})
	for i, step := range []struct {
		rollout string
		in      PlanInput
		open    int
	}{
		{`{waves: [2, {where: '"canary" in component.tags'}, 50%, 100%]}`, PlanInput{Limit: 5}, 1},
		{`{waves: [2, {where: '"canary" in component.tags'}, 50%, 100%]}`, PlanInput{}, 2},
		{`{waves: [2, {where: '"canary" in component.tags'}, 50%, 100%]}`, PlanInput{Only: []string{"c1", "c2", "c3"}}, 2},
		{`{waves: [1, {owner: team-1}, 100%]}`, PlanInput{}, 3},
		{`{waves: [100%], order: risk}`, PlanInput{}, 3},
	} {
		p := o.plan(t, step.rollout, step.in)
		if err := o.start(t.Context(), e, p, false); err != nil {
			t.Fatal(err)
		}
		row, err := o.store.Campaign(t.Context(), "waves")
		if err != nil || !slices.Equal(row.Waves, p.Waves) {
			t.Errorf("step %d: waves of %v, planned %v, %v", i, row.Waves, p.Waves, err)
		}
		for _, target := range p.Targets {
			got, err := o.store.Targets(t.Context(), store.Filter{Campaign: "waves", Component: target.Component})
			if err != nil || len(got) != 1 || got[0].Wave != target.Wave-1 {
				t.Errorf("step %d: planned %+v, stored %+v, %v", i, target, got, err)
			}
		}
		row.OpenWaves = step.open
		if err := o.store.Tx(t.Context(), func(tx *store.Tx) error {
			if _, err := tx.OpenWave(t.Context(), "waves", step.open-1, 100, "ann"); err != nil {
				return err
			}
			return tx.SaveCampaign(t.Context(), &row, "ann", "opened")
		}); err != nil {
			t.Fatal(err)
		}
	}
}
