package attempt

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
	"gaggle/internal/git"
	"gaggle/internal/guard"
	"gaggle/internal/judge"
	"gaggle/internal/spec"
)

// rounds is the loop: agent, verifiers, guard, judge, and back with what failed.
func (j *job) rounds(ctx context.Context) (Outcome, error) {
	co, err := j.r.cfg.Git.Checkout(ctx, j.o.Repository, j.base.Commit, j.path("agent"))
	if err != nil {
		return Outcome{}, err
	}
	defer co.Close()
	if err := j.plan(ctx, co); err != nil {
		return Outcome{}, err
	}
	feedback := j.o.Feedback
	session, lastTree := "", ""
	limit := j.c.Limits.Rounds
	if j.c.Change.Agent == spec.AgentScript {
		limit = 1 // a program does the same thing again
	}
	var out Outcome
	for n := 1; n <= limit; n++ {
		began := time.Now()
		before := j.usage.total()
		res, err := j.runAgent(ctx, co, n, session, feedback)
		if err != nil {
			return out, err
		}
		session = res.Session
		round := fleet.Round{Number: n, Summary: j.r.clean(res.Summary), Turns: res.Turns}
		var change git.Change
		if change, err = co.Snapshot(ctx); err != nil {
			if fleet.CodeOf(err) != fleet.CodeUnsafeTree || n == limit {
				return out, err
			}
			round.Feedback = "Your changes could not be read: " + j.r.clean(err.Error()) + ". Remove it."
		} else if out, err = j.assess(ctx, co, change, res, &round); err != nil {
			return out, err
		}
		round.DurationMS = time.Since(began).Milliseconds()
		round.Usage = j.usage.since(before)
		if j.o.Round != nil {
			if err := j.o.Round(ctx, round); err != nil {
				return out, err
			}
		}
		if out.State == fleet.Ready || out.State == fleet.Unchanged {
			return out, nil
		}
		if !retriable(res, out) || change.Tree != "" && change.Tree == lastTree {
			break // the agent cannot go on, or does not move any more
		}
		lastTree, feedback = change.Tree, round.Feedback
	}
	return out, nil
}

// retriable says whether another round may help.
func retriable(res agent.Result, out Outcome) bool {
	switch res.Code {
	case "", fleet.CodeTurns:
		return out.Reason != fleet.CodeToolMissing && out.Reason != fleet.CodeUnverified
	}
	return false
}

// assess decides what a round's result is worth, and writes what is wrong with it into the round as feedback.
func (j *job) assess(ctx context.Context, co *git.Checkout, change git.Change, res agent.Result, round *fleet.Round) (Outcome, error) {
	out := Outcome{State: fleet.Failed, Tree: change.Tree, Stat: change.Stat}
	if len(change.Files) == 0 {
		switch {
		case res.Done:
			out.State, out.Message = fleet.Unchanged, firstLine(round.Summary)
			return out, nil
		case res.Code == fleet.CodeTurns:
			out.Reason, out.Message = res.Code, j.r.clean(res.Message)
			round.Feedback = "You have changed nothing yet. Make the change now."
			return out, nil
		}
		out.Reason, out.Message = res.Code, j.r.clean(res.Message)
		return out, nil
	}
	var err error
	if out.Diff, err = co.Diff(ctx, change.Tree); err != nil {
		return out, err
	}
	if !res.Done && res.Code != fleet.CodeTurns {
		out.Reason, out.Message = res.Code, j.r.clean(res.Message)
		return out, nil
	}
	// The guards are pure and free, so they look first: a diff that tampers is not worth a build.
	if round.Findings, err = j.guard(out.Diff); err != nil {
		return out, err
	}
	if len(round.Findings) > 0 {
		out.Reason, out.Message = fleet.CodeGuard, describeFindings(round.Findings)
	}
	report, err := j.verify(ctx, out.Diff)
	if err != nil {
		return out, err
	}
	round.Report = &report
	if !report.OK() {
		if out.Reason == "" {
			out.Reason, out.Message = fleet.CodeVerifyFailed, describeReport(report)
		}
	} else if code, why := unverified(report); code != "" && out.Reason == "" {
		out.Reason, out.Message = code, why
	}
	if out.Reason == "" && j.c.Judge.Mode != spec.JudgeOff {
		verdict, err := j.judge(ctx, out.Diff, report, round.Findings)
		if err != nil {
			if fleet.CodeOf(err) == fleet.CodeInternal || ctx.Err() != nil || j.c.Judge.Mode == spec.JudgeEnforce {
				return out, err
			}
			verdict = fleet.Verdict{Pass: true, Reasons: []string{"the judge could not be asked: " + j.r.clean(err.Error())}}
		}
		round.Verdict = &verdict
		if !verdict.Pass && j.c.Judge.Mode == spec.JudgeEnforce {
			out.Reason, out.Message = fleet.CodeVeto, firstLine(strings.Join(verdict.Reasons, "; "))
		}
	}
	if out.Reason == "" {
		out.State = fleet.Ready
		return out, nil
	}
	round.Feedback = clip(j.r.clean(agent.Feedback(report, round.Findings, round.Verdict)), 8_000)
	return out, nil
}

