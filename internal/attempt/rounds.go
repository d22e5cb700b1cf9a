package attempt

import (
	"context"
	"errors"
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
	out, err := j.loop(ctx, co)
	if err != nil {
		j.salvage(ctx, co, &out)
	}
	return out, err
}

// loop makes rounds until one is good enough, none is left, or another one would not help.
func (j *job) loop(ctx context.Context, co *git.Checkout) (out Outcome, err error) {
	feedback, session := j.o.Feedback, ""
	limit := j.c.Limits.Rounds
	if j.c.Change.Agent == spec.AgentScript || j.c.Change.Agent == spec.AgentRevert {
		limit = 1 // a program does the same thing again
	}
	seeded, err := j.sow(ctx, co)
	if err != nil {
		return out, err
	}
	replay := seeded && (j.o.Replay || j.agent == nil)
	for n := 1; n <= limit; n++ {
		began, before := time.Now(), j.usage.total()
		res := agent.Result{Done: true, Summary: "the earlier change, on the base as it is now"}
		if n > 1 || !replay {
			if res, err = j.runAgent(ctx, co, n, session, feedback); err != nil {
				return out, err
			}
		}
		session = res.Session
		round := fleet.Round{Number: n, Summary: j.r.clean(res.Summary), Turns: res.Turns}
		next, err := j.look(ctx, co, res, &round)
		if err != nil {
			if next.Tree != "" {
				out = next
			}
			return out, err
		}
		if next.State == fleet.Unchanged && objected(out.Reason) {
			// Taking the change back is not the same as having nothing to change: a person should see what stood in the way.
			out.Message += "; the agent then took its change back"
			next = out
			round.Feedback = ""
		}
		round.DurationMS = time.Since(began).Milliseconds()
		round.Usage = j.usage.since(before)
		if j.o.Round != nil {
			if err := j.o.Round(ctx, round); err != nil {
				return next, err
			}
		}
		j.last = &fleet.Round{Number: round.Number, Summary: round.Summary, Report: round.Report, Findings: round.Findings, Verdict: round.Verdict}
		stuck := next.Tree != "" && next.Tree == out.Tree // another round has changed nothing
		if len(next.Diff) == 0 && next.State == fleet.Failed {
			next.Tree, next.Diff, next.Stat = out.Tree, out.Diff, out.Stat // the best effort is the last that could be read
		}
		out = next
		if out.State != fleet.Failed || round.Feedback == "" || stuck {
			break
		}
		feedback = round.Feedback
	}
	return out, nil
}

// sow puts the seed into the work tree, and says whether it did.
func (j *job) sow(ctx context.Context, co *git.Checkout) (bool, error) {
	if j.agent == nil && len(j.o.Seed) == 0 {
		return false, fleet.Errorf(fleet.CodeInternal, "there is nothing to take back")
	}
	if len(j.o.Seed) == 0 || j.c.Change.Agent == spec.AgentScript {
		return false, nil
	}
	apply := co.ApplyDiff
	if j.o.Reverse {
		apply = co.RevertDiff
	}
	err := apply(ctx, j.o.Seed)
	if j.agent == nil {
		return err == nil, err // there is nobody who could do it in another way
	}
	if fleet.CodeOf(err) == fleet.CodeMergeConflict && err != nil {
		fmt.Fprintf(&j.log, "the earlier change does not fit the base any more: %v\n", err)
		return false, nil
	}
	return err == nil, err
}

// objected says that a round ended because something was wrong with its change.
func objected(reason fleet.Code) bool {
	switch reason {
	case fleet.CodeVerifyFailed, fleet.CodeGuard, fleet.CodeVeto:
		return true
	}
	return false
}

// look reads back what an agent left and assesses it. The round has feedback when another one may help.
func (j *job) look(ctx context.Context, co *git.Checkout, res agent.Result, round *fleet.Round) (Outcome, error) {
	change, err := co.Snapshot(ctx)
	if fleet.CodeOf(err) == fleet.CodeUnsafeTree && err != nil {
		if goesOn(res) {
			round.Feedback = "Your changes could not be read: " + j.r.clean(err.Error()) + ". Remove it."
		}
		return Outcome{State: fleet.Failed, Reason: fleet.CodeUnsafeTree, Message: j.r.clean(err.Error())}, nil
	}
	if err != nil {
		return Outcome{}, err
	}
	return j.assess(ctx, co, change, res, round)
}

// goesOn says whether the agent can be asked again.
func goesOn(res agent.Result) bool { return res.Done || res.Code == fleet.CodeTurns }

// salvage takes what the agent has done so far, for people to look at, when an attempt breaks off in the middle. It outlives
// the time limit for a moment, and nothing is done about what goes wrong. An attempt that was told to stop just stops.
func (j *job) salvage(ctx context.Context, co *git.Checkout, out *Outcome) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	change, err := co.Snapshot(ctx)
	if err != nil || len(change.Files) == 0 {
		return
	}
	if diff, err := co.Diff(ctx, change.Tree); err == nil {
		out.Tree, out.Diff, out.Stat = change.Tree, diff, change.Stat
	}
}

