package sandbox

import (
	"context"
	"time"

	"gaggle/internal/fleet"
)

// interrupted is the error of a run that ctx ended.
func interrupted(ctx context.Context) error {
	return &fleet.Error{Code: fleet.CodeInterrupted, Message: "the command was stopped", Err: context.Cause(ctx)}
}

// cell is a started command with everything that belongs to it.
type cell interface {
	kill()                     // everything, at once; may be called often, also after the end
	wait() error               // returns when nothing is left; an error is a machine that did not do its part
	breach() <-chan fleet.Code // a limit that was hit while it ran
	outcome() (outcome, error) // after wait, and after all output was passed on; an error is a command that did not run
}

// outcome is how a command ended by itself, as far as it did.
type outcome struct {
	exit int
	over fleet.Code // a limit that explains the end, or ""
	cpu  time.Duration
	peak int64
}

// patience is how long processes may take to die. Those that take longer hang in the kernel, on a dead network disk for
// one; what they use is given back when they end after all.
const patience = 30 * time.Second

// supervise waits for a cell and kills it when ctx ends or a limit is hit.
func supervise(ctx context.Context, c cell, out *output, wall time.Duration) (Result, error) {
	started := time.Now()
	done := make(chan error, 1)
	go func() { done <- c.wait() }()
	timer := time.NewTimer(wall)
	defer timer.Stop()

	var (
		result  Result
		stopped bool
		cancel  = ctx.Done()
		over    = out.over
		breach  = c.breach()
		stuck   <-chan time.Time
	)
	kill := func() {
		c.kill()
		if stuck == nil {
			stuck = time.After(patience)
		}
	}
	stop := func(code fleet.Code) {
		if result.Ended == "" && !stopped {
			result.Ended = code
		}
		kill()
	}
	for {
		select {
		case <-cancel:
			cancel = nil
			if result.Ended == "" {
				stopped = true
			}
			kill()
		case <-stuck:
			return result, fleet.Errorf(fleet.CodeSandbox, "sandbox: processes do not die within %s of being killed", patience)
		case <-timer.C:
			stop(fleet.CodeTimeout)
		case <-over:
			over = nil
			stop(fleet.CodeOutputLimit)
		case code := <-breach:
			breach = nil
			stop(code)
		case err := <-done:
			writeErr := out.finish()
			end, runErr := c.outcome()
			result.ExitCode, result.CPU, result.PeakMemory = end.exit, end.cpu, end.peak
			result.Wall = time.Since(started)
			switch {
			case err != nil:
				return result, err
			case stopped:
				return result, interrupted(ctx)
			case result.Ended != "":
			case out.exceeded():
				result.Ended = fleet.CodeOutputLimit
			case end.over != "":
				result.Ended = end.over
			case runErr != nil:
				return result, runErr
			}
			if writeErr != nil {
				return result, &fleet.Error{Code: fleet.CodeInternal, Message: "the command's output could not be kept", Err: writeErr}
			}
			return result, nil
		}
	}
}
