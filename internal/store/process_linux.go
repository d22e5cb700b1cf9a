package store

import (
	"fmt"
	"os"
	"strings"
)

// bootID names this boot of this kernel; "" when it cannot be read. The inode of the process namespace goes with it, because a
// process number means something only inside one.
func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	ns, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data)) + "-" + strings.Trim(ns, "pid:[]")
}

// processStart is when the process began, in clock ticks since boot; "" when there is no such process, or only its zombie.
func processStart(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	text := string(data)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}
