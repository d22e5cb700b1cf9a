package git

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gaggle/internal/fleet"
)

// worktree is a person's own work tree of a hosted repository.
type worktree struct {
	store  *Store
	dir    string // its git directory
	common string // the one that holds the objects
	path   string
}

// checkedOut finds the work tree in which a branch is checked out; nil when there is none.
func (h *Hosted) checkedOut(branch string) (*worktree, error) {
	want := "ref: refs/heads/" + branch
	is := func(dir string) bool {
		head, err := readSmall(filepath.Join(dir, "HEAD"))
		return err == nil && strings.TrimSpace(head) == want
	}
	bare := isBare(h.common) // holds for the main git directory, not for work trees linked to it
	if h.dir != h.Path && (h.dir != h.common || !bare) && is(h.dir) {
		return &worktree{h.store, h.dir, h.common, h.Path}, nil
	}
	if main := filepath.Dir(h.common); filepath.Base(h.common) == ".git" && h.dir != h.common && !bare && is(h.common) {
		return &worktree{h.store, h.common, h.common, main}, nil
	}
	heads, _ := filepath.Glob(filepath.Join(h.common, "worktrees", "*", "HEAD"))
	for _, head := range heads {
		dir := filepath.Dir(head)
		if !is(dir) {
			continue
		}
		dotGit, err := readSmall(filepath.Join(dir, "gitdir"))
		if err != nil {
			return nil, diskError(err, "a linked work tree cannot be read")
		}
		path := filepath.Dir(strings.TrimSpace(dotGit))
		if _, err := os.Stat(path); missing(err) {
			continue // a work tree that was deleted and not pruned
		}
		return &worktree{h.store, dir, h.common, path}, nil
	}
	return nil, nil
}

