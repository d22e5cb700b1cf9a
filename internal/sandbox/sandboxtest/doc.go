// Package sandboxtest holds the conformance suite that every sandbox passes.
//
// A test package that uses it calls Main first thing in its TestMain, because parts of the suite start the test's own
// program inside the sandbox.
package sandboxtest
