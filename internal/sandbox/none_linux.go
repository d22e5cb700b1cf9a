package sandbox

import (
	"os/exec"
	"syscall"
	"time"

	"gaggle/internal/fleet"
)

// bounds is what Linux can do for commands without isolation.
type bounds struct{ groups *cgroups }

// bound is the same for one command.
type bound struct {
	group *group
	watch *watch
	ended chan struct{}
}

func newBounds() bounds { return bounds{findCgroups()} }

func (b bounds) begin(spec Spec) (*bound, error) {
	g, err := b.groups.make(spec.Limits)
	if err != nil {
		return nil, err
	}
	return &bound{group: g, watch: newWatch(spec, g), ended: make(chan struct{})}, nil
}

// start starts the command so that it dies with this process, as jail.launch does.
func (b *bound) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started := make(chan error, 1)
	onOwnThread(func() {
		err := cmd.Start()
		started <- err
		if err == nil {
			<-b.ended
		}
	})
	if err := <-started; err != nil {
		return err
	}
	// What the command started in the meantime is not in the group. Without isolation that is as good as it gets.
	join(b.group.folders(), cmd.Process.Pid)
	b.watch.begin(func() string { return "" })
	return nil
}

func (b *bound) kill() { b.group.kill() }

func (b *bound) breach() <-chan fleet.Code { return b.watch.found }

// end gives everything back, and returns the limit that was hit and what was used.
func (b *bound) end() (over fleet.Code, cpu time.Duration, peak int64) {
	close(b.ended)
	b.watch.end()
	over = b.watch.verdict()
	cpu, peak = b.group.used()
	b.group.remove()
	return over, cpu, peak
}
