package engine_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/store"
)

// bulkHost also shows in one look what has changed since a time; broken pull requests cannot be read.
type bulkHost struct {
	*host
	broken map[int]bool
}

func (h *bulkHost) Follow(_ context.Context, among []forge.PullRef, since time.Time) iter.Seq2[forge.Pull, error] {
	return func(yield func(forge.Pull, error) bool) {
		for _, ref := range among {
			h.mu.Lock()
			pull := *h.byNum[ref.Number]
			h.mu.Unlock()
			pull.Repository = ref.Repo.Name
			if !pull.UpdatedAt.After(since) {
				continue
			}
			var err error
			if h.broken[ref.Number] {
				err = fleet.Errorf(fleet.CodeForge, "status 502")
			}
			if !yield(pull, err) {
				return
			}
		}
	}
}

func (h *bulkHost) Get(ctx context.Context, repo fleet.Repository, number int) (forge.Pull, error) {
	if h.broken[number] {
		return forge.Pull{}, fleet.Errorf(fleet.CodeForge, "status 502")
	}
	return h.host.Get(ctx, repo, number)
}

// merge merges a pull request at the world's time.
func (h *bulkHost) merge(number int, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.byNum[number].State, h.byNum[number].UpdatedAt = forge.StateMerged, at
}

// two starts the campaigns "one" and "two" over a repository each, looks once at what they opened, and lets half a second pass.
func (w *world) two(t *testing.T) *bulkHost {
	t.Helper()
	h := &bulkHost{host: w.host, broken: map[int]bool{}}
	w.forge = h
	for _, name := range []string{"one", "two"} {
		p := w.plan(t, "", name)
		c := *p.Spec
		c.Metadata.Name, p.Spec = name, &c
		p.Targets[0].Campaign, p.Targets[0].Branch = name, "gaggle/"+name
		w.start(t, p)
		w.work(t, name)
	}
	w.work(t, "one", "two")
	w.ahead.Add(int64(time.Second / 2))
	return h
}

// work runs the engine over campaigns, which makes one pass.
func (w *world) work(t *testing.T, names ...string) {
	t.Helper()
	if _, err := w.engine.Run(t.Context(), names); err != nil {
		t.Fatal(err)
	}
}

func (w *world) state(t *testing.T, campaign string) fleet.State {
	t.Helper()
	list, err := w.store.Targets(t.Context(), store.Filter{Campaign: campaign})
	if err != nil || len(list) != 1 {
		t.Fatalf("%d targets: %v", len(list), err)
	}
	return list[0].State
}

// What a pass over one campaign sees hides nothing from a pass over another.
func testPassesOverDifferentCampaigns(t *testing.T, w *world) {
	h := w.two(t)
	h.merge(2, w.store.Now())
	w.ahead.Add(int64(time.Second))
	w.work(t, "one")
	w.ahead.Add(int64(time.Second))
	w.work(t, "two")
	if got := w.state(t, "two"); got != fleet.Merged {
		t.Errorf("campaign two is %s", got)
	}
}

// A pull request that could not be read is shown to the next pass again.
func testAFailedVisitIsMadeAgain(t *testing.T, w *world) {
	h := w.two(t)
	h.merge(2, w.store.Now())
	h.broken[2] = true
	w.ahead.Add(int64(time.Second))
	w.work(t, "one", "two")
	h.broken[2] = false
	w.ahead.Add(int64(time.Second))
	w.work(t, "one", "two")
	if got := w.state(t, "two"); got != fleet.Merged {
		t.Errorf("campaign two is %s", got)
	}
}
