// Package policy answers, from facts alone, whether something may happen and what it may cost: whether another
// call to a model fits the budgets that an attempt, its target and its campaign hold (MaySpend), whether a failed
// attempt is worth another try (MayRetry), whether an owner may be disturbed now (Window), how risky a diff is (Score),
// and whether people merged enough of a campaign unchanged for it to merge by itself (Prove). It is pure arithmetic and
// tables; who asks also acts. The expression that decides about one merge is CEL, and compiled by package spec.
package policy
