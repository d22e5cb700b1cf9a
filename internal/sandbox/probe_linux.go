package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"

	"gaggle/internal/fleet"
)

// Probe looks at what this machine can do. What is OK and still has a Mend could be better.
func Probe(ctx context.Context) []Check {
	b, err := newBwrap(ctx, Config{})
	if err != nil {
		return []Check{failed("bubblewrap", err)}
	}
	checks := []Check{{Name: "bubblewrap", OK: true, Detail: b.version.String() + " at " + b.program}}
	if !b.layout.can.userns {
		checks[0].Mend = "version 0.8 also forbids user namespaces by itself"
	}
	if err := b.settle(ctx, ""); err != nil {
		return append(checks, failed("sandbox", err))
	}
	checks = append(checks, Check{Name: "sandbox", OK: true,
		Detail: "a trial had its own namespaces, no capabilities, a system call filter and no network"})
	return append(checks, b.probeUser(), b.groups.probe())
}

func failed(name string, err error) Check {
	detail := err.Error()
	var e *fleet.Error
	if errors.As(err, &e) && e.Hint != "" {
		return Check{Name: name, Detail: detail, Mend: e.Hint}
	}
	return Check{Name: name, Detail: detail, Mend: fleet.HintOf(err)}
}

func (b *bwrap) probeUser() Check {
	c := Check{Name: "sandbox user", OK: true}
	switch {
	case b.user == nil:
		c.Detail = fmt.Sprintf("sandboxed code runs as this user (%d), without its groups' or anybody's privileges", os.Getuid())
	case b.user.idmap != nil:
		c.Detail = fmt.Sprintf("gaggle is root; sandboxed code runs as user %d, and what it makes belongs to root outside", b.user.id)
	default:
		c.Detail = fmt.Sprintf("gaggle is root; sandboxed code runs as user %d, and work trees are given to it for each run (%s)", b.user.id, b.user.reason)
	}
	return c
}

func (c *cgroups) probe() Check {
	check := Check{Name: "sandbox limits", OK: true}
	const better = "start gaggle with: systemd-run --user --scope -p Delegate=yes gaggle … (as root without --user)"
	generation := "version 1"
	if c.v2 {
		generation = "version 2"
	}
	switch {
	case c.memory != "" && c.pids != "":
		check.Detail = fmt.Sprintf("memory and processes are limited by control groups (%s, at %s)", generation, c.memory)
	case c.memory != "" || c.pids != "":
		check.Detail = "only a part of the limits can be kept by control groups; a watchdog looks every " + every.String() + " for the rest"
		check.Mend = better
	default:
		check.Detail = "no control groups for this user: a watchdog looks at memory and processes every " + every.String()
		check.Mend = better
	}
	return check
}
