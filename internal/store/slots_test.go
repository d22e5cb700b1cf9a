package store_test

import (
	"strings"
	"sync"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/store"
)

// ready moves targets to ready.
func ready(t testing.TB, s *store.Store, targets []fleet.Target) {
	t.Helper()
	if err := s.Tx(t.Context(), func(tx *store.Tx) error {
		for i := range targets {
			for _, to := range []fleet.State{fleet.Queued, fleet.Changing, fleet.Ready} {
				if err := tx.Move(t.Context(), &targets[i], store.Move{To: to, Actor: "test"}); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func testSlots(t *testing.T, s *store.Store) {
	ctx := t.Context()
	low, high := seed(t, s, "low", 12), seed(t, s, "high", 6)
	ready(t, s, low)
	ready(t, s, high)
	take := func(target fleet.Target, limits store.SlotLimits) (held string) {
		t.Helper()
		if err := s.Tx(ctx, func(tx *store.Tx) (err error) {
			if held, err = tx.TakeSlot(ctx, target, limits); err == nil && held != "" {
				_, err = tx.Hold(ctx, target.ID, held)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return held
	}
	// Those who take at once never take more than there are.
	limits := store.SlotLimits{PerOwner: 2}
	var all sync.WaitGroup
	for i := range low {
		all.Go(func() { take(low[i], limits) })
	}
	all.Wait()
	open, err := s.OpenPulls(ctx)
	if err != nil || len(open) != 3 || open["group:default/o0"] != 2 || open["group:default/o1"] != 2 || open["group:default/o2"] != 2 {
		t.Fatalf("%v, %v", open, err)
	}
	held, err := s.HeldBack(ctx, "low")
	if err != nil || len(held) != 3 || held[0].Targets != 2 || !strings.Contains(held[0].Why, "has 2 open pull requests, the limit is 2") || held[0].Example == "" {
		t.Errorf("%+v, %v", held, err)
	}
	// They are listed in pages, each once.
	var waiting []fleet.Target
	for after := (fleet.Target{Wave: -1}); ; {
		page, err := s.Held(ctx, "low", after, 4)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		waiting, after = append(waiting, page...), page[len(page)-1]
	}
	if n, err := s.HeldCount(ctx, "low"); err != nil || n != 6 || len(waiting) != 6 || waiting[0].Held == "" {
		t.Errorf("%d, %d, %v", n, len(waiting), err)
	}
	// A place is kept, and a limit that is gone holds nobody.
	var first fleet.Target
	for _, target := range low {
		if now, err := s.Target(ctx, target.ID); err != nil {
			t.Fatal(err)
		} else if now.Held == "" && now.Owner == "group:default/o0" {
			first = now
		}
	}
	if why := take(first, store.SlotLimits{PerOwner: 1}); why != "" {
		t.Error(why)
	}
	// The urgent campaign's targets wait, too; once there is room, they go first.
	row, err := s.Campaign(ctx, "high")
	if err != nil {
		t.Fatal(err)
	}
	row.Priority = 1
	if err := s.Tx(ctx, func(tx *store.Tx) error { return tx.SaveCampaign(ctx, &row, "test", "urgent") }); err != nil {
		t.Fatal(err)
	}
	urgent := high[0] // of o0
	if why := take(urgent, limits); why == "" {
		t.Fatal("there was room")
	}
	if err := s.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.Move(ctx, &first, store.Move{To: fleet.Proposed, Actor: "test"}); err != nil {
			return err
		}
		return tx.Move(ctx, &first, store.Move{To: fleet.Closed, Actor: "test"})
	}); err != nil {
		t.Fatal(err)
	}
	var other fleet.Target
	for _, target := range waiting {
		if target.Owner == "group:default/o0" {
			other = target
		}
	}
	if why := take(other, limits); why != "group:default/o0 has room for 1 more pull request, and campaigns of a higher priority wait with 1" {
		t.Error(why)
	}
	if why := take(urgent, limits); why != "" {
		t.Error(why)
	}
	if now, err := s.Target(ctx, urgent.ID); err != nil || now.Held != "" {
		t.Errorf("%+v, %v", now, err)
	}
	// By repository, whoever owns what is in it.
	if why := take(other, store.SlotLimits{PerRepository: 3}); why != "repository r has 6 open pull requests, the limit is 3" {
		t.Error(why)
	}
	// What is no longer ready waits for nobody.
	if now, err := s.Target(ctx, other.ID); err != nil {
		t.Fatal(err)
	} else if err := s.Tx(ctx, func(tx *store.Tx) error {
		return tx.Move(ctx, &now, store.Move{To: fleet.Queued, Actor: "test"})
	}); err != nil {
		t.Fatal(err)
	}
	if now, err := s.Target(ctx, other.ID); err != nil || now.Held != "" {
		t.Errorf("%+v, %v", now, err)
	}
}

// What reports read of a history: its moves alone, and its attempts in brief.
func testHistory(t *testing.T, s *store.Store) {
	ctx := t.Context()
	targets := seed(t, s, "c", 3)
	ready(t, s, targets)
	if err := s.Tx(ctx, func(tx *store.Tx) error {
		for n := range 2 {
			a := fleet.Attempt{Target: targets[0].ID, Number: n + 1, State: "done", Outcome: fleet.Ready, Rounds: []fleet.Round{{Number: 1, Feedback: "again", Verdict: &fleet.Verdict{Model: "m"}}, {Number: 2, Verdict: &fleet.Verdict{Pass: true}}, {Number: 3}}}
			a.Usage.Charge("m", fleet.Tokens{Input: 7}, 42)
			if err := tx.AddAttempt(ctx, &a); err != nil {
				return err
			}
		}
		return tx.Record(ctx, store.Event{Campaign: "c", Target: targets[0].ID, Kind: "note", Actor: "test", Message: strings.Repeat("x", 100)})
	}); err != nil {
		t.Fatal(err)
	}
	var moves []store.Event
	for after := int64(0); ; {
		page, err := s.Moves(ctx, "c", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		moves, after = append(moves, page...), page[len(page)-1].Seq
	}
	if len(moves) != 9 || moves[0].From != fleet.Pending || moves[0].To != fleet.Queued || moves[0].At.IsZero() || moves[8].To != fleet.Ready || moves[8].Target != targets[2].ID {
		t.Errorf("%+v", moves)
	}
	attempts, err := s.AttemptsOf(ctx, []int64{targets[0].ID, targets[1].ID})
	if err != nil || len(attempts) != 2 || len(attempts[1].Rounds) != 3 || attempts[0].Usage.Cost != 42 || attempts[0].Outcome != fleet.Ready {
		t.Fatalf("%+v, %v", attempts, err)
	}
	if r := attempts[0].Rounds; r[0].Verdict == nil || r[0].Verdict.Pass || !r[1].Verdict.Pass || r[2].Verdict != nil || r[0].Feedback != "" {
		t.Errorf("%+v", r)
	}
	if none, err := s.AttemptsOf(ctx, nil); err != nil || none != nil {
		t.Errorf("%v, %v", none, err)
	}
}
