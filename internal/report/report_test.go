package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gaggle/internal/fleet"
)

var update = flag.Bool("update", false, "write the golden files")

// small is a campaign with one target of each kind, and texts that mean harm.
func small() Input {
	at := func(hours float64) time.Time { return noon.Add(time.Duration((hours - 50) * float64(time.Hour))) }
	in := Input{
		Campaign: Campaign{Name: "ioutil-to-io", Owner: "group:default/platform", Description: "Replace <b>io/ioutil</b>\nby io & os", State: fleet.CampaignPaused,
			Why: "the gate of wave 1 cannot be reached any more", OpenWaves: 2, CreatedAt: at(0)},
		Waves:    []string{"", "canary & co"},
		Now:      noon,
		Estimate: &Estimate{Done: noon.Add(80 * time.Minute), AtLeast: []string{"CI"}, Bound: "forge", Why: "at the pace of git.example.com|<x>: 250 pull requests an hour allowed, 20 left this hour", Attempts: 1, Pulls: 3},
		Evidence: &Evidence{Unchanged: 1, Decided: 3, Lower: 0.016952, Threshold: 0.9, Says: "1 of 3 merged unchanged; lower 95% bound 0.016, threshold 0.9"},
	}
	in.Targets = make([]fleet.Target, 0, 16) // target returns pointers into it
	target := func(name, owner string, wave int, reason fleet.Code, message string, steps ...fleet.State) *fleet.Target {
		t := fleet.Target{ID: int64(len(in.Targets) + 1), Campaign: in.Campaign.Name, Component: "component:default/" + name, Repository: "acme/" + name, Path: ".", Owner: owner,
			Wave: wave, State: fleet.Pending, Reason: reason, Message: message, CreatedAt: at(0), UpdatedAt: at(0)}
		for i, to := range steps {
			t.UpdatedAt = at(float64(len(in.Targets)) + 5*float64(i+1))
			in.Events = append(in.Events, Event{At: t.UpdatedAt, Target: t.ID, Component: t.Component, Kind: "moved", From: t.State, To: to, Actor: "engine"})
			t.State = to
		}
		in.Targets = append(in.Targets, t)
		return &in.Targets[len(in.Targets)-1]
	}
	attempt := func(t *fleet.Target, outcome fleet.State, cost fleet.Money, passes ...bool) {
		a := fleet.Attempt{ID: int64(len(in.Attempts) + 1), Target: t.ID, State: "done", Outcome: outcome}
		for i := range passes {
			a.Rounds = append(a.Rounds, fleet.Round{Number: i + 1, Verdict: &fleet.Verdict{Pass: passes[i]}})
		}
		a.Usage.Charge("small-model", fleet.Tokens{Input: 1000, Output: 200, CacheRead: 30_000}, cost)
		in.Attempts = append(in.Attempts, a)
		t.Attempts++
		t.Usage.Merge(a.Usage)
	}
	const payments, search = "group:default/payments", "group:default/search"
	merged := []fleet.State{fleet.Queued, fleet.Changing, fleet.Ready, fleet.Proposed, fleet.Merged}
	t := target("billing", payments, 0, "", "", merged...)
	attempt(t, fleet.Failed, 150_000, false, false)
	attempt(t, fleet.Ready, 250_000, false, true)
	attempt(target("checkout", payments, 0, "", "", merged...), fleet.Ready, 100_000, true)
	attempt(target("index", search, 0, "", "", merged[:4]...), fleet.Ready, 90_000, true)
	target("crawler", search, 0, "", "", append(slices.Clone(merged[:4]), fleet.Closed)...)
	attempt(target("ranker", search, 1, fleet.CodeVerifyFailed, "go test failed: ranker/rank_test.go:12: want 3, got 4 | `x` <script>alert(1)</script>", fleet.Queued, fleet.Changing, fleet.Failed), fleet.Failed, 300_000)
	target("ledger", payments, 1, fleet.CodeVerifyFailed, "go test failed: ledger/ledger_test.go:214: want 3, got 17 | `y` <script>alert(1)</script>", fleet.Queued, fleet.Changing, fleet.Failed)
	target("=cmd|' /C calc'!A0", "user:default/@everyone", 1, fleet.CodePolicy, "+1 wants\tno campaigns", fleet.Skipped)
	target("vault", "", 1, "", "", merged[:3]...)
	target("gate", "", 2, "", "")
	in.Pulls = []PullFacts{
		{Target: 1, CI: "passed", Deploy: "success"},
		{Target: 2, CI: "passed", Touched: true, OpenedAt: at(19), MergedAt: at(28)},
		{Target: 3, CI: "failed"},
		{Target: 99, CI: "failed"},
	}
	return in
}

