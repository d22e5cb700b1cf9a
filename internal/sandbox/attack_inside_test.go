//go:build full && linux

package sandbox_test

import (
	"bytes"
	"encoding/binary"
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
	"syscall"
	"time"
	"unsafe"

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
	"unlinked": hogUnlinked, "deep": hogDeep, "memfd": hogMemfd, "closed": hogClosed, "parent": parent,
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
	for _, p := range []string{"/sys", "/sys/fs/cgroup", "/root", "/boot", "/etc/shadow", "/etc/ssl/private", "/etc/gitconfig",
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

func attackNetwork([]string) error {
	var b breaches
	interfaces, err := net.Interfaces()
	if err != nil {
		b.add("interfaces cannot be listed, which honest programs do: %v", err)
	}
	for _, i := range interfaces {
		if i.Name != "lo" {
			b.add("there is an interface %s", i.Name)
		}
	}
	for _, address := range []string{"1.1.1.1:53", "[2606:4700:4700::1111]:53", "169.254.169.254:80", "10.0.0.1:22", "172.17.0.1:2375", "127.0.0.1:8787"} {
		for _, network := range []string{"tcp", "udp"} {
			conn, err := net.DialTimeout(network, address, time.Second)
			if err == nil && network == "udp" && !strings.HasPrefix(address, "127") {
				_, err = conn.Write([]byte("x"))
			}
			if err == nil && !(network == "udp" && strings.HasPrefix(address, "127")) {
				b.add("%s %s can be reached", network, address)
			}
		}
	}
	if addresses, err := net.LookupHost("example.com"); err == nil {
		b.add("names are resolved: %v", addresses)
	}
	for name, s := range map[string][3]int{
		"packet": {unix.AF_PACKET, unix.SOCK_RAW, 0}, "raw": {unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP}, "raw 6": {unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6},
		"vsock": {unix.AF_VSOCK, unix.SOCK_STREAM, 0}, "alg": {unix.AF_ALG, unix.SOCK_SEQPACKET, 0}, "bluetooth": {unix.AF_BLUETOOTH, unix.SOCK_RAW, 1},
		"key": {unix.AF_KEY, unix.SOCK_RAW, 2}, "xdp": {unix.AF_XDP, unix.SOCK_RAW, 0}, "tipc": {unix.AF_TIPC, unix.SOCK_STREAM, 0}, "rds": {unix.AF_RDS, unix.SOCK_SEQPACKET, 0},
		"can": {unix.AF_CAN, unix.SOCK_RAW, 1}, "sctp": {unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP}, "dccp": {unix.AF_INET, 6, unix.IPPROTO_DCCP},
		"generic netlink": {unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_GENERIC}, "netfilter": {unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER},
		"uevent": {unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT}, "audit": {unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT},
		"xfrm": {unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_XFRM}, "sock_diag": {unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_SOCK_DIAG},
	} {
		if fd, err := unix.Socket(s[0], s[1], s[2]); err == nil {
			b.add("a %s socket can be made", name)
			unix.Close(fd)
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SOCKET, uintptr(s[0])|1<<32, uintptr(s[1]), uintptr(s[2])); errno == 0 {
			b.add("a %s socket can be made by writing its family differently", name)
		}
	}
	if err := addInterface(); err == nil {
		b.add("netlink makes an interface")
	}
	// What programs do among themselves has to work.
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			if !strings.HasPrefix(address, "[") {
				b.add("nobody can listen on loopback: %v", err)
			}
			continue
		}
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.add("nobody can connect on loopback: %v", err)
		} else {
			conn.Close()
		}
		l.Close()
	}
	return b.err()
}

// addInterface asks netlink for a dummy interface.
func addInterface() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	message := make([]byte, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(message, uint32(len(message)))
	binary.NativeEndian.PutUint16(message[4:], unix.RTM_NEWLINK)
	binary.NativeEndian.PutUint16(message[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE)
	if err := unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, buf, 0)
	if err != nil || n < 20 {
		return errors.New("no answer")
	}
	if code := int32(binary.NativeEndian.Uint32(buf[16:])); code != 0 {
		return syscall.Errno(-code)
	}
	return nil
}

func attackTerminal([]string) error {
	var b breaches
	if fd, err := unix.Open("/dev/tty", unix.O_RDWR, 0); err == nil {
		b.add("there is a controlling terminal")
		unix.Close(fd)
	}
	// Even on a terminal of one's own.
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		b.add("there are no pseudo terminals, which honest programs use: %v", err)
		return b.err()
	}
	c := byte('x')
	for _, request := range []uintptr{0x5412, 0x541c, 1<<32 | 0x5412, 0xffffffff<<32 | 0x5412} {
		for _, fd := range []int{0, 1, 2, master} {
			if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&c))); errno != unix.EPERM {
				b.add("ioctl %#x on %d: %v", request, fd, errno)
			}
		}
	}
	return b.err()
}

