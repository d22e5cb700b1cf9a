package engine

import (
	"context"
	"fmt"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/store"
)

// A merged change is watched for a week, often at first: for its deployment, and for a revert.
const (
	watchFirst = time.Minute
	watchFor   = 7 * 24 * time.Hour
)

// watched says that a merged pull request is still worth a look.
func watched(f fleet.Follow, now time.Time) bool {
	return !f.MergedAt.IsZero() && !f.Reverted && f.MergeSHA != "" && now.Sub(f.MergedAt) < watchFor
}

// watch looks at what became of a merged change. Whoever answers for the campaign is told what went wrong; the owner of the component has seen it.
func (e *Engine) watch(ctx context.Context, h *hold, t fleet.Target, repo fleet.Repository) error {
	f, err := e.store.Follow(ctx, t.ID)
	if err != nil {
		return err
	}
	now, note := e.store.Now(), ""
	host, err := e.cfg.Forge(repo.Forge)
	if err != nil {
		return err
	}
	if d, can := host.(forge.Deployments); can { // a failed one, too: it may be repaired
		list, err := d.Deployments(ctx, repo, f.MergeSHA)
		if err != nil && fleet.CodeOf(err) != fleet.CodeUnsupported {
			return err
		}
		if health := deployed(list); health != f.Deploy {
			f.Deploy = health
			if health != "" {
				note = "its deployment: " + health
			}
		}
	}
	if e.cfg.Reverted != nil {
		const git = "This reverts commit " // its own words; a host's button names the pull request instead
		signs := []string{git + f.MergeSHA, git + t.HeadCommit, fmt.Sprintf("Reverts %s#%d", repo.Name, t.PullNumber)}
		by, err := e.cfg.Reverted(ctx, repo, f.MergeSHA, signs...)
		if err != nil {
			return err
		}
		if by != "" {
			f.Reverted, note = true, fmt.Sprintf("it was reverted by %.12s", by)
		}
	}
	f.LookAgain = now.Add(min(max(e.patience(), now.Sub(f.MergedAt)/4), 6*time.Hour))
	return h.end(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.SaveFollow(ctx, f); err != nil || note == "" {
			return err
		}
		return tx.Record(ctx, store.Event{Campaign: t.Campaign, Target: t.ID, Component: t.Component, Kind: "note", Actor: "forge", Message: note})
	})
}

// deployed sums up the deployments of a commit: the newest of each environment counts, and a failure anywhere is one.
func deployed(list []forge.Deployment) string {
	sum, seen := "", map[string]bool{}
	for _, d := range list {
		if seen[d.Environment] || d.State == "inactive" {
			continue
		}
		seen[d.Environment] = true
		switch {
		case d.State == "failure":
			return "failure"
		case d.State == "pending":
			sum = "pending"
		case d.State == "success" && sum == "":
			sum = "success"
		}
	}
	return sum
}
