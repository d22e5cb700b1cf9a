package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/policy"
	"gaggle/internal/publish"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// visit is one look at an open pull request, with everything that is known about it.
type visit struct {
	e    *Engine
	h    *hold
	row  store.Campaign
	c    *spec.Campaign
	t    fleet.Target
	f    fleet.Follow
	repo fleet.Repository
	host forge.Forge
	pull forge.Pull
	now  time.Time

	asks     []forge.Remark // by people with write access, not taken up yet
	commands []command
	blamed   []forge.Check  // checks that fail because of the change
	mates    []fleet.Target // that share the pull request
	noted    string         // what happened that the ledger has no move for
	merging  string         // why Gaggle merges it; "" when it does not
}

// attend looks at a proposed target's pull request and takes the next step about it. pull is as the forge has just shown it, or nil.
func (e *Engine) attend(ctx context.Context, h *hold, row store.Campaign, c *spec.Campaign, t fleet.Target, repo fleet.Repository, pull *forge.Pull) error {
	v := &visit{e: e, h: h, row: row, c: c, t: t, repo: repo, now: e.store.Now()}
	var err error
	if v.host, err = e.cfg.Forge(repo.Forge); err != nil {
		return err
	}
	if v.f, err = e.store.Follow(ctx, t.ID); err != nil {
		return err
	}
	v.f.Campaign = t.Campaign
	if pull == nil {
		got, err := v.host.Get(ctx, repo, t.PullNumber)
		switch code := fleet.CodeOf(err); {
		case err != nil && (code == fleet.CodeNotFound || code == fleet.CodeRepoGone):
			move := store.Move{To: fleet.Failed, Actor: e.cfg.Actor, Reason: code, Message: "its pull request is gone: " + err.Error()}
			return h.end(ctx, func(ctx context.Context, tx *store.Tx) error {
				return errors.Join(e.together(ctx, tx, t, v.f, move), tx.Move(ctx, &t, move))
			})
		case err != nil:
			return err
		}
		pull = &got
	}
	v.pull = *pull
	if v.f.OpenedAt.IsZero() {
		v.f.OpenedAt = v.pull.CreatedAt
	}
	if v.f.ActiveAt.IsZero() {
		v.f.ActiveAt = v.now
	}
	if v.pull.State != forge.StateOpen {
		return v.rest(ctx)
	}
	var stale bool
	if v.mates, stale, err = e.mates(ctx, t, v.f); err != nil {
		return err
	}
	if stale && v.pull.HeadSHA == t.HeadCommit {
		return v.begin(ctx, fleet.Revision{Kind: fleet.ReviseSplit, Push: true}, "another change left its pull request")
	}
	if err := v.observe(ctx); err != nil {
		return err
	}
	if done, err := v.obey(ctx); err != nil || done {
		return err
	}
	facts, err := v.facts(ctx)
	if err != nil {
		return err
	}
	step, why := policy.Attend(facts)
	if step == policy.StepRemind && facts.Refreshed < 0 && len(v.mates) == 0 {
		if facts.BaseMoved, err = v.baseMoved(ctx); err != nil {
			return err
		}
		step, why = policy.Attend(facts)
	}
	return v.take(ctx, step, why)
}

// rest records that the pull request has ended.
func (v *visit) rest(ctx context.Context) error {
	move := store.Move{To: fleet.Merged, Actor: "forge", Message: "its pull request was merged"}
	v.f.Asks = nil
	v.f.Touched = v.f.Touched || v.pull.HeadSHA != "" && v.pull.HeadSHA != v.t.HeadCommit
	if v.pull.State == forge.StateMerged {
		v.f.MergedAt, v.f.MergeSHA, v.f.LookAgain = v.now, v.pull.MergeSHA, v.now.Add(watchFirst)
		if v.f.MergedBy == "" {
			v.f.MergedBy = "people"
		}
		if v.merging != "" {
			move.Actor, move.Message = v.e.cfg.Actor, "its pull request was merged: "+v.merging
		}
	} else {
		move.To, move.Message = fleet.Closed, "its pull request was closed"
		if why := v.lastWords(ctx); why != "" {
			move.Message += ": " + why
		}
	}
	err := v.h.end(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.SaveFollow(ctx, v.f); err != nil {
			return err
		}
		return errors.Join(v.e.together(ctx, tx, v.t, v.f, move), tx.Move(ctx, &v.t, move))
	})
	if d, can := v.host.(forge.BranchDeleter); can && err == nil && move.To == fleet.Merged && !v.f.Touched {
		_ = d.DeleteBranch(ctx, v.repo, v.t.Branch, v.t.HeadCommit) // tidiness; the forge may have done it already
	}
	return err
}

