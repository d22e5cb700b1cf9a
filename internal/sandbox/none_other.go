//go:build unix && !linux

package sandbox

import (
	"os/exec"
	"time"

	"gaggle/internal/fleet"
)

// bounds is what this operating system can do for commands without isolation: nothing beyond their process group.
type bounds struct{}

type bound struct{}

func newBounds() bounds { return bounds{} }

func (bounds) begin(Spec) (*bound, error) { return &bound{}, nil }

func (*bound) start(cmd *exec.Cmd) error { return cmd.Start() }

func (*bound) kill() {}

func (*bound) breach() <-chan fleet.Code { return nil }

func (*bound) end() (fleet.Code, time.Duration, int64) { return "", 0, 0 }