// trouble says why an agent failed, from whoever knows best: where a model did not answer, that is the gateway.
func (j *job) trouble(res agent.Result) (fleet.Code, string) {
	message := j.r.clean(res.Message)
	if j.session == nil {
		return res.Code, message
	}
	err := j.session.Trouble()
	switch code := fleet.CodeOf(err); {
	case err == nil:
	case res.Code == fleet.CodeAgent, res.Code == fleet.CodeModel, res.Code == fleet.CodeModelBusy, res.Code == fleet.CodeBudget, res.Code == fleet.CodePolicy, res.Code == fleet.CodeInvalid:
		return code, j.r.clean(err.Error())
	case res.Code == fleet.CodeTimeout && code != fleet.CodeInternal:
		return res.Code, message + "; before that, " + j.r.clean(err.Error())
	}
	return res.Code, message
}

// assess decides what a round's result is worth, and writes what is wrong with it into the round as feedback.
func (j *job) assess(ctx context.Context, co *git.Checkout, change git.Change, res agent.Result, round *fleet.Round) (Outcome, error) {
	out := Outcome{State: fleet.Failed, Tree: change.Tree, Stat: change.Stat}
	if len(change.Files) == 0 {
		if res.Done {
			out.State, out.Message = fleet.Unchanged, firstLine(round.Summary)
			return out, nil
		}
		if out.Reason, out.Message = j.trouble(res); goesOn(res) {
			round.Feedback = "You have changed nothing yet. Make the change now."
		}
		return out, nil
	}
	var err error
	if out.Diff, err = co.Diff(ctx, change.Tree); err != nil {
		return out, err
	}
	if !goesOn(res) {
		out.Reason, out.Message = j.trouble(res)
		return out, nil
	}

	// The guards are pure and free, so they look first; the verifiers run all the same, so that the agent hears of everything at once.
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
	if out.Reason == "" {
		if !report.OK() {
			out.Reason, out.Message = fleet.CodeVerifyFailed, describeReport(report)
		} else if code, why := unverified(report); code != "" {
			out.Reason, out.Message = code, why
			return out, nil // another round cannot mend that, so there is no feedback
		}
	}
	if out.Reason == "" && j.c.Judge.Mode != spec.JudgeOff {
		// Judges read text, whatever .gitattributes or a NUL byte would have git say instead.
		text, err := co.Text(ctx, change.Tree)
		if err != nil {
			return out, err
		}
		if round.Verdict, err = j.judge(ctx, text, report, round.Findings); err != nil {
			return out, err
		}
		if v := round.Verdict; v != nil && !v.Pass && j.c.Judge.Mode == spec.JudgeEnforce {
			out.Reason, out.Message = fleet.CodeVeto, firstLine(strings.Join(v.Reasons, "; "))
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
	findings, err := guard.Check(guard.Input{
		Diff:          diff,
		Base:          j.baseFile,
		Allow:         j.c.Guard.Allow,
		Paths:         j.c.Change.Paths,
		ComponentPath: j.o.Component.Path,
		Prompt:        j.c.Change.Prompt,
	})
	for i := range findings {
		f := &findings[i]
		f.File, f.Message, f.Excerpt = j.r.clean(f.File), j.r.clean(f.Message), j.r.clean(f.Excerpt)
	}
	return findings, err
}

// baseFile reads a file of the base out of the mirror; nil when there is none, or it is too large to be compared.
func (j *job) baseFile(path string) []byte {
	data, err := j.blobs.ReadPath(j.base.Tree, path, 4<<20)
	if err != nil {
		return nil
	}
	return data
}

// judge asks for a verdict. Where the judge only advises, one that cannot be asked is no reason to fail: the verdict is nil.
func (j *job) judge(ctx context.Context, diff []byte, report fleet.Report, findings []fleet.Finding) (*fleet.Verdict, error) {
	v, err := j.ask(ctx, diff, report, findings)
	if err != nil {
		if fleet.CodeOf(err) == fleet.CodeInternal || ctx.Err() != nil || j.c.Judge.Mode == spec.JudgeEnforce {
			return nil, err
		}
		fmt.Fprintf(&j.log, "the judge could not be asked: %v\n", err)
		return nil, nil
	}
	for i := range v.Reasons {
		v.Reasons[i] = j.r.clean(v.Reasons[i])
	}
	for i := range v.Outside {
		v.Outside[i] = j.r.clean(v.Outside[i])
	}
	return &v, nil
}

func (j *job) ask(ctx context.Context, diff []byte, report fleet.Report, findings []fleet.Finding) (fleet.Verdict, error) {
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
