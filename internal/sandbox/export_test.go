//go:build full && linux

package sandbox

import "fmt"

// Crippled returns a sandbox for a machine that has less to offer than this one: no file systems that map owners, no
// control groups, an old bubblewrap.
func Crippled(sb Sandbox, lend, watchdog, old bool) Sandbox {
	b := *sb.(*bwrap)
	b.nested = b.nested && !old
	if lend && b.user != nil {
		b.user = &understudy{id: b.user.id, reason: "a test", stand: b.user.stand}
	}
	if watchdog {
		b.groups = &cgroups{owner: b.groups.owner}
	}
	if old {
		b.layout.can = features{}
	}
	return &b
}

// Reap ends what dead processes of Gaggle left running.
func Reap() { reap() }

// Tag returns the name under which bubblewrap runs for a process that started at a time.
func Tag(pid int, started int64) string { return tag(fmt.Sprintf("%d-%d", pid, started)) }

// StartTime returns when a process started, in the kernel's ticks.
func StartTime(pid int) int64 { return startTime(pid) }

// GroupFolders returns where control groups of runs are made.
func GroupFolders(sb Sandbox) []string {
	g := sb.(*bwrap).groups
	return []string{g.memory, g.pids, g.cpu}
}
