// Package policy answers, from facts alone, whether something may happen: why a budget lets no more calls to a model through
// (Refusal), whether a failed attempt is worth another try (MayRetry), whether an owner may be disturbed now (Window),
// how risky a diff is (Score), what is next for an open pull request (Attend), and whether people merged enough of a campaign unchanged for it to merge by itself (Prove). It is pure arithmetic and
// tables; who asks also acts. The expression that decides about one merge is CEL, and compiled by package spec.
package policy
