package engine_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/store"
)

func testAWaveSoaks(t *testing.T, w *world) {
	w.start(t, w.plan(t, "rollout: {waves: [1, 100%], gate: {soak: 2h}}", "a", "b"))
	waits := w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 1, fleet.Pending: 1})
	if len(waits) != 1 || !strings.HasPrefix(waits[0].Message, "wave 2 of 2 waits for wave 1: it soaks until ") {
		t.Errorf("waits %+v", waits)
	}
	_, row := w.waves(t)
	if len(row.Reached) != 1 || row.Reached[0].IsZero() {
		t.Fatalf("reached %v", row.Reached)
	}
	w.ahead.Add(int64(119 * time.Minute))
	w.run(t)
	if _, again := w.waves(t); !slices.EqualFunc(again.Reached, row.Reached, time.Time.Equal) {
		t.Errorf("reached %v, then %v", row.Reached, again.Reached)
	}
	w.expect(t, map[fleet.State]int{fleet.Proposed: 1, fleet.Pending: 1})
	w.ahead.Add(int64(time.Minute))
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 2})
}

func testAWaveThatLosesItsGateSoaksAnew(t *testing.T, w *world) {
	w.start(t, w.plan(t, "rollout: {waves: [1, 100%], gate: {soak: 2h}}", "a", "b"))
	w.run(t)
	w.host.set(forge.StateClosed)
	waits := w.run(t)
	if _, row := w.waves(t); !row.Reached[0].IsZero() || len(waits) != 1 || !strings.HasPrefix(waits[0].Message, "paused: wave 1 cannot reach its gate") ||
		!strings.HasSuffix(waits[0].Message, "1 failed or were closed (retry its failed targets, cancel them, or lower rollout.gate in the campaign file; then resume)") {
		t.Errorf("reached %v, waits %+v", row.Reached, waits)
	}
	w.ahead.Add(int64(3 * time.Hour))
	if _, err := w.engine.Retry(t.Context(), engine.Selection{Campaign: "demo", Components: []string{"component:default/a"}}, "ann"); err != nil {
		t.Fatal(err)
	}
	if err := w.engine.Resume(t.Context(), "demo", "ann"); err != nil {
		t.Fatal(err)
	}
	w.host.mu.Lock()
	for _, pull := range w.host.byNum {
		pull.State = forge.StateOpen
	}
	w.host.mu.Unlock()
	w.run(t)
	if _, row := w.waves(t); w.store.Now().Sub(row.Reached[0]) > time.Hour {
		t.Errorf("reached %v", row.Reached)
	}
}

func testVetoesPauseTheCampaign(t *testing.T, w *world) {
	w.start(t, w.plan(t, "rollout: {waves: [4, 100%], gate: {success: 0, vetoed: 20%}}", "a", "bad", "veto", "b", "c"))
	waits := w.run(t)
	if pending, err := w.store.Targets(t.Context(), store.Filter{Campaign: "demo", States: []fleet.State{fleet.Pending}}); err != nil || len(pending) != 1 {
		t.Errorf("%d are pending, %v", len(pending), err)
	}
	if len(waits) != 1 || !strings.HasPrefix(waits[0].Message, "paused: wave 1 cannot reach its gate: 1 of 4 targets were refused by the judge or by people, the gate allows 0") {
		t.Errorf("waits %+v", waits)
	}
}

