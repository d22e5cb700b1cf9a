package forgetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

// ExerciseQueue runs the suite of hosts that merge by themselves, later: the harness's repository demands that, and its
// Drain is set.
func ExerciseQueue(t *testing.T, make func(t *testing.T) Harness) {
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"queued, then merged", (*suite).queued},
		{"thrown out", (*suite).thrownOut},
		{"guards of a queue", (*suite).queueGuards},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(&suite{T: t, Harness: make(t)})
		})
	}
}

func (s *suite) enqueue(number int, head string) {
	s.Helper()
	err := s.try(func() error {
		return s.Forge.Merge(s.Context(), s.Repo, number, forge.MergeSpec{ExpectHead: head})
	})
	if !errors.Is(err, forge.ErrQueued) || fleet.CodeOf(err) != fleet.CodeQueued || forge.Passing(err) {
		s.Fatalf("a merge through a queue ends with %v", err)
	}
}

// seen is a pull request as a pass over many shows it, which is how callers wait for a queue.
func (s *suite) seen(number int) (last forge.Pull) {
	s.Helper()
	s.must(func() error {
		for p, err := range s.Forge.(forge.Follower).Follow(s.Context(), []forge.PullRef{{Repo: s.Repo, Number: number}}, time.Time{}) {
			if err != nil {
				return err
			}
			last = p
		}
		return nil
	})
	return last
}

func (s *suite) queued() {
	head := s.Push(s.T, "gaggle/a", map[string]string{"a.txt": "a\n"})
	p, base := s.open(s.Spec("gaggle/a")), s.Tip(s.T, "main")
	for range 2 { // whoever lost the answer asks again
		s.enqueue(p.Number, head)
	}
	if now := s.seen(p.Number); now.State != forge.StateOpen || !now.Queued || s.Tip(s.T, "main") != base {
		s.Fatalf("queued: %+v", now)
	}
	s.Drain(s.T)
	if now := s.seen(p.Number); now.State != forge.StateMerged || now.Queued {
		s.Fatalf("drained: %+v", now)
	}
	s.must(func() error {
		return s.Forge.Merge(s.Context(), s.Repo, p.Number, forge.MergeSpec{ExpectHead: head})
	})
}

func (s *suite) thrownOut() {
	head := s.Push(s.T, "gaggle/a", map[string]string{File: strings.Replace(Content, "two", "TWO", 1)})
	p := s.open(s.Spec("gaggle/a"))
	s.enqueue(p.Number, head)
	s.Push(s.T, "main", map[string]string{File: strings.Replace(Content, "two", "2", 1)})
	s.Drain(s.T)
	if now := s.seen(p.Number); now.State != forge.StateOpen || now.Queued {
		s.Fatalf("thrown out: %+v", now)
	}
	s.watch("thrown out", p.Number, func(p forge.Pull) bool { return p.Conflicts && !p.Queued })
}

func (s *suite) queueGuards() {
	first := s.Push(s.T, "gaggle/a", map[string]string{"a.txt": "a\n"})
	p := s.open(s.Spec("gaggle/a"))
	s.enqueue(p.Number, first)
	second := s.Push(s.T, "gaggle/a", map[string]string{"a.txt": "by a person\n"})
	if now := s.seen(p.Number); now.State != forge.StateOpen || now.Queued || now.HeadSHA != second {
		s.Fatalf("after a push: %+v", now)
	}
	merge := func() error {
		return s.Forge.Merge(s.Context(), s.Repo, p.Number, forge.MergeSpec{ExpectHead: first})
	}
	s.want(fleet.CodeConflict, merge)
	s.Drain(s.T)
	if now := s.seen(p.Number); now.State != forge.StateOpen {
		s.Fatalf("a person's push was merged: %+v", now)
	}
	s.must(func() error { return s.Forge.Close(s.Context(), s.Repo, p.Number, "") })
	s.want(fleet.CodeConflict, merge)
	s.Push(s.T, "gaggle/b", map[string]string{"b.txt": "b\n"})
	draft := s.Spec("gaggle/b")
	draft.Draft = true
	b := s.open(draft)
	s.want(fleet.CodeForge, func() error { return s.Forge.Merge(s.Context(), s.Repo, b.Number, forge.MergeSpec{}) })
}
