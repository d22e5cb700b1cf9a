package ops_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gaggle/internal/forge"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/forge/transport"
	"gaggle/internal/ops"
	"gaggle/internal/rollout"
	"gaggle/internal/store"
)

// A plan, a status and a report say when a campaign's own work will be done, by the attempts so far and by what the forge has left.
func TestEstimate(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 5, simulator.Faults{})
	f.owned("search")
	plan := func(name, more string) *ops.Estimate {
		t.Helper()
		file := filepath.Join(t.TempDir(), name+".yaml")
		text := "apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: " + name + "}\nselect: {where: \"true\"}\nchange:\n" + f.program + more
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := f.ops.Plan(t.Context(), ops.PlanInput{File: file})
		if err != nil {
			t.Fatal(err)
		}
		return p.Estimate
	}
	status := func(name string) *ops.Estimate {
		t.Helper()
		s, err := f.ops.Status(t.Context(), ops.StatusInput{Campaign: name, Estimate: true})
		if err != nil {
			t.Fatal(err)
		}
		return s.Campaigns[0].Estimate
	}
	const limits = "limits: {parallel: 2}\n"
	e := plan("c", limits)
	if e == nil || e.Bound != rollout.BoundAttempts || e.Measured != 0 || e.Attempts != 5 || e.Pulls != 5 || e.Parallel != 2 || !strings.HasSuffix(e.Text, "5 attempts of at most 20 min, 2 at once") {
		t.Fatalf("%+v", e)
	}
	waves := limits + "rollout: {waves: [2, 100%], gate: {merged: 1}}\n"
	if _, err := f.start("c", waves); err != nil {
		t.Fatal(err)
	}
	e = status("c")
	if e == nil || e.Measured != 2 || e.Attempts != 3 || e.Pulls != 3 || len(e.AtLeast) != 1 || !strings.Contains(e.Text, "at the earliest: it waits for people to merge; ") {
		t.Fatalf("%+v", e)
	}
	if e = plan("c", waves); e == nil || e.Attempts != 3 || e.Measured != 2 || len(e.AtLeast) != 1 {
		t.Errorf("planned again: %+v", e)
	}
	r, err := f.ops.Report(t.Context(), ops.ReportInput{Campaign: "c"})
	if err != nil || r.Estimate == nil || r.Estimate.Pulls != 3 || r.Estimate.AtLeast[0] != "people to merge" {
		t.Errorf("%+v, %v", r.Estimate, err)
	}

	// What another process has learnt of the forge bounds it.
	site, err := url.Parse(f.env["GITEA_URL"])
	if err != nil {
		t.Fatal(err)
	}
	name, err := transport.NameFor(site, forge.Fixed("token"))(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := store.Open(t.Context(), store.Config{URL: filepath.Join(f.data, "gaggle.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rows.Close)
	if kept, err := rows.ForgeBudget(t.Context(), name); err != nil || !strings.Contains(kept, "silent") {
		t.Errorf("after a run the processes share %q, %v", kept, err)
	}
	left := fmt.Sprintf(`{"pools":{"core":{"low":4,"limit":5000,"reset":%q,"window":3600000000000}}}`, time.Now().Add(50*time.Minute).Format(time.RFC3339))
	if err := rows.Amend(t.Context(), name, func(string) (string, error) { return left, nil }); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*ops.Estimate{status("c"), plan("c", waves)} {
		if e == nil || e.Bound != rollout.BoundForge || time.Until(e.Done) < 45*time.Minute || e.Why != "at the pace of "+site.Host+": 1666 pull requests an hour allowed, 1 left this hour (5000 calls, 3 each)" {
			t.Errorf("%+v", e)
		}
	}
	if err := rows.Amend(t.Context(), name, func(string) (string, error) { return "", nil }); err != nil { // the host tells no numbers itself
		t.Fatal(err)
	}
	if _, err := f.ops.Cancel(t.Context(), ops.SelectInput{Campaign: "c"}); err != nil {
		t.Fatal(err)
	}
	if e = status("c"); e != nil {
		t.Errorf("of what is canceled: %+v", e)
	}
}