// unverified says that there were verifiers and none of them vouches for the change: all failed on the base already,
// or their toolchains are not here.
func unverified(r fleet.Report) (fleet.Code, string) {
	for _, c := range r.Checks {
		if c.Outcome == fleet.Passed {
			return "", ""
		}
	}
	switch missing := r.Missing(); {
	case len(r.Checks) == 0:
		return "", ""
	case len(missing) == len(r.Checks):
		return fleet.CodeToolMissing, "no verifier could run; missing on this machine: " + strings.Join(missing, ", ")
	default:
		return fleet.CodeUnverified, "no verifier passes here, with or without the change: " + describeChecks(r)
	}
}

func describeChecks(r fleet.Report) string {
	var parts []string
	for _, c := range r.Checks {
		parts = append(parts, c.Verifier+" "+strings.ReplaceAll(string(c.Outcome), "_", " "))
	}
	return clip(strings.Join(parts, ", "), 300)
}

func (j *job) guard(diff []byte) ([]fleet.Finding, error) {
	return guard.Check(guard.Input{
		Diff:          diff,
		Base:          j.baseFile,
		Allow:         j.c.Guard.Allow,
		Paths:         j.c.Change.Paths,
		ComponentPath: j.o.Component.Path,
		Prompt:        j.c.Change.Prompt,
	})
}

// baseFile reads a file of the base out of the mirror; nil when there is none, or it is too large to be compared.
func (j *job) baseFile(path string) []byte {
	data, err := j.blobs.ReadPath(j.base.Tree, path, 4<<20)
	if err != nil {
		return nil
	}
	return data
}

func (j *job) judge(ctx context.Context, diff []byte, report fleet.Report, findings []fleet.Finding) (fleet.Verdict, error) {
	asked, err := j.r.cfg.Judge(j.c.Judge.Model, j.session)
	if err != nil {
		return fleet.Verdict{}, err
	}
	prompt := j.c.Change.Prompt
	if j.c.Judge.Prompt != "" {
		prompt += "\n\nWhat the judge should also look at:\n" + j.c.Judge.Prompt
	}
	return asked.Judge(ctx, judge.Input{Prompt: prompt, Component: j.o.Component, Diff: diff, Report: report, Findings: findings})
}

func describeFindings(findings []fleet.Finding) string {
	f := findings[0]
	s := fmt.Sprintf("%s: %s:%d: %s", f.Rule, f.File, f.Line, f.Message)
	if n := len(findings); n > 1 {
		s += fmt.Sprintf(" (and %d more)", n-1)
	}
	return s
}

func describeReport(r fleet.Report) string {
	for _, c := range r.Checks {
		if c.Outcome == fleet.CheckFailed || c.Outcome == fleet.TimedOut {
			s := c.Verifier + " " + strings.ReplaceAll(string(c.Outcome), "_", " ")
			if len(c.Lines) > 0 {
				s += ": " + c.Lines[0]
			}
			return s
		}
	}
	return "verification failed"
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return clip(line, 300)
}

// clip keeps the head of a text, and says how much it left out.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + fmt.Sprintf("… (%d more bytes)", len(s)-limit)
}
