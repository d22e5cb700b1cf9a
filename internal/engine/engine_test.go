package engine_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gaggle/internal/attempt"
	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/git"
	"gaggle/internal/publish"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// changer is an attempt without git, sandbox or model: what becomes of a target is decided by its name.
type changer struct {
	mu    sync.Mutex
	calls map[string]int
	block chan struct{} // when set, attempts wait for it, or for their context
}

func (c *changer) Attempt(ctx context.Context, o attempt.Order) (attempt.Outcome, error) {
	c.mu.Lock()
	if c.calls == nil {
		c.calls = map[string]int{}
	}
	c.calls[o.Target.Component]++
	n := c.calls[o.Target.Component]
	c.mu.Unlock()
	if c.block != nil {
		select {
		case <-c.block:
		case <-ctx.Done():
			return attempt.Outcome{}, ctx.Err()
		}
	}
	base := git.Head{Branch: "main", Commit: "b", Tree: "t"}
	switch name := o.Component.Name; {
	case strings.HasPrefix(name, "same"):
		return attempt.Outcome{State: fleet.Unchanged, Base: base}, nil
	case strings.HasPrefix(name, "bad"):
		return attempt.Outcome{State: fleet.Failed, Reason: fleet.CodeVerifyFailed, Message: "tests fail", Base: base, Diff: []byte("best effort")}, nil
	case strings.HasPrefix(name, "veto"):
		return attempt.Outcome{State: fleet.Failed, Reason: fleet.CodeVeto, Message: "not what was asked", Base: base}, nil
	case strings.HasPrefix(name, "broken") && n == 1:
		return attempt.Outcome{}, errors.New("the machine is broken")
	}
	return attempt.Outcome{State: fleet.Ready, Base: base, Tree: "u", Diff: []byte("diff of " + o.Target.Component), Stat: fleet.DiffStat{Files: 1}}, nil
}

// host is a forge in memory that numbers pull requests and finds them by branch.
type host struct {
	mu    sync.Mutex
	pulls map[string]*forge.Pull // by repository and branch
	opens int
	byNum map[int]*forge.Pull
}

func (h *host) Publish(_ context.Context, p publish.Proposal) (publish.Published, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := p.Repository.Name + " " + p.Target.Branch
	if h.pulls == nil {
		h.pulls, h.byNum = map[string]*forge.Pull{}, map[int]*forge.Pull{}
	}
	if h.pulls[key] == nil {
		h.opens++
		h.pulls[key] = &forge.Pull{Number: h.opens, State: forge.StateOpen, URL: fmt.Sprintf("local:%d", h.opens), HeadBranch: p.Target.Branch, HeadSHA: "c"}
		h.byNum[h.opens] = h.pulls[key]
	}
	return publish.Published{Head: "c", Pull: *h.pulls[key], With: make([]publish.Provenance, len(p.With))}, nil
}

// The methods of a forge, which the engine uses to follow pull requests.

func (h *host) Open(context.Context, forge.PullSpec) (forge.Pull, error) {
	return forge.Pull{}, forge.Unsupported("opening")
}

func (h *host) Find(_ context.Context, repo fleet.Repository, branch string) (forge.Pull, error) {
	return forge.Pull{}, forge.NotFound(repo, branch)
}

func (h *host) Close(context.Context, fleet.Repository, int, string) error {
	return forge.Unsupported("closing")
}

func (h *host) Merge(context.Context, fleet.Repository, int, forge.MergeSpec) error {
	return forge.Unsupported("merging")
}

func (h *host) Get(_ context.Context, _ fleet.Repository, number int) (forge.Pull, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return *h.byNum[number], nil
}

func (h *host) Withdraw(_ context.Context, w publish.Withdrawal) (publish.Withdrawn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := publish.Withdrawn{Pull: *h.byNum[w.Number]}
	h.byNum[w.Number].State = forge.StateClosed
	return out, nil
}

func (h *host) set(state forge.State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.byNum {
		if p.State == forge.StateOpen {
			p.State = state
		}
	}
}

type world struct {
	store   *store.Store
	engine  *engine.Engine
	changer *changer
	host    *host
	forge   forge.Forge  // what is followed: the host, or one with more abilities
	ahead   atomic.Int64 // by how much the store's clock is ahead
}

