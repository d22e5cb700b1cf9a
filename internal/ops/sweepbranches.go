package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/store"
)

// SweepBranch is a branch of a sweep. It is written down before it is pushed, so that the next sweep can delete what a killed one left.
type SweepBranch struct {
	Campaign   string `json:"campaign"`
	Component  string `json:"component"`
	Repository string `json:"repository"`
	Branch     string `json:"branch"`
	Commit     string `json:"commit"`
	Worker     string `json:"worker,omitempty"`  // whose sweep it is
	Message    string `json:"message,omitempty"` // why it is still there

	key string
}

const (
	sweepPrefix  = "sweep/"
	sweepTries   = 6           // calls of a forge that does not answer
	sweepTidying = time.Minute // to delete branches after the sweep was stopped
	sweepAtOnce  = 8           // targets that are worked on together; the forges' own limiters decide how many calls are under way
)

// branches lists what sweeps have written down.
func (o *Ops) sweepBranches(ctx context.Context) (map[string]SweepBranch, error) {
	memos, err := o.store.Memos(ctx, sweepPrefix)
	if err != nil {
		return nil, err
	}
	all := map[string]SweepBranch{}
	for key, text := range memos {
		var b SweepBranch
		if json.Unmarshal([]byte(text), &b) == nil {
			b.key = key
			all[key] = b
		}
	}
	return all, nil
}

// inherit deletes the branches of sweeps that were killed, and refuses to go on beside one of the same campaign that lives.
func (s *sweep) inherit(ctx context.Context) error {
	all, err := s.o.sweepBranches(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	alive, err := s.o.store.Alive(ctx, s.worker)
	if err != nil {
		return err
	}
	var dead []SweepBranch
	for _, b := range all {
		if !alive[b.Worker] {
			dead = append(dead, b)
		} else if b.Campaign == s.c.Metadata.Name {
			return &fleet.Error{Code: fleet.CodeConflict, Message: fmt.Sprintf("another sweep of campaign %q is under way", b.Campaign), Hint: "wait for it, or stop it with Ctrl-C"}
		}
	}
	s.delete(ctx, dead)
	return nil
}

// claim writes a branch down before it is pushed, and returns where an earlier sweep left it.
func (s *sweep) claim(ctx context.Context, t *trial) (was string, err error) {
	t.branch.key, t.branch.Worker = fmt.Sprint(sweepPrefix, t.target.ID), s.worker
	memo, ok, err := s.o.store.Memo(ctx, t.branch.key)
	if err != nil {
		return "", err
	}
	var old SweepBranch
	if ok && json.Unmarshal([]byte(memo), &old) == nil && old.Branch == t.branch.Branch {
		was = old.Commit
	}
	data, err := json.Marshal(t.branch)
	if err != nil {
		return "", err
	}
	return was, s.o.store.Tx(ctx, func(tx *store.Tx) error { return tx.Remember(ctx, t.branch.key, string(data)) })
}

// delete deletes branches that stand where sweeps left them, and gathers what stays. It outlives ctx for a while. It says whether
// all are gone.
func (s *sweep) delete(ctx context.Context, list []SweepBranch) bool {
	left := s.deleteAll(ctx, list)
	if ctx.Err() != nil && len(left) > 0 {
		tidying, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTidying)
		defer cancel()
		left = s.deleteAll(tidying, left)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range list {
		delete(s.left, b.Repository+" "+b.Branch)
	}
	for _, b := range left {
		s.left[b.Repository+" "+b.Branch] = b
	}
	return len(left) == 0
}

func (s *sweep) deleteAll(ctx context.Context, list []SweepBranch) (left []SweepBranch) {
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(sweepAtOnce)
	for _, b := range list {
		g.Go(func() error {
			forget, err := s.deleteOne(ctx, b)
			if forget {
				err = errors.Join(err, s.forget(ctx, b))
			}
			if err != nil {
				b.Message = s.clean(err.Error())
				mu.Lock()
				defer mu.Unlock()
				left = append(left, b)
			}
			return nil
		})
	}
	_ = g.Wait() // nothing above fails
	return left
}

// forget strikes a branch off, with or without ctx.
func (s *sweep) forget(ctx context.Context, b SweepBranch) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTidying)
	defer cancel()
	return s.o.store.Tx(ctx, func(tx *store.Tx) error { return tx.Forget(ctx, b.key) })
}

// deleteOne deletes a branch; forget says that nothing is left to be tried.
func (s *sweep) deleteOne(ctx context.Context, b SweepBranch) (forget bool, err error) {
	stored, err := s.o.store.Repository(ctx, b.Repository)
	if fleet.CodeOf(err) == fleet.CodeNotFound && err != nil {
		return true, fleet.Errorf(fleet.CodeNotFound, "its repository is no longer in the fleet")
	}
	if err != nil {
		return false, err
	}
	f, err := s.o.forgeNamed(stored.Forge)
	if err != nil {
		return false, err
	}
	d, can := f.(forge.BranchDeleter)
	if !can {
		return true, forge.Unsupported("forge " + stored.Forge + " deletes no branches")
	}
	err = s.patiently(ctx, func() error { return d.DeleteBranch(ctx, stored.Repository, b.Branch, b.Commit) })
	switch code := fleet.CodeOf(err); {
	case err == nil, code == fleet.CodeRepoGone, code == fleet.CodeNotFound:
		return true, nil
	case code == fleet.CodeConflict:
		return true, fleet.Errorf(fleet.CodeBranchTaken, "somebody pushed to it")
	}
	return false, err
}

// patiently repeats a call for as long as a later one may succeed.
func (s *sweep) patiently(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if err == nil || !forge.Passing(err) || try == sweepTries || ctx.Err() != nil {
			return err
		}
		wait := 100 * time.Millisecond << try
		if after, ok := forge.RetryAfter(err); ok {
			wait = max(after, 10*time.Millisecond)
		}
		if s.o.pause(ctx, min(wait, time.Minute)) != nil {
			return err
		}
	}
}

// clean makes what an outsider said fit to be kept.
func (s *sweep) clean(text string) string { return s.o.redact.String(agent.Printable(text, 2000)) }

// cleanLine is clean for a line whose indentation means something.
func (s *sweep) cleanLine(line string) string {
	rest := strings.TrimLeft(line, " ")
	return strings.Repeat(" ", min(len(line)-len(rest), 8)) + s.clean(rest)
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
