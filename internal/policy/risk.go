package policy

import (
	"fmt"
	"math/bits"

	"gaggle/internal/fleet"
)

// RiskFacts is what a diff's risk is judged by.
type RiskFacts struct {
	Stat          fleet.DiffStat
	SourceTouched bool // code that runs: neither tests nor documentation
	TestsTouched  bool
	BuildTouched  bool // build files, lockfiles, CI
	Dependents    int  // components that depend on this one, directly or not
	Merged        int  // earlier changes of this component that were merged and stayed
	Reverted      int  // those that were reverted
	Failed        int  // those that failed
	Rounds        int  // of the attempt that made it: 1 means that nothing was objected to
}

// Risk is a score from 0 to 100, and the parts that it is the sum of.
type Risk struct {
	Score int    `json:"score"`
	Parts []Part `json:"parts"` // those that count, in the order of the formula
}

// Part is one reason for a score.
type Part struct {
	Name   string `json:"name"`
	Points int    `json:"points"`
	Why    string `json:"why"`
}

// String renders "32: size 14, files 8, untested 10".
func (r Risk) String() string {
	s := fmt.Sprint(r.Score)
	for i, p := range r.Parts {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		s += fmt.Sprintf("%s%s %d", sep, p.Name, p.Points)
	}
	return s
}

// Score sums up to 100 points, in whole numbers so that every machine agrees:
//
//	size        2 for the first changed line and for each doubling, at most 20 (from 512 lines on)
//	files       2 for the first file and for each doubling, at most 10 (from 16 files on)
//	source      5 when code that runs is touched
//	untested   10 when it is and no test is
//	build      10 when build files are touched
//	dependents  4 for the first component that depends on it and for each doubling, at most 20 (from 16 on)
//	history    15 × bad / (bad + merged + 2), rounded down, where bad = 3 × reverted + failed
//	rounds      3 for each round after the first, at most 10
//
// It never falls when a fact gets worse: more of anything, but fewer tests touched and fewer changes merged before.
func Score(f RiskFacts) Risk {
	var r Risk
	add := func(name string, points int, why string, args ...any) {
		if points > 0 {
			r.Score += points
			r.Parts = append(r.Parts, Part{name, points, fmt.Sprintf(why, args...)})
		}
	}
	lines := count(count(f.Stat.Added) + count(f.Stat.Deleted))
	add("size", min(20, 2*bits.Len(lines)), "%s added or deleted", several(lines, "line"))
	files := count(f.Stat.Files)
	add("files", min(10, 2*bits.Len(files)), "%s changed", several(files, "file"))
	if f.SourceTouched {
		add("source", 5, "code that runs is changed")
		if !f.TestsTouched {
			add("untested", 10, "code that runs is changed, and no test")
		}
	}
	if f.BuildTouched {
		add("build", 10, "what it is built with is changed")
	}
	dependents := count(f.Dependents)
	add("dependents", min(20, 4*bits.Len(dependents)), "%s on it, directly or not", map[bool]string{true: "1 component depends", false: several(dependents, "component") + " depend"}[dependents == 1])
	reverted, failed, merged := count(f.Reverted), count(f.Failed), count(f.Merged)
	bad := 3*reverted + failed
	add("history", int(15*bad/(bad+merged+2)), "of its earlier changes %d were merged, %d reverted, %d failed", merged, reverted, failed)
	rounds := count(f.Rounds)
	add("rounds", int(min(10, 3*(max(rounds, 1)-1))), "it took %d rounds of feedback", rounds)
	return r
}

// count reads a fact as a number that can be: never negative, and small enough to reckon with.
func count[T int | uint](n T) uint { return uint(min(max(n, 0), 1_000_000)) }

func several(n uint, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
