// Package forgetest is the conformance suite that every forge driver, the local forge and the fake pass alike.
//
// Exercise runs it. A driver hands over a Harness: the forge, a repository that holds one commit, and the means to
// push to it as some user would. A forge that fails now and then says which failures are worth a retry; the suite
// then makes sure that retrying is all a caller needs to do.
package forgetest
