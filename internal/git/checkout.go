package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gaggle/internal/fleet"
)

// Checkout is one isolated work tree. Tree is for the agent, all else is for Gaggle: the folder that a sandbox
// mounts must be Tree and nothing above it. One goroutine may use it at a time, and none while an agent runs in it.
type Checkout struct {
	Dir      string // holds all that follows
	Tree     string // the work tree, with the agent's throwaway .git
	Base     string // commit that was checked out
	BaseTree string

	store   *Store
	mirror  *mirror
	repo    fleet.Repository
	gitDir  string // git's own, outside the agent's reach
	indexed string // tree that the index holds; "" when not known
	last    diffed // what Snapshot last compared
	exclude []byte // what info/exclude holds
}

// Checkout makes a work tree of a commit in dir/tree, with everything of git's own beside it. What an earlier,
// killed attempt left in dir is removed first. Contents are those of the objects, byte for byte: no filter, line
// end conversion or submodule is acted on.
func (s *Store) Checkout(ctx context.Context, repo fleet.Repository, commit, dir string) (*Checkout, error) {
	m, err := s.mirror(repo)
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, diskError(err, "the checkout has no folder")
	}
	c := &Checkout{Dir: dir, Tree: filepath.Join(dir, "tree"), Base: commit, store: s, mirror: m, repo: repo, gitDir: filepath.Join(dir, "git")}
	err = m.healed(ctx, func() error {
		if err := m.ensure(ctx, commit); err != nil {
			return err
		}
		return c.fill(ctx)
	})
	if err != nil {
		c.Close()
		return nil, m.explain(repo, err)
	}
	return c, nil
}

// Objects is the mirror's folder of objects; a sandbox mounts it read-only at AgentObjects.
func (c *Checkout) Objects() string { return c.mirror.objects() }

// fill makes the work tree and both git directories from nothing.
func (c *Checkout) fill(ctx context.Context) error {
	for _, dir := range []string{c.Tree, c.gitDir} {
		if err := removeAll(dir); err != nil {
			return diskError(err, "the old checkout cannot be removed")
		}
	}
	if err := os.MkdirAll(c.Tree, 0o755); err != nil {
		return diskError(err, "the checkout cannot be made")
	}
	shallow, err := os.ReadFile(filepath.Join(c.mirror.dir, "shallow"))
	if err != nil && !missing(err) {
		return diskError(err, "the mirror cannot be read")
	}
	g := gitDir{sha256: len(c.Base) == 64, head: c.Base, alternate: c.mirror.objects(), shallow: shallow}
	if err := makeGitDir(c.gitDir, g); err != nil {
		return diskError(err, "the checkout cannot be made")
	}
	if err := c.git(ctx, command{args: []string{"read-tree", "--reset", "-u", c.Base}}); err != nil {
		return err
	}
	st, _, ok := c.mirror.state()
	if ok && st.Commit == c.Base {
		c.BaseTree = st.Tree
	} else if c.BaseTree, err = c.store.line(ctx, command{gitDir: c.gitDir, args: []string{"rev-parse", "--verify", "--end-of-options", c.Base + "^{tree}"}}); err != nil {
		return err
	}
	c.indexed, c.last = c.BaseTree, diffed{}
	if err := c.settle(ctx); err != nil {
		return diskError(err, "the checkout cannot be made")
	}
	if err := c.throwaway(); err != nil || c.exclude == nil {
		return err
	}
	return diskError(c.writeExclude(), "the checkout's exclude file cannot be written")
}

// settle makes the index younger than every file that it lists. Times advance in ticks of some milliseconds, and a
// file as old as its index could have been changed since without a trace, so all such files would be read again, by
// git and by Snapshot. What changes after settle gets a later time, which nobody but the kernel can take back.
func (c *Checkout) settle(ctx context.Context) error {
	ix := filepath.Join(c.gitDir, "index")
	written, err := os.Stat(ix)
	if missing(err) {
		return nil
	}
	for err == nil && ctx.Err() == nil {
		probe := filepath.Join(c.gitDir, "tick")
		if err = os.WriteFile(probe, nil, 0o644); err != nil {
			break
		}
		var now os.FileInfo
		if now, err = os.Stat(probe); err != nil {
			break
		}
		if os.Remove(probe); now.ModTime().After(written.ModTime()) {
			return os.Chtimes(ix, now.ModTime(), now.ModTime())
		}
		time.Sleep(time.Millisecond)
	}
	return or(err, context.Cause(ctx))
}