// lastWords is what somebody with write access said last, for a reason why they closed the pull request.
func (v *visit) lastWords(ctx context.Context) string {
	r, can := v.host.(forge.Reviews)
	if !can {
		return ""
	}
	said, err := r.Reviews(ctx, v.repo, v.t.PullNumber, v.f.HeardAt)
	if err != nil {
		return ""
	}
	for _, remark := range slices.Backward(said) {
		if remark.MayWrite && remark.Body != "" && !v.own(remark) {
			return v.e.clean(clipLine(remark.Body, 300)) + " (" + remark.Author + ")"
		}
	}
	return ""
}

// observe brings the memory up to what the forge shows.
func (v *visit) observe(ctx context.Context) error {
	touched := v.pull.HeadSHA != v.t.HeadCommit
	if touched != v.f.Touched || v.pull.HeadSHA != v.f.Head || !v.pull.UpdatedAt.Equal(v.f.Changed) {
		v.f.ActiveAt, v.f.Changed = v.now, v.pull.UpdatedAt
	}
	if v.pull.HeadSHA != v.f.Head {
		v.f.Head, v.f.CI, v.f.Reruns, v.f.LookedAt = v.pull.HeadSHA, "", nil, time.Time{}
	}
	if touched && !v.f.Touched {
		if err := v.comment(ctx, "touched/"+v.pull.HeadSHA, "Somebody pushed to this branch, so it is yours now: Gaggle follows the pull request and changes nothing on it. `/gaggle retry` gives it back, with what was pushed replaced."); err != nil {
			return err
		}
	}
	if touched != v.f.Touched {
		v.noted = map[bool]string{true: "somebody pushed to its branch: it is theirs now", false: "its branch stands as Gaggle left it again"}[touched]
	}
	v.f.Touched = touched
	if !v.pull.Queued {
		v.f.MergedBy = "" // a merge that was tried came to nothing
	}
	if v.pull.Conflicts && !touched && v.f.HandsOff == "" {
		var err error
		if v.pull.Conflicts, err = v.conflicts(ctx); err != nil {
			return err
		}
	}
	for _, a := range v.f.Asks {
		v.asks = append(v.asks, forge.Remark{ID: a.ID, Author: a.Author, MayWrite: true, Body: a.Body, File: a.File, Line: a.Line})
	}
	if err := v.listen(ctx); err != nil {
		return err
	}
	v.f.Asks = nil
	if !touched && v.f.HandsOff == "" { // otherwise whoever has the branch does what is asked
		for _, r := range v.asks[:min(len(v.asks), 50)] {
			v.f.Asks = append(v.f.Asks, kept(r))
		}
	}
	return v.checks(ctx)
}

// conflicts asks git whether the forge is right that the base stands in the way: some say so until they have found out.
func (v *visit) conflicts(ctx context.Context) (bool, error) {
	if v.e.cfg.Conflicts == nil {
		return true, nil
	}
	diff, err := v.e.store.GetRecord(ctx, v.t.DiffKey)
	if err != nil {
		return false, err
	}
	return v.e.cfg.Conflicts(ctx, v.repo, diff)
}

