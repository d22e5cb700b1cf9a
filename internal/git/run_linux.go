package git

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// ownGroup keeps Ctrl-C on the terminal from reaching git, and may have the kernel kill git when Gaggle is killed.
func ownGroup(cmd *exec.Cmd, dieWithUs bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if dieWithUs {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
}

// starter starts processes from one thread that never ends: the kernel sends the death signal when the starting thread
// ends, not when the process does, and Go ends threads as it sees fit.
type starter struct {
	once  sync.Once
	calls chan func()
}

func (t *starter) start(cmd *exec.Cmd) error {
	t.once.Do(func() {
		t.calls = make(chan func())
		go func() {
			runtime.LockOSThread()
			for call := range t.calls {
				call()
			}
		}()
	})
	done := make(chan error)
	t.calls <- func() { done <- cmd.Start() }
	return <-done
}
