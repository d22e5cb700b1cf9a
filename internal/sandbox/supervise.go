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
	kill()                       // everything, at once; may be called often, also after the end
	wait() (int, error)          // returns the exit code when nothing is left
	breach() <-chan fleet.Code   // a limit that was hit while it ran
	verdict(exit int) fleet.Code // after the end: a limit that explains it, or ""
	usage() (cpu time.Duration, peak int64)
}

// supervise waits for a cell and kills it when ctx ends or a limit is hit.
func supervise(ctx context.Context, c cell, out *output, wall time.Duration) (Result, error) {
	started := time.Now()
	type end struct {
		code int
		err  error
	}
	done := make(chan end, 1)
	go func() {
		code, err := c.wait()
		done <- end{code, err}
	}()
	timer := time.NewTimer(wall)
	defer timer.Stop()

	var (
		result  Result
		stopped bool
		cancel  = ctx.Done()
		over    = out.over
		breach  = c.breach()
	)
	stop := func(code fleet.Code) {
		if result.Ended == "" && !stopped {
			result.Ended = code
		}
		c.kill()
	}
	for {
		select {
		case <-cancel:
			cancel = nil
			if result.Ended == "" {
				stopped = true
			}
			c.kill()
		case <-timer.C:
			stop(fleet.CodeTimeout)
		case <-over:
			over = nil
			stop(fleet.CodeOutputLimit)
		case code := <-breach:
			breach = nil
			stop(code)
		case e := <-done:
			writeErr := out.finish()
			result.ExitCode = e.code
			result.Wall = time.Since(started)
			result.CPU, result.PeakMemory = c.usage()
			if e.err != nil {
				return result, e.err
			}
			if stopped {
				return result, interrupted(ctx)
			}
			if result.Ended == "" && out.exceeded() {
				result.Ended = fleet.CodeOutputLimit
			}
			if result.Ended == "" {
				result.Ended = c.verdict(e.code)
			}
			if writeErr != nil {
				return result, &fleet.Error{Code: fleet.CodeInternal, Message: "the command's output could not be kept", Err: writeErr}
			}
			return result, nil
		}
	}
}
