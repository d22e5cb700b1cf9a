//go:build unix && !linux

package sandbox

// Main must be called first thing in main, and in TestMain: when the process was started inside a sandbox to open its
// door, it does that, becomes the command, and never returns.
func Main() {}
