// Package policy answers, from facts alone, whether something may happen and what it may cost: whether another
// call to a model fits the budgets that an attempt, its target and its campaign hold (MaySpend), and whether a failed
// attempt is worth another try (MayRetry). It is pure arithmetic and tables; who asks also acts.
package policy
