package ops_test

import (
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/ops"
)

// Whoever names a target for which there is nothing to do is told so.
func TestNamedTargetsInNoStateForIt(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 1, simulator.Faults{})
	f.run("")
	in := ops.SelectInput{Campaign: "c", Components: []string{"acme-r00"}}
	for name, op := range map[string]func() (*ops.CountOutput, error){
		"nothing was queued again: component:default/acme-r00 is proposed": func() (*ops.CountOutput, error) { return f.ops.Retry(t.Context(), in) },
		"nothing was approved: component:default/acme-r00 is proposed":     func() (*ops.CountOutput, error) { return f.ops.Approve(t.Context(), in) },
	} {
		if _, err := op(); fleet.CodeOf(err) != fleet.CodeInvalid || !strings.Contains(err.Error(), name) {
			t.Errorf("want %q, got %v", name, err)
		}
	}
	if _, err := f.ops.Cancel(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ops.Cancel(t.Context(), in); err == nil || !strings.Contains(err.Error(), "is canceled") {
		t.Errorf("canceled twice: %v", err)
	}
}
