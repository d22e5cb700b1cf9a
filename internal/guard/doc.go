// Package guard objects to a diff that games its verifiers or leaves its scope: tests removed, skipped or made
// to assert less, suppressions added, thresholds and versions lowered, CI, lockfiles or agents' configuration
// touched without being asked, secrets, hidden characters, binaries.
//
// It is pure: it reads a diff and, where the caller offers it, the files before the change; it starts no
// process, opens no file and asks no model, and the same input always gives the same findings in the same order.
//
// Start with Check. Every rule stands in one table (Rules), with what it means, an example and what excuses it.
// Three things excuse a finding: the campaign allows the rule by name, optionally for some files only
// ("rule" or "rule:glob"); the campaign's paths name the file; or the prompt asks for it in so many words, which
// prompt.go reads conservatively: a verb and its object in one clause that holds no negation. What a prompt does
// not clearly ask for is not asked for.
//
// Tests are compared by meaning rather than by line. Both sides of a changed file are read into tests, helpers,
// assertions and table rows (package source), and what disappeared on the old side is looked for on the new one,
// anywhere in the diff, before it is called missing. So a test that was moved, renamed, merged into a table or
// rewritten for another framework with the same checks is no finding.
package guard
