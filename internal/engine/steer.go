package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/rollout"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// openAtOnce is how many targets one transaction queues, so that opening a wave of 100,000 never holds the database for long.
const openAtOnce = 500

// steer looks at the campaigns whenever something happened, opens waves and pauses, and returns once nothing moves any
// more by itself, with what each campaign waits for.
func (e *Engine) steer(ctx context.Context, campaigns []string) ([]Pause, error) {
	t := time.NewTicker(e.cfg.Tick)
	defer t.Stop()
	seen := map[string]int64{}
	waits := map[string]Pause{}
	resting := map[string]bool{}
	again := map[string]time.Time{} // when time alone calls for another look
	for {
		for _, name := range campaigns {
			last, err := e.store.LastSeq(ctx, name)
			if err != nil {
				return nil, err
			}
			if was, ok := seen[name]; ok && was == last && (again[name].IsZero() || e.store.Now().Before(again[name])) {
				continue
			}
			rests, wait, next, err := e.steerOne(ctx, name)
			if err != nil && fleet.CodeOf(err) != fleet.CodeConflict {
				return nil, err
			}
			if err != nil {
				continue // somebody else steered meanwhile; look again
			}
			seen[name], resting[name], waits[name], again[name] = last, rests, wait, next
		}
		if rested, err := e.allRest(ctx, campaigns, resting, seen); err != nil || rested {
			var list []Pause
			for _, name := range campaigns {
				if waits[name].Message != "" {
					list = append(list, waits[name])
				}
			}
			return list, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-t.C:
		}
	}
}

// allRest says whether every campaign rests and no event came since it was looked at.
func (e *Engine) allRest(ctx context.Context, campaigns []string, resting map[string]bool, seen map[string]int64) (bool, error) {
	for _, name := range campaigns {
		if !resting[name] {
			return false, nil
		}
		if e.every > 0 {
			if more, err := e.moreToFollow(ctx, name); err != nil || more {
				return false, err
			}
		}
		if last, err := e.store.LastSeq(ctx, name); err != nil || last != seen[name] {
			return false, err
		}
	}
	return true, nil
}

// moreToFollow says whether a campaign may go on by itself once people, checks or the clock have moved.
func (e *Engine) moreToFollow(ctx context.Context, name string) (bool, error) {
	row, c, err := e.campaign(ctx, name)
	if err != nil || row.State == fleet.CampaignCanceled {
		return false, err
	}
	if c.Rollout.Schedule != "" || row.State == fleet.CampaignDone {
		return c.Rollout.Schedule != "", nil // a recurring one is never over
	}
	counts, err := e.store.Counts(ctx, name)
	for _, n := range counts {
		open := n.State == fleet.Proposed || n.State == fleet.Revising
		if n.Targets > 0 && (open || row.State == fleet.CampaignActive && !n.State.AtRest() && n.Wave < len(row.Waves) && !(row.DryRun && n.State == fleet.Ready)) {
			return true, err
		}
	}
	return false, err
}

// steerOne takes a campaign's decisions. It rests when no target is moving and none was just set in motion; again is
// when to look though nothing happened: a soak is over, or the forge's checks and deployments may have gone on, which is no event.
func (e *Engine) steerOne(ctx context.Context, name string) (rests bool, wait Pause, again time.Time, err error) {
	row, c, counts, s, err := e.standing(ctx, name)
	if err != nil {
		return false, Pause{}, again, err
	}
	now := e.store.Now()
	if err := e.stopCanceled(ctx, name); err != nil {
		return false, Pause{}, again, err
	}
	if row.State == fleet.CampaignActive {
		if actions := rollout.Decide(s, now); len(actions) > 0 {
			return false, Pause{}, again, e.apply(ctx, row, c, actions[0], now) // an event, so the next look decides about the rest
		}
	}
	moving := 0
	for _, n := range counts {
		switch n.State {
		case fleet.Changing, fleet.Revising:
			moving += n.Targets
		case fleet.Queued:
			if row.State == fleet.CampaignActive {
				moving += n.Targets
			}
		case fleet.Ready:
			if row.State == fleet.CampaignActive && s.MayPropose(n.Wave, false) {
				moving += n.Targets
			}
		}
	}
	if row.State == fleet.CampaignActive && c.Rollout.Approval != spec.ApprovalNone {
		approved, err := e.store.ApprovedReady(ctx, name)
		if err != nil {
			return false, Pause{}, again, err
		}
		moving += approved
	}
	held, err := e.store.HeldCount(ctx, name)
	if err != nil {
		return false, Pause{}, again, err
	}
	if row.State == fleet.CampaignActive {
		moving -= min(held, moving)
	}
	if wave, h := s.Holds(now); row.State == fleet.CampaignActive && wave >= 0 {
		again = h.Soaks
		if next := now.Add(e.every); e.every > 0 && (again.IsZero() || next.Before(again)) {
			again = next
		}
	}
	return moving == 0, waiting(row, c, s, held, now), again, nil
}

