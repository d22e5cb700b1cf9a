package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/store"
)

func openSQLite(t testing.TB) *store.Store {
	s, err := store.Open(t.Context(), store.Config{URL: filepath.Join(t.TempDir(), "gaggle.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestSQLite(t *testing.T) { exercise(t, func(t *testing.T) *store.Store { return openSQLite(t) }) }

// exercise is the one suite that both dialects pass. Each open starts with empty tables.
func exercise(t *testing.T, open func(*testing.T) *store.Store) {
	for name, test := range map[string]func(*testing.T, *store.Store){
		"moves are guarded":           testMoves,
		"every allowed move works":    testAllMoves,
		"waves open in bulk":          testOpenWave,
		"jobs are worked":             testJobs,
		"a dead worker is reaped":     testReap,
		"a fenced worker stops":       testFenced,
		"leases are exclusive":        testLeases,
		"records and memos":           testRecords,
		"spend adds up over scopes":   testSpend,
		"inventory is replaced":       testInventory,
		"attempts keep their rounds":  testAttempts,
		"campaigns are guarded":       testCampaigns,
		"lists page and filter":       testLists,
		"a failed transaction leaves": testRollback,
		"places are few":              testSlots,
		"a history is read in brief":  testHistory,
		"budgets are amended":         testForgeBudgets,
		"what is left is counted":     testEstimates,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func seed(t testing.TB, s *store.Store, campaign string, n int) []fleet.Target {
	t.Helper()
	ctx := t.Context()
	err := s.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.AddCampaign(ctx, &store.Campaign{Name: campaign, Spec: "x", State: fleet.CampaignActive, Waves: []int{n}}); err != nil {
			return err
		}
		targets := make([]fleet.Target, n)
		for i := range targets {
			targets[i] = fleet.Target{Campaign: campaign, Component: fmt.Sprintf("component:default/c%05d", i), Repository: "r", Path: ".", Owner: fmt.Sprintf("group:default/o%d", i%3), Branch: "gaggle/" + campaign}
		}
		added, err := tx.AddTargets(ctx, targets)
		if err == nil && added != int64(n) {
			err = fmt.Errorf("added %d of %d", added, n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Targets(ctx, store.Filter{Campaign: campaign, Limit: n})
	if err != nil || len(got) != n {
		t.Fatalf("%d targets, %v", len(got), err)
	}
	return got
}

func testMoves(t *testing.T, s *store.Store) {
	ctx := t.Context()
	target := seed(t, s, "a", 1)[0]
	stale := target
	move := func(target *fleet.Target, m store.Move) error {
		return s.Tx(ctx, func(tx *store.Tx) error { return tx.Move(ctx, target, m) })
	}
	if err := move(&target, store.Move{To: fleet.Merged}); fleet.CodeOf(err) != fleet.CodeConflict {
		t.Errorf("pending -> merged: %v", err)
	}
	target.ChangeHash = "h"
	if err := move(&target, store.Move{To: fleet.Queued, Actor: "ann", Message: "go"}); err != nil {
		t.Fatal(err)
	}
	if err := move(&stale, store.Move{To: fleet.Canceled, Actor: "bob"}); fleet.CodeOf(err) != fleet.CodeConflict {
		t.Errorf("a move from an old reading: %v", err)
	}
	if err := move(&target, store.Move{To: fleet.Failed}); err == nil {
		t.Error("failed without a reason was accepted")
	}
	got, err := s.Target(ctx, target.ID)
	if err != nil || got.State != fleet.Queued || got.ChangeHash != "h" || got.Version != target.Version || !got.UpdatedAt.Equal(target.UpdatedAt) {
		t.Errorf("stored %+v, %v; in hand %+v", got, err, target)
	}
	events, err := s.Events(ctx, "a", target.ID, 0, 10)
	if err != nil || len(events) != 1 || events[0].From != fleet.Pending || events[0].To != fleet.Queued || events[0].Actor != "ann" || events[0].Message != "go" {
		t.Errorf("events %+v, %v", events, err)
	}
	if seq, err := s.LastSeq(ctx, "a"); err != nil || seq != events[0].Seq {
		t.Errorf("last %d, %v", seq, err)
	}
}

// path finds moves that lead from pending to the state wanted.
func path(to fleet.State) []fleet.State {
	queue := [][]fleet.State{{fleet.Pending}}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		if p[len(p)-1] == to {
			return p
		}
		for _, m := range fleet.Moves {
			if m.From == p[len(p)-1] && len(p) < len(fleet.States) {
				queue = append(queue, append(append([]fleet.State{}, p...), m.To))
			}
		}
	}
	return nil
}

func testAllMoves(t *testing.T, s *store.Store) {
	ctx := t.Context()
	targets := seed(t, s, "a", len(fleet.Moves))
	for i, m := range fleet.Moves {
		target := targets[i]
		err := s.Tx(ctx, func(tx *store.Tx) error {
			for _, to := range append(path(m.From)[1:], m.To) {
				if err := tx.Move(ctx, &target, store.Move{To: to, Reason: fleet.CodeTimeout}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s -> %s: %v", m.From, m.To, err)
		}
	}
}

func testOpenWave(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s, "a", 25)
	total := 0
	for {
		var n int
		if err := s.Tx(ctx, func(tx *store.Tx) (err error) { n, err = tx.OpenWave(ctx, "a", 0, 10, "gaggle"); return err }); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		total += n
	}
	counts, err := s.Counts(ctx, "a")
	if err != nil || total != 25 || len(counts) != 1 || counts[0].State != fleet.Queued || counts[0].Targets != 25 {
		t.Errorf("opened %d, counts %+v, %v", total, counts, err)
	}
}

func testJobs(t *testing.T, s *store.Store) {
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	targets := seed(t, s, "a", 40)
	seed(t, s, "other", 1)
	if err := s.Tx(ctx, func(tx *store.Tx) error {
		for _, name := range []string{"a", "other"} {
			if _, err := tx.OpenWave(ctx, name, 0, 100, "gaggle"); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	worker, err := s.Enlist(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	calls := map[int64]int{}
	var busy, most atomic.Int64
	err = s.Work(ctx, store.WorkConfig{Worker: worker, Campaigns: []string{"a"}, Attempts: 3, Steps: 1, Handle: func(_ context.Context, id int64) error {
		most.Store(max(most.Load(), busy.Add(1)))
		defer busy.Add(-1)
		mu.Lock()
		defer mu.Unlock()
		calls[id]++
		if id == targets[0].ID && calls[id] == 1 {
			return store.ErrSnooze{For: time.Millisecond}
		}
		if len(calls) == len(targets) && calls[targets[0].ID] == 2 {
			stop()
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range targets {
		if want := 1; calls[target.ID] != want && target.ID != targets[0].ID {
			t.Errorf("target %d was worked %d times", target.ID, calls[target.ID])
		}
	}
	if len(calls) != 40 || most.Load() > 3 {
		t.Errorf("%d targets worked, %d at once", len(calls), most.Load())
	}
}

func testReap(t *testing.T, s *store.Store) {
	ctx := t.Context()
	target := seed(t, s, "a", 1)[0]
	me, err := s.Enlist(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// A worker of this machine whose process never started: same host and boot, another start.
	parts := strings.Split(me, "/")
	parts[2], parts[3] = "1", "0"
	dead := strings.Join(parts, "/")
	if err := s.AddWorkerForTest(ctx, dead); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.Lease(ctx, dead, target.ID); !ok || err != nil {
		t.Fatalf("lease %v %v", ok, err)
	}
	if alive, err := s.Alive(ctx, me); err != nil || !alive[me] || alive[dead] {
		t.Errorf("alive %v, %v", alive, err)
	}
	var lost []int64
	took := func(_ context.Context, _ *store.Tx, id int64) error { lost = append(lost, id); return nil }
	names, err := s.Reap(ctx, "", took)
	if err != nil || len(names) != 1 || names[0] != dead || len(lost) != 1 || lost[0] != target.ID {
		t.Fatalf("reaped %v, lost %v, %v", names, lost, err)
	}
	if ok, err := s.Lease(ctx, me, target.ID); !ok || err != nil {
		t.Errorf("the lease is not free: %v %v", ok, err)
	}
	if names, err = s.Reap(ctx, "", took); err != nil || len(names) != 0 || len(lost) != 1 {
		t.Errorf("second time: %v, %v, %v", names, lost, err)
	}
}

func testFenced(t *testing.T, s *store.Store) {
	ctx := t.Context()
	target := seed(t, s, "a", 1)[0]
	w, err := s.Enlist(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Beat(ctx, w); err != nil {
		t.Fatal(err)
	}
	if ok, _ := s.Lease(ctx, w, target.ID); !ok {
		t.Fatal("no lease")
	}
	if err := s.Discharge(ctx, w); err != nil {
		t.Fatal(err)
	}
	if err := s.Beat(ctx, w); !errors.Is(err, store.ErrFenced) {
		t.Errorf("beat: %v", err)
	}
	err = s.Tx(ctx, func(tx *store.Tx) error { return tx.Holds(ctx, w, target.ID) })
	if !errors.Is(err, store.ErrFenced) {
		t.Errorf("holds: %v", err)
	}
	if ok, err := s.Lease(ctx, w, target.ID); ok || err != nil {
		t.Errorf("a worker that is not enlisted got a lease: %v", err)
	}
}

func testLeases(t *testing.T, s *store.Store) {
	ctx := t.Context()
	target := seed(t, s, "a", 1)[0]
	var workers [4]string
	for i := range workers {
		w, err := s.Enlist(ctx)
		if err != nil {
			t.Fatal(err)
		}
		workers[i] = w
	}
	var got atomic.Int64
	var wg sync.WaitGroup
	for _, w := range workers {
		wg.Go(func() {
			ok, err := s.Lease(ctx, w, target.ID)
			if err != nil {
				t.Error(err)
			}
			if ok {
				got.Add(1)
			}
		})
	}
	wg.Wait()
	if got.Load() != 1 {
		t.Errorf("%d workers hold the lease", got.Load())
	}
	for _, w := range workers {
		if err := s.Release(ctx, w, target.ID); err != nil {
			t.Error(err)
		}
	}
	if ok, err := s.Lease(ctx, workers[2], target.ID); !ok || err != nil {
		t.Errorf("released lease is not free: %v %v", ok, err)
	}
}

func testRecords(t *testing.T, s *store.Store) {
	ctx := t.Context()
	var key, again string
	data := []byte(strings.Repeat("diff --git\x00\xff\n", 1000))
	err := s.Tx(ctx, func(tx *store.Tx) (err error) {
		if key, err = tx.PutContent(ctx, "diff", data); err != nil {
			return err
		}
		if again, err = tx.PutContent(ctx, "diff", data); err != nil {
			return err
		}
		if err := tx.PutRecord(ctx, "log/1", nil); err != nil {
			return err
		}
		if err := tx.Remember(ctx, "k", "1"); err != nil {
			return err
		}
		return tx.Remember(ctx, "k", "2")
	})
	if err != nil || key != again {
		t.Fatal(key, again, err)
	}
	if got, err := s.GetRecord(ctx, key); err != nil || string(got) != string(data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := s.GetRecord(ctx, "log/1"); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := s.GetRecord(ctx, "none"); fleet.CodeOf(err) != fleet.CodeNotFound {
		t.Errorf("missing record: %v", err)
	}
	if v, ok, err := s.Memo(ctx, "k"); v != "2" || !ok || err != nil {
		t.Errorf("memo %q %v %v", v, ok, err)
	}
	if _, ok, err := s.Memo(ctx, "none"); ok || err != nil {
		t.Errorf("missing memo %v %v", ok, err)
	}
	// Prefixes are literal, also where they look like patterns.
	err = s.Tx(ctx, func(tx *store.Tx) error {
		for _, key := range []string{"a_b/1", "a_b/2", "A_B/3", "axb/4", `a%\5`} {
			if err := tx.Remember(ctx, key, key); err != nil {
				return err
			}
		}
		return tx.Forget(ctx, "a_b/2")
	})
	if err == nil {
		err = s.Tx(ctx, func(tx *store.Tx) error { return tx.Forget(ctx, "none") })
	}
	if err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string]string{"a_b/": "a_b/1", `a%\`: `a%\5`, "axb": "axb/4"} {
		if got, err := s.Memos(ctx, prefix); err != nil || len(got) != 1 || got[want] != want {
			t.Errorf("memos of %s: %v, %v", prefix, got, err)
		}
	}
}

func testSpend(t *testing.T, s *store.Store) {
	ctx := t.Context()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := s.Charge(ctx, 10, 7, "campaign:a", "target:1"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := s.Charge(ctx, 5, 1, "campaign:a"); err != nil {
		t.Fatal(err)
	}
	a, err := s.Spent(ctx, "campaign:a")
	b, _ := s.Spent(ctx, "target:1")
	none, _ := s.Spent(ctx, "target:2")
	if err != nil || a != (store.Spend{Cost: 205, Calls: 21, Tokens: 141}) || b.Cost != 200 || none != (store.Spend{}) {
		t.Errorf("%+v %+v %+v %v", a, b, none, err)
	}
}

func testInventory(t *testing.T, s *store.Store) {
	ctx := t.Context()
	put := func(name string, refs ...string) {
		inv := store.RepositoryInventory{Repository: fleet.Repository{Name: name, URL: "file:///" + name, Forge: "local", Head: "h", SyncedAt: s.Now()}, Config: "optOut: true",
			Entities: []fleet.Entity{{Ref: "group:default/" + name, Kind: "group", Repository: name}}, Problems: []fleet.Problem{{Code: "x", Repository: name, Line: 3}}}
		for _, ref := range refs {
			inv.Components = append(inv.Components, fleet.Component{Ref: ref, Repository: name, Path: ".", Tags: []string{"t"}})
		}
		if err := s.Tx(ctx, func(tx *store.Tx) error { return tx.PutRepository(ctx, inv) }); err != nil {
			t.Fatal(err)
		}
	}
	put("r1", "component:default/a", "component:default/b")
	put("r2", "component:default/a", "component:default/c")
	put("r1", "component:default/a")
	all, err := s.Components(ctx)
	if err != nil || len(all) != 2 || all[0].Ref != "component:default/a" || all[0].Repository != "r1" || all[0].Tags[0] != "t" {
		t.Errorf("%+v, %v", all, err)
	}
	repos, err := s.Repositories(ctx)
	if err != nil || len(repos) != 2 || repos[0].Config != "optOut: true" {
		t.Errorf("%+v, %v", repos, err)
	}
	if err := s.Tx(ctx, func(tx *store.Tx) error { return tx.DropRepository(ctx, "r1") }); err != nil {
		t.Fatal(err)
	}
	groups, err := s.Entities(ctx, "group")
	problems, _ := s.Problems(ctx, "")
	if err != nil || len(groups) != 1 || len(problems) != 1 || problems[0].Line != 3 {
		t.Errorf("%+v %+v %v", groups, problems, err)
	}
	if _, err := s.Component(ctx, "component:default/a"); fleet.CodeOf(err) != fleet.CodeNotFound {
		t.Errorf("dropped component: %v", err)
	}
}

func testAttempts(t *testing.T, s *store.Store) {
	ctx := t.Context()
	target := seed(t, s, "a", 1)[0]
	a := fleet.Attempt{Target: target.ID, Number: 1, State: "running", Agent: "script"}
	b := fleet.Attempt{Target: target.ID, Number: 2, State: "running", Agent: "script"}
	err := s.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.AddAttempt(ctx, &a); err != nil {
			return err
		}
		a.State, a.Outcome = "done", fleet.Ready
		a.Rounds = []fleet.Round{{Number: 1, Report: &fleet.Report{Checks: []fleet.Check{{Verifier: "go test", Outcome: fleet.Passed}}}, Verdict: &fleet.Verdict{Pass: true}}}
		a.Usage.Charge("m", fleet.Tokens{Input: 5}, 12)
		a.EndedAt = s.Now()
		if err := tx.SaveAttempt(ctx, &a); err != nil {
			return err
		}
		return tx.AddAttempt(ctx, &b)
	})
	if err != nil {
		t.Fatal(err)
	}
	if running, err := s.RunningAttempts(ctx); err != nil || len(running) != 1 || running[0] != b.ID {
		t.Errorf("running %v %v", running, err)
	}
	if err := s.Tx(ctx, func(tx *store.Tx) error { _, err := tx.LoseAttempts(ctx, target.ID); return err }); err != nil {
		t.Fatal(err)
	}
	got, err := s.Attempts(ctx, target.ID)
	if err != nil || len(got) != 2 || got[0].Rounds[0].Report.Checks[0].Verifier != "go test" || got[0].Usage.Cost != 12 || got[1].State != "lost" || got[1].Reason != fleet.CodeLost {
		t.Errorf("%+v, %v", got, err)
	}
}

func testCampaigns(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s, "a", 0)
	c, err := s.Campaign(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	stale := c
	reached := s.Now().Add(-time.Hour)
	c.State, c.Message, c.Waves, c.Reached, c.Priority = fleet.CampaignPaused, "why", []int{1, 2}, []time.Time{{}, reached}, -3
	if err := s.Tx(ctx, func(tx *store.Tx) error { return tx.SaveCampaign(ctx, &c, "ann", "paused") }); err != nil {
		t.Fatal(err)
	}
	err = s.Tx(ctx, func(tx *store.Tx) error { return tx.SaveCampaign(ctx, &stale, "bob", "x") })
	if fleet.CodeOf(err) != fleet.CodeConflict {
		t.Errorf("an old reading was saved: %v", err)
	}
	got, err := s.Campaigns(ctx)
	if err != nil || len(got) != 1 || got[0].State != fleet.CampaignPaused || len(got[0].Waves) != 2 || got[0].Version != c.Version ||
		len(got[0].Reached) != 2 || !got[0].Reached[0].IsZero() || !got[0].Reached[1].Equal(reached) || got[0].Priority != -3 {
		t.Errorf("%+v, %v", got, err)
	}
	err = s.Tx(ctx, func(tx *store.Tx) error {
		return tx.AddCampaign(ctx, &store.Campaign{Name: "a", State: fleet.CampaignActive})
	})
	if fleet.CodeOf(err) != fleet.CodeConflict {
		t.Errorf("a second campaign of that name: %v", err)
	}
	if _, err := s.Campaign(ctx, "none"); fleet.CodeOf(err) != fleet.CodeNotFound {
		t.Errorf("missing: %v", err)
	}
}

func testLists(t *testing.T, s *store.Store) {
	ctx := t.Context()
	all := seed(t, s, "a", 1203) // more than one insert's worth
	page, err := s.Targets(ctx, store.Filter{Campaign: "a", After: all[999].ID, Limit: 100})
	if err != nil || len(page) != 100 || page[0].ID != all[1000].ID {
		t.Errorf("%d, %v", len(page), err)
	}
	mine, err := s.Targets(ctx, store.Filter{Campaign: "a", Owner: "group:default/o1", States: []fleet.State{fleet.Pending, fleet.Failed}, Limit: 5000})
	if err != nil || len(mine) != 401 {
		t.Errorf("%d, %v", len(mine), err)
	}
	one, err := s.Targets(ctx, store.Filter{Campaign: "a", Component: "component:default/c00007"})
	if err != nil || len(one) != 1 {
		t.Errorf("%d, %v", len(one), err)
	}
}

func testRollback(t *testing.T, s *store.Store) {
	ctx := t.Context()
	target := seed(t, s, "a", 1)[0]
	boom := errors.New("boom")
	err := s.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.Move(ctx, &target, store.Move{To: fleet.Queued, Next: &store.Job{Lane: store.LaneAttempts}}); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	got, _ := s.Target(ctx, target.ID)
	events, _ := s.Events(ctx, "a", 0, 0, 10)
	if got.State != fleet.Pending || len(events) != 0 {
		t.Errorf("%s, %d events", got.State, len(events))
	}
}

func TestOpenExplainsWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "db")
	if err := os.WriteFile(file, []byte(strings.Repeat("not a database, ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, url := range map[string]string{"damaged": file, "scheme": "mysql://x", "postgres": "postgres://u:hunter2@127.0.0.1:1/x", "malformed": "postgres://u:hunter2@:bad:port/x"} {
		s, err := store.Open(t.Context(), store.Config{URL: url})
		if err == nil {
			s.Close()
			t.Errorf("%s: no error", name)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") || fleet.HintOf(err) == "" {
			t.Errorf("%s: %v (hint %q)", name, err, fleet.HintOf(err))
		}
	}
}

func TestSeveralProcessesMayOpenAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gaggle.db")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := store.Open(t.Context(), store.Config{URL: file})
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	wg.Wait()
}