func newWorld(t testing.TB, url string) *world {
	w := &world{changer: &changer{}, host: &host{}}
	s, err := store.Open(t.Context(), store.Config{URL: url, Clock: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w.store, w.forge = s, w.host
	w.engine = engine.New(engine.Config{Store: s, Changer: w.changer, Publisher: w.host, Forge: func(string) (forge.Forge, error) { return w.forge, nil }, Parallel: 4, Tick: 5 * time.Millisecond})
	return w
}

// suite is what an engine does on any database.
var suite = map[string]func(*testing.T, *world){
	"run takes every target to a rest":                      testRunTakesEveryTargetToARest,
	"waves wait for their gate":                             testWavesWaitForTheirGate,
	"a failing wave pauses the campaign":                    testAFailingWavePausesTheCampaign,
	"a dry run ends ready and is not paid twice":            testADryRunEndsReadyAndIsNotPaidTwice,
	"stopping takes attempts back and the next run resumes": testStoppingTakesAttemptsBackAndTheNextRunResumes,
	"retry rerun pause resume cancel":                       testRetryRerunPauseResumeCancel,
	"cancel reaches the attempt":                            testCancelReachesTheAttempt,
	"planning again adds and skips":                         testPlanningAgainAddsAndSkips,
	"approval by wave":                                      testApprovalByWave,
	"approval by target":                                    testApprovalByTarget,
	"a dry run is proposed in waves":                        testADryRunIsProposedInWaves,
	"planning again never refills an open wave":             testPlanningAgainNeverRefillsAnOpenWave,
	"a part of a plan leaves the others":                    testAPartOfAPlanLeavesTheOthersPending,
	"cohorts go first":                                      testCohortsGoFirst,
	"preview says what start does":                          testPreviewSaysWhatStartDoes,
	"preview of a canceled campaign":                        testPreviewOfACanceledCampaign,
	"a wave soaks":                                          testAWaveSoaks,
	"a wave that loses its gate soaks anew":                 testAWaveThatLosesItsGateSoaksAnew,
	"gates hear what others say":                            testGatesHearWhatOthersSay,
	"following opens the next wave":                         testFollowingOpensTheNextWave,
	"vetoes pause the campaign":                             testVetoesPauseTheCampaign,
	"a batch waits and goes together":                       testABatchWaitsAndGoesTogether,
	"passes over different campaigns":                       testPassesOverDifferentCampaigns,
	"a failed visit is made again":                          testAFailedVisitIsMadeAgain,
}

func TestOnSQLite(t *testing.T) {
	for name, test := range suite {
		t.Run(name, func(t *testing.T) { test(t, newWorld(t, sqliteFile(t))) })
	}
}

func sqliteFile(t testing.TB) string { return filepath.Join(t.TempDir(), "gaggle.db") }

const file = `apiVersion: gaggle/v1
kind: Campaign
metadata: {name: demo}
select: {where: "true"}
change: {run: "true"}
%s
`

// plan makes a repository and a component for each name and a campaign over all of them.
func (w *world) plan(t testing.TB, more string, names ...string) engine.Plan {
	t.Helper()
	c, err := spec.Parse("demo.yaml", []byte(fmt.Sprintf(file, more)))
	if err != nil {
		t.Fatal(err)
	}
	p := engine.Plan{Spec: c}
	if err := w.store.Tx(t.Context(), func(tx *store.Tx) error {
		for _, name := range names {
			ref := fleet.Ref("component", "", name)
			comp := fleet.Component{Ref: ref, Name: name, Namespace: "default", Repository: name, Path: "."}
			if err := tx.PutRepository(t.Context(), store.RepositoryInventory{Repository: fleet.Repository{Name: name, Forge: "local", Tree: "t"}, Components: []fleet.Component{comp}}); err != nil {
				return err
			}
			p.Targets = append(p.Targets, fleet.Target{Campaign: "demo", Component: ref, Repository: name, Path: ".", Branch: "gaggle/demo"})
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (w *world) start(t testing.TB, p engine.Plan) {
	t.Helper()
	if err := w.engine.Start(t.Context(), p, "ann"); err != nil {
		t.Fatal(err)
	}
}

func (w *world) run(t testing.TB) []engine.Pause {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	waits, err := w.engine.Run(ctx, []string{"demo"})
	if err != nil {
		t.Fatal(err)
	}
	return waits
}

// expect compares how many targets are in each state.
func (w *world) expect(t testing.TB, want map[fleet.State]int) {
	t.Helper()
	counts, err := w.store.Counts(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	got := map[fleet.State]int{}
	for _, c := range counts {
		got[c.State] += c.Targets
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("states %v, want %v", got, want)
	}
}

func testRunTakesEveryTargetToARest(t *testing.T, w *world) {
	w.start(t, w.plan(t, "rollout: {gate: {success: 0}}", "a", "same", "bad", "b"))
	waits := w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 2, fleet.Unchanged: 1, fleet.Failed: 1})
	if len(waits) != 1 || !strings.Contains(waits[0].Message, "2 pull requests are open") {
		t.Errorf("waits %+v", waits)
	}
	w.host.set(forge.StateMerged)
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Merged: 2, fleet.Unchanged: 1, fleet.Failed: 1})
	row, err := w.store.Campaign(t.Context(), "demo")
	if err != nil || row.State != fleet.CampaignDone {
		t.Errorf("campaign %s, %v", row.State, err)
	}
	for name, n := range w.changer.calls {
		if n != 1 {
			t.Errorf("%s was attempted %d times", name, n)
		}
	}
}

func testWavesWaitForTheirGate(t *testing.T, w *world) {
	w.start(t, w.plan(t, "rollout: {waves: [1, 100%], gate: {merged: 1}}", "a", "b", "c"))
	waits := w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 1, fleet.Pending: 2})
	if len(waits) != 1 || !strings.Contains(waits[0].Message, "wave 2 of 2 waits") {
		t.Errorf("waits %+v", waits)
	}
	w.host.set(forge.StateMerged)
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Merged: 1, fleet.Proposed: 2})
}

