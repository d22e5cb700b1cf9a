//go:build full && linux

package sandbox_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// An attack is run inside a sandbox, by the test's own program. It returns an error for each thing that worked and must
// not have; nil means that the sandbox held.
type attack func(args []string) error

var attacks = map[string]attack{
	"environment": attackEnvironment, "proc": attackProc, "descriptors": attackDescriptors, "sockets": attackSockets,
	"files": attackFiles, "devices": attackDevices, "calls": attackCalls, "namespaces": attackNamespaces, "trace": attackTrace,
	"network": attackNetwork, "terminal": attackTerminal, "setuid": attackSetuid, "signals": attackSignals,
	"limits": attackLimits, "identity": attackIdentity,
	"unlinked": hogUnlinked, "deep": hogDeep, "memfd": hogMemfd, "closed": hogClosed, "parent": parent, "busy": busy,
}

// inside runs an attack when this process was started for one.
func inside() {
	if len(os.Args) < 3 || os.Args[1] != "attack" {
		return
	}
	if err := attacks[os.Args[2]](os.Args[3:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	os.Exit(0)
}

// breaches collects what worked.
type breaches []error

func (b *breaches) add(format string, args ...any) { *b = append(*b, fmt.Errorf(format, args...)) }
func (b breaches) err() error                      { return errors.Join(b...) }

// attackEnvironment looks for words of the host's that args name, wherever processes tell about themselves.
func attackEnvironment(words []string) error {
	var b breaches
	files, _ := filepath.Glob("/proc/[0-9]*/*")
	more, _ := filepath.Glob("/proc/[0-9]*/task/*/*")
	for _, f := range append(append(files, more...), "/proc/cmdline") {
		switch filepath.Base(f) {
		case "environ", "cmdline", "comm", "status", "stat", "maps", "limits":
		default:
			continue
		}
		if strings.HasPrefix(f, fmt.Sprintf("/proc/%d/", os.Getpid())) && filepath.Base(f) == "cmdline" {
			continue // the words stand in this very command line
		}
		data, _ := os.ReadFile(f)
		for _, w := range words {
			if bytes.Contains(data, []byte(w)) && !bytes.Contains(data, []byte("attack\x00")) {
				b.add("%s shows %q", f, w)
			}
		}
	}
	for _, w := range words {
		if strings.Contains(strings.Join(os.Environ(), "\n"), w) {
			b.add("the environment shows %q", w)
		}
	}
	return b.err()
}

func attackProc([]string) error {
	var b breaches
	pids, _ := filepath.Glob("/proc/[0-9]*")
	if len(pids) > 3 {
		b.add("%d processes can be seen", len(pids))
	}
	filepath.WalkDir("/proc/sys", func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if f, err := os.OpenFile(p, os.O_WRONLY, 0); err == nil {
				f.Close()
				b.add("%s can be written", p)
			}
		}
		return nil
	})
	for _, p := range []string{"/proc/sysrq-trigger", "/proc/1/mem", "/proc/1/oom_score_adj", "/proc/1/uid_map", "/proc/1/setgroups",
		"/proc/self/uid_map", "/proc/1/attr/exec", "/proc/1/task/1/mem", "/proc/irq/default_smp_affinity", "/proc/mtrr", "/proc/acpi/wakeup"} {
		if f, err := os.OpenFile(p, os.O_WRONLY, 0); err == nil {
			if _, err := f.WriteString("0"); err == nil {
				b.add("%s can be written", p)
			}
			f.Close()
		}
	}
	for _, p := range []string{"/proc/kcore", "/proc/keys", "/proc/kpagecount", "/proc/vmallocinfo", "/proc/slabinfo", "/proc/1/mem",
		"/proc/kmsg", "/proc/timer_list"} {
		if data, err := readSome(p); err == nil && len(data) > 0 {
			b.add("%s can be read", p)
		}
	}
	for _, p := range []string{"/proc/1/root", "/proc/self/root", "/proc/1/cwd"} {
		if _, err := os.Stat(p + "/etc/shadow"); err == nil {
			b.add("the host's root is at %s", p)
		}
	}
	for _, p := range []string{"/sys", "/sys/fs/cgroup", "/root", "/boot", "/etc/shadow", "/etc/ssl/private", "/etc/gitconfig", "/etc/npmrc", "/etc/pip.conf", "/etc/maven/settings.xml", "/etc/hosts.allow", "/etc/environment", "/etc/apt",
		"/etc/machine-id", "/run/docker.sock", "/var/run/docker.sock", "/run/systemd", "/run/dbus", "/run/user", "/var/lib", "/mnt", "/lost+found"} {
		if _, err := os.Stat(p); err == nil {
			if entries, err := os.ReadDir(p); err != nil || len(entries) > 0 {
				if !strings.HasPrefix(p, "/root") || len(entries) > 0 && slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
					return !slices.Contains([]string{".cargo", ".rustup", ".pyenv", "go"}, e.Name())
				}) {
					b.add("%s can be seen", p)
				}
			}
		}
	}
	return b.err()
}