// checks asks what CI says of the head, when the pull request does not tell, and finds out what is to blame for a failure.
func (v *visit) checks(ctx context.Context) error {
	c, can := v.host.(forge.Checks)
	if !can {
		v.f.CI = string(forge.CheckNone)
		return nil
	}
	state := v.pull.CI
	known := v.f.CI == "passed" || v.f.CI == "failed" || v.f.CI == "before"
	if state == "" && known && v.f.LookAgain.After(v.now) && v.f.Head == v.pull.HeadSHA {
		state = forge.CheckState(v.f.CI) // settled, and not due
		if v.f.CI == "before" {
			state = forge.CheckFailed
		}
	}
	var list []forge.Check
	if state == "" || state == forge.CheckFailed {
		var err error
		if list, err = c.Checks(ctx, v.repo, v.pull.HeadSHA); err != nil {
			return err
		}
		v.f.LookedAt = v.now
		state = forge.Sum(list)
	}
	if first := v.f.CI == "" && state == forge.CheckNone; string(state) != v.f.CI && v.f.CI != "before" && !first {
		v.f.ActiveAt = v.now
	}
	v.f.CI = string(state)
	switch state {
	case forge.CheckPassed:
		for _, name := range v.f.Reruns {
			if !slices.Contains(v.f.Flaky, name) {
				v.f.Flaky = append(v.f.Flaky, name)
			}
		}
		if strings.HasPrefix(v.f.Asked, "ci: ") {
			v.f.Asked = "" // somebody mended it
		}
	case forge.CheckFailed:
		return v.blame(ctx, c, list)
	}
	return nil
}

// blame tells failures of the change from those that the base has, too, and has those that may be chance run once more.
func (v *visit) blame(ctx context.Context, c forge.Checks, list []forge.Check) error {
	before := map[string]bool{}
	if v.t.BaseCommit != "" {
		base, err := c.Checks(ctx, v.repo, v.t.BaseCommit)
		if err != nil && fleet.CodeOf(err) != fleet.CodeNotFound {
			return err
		}
		for _, check := range base {
			before[check.Name] = check.State == forge.CheckFailed
		}
	}
	for _, check := range list {
		if check.State == forge.CheckFailed && !before[check.Name] {
			v.blamed = append(v.blamed, check)
		}
	}
	if len(v.blamed) == 0 {
		v.f.CI = "before"
		return nil
	}
	r, can := v.host.(forge.Rerunner)
	if !can || v.f.Touched || v.f.HandsOff != "" || v.row.State != fleet.CampaignActive {
		return nil
	}
	for _, check := range v.blamed {
		if slices.Contains(v.f.Reruns, check.Name) {
			continue
		}
		err := r.Rerun(ctx, v.repo, v.pull.HeadSHA, check)
		if err != nil {
			if forge.Passing(err) {
				return err
			}
			continue // it cannot be run again: the failure counts
		}
		v.f.Reruns = append(v.f.Reruns, check.Name)
		v.f.CI = string(forge.CheckPending)
	}
	if v.f.CI == string(forge.CheckPending) {
		v.blamed = nil
	}
	return nil
}

// baseMoved says whether the default branch went on since the change was made.
func (v *visit) baseMoved(ctx context.Context) (bool, error) {
	if v.e.cfg.Tip == nil {
		return false, nil
	}
	tip, err := v.e.cfg.Tip(ctx, v.repo)
	return tip != "" && tip != v.t.BaseCommit, err
}

