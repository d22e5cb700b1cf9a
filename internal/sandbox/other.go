//go:build unix && !linux

package sandbox

import (
	"context"

	"gaggle/internal/fleet"
)

// New makes the sandbox that cfg asks for, or says with CodeNotReady and a hint what this machine lacks for it.
func New(_ context.Context, cfg Config) (Sandbox, error) {
	switch cfg.Kind {
	case None:
		return newNone(cfg), nil
	case "", Bubblewrap:
		return nil, &fleet.Error{Code: fleet.CodeNotReady, Message: "there is no sandbox for this operating system yet",
			Hint: "run gaggle on Linux, in a virtual machine for one"}
	}
	return nil, fleet.Errorf(fleet.CodeInvalid, "%q is not a kind of sandbox: %s or %s", cfg.Kind, Bubblewrap, None)
}

// Probe looks at what this machine can do.
func Probe(context.Context) []Check {
	return []Check{{Name: "sandbox", Detail: "there is no sandbox for this operating system yet",
		Mend: "run gaggle on Linux, in a virtual machine for one"}}
}

// InstallCommand returns nil: there is nothing that could be installed.
func InstallCommand() []string { return nil }
