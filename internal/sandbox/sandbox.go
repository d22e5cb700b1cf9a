package sandbox

import (
	"context"
	"io"
	"time"

	"gaggle/internal/fleet"
)

// Fixed places inside a sandbox. Agents keep their sessions under names made of these paths, so they never change.
const (
	WorkDir     = "/srv/work"        // Spec.Work
	HomeDir     = "/home/agent"      // Spec.Home
	CacheDir    = "/srv/cache"       // what Caches mounts
	Self        = "/run/gaggle/self" // the running program itself, so that it can be started inside
	DoorAddress = "127.0.0.1:8787"   // where Spec.Door is reached
	DoorURL     = "http://" + DoorAddress
)

// Sandbox runs one command at a time or many at once; it is safe for concurrent use.
type Sandbox interface {
	// Run starts the command, waits for it, and returns when nothing of it is left. A limit that was hit is in
	// Result.Ended, with a nil error. The error is for a command that could not be run: CodeInvalid for a Spec that
	// makes no sense, CodeNotFound for a Dir that is not there, CodeSandbox for a machine that would not do it. When ctx
	// ends first, everything is killed and the error wraps ctx's cause.
	Run(ctx context.Context, spec Spec) (Result, error)
}

// Kinds of sandboxes.
const (
	Bubblewrap = "bubblewrap"
	None       = "none" // no isolation at all: only for machines that are thrown away afterwards
)

// Config says how to make a Sandbox.
type Config struct {
	Kind     string   // Bubblewrap or None. Defaults to Bubblewrap
	Program  string   // bubblewrap's program. Defaults to "bwrap" on PATH
	Dir      string   // a folder on the file system that will hold work trees and homes, for the probe. Defaults to the temporary folder
	ReadOnly []string // further host paths to show read-only at the same place, such as a toolchain outside the usual ones
	Limits   Limits   // for what a Spec leaves at zero. Its own zeros default to DefaultLimits
}

// Spec is one command and all that it may see and use.
type Spec struct {
	Argv   []string          // the program, found on the sandbox's PATH, and its arguments
	Dir    string            // inside. Defaults to WorkDir, or / without Work
	Env    map[string]string // added to the base environment (PATH, HOME, USER, LOGNAME, SHELL, LANG, TMPDIR), which it may override
	Mounts []Mount
	Work   string // host folder shown writable at WorkDir; "" for none
	Home   string // host folder shown writable at HomeDir; "" for an empty one that vanishes with the run
	Door   string // host unix socket that DoorAddress leads to; "" for no network whatsoever

	// Stdin is read until the command ends; a Read may still be pending when Run returns. Nil reads as empty.
	Stdin io.Reader
	// Stdout and Stderr may be the same writer. Nil discards; what is discarded counts towards Limits.Output too.
	Stdout, Stderr io.Writer

	Limits Limits
}

// Mount shows a host file or folder inside. What is not writable should be readable by everybody: where gaggle is root
// and the file system cannot map owners, code in the sandbox is neither its owner nor root.
type Mount struct {
	Host, Inside string // both absolute and clean. No component of Host may be under the control of sandboxed code
	Writable     bool
}

// Limits bound one run. A zero takes the default of the Config.
type Limits struct {
	Wall      time.Duration // from start to end
	Memory    int64         // bytes, all processes together, with what they keep in /tmp
	Processes int           // processes and threads alive at once
	Disk      int64         // growth of everything writable on the host's disk, bytes
	FileSize  int64         // the size of any one file, bytes
	Output    int64         // stdout and stderr together, bytes
}

// DefaultLimits returns the limits of a run that names none.
func DefaultLimits() Limits {
	const gib = 1 << 30
	return Limits{Wall: 20 * time.Minute, Memory: 4 * gib, Processes: 2048, Disk: 4 * gib, FileSize: 2 * gib, Output: 64 << 20}
}

// Or fills zeros from other.
func (l Limits) Or(other Limits) Limits {
	fill := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	if l.Wall == 0 {
		l.Wall = other.Wall
	}
	if l.Processes == 0 {
		l.Processes = other.Processes
	}
	fill(&l.Memory, other.Memory)
	fill(&l.Disk, other.Disk)
	fill(&l.FileSize, other.FileSize)
	fill(&l.Output, other.Output)
	return l
}

// Result is how a command ended.
type Result struct {
	ExitCode   int        // 128+n for a death by signal n; 127 program not found, 126 not executable
	Ended      fleet.Code // "" when it exited by itself; else CodeTimeout, CodeMemory, CodeProcesses, CodeDiskLimit or CodeOutputLimit
	Wall       time.Duration
	CPU        time.Duration // all processes together, as far as the machine can tell
	PeakMemory int64         // bytes; 0 when the machine cannot tell
}

// Check is one thing that Probe looked at, in words for `gaggle doctor`.
type Check struct {
	Name   string // such as "bubblewrap"
	OK     bool
	Detail string
	Mend   string // what to do about it, when not OK or when better is possible
}
