package report

import (
	"fmt"
	"math/rand/v2"
	"time"

	"gaggle/internal/fleet"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// sample makes a campaign over n targets that has been running for days, the same one for the same n.
func sample(n int) Input {
	rnd := rand.New(rand.NewPCG(7, uint64(n)))
	start := noon.Add(-11 * 24 * time.Hour)
	in := Input{
		Campaign: Campaign{Name: "ioutil-to-io", Owner: "group:default/platform", Description: "Replace the deprecated io/ioutil by io and os", State: fleet.CampaignActive,
			Why: "wave 3 of 3 waits: 41 of 60 are merged, 54 are needed", Approval: true, OpenWaves: 3, CreatedAt: start},
		Now: noon,
	}
	teams := []string{"payments", "search", "identity", "checkout", "platform", "data", "web", ""}
	messages := []struct {
		reason fleet.Code
		format string
	}{
		{fleet.CodeVerifyFailed, "go test failed: internal/%[1]s/store_test.go:%[2]d: TestRoundTrip: got %[2]d, want 42"},
		{fleet.CodeVerifyFailed, "go test failed: internal/%[1]s/store_test.go:%[2]d: TestRoundTrip: got %[2]d, want 42"},
		{fleet.CodeVerifyFailed, "go build failed: cmd/%[1]s/main.go:%[2]d:3: undefined: ioutil"},
		{fleet.CodeVeto, "the diff also rewrites \"%[1]s/handler.go\", which nobody asked for"},
		{fleet.CodeTimeout, "the attempt took longer than 20m%[2]ds"},
		{fleet.CodeGuard, "test-deleted: %[1]s/reader_test.go:%[2]d: TestReadAll is gone"},
	}
	for i := range n {
		id := int64(i + 1)
		wave := 2
		if i < n/40+1 {
			wave = 0
		} else if i < n/5+1 {
			wave = 1
		}
		name := fmt.Sprintf("svc-%05d", i)
		t := fleet.Target{ID: id, Campaign: in.Campaign.Name, Component: "component:default/" + name, Repository: "acme/" + name, Path: ".", Wave: wave, State: fleet.Pending, CreatedAt: start, UpdatedAt: start}
		if team := teams[(i*i+i/3)%len(teams)]; team != "" {
			t.Owner = "group:default/" + team
		}
		at := start.Add(time.Duration(wave) * 50 * time.Hour)
		move := func(to fleet.State, after time.Duration) bool {
			if at = at.Add(after); at.After(noon) {
				return false
			}
			in.Events = append(in.Events, Event{At: at, Target: id, Component: t.Component, Kind: "moved", From: t.State, To: to, Actor: "engine"})
			t.State, t.UpdatedAt = to, at
			return true
		}
		minutes := func(most int) time.Duration { return time.Duration(rnd.IntN(most*60)+60) * time.Second }
		end := rnd.IntN(100)
		if wave == 2 && end >= 93 {
			in.Targets = append(in.Targets, t)
			continue
		}
		if move(fleet.Queued, 0) && move(fleet.Changing, minutes(60*60)) {
			a := fleet.Attempt{ID: id, Target: id, Number: 1, State: "done", Agent: "native", Outcome: fleet.Ready, StartedAt: at}
			cost := fleet.Money(40_000 + rnd.IntN(500_000))
			for round := range 1 + rnd.IntN(3) {
				a.Rounds = append(a.Rounds, fleet.Round{Number: round + 1, Verdict: &fleet.Verdict{Pass: rnd.IntN(4) > 0}})
			}
			a.Usage.Charge("claude-sonnet-5", fleet.Tokens{Input: int64(cost) / 6, Output: int64(cost) / 40, CacheRead: int64(cost)}, cost)
			switch m := messages[i%len(messages)]; {
			case end < 9 && move(fleet.Failed, minutes(20)):
				t.Reason, t.Message = m.reason, fmt.Sprintf(m.format, name, 10+rnd.IntN(200))
				a.Outcome, a.Reason = fleet.Failed, t.Reason
			case end < 12 && move(fleet.Unchanged, minutes(5)):
				a.Outcome = fleet.Unchanged
			case move(fleet.Ready, minutes(20)) && end < 90 && move(fleet.Proposed, minutes(15)):
				t.PullNumber, t.PullURL = i+1, fmt.Sprintf("https://forge.example/acme/%s/pulls/%d", name, i+1)
				pull := PullFacts{Target: id, CI: []string{"passed", "passed", "passed", "passed", "failed", "pending", "passed"}[rnd.IntN(7)], Touched: rnd.IntN(12) == 0}
				switch {
				case end < 16 && move(fleet.Closed, minutes(2000)):
				case pull.CI == "passed" && move(fleet.Merged, minutes(4000)):
					pull.Deploy, pull.Reverted = []string{"success", "success", "failure"}[rnd.IntN(3)], rnd.IntN(30) == 0
				}
				in.Pulls = append(in.Pulls, pull)
			}
			t.Attempts, t.Usage = 1, a.Usage
			t.Stat = fleet.DiffStat{Files: 1 + rnd.IntN(5), Added: rnd.IntN(60), Deleted: rnd.IntN(60)}
			in.Attempts = append(in.Attempts, a)
		}
		in.Targets = append(in.Targets, t)
	}
	return in
}
