package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"gaggle/internal/fleet"
)

func TestBudgetsRefuseWhenSpent(t *testing.T) {
	campaign := NewBudget(BudgetConfig{Name: "campaign", Key: "limits.campaignCost", Limit: 100, Spent: 90})
	attempt := NewBudget(BudgetConfig{Name: "attempt", Limit: 50, Parent: campaign})
	if attempt.Left() != 10 || campaign.Left() != 10 {
		t.Errorf("left %d and %d", attempt.Left(), campaign.Left())
	}
	hold, err := attempt.Before(t.Context(), Ask{Most: 40}) // more than is left, but alone
	if err != nil {
		t.Fatal(err)
	}
	if err := hold.After(t.Context(), Bill{Cost: 12}); err != nil {
		t.Fatal(err)
	}
	if attempt.Spent() != 12 || campaign.Spent() != 102 || attempt.Left() != 0 {
		t.Errorf("spent %d and %d, left %d", attempt.Spent(), campaign.Spent(), attempt.Left())
	}
	_, err = attempt.Before(t.Context(), Ask{Most: 1})
	if fleet.CodeOf(err) != fleet.CodeBudget || !strings.Contains(err.Error(), "campaign") || !strings.Contains(fleet.HintOf(err), "limits.campaignCost") {
		t.Errorf("%v (%s)", err, fleet.HintOf(err))
	}
	if hold, err := attempt.Before(t.Context(), Ask{Most: 0}); err != nil || hold.After(t.Context(), Bill{}) != nil {
		t.Errorf("what costs nothing is refused: %v", err)
	}
}

func TestNoLimit(t *testing.T) {
	b := NewBudget(BudgetConfig{Name: "attempt", Limit: NoLimit})
	for range 3 {
		if _, err := b.Before(t.Context(), Ask{Most: 1 << 60}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	b := NewBudget(BudgetConfig{Name: "attempt", Limit: 10})
	if _, err := b.Before(t.Context(), Ask{Most: 10}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Before(ctx, Ask{Most: 1}); fleet.CodeOf(err) != fleet.CodeInterrupted || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestBillsAreRecordedWhereTheyFall(t *testing.T) {
	var at []string
	record := func(name string) func(context.Context, Bill) error {
		return func(_ context.Context, b Bill) error { at = append(at, fmt.Sprint(name, int64(b.Cost))); return nil }
	}
	campaign := NewBudget(BudgetConfig{Name: "campaign", Limit: 100, Record: record("campaign")})
	attempt := NewBudget(BudgetConfig{Name: "attempt", Limit: 50, Parent: campaign, Record: record("attempt")})
	for _, bill := range []Bill{{Cost: 3}, {Nothing: true}, {Cost: 4}} {
		hold, err := attempt.Before(t.Context(), Ask{Most: 10})
		if err != nil || hold.After(t.Context(), bill) != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(at) != "[attempt3 attempt4]" {
		t.Error(at)
	}
}

func TestWhatOtherProcessesSpendCounts(t *testing.T) {
	total, fail := fleet.Money(0), error(nil)
	campaign := NewBudget(BudgetConfig{Name: "campaign", Limit: 100, Total: func(context.Context) (fleet.Money, error) { return total, fail }})
	attempt := NewBudget(BudgetConfig{Name: "attempt", Limit: NoLimit, Parent: campaign})
	if hold, err := attempt.Before(t.Context(), Ask{Most: 10}); err != nil || hold.After(t.Context(), Bill{Cost: 10}) != nil {
		t.Fatal(err)
	}
	total = 100
	if _, err := attempt.Before(t.Context(), Ask{Most: 10}); fleet.CodeOf(err) != fleet.CodeBudget {
		t.Error(err)
	}
	fail = errors.New("database gone")
	if _, err := attempt.Before(t.Context(), Ask{Most: 10}); !errors.Is(err, fail) {
		t.Error(err)
	}
}

// TestNoLevelIsOverspentByMoreThanOneReply runs many requests at once over a tree of budgets.
func TestNoLevelIsOverspentByMoreThanOneReply(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := func(name string) fleet.Money { return fleet.Money(rapid.IntRange(0, 300).Draw(t, name)) }
		campaign := NewBudget(BudgetConfig{Name: "campaign", Limit: limit("campaign")})
		levels := []*Budget{campaign}
		var leaves []*Budget
		for range rapid.IntRange(1, 3).Draw(t, "targets") {
			target := NewBudget(BudgetConfig{Name: "target", Limit: limit("target"), Parent: campaign})
			attempt := NewBudget(BudgetConfig{Name: "attempt", Limit: limit("attempt"), Parent: target})
			levels, leaves = append(levels, target, attempt), append(leaves, attempt)
		}
		largest := fleet.Money(0)
		type request struct {
			at         *Budget
			most, cost fleet.Money
		}
		var requests []request
		for range rapid.IntRange(1, 40).Draw(t, "requests") {
			r := request{at: leaves[rapid.IntRange(0, len(leaves)-1).Draw(t, "at")], most: fleet.Money(rapid.IntRange(1, 120).Draw(t, "most"))}
			r.cost = fleet.Money(rapid.IntRange(0, int(r.most)).Draw(t, "cost"))
			largest = max(largest, r.cost)
			requests = append(requests, r)
		}
		var all sync.WaitGroup
		for _, r := range requests {
			all.Add(1)
			go func() {
				defer all.Done()
				hold, err := r.at.Before(context.Background(), Ask{Most: r.most})
				if fleet.CodeOf(err) == fleet.CodeBudget {
					return
				} else if err != nil {
					t.Error(err)
					return
				}
				hold.After(context.Background(), Bill{Cost: r.cost})
			}()
		}
		all.Wait() // also: nobody waits for ever
		for _, l := range levels {
			if over := l.spent - l.Limit; over > 0 && over >= max(largest, 1) {
				t.Fatalf("the %s's limit of %d is overspent by %d; the largest reply cost %d", l.Name, l.Limit, over, largest)
			}
			if l.held != 0 || l.flying != 0 {
				t.Fatalf("%s: held %d, flying %d", l.Name, l.held, l.flying)
			}
		}
	})
}

// TestParallelRequestsUnderOneBudget does the same through the door: eight sessions that ask as fast as they can.
func TestParallelRequestsUnderOneBudget(t *testing.T) {
	const reply = `{"type":"message","content":[],"usage":{"input_tokens":20,"output_tokens":400}}`
	const each = 20*3 + 400*15 // micro-dollars
	var mu sync.Mutex
	asked := 0
	provider := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked++
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, reply)
	}
	campaign := NewBudget(BudgetConfig{Name: "campaign", Limit: 10*each + 5})
	var all sync.WaitGroup
	for range 4 {
		w := start(t, provider, func(_ *Config, s *SessionConfig) {
			s.Meter = NewBudget(BudgetConfig{Name: "attempt", Limit: NoLimit, Parent: campaign})
		})
		for range 2 {
			all.Add(1)
			go func() {
				defer all.Done()
				for range 20 {
					res, err := w.client.Post("http://gateway/anthropic/v1/messages", "application/json", strings.NewReader(`{"model":"claude-sonnet-4-5","max_tokens":400,"messages":[]}`))
					if err != nil {
						t.Error(err)
						return
					}
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
					if res.StatusCode == http.StatusBadRequest {
						return
					}
				}
			}()
		}
	}
	all.Wait()
	if asked != 11 || campaign.Spent() != 11*each {
		t.Errorf("asked %d times, spent %d of %d", asked, campaign.Spent(), campaign.Limit)
	}
}