// take carries out one step.
func (v *visit) take(ctx context.Context, step policy.Step, why string) error {
	if len(v.mates) > 0 && (step == policy.StepRebase || step == policy.StepRevise || step == policy.StepAsk) {
		return v.split(ctx, why)
	}
	switch step {
	case policy.StepRebase:
		return v.begin(ctx, fleet.Revision{Kind: fleet.ReviseBase}, why)
	case policy.StepRefresh:
		v.f.Refreshed = v.now
		return v.begin(ctx, fleet.Revision{Kind: fleet.ReviseBase}, why)
	case policy.StepRevise:
		v.f.Revisions++
		if len(v.asks) > 0 {
			return v.begin(ctx, v.reviewTask(), why)
		}
		task, err := v.ciTask(ctx)
		if err != nil {
			return err
		}
		return v.begin(ctx, task, why)
	case policy.StepAsk:
		reason := "ci: " + why
		if len(v.asks) > 0 {
			reason = "review: " + why
		}
		return v.ask(ctx, reason, why)
	case policy.StepMerge:
		return v.merge(ctx, why)
	case policy.StepRemind:
		v.f.Reminded = v.now
		if err := v.comment(ctx, "reminder/"+v.f.Head, v.reminder()); err != nil {
			return err
		}
		// The reminder itself is nothing that happened on the pull request.
		got, err := v.host.Get(ctx, v.repo, v.t.PullNumber)
		if err != nil {
			return err
		}
		v.pull.UpdatedAt, v.f.Changed = got.UpdatedAt, got.UpdatedAt
		return v.save(ctx, "its reviewers were reminded: "+why)
	case policy.StepClose:
		return v.close(ctx, "Closed by the campaign's policy: "+why+". `gaggle retry` opens it again.", "closed by policy: "+why)
	}
	return v.save(ctx, "")
}

// save writes the memory, and a note when something happened that is worth one.
func (v *visit) save(ctx context.Context, note string) error {
	v.f.Updated = settled(v.host, v.pull, v.now)
	v.f.LookAgain = v.now.Add(v.wait())
	if note == "" {
		note = v.noted
	}
	return v.h.end(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := errors.Join(tx.SaveFollow(ctx, v.f), v.mirror(ctx, tx)); err != nil || note == "" {
			return err
		}
		return tx.Record(ctx, store.Event{Campaign: v.t.Campaign, Target: v.t.ID, Component: v.t.Component, Kind: "note", Actor: v.e.cfg.Actor, Message: note})
	})
}

// settled is the forge's time of the pull request's last change, once nothing more can have happened in the same second:
// forges tell no finer time. Until then it is zero, and the next pass looks again.
func settled(host forge.Forge, pull forge.Pull, now time.Time) time.Time {
	if hostTime(host, now, now).Sub(pull.UpdatedAt) < 3*time.Second {
		return time.Time{}
	}
	return pull.UpdatedAt
}

// wait is how long the pull request may be left alone when the forge shows no sign. What may change without a sign is
// asked for at first often, then ever less.
func (v *visit) wait() time.Duration {
	age := v.now.Sub(v.f.ActiveAt)
	wait := time.Hour
	switch v.f.CI {
	case "pending":
		wait = min(max(v.e.patience(), age/8), 5*time.Minute)
	case "", "none":
		wait = min(max(v.e.patience(), age/4), time.Hour)
	}
	if v.c.Merge.Policy != spec.MergeNever || len(v.f.Asks) > 0 {
		wait = min(wait, max(v.e.patience(), 5*time.Minute))
	}
	if v.pull.CI != "" && v.f.CI == "pending" {
		wait = time.Hour // the pull request itself tells
	}
	return wait
}

// patience is the least time between two looks that cost calls of their own.
func (e *Engine) patience() time.Duration {
	if e.every > 0 {
		return min(e.every, 30*time.Second)
	}
	return 30 * time.Second
}

// close ends the pull request without a merge and the target with it.
func (v *visit) close(ctx context.Context, comment, message string) error {
	if _, err := v.e.cfg.Publisher.Withdraw(ctx, publish.Withdrawal{Repository: v.repo, Number: v.t.PullNumber, Branch: v.t.Branch, Head: v.t.HeadCommit, Comment: comment}); err != nil {
		return err
	}
	v.f.Asks = nil
	move := store.Move{To: fleet.Closed, Actor: v.e.cfg.Actor, Reason: fleet.CodePolicy, Message: message}
	return v.h.end(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.SaveFollow(ctx, v.f); err != nil {
			return err
		}
		return errors.Join(v.e.together(ctx, tx, v.t, v.f, move), tx.Move(ctx, &v.t, move))
	})
}
