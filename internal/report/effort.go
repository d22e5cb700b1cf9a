package report

import (
	"cmp"
	"slices"
	"time"

	"gaggle/internal/fleet"
)

// effort reckons money, attempts, rounds and the judge's vetoes.
func (b *builder) effort(r *Report) {
	var paid fleet.Money
	paidAttempts := 0
	for i := range b.in.Attempts {
		a := &b.in.Attempts[i]
		at, ok := b.index[a.Target]
		if !ok {
			continue
		}
		l := &b.lives[at]
		l.attempts++
		l.rounds += len(a.Rounds)
		r.Effort.Attempts++
		r.Effort.Rounds += len(a.Rounds)
		if a.Remembered {
			r.Effort.Remembered++
		} else {
			paidAttempts++
			paid += a.Usage.Cost
		}
		if a.State == "lost" || a.Outcome == fleet.Failed {
			l.lost += a.Usage.Cost
		}
		b.judged(r, a)
	}
	var usage fleet.Usage
	merged, attempts, rounds := 0, 0, 0
	for i := range b.in.Targets {
		t, l := &b.in.Targets[i], &b.lives[i]
		usage.Merge(t.Usage)
		switch t.State {
		case fleet.Failed, fleet.Closed, fleet.Skipped, fleet.Canceled:
			r.Money.Wasted += t.Usage.Cost
		case fleet.Merged:
			merged++
			attempts += l.attempts
			rounds += l.rounds
			r.Money.Wasted += l.lost
		default:
			r.Money.Wasted += l.lost
		}
	}
	r.Money.Total = usage.Cost
	if merged > 0 {
		r.Money.PerMerged = usage.Cost / fleet.Money(merged)
		r.Effort.AttemptsPerMerged = float64(attempts) / float64(merged)
		r.Effort.RoundsPerMerged = float64(rounds) / float64(merged)
	}
	if paidAttempts > 0 {
		r.Money.PerAttempt = paid / fleet.Money(paidAttempts)
	}
	r.Effort.Calls = usage.Calls
	r.Effort.Models = []Model{}
	for name, tokens := range usage.Models {
		r.Effort.Models = append(r.Effort.Models, Model{name, tokens})
	}
	slices.SortFunc(r.Effort.Models, func(a, b Model) int {
		return cmp.Or(cmp.Compare(b.Total(), a.Total()), cmp.Compare(a.Model, b.Model))
	})
}

// judged counts what the judge said of an attempt.
func (b *builder) judged(r *Report, a *fleet.Attempt) {
	looked, vetoed, passed := false, false, false
	for _, round := range a.Rounds {
		if v := round.Verdict; v != nil {
			looked, passed = true, v.Pass
			vetoed = vetoed || !v.Pass
		}
	}
	if looked && !a.Remembered {
		r.Rates.Vetoed.Of++
		r.Rates.Vetoed.N += int(bit(vetoed))
		r.Rates.Corrected.Of += int(bit(vetoed))
		r.Rates.Corrected.N += int(bit(vetoed && passed))
	}
}

// worth reckons how the pull requests fared, and the time that they saved.
func (b *builder) worth(r *Report) {
	var took []time.Duration
	count := func(ratio *Ratio, of, n bool) {
		ratio.Of += int(bit(of))
		ratio.N += int(bit(of && n))
	}
	for i := range b.in.Targets {
		state, l := b.in.Targets[i].State, &b.lives[i]
		merged := state == fleet.Merged
		count(&r.Rates.CI, l.pull.CI == "passed" || l.pull.CI == "failed", l.pull.CI == "passed")
		count(&r.Rates.Deployed, merged && (l.pull.Deploy == "success" || l.pull.Deploy == "failure"), l.pull.Deploy == "success")
		count(&r.Rates.Reverted, merged, l.pull.Reverted)
		count(&r.Rates.Unchanged, merged || state == fleet.Closed, merged && !l.pull.Touched && !l.pull.Reverted)
		if merged && !l.pull.Reverted {
			r.Saved.Changes++
		}
		if d, ok := l.toMerge(state); ok {
			took = append(took, d)
		}
	}
	r.ToMerge = spread(took)
	r.Saved.MinutesPerChange = b.in.MinutesPerChange
	r.Saved.Minutes = float64(r.Saved.Changes) * b.in.MinutesPerChange
}
