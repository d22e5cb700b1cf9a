package rollout

import (
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// told is a cohort with what CI, the judge and deployments say of it, in words such as "ci 3 passed, 1 failed".
func told(wave Cohort, words ...string) Cohort {
	for _, text := range words {
		what, rest, _ := strings.Cut(text, " ")
		for part := range strings.SplitSeq(rest, ", ") {
			count, word, _ := strings.Cut(part, " ")
			number := int(count[0] - '0')
			*map[string]*int{
				"ci passed": &wave.CIPassed, "ci failed": &wave.CIFailed, "ci pending": &wave.CIPending,
				"judge vetoed": &wave.Vetoed, "main reverted": &wave.Reverted,
				"deploy healthy": &wave.Deployed, "deploy failed": &wave.DeployFailed, "deploy pending": &wave.DeployPending,
			}[what+" "+word] = number
		}
	}
	return wave
}

func TestCheckWhatOthersSay(t *testing.T) {
	gate := func(change func(*Gate)) Gate {
		g := Gate{Vetoed: 1, Reverted: 1}
		change(&g)
		return g
	}
	checks := gate(func(g *Gate) { g.Checks = 0.9 })
	vetoed := gate(func(g *Gate) { g.Vetoed = 0.2 })
	reverted := gate(func(g *Gate) { g.Reverted = 0 })
	deployed := gate(func(g *Gate) { g.Deployed = 1 })
	for _, tc := range []struct {
		cohort Cohort
		gate   Gate
		dry    bool
		want   Verdict
		why    string
	}{
		{told(wave("9 proposed"), "ci 9 passed"), checks, false, Passed, ""},
		{told(wave("9 proposed, 1 merged"), "ci 9 passed, 1 failed"), checks, false, Passed, ""},
		{told(wave("9 proposed, 1 merged"), "ci 9 passed, 1 pending"), checks, false, Passed, ""},
		{told(wave("9 proposed"), "ci 7 passed, 1 failed, 1 pending"), checks, false, Failing, "CI passed for 7 of 9 pull requests, the gate needs 9; 1 failed, 1 pending"},
		{told(wave("9 proposed, 1 revising"), "ci 8 passed, 1 failed"), checks, false, Waiting, "CI passed for 8 of 10 pull requests, the gate needs 9; 1 failed, 1 pending"},
		{told(wave("4 proposed, 1 revising"), "ci 4 passed"), checks, false, Waiting, "CI passed for 4 of 5 pull requests, the gate needs 5; 1 pending"},
		{told(wave("1 proposed, 1 queued, 1 changing, 1 ready, 1 pending"), "ci 1 passed"), checks, false, Waiting, "CI passed for 1 of 5 pull requests, the gate needs 5; 4 not open yet"},
		{wave("9 proposed"), checks, false, Passed, ""}, // without CI
		{wave("9 ready"), checks, true, Passed, ""},     // nothing to check
		{told(wave("9 failed"), "ci 9 failed"), gate(func(*Gate) {}), false, Passed, ""},

		{told(wave("9 proposed, 1 closed")), vetoed, false, Passed, ""},
		{told(wave("8 proposed, 2 failed"), "judge 2 vetoed"), vetoed, false, Passed, ""},
		{told(wave("7 proposed, 3 failed")), vetoed, false, Passed, ""}, // for other reasons
		{told(wave("7 proposed, 1 closed, 2 failed"), "judge 2 vetoed"), vetoed, false, Failing, "3 of 10 targets were refused by the judge or by people, the gate allows 2"},
		{told(wave("1 queued, 1 failed"), "judge 1 vetoed"), vetoed, true, Failing, "1 of 2 targets were refused by the judge or by people, the gate allows 0; 1 not judged yet"},
		{told(wave("3 proposed, 1 failed, 1 changing"), "judge 1 vetoed"), vetoed, false, Waiting, "1 of 5 targets were refused by the judge or by people, the gate allows 1; 1 not judged yet"},
		{told(wave("3 proposed, 1 ready, 1 failed"), "judge 1 vetoed"), vetoed, false, Passed, ""},
		{told(wave("100 unchanged, 1 closed, 3 queued")), vetoed, false, Failing, "1 of 4 targets were refused by the judge or by people, the gate allows 0; 3 not judged yet"},

		{told(wave("9 merged")), reverted, false, Passed, ""},
		{told(wave("9 merged"), "main 1 reverted"), reverted, false, Failing, "1 of 9 merged changes were reverted, the gate allows 0"},
		{told(wave("5 merged, 5 proposed"), "main 1 reverted"), gate(func(g *Gate) { g.Reverted = 0.2 }), false, Passed, ""},
		{told(wave("4 merged, 6 proposed"), "main 1 reverted"), gate(func(g *Gate) { g.Reverted = 0.2 }), false, Failing, "1 of 4 merged changes were reverted, the gate allows 0"},

		{told(wave("9 merged")), deployed, false, Passed, ""}, // nobody deploys it
		{told(wave("9 merged"), "deploy 4 healthy"), deployed, false, Passed, ""},
		{told(wave("9 merged"), "deploy 4 healthy, 2 pending"), deployed, false, Waiting, "4 of 6 deployments are healthy, the gate needs 6; 2 pending"},
		{told(wave("9 merged"), "deploy 4 healthy, 1 failed, 2 pending"), deployed, false, Failing, "4 of 7 deployments are healthy, the gate needs 7; 1 failed, 2 pending"},
		{told(wave("9 merged"), "deploy 4 healthy, 1 failed, 2 pending"), gate(func(g *Gate) { g.Deployed = 0.8 }), false, Waiting, "4 of 7 deployments are healthy, the gate needs 6; 1 failed, 2 pending"},

		// A failure outweighs a wait, and the first one is told.
		{told(wave("1 merged, 8 queued"), "main 1 reverted"), Gate{Success: 1, Vetoed: 1}, false, Failing, "1 of 1 merged changes were reverted, the gate allows 0"},
		{told(wave("1 merged, 1 closed"), "main 1 reverted"), Gate{}, false, Failing, "1 of 2 targets were refused by the judge or by people, the gate allows 0"},
	} {
		got := Check(tc.cohort, tc.gate, tc.dry, noon)
		if got.Verdict != tc.want || got.Why != tc.why || got.Reached != (tc.want == Passed) || (got.Hint != "") != (tc.want == Failing) {
			t.Errorf("%+v, %+v: %+v; want %s, %q", tc.cohort, tc.gate, got, tc.want, tc.why)
		}
	}
}

func TestCheckSoaks(t *testing.T) {
	g := Gate{Success: 1, Vetoed: 1, Soak: 2 * time.Hour}
	since := func(c Cohort, at time.Time) Cohort { c.Reached = at; return c }
	berlin := time.FixedZone("CET", 3600)
	for name, tc := range map[string]struct {
		cohort Cohort
		now    time.Time
		dry    bool
		want   Verdict
		why    string
	}{
		"it begins":                  {wave("1 proposed"), noon, false, Waiting, "it soaks until 14:00 UTC"},
		"it goes on":                 {since(wave("1 proposed"), noon), noon.Add(2*time.Hour - 1), false, Waiting, "it soaks until 14:00 UTC"},
		"it ends":                    {since(wave("1 proposed"), noon), noon.Add(2 * time.Hour), false, Passed, ""},
		"it ends tomorrow":           {wave("1 proposed"), noon.Add(11 * time.Hour), false, Waiting, "it soaks until 2026-03-03 01:00 UTC"},
		"in the zone of now":         {since(wave("1 proposed"), noon), noon.In(berlin), false, Waiting, "it soaks until 15:00 CET"},
		"nothing soaks in a dry run": {wave("1 ready"), noon, true, Passed, ""},
		"nothing is there to soak":   {wave("1 unchanged"), noon, false, Passed, ""},
		"the rest comes first":       {since(wave("1 queued"), noon), noon.Add(5 * time.Hour), false, Waiting, "0 of 1 targets are proposed or merged, the gate needs 1"},
	} {
		got := Check(tc.cohort, g, tc.dry, tc.now)
		if got.Verdict != tc.want || got.Why != tc.why || got.Soaks.IsZero() == strings.Contains(tc.why, "soaks") {
			t.Errorf("%s: %+v; want %s, %q", name, got, tc.want, tc.why)
		}
	}
}

func TestDecideMarksWhenAGateIsReached(t *testing.T) {
	named := wave("2 proposed")
	named.Name = "canaries"
	s := Snapshot{State: fleet.CampaignActive, Limit: NoLimit, Gate: Gate{Success: 1, Soak: time.Hour}, Waves: []Cohort{named, wave("unopened 3 pending")}}
	want := func(at time.Time, want ...Action) {
		t.Helper()
		got := Decide(s, at)
		if len(got) != len(want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("got %+v, want %+v", got[i], want[i])
			}
		}
	}
	want(noon, MarkReached{0, noon.Add(time.Hour)})
	s.Waves[0].Reached = noon
	want(noon)
	want(noon.Add(59 * time.Minute))
	if wave, h := s.Holds(noon); wave != 0 || !h.Soaks.Equal(noon.Add(time.Hour)) {
		t.Errorf("wave %d holds: %+v", wave, h)
	}
	want(noon.Add(time.Hour), OpenWave{1})
	if wave, h := s.Holds(noon.Add(time.Hour)); wave != -1 || h.Verdict != Passed {
		t.Errorf("wave %d holds: %+v", wave, h)
	}
	s.Waves[0].Targets = map[fleet.State]int{fleet.Proposed: 1, fleet.Revising: 1}
	want(noon.Add(time.Hour), UnmarkReached{0})
	s.Waves[0].Targets = map[fleet.State]int{fleet.Proposed: 1, fleet.Closed: 1}
	want(noon.Add(time.Hour), UnmarkReached{0}, Pause{fleet.CodeGate, "wave 1 (canaries) cannot reach its gate: 1 of 2 targets are proposed or merged, the gate needs 2; 1 failed or were closed",
		"retry its failed targets, cancel them, or lower rollout.gate in the campaign file; then resume"})

	// A wave that loses its gate while an earlier one holds everything up soaks anew.
	s.Waves = []Cohort{wave("1 queued"), wave("1 queued"), wave("unopened 1 pending")}
	s.Waves[1].Reached = noon
	want(noon, UnmarkReached{1})
}
