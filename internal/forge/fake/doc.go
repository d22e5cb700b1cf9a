// Package fake is a forge for tests: pull requests in memory, and faults by seed.
//
// It is no kinder than a real host. It asks callers to wait, times out with or without having done the work, fails
// before and after applying, and answers reads from a moment ago. What happens to a call depends on the seed, on
// what is called and on how often it was called before, not on timing, so a failing test fails again.
package fake
