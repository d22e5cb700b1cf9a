package git

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"gaggle/internal/fleet"
)

// diffed is one comparison of the base with a tree.
type diffed struct {
	tree   string
	change Change
	patch  []byte
}

// diffArgs make a diff that depends on the two trees and on nothing else. Between two trees git enters no submodule, so
// none of their changes need be ignored, and a .gitmodules file cannot hide one.
var diffArgs = []string{"-r", "--no-ext-diff", "--no-textconv", "--no-color", "--full-index", "--find-renames=60%", "-l500", "--diff-algorithm=histogram", "--unified=3", "--src-prefix=a/", "--dst-prefix=b/", "--ignore-submodules=none", "--submodule=short"}

// compare runs one diff-tree that yields the list of files, their counts and the patch.
func (c *Checkout) compare(ctx context.Context, tree string) (diffed, error) {
	if c.last.tree == tree && tree != "" {
		return c.last, nil
	}
	out, err := c.diffTree(ctx, tree, "--raw", "--numstat", "--patch", "--binary", "-z")
	if err != nil {
		return diffed{}, err
	}
	d, err := parseDiffTree(out)
	if err != nil {
		return diffed{}, err
	}
	d.tree, d.change.Tree = tree, tree
	c.last = d
	return d, nil
}

func (c *Checkout) diffTree(ctx context.Context, tree string, args ...string) ([]byte, error) {
	if !validOID(tree) {
		return nil, fleet.Errorf(fleet.CodeInternal, "git: %q is not a tree", clean(tree))
	}
	cmd := command{gitDir: c.gitDir, limit: c.store.cfg.MaxDiffBytes}
	cmd.args = append([]string{"diff-tree"}, diffArgs...)
	cmd.args = append(append(cmd.args, args...), c.BaseTree, tree, "--")
	out, err := c.store.output(ctx, cmd)
	if err == errTooMuch {
		return nil, unsafeTree(".", fmt.Sprintf("the diff is larger than the limit of %d bytes", c.store.cfg.MaxDiffBytes))
	}
	return out, err
}

// Diff returns the change from the base to a tree of this checkout, as git apply takes it: binary content
// included, full object names, renames as renames. What .gitattributes says changes nothing. Not to be altered.
func (c *Checkout) Diff(ctx context.Context, tree string) ([]byte, error) {
	if tree == c.BaseTree {
		return nil, nil
	}
	ctx, cancel := c.patience(ctx)
	defer cancel()
	d, err := c.compare(ctx, tree)
	return d.patch, classify(err, "the diff of "+clean(c.repo.Name)+" could not be made")
}

// parseDiffTree takes the output of diff-tree --raw --numstat --patch -z apart.
func parseDiffTree(out []byte) (diffed, error) {
	bad := func(what string) (diffed, error) {
		return diffed{}, fmt.Errorf("git diff-tree printed an unreadable %s", what)
	}
	rest := out
	next := func() (string, bool) {
		i := bytes.IndexByte(rest, 0)
		if i < 0 {
			return "", false
		}
		field := string(rest[:i])
		rest = rest[i+1:]
		return field, true
	}
	var d diffed
	for len(rest) > 0 && rest[0] == ':' {
		meta, ok := next()
		f := strings.Fields(strings.TrimPrefix(meta, ":"))
		if !ok || len(f) != 5 {
			return bad("list of files")
		}
		fc := FileChange{OldMode: f[0], Mode: f[1], OldOID: f[2], OID: f[3], Status: f[4][:1]}
		if fc.Path, ok = next(); !ok {
			return bad("list of files")
		}
		if fc.Status == "R" || fc.Status == "C" {
			fc.Old = fc.Path
			if fc.Path, ok = next(); !ok {
				return bad("list of files")
			}
		}
		d.change.Files = append(d.change.Files, fc)
	}
	for i := range d.change.Files {
		fc := &d.change.Files[i]
		line, ok := next()
		added, tail, ok1 := strings.Cut(line, "\t")
		deleted, name, ok2 := strings.Cut(tail, "\t")
		if !ok || !ok1 || !ok2 {
			return bad("count of lines")
		}
		if name == "" { // a rename: the two names follow
			_, ok1 = next()
			name, ok2 = next()
		}
		if !ok1 || !ok2 || name != fc.Path {
			return bad("count of lines")
		}
		fc.Binary = added == "-"
		fc.Added, _ = strconv.Atoi(added)
		fc.Deleted, _ = strconv.Atoi(deleted)
		d.change.Stat.Added += fc.Added
		d.change.Stat.Deleted += fc.Deleted
	}
	d.change.Stat.Files = len(d.change.Files)
	if len(rest) > 0 && rest[0] == 0 {
		rest = rest[1:]
	}
	if len(rest) > 0 && !bytes.HasPrefix(rest, []byte("diff --git ")) {
		return bad("patch")
	}
	d.patch = rest
	return d, nil
}
