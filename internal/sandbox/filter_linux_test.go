package sandbox

import (
	"encoding/binary"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// machine runs the filter on one system call. The virtual machine of package bpf reads words the other way round.
func machine(t testing.TB) (*arch.Info, func(audit uint32, number int, args ...uint64) uint32) {
	t.Helper()
	info, err := arch.GetInfo("")
	if err != nil {
		t.Fatal(err)
	}
	program, err := assemble(info, rules())
	if err != nil {
		t.Fatal(err)
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	return info, func(audit uint32, number int, args ...uint64) uint32 {
		data := make([]byte, 64)
		words := []uint32{uint32(number), audit, 0, 0}
		for i := range 6 {
			var a uint64
			if i < len(args) {
				a = args[i]
			}
			words = append(words, uint32(a), uint32(a>>32))
		}
		for i, w := range words {
			binary.BigEndian.PutUint32(data[4*i:], w)
		}
		answer, err := vm.Run(data)
		if err != nil {
			t.Fatal(err)
		}
		return uint32(answer)
	}
}

func TestFilter(t *testing.T) {
	info, run := machine(t)
	audit := uint32(info.ID)
	const high = 0xdeadbeef << 32
	eperm, enosys := uint32(refuse(unix.EPERM)), uint32(refuse(unix.ENOSYS))
	check := func(want uint32, name string, args ...uint64) {
		t.Helper()
		number, ok := info.SyscallNames[name]
		if !ok {
			return // this architecture does without
		}
		if got := run(audit, number, args...); got != want {
			t.Errorf("%s%x answers %#x, want %#x", name, args, got, want)
		}
		if got := run(audit^1, number, args...); got != enosys {
			t.Errorf("%s of another architecture answers %#x", name, got)
		}
		if got := run(audit, number|0x40000000, args...); got != enosys {
			t.Errorf("%s of x32 answers %#x", name, got)
		}
	}
	for _, name := range []string{"read", "write", "execve", "futex", "mmap", "clone", "fork", "vfork", "openat", "open", "ioctl", "getrandom", "landlock_create_ruleset"} {
		check(uint32(allow), name)
	}
	for _, name := range []string{"ptrace", "mount", "unshare", "setns", "keyctl", "bpf", "chroot", "process_vm_writev", "perf_event_open"} {
		check(eperm, name)
	}
	for _, name := range []string{"clone3", "io_uring_setup", "openat2"} {
		check(enosys, name)
	}
	for _, upper := range []uint64{0, high, 0xffffffff << 32} {
		check(eperm, "ioctl", 0, upper|0x5412)
		check(eperm, "ioctl", 0, upper|0x541c)
		check(uint32(allow), "ioctl", 0, upper|0x5401)
		check(eperm, "clone", upper|unix.CLONE_NEWUSER|unix.CLONE_VM)
		check(eperm, "chmod", 0, upper|0o4755)
		check(eperm, "fchmodat", 0, 0, upper|0o2755)
		check(uint32(allow), "chmod", 0, upper|0o1777)
		check(eperm, "openat", 0, 0, upper|unix.O_CREAT, 0o4755)
		check(eperm, "openat", 0, 0, upper|unix.O_TMPFILE, 0o2755)
		check(uint32(allow), "openat", 0, 0, upper|unix.O_RDWR, 0o6755) // no file is made: whatever stands there means nothing
		check(uint32(refuse(unix.EAFNOSUPPORT)), "socket", upper|unix.AF_VSOCK)
		check(uint32(refuse(unix.EPROTONOSUPPORT)), "socket", upper|unix.AF_NETLINK, unix.SOCK_RAW, upper|unix.NETLINK_NETFILTER)
		check(uint32(refuse(unix.EPROTONOSUPPORT)), "socket", upper|unix.AF_INET, unix.SOCK_STREAM, upper|unix.IPPROTO_SCTP)
		check(uint32(allow), "socket", upper|unix.AF_NETLINK, unix.SOCK_RAW, upper|unix.NETLINK_ROUTE)
		check(uint32(allow), "socket", upper|unix.AF_INET6, unix.SOCK_STREAM, upper|unix.IPPROTO_TCP)
	}
}

// TestFilterAnswersByNumberAlone tries arguments that look like numbers of other calls: what a rule has loaded to look at
// an argument must not be taken for the number of the call.
func TestFilterAnswersByNumberAlone(t *testing.T) {
	info, run := machine(t)
	plain := map[int]uint32{}
	conditional := map[int]bool{}
	for _, r := range rules() {
		for _, name := range r.calls {
			if number, ok := info.SyscallNames[name]; ok {
				plain[number] = uint32(r.last)
				conditional[number] = len(r.cases) > 0
			}
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		number := rapid.IntRange(0, 700).Draw(rt, "number")
		args := rapid.SliceOfN(rapid.Uint64(), 6, 6).Draw(rt, "args")
		if rapid.Bool().Draw(rt, "small") {
			for i := range args {
				args[i] %= 700
			}
		}
		if conditional[number] {
			return
		}
		want, known := plain[number]
		if !known {
			want = uint32(refuse(unix.ENOSYS))
		}
		if got := run(uint32(info.ID), number, args...); got != want {
			rt.Errorf("call %d%x answers %#x, want %#x", number, args, got, want)
		}
	})
}

func TestRulesNameKnownCalls(t *testing.T) {
	known := map[string]bool{}
	for _, info := range []*arch.Info{arch.X86_64, arch.AARCH64} {
		for name := range info.SyscallNames {
			known[name] = true
		}
		if _, err := assemble(info, rules()); err != nil {
			t.Errorf("%s: %v", info.Name, err)
		}
	}
	// Newer than the tables, or of another architecture.
	for _, name := range []string{"riscv_flush_icache", "riscv_hwprobe", "getxattrat", "setxattrat", "listxattrat", "removexattrat", "uretprobe", "set_thread_area", "get_thread_area"} {
		known[name] = true
	}
	for _, r := range rules() {
		for _, name := range r.calls {
			if !known[name] {
				t.Errorf("nobody knows a call %s", name)
			}
		}
	}
}
