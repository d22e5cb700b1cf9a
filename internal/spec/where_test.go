package spec

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"gaggle/internal/fleet"
)

func TestWhere(t *testing.T) {
	c := fleet.Component{
		Ref: "component:default/billing", Kind: "Component", Namespace: "default", Name: "billing", Type: "service", Lifecycle: "production",
		Owner: "group:default/payments", System: "shop", Repository: "acme/billing", Path: "services/billing",
		Language: "Go", Languages: []string{"Go", "Shell"}, Tags: []string{"pci"}, Labels: map[string]string{"tier": "1"},
		Annotations: map[string]string{"backstage.io/source-location": "url:x"}, DependsOn: []string{"resource:default/db"}, Provides: []string{"api:default/bills"},
	}
	repo := fleet.Repository{Name: "acme/billing", Forge: "local", DefaultBranch: "main"}
	for expr, want := range map[string]bool{
		"true": true,
		`component.languages.exists(l, l == "Go") && component.lifecycle == "production"`: true,
		`component.language == 'Java'`: false,
		`component.ref == "component:default/billing" && component.kind == "Component" && component.namespace == "default"`:      true,
		`component.type in ["service", "website"] && component.system == "shop"`:                                                 true,
		`component.owner.startsWith("group:default/pay")`:                                                                        true,
		`component.path.matches("^services/") && component.repository == repository.name`:                                        true,
		`"pci" in component.tags && component.labels["tier"] == "1" && component.labels.tier == "1"`:                             true,
		`has(component.labels.team) || component.labels[?"team"].orValue("none") == "none"`:                                      true,
		`component.annotations["backstage.io/source-location"].contains("url")`:                                                  true,
		`component.dependsOn.exists(d, d.startsWith("resource:")) && component.providesApis.size() == 1`:                         true,
		`component.consumesApis == [] && !component.inferred`:                                                                    true,
		`component.tags.filter(t, t.startsWith("p")).size() == 1 && component.tags.map(t, t.size()) == [3]`:                      true,
		`component.languages == ["Go", "Shell"] && repository.forge == "local" && !repository.archived && repository.head == ""`: true,
	} {
		w, err := CompileWhere(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if got, err := w.Match(c, repo); got != want || err != nil {
			t.Errorf("%s is %v, error %v", expr, got, err)
		}
	}
	w, err := CompileWhere(`component.labels["team"] == "x"`)
	if err != nil {
		t.Fatal(err)
	}
	ok, err := w.Match(c, repo)
	if ok || fleet.CodeOf(err) != fleet.CodeInvalid || !strings.Contains(err.Error(), "component:default/billing") || !strings.Contains(fleet.HintOf(err), `"team" in component.labels`) {
		t.Errorf("a missing label: %v, %v, hint %q", ok, err, fleet.HintOf(err))
	}
	if ok, err := w.Match(fleet.Component{}, fleet.Repository{}); ok || err == nil {
		t.Error("a component without labels has none either")
	}
}

func TestWhereIsSafeForManyAtOnce(t *testing.T) {
	w, err := CompileWhere(`component.tags.exists(t, t == component.name)`)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 200 {
				name := fmt.Sprint(i, j)
				if ok, err := w.Match(fleet.Component{Name: name, Tags: []string{"a", name}}, fleet.Repository{}); !ok || err != nil {
					t.Errorf("%v, %v", ok, err)
				}
			}
		})
	}
	all.Wait()
}

