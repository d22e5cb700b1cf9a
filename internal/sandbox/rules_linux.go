package sandbox

import "golang.org/x/sys/unix"

// rules is the one table of what sandboxed programs may ask of the kernel.
func rules() []rule {
	const (
		namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
			unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET
		setID        = unix.S_ISUID | unix.S_ISGID
		creating     = unix.O_CREAT | 0x400000 // and O_TMPFILE's own bit
		tiocsti      = 0x5412
		tioclinux    = 0x541c
		tiocsetd     = 0x5423
		noRandomness = 0x40000
	)
	// Files that would lend this user's rights to whoever starts them outside.
	mode := func(argument uint32) []when {
		return []when{{[]test{some(argument, setID)}, refuse(unix.EPERM)}}
	}
	var sockets []when
	for _, family := range []uint32{unix.AF_INET, unix.AF_INET6} {
		for _, protocol := range []uint32{0, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6} {
			sockets = append(sockets, when{[]test{is(0, family), is(2, protocol)}, allow})
		}
		sockets = append(sockets, when{[]test{is(0, family)}, refuse(unix.EPROTONOSUPPORT)})
	}
	return []rule{
		{calls: []string{"clone"}, last: allow,
			cases: []when{{[]test{some(0, namespaces)}, refuse(unix.EPERM)}}},

		// Families that stay inside the sandbox's own network namespace. A vsock leads to the hypervisor, an alg socket
		// into the kernel's crypto code; of netlink, only the part that lists interfaces is of use without privileges.
		{calls: []string{"socket"}, last: refuse(unix.EAFNOSUPPORT),
			cases: append(sockets,
				when{[]test{is(0, unix.AF_UNIX)}, allow},
				when{[]test{is(0, unix.AF_NETLINK), is(2, unix.NETLINK_ROUTE)}, allow},
				when{[]test{is(0, unix.AF_NETLINK)}, refuse(unix.EPROTONOSUPPORT)})},
		{calls: []string{"socketpair"}, last: refuse(unix.EAFNOSUPPORT),
			cases: []when{{[]test{is(0, unix.AF_UNIX)}, allow}}},

		{calls: []string{"chmod", "fchmod", "creat", "mknod"}, cases: mode(1), last: allow},
		{calls: []string{"fchmodat", "fchmodat2", "mknodat"}, cases: mode(2), last: allow},
		{calls: []string{"open"}, last: allow,
			cases: []when{{[]test{some(1, creating), some(2, setID)}, refuse(unix.EPERM)}}},
		{calls: []string{"openat"}, last: allow,
			cases: []when{{[]test{some(2, creating), some(3, setID)}, refuse(unix.EPERM)}}},

		// Typing into somebody's terminal; loading the kernel's line disciplines.
		{calls: []string{"ioctl"}, last: allow, cases: []when{
			{[]test{is(1, tiocsti)}, refuse(unix.EPERM)}, {[]test{is(1, tioclinux)}, refuse(unix.EPERM)},
			{[]test{is(1, tiocsetd)}, refuse(unix.EPERM)}}},

		// The plain execution domain, with or without a random address space (runtimes ask for that), and the question.
		{calls: []string{"personality"}, last: refuse(unix.EPERM), cases: []when{
			{[]test{is(0, 0)}, allow}, {[]test{is(0, noRandomness)}, allow}, {[]test{is(0, 0xffffffff)}, allow}}},

		// Arguments in memory, where a filter cannot look. Programs do without: C libraries fall back to clone, runtimes to
		// plain reads.
		{last: refuse(unix.ENOSYS), calls: []string{"clone3", "openat2", "io_uring_setup", "io_uring_enter", "io_uring_register"}},

		// Privileged or risky, and asked for only by programs that then say what they were not allowed to do.
		{last: refuse(unix.EPERM), calls: []string{
			"unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig",
			"fsmount", "fspick", "mount_setattr", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise",
			"pidfd_getfd", "kcmp", "bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key",
			"open_by_handle_at", "quotactl", "quotactl_fd", "swapon", "swapoff", "reboot", "acct", "syslog", "vhangup",
			"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "settimeofday", "clock_settime",
			"sethostname", "setdomainname", "fanotify_init", "fanotify_mark", "iopl", "ioperm", "migrate_pages", "move_pages"}},

		{last: allow, calls: harmless},
	}
}
