// Package judge asks a model that did not write a change whether the change does what the prompt asked for, and
// nothing else.
//
// A Judge is given the prompt, the diff, and what verifiers and guards found, and returns a fleet.Verdict. A diff that
// is too long for one request is judged in parts, cut between files, between hunks, and inside them where a single one
// is too long; every byte of it is in exactly one part, and each part comes with an outline of the whole. A last request
// then judges the whole by what the parts turned out to hold. The verdict passes only when all of them pass.
//
// # The diff is data
//
// Everything that an agent, a repository or a tool could have written stands between fences whose name is random in
// every request and occurs nowhere in the data. Characters that people cannot see, or that reorder what they see, are
// written out as escapes. The answer must repeat a word that is random in every request and stands outside the fences, so
// a verdict that was planted in the diff and merely copied is not taken for one. The model is told to report text that
// addresses it; such a report is a veto. What does not fit the schema is asked for once more; then the judge has
// failed, which is neither a pass nor a veto.
package judge