func readSome(p string) ([]byte, error) {
	fd, err := unix.Open(p, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	buf := make([]byte, 64)
	n, err := unix.Read(fd, buf)
	return buf[:max(n, 0)], err
}

func attackDescriptors([]string) error {
	var b breaches
	for fd := 3; fd < 4096; fd++ {
		to, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		if err == nil && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/proc/") && to != "/sys/fs/cgroup/cpu.max" {
			b.add("descriptor %d is %s", fd, to)
		}
	}
	return b.err()
}

// attackSockets tries every socket that can be seen, and those of the host's that args name.
func attackSockets(addresses []string) error {
	var b breaches
	filepath.WalkDir("/", func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == "/proc" || p == "/usr" || p == "/nix" {
			return fs.SkipDir
		}
		if d.Type()&fs.ModeSocket != 0 {
			b.add("a socket can be seen: %s", p)
		}
		return nil
	})
	for _, a := range addresses {
		network, address, _ := strings.Cut(a, " ")
		conn, err := net.DialTimeout(network, address, time.Second)
		if err == nil {
			conn.Close()
			b.add("connected to %s", a)
		}
	}
	return b.err()
}

// attackFiles tries to write wherever it is not meant to, and looks for the host's folders that args name.
func attackFiles(hidden []string) error {
	var b breaches
	writable := []string{"/srv/work", "/home/agent", "/tmp", "/dev/shm", "/var/tmp"}
	filepath.WalkDir("/", func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == "/proc" || p == "/dev/pts" || p == "/dev/null" || p == "/dev/zero" || p == "/dev/full" || p == "/dev/random" || p == "/dev/urandom" || slices.Contains(writable, p) || strings.Count(p, "/") > 4 {
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			name := filepath.Join(p, "gaggle-attack")
			if os.WriteFile(name, nil, 0o600) == nil {
				b.add("a file can be made in %s", p)
			}
			if os.Mkdir(name, 0o700) == nil {
				b.add("a folder can be made in %s", p)
			}
			if os.Chmod(p, 0o777) == nil {
				b.add("%s can be opened up", p)
			}
		} else if d.Type().IsRegular() {
			if f, err := os.OpenFile(p, os.O_WRONLY, 0); err == nil {
				f.Close()
				b.add("%s can be written", p)
			}
		}
		return nil
	})
	for _, p := range hidden {
		if _, err := os.Lstat(p); err == nil {
			b.add("%s can be seen", p)
		}
	}
	for _, up := range []string{"/srv/work/..", "/home/agent/..", "/.."} {
		entries, _ := os.ReadDir(up)
		for _, e := range entries {
			if slices.Contains([]string{"root", "boot", "lost+found", "sys", "mnt"}, e.Name()) && e.Name() != "root" {
				b.add("%s leads out: %s", up, e.Name())
			}
		}
	}
	// A file of a mount cannot be brought where it can be written.
	for _, from := range []string{"/usr/bin/env", "/etc/passwd"} {
		if os.Link(from, "/srv/work/linked") == nil {
			b.add("%s can be linked", from)
		}
	}
	return b.err()
}

func attackDevices([]string) error {
	var b breaches
	for _, p := range []string{"/dev/mem", "/dev/kmsg", "/dev/kvm", "/dev/fuse", "/dev/vsock", "/dev/userfaultfd", "/dev/vda", "/dev/sda",
		"/dev/loop0", "/dev/loop-control", "/dev/net/tun", "/dev/port", "/dev/tty0", "/dev/console", "/dev/vcs", "/dev/input", "/dev/dri"} {
		if _, err := os.Lstat(p); err == nil {
			b.add("%s can be seen", p)
		}
	}
	for _, mode := range []uint32{unix.S_IFCHR, unix.S_IFBLK} {
		if unix.Mknod("/srv/work/device", mode|0o666, int(unix.Mkdev(1, 1))) == nil {
			b.add("a device can be made")
		}
	}
	return b.err()
}

