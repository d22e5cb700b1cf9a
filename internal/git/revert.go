package git

import (
	"bytes"
	"context"
	"path/filepath"
	"strconv"
	"time"

	"gaggle/internal/fleet"
)

// recent is how many commits of the default branch are read in search of a revert.
const recent = 300

// now as the age of a look at a remote has it looked at again.
const now = time.Nanosecond

// RevertOf looks on the default branch, among its newest commits and after one that it has or had, for the newest whose
// message holds one of the signs, such as "This reverts commit 0123…" as git writes it; "" when there is none. Mirrors
// have no history, so it is fetched for the moment.
func (s *Store) RevertOf(ctx context.Context, repo fleet.Repository, after string, signs ...string) (string, error) {
	head, err := s.Refresh(ctx, repo, now)
	if err != nil || head.Commit == after || len(signs) == 0 {
		return "", err
	}
	m, err := s.mirror(repo)
	if err != nil {
		return "", err
	}
	if !ValidBranch(head.Branch) || !validOID(after) {
		return "", fleet.Errorf(fleet.CodeInternal, "git: %q or %q cannot be searched", clean(head.Branch), clean(after))
	}
	dir, remove, err := scratch(filepath.Join(s.cfg.Dir, tempDir))
	if err != nil {
		return "", diskError(err, "no temporary folder")
	}
	defer remove()
	dir = filepath.Join(dir, "git")
	if err := makeGitDir(dir, gitDir{bare: true, sha256: len(head.Commit) == 64, head: "ref: refs/heads/none", alternate: m.objects()}); err != nil {
		return "", diskError(err, "no temporary folder")
	}
	const found = "refs/gaggle/head"
	fetch := command{gitDir: dir, service: "upload-pack", args: []string{"fetch", "--quiet", "--no-progress", "--depth=" + strconv.Itoa(recent), "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
		"--no-recurse-submodules", "--", m.remote.URL, "+refs/heads/" + head.Branch + ":" + found}}
	if err := s.runRemote(ctx, m.remote, fetch); err != nil {
		return "", classify(err, "the history of "+clean(repo.Name)+" could not be fetched")
	}
	args := []string{"log", "--fixed-strings", "--format=%H", "--max-count=1"}
	for _, sign := range signs {
		args = append(args, "--grep="+sign)
	}
	sha, err := s.line(ctx, command{gitDir: dir, args: append(args, found)})
	return sha, classify(err, "the history of "+clean(repo.Name)+" could not be searched")
}

// Conflicts says whether a diff, as Checkout.Diff made it, can no longer be merged into the default branch as it stands.
func (s *Store) Conflicts(ctx context.Context, repo fleet.Repository, diff []byte) (bool, error) {
	head, err := s.Refresh(ctx, repo, now)
	if err != nil {
		return false, err
	}
	m, err := s.mirror(repo)
	if err != nil {
		return false, err
	}
	dir, remove, err := scratch(filepath.Join(s.cfg.Dir, tempDir))
	if err != nil {
		return false, diskError(err, "no temporary folder")
	}
	defer remove()
	conflicts := false
	err = m.healed(ctx, func() error {
		env := []string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}
		if err := s.run(ctx, command{gitDir: m.dir, env: env, args: []string{"read-tree", head.Commit}}); err != nil {
			return err
		}
		err := s.run(ctx, command{gitDir: m.dir, env: env, args: []string{"apply", "--cached", "--3way", "--whitespace=nowarn", "-"}, stdin: bytes.NewReader(diff)})
		if conflicts = exitedWith(err, 1); conflicts {
			return nil
		}
		return err
	})
	return conflicts, classify(err, "a merge in "+clean(repo.Name)+" could not be tried")
}
