package policy

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"gaggle/internal/fleet"
)

func TestScore(t *testing.T) {
	for _, tc := range []struct {
		facts RiskFacts
		want  string
	}{
		{RiskFacts{}, "0"},
		{RiskFacts{Stat: fleet.DiffStat{Files: 1, Added: 1}, Rounds: 1}, "4: size 2, files 2"},
		{RiskFacts{Stat: fleet.DiffStat{Files: 3, Added: 40, Deleted: 30}, SourceTouched: true, TestsTouched: true, Merged: 9}, "23: size 14, files 4, source 5"},
		{RiskFacts{Stat: fleet.DiffStat{Files: 3, Added: 40, Deleted: 30}, SourceTouched: true, Dependents: 12, Reverted: 1, Merged: 4, Rounds: 3},
			"60: size 14, files 4, source 5, untested 10, dependents 16, history 5, rounds 6"},
		{RiskFacts{Stat: fleet.DiffStat{Files: 1 << 40, Added: 1 << 62, Deleted: 1 << 62}, SourceTouched: true, BuildTouched: true, Dependents: 1 << 50, Reverted: 1 << 62, Failed: 1 << 62, Rounds: 1 << 62},
			"99: size 20, files 10, source 5, untested 10, build 10, dependents 20, history 14, rounds 10"},
		{RiskFacts{Stat: fleet.DiffStat{Files: -1, Added: -5}, Dependents: -1, Reverted: -1, Merged: -9, Rounds: -1}, "0"},
	} {
		if got := Score(tc.facts).String(); got != tc.want {
			t.Errorf("%+v:\n got %s\nwant %s", tc.facts, got, tc.want)
		}
	}
	parts := Score(RiskFacts{Stat: fleet.DiffStat{Files: 1, Added: 1}, Dependents: 1, Failed: 2, Rounds: 2}).Parts
	want := []Part{{"size", 2, "1 line added or deleted"}, {"files", 2, "1 file changed"}, {"dependents", 4, "1 component depends on it, directly or not"},
		{"history", 7, "of its earlier changes 0 were merged, 0 reverted, 2 failed"}, {"rounds", 3, "it took 2 rounds of feedback"}}
	if !reflect.DeepEqual(parts, want) {
		t.Errorf("%+v", parts)
	}
}

// TestScoreIsMonotone makes one fact worse at a time.
func TestScoreIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, 2000), rapid.Int())
		facts := rapid.Custom(func(t *rapid.T) RiskFacts {
			n := func(name string) int { return number.Draw(t, name) }
			yes := func(name string) bool { return rapid.Bool().Draw(t, name) }
			return RiskFacts{fleet.DiffStat{Files: n("files"), Added: n("added"), Deleted: n("deleted")}, yes("source"), yes("tests"), yes("build"),
				n("dependents"), n("merged"), n("reverted"), n("failed"), n("rounds")}
		}).Draw(t, "facts")
		worse := facts
		raise := func(n *int) { *n = max(*n, number.Draw(t, "worse")) }
		switch rapid.SampledFrom([]string{"files", "added", "deleted", "source", "tests", "build", "dependents", "merged", "reverted", "failed", "rounds"}).Draw(t, "which") {
		case "files":
			raise(&worse.Stat.Files)
		case "added":
			raise(&worse.Stat.Added)
		case "deleted":
			raise(&worse.Stat.Deleted)
		case "source":
			worse.SourceTouched = true
		case "tests":
			worse.TestsTouched = false
		case "build":
			worse.BuildTouched = true
		case "dependents":
			raise(&worse.Dependents)
		case "merged":
			worse.Merged = min(worse.Merged, number.Draw(t, "worse"))
		case "reverted":
			raise(&worse.Reverted)
		case "failed":
			raise(&worse.Failed)
		case "rounds":
			raise(&worse.Rounds)
		}
		before, after := Score(facts), Score(worse)
		if after.Score < before.Score {
			t.Fatalf("%v is better than %v", after, before)
		}
		sum := 0
		for _, p := range after.Parts {
			sum += p.Points
			if p.Points <= 0 || p.Why == "" {
				t.Fatalf("%+v", p)
			}
		}
		if sum != after.Score || sum < 0 || sum > 100 || !reflect.DeepEqual(after, Score(worse)) {
			t.Fatalf("%+v", after)
		}
	})
}
