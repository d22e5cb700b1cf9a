package git

import (
	"context"
	"time"

	"gaggle/internal/fleet"
)

// RevertOf looks on the default branch, after a commit, for the newest one whose message holds one of the signs, such as
// "This reverts commit 0123…" as git writes it; "" when there is none. The commit is one that the branch has or had.
func (s *Store) RevertOf(ctx context.Context, repo fleet.Repository, after string, signs ...string) (string, error) {
	head, err := s.Refresh(ctx, repo, now)
	if err != nil || head.Commit == after || len(signs) == 0 {
		return "", err
	}
	m, err := s.mirror(repo)
	if err != nil {
		return "", err
	}
	var sha string
	err = m.healed(ctx, func() (err error) {
		if err := m.ensure(ctx, after); err != nil {
			return err
		}
		args := []string{"log", "--fixed-strings", "--format=%H", "--max-count=1"}
		for _, sign := range signs {
			args = append(args, "--grep="+sign)
		}
		sha, err = s.line(ctx, command{gitDir: m.dir, args: append(args, "--end-of-options", head.Commit, "^"+after)})
		return err
	})
	return sha, classify(err, "the history of "+clean(repo.Name)+" could not be searched")
}

// Conflicts says whether a commit of the repository cannot be merged into the default branch as it stands.
func (s *Store) Conflicts(ctx context.Context, repo fleet.Repository, commit string) (bool, error) {
	head, err := s.Refresh(ctx, repo, now)
	if err != nil {
		return false, err
	}
	m, err := s.mirror(repo)
	if err != nil {
		return false, err
	}
	conflicts := false
	err = m.healed(ctx, func() error {
		if err := m.ensure(ctx, commit); err != nil {
			return err
		}
		_, err := s.line(ctx, command{gitDir: m.dir, args: []string{"merge-tree", "--write-tree", "--no-messages", "--name-only", head.Commit, commit}})
		if conflicts = exitedWith(err, 1); conflicts {
			return nil
		}
		return err
	})
	return conflicts, classify(err, "a merge in "+clean(repo.Name)+" could not be tried")
}

// now as the age of a look at a remote has it looked at again.
const now = time.Nanosecond
