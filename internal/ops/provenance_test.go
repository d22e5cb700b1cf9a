package ops_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/ops"
)

// What is printed is what the commit names, of the first change and of its revision.
func TestProvenance(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 2, simulator.Faults{})
	f.run("")
	slug := f.slugs[0]
	in := ops.ProvenanceInput{TargetInput: ops.TargetInput{Campaign: "c", Component: "acme-r00"}}
	named := func(ref string) (statement map[string]any) {
		t.Helper()
		data, err := f.ops.Provenance(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		digest := "sha256:" + hex.EncodeToString(sum[:])
		if got := f.git(slug, "log", "-1", "--format=%(trailers:key=Gaggle-Provenance,valueonly)", ref); strings.TrimSpace(got) != digest {
			t.Errorf("%s names %q, %s is told", ref, got, digest)
		}
		if ref == f.branch {
			f.host.Look(slug, 1, func(p *simulator.Pull) {
				if !strings.Contains(p.Body, digest) {
					t.Errorf("the pull request names another: %s", p.Body)
				}
			})
		}
		if err := json.Unmarshal(data, &statement); err != nil {
			t.Fatal(err)
		}
		return statement
	}
	first := named(f.branch)
	predicate := first["predicate"].(map[string]any)
	if result := f.git(slug, "rev-parse", f.branch+"^{tree}"); predicate["result"].(map[string]any)["digest"].(map[string]any)["gitTree"] != result {
		t.Errorf("the result is not tree %s: %v", result, predicate["result"])
	}
	f.host.Report(slug, simulator.Check{Commit: f.head(slug), Name: "build", State: "failure", Log: "main.go:3: undefined: x"})
	f.follow()
	if now := f.state(slug, fleet.Proposed); now.Attempts != 2 {
		t.Fatalf("not revised: %+v", now)
	}
	named(f.branch)
	in.Attempt = 1
	named(f.branch + "~1")

	in.Attempt = 7
	if _, err := f.ops.Provenance(t.Context(), in); fleet.CodeOf(err) != fleet.CodeNotFound || !strings.Contains(err.Error(), "no such attempt") {
		t.Error(err)
	}
	in.Attempt, in.Envelope = 0, true
	if _, err := f.ops.Provenance(t.Context(), in); fleet.CodeOf(err) != fleet.CodeNotFound || !strings.Contains(err.Error(), "not signed") || fleet.HintOf(err) == "" {
		t.Error(err)
	}
	in.Component = "nothing"
	if _, err := f.ops.Provenance(t.Context(), in); fleet.CodeOf(err) != fleet.CodeNotFound {
		t.Error(err)
	}
}
