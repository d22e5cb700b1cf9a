package ops_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/ops"
)

// Merging without a person begins when people have merged enough unchanged, and whoever asks is shown the numbers.
func TestMergingWithoutAPersonShowsItsNumbers(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 7, simulator.Faults{})
	f.run("merge: {policy: auto, when: 'checks == \"passed\" && risk < 30', evidence: 0.5}\nrollout: {waves: [5, 100%], gate: {success: 1}}\n")
	var first, second []string
	for _, slug := range f.slugs {
		if f.state(slug, fleet.Proposed).Wave == 0 {
			first = append(first, slug)
		} else {
			second = append(second, slug)
		}
		f.host.Report(slug, simulator.Check{Commit: f.head(slug), Name: "build", State: "success"})
	}
	if len(first) != 5 || len(second) != 2 {
		t.Fatalf("waves of %d and %d", len(first), len(second))
	}
	component := "component:default/" + strings.ReplaceAll(second[0], "/", "-")
	shown := func() (evidence, report string) {
		t.Helper()
		d, err := f.ops.Show(t.Context(), ops.TargetInput{Campaign: "c", Component: component})
		if err != nil || d.Risk == nil || d.Evidence == nil {
			t.Fatalf("%+v, %v", d, err)
		}
		if want := "4: size 2, files 2"; d.Risk.String() != want || d.Risk.Parts[0].Why != "1 line added or deleted" {
			t.Errorf("risk %s, want %s: %+v", d.Risk, want, d.Risk.Parts)
		}
		r, err := f.ops.Report(t.Context(), ops.ReportInput{Campaign: "c"})
		if err != nil || r.Evidence == nil {
			t.Fatalf("%+v, %v", r, err)
		}
		return d.Evidence.String(), fmt.Sprintf("%s, enough: %v", r.Evidence.Says, r.Evidence.Open)
	}
	for _, slug := range first[:4] {
		f.git(slug, "update-ref", "refs/heads/main", f.branch)
	}
	f.host.Say(second[0], 1, simulator.Comment{Author: "ann", Body: "/gaggle explain", MayWrite: true, At: time.Now().Add(time.Second)})
	f.follow()
	const four, five = "4 of 4 merged unchanged; lower 95% bound 0.472, threshold 0.5", "5 of 5 merged unchanged; lower 95% bound 0.549, threshold 0.5"
	if evidence, report := shown(); evidence != four || report != four+", enough: false" {
		t.Errorf("%q, %q", evidence, report)
	}
	for _, want := range []string{"Risk: 4: size 2, files 2.", "Evidence for merging without a person: " + four, "Now: too few earlier ones were merged unchanged by people (" + four + ")."} {
		if said := f.comments(second[0]); !strings.Contains(said, want) {
			t.Errorf("%q lacks %q", said, want)
		}
	}
	f.git(first[4], "update-ref", "refs/heads/main", f.branch)
	f.follow()
	f.ahead.Add(int64(10 * time.Minute))
	f.follow()
	f.state(second[0], fleet.Merged)
	if _, said := f.target(second[0]); !strings.Contains(said, "its pull request was merged: it passed everything that the campaign's policy asks for (risk 4: size 2, files 2; "+five+")") {
		t.Errorf("said %q", said)
	}
	if evidence, report := shown(); evidence != five || report != five+", enough: true" {
		t.Errorf("%q, %q", evidence, report)
	}
}
