package store

import (
	"context"
	"encoding/json"

	"gaggle/internal/fleet"
)

const attemptColumns = "id, target, number, state, outcome, reason, message, agent, agent_version, base_commit, rounds, usage, remembered, started_at, ended_at"

func scanAttempt(r rows) (a fleet.Attempt, err error) {
	var remembered, started, ended int64
	var rounds, usage string
	if err = r.Scan(&a.ID, &a.Target, &a.Number, &a.State, &a.Outcome, &a.Reason, &a.Message, &a.Agent, &a.AgentVersion, &a.BaseCommit, &rounds, &usage, &remembered, &started, &ended); err != nil {
		return a, err
	}
	a.Remembered, a.StartedAt, a.EndedAt = remembered != 0, fromMicros(started), fromMicros(ended)
	if err = json.Unmarshal([]byte(rounds), &a.Rounds); err != nil {
		return a, err
	}
	return a, json.Unmarshal([]byte(usage), &a.Usage)
}

// AddAttempt inserts an attempt and sets its ID.
func (tx *Tx) AddAttempt(ctx context.Context, a *fleet.Attempt) error {
	a.StartedAt = tx.store.Now()
	rounds, usage, err := attemptJSON(a)
	if err != nil {
		return err
	}
	id, _, err := one(ctx, tx, scanInt, "INSERT INTO attempts (target, number, state, outcome, reason, message, agent, agent_version, base_commit, rounds, usage, remembered, started_at, ended_at) VALUES "+marks(1, 14)+" RETURNING id",
		a.Target, a.Number, a.State, string(a.Outcome), string(a.Reason), a.Message, a.Agent, a.AgentVersion, a.BaseCommit, rounds, usage, bit(a.Remembered), micros(a.StartedAt), micros(a.EndedAt))
	a.ID = id
	return err
}

// SaveAttempt writes the attempt's progress or end.
func (tx *Tx) SaveAttempt(ctx context.Context, a *fleet.Attempt) error {
	rounds, usage, err := attemptJSON(a)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, "UPDATE attempts SET state = ?, outcome = ?, reason = ?, message = ?, agent_version = ?, base_commit = ?, rounds = ?, usage = ?, remembered = ?, ended_at = ? WHERE id = ?",
		a.State, string(a.Outcome), string(a.Reason), a.Message, a.AgentVersion, a.BaseCommit, rounds, usage, bit(a.Remembered), micros(a.EndedAt), a.ID)
	return err
}

func attemptJSON(a *fleet.Attempt) (rounds, usage string, err error) {
	if a.Rounds == nil {
		a.Rounds = []fleet.Round{}
	}
	r, err := json.Marshal(a.Rounds)
	if err != nil {
		return "", "", err
	}
	u, err := json.Marshal(a.Usage)
	return string(r), string(u), err
}

// Attempts lists a target's attempts, oldest first.
func (s *Store) Attempts(ctx context.Context, target int64) ([]fleet.Attempt, error) {
	return collect(ctx, s.reader, scanAttempt, "SELECT "+attemptColumns+" FROM attempts WHERE target = ? ORDER BY number", target)
}

// AttemptsOf lists the attempts at some targets in brief: of their rounds the verdict, of what they used the sums.
func (s *Store) AttemptsOf(ctx context.Context, targets []int64) ([]fleet.Attempt, error) {
	if len(targets) == 0 {
		return nil, nil
	}
	args := make([]any, len(targets))
	for i, id := range targets {
		args[i] = id
	}
	return collect(ctx, s.reader, func(r rows) (a fleet.Attempt, err error) {
		var remembered int64
		var rounds, usage string
		if err = r.Scan(&a.ID, &a.Target, &a.Number, &a.State, &a.Outcome, &a.Reason, &rounds, &usage, &remembered); err != nil {
			return a, err
		}
		a.Remembered = remembered != 0
		var brief []struct {
			Verdict *struct {
				Pass bool `json:"pass"`
			} `json:"verdict"`
		}
		if err = json.Unmarshal([]byte(rounds), &brief); err != nil {
			return a, err
		}
		a.Rounds = make([]fleet.Round, len(brief))
		for i, b := range brief {
			a.Rounds[i].Number = i + 1
			if b.Verdict != nil {
				a.Rounds[i].Verdict = &fleet.Verdict{Pass: b.Verdict.Pass}
			}
		}
		err = json.Unmarshal([]byte(usage), &a.Usage)
		a.Usage.Models = nil
		return a, err
	}, "SELECT id, target, number, state, outcome, reason, rounds, usage, remembered FROM attempts WHERE target IN "+marks(1, len(args))+" ORDER BY target, number", args...)
}

// LoseAttempts marks the target's running attempts as lost and returns them.
func (tx *Tx) LoseAttempts(ctx context.Context, target int64) ([]fleet.Attempt, error) {
	return collect(ctx, tx, scanAttempt, "UPDATE attempts SET state = 'lost', reason = ?, ended_at = ? WHERE target = ? AND state = 'running' RETURNING "+attemptColumns,
		string(fleet.CodeLost), micros(tx.store.Now()), target)
}

// RunningAttempts lists the IDs of attempts under way, whose folders are in use.
func (s *Store) RunningAttempts(ctx context.Context) ([]int64, error) {
	return collect(ctx, s.reader, scanInt, "SELECT id FROM attempts WHERE state = 'running'")
}