// attackCalls tries system calls that lead deep into the kernel.
func attackCalls([]string) error {
	var b breaches
	const none = ^uintptr(0)
	for name, call := range map[string][]uintptr{
		"bpf": {unix.SYS_BPF}, "perf_event_open": {unix.SYS_PERF_EVENT_OPEN, 0, 0, none, none, 0}, "userfaultfd": {unix.SYS_USERFAULTFD, 1},
		"io_uring_setup": {unix.SYS_IO_URING_SETUP, 8}, "io_uring_enter": {unix.SYS_IO_URING_ENTER, 0}, "io_uring_register": {unix.SYS_IO_URING_REGISTER, 0},
		"add_key": {unix.SYS_ADD_KEY}, "request_key": {unix.SYS_REQUEST_KEY}, "keyctl": {unix.SYS_KEYCTL, 0, none - 3},
		"kexec_load": {unix.SYS_KEXEC_LOAD}, "init_module": {unix.SYS_INIT_MODULE}, "finit_module": {unix.SYS_FINIT_MODULE, 0},
		"delete_module": {unix.SYS_DELETE_MODULE}, "reboot": {unix.SYS_REBOOT, 0xfee1dead, 672274793, 0x89abcdef},
		"swapon": {unix.SYS_SWAPON}, "acct": {unix.SYS_ACCT}, "quotactl": {unix.SYS_QUOTACTL}, "syslog": {unix.SYS_SYSLOG, 10},
		"settimeofday": {unix.SYS_SETTIMEOFDAY}, "clock_settime": {unix.SYS_CLOCK_SETTIME}, "open_by_handle_at": {unix.SYS_OPEN_BY_HANDLE_AT},
		"fanotify_init": {unix.SYS_FANOTIFY_INIT}, "personality": {unix.SYS_PERSONALITY, 0x0400000}, "clone3": {unix.SYS_CLONE3, 0, 88},
		"openat2": {unix.SYS_OPENAT2}, "sethostname": {unix.SYS_SETHOSTNAME}, "kcmp": {unix.SYS_KCMP, 1, 1}, "pidfd_getfd": {unix.SYS_PIDFD_GETFD},
		"lsm_set_self_attr": {460}, "a call of the future": {999},
	} {
		args := make([]uintptr, 7)
		copy(args, call)
		r, _, errno := unix.RawSyscall6(args[0], args[1], args[2], args[3], args[4], args[5], args[6])
		if errno != unix.EPERM && errno != unix.ENOSYS {
			b.add("%s answers %d, %v", name, r, errno)
		}
	}
	if runtime.GOARCH == "amd64" {
		if pid, _, errno := unix.RawSyscall(0x40000000|39, 0, 0, 0); errno != unix.ENOSYS { // x32's getpid
			b.add("x32 answers %d, %v", pid, errno)
		}
	}
	return b.err()
}

func attackNamespaces([]string) error {
	var b breaches
	runtime.LockOSThread()
	for name, flag := range map[string]int{"user": unix.CLONE_NEWUSER, "mount": unix.CLONE_NEWNS, "net": unix.CLONE_NEWNET, "pid": unix.CLONE_NEWPID,
		"ipc": unix.CLONE_NEWIPC, "uts": unix.CLONE_NEWUTS, "cgroup": unix.CLONE_NEWCGROUP, "time": unix.CLONE_NEWTIME} {
		if unix.Unshare(flag) == nil {
			b.add("a %s namespace can be made", name)
		}
		if flag == unix.CLONE_NEWTIME {
			continue // has no bit in clone
		}
		for _, upper := range []uintptr{0, 1 << 32} {
			if pid, _, errno := unix.RawSyscall(unix.SYS_CLONE, uintptr(flag)|uintptr(unix.SIGCHLD)|upper, 0, 0); errno == 0 {
				if pid == 0 {
					unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
				}
				b.add("clone makes a %s namespace", name)
			}
		}
	}
	names, _ := filepath.Glob("/proc/*/ns/*")
	for _, n := range names {
		if fd, err := unix.Open(n, unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
			if unix.Setns(fd, 0) == nil {
				b.add("%s can be joined", n)
			}
			unix.Close(fd)
		}
	}
	at := "/srv/work/at"
	os.Mkdir(at, 0o755)
	for _, fstype := range []string{"tmpfs", "proc", "sysfs", "cgroup", "cgroup2", "overlay", "devpts", "mqueue", "debugfs", "bpf", "fuse"} {
		if unix.Mount("none", at, fstype, 0, "") == nil {
			b.add("%s can be mounted", fstype)
		}
		if fd, err := unix.Fsopen(fstype, 0); err == nil {
			b.add("%s can be opened to mount", fstype)
			unix.Close(fd)
		}
	}
	for name, err := range map[string]error{
		"bind": unix.Mount("/usr", at, "", unix.MS_BIND, ""), "remount": unix.Mount("", "/usr", "", unix.MS_REMOUNT|unix.MS_BIND, ""),
		"make shared": unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, ""), "umount": unix.Unmount("/proc/sys", unix.MNT_DETACH),
		"pivot_root": unix.PivotRoot("/srv/work", "/srv/work"), "chroot": unix.Chroot("/srv/work"),
		"mount_setattr": unix.MountSetattr(unix.AT_FDCWD, "/usr", 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}),
	} {
		if err == nil {
			b.add("%s works", name)
		}
	}
	if fd, err := unix.OpenTree(unix.AT_FDCWD, "/usr", unix.OPEN_TREE_CLONE); err == nil {
		b.add("open_tree works")
		unix.Close(fd)
	}
	return b.err()
}

func attackTrace([]string) error {
	var b breaches
	for _, pid := range []int{1, os.Getppid()} {
		if unix.PtraceAttach(pid) == nil || unix.PtraceSeize(pid) == nil {
			b.add("process %d can be traced", pid)
		}
		buf := make([]byte, 8)
		local := []unix.Iovec{{Base: &buf[0], Len: 8}}
		if _, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0); err != unix.EPERM && err != unix.ENOSYS {
			b.add("process_vm_readv: %v", err)
		}
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, 0); errno == 0 {
		b.add("ptrace works")
	}
	if f, err := os.OpenFile("/proc/1/mem", os.O_RDWR, 0); err == nil {
		f.Close()
		b.add("the memory of process 1 is open")
	}
	return b.err()
}
