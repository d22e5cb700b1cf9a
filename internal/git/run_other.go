//go:build !linux

package git

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps Ctrl-C on the terminal from reaching git. Unlike on Linux, git ends by itself after Gaggle was killed.
func ownGroup(cmd *exec.Cmd, _ bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// starter starts processes; only Linux needs more than that.
type starter struct{}

func (*starter) start(cmd *exec.Cmd) error { return cmd.Start() }
