package spec

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gaggle/internal/fleet"
)

func TestMerge(t *testing.T) {
	facts := MergeFacts{Verdict: "pass", Checks: "passed", Risk: 23, Files: 2, Lines: 31, Approvals: 1, Wave: 2,
		Owner: "group:default/payments", Component: "component:default/billing", TestsTouched: true}
	for expr, want := range map[string]bool{
		"true":  true,
		"false": false,
		`verdict == "pass" && checks == "passed" && findings == 0`: true,
		`checks in ["passed", "none"] && risk <= 20`:               false,
		`risk <= 20 || approvals >= 1`:                             true,
		`files < 3 && lines < 100 && wave > 1`:                     true,
		`owner.startsWith("group:default/") && component != "x"`:   true,
		`!optOut && testsTouched`:                                  true,
		`"veto" != verdict && verdict != ""`:                       true,
		`owner in ["group:default/search"]`:                        false,
		`["pass"].exists(v, v == verdict)`:                         true,
	} {
		rule, err := CompileMerge(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if got, err := rule.Allows(facts); got != want || err != nil {
			t.Errorf("%s is %v, %v", expr, got, err)
		}
		refused := facts
		refused.OptOut = true
		if got, err := rule.Allows(refused); got || err != nil {
			t.Errorf("%s overrules an owner: %v", expr, err)
		}
	}
	rule, err := CompileMerge("100 / files > lines")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := rule.Allows(MergeFacts{Component: "component:default/a"}); ok || fleet.CodeOf(err) != fleet.CodeInvalid || !strings.Contains(err.Error(), "component:default/a: division by zero") {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestMergeIsRefused(t *testing.T) {
	for expr, want := range map[string]string{
		``:                                "1:",
		`risk`:                            `1:1: the expression is a int, not true or false (compare it, as in risk <= 30`,
		`rsk < 3`:                         `1:1: "rsk" is not known (did you mean risk?)`,
		"risk < 3 &&\n optout":            `2:2: "optout" is not known (did you mean optOut?)`,
		`severity < 3`:                    `1:1: "severity" is not known (known: approvals, checks, component,`,
		`verdict == "passed"`:             `1:12: verdict is never "passed" (did you mean pass?)`,
		`"green" == checks`:               `1:1: checks is never "green" (one of "passed", "failed", "pending", "none")`,
		`checks in ["none", "succeeded"]`: `1:20: checks is never "succeeded"`,
		`verdict == true`:                 `cannot be applied to (string, bool)`,
		`risk = 3`:                        `(write ==)`,
		`risk < 3 and true`:               `(write &&)`,
		`risk < 0.5`:                      `cannot be applied to (int, double)`,
		`[[1]] == [[risk]]`:               `cannot be compared here`,
		strings.Repeat("a", maxCEL+1):     "longer than",
	} {
		_, err := CompileMerge(expr)
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

func TestMergeEnds(t *testing.T) {
	rule, err := CompileMerge(strings.Repeat("[1,2,3,4].exists(x,", 55) + "risk == x" + strings.Repeat(")", 55))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := rule.Allows(MergeFacts{Risk: 9}); ok || err == nil || fleet.HintOf(err) == "" {
		t.Errorf("%v, %v", ok, err)
	}
}

func FuzzCompileMerge(f *testing.F) {
	for _, expr := range []string{`verdict == "pass" && risk < 30`, `checks in ["a", checks]`, "owner.matches('(')", "risk <", `"` + "\x00" + `" == verdict`} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		rule, err := CompileMerge(expr)
		if err != nil {
			var all *Errors
			if !errors.As(err, &all) {
				t.Fatal(err)
			}
			return
		}
		if ok, _ := rule.Allows(MergeFacts{OptOut: true}); ok {
			t.Errorf("%s overrules an owner", expr)
		}
	})
}