// standing reads how a campaign stands.
func (e *Engine) standing(ctx context.Context, name string) (row store.Campaign, c *spec.Campaign, counts []store.Count, s rollout.Snapshot, err error) {
	if row, c, err = e.campaign(ctx, name); err != nil {
		return row, c, nil, s, err
	}
	if counts, err = e.store.Counts(ctx, name); err != nil {
		return row, c, nil, s, err
	}
	spent, err := e.store.Spent(ctx, ScopeCampaign(name))
	if err != nil {
		return row, c, nil, s, err
	}
	s = snapshot(row, c, counts, spent.Cost)
	return row, c, counts, s, e.outside(ctx, row, &s)
}

// Standing is how a campaign stands, as rollout sees it.
func (e *Engine) Standing(ctx context.Context, name string) (rollout.Snapshot, error) {
	_, _, _, s, err := e.standing(ctx, name)
	return s, err
}

// Waits says what a campaign waits for as it stands, and moves nothing; the message is empty when it is for nothing.
func (e *Engine) Waits(ctx context.Context, name string) (Pause, error) {
	row, c, _, s, err := e.standing(ctx, name)
	if err != nil {
		return Pause{}, err
	}
	now := e.store.Now()
	if actions := rollout.Decide(s, now); len(actions) > 0 { // which whoever runs or follows it next carries out
		switch a := actions[0].(type) {
		case rollout.OpenWave:
			return Pause{Campaign: name, Message: fmt.Sprintf("%s may open (gaggle run %s)", waveOf(row, c, a.Wave), name)}, nil
		case rollout.Pause:
			return Pause{Campaign: name, Code: a.Code, Message: "it is about to pause: " + a.Reason}, nil
		}
	}
	held, err := e.store.HeldCount(ctx, name)
	return waiting(row, c, s, held, now), err
}

// SeeStatus is the hint at the end of a Pause that is about the owners' time.
func SeeStatus(campaign string) string { return " (gaggle status " + campaign + ")" }

// apply carries out one decision of rollout's.
func (e *Engine) apply(ctx context.Context, row store.Campaign, c *spec.Campaign, action rollout.Action, now time.Time) error {
	switch a := action.(type) {
	case rollout.OpenWave:
		if row.OpenWaves <= a.Wave {
			row.OpenWaves = a.Wave + 1
			if err := e.save(ctx, &row, waveOf(row, c, a.Wave)+" opens"); err != nil {
				return err
			}
		}
		for {
			n := 0
			err := e.store.Tx(ctx, func(tx *store.Tx) (err error) {
				n, err = tx.OpenWave(ctx, row.Name, a.Wave, openAtOnce, e.cfg.Actor)
				return err
			})
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
		}
		return e.wakeReady(ctx, row, a.Wave)
	case rollout.AskApproval:
		row.AskedWave = max(row.AskedWave, a.Wave+1)
		return e.save(ctx, &row, waveOf(row, c, a.Wave)+" is ready and waits for approval")
	case rollout.MarkReached:
		row.Reached = append(row.Reached, make([]time.Time, max(0, a.Wave+1-len(row.Reached)))...)
		row.Reached[a.Wave] = now
		return e.save(ctx, &row, fmt.Sprintf("%s reached its gate and soaks until %s", waveOf(row, c, a.Wave), a.Soaks.Format("2006-01-02 15:04 MST")))
	case rollout.UnmarkReached:
		row.Reached[a.Wave] = time.Time{}
		return e.save(ctx, &row, waveOf(row, c, a.Wave)+" lost its gate again")
	case rollout.Pause:
		row.State, row.Reason, row.Message = fleet.CampaignPaused, a.Code, a.Reason+" ("+a.Hint+")"
		return e.save(ctx, &row, "paused: "+a.Reason)
	case rollout.Finish:
		row.State = fleet.CampaignDone
		what := "finished"
		if a.Failed > 0 {
			what = fmt.Sprintf("finished, %d failed", a.Failed)
		}
		return e.save(ctx, &row, what)
	default:
		return fmt.Errorf("unknown decision %T", action)
	}
}

