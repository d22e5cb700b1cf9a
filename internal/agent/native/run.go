package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Bounds of a command.
const (
	runTime    = 120 * time.Second
	maxRunTime = 600 * time.Second
	verifyTime = 20 * time.Minute
	maxOutput  = 30_000 // bytes that are returned; the middle is left out
)

func (t *tools) run(ctx context.Context, in input) (string, error) {
	limit := runTime
	if in.Seconds > 0 {
		limit = min(time.Duration(min(in.Seconds, 1_000_000))*time.Second, maxRunTime)
	}
	text, exit, err := t.start(ctx, []string{"sh", "-c", in.Command}, limit)
	switch {
	case err != nil:
		return "", err
	case exit != 0:
		return "", fmt.Errorf("exit status %d\n%s", exit, text)
	case text == "":
		return "(no output)", nil
	}
	return text, nil
}

func (t *tools) check(ctx context.Context) (string, error) {
	text, exit, err := t.start(ctx, t.verify, verifyTime)
	if err != nil {
		return "", err
	}
	if exit != 0 {
		return "", fmt.Errorf("the verifiers failed\n%s", text)
	}
	t.dirty = false
	return "passed\n" + text, nil
}

// start runs a command in the agent's folder, ends everything in its process group at the limit, and returns what it
// printed and its exit status. Commands run without input, and see nothing of the model's settings.
func (t *tools) start(ctx context.Context, argv []string, limit time.Duration) (string, int, error) {
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	out := &headTail{}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = t.ground.folder(), out, out, os.Environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second // what went on in the background may hold the output open
	err := cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left running; most often nothing
	}
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", 0, fmt.Errorf("stopped after %s\n%s", limit, out)
	case errors.As(err, &exit):
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return out.String(), 128 + int(status.Signal()), nil
		}
		return out.String(), exit.ExitCode(), nil
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return "", 0, fmt.Errorf("it could not be started: %w", err)
	}
	return out.String(), 0, nil
}

// headTail keeps the beginning and the end of an output.
type headTail struct {
	head, tail []byte
	lost       int
}

func (h *headTail) Write(p []byte) (int, error) {
	const headSize, tailSize = maxOutput / 3, maxOutput - maxOutput/3
	n := len(p)
	if room := headSize - len(h.head); room > 0 {
		take := min(room, len(p))
		h.head = append(h.head, p[:take]...)
		p = p[take:]
	}
	h.tail = append(h.tail, p...)
	if over := len(h.tail) - tailSize; over > 0 {
		h.lost += over
		h.tail = append(h.tail[:0], h.tail[over:]...)
	}
	return n, nil
}

func (h *headTail) String() string {
	text := string(h.head)
	if h.lost > 0 {
		text += fmt.Sprintf("\n… (%d bytes left out) …\n", h.lost)
	}
	return validText(text + string(h.tail))
}