func attackSetuid([]string) error {
	var b breaches
	name := "/srv/work/program"
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"), 0o755); err != nil {
		return err
	}
	fd, err := unix.Open(name, unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	for _, mode := range []uint32{0o4755, 0o2755, 0o6755} {
		unix.Chmod(name, mode)
		unix.Fchmod(fd, mode)
		unix.Fchmodat(unix.AT_FDCWD, name, mode, 0)
		unix.RawSyscall6(unix.SYS_FCHMODAT2, ^uintptr(99), uintptr(unsafe.Pointer(&append([]byte(name), 0)[0])), uintptr(mode), 0, 0, 0)
		if fd, err := unix.Open(fmt.Sprintf("/srv/work/opened%o", mode), unix.O_CREAT|unix.O_WRONLY, mode); err == nil {
			unix.Close(fd)
		}
		unix.Openat2(unix.AT_FDCWD, fmt.Sprintf("/srv/work/opened2%o", mode), &unix.OpenHow{Flags: unix.O_CREAT | unix.O_WRONLY, Mode: uint64(mode)})
		unix.RawSyscall(unix.SYS_CREAT, uintptr(unsafe.Pointer(&append([]byte(fmt.Sprintf("/srv/work/created%o", mode)), 0)[0])), uintptr(mode), 0)
		unix.Mknod(fmt.Sprintf("/srv/work/node%o", mode), unix.S_IFREG|mode, 0)
		if fd, err := unix.Open("/srv/work", unix.O_TMPFILE|unix.O_RDWR, mode); err == nil {
			unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, fmt.Sprintf("/srv/work/tmp%o", mode), unix.AT_SYMLINK_FOLLOW)
			unix.Close(fd)
		}
	}
	for _, attribute := range []string{"security.capability", "trusted.x"} {
		value := []byte{1, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
		if unix.Setxattr(name, attribute, value, 0) == nil {
			b.add("%s can be set", attribute)
		}
	}
	filepath.WalkDir("/srv/work", func(p string, d fs.DirEntry, err error) error {
		if info, err := d.Info(); err == nil && info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
			b.add("%s is %v", p, info.Mode())
		}
		return nil
	})
	return b.err()
}

// attackSignals kills whatever it can.
func attackSignals(args []string) error {
	var b breaches
	for _, pid := range args {
		if n, err := strconv.Atoi(pid); err == nil && unix.Kill(n, 0) == nil {
			b.add("process %d of the host can be signaled", n)
		}
	}
	unix.Kill(1, unix.SIGKILL)
	unix.Kill(1, unix.SIGSTOP)
	if err := unix.Kill(1, 0); err != nil {
		b.add("process 1 is gone: %v", err)
	}
	return b.err()
}

func attackLimits([]string) error {
	var b breaches
	var l unix.Rlimit
	for _, resource := range []int{unix.RLIMIT_FSIZE, unix.RLIMIT_CORE} {
		if err := unix.Getrlimit(resource, &l); err != nil || l.Max == unix.RLIM_INFINITY {
			b.add("resource %d has no limit", resource)
		}
		if unix.Setrlimit(resource, &unix.Rlimit{Cur: l.Max + 1, Max: l.Max + 1}) == nil {
			b.add("the limit on resource %d can be raised", resource)
		}
	}
	if os.WriteFile("/proc/self/oom_score_adj", []byte("-1"), 0) == nil {
		b.add("it can put itself behind the host's processes when memory is short")
	}
	if unix.Setpriority(unix.PRIO_PROCESS, 0, -10) == nil {
		b.add("the priority can be raised")
	}
	return b.err()
}

func attackIdentity([]string) error {
	var b breaches
	if os.Getuid() != 1000 || os.Geteuid() != 1000 || os.Getgid() != 1000 {
		b.add("it runs as %d:%d", os.Getuid(), os.Getgid())
	}
	for name, err := range map[string]error{"setuid": unix.Setuid(0), "setgid": unix.Setgid(0), "setresuid": unix.Setresuid(0, 0, 0),
		"setgroups": unix.Setgroups([]int{0}), "setuid 65534": unix.Setuid(65534)} {
		if err == nil {
			b.add("%s works", name)
		}
	}
	status, _ := os.ReadFile("/proc/self/status")
	for _, want := range []string{"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000",
		"CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !bytes.Contains(status, []byte(want)) {
			b.add("no %s", want)
		}
	}
	maps, _ := os.ReadFile("/proc/self/uid_map")
	if f := strings.Fields(string(maps)); len(f) != 3 || f[2] != "1" {
		b.add("more than one user exists: %q", maps)
	}
	if name, _ := os.Hostname(); name != "box" {
		b.add("the host is called %q", name)
	}
	return b.err()
}