func TestWhereIsRefused(t *testing.T) {
	for expr, want := range map[string]string{
		``:                                        "1:",
		`component.nme == "x"`:                    `1:11: no field is called "nme" (did you mean name?)`,
		`component . nme == "x"`:                  `1:13: no field is called "nme" (did you mean name?)`,
		"true &&\n  component.Owner == 'x'":       `2:13: no field is called "Owner" (did you mean owner?)`,
		`repository.defaultbranch == "x"`:         `1:12: no field is called "defaultbranch" (did you mean defaultBranch?)`,
		`componet.name == "x"`:                    `1:1: "componet" is not known (did you mean component?)`,
		`owner == "x"`:                            `1:1: "owner" is not known (write component.owner)`,
		`component.name == x`:                     `1:19: "x" is not known (start from component`,
		`component.name`:                          `1:1: the expression is a string, not true or false`,
		`component.name = "x"`:                    `(write ==)`,
		`component.name == "x" and true`:          `(write &&)`,
		`component == component`:                  `1:11: a Component cannot be compared here`,
		`component.tags + component.tags == []`:   `1:16: lists cannot be joined here`,
		`dyn(component.name) == 1`:                `a dyn cannot be compared here`,
		`1/0 == 1 && component.name.size() > "a"`: `cannot be applied to (int, string)`,
		`component.owner == null`:                 `what is absent is ""`,
		strings.Repeat("(", 1000) + "true" + strings.Repeat(")", 1000): "recursion",
		strings.Repeat("a", maxCEL+1):                                  "longer than",
	} {
		_, err := CompileWhere(expr)
		var all *Errors
		if !errors.As(err, &all) {
			t.Errorf("%s: error %v", clip(expr), err)
			continue
		}
		e := all.List[0]
		if got := fmt.Sprintf("%d:%d: %s (%s)", e.Line, e.Column, e.Message, e.Hint); !strings.Contains(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", clip(expr), got, want)
		}
	}
}

// TestWhereEnds holds expressions that are short to write and long to run. Each is refused, or stopped by its cost.
func TestWhereEnds(t *testing.T) {
	grow := func(init, op string, n int) string { return "[" + init + "]" + strings.Repeat(".map(x, "+op+")", n) }
	tags := make([]string, 300)
	for i := range tags {
		tags[i] = fmt.Sprint("tag", i)
	}
	c := fleet.Component{Ref: "component:default/big", Description: strings.Repeat("a", 100_000), Tags: tags}
	for name, expr := range map[string]string{
		"lists doubled":     grow("[1,2]", "x+x", 100) + " == " + grow("[1,2]", "x+x", 100),
		"lists nested":      grow("[1]", "[x,x]", 60) + " == " + grow("[1]", "[x,x]", 60),
		"lists of dyn":      "dyn(" + grow("[1]", "[x,x]", 60) + ") == dyn(" + grow("[1]", "[x,x]", 60) + ")",
		"found in lists":    "[[1]] in " + grow("[1]", "[x,x]", 60),
		"bound and nested":  "[[1]].exists(a," + strings.Repeat("[[a,a]].exists(a,", 50) + " a == a" + strings.Repeat(")", 51),
		"optional, nested":  "optional.of([1])" + strings.Repeat(".optMap(x,[x,x])", 60) + " == optional.of([1])",
		"texts doubled":     "size(" + grow(`"aaaaaaaa"`, "x+x", 60) + "[0]) == 0",
		"loops in loops":    "component.tags.exists(a, component.tags.exists(b, component.tags.exists(c, a+b+c == 'x')))",
		"literals in loops": strings.Repeat("[1,2,3,4].exists(x,", 55) + "false" + strings.Repeat(")", 55),
		"patterns built":    `component.tags.exists(t, component.description.matches(t + "((((x{1,10}){1,10}){1,9}))"))`,
		"pattern, long":     `component.description.matches("(a+)+(b+)+$")`,
		"text in itself":    `component.description.contains(component.description)`,
	} {
		w, err := CompileWhere(expr)
		if err != nil {
			continue
		}
		if ok, err := w.Match(c, fleet.Repository{}); err == nil || !strings.Contains(err.Error(), "cost limit") {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
}

func BenchmarkWhere(b *testing.B) {
	w, err := CompileWhere(`component.languages.exists(l, l == "Go") && component.lifecycle == "production"`)
	if err != nil {
		b.Fatal(err)
	}
	c := fleet.Component{Languages: []string{"Shell", "Go"}, Lifecycle: "production"}
	for b.Loop() {
		if ok, err := w.Match(c, fleet.Repository{}); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