func testAFailingWavePausesTheCampaign(t *testing.T, w *world) {
	w.start(t, w.plan(t, "rollout: {waves: [1, 100%]}", "bad", "b"))
	waits := w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Failed: 1, fleet.Pending: 1})
	if len(waits) != 1 || !strings.HasPrefix(waits[0].Message, "paused: ") {
		t.Errorf("waits %+v", waits)
	}
}

func testADryRunEndsReadyAndIsNotPaidTwice(t *testing.T, w *world) {
	p := w.plan(t, "", "a", "b")
	p.DryRun = true
	w.start(t, p)
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Ready: 2})
	if w.host.opens != 0 {
		t.Fatalf("a dry run opened %d pull requests", w.host.opens)
	}
	p.DryRun = false
	w.start(t, p)
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 2})
	if w.changer.calls["component:default/a"] != 1 {
		t.Errorf("the change was made %d times", w.changer.calls["component:default/a"])
	}
}

func testApprovalByWave(t *testing.T, w *world)   { testApproval(t, w, "wave") }
func testApprovalByTarget(t *testing.T, w *world) { testApproval(t, w, "target") }

func testApproval(t *testing.T, w *world, kind string) {
	w.start(t, w.plan(t, "rollout: {approval: "+kind+"}", "a", "b", "c"))
	waits := w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Ready: 3})
	if len(waits) != 1 || !strings.Contains(waits[0].Message, "approv") {
		t.Errorf("waits %+v", waits)
	}
	if n, err := w.engine.Approve(t.Context(), engine.Selection{Campaign: "demo", Components: []string{"component:default/b"}}, "ann"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Ready: 2, fleet.Proposed: 1})
	if _, err := w.engine.Approve(t.Context(), engine.Selection{Campaign: "demo"}, "ann"); err != nil {
		t.Fatal(err)
	}
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 3})
}

func testStoppingTakesAttemptsBackAndTheNextRunResumes(t *testing.T, w *world) {
	w.changer.block = make(chan struct{})
	w.start(t, w.plan(t, "", "a", "b", "c"))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			w.changer.mu.Lock()
			n := len(w.changer.calls)
			w.changer.mu.Unlock()
			if n == 3 {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	_, err := w.engine.Run(ctx, []string{"demo"})
	if fleet.CodeOf(err) != fleet.CodeInterrupted || fleet.HintOf(err) == "" {
		t.Fatalf("%v", err)
	}
	w.expect(t, map[fleet.State]int{fleet.Queued: 3})
	close(w.changer.block)
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 3})
	if w.host.opens != 3 {
		t.Errorf("%d pull requests", w.host.opens)
	}
}

