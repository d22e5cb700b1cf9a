package ops_test

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/ops"
	"gaggle/internal/report"
)

// A report tells what the database and the forge know, in every state of the campaign.
func TestReport(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 5, simulator.Faults{})
	f.run("merge: {policy: approved}\nrollout: {waves: [4, 100%], gate: {minMerged: 4}}\n")
	red, theirs, merged, quiet := "", "", "", ""
	for _, slug := range f.slugs {
		if now, _ := f.target(slug); now.State != fleet.Proposed {
			continue // of the second wave
		}
		for _, name := range []*string{&red, &theirs, &merged, &quiet} {
			if *name == "" {
				*name = slug
				break
			}
		}
	}
	f.host.Report(merged, simulator.Check{Commit: f.head(merged), Name: "build", State: "success"})
	f.host.Say(merged, 1, simulator.Comment{Author: "ann", MayWrite: true, At: time.Now().Add(time.Second), Verdict: "approved"})
	f.repos[theirs].Push(t, f.branch, map[string]string{"person.txt": "mine\n"})
	for range 4 {
		f.host.Report(red, simulator.Check{Commit: f.head(red), Name: "build", State: "failure", Log: "wrong at " + f.head(red)})
		f.follow()
	}
	r, err := f.ops.Report(t.Context(), ops.ReportInput{Campaign: "c", Minutes: 30})
	if err != nil {
		t.Fatal(err)
	}
	if r.Total != (report.Tally{Targets: 5, Waiting: 1, Open: 3, Merged: 1}) || len(r.Waves) != 2 || r.Saved.Minutes != 30 || r.ToMerge.Measured != 1 || r.Effort.Attempts != 6 || r.Rates.CI.N != 1 {
		t.Errorf("%+v", r)
	}
	waits := map[string]int{}
	for _, w := range r.Waiting {
		waits[w.What] += w.Count
	}
	if want := map[string]int{"review": 1, "finish what a person pushed to it": 1, "open the next wave once the gate allows it": 1, "take over: its checks fail, and it was revised 2 times already": 1}; !maps.Equal(waits, want) {
		t.Errorf("%v", waits)
	}
	for _, format := range report.Formats() {
		var b bytes.Buffer
		if err := report.Write(&b, *r, report.Format(format)); err != nil || b.Len() == 0 {
			t.Errorf("%s: %v", format, err)
		}
	}
	if _, err := f.ops.Cancel(t.Context(), ops.SelectInput{Campaign: "c"}); err != nil {
		t.Fatal(err)
	}
	r, err = f.ops.Report(t.Context(), ops.ReportInput{Campaign: "c"})
	if err != nil || r.Campaign.State != fleet.CampaignCanceled || r.Total.Left() != 0 || len(r.Waiting) != 0 || r.Saved.Minutes != ops.DefaultMinutes {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := f.ops.Report(t.Context(), ops.ReportInput{Campaign: "d"}); fleet.CodeOf(err) != fleet.CodeNotFound || !strings.Contains(fleet.HintOf(err), "did you mean c") && !strings.Contains(fleet.HintOf(err), "gaggle status") {
		t.Errorf("%v", err)
	}
}
