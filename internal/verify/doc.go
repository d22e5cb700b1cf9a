// Package verify decides mechanically whether a component is sound: it finds the component's own builds,
// linters and tests, runs them, and boils what they print down to a short report.
//
// Detect reads a tree (a checkout or git objects) and answers with Verifiers: which commands, where, why, and
// what each needs before it works without network. For adds the commands that a campaign and a repository
// ask for. Run runs them through an Exec, which is a sandbox (InSandbox) or, for a process that already sits inside one,
// os/exec (Local). Compare lays the report of the change beside the report of the base, so that nobody is
// blamed for a failure that was there before. After does both, and runs a new failure once more when that is wanted.
// A Plan carries all of it into a sandbox as one JSON file, so that an agent runs the same
// verifiers with one command.
//
// What counts as the base's verifiers must be read from the base's tree, never from what an agent left, and the
// verifiers that decide must run in a fresh checkout of the diff's result: files that git ignores
// (node_modules, .venv, target) would otherwise let an agent plant its own test runner.
//
// Everything that a verifier prints is hostile: package distill reads it line by line, within limits.
package verify
