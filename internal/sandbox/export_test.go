//go:build full && linux

package sandbox

// Crippled returns a sandbox for a machine that has less to offer than this one: no file systems that map owners, no
// control groups, an old bubblewrap.
func Crippled(sb Sandbox, lend, watchdog, old bool) Sandbox {
	b := *sb.(*bwrap)
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

// GroupFolders returns where control groups of runs are made.
func GroupFolders(sb Sandbox) []string {
	g := sb.(*bwrap).groups
	return []string{g.memory, g.pids, g.cpu}
}
