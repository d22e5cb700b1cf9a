package publish

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/git"
)

// TrialBranch names the short-lived branch on which a component's change is tried on CI.
func TrialBranch(campaign string, c fleet.Component) string {
	return "gaggle-sweep/" + campaign + "/" + branchName(c)
}

// Trial makes the commit on which CI tries a change before there is a pull request, and pushes nothing yet. Each moment gives
// another commit, so that what CI said of an earlier one is not taken for an answer.
func (p *Publisher) Trial(ctx context.Context, in Proposal, at time.Time) (string, error) {
	t := in.Target
	var b strings.Builder
	fmt.Fprintf(&b, "Try: %s\n\nFor CI alone: this branch is deleted once CI has answered.\n\nGaggle-Sweep: %s\nGaggle-Component: %s\n", title(in), t.Campaign, clean(t.Component))
	return p.cfg.Git.Commit(ctx, in.Repository, git.CommitSpec{
		Base: t.BaseCommit, Diff: in.Diff, Tree: t.ResultTree, Message: b.String(), Author: p.cfg.Author, Date: at.Truncate(time.Second), Sign: p.cfg.Sign,
	})
}

// PushTrial pushes the commit to a branch that stands at exactly expect; "" where it must not exist.
func (p *Publisher) PushTrial(ctx context.Context, repo fleet.Repository, commit, branch, expect string) error {
	f, err := p.cfg.Forge(repo.Forge)
	if err != nil {
		return err
	}
	url := repo.URL
	if h, ok := f.(forge.PushTarget); ok {
		if url, err = h.PushURL(ctx, repo); err != nil {
			return err
		}
	}
	return p.cfg.Git.PushTo(ctx, repo, url, commit, branch, expect)
}