func testRetryRerunPauseResumeCancel(t *testing.T, w *world) {
	ctx := t.Context()
	w.start(t, w.plan(t, "rollout: {gate: {success: 0}}", "a", "bad1", "bad2", "same"))
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 1, fleet.Failed: 2, fleet.Unchanged: 1})
	if _, err := w.engine.Retry(ctx, engine.Selection{Campaign: "demo", Components: []string{"component:default/none"}}, "ann"); fleet.CodeOf(err) != fleet.CodeNotFound {
		t.Errorf("an unknown target: %v", err)
	}
	if n, err := w.engine.Retry(ctx, engine.Selection{Campaign: "demo", Components: []string{"component:default/bad1"}}, "ann"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := w.engine.Pause(ctx, "demo", "ann", "lunch"); err != nil {
		t.Fatal(err)
	}
	if waits := w.run(t); len(waits) != 1 || !strings.Contains(waits[0].Message, "lunch") {
		t.Errorf("waits %+v", waits)
	}
	w.expect(t, map[fleet.State]int{fleet.Proposed: 1, fleet.Queued: 1, fleet.Failed: 1, fleet.Unchanged: 1})
	if err := w.engine.Resume(ctx, "demo", "ann"); err != nil {
		t.Fatal(err)
	}
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 1, fleet.Failed: 2, fleet.Unchanged: 1})
	if w.changer.calls["component:default/bad1"] != 2 || w.changer.calls["component:default/bad2"] != 1 {
		t.Errorf("calls %v", w.changer.calls)
	}
	// Only what is out of date runs again.
	if n, err := w.engine.Rerun(ctx, engine.Selection{Campaign: "demo"}, map[string]string{"same": "t", "bad1": "t", "bad2": "new"}, "ann"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := w.engine.Cancel(ctx, engine.Selection{Campaign: "demo"}, "ann"); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Canceled: 2, fleet.Failed: 1, fleet.Unchanged: 1})
	if w.host.byNum[1].State != forge.StateClosed {
		t.Error("the open pull request was not withdrawn")
	}
}

func testCancelReachesTheAttempt(t *testing.T, w *world) {
	w.changer.block = make(chan struct{})
	w.start(t, w.plan(t, "", "a"))
	done := make(chan error, 1)
	go func() { _, err := w.engine.Run(t.Context(), []string{"demo"}); done <- err }()
	for {
		if got, err := w.store.Targets(t.Context(), store.Filter{Campaign: "demo", States: []fleet.State{fleet.Changing}}); err != nil || len(got) == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	other := engine.New(engine.Config{Store: w.store, Changer: w.changer, Publisher: w.host})
	if n, err := other.Cancel(t.Context(), engine.Selection{Campaign: "demo"}, "ann"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.expect(t, map[fleet.State]int{fleet.Canceled: 1})
}

func testPlanningAgainAddsAndSkips(t *testing.T, w *world) {
	w.start(t, w.plan(t, "rollout: {waves: [1, 100%], gate: {merged: 1}}", "a", "b", "c"))
	w.run(t)
	w.start(t, w.plan(t, "rollout: {waves: [1, 100%], gate: {merged: 0}}", "a", "c", "d"))
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 3, fleet.Skipped: 1})
}

func testADryRunIsProposedInWaves(t *testing.T, w *world) {
	p := w.plan(t, "rollout: {waves: [1, 100%], gate: {merged: 1}}", "a", "b", "c")
	p.DryRun = true
	w.start(t, p)
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Ready: 3})
	p.DryRun = false
	w.start(t, p)
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 1, fleet.Ready: 2})
	w.host.set(forge.StateMerged)
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Merged: 1, fleet.Proposed: 2})
}

func testPlanningAgainNeverRefillsAnOpenWave(t *testing.T, w *world) {
	gate := "rollout: {waves: [1, 2, 100%], gate: {merged: 1}}"
	w.start(t, w.plan(t, gate, "a", "b", "c", "d", "e"))
	w.run(t)
	w.host.set(forge.StateMerged)
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Merged: 1, fleet.Proposed: 2, fleet.Pending: 2})
	// What is merged no longer matches; two are new.
	w.start(t, w.plan(t, gate, "b", "c", "d", "e", "f", "g"))
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Merged: 1, fleet.Proposed: 2, fleet.Pending: 4})
}

func testAPartOfAPlanLeavesTheOthersPending(t *testing.T, w *world) {
	all := w.plan(t, "", "a", "b", "c")
	part := all
	part.Targets, part.Partial = all.Targets[:1:1], true
	w.start(t, part)
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 1})
	w.start(t, all)
	part.Targets = all.Targets[1:2:2]
	w.start(t, part)
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 2, fleet.Pending: 1})
	w.start(t, all)
	w.run(t)
	w.expect(t, map[fleet.State]int{fleet.Proposed: 3})
}

// BenchmarkNoOp takes targets through all states without any work in between.
func BenchmarkNoOp(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkNoOp(b, sqliteFile(b), 1) })
}

func benchmarkNoOp(b *testing.B, url string, workers int) {
	w := newWorld(b, url)
	names := make([]string, b.N)
	for i := range names {
		names[i] = fmt.Sprintf("c%06d", i)
	}
	w.start(b, w.plan(b, "", names...))
	b.ResetTimer()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			e := engine.New(engine.Config{Store: w.store, Changer: w.changer, Publisher: w.host, Forge: func(string) (forge.Forge, error) { return w.host, nil }, Parallel: 8})
			if _, err := e.Run(b.Context(), []string{"demo"}); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	w.expect(b, map[fleet.State]int{fleet.Proposed: b.N})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "targets/s")
}
