package git

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps Ctrl-C on the terminal from reaching git, and has the kernel kill git when Gaggle is killed.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
