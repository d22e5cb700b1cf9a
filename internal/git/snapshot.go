package git

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gaggle/internal/fleet"
)

// Change is what a work tree holds, compared with the base.
type Change struct {
	Tree  string // equal to the base's tree when nothing changed
	Files []FileChange
	Stat  fleet.DiffStat
}

// FileChange is one file of a change.
type FileChange struct {
	Path    string // new path; the old one when it was deleted
	Old     string // old path of a renamed file, else ""
	Status  string // A added, M modified, D deleted, R renamed, T type changed
	Mode    string // new mode, such as 100755; 000000 when it was deleted
	OldMode string
	OID     string // new content; all zeros when it was deleted
	OldOID  string
	Binary  bool // by its content; what .gitattributes says does not count
	Added   int  // lines
	Deleted int
}

// Snapshot reads the work tree back: it walks it without following a link or opening what is no file, refuses what
// git must not read (unsafe_tree, which names the path), and records the rest as a tree. What .gitignore covers
// is left out. When nothing changed since the last look, no process is started.
func (c *Checkout) Snapshot(ctx context.Context) (Change, error) {
	ctx, cancel := c.patience(ctx)
	defer cancel()
	change, err := c.snapshot(ctx)
	return change, classify(err, "the work tree of "+clean(c.repo.Name)+" could not be read back")
}

func (c *Checkout) snapshot(ctx context.Context) (Change, error) {
	ix, err := c.index()
	if err != nil {
		return Change{}, err
	}
	if err := c.restoreSubmodules(ix); err != nil {
		return Change{}, err
	}
	w := &walker{ix: ix, maxFile: c.store.cfg.MaxFileBytes, left: c.store.cfg.MaxFiles, hash: c.hash}
	found, err := w.walk(c.Tree)
	if err != nil {
		return Change{}, err
	}
	tree := c.indexed
	if found.changed || tree == "" {
		if err := c.vet(ctx, found); err != nil {
			return Change{}, err
		}
		if tree, err = c.record(ix, found); errors.Is(err, errLeftToGit) {
			tree, err = c.add(ctx)
		}
		if err != nil {
			return Change{}, err
		}
	}
	if tree == c.BaseTree {
		return Change{Tree: tree}, nil
	}
	d, err := c.compare(ctx, tree)
	if err != nil {
		return Change{}, err
	}
	for _, f := range d.change.Files {
		if f.Mode == submoduleMode || f.OldMode == submoduleMode {
			return Change{}, unsafeTree(f.Path, "a submodule was added, moved or removed; submodules are left as they are")
		}
	}
	return d.change, nil
}

// add has git take the whole work tree into the index, and write that as a tree.
func (c *Checkout) add(ctx context.Context) (string, error) {
	c.indexed = ""
	if err := c.git(ctx, command{args: []string{"add", "--all"}}); err != nil {
		return "", addError(err)
	}
	tree, err := c.store.line(ctx, command{gitDir: c.gitDir, args: []string{"-c", "core.fsync=none", "write-tree"}})
	if err == nil {
		c.indexed = tree
	}
	return tree, err
}

const submoduleMode = "160000"

// patience bounds what git spends on content that an agent made, which can be made to cost it hours.
func (c *Checkout) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.store.cfg.Patience, &fleet.Error{Code: fleet.CodeUnsafeTree, Message: "git could not read the work tree within " + c.store.cfg.Patience.String(), Hint: "look for huge files, or for patterns that take for ever"})
}

