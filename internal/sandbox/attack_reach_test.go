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
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

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
	for _, request := range []uintptr{0x5412, 0x541c, 1<<32 | 0x5412, 0xffffffff<<32 | 0x5412, 0x5423} {
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
