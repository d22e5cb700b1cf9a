package ops

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/store"
)

// The sizes that the design must carry.
const (
	manyComponents = 10_000
	manyTargets    = 100_000
)

func openBench(b *testing.B) *Ops {
	o, err := Open(b.Context(), Config{Data: b.TempDir(), Actor: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(o.Close)
	return o
}

func fillFleet(b *testing.B, o *Ops) {
	ctx := b.Context()
	err := o.store.Tx(ctx, func(tx *store.Tx) error {
		for i := range manyComponents {
			name := fmt.Sprintf("service-%05d", i)
			c := fleet.Component{Ref: fleet.Ref("component", "", name), Kind: "Component", Namespace: "default", Name: name, Type: "service", Lifecycle: []string{"production", "experimental"}[i%2],
				Owner: fmt.Sprintf("group:default/team-%d", i%400), Repository: name, Path: ".", Language: "Go", Languages: []string{"Go", "Shell"}, Tags: []string{"backend"},
				Annotations: map[string]string{"backstage.io/source-location": "url:https://example.com/" + name}, DependsOn: []string{"component:default/service-00001"}}
			r := fleet.Repository{Name: name, URL: "https://example.com/" + name, Forge: "local", DefaultBranch: "main", Head: "h", Tree: "t", SyncedAt: time.Now()}
			if err := tx.PutRepository(ctx, store.RepositoryInventory{Repository: r, Components: []fleet.Component{c}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPlan plans a campaign over 10,000 components by their descriptors; what content adds is search's benchmark.
func BenchmarkPlan(b *testing.B) {
	o := openBench(b)
	fillFleet(b, o)
	file := filepath.Join(b.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: bench}\nselect: {where: 'component.language == \"Go\" && component.lifecycle == \"production\"'}\nchange: {run: 'true'}\nrollout: {waves: [5, 10%, 100%]}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		p, err := o.Plan(b.Context(), PlanInput{File: file})
		if err != nil || len(p.Targets) != manyComponents/2 {
			b.Fatal(len(p.Targets), err)
		}
	}
}

// BenchmarkStatus counts 100,000 targets of one campaign.
func BenchmarkStatus(b *testing.B) {
	o := openBench(b)
	ctx := b.Context()
	err := o.store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.AddCampaign(ctx, &store.Campaign{Name: "big", Spec: "{}", State: fleet.CampaignActive, Waves: []int{1000, manyTargets - 1000}}); err != nil {
			return err
		}
		targets := make([]fleet.Target, manyTargets)
		for i := range targets {
			targets[i] = fleet.Target{Campaign: "big", Component: fmt.Sprintf("component:default/c%06d", i), Repository: "r", Path: ".", Wave: min(i/1000, 1)}
		}
		_, err := tx.AddTargets(ctx, targets)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		s, err := o.Status(ctx, StatusInput{Campaign: "big"})
		if err != nil || s.Campaigns[0].Targets != manyTargets {
			b.Fatal(err)
		}
	}
}

// BenchmarkTargetsPage reads one page of a list of 100,000.
func BenchmarkTargetsPage(b *testing.B) {
	o := openBench(b)
	ctx := b.Context()
	err := o.store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.AddCampaign(ctx, &store.Campaign{Name: "big", Spec: "{}", State: fleet.CampaignActive}); err != nil {
			return err
		}
		targets := make([]fleet.Target, manyTargets)
		for i := range targets {
			targets[i] = fleet.Target{Campaign: "big", Component: fmt.Sprintf("component:default/c%06d", i), Repository: "r", Path: "."}
		}
		_, err := tx.AddTargets(ctx, targets)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		page, err := o.Targets(ctx, TargetsInput{Campaign: "big", After: manyTargets / 2, Limit: 100})
		if err != nil || len(page) != 100 {
			b.Fatal(len(page), err)
		}
	}
}

// BenchmarkReport reports a campaign of 100,000 targets, each with an attempt, a pull request and eight events. B/op is all
// that is ever allocated; heap-MB is what is held at the end, when everything that was read still is.
func BenchmarkReport(b *testing.B) {
	o := openBench(b)
	ctx := b.Context()
	if err := o.store.Tx(ctx, func(tx *store.Tx) error {
		return tx.AddCampaign(ctx, &store.Campaign{Name: "big", Spec: "{}", State: fleet.CampaignActive, Waves: []int{manyTargets}, OpenWaves: 1})
	}); err != nil {
		b.Fatal(err)
	}
	life := []fleet.State{fleet.Queued, fleet.Changing, fleet.Ready, fleet.Proposed, fleet.Merged}
	for at := 0; at < manyTargets; at += 1000 {
		if err := o.store.Tx(ctx, func(tx *store.Tx) error {
			targets := make([]fleet.Target, 1000)
			for i := range targets {
				targets[i] = fleet.Target{Campaign: "big", Component: fmt.Sprintf("component:default/c%06d", at+i), Repository: fmt.Sprintf("r%06d", at+i), Path: ".", Owner: fmt.Sprintf("group:default/team-%d", i%400)}
			}
			if _, err := tx.AddTargets(ctx, targets); err != nil {
				return err
			}
			i := 0
			return tx.EachTarget(ctx, store.Filter{Campaign: "big", After: int64(at)}, func(t fleet.Target) error {
				a := fleet.Attempt{Target: t.ID, Number: 1, State: "done", Outcome: fleet.Ready, Agent: "native", Rounds: []fleet.Round{{Number: 1, Report: &fleet.Report{Checks: []fleet.Check{{Verifier: "go test", Outcome: fleet.Passed, Lines: []string{strings.Repeat("ok ", 300)}}}}, Verdict: &fleet.Verdict{Pass: true}}}}
				a.Usage.Charge("model", fleet.Tokens{Input: 1000}, 1000)
				if err := tx.AddAttempt(ctx, &a); err != nil {
					return err
				}
				for n, to := range life[:1+i%len(life)] {
					if n == 3 {
						t.PullNumber, t.PullURL = i+1, fmt.Sprint("https://forge.example/acme/", t.Repository, "/pulls/", i+1)
						if err := tx.SaveFollow(ctx, fleet.Follow{Target: t.ID, Campaign: "big", CI: "passed", OpenedAt: time.Now()}); err != nil {
							return err
						}
					}
					if err := tx.Move(ctx, &t, store.Move{To: to, Actor: "bench", Message: strings.Repeat("because ", 10)}); err != nil {
						return err
					}
					if err := tx.Record(ctx, store.Event{Campaign: "big", Target: t.ID, Component: t.Component, Kind: "note", Actor: "bench", Message: strings.Repeat("noted ", 20)}); err != nil {
						return err
					}
				}
				i++
				return nil
			})
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		r, err := o.Report(ctx, ReportInput{Campaign: "big"})
		if err != nil || r.Total.Targets != manyTargets {
			b.Fatal(err)
		}
		row, err := o.campaign(ctx, "big")
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		in, err := o.facts(ctx, row, factsWanted{attempts: true})
		if err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/1e6, "heap-MB")
		runtime.KeepAlive(in)
		b.StartTimer()
	}
}
