package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// tagged begins the name that bubblewrap runs under.
const tagged = "bwrap:gaggle:"

// tag names bubblewrap after the process that started it: as ownerName does, and with the pid namespace in which that name
// means something.
func tag(owner string) string { return tagged + pidNamespace() + ":" + owner }

func pidNamespace() string {
	name, _ := os.Readlink("/proc/self/ns/pid")
	return strings.Trim(strings.TrimPrefix(name, "pid:"), "[]")
}

// reap ends bubblewraps whose gaggle is dead. There are none where bubblewrap runs in a pid namespace of its own; elsewhere
// a gaggle that was killed in the very moment in which it started one may have left it behind.
func reap() {
	for _, p := range processesIn("/") {
		pid, err := strconv.Atoi(filepath.Base(p))
		if err != nil || !orphaned(p) {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		if orphaned(p) { // still, now that the number cannot come to mean another
			unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
		unix.Close(fd)
	}
}

// orphaned reports whether a process, given by its folder in /proc, is a bubblewrap whose gaggle is dead.
func orphaned(process string) bool {
	cmdline, err := os.ReadFile(process + "/cmdline")
	name, _, _ := bytes.Cut(cmdline, []byte{0})
	owner, ok := strings.CutPrefix(string(name), tag(""))
	if err != nil || !ok {
		return false
	}
	var pid int
	var started int64
	if n, _ := fmt.Sscanf(owner, "%d-%d", &pid, &started); n != 2 {
		return false
	}
	return startTime(pid) != started
}