// wakeReady wakes the ready targets of a wave that has just opened: what a dry run made is proposed when its wave's turn comes.
func (e *Engine) wakeReady(ctx context.Context, row store.Campaign, wave int) error {
	if row.DryRun {
		return nil
	}
	_, err := e.each(ctx, Selection{Campaign: row.Name, States: []fleet.State{fleet.Ready}}, func(tx *store.Tx, t *fleet.Target) (bool, error) {
		if t.Wave != wave {
			return false, nil
		}
		return true, tx.Wake(ctx, store.Job{Target: t.ID, Campaign: row.Name, Lane: store.LaneSteps})
	})
	return err
}

func (e *Engine) save(ctx context.Context, row *store.Campaign, happened string) error {
	return e.store.Tx(ctx, func(tx *store.Tx) error { return tx.SaveCampaign(ctx, row, e.cfg.Actor, happened) })
}

// waveOf is what a wave is called in a sentence.
func waveOf(row store.Campaign, c *spec.Campaign, wave int) string {
	text := fmt.Sprintf("wave %d of %d", wave+1, len(row.Waves))
	if title := c.Rollout.Title(wave); title != "" {
		text += " (" + title + ")"
	}
	return text
}

// snapshot is the campaign as rollout sees it.
func snapshot(row store.Campaign, c *spec.Campaign, counts []store.Count, spent fleet.Money) rollout.Snapshot {
	s := rollout.Snapshot{
		State:    row.State,
		Waves:    make([]rollout.Cohort, len(row.Waves)),
		Gate:     rollout.Gate(c.Rollout.Gate),
		Approval: rollout.Approval(c.Rollout.Approval),
		DryRun:   row.DryRun,
		Spent:    spent,
		Limit:    c.Limits.CampaignCost,
	}
	if c.Change.Agent == spec.AgentScript && c.Judge.Mode == spec.JudgeOff {
		s.Limit = rollout.NoLimit
	}
	for i := range s.Waves {
		s.Waves[i] = rollout.Cohort{Name: c.Rollout.Title(i), Opened: i < row.OpenWaves, Approved: i < row.ApprovedWave, Asked: i < row.AskedWave, Targets: map[fleet.State]int{}}
		if i < len(row.Reached) {
			s.Waves[i].Reached = row.Reached[i]
		}
	}
	for _, n := range counts {
		if n.Wave < len(s.Waves) {
			s.Waves[n.Wave].Targets[n.State] += n.Targets
		}
	}
	return s
}

// waiting says what a campaign that moves no more waits for; the message is empty when it is for nothing.
func waiting(row store.Campaign, c *spec.Campaign, s rollout.Snapshot, held int, now time.Time) Pause {
	p := Pause{Campaign: row.Name}
	switch row.State {
	case fleet.CampaignPaused:
		p.Code, p.Message = row.Reason, "paused: "+row.Message
		return p
	case fleet.CampaignDone, fleet.CampaignCanceled:
		return p
	}
	open, ready := 0, 0
	for i, w := range s.Waves {
		open += w.Targets[fleet.Proposed]
		if !s.MayPropose(i, false) && !s.DryRun {
			ready += w.Targets[fleet.Ready]
		}
	}
	holds, h := s.Holds(now)
	switch {
	case ready > 0:
		p.Message = fmt.Sprintf("waiting for approval: %s ready (gaggle approve %s)", fleet.Count(ready, "change"), row.Name)
	case holds >= 0 && row.OpenWaves < len(row.Waves):
		p.Message = fmt.Sprintf("%s waits for wave %d: %s", waveOf(row, c, row.OpenWaves), holds+1, h.Why)
	case open > 0:
		p.Message = fleet.Count(open, "pull request") + map[bool]string{true: " is open", false: " are open"}[open == 1]
	}
	if held > 0 {
		if p.Message != "" {
			p.Message += "; "
		}
		p.Message += fmt.Sprintf("%s ready and %s for the owners' time%s", fleet.Count(held, "change"), map[bool]string{true: "waits", false: "wait"}[held == 1], SeeStatus(row.Name))
	}
	return p
}

// stopCanceled ends this worker's attempts at targets that a person canceled, or whose pull request was closed, meanwhile.
func (e *Engine) stopCanceled(ctx context.Context, name string) error {
	e.mu.Lock()
	running := make([]int64, 0, len(e.running))
	for id := range e.running {
		running = append(running, id)
	}
	e.mu.Unlock()
	for _, id := range running {
		t, err := e.store.Target(ctx, id)
		if err != nil {
			return err
		}
		if t.Campaign == name && (t.State == fleet.Canceled || t.State == fleet.Closed) {
			e.mu.Lock()
			if cancel := e.running[id]; cancel != nil {
				cancel(errCanceled)
			}
			e.mu.Unlock()
		}
	}
	return nil
}

var errCanceled = errors.New("a person canceled it")