func (c *Checkout) index() (*index, error) {
	ix, err := readIndex(filepath.Join(c.gitDir, "index"), len(c.Base)/2)
	if missing(err) {
		return &index{entries: map[string]indexEntry{}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the index cannot be read: %w", err)
	}
	return ix, nil
}

// restoreSubmodules puts back the empty folders that stand for submodules, so that git does not record them as deleted.
func (c *Checkout) restoreSubmodules(ix *index) error {
	var root *os.Root
	for name, e := range ix.entries {
		if !e.submodule() {
			continue
		}
		if root == nil {
			var err error
			if root, err = os.OpenRoot(c.Tree); err != nil {
				return unreadable(".", err)
			}
			defer root.Close()
		}
		if _, err := root.Lstat(name); err == nil {
			continue
		}
		if err := root.MkdirAll(filepath.FromSlash(name), 0o755); err != nil {
			return unsafeTree(name, "a submodule was replaced; submodules are left as they are")
		}
	}
	return nil
}

// vet refuses a tree that holds what git must not read, unless .gitignore keeps git from reading it.
func (c *Checkout) vet(ctx context.Context, found survey) error {
	if found.unlisted {
		return unsafeTree(found.suspects[0].shown, found.suspects[0].why+", one of very many such")
	}
	if len(found.suspects) > 0 {
		ignored, err := c.ignored(ctx, found.suspects)
		if err != nil {
			return err
		}
		for _, s := range found.suspects {
			if !ignored[s.path] {
				return unsafeTree(s.shown, s.why)
			}
		}
	}
	if found.bytes <= c.store.cfg.MaxTreeBytes && found.files <= c.store.cfg.MaxChanges {
		return nil
	}
	files, total, err := c.added(ctx)
	if err != nil {
		return err
	}
	if total > c.store.cfg.MaxTreeBytes {
		return unsafeTree(".", fmt.Sprintf("the change adds %d bytes, more than the limit of %d", total, c.store.cfg.MaxTreeBytes))
	}
	if files > c.store.cfg.MaxChanges {
		return unsafeTree(".", fmt.Sprintf("the change touches %d files, more than the limit of %d", files, c.store.cfg.MaxChanges))
	}
	return nil
}

// addError reads why git add failed: what it refuses, such as a link called .gitmodules, is the agent's doing.
func addError(err error) error {
	if _, _, known := signOf(err); known || damaged(err) || stderrOf(err) == "" {
		return err
	}
	return &fleet.Error{Code: fleet.CodeUnsafeTree, Message: "git does not take what the work tree holds", Hint: "remove what git names", Err: err}
}

// ignored asks git which of the paths .gitignore covers. A tracked path never counts as ignored.
func (c *Checkout) ignored(ctx context.Context, suspects []suspect) (map[string]bool, error) {
	var in, out bytes.Buffer
	for _, s := range suspects {
		in.WriteString("./" + s.path + "\x00") // so that no name is taken for magic
	}
	err := c.git(ctx, command{args: []string{"--no-literal-pathspecs", "check-ignore", "-z", "--stdin"}, stdin: &in, stdout: &out})
	if err != nil && !exitedWith(err, 1) { // 1: none is ignored
		return nil, err
	}
	set := map[string]bool{}
	for _, p := range strings.Split(out.String(), "\x00") {
		set[strings.TrimPrefix(p, "./")] = true
	}
	return set, nil
}

// added counts what git would read: changed and untracked files that are not ignored.
func (c *Checkout) added(ctx context.Context) (files int, size int64, err error) {
	var out bytes.Buffer
	if err := c.git(ctx, command{args: []string{"ls-files", "-z", "--modified", "--others", "--exclude-standard"}, stdout: &out}); err != nil {
		return 0, 0, err
	}
	root, err := os.OpenRoot(c.Tree)
	if err != nil {
		return 0, 0, unreadable(".", err)
	}
	defer root.Close()
	for _, p := range strings.Split(out.String(), "\x00") {
		if p == "" {
			continue
		}
		if info, err := root.Lstat(p); err == nil && info.Mode().IsRegular() {
			files++
			size += info.Size()
		}
	}
	return files, size, nil
}

// hash is the object name, as raw bytes, that git gives to a file's content.
func (c *Checkout) hash(root *os.Root, name string, info fs.FileInfo) (string, error) {
	var h hash.Hash = sha1.New()
	if len(c.Base) == 64 {
		h = sha256.New()
	}
	fmt.Fprintf(h, "blob %d\x00", info.Size())
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := root.Readlink(name)
		if err != nil {
			return "", err
		}
		io.WriteString(h, target)
	} else {
		f, err := root.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		if _, err := io.Copy(h, io.LimitReader(f, info.Size()+1)); err != nil {
			return "", err
		}
	}
	return string(h.Sum(nil)), nil
}

// ReadFile reads a regular file of the work tree of at most limit bytes, without following a link out of it.
func (c *Checkout) ReadFile(name string, limit int64) ([]byte, error) {
	root, err := os.OpenRoot(c.Tree)
	if err != nil {
		return nil, unreadable(".", err)
	}
	defer root.Close()
	info, err := root.Lstat(name)
	if err != nil {
		return nil, fleet.Errorf(fleet.CodeNotFound, "%s is not in the work tree", show(name))
	}
	if !info.Mode().IsRegular() {
		return nil, unsafeTree(name, "not a file")
	}
	if info.Size() > limit {
		return nil, &ErrTooLarge{Size: info.Size()}
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, unreadable(name, err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// Blobs returns a reader of the objects of this checkout: its base and whatever Snapshot recorded.
func (c *Checkout) Blobs(ctx context.Context) *BlobReader {
	return c.store.blobs(ctx, c.gitDir, nil)
}
