package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// openDoor is the first argument of a process that Run starts inside to open the door.
const openDoor = "sandbox-door"

// Main must be called first thing in main, and in TestMain: when the process was started inside a sandbox to open its
// door, it does that, becomes the command, and never returns.
//
// The door is opened by handing the listener out: from then on it is gaggle, outside, that takes the connections. Nothing
// of gaggle's runs inside that the command could stop or take over, and no socket to the outside can be seen there.
func Main() {
	if len(os.Args) < 4 || os.Args[0] != Self || os.Args[1] != openDoor {
		return
	}
	fd, err := strconv.Atoi(os.Args[2])
	if err == nil {
		err = handOut(fd)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gaggle: opening the door:", err)
		os.Exit(125)
	}
	argv := os.Args[3:]
	program := argv[0]
	if !strings.Contains(program, "/") {
		program = lookPath(program, os.Getenv("PATH"), ".")
	}
	err = error(fs.ErrNotExist)
	if program != "" {
		err = syscall.Exec(program, argv, os.Environ())
	}
	fmt.Fprintf(os.Stderr, "gaggle: %s: %v\n", argv[0], err)
	if errors.Is(err, fs.ErrNotExist) {
		os.Exit(127)
	}
	os.Exit(126)
}

// handOut listens at DoorAddress and sends the listener through the socket to.
func handOut(to int) error {
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(l)
	host, port, err := net.SplitHostPort(DoorAddress)
	if err != nil {
		return err
	}
	at := &unix.SockaddrInet4{}
	copy(at.Addr[:], net.ParseIP(host).To4())
	if at.Port, err = strconv.Atoi(port); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(l, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := unix.Bind(l, at); err != nil {
		return err
	}
	if err := unix.Listen(l, doorConns); err != nil {
		return err
	}
	defer unix.Close(to)
	return unix.Sendmsg(to, []byte{0}, unix.UnixRights(l), nil, 0)
}

// hatch is the outer half of a door that is still to be opened from inside.
type hatch struct {
	socket string // where the door leads
	conn   *net.UnixConn
}

// newHatch returns the hatch and the socket that goes inside.
func newHatch(socket string) (*hatch, *os.File, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "hatch"), os.NewFile(uintptr(pair[1]), "hatch")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return &hatch{socket: socket, conn: conn.(*net.UnixConn)}, theirs, nil
}

// give gives up waiting for what comes from inside.
func (h *hatch) give() { h.conn.Close() }

// open waits for the listener from inside and serves it. It fails when the sandbox ends without sending one.
func (h *hatch) open() (*door, error) {
	defer h.conn.Close()
	control := make([]byte, unix.CmsgSpace(4))
	_, n, flags, _, err := h.conn.ReadMsgUnix(make([]byte, 1), control)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) != 1 || flags&unix.MSG_CTRUNC != 0 {
		return nil, errors.New("no listener came out")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, errors.New("no listener came out")
	}
	f := os.NewFile(uintptr(fds[0]), "door")
	defer f.Close()
	family, _ := unix.GetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_DOMAIN)
	listens, _ := unix.GetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if family != unix.AF_INET || listens != 1 {
		return nil, errors.New("what came out is no listener")
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	return serveDoor(l, h.socket), nil
}