func golden(t *testing.T, file string, write func(io.Writer) error) {
	t.Helper()
	var got bytes.Buffer
	if err := write(&got); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (go test -update writes it):\n%s", file, diff)
	}
}

func TestGolden(t *testing.T) {
	r := Build(small())
	golden(t, "testdata/small.md", func(w io.Writer) error { return Markdown(w, r) })
	golden(t, "testdata/small.json", func(w io.Writer) error { return JSON(w, r) })
	golden(t, "testdata/small.csv", func(w io.Writer) error { return CSV(w, r) })
	golden(t, "testdata/small.html", func(w io.Writer) error { return HTML(w, r) })
}

// TestNothingYet builds from nothing at all.
func TestNothingYet(t *testing.T) {
	for _, in := range []Input{{}, {Now: noon}, {Now: noon, Targets: []fleet.Target{{}}}, {Now: noon, Campaign: Campaign{CreatedAt: noon.Add(time.Hour)}, Targets: []fleet.Target{{CreatedAt: noon.Add(time.Hour), State: "unheard-of"}}}} {
		r := Build(in)
		for _, write := range []func(io.Writer, Report) error{Markdown, JSON, CSV, HTML} {
			if err := write(io.Discard, r); err != nil {
				t.Error(err)
			}
		}
		data, err := json.Marshal(r)
		if err != nil || bytes.Contains(data, []byte("null")) {
			t.Errorf("%s, %v", data, err)
		}
	}
}

// TestEmptyCampaign says that there is nothing, and shows no figures of it.
func TestEmptyCampaign(t *testing.T) {
	r := Build(Input{Now: noon, Campaign: Campaign{Name: "c", State: fleet.CampaignCanceled, Why: "canceled by ann", CreatedAt: noon.Add(-time.Hour)}})
	for format, not := range map[Format][]string{FormatMarkdown: {"cost", "Burndown", "canceled: canceled"}, FormatHTML: {"0 left", `class="tile"`}} {
		var b strings.Builder
		if err := Write(&b, r, format); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "It concerns no component.") || !strings.Contains(b.String(), "canceled by ann") {
			t.Errorf("%s says nothing:\n%s", format, b.String())
		}
		for _, s := range not {
			if strings.Contains(b.String(), s) {
				t.Errorf("%s says %q", format, s)
			}
		}
	}
}