// git runs a command on the work tree with Gaggle's git directory.
func (c *Checkout) git(ctx context.Context, cmd command) error {
	cmd.gitDir, cmd.work = c.gitDir, c.Tree
	// Nothing here outlives a crash of the machine, so nothing waits for the disk.
	cmd.args = append([]string{"-c", "core.fsync=none"}, cmd.args...)
	return c.store.run(ctx, cmd)
}

// throwaway gives the agent a git directory of its own, in which status, diff, log and commit work. Nothing is
// ever read from it again.
func (c *Checkout) throwaway() error {
	dir := filepath.Join(c.Tree, ".git")
	// The sandbox shows files under another owner and perhaps other inodes; the coarse comparison still trusts the index.
	g := gitDir{sha256: len(c.Base) == 64, head: "ref: refs/heads/gaggle", alternate: AgentObjects, shallow: []byte(c.Base + "\n"), config: []string{"checkStat = minimal", "trustctime = false"}}
	if err := makeGitDir(dir, g); err != nil {
		return diskError(err, "the agent's git directory cannot be made")
	}
	if err := os.WriteFile(filepath.Join(dir, "refs", "heads", "gaggle"), []byte(c.Base+"\n"), 0o644); err != nil {
		return diskError(err, "the agent's git directory cannot be made")
	}
	ix, err := os.ReadFile(filepath.Join(c.gitDir, "index"))
	if missing(err) { // an empty tree has no index
		return nil
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "index"), ix, 0o644)
	}
	return diskError(err, "the agent's git directory cannot be made")
}

// Reset makes the work tree the base again, from nothing: ignored files and the agent's .git are gone too.
func (c *Checkout) Reset(ctx context.Context) error {
	err := c.mirror.healed(ctx, func() error { return c.fill(ctx) })
	return classify(err, "the checkout of "+clean(c.repo.Name)+" could not be reset")
}

// ApplyDiff applies a diff that Diff made to the work tree. One that does not fit is a merge_conflict and changes nothing.
func (c *Checkout) ApplyDiff(ctx context.Context, diff []byte) error {
	if len(diff) == 0 {
		return nil
	}
	cmd := command{args: []string{"apply", "--index", "--whitespace=nowarn", "-"}, stdin: bytes.NewReader(diff)}
	if err := c.git(ctx, cmd); err != nil {
		return classify(applyError(err), "the diff could not be applied to "+clean(c.repo.Name))
	}
	c.indexed = "" // known again after the next Snapshot
	return nil
}

// RevertDiff takes a diff that Diff made back out of the work tree, also where the base has changed around it. One that
// cannot be taken back is a merge_conflict, and the checkout is of no use any more.
func (c *Checkout) RevertDiff(ctx context.Context, diff []byte) error {
	cmd := command{args: []string{"apply", "--reverse", "--index", "--3way", "--whitespace=nowarn", "-"}, stdin: bytes.NewReader(diff)}
	if err := c.git(ctx, cmd); err != nil {
		return classify(applyError(err), "the change to "+clean(c.repo.Name)+" could not be taken back")
	}
	c.indexed = ""
	return nil
}

// applyError tells a diff that does not fit from git failing.
func applyError(err error) error {
	if exitedWith(err, 1) {
		return &fleet.Error{Code: fleet.CodeMergeConflict, Message: "the diff does not apply to the base", Hint: "the base moved: run the target again", Err: err}
	}
	return err
}

// Exclude keeps new files that match from being taken into a snapshot, as if the repository's own .gitignore named them
// last; files of the base are not concerned. The patterns replace those of an earlier call. To be called before an
// agent has had the work tree.
func (c *Checkout) Exclude(patterns []string) error {
	c.exclude = []byte(strings.Join(patterns, "\n") + "\n")
	return diskError(c.writeExclude(), "the checkout's exclude file cannot be written")
}

func (c *Checkout) writeExclude() error {
	for _, dir := range []string{c.gitDir, filepath.Join(c.Tree, ".git")} {
		if err := os.WriteFile(filepath.Join(dir, "info", "exclude"), c.exclude, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Close removes the work tree and all that belongs to it.
func (c *Checkout) Close() error {
	var errs []error
	for _, dir := range []string{c.Tree, c.gitDir} {
		errs = append(errs, removeAll(dir))
	}
	_ = os.Remove(c.Dir) // only when nobody else keeps something there
	return diskError(errors.Join(errs...), fmt.Sprintf("checkout %s cannot be removed", c.Dir))
}
