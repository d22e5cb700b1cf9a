package gitlab

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	sdk "gitlab.com/gitlab-org/api/client-go/v2"

	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// Follow implements forge.Follower: a call for each hundred open merge requests of the account, and one for those that
// changed and are no longer open. Conflicts and pipelines change without a merge request counting as updated, so all open
// ones are yielded.
func (f *Forge) Follow(ctx context.Context, among []forge.PullRef, since time.Time) iter.Seq2[forge.Pull, error] {
	return func(yield func(forge.Pull, error) bool) {
		left, _, ok := forge.Index(among, func(ref forge.PullRef) (string, error) {
			slug, err := forge.Slug(ref.Repo, f.site.Path)
			return strings.ToLower(slug) + "!" + strconv.Itoa(ref.Number), err
		}, yield)
		if !ok {
			return
		}
		w := &watched{forge: f, left: left, yield: yield}
		if len(w.left) == 0 || !w.open(ctx) || len(w.left) == 0 || !since.IsZero() && !w.changed(ctx, since) {
			return
		}
		for _, ref := range w.left { // made by another account, at rest for long, or gone
			p, err := f.Get(ctx, ref.Repo, ref.Number)
			if err != nil {
				p = ref.Unread()
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// watched are the merge requests that a pass has not seen yet. Its steps report whether the pass goes on.
type watched struct {
	forge *Forge
	left  map[string]forge.PullRef
	yield func(forge.Pull, error) bool
}

// take finds who asked for a merge request, once.
func (w *watched) take(path string, project int64, number string) (forge.PullRef, bool) {
	key := strings.ToLower(path) + "!" + number
	ref, ok := w.left[key]
	if !ok { // a project that moved is listed under its new path
		w.forge.mu.Lock()
		key = w.forge.slugs[project] + "!" + number
		w.forge.mu.Unlock()
		ref, ok = w.left[key]
	}
	delete(w.left, key)
	return ref, ok
}

// open yields those that are open. Where GraphQL does not answer as it should, everything is left to the steps that follow.
func (w *watched) open(ctx context.Context) bool {
	stale := map[int64][]int64{}
	for n, err := range w.forge.open(ctx) {
		if forge.Passing(err) || ctx.Err() != nil {
			w.yield(forge.Pull{}, err)
			return false
		}
		if err != nil {
			break
		}
		path, _, _ := strings.Cut(n.Reference, "!")
		ref, ok := w.take(path, n.ProjectID, n.IID)
		if !ok {
			continue
		}
		p := n.pull(ref.Repo.Name)
		if n.DetailedMergeStatus == "UNCHECKED" {
			stale[n.ProjectID] = append(stale[n.ProjectID], int64(p.Number))
		}
		if !w.yield(p, nil) {
			return false
		}
	}
	return w.recheck(ctx, stale)
}

// recheck has GitLab find out about conflicts where a branch moved: it does so once somebody asks. The next pass sees
// what came of it, and asks again where this call failed.
func (w *watched) recheck(ctx context.Context, stale map[int64][]int64) bool {
	ask := func(project int64, numbers []int64) error {
		_, _, err := w.forge.api.MergeRequests.ListProjectMergeRequests(project, &sdk.ListProjectMergeRequestsOptions{IIDs: &numbers, State: sdk.Ptr("opened"), WithMergeStatusRecheck: sdk.Ptr(true), ListOptions: sdk.ListOptions{PerPage: 100}}, sdk.WithContext(ctx))
		err = transport.Error(ctx, err)
		if _, limited := forge.RetryAfter(err); limited || ctx.Err() != nil {
			return err
		}
		return nil
	}
	projects := slices.Collect(maps.Keys(stale))
	for some := range slices.Chunk(projects, 16) {
		errs := make([]error, len(some))
		var wg sync.WaitGroup
		for i, project := range some {
			wg.Go(func() {
				for numbers := range slices.Chunk(stale[project], 100) {
					if errs[i] = ask(project, numbers); errs[i] != nil {
						return
					}
				}
			})
		}
		wg.Wait()
		if err := cmp.Or(errs...); err != nil {
			w.yield(forge.Pull{}, err)
			return false
		}
	}
	return true
}

// changed yields those that changed since a time, whatever their state.
func (w *watched) changed(ctx context.Context, since time.Time) bool {
	since = since.Add(-5 * time.Second) // clocks differ
	for m, err := range w.forge.mine(ctx, "all", &since) {
		if err != nil {
			w.yield(forge.Pull{}, err)
			return false
		}
		ref, ok := w.take(pathOf(m), m.ProjectID, strconv.FormatInt(m.IID, 10))
		if ok && !w.yield(toPull(ref.Repo.Name, m), nil) {
			return false
		}
	}
	return true
}