// TestFiguresAddUp lets targets live by the table of moves, and holds the report against where they ended.
func TestFiguresAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := Input{Now: noon, Campaign: Campaign{CreatedAt: noon.Add(-100 * time.Hour)}}
		for i := range rapid.IntRange(0, 30).Draw(t, "targets") {
			tg := fleet.Target{ID: int64(i), State: fleet.Pending, Wave: rapid.IntRange(0, 3).Draw(t, "wave"), Owner: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "owner"), CreatedAt: in.Campaign.CreatedAt, Component: string(rune('a' + i))}
			at := in.Campaign.CreatedAt
			for range rapid.IntRange(0, 8).Draw(t, "moves") {
				var next []fleet.State
				for _, m := range fleet.Moves {
					if m.From == tg.State {
						next = append(next, m.To)
					}
				}
				to := rapid.SampledFrom(next).Draw(t, "to")
				at = at.Add(time.Duration(rapid.IntRange(1, 10*3600).Draw(t, "after")) * time.Second)
				in.Events = append(in.Events, Event{At: at, Target: tg.ID, From: tg.State, To: to})
				tg.State, tg.UpdatedAt = to, at
			}
			tg.Usage.Charge("m", fleet.Tokens{Input: 1}, fleet.Money(rapid.IntRange(0, 1000).Draw(t, "cost")))
			in.Targets = append(in.Targets, tg)
			in.Attempts = append(in.Attempts, fleet.Attempt{Target: tg.ID, Outcome: fleet.Failed, Usage: tg.Usage})
			in.Pulls = append(in.Pulls, PullFacts{Target: tg.ID, CI: rapid.SampledFrom([]string{"", "passed", "failed", "pending"}).Draw(t, "ci"), Reverted: rapid.Bool().Draw(t, "reverted")})
		}
		r := Build(in)

		var left, merged int
		for _, tg := range in.Targets {
			if !tg.State.AtRest() {
				left++
			}
			if tg.State == fleet.Merged {
				merged++
			}
		}
		last := r.Burndown[len(r.Burndown)-1]
		if last.Left != left || last.Merged != merged || r.Total.Left() != left || r.Total.Merged != merged || !last.At.Equal(noon) || len(r.Burndown) > maxPoints {
			t.Fatalf("%d left, %d merged: %+v, %+v", left, merged, r.Total, last)
		}
		if n := len(r.Burndown); n > 2 { // nothing happened since the last change, so what the events say is what is
			if before := r.Burndown[n-2]; before.At.Before(noon.Add(-2*time.Hour)) && allBefore(in.Events, before.At) && (before.Left != left || before.Merged != merged) {
				t.Fatalf("%+v, then %+v", before, last)
			}
		}
		for i, p := range r.Burndown {
			if p.Left < 0 || p.Merged < 0 || p.Left+p.Merged > len(in.Targets) || i > 0 && !p.At.After(r.Burndown[i-1].At) {
				t.Fatalf("%+v", r.Burndown)
			}
		}
		var states, waves, owners, waiting int
		for _, s := range r.States {
			states += s.Count
		}
		for _, w := range r.Waves {
			waves += w.Waiting + w.Working + w.Ready + w.Open + w.Merged + w.Closed + w.Failed + w.Other
		}
		for _, o := range r.Owners {
			owners += o.Targets
		}
		for _, w := range r.Waiting {
			waiting += w.Count
		}
		if all := len(in.Targets); states != all || waves != all || owners != all || waiting != left+r.Total.Failed || r.Total.Targets != all {
			t.Fatalf("%d targets: %d, %d, %d, %d", all, states, waves, owners, waiting)
		}
		if r.Money.Wasted != r.Money.Total { // here all that was spent went into attempts that failed
			t.Fatalf("%+v", r.Money)
		}

		// The order in which things come in does not matter.
		rnd := rand.New(rand.NewPCG(1, uint64(len(in.Events))))
		in.Events, in.Targets, in.Pulls = slices.Clone(in.Events), slices.Clone(in.Targets), slices.Clone(in.Pulls)
		rnd.Shuffle(len(in.Events), func(i, j int) { in.Events[i], in.Events[j] = in.Events[j], in.Events[i] })
		rnd.Shuffle(len(in.Targets), func(i, j int) { in.Targets[i], in.Targets[j] = in.Targets[j], in.Targets[i] })
		rnd.Shuffle(len(in.Pulls), func(i, j int) { in.Pulls[i], in.Pulls[j] = in.Pulls[j], in.Pulls[i] })
		if diff := cmp.Diff(r, Build(in)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func allBefore(events []Event, at time.Time) bool {
	return !slices.ContainsFunc(events, func(e Event) bool { return e.At.After(at) })
}

func TestSpread(t *testing.T) {
	for n, want := range map[int]Spread{0: {}, 1: {1, 1, 1}, 2: {2, 1, 2}, 10: {10, 5, 9}, 11: {11, 6, 10}, 100: {100, 50, 90}} {
		var took []time.Duration
		for i := range n {
			took = append(took, time.Duration(n-i)*time.Second)
		}
		if got := spread(took); got != want {
			t.Errorf("%d: %+v, want %+v", n, got, want)
		}
	}
}

// BenchmarkFleet builds and writes the report of 100,000 targets.
func BenchmarkFleet(b *testing.B) {
	in := sample(100_000)
	b.Run("build", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Build(in)
		}
	})
	r := Build(in)
	for name, write := range map[string]func(io.Writer, Report) error{"markdown": Markdown, "json": JSON, "csv": CSV, "html": HTML} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := write(io.Discard, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