// follow says of a proposed or merged target what a pass would have found out.
func (w *world) follow(t testing.TB, name string, change func(*fleet.Follow)) {
	t.Helper()
	got, err := w.store.Targets(t.Context(), store.Filter{Campaign: "demo", Component: "component:default/" + name})
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	f, err := w.store.Follow(t.Context(), got[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	f.Target, f.Campaign = got[0].ID, "demo"
	change(&f)
	if err := w.store.Tx(t.Context(), func(tx *store.Tx) error { return tx.SaveFollow(t.Context(), f) }); err != nil {
		t.Fatal(err)
	}
}

// ci is a host whose CI says what it is told to, by repository.
type ci struct {
	*host
	says sync.Map
}

func (c *ci) Checks(_ context.Context, repo fleet.Repository, commit string) ([]forge.Check, error) {
	state, ok := c.says.Load(repo.Name)
	if !ok || commit != "c" { // the head of every pull request
		return nil, nil
	}
	return []forge.Check{{Name: "build", State: state.(forge.CheckState)}}, nil
}

func (c *ci) CheckLog(context.Context, fleet.Repository, string, int64) ([]byte, error) {
	return nil, nil
}

func testGatesHearWhatOthersSay(t *testing.T, w *world) {
	ci := &ci{host: w.host}
	w.forge = ci
	for _, name := range []string{"a", "b", "c"} {
		ci.says.Store(name, forge.CheckPending)
	}
	w.start(t, w.plan(t, "rollout: {waves: [2, 100%], gate: {checks: 1, deployed: 1}}\npullRequest: {revisions: 0}", "a", "b", "c"))
	says := func(want string) {
		t.Helper()
		w.ahead.Add(int64(2 * time.Hour)) // everything is due
		if waits := w.run(t); len(waits) != 1 || !strings.Contains(waits[0].Message, want) {
			t.Fatalf("waits %+v, want %s", waits, want)
		}
	}
	resume := func() {
		t.Helper()
		if err := w.engine.Resume(t.Context(), "demo", "ann"); err != nil {
			t.Fatal(err)
		}
	}
	says("wave 2 of 2 waits for wave 1: CI passed for 0 of 2 pull requests, the gate needs 2; 2 pending")
	ci.says.Store("a", forge.CheckPassed)
	says("CI passed for 1 of 2 pull requests, the gate needs 2; 1 pending")
	ci.says.Store("b", forge.CheckFailed)
	says("paused: wave 1 cannot reach its gate: CI passed for 1 of 2 pull requests, the gate needs 2; 1 failed")
	ci.says.Store("b", forge.CheckPassed)
	w.run(t)
	w.host.set(forge.StateMerged)
	w.run(t) // is taken in while the campaign is paused
	w.follow(t, "a", func(f *fleet.Follow) { f.Deploy = "pending" })
	resume()
	says("0 of 1 deployments are healthy, the gate needs 1; 1 pending")
	w.follow(t, "a", func(f *fleet.Follow) { f.Deploy = "failure" })
	says("paused: wave 1 cannot reach its gate: 0 of 1 deployments are healthy, the gate needs 1; 1 failed")
	w.follow(t, "a", func(f *fleet.Follow) { f.Deploy, f.Reverted = "success", true })
	resume()
	says("paused: wave 1 cannot reach its gate: 1 of 2 merged changes were reverted, the gate allows 0")
	w.follow(t, "a", func(f *fleet.Follow) { f.Reverted = false })
	resume()
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Merged: 2, fleet.Proposed: 1})
}

// passing is a host on which time passes, and things happen, with every look.
type passing struct {
	*ci
	look func()
}

func (p passing) Get(ctx context.Context, repo fleet.Repository, number int) (forge.Pull, error) {
	p.look()
	return p.ci.Get(ctx, repo, number)
}

// testFollowingOpensTheNextWave follows a campaign whose gate is reached by what is no event: CI passes, then time.
func testFollowingOpensTheNextWave(t *testing.T, w *world) {
	ci := &ci{host: w.host}
	ci.says.Store("a", forge.CheckPending)
	ci.says.Store("b", forge.CheckPassed)
	var mu sync.Mutex
	var opened time.Time
	looks := 0
	w.forge = passing{ci, func() {
		mu.Lock()
		defer mu.Unlock()
		w.ahead.Add(int64(10 * time.Minute))
		if looks++; looks == 5 {
			ci.says.Store("a", forge.CheckPassed)
		}
		w.host.mu.Lock()
		all := w.host.opens == 2
		w.host.mu.Unlock()
		if all && opened.IsZero() {
			opened = w.store.Now()
			w.host.set(forge.StateMerged)
		}
	}}
	w.start(t, w.plan(t, "rollout: {waves: [1, 100%], gate: {checks: 1, soak: 2h}}", "a", "b"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := w.engine.Follow(ctx, []string{"demo"}, 5*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	w.expect(t, map[fleet.State]int{fleet.Merged: 2})
	if _, row := w.waves(t); len(row.Reached) != 1 || row.Reached[0].IsZero() || opened.Sub(row.Reached[0]) < 2*time.Hour {
		t.Errorf("reached %v, opened %v", row.Reached, opened)
	}
}
