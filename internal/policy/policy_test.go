package policy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"gaggle/internal/fleet"
)

func TestRefusal(t *testing.T) {
	e := Refusal(Level{Name: "attempt", Key: "limits.cost", Limit: 800_000, Spent: 830_000})
	if e.Code != fleet.CodeBudget || e.Error() != "the attempt's budget of $0.80 is spent ($0.83)" || e.Hint != "raise limits.cost in the campaign file" {
		t.Errorf("%v, hint %q", e, e.Hint)
	}
}

func TestMayRetryCounts(t *testing.T) {
	for attempts, want := range []bool{true, true, false, false} {
		if got := MayRetry(fleet.CodeModelBusy, attempts, 2); got != want {
			t.Errorf("after %d of 2 attempts: %v", attempts, got)
		}
	}
}

// TestEveryCodeIsDecided names every code of package fleet, found in its source, so that a new one is thought about.
func TestEveryCodeIsDecided(t *testing.T) {
	passing := "interrupted attempt_lost model_busy model_error judge_failed forge_error forge_rate_limit git sandbox database conflict merge_conflict"
	lasting := "invalid not_found not_supported internal repository_gone repository_empty mirror_corrupt unsafe_tree disk_full agent_failed " +
		"agent_missing agent_gave_up timeout memory_limit process_limit disk_limit output_limit turn_limit budget verify_failed toolchain_missing unverified guard_failed " +
		"judge_veto forge_auth merge_queued branch_taken secret_in_diff signature push_rejected protected_branch policy gate_failed machine_not_prepared"
	want := map[string]bool{}
	for code := range strings.FieldsSeq(passing) {
		want[code] = true
	}
	for code := range strings.FieldsSeq(lasting) {
		want[code] = false
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../fleet/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Code") || len(spec.Values) != 1 {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found++
		retry, known := want[code]
		if !known {
			t.Errorf("%s is new: say here whether it is likely to be gone at the next try", code)
		} else if got := MayRetry(fleet.Code(code), 0, 1); got != retry {
			t.Errorf("%s: %v", code, got)
		}
		return true
	})
	if found != len(want) {
		t.Errorf("%d codes are in the source, %d in this test", found, len(want))
	}
}

func TestTakenUp(t *testing.T) {
	for reason, want := range map[fleet.Code]bool{
		"": false, fleet.CodeInterrupted: true, fleet.CodeLost: true, fleet.CodeModelBusy: true, fleet.CodeSandbox: true, fleet.CodeTimeout: true,
		fleet.CodeModel: false, fleet.CodeJudge: false, fleet.CodeVerifyFailed: false, fleet.CodeVeto: false, fleet.CodeMergeConflict: false,
	} {
		if got := TakenUp(reason); got != want {
			t.Errorf("%q: %v", reason, got)
		}
	}
}