// isBare reads core.bare as git writes it; a repository that says it in another way counts as one with a work tree,
// which at worst refuses a merge.
func isBare(common string) bool {
	config, err := os.ReadFile(filepath.Join(common, "config"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(strings.ToLower(string(config))) {
		if strings.Join(strings.Fields(line), "") == "bare=true" {
			return true
		}
	}
	return false
}

// move brings a clean work tree and its index from one commit to another. It works in an index of its own that is
// renamed into place at the end: a kill leaves no lock in a person's repository, and the next try takes over what
// the killed one wrote, as long as every file is as it was before or as it will be.
func (w *worktree) move(ctx context.Context, from, to string) error {
	for _, sign := range []string{"MERGE_HEAD", "rebase-merge", "rebase-apply", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG", "index.lock"} {
		if _, err := os.Lstat(filepath.Join(w.dir, sign)); err == nil {
			return w.refuse("git is in the middle of something there (" + sign + ")")
		}
	}
	// A filter is a program of the repository's configuration; Gaggle runs none, and without it files would differ.
	filters, err := w.store.line(ctx, command{gitDir: w.dir, args: []string{"config", "--local", "--includes", "--name-only", "--get-regexp", `^filter\.`}})
	if err != nil && !exitedWith(err, 1) {
		return err
	}
	if filters != "" {
		return w.refuse("its configuration has content filters")
	}
	own := filepath.Join(w.dir, "gaggle-index")
	os.Remove(own + ".lock")
	if err := copyFile(filepath.Join(w.dir, "index"), own); missing(err) {
		return w.refuse("no files are checked out there")
	} else if err != nil {
		return diskError(err, "the index cannot be copied")
	}
	defer os.Remove(own)
	env := []string{"GIT_INDEX_FILE=" + own}
	run := func(args ...string) error {
		return w.store.run(ctx, command{gitDir: w.dir, work: w.path, env: env, args: args})
	}
	if err := run("update-index", "-q", "--refresh"); err != nil && !exitedWith(err, 1) {
		return err
	}
	dirty, err := w.dirty(ctx, env, from)
	if err != nil {
		return err
	}
	moved, err := w.moved(ctx, from, to, dirty)
	if err != nil {
		return err
	}
	if len(dirty) == 0 {
		if err := run("read-tree", "-u", "-m", from, to); err != nil {
			return &fleet.Error{Code: fleet.CodeConflict, Message: "the work tree at " + w.path + " stands in the way of the merge", Hint: "commit, stash or move the files that git names", Err: err}
		}
		return os.Rename(own, filepath.Join(w.dir, "index"))
	}
	if err := w.resumable(ctx, own, dirty, moved, to); err != nil {
		return err
	}
	if err := run("read-tree", "--reset", "-u", to); err != nil {
		return err
	}
	return os.Rename(own, filepath.Join(w.dir, "index"))
}

// moved lists the files that the two commits do not share. A file that only the second has and that is already there,
// unknown to the index, is added to dirty.
func (w *worktree) moved(ctx context.Context, from, to string, dirty map[string]bool) (map[string]bool, error) {
	out, err := w.store.output(ctx, command{gitDir: w.dir, limit: 256 << 20, args: []string{"diff-tree", "-r", "--name-status", "--no-renames", "-z", from, to, "--"}})
	if err != nil {
		return nil, err
	}
	moved := map[string]bool{}
	fields := strings.Split(string(out), "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		moved[fields[i+1]] = true
		if fields[i] == "A" {
			if _, err := os.Lstat(filepath.Join(w.path, fields[i+1])); err == nil {
				dirty[fields[i+1]] = true
			}
		}
	}
	return moved, nil
}

// resumable refuses a work tree in which something differs from both commits, which cannot come from a killed move.
func (w *worktree) resumable(ctx context.Context, index string, dirty, moved map[string]bool, to string) error {
	var names strings.Builder
	for name := range dirty {
		if !moved[name] {
			return w.refuse(show(name) + " has changes")
		}
		names.WriteString(name + "\x00")
	}
	// What the files hold is compared by adding them to a copy of the index, and to objects that are thrown away.
	dir, remove, err := scratch(filepath.Join(w.store.cfg.Dir, tempDir))
	if err != nil {
		return diskError(err, "no temporary folder")
	}
	defer remove()
	copied := filepath.Join(dir, "index")
	if err := copyFile(index, copied); err != nil {
		return diskError(err, "the index cannot be copied")
	}
	objects := filepath.Join(w.common, "objects")
	env := []string{"GIT_INDEX_FILE=" + copied, "GIT_OBJECT_DIRECTORY=" + dir, "GIT_ALTERNATE_OBJECT_DIRECTORIES=" + objects}
	add := command{gitDir: w.dir, work: w.path, env: env, args: []string{"update-index", "--add", "--remove", "-z", "--stdin"}, stdin: strings.NewReader(names.String())}
	if err := w.store.run(ctx, add); err != nil {
		return err
	}
	out, err := w.store.output(ctx, command{gitDir: w.dir, env: env, args: []string{"diff-index", "--cached", "--name-only", "--no-renames", "-z", "--ignore-submodules=all", to, "--"}})
	if err != nil {
		return err
	}
	for name := range nameSet(out) {
		if dirty[name] {
			return w.refuse(show(name) + " has changes")
		}
	}
	return nil
}

func (w *worktree) refuse(why string) error {
	return &fleet.Error{Code: fleet.CodeConflict, Message: "the branch is checked out at " + w.path + " and " + why, Hint: "commit or stash there, or check out another branch, then try again"}
}

// dirty lists the files of index and work tree that differ from a commit.
func (w *worktree) dirty(ctx context.Context, env []string, commit string) (map[string]bool, error) {
	out, err := w.store.output(ctx, command{gitDir: w.dir, work: w.path, env: env, args: []string{"diff-index", "--name-only", "--no-renames", "-z", "--ignore-submodules=all", commit, "--"}})
	return nameSet(out), err
}

func nameSet(out []byte) map[string]bool {
	set := map[string]bool{}
	for _, p := range strings.Split(string(out), "\x00") {
		if p != "" {
			set[p] = true
		}
	}
	return set
}

func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(dst, src); err != nil {
		dst.Close()
		return err
	}
	return dst.Close()
}
