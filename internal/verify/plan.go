package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"gaggle/internal/fleet"
)

// Plan is all that a process inside a sandbox needs to run a component's verifiers the way the engine will: one
// JSON file, mounted read-only, and one command. What it reports helps the agent; what counts is the engine's own run.
type Plan struct {
	Version   int           `json:"version"`
	Verifiers []Verifier    `json:"verifiers"`
	Base      *fleet.Report `json:"base,omitempty"` // so that the agent is not sent after old failures
}

const planVersion = 1

// Write writes the plan.
func (p Plan) Write(w io.Writer) error {
	p.Version = planVersion
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	if err := enc.Encode(p); err != nil {
		return fleet.Errorf(fleet.CodeInternal, "the verification plan could not be written: %w", err)
	}
	return nil
}

// ReadPlan reads what Write wrote.
func ReadPlan(r io.Reader) (Plan, error) {
	var p Plan
	if err := json.NewDecoder(r).Decode(&p); err != nil {
		return p, fleet.Errorf(fleet.CodeInvalid, "the verification plan is not readable: %w", err)
	}
	if p.Version != planVersion {
		return p, fleet.Errorf(fleet.CodeInvalid, "the verification plan has version %d, this program reads %d", p.Version, planVersion)
	}
	return p, nil
}

// Run runs the plan in the tree that exec works on.
func (p Plan) Run(ctx context.Context, exec Exec) (fleet.Report, error) {
	base := fleet.Report{}
	if p.Base != nil {
		base = *p.Base
	}
	return After(ctx, exec, kept(p.Verifiers), base, false)
}

// Text renders a report for an agent or a person: one line for a check that is fine, the distilled lines of one that is not. A failure that an earlier
// check already showed is not repeated.
func Text(w io.Writer, r fleet.Report) error {
	shown := map[string]bool{}
	for _, c := range r.Checks {
		if _, err := fmt.Fprintf(w, "%s: %s", c.Verifier, outcomeWord(c.Outcome)); err != nil {
			return err
		}
		if c.Outcome == fleet.Passed && len(c.Lines) > 0 {
			if _, err := fmt.Fprintf(w, " (%s)", c.Lines[0]); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		if c.Outcome == fleet.Passed && len(c.Lines) < 2 {
			continue
		}
		repeated := 0
		for _, line := range c.Lines {
			if shown[line] && len(line) > 20 {
				repeated++
				continue
			}
			shown[line] = true
			if _, err := fmt.Fprintf(w, "  %s\n", line); err != nil {
				return err
			}
		}
		if repeated > 0 {
			if _, err := fmt.Fprintf(w, "  (%s shown above)\n", fleet.Count(repeated, "line")); err != nil {
				return err
			}
		}
	}
	return nil
}

func outcomeWord(o fleet.CheckOutcome) string {
	switch o {
	case fleet.Passed:
		return "ok"
	case fleet.CheckFailed:
		return "FAILED"
	case fleet.FailedBefore:
		return "failed before the change too, not yours"
	case fleet.ToolchainGone:
		return "not run, its toolchain is missing here"
	case fleet.TimedOut:
		return "TIMED OUT"
	}
	return string(o)
}
