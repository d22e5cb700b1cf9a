package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// folders lists the groups, each once: on version 2 they are one.
func (g *group) folders() []string {
	var list []string
	for _, dir := range []string{g.memory, g.pids, g.cpu} {
		if dir != "" && !slices.Contains(list, dir) {
			list = append(list, dir)
		}
	}
	return list
}

// born starts a process that is in the groups from its first moment. Putting it there later would have the kernel wait
// until no processor forks or ends anything, which takes longer than everything else that a short run does.
//
// The calling thread must be locked to its goroutine and end with it. start is called once more where the kernel does not
// start processes inside of groups. What born returns are the groups that the process still has to be put into.
func (g *group) born(sys *syscall.SysProcAttr, start func() error) (left []string, err error) {
	unified := ""
	for _, dir := range g.folders() {
		if _, err := os.Stat(filepath.Join(dir, "tasks")); err != nil {
			unified = dir
			continue
		}
		// Version 1: a child begins where the thread is that starts it, and a thread may move itself without anybody waiting.
		if write(dir, "tasks", "0") != nil {
			left = append(left, dir)
			continue
		}
		defer write(filepath.Dir(dir), "tasks", "0") // the thread lives on, and the group is to be removed
	}
	if unified == "" {
		return left, start()
	}
	if at, err := os.Open(unified); err == nil {
		defer at.Close()
		sys.UseCgroupFD, sys.CgroupFD = true, int(at.Fd())
		if err := start(); err == nil {
			return left, nil
		}
		sys.UseCgroupFD = false
	}
	return append(left, unified), start()
}
