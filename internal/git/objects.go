package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strconv"
	"strings"

	"gaggle/internal/fleet"
)

// Entry is one file of a tree.
type Entry struct {
	Path string // slash-separated, relative to the tree; any bytes but NUL
	Mode string // 100644, 100755, 120000 (link) or 160000 (submodule)
	OID  string
	Size int64 // bytes; 0 for a submodule
}

// IsFile reports whether the entry has content of its own: not a link, not a submodule.
func (e Entry) IsFile() bool { return e.Mode == "100644" || e.Mode == "100755" }

// Entries lists every file below a tree, as git sorts them. Nothing is kept in memory, and no checkout is made.
// The sequence ends after the first error.
func (s *Store) Entries(ctx context.Context, repo fleet.Repository, tree string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		m, err := s.mirror(repo)
		if err == nil && !validOID(tree) {
			err = fleet.Errorf(fleet.CodeInternal, "git: %q is not a tree", clean(tree))
		}
		if err != nil {
			yield(Entry{}, err)
			return
		}
		sent := false
		stopped := false
		list := func() error {
			return s.list(ctx, m.dir, tree, func(e Entry) bool {
				sent = true
				stopped = !yield(e, nil)
				return !stopped
			})
		}
		err = m.healed(ctx, func() error {
			err := list()
			if sent && damaged(err) { // too late to start again; the next reader heals it
				m.distrust()
				return &fleet.Error{Code: fleet.CodeMirrorCorrupt, Message: "the mirror is damaged", Err: err}
			}
			return err
		})
		if err != nil && !stopped {
			yield(Entry{}, m.explain(repo, err))
		}
	}
}

// list runs ls-tree and hands out its lines until each returns false.
func (s *Store) list(ctx context.Context, gitDir, tree string, each func(Entry) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := command{gitDir: gitDir, args: []string{"ls-tree", "-r", "-l", "-z", "--full-tree", tree}}
	cmd, stderr := s.prepare(ctx, c)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.starter.start(cmd); err != nil {
		return err
	}
	in := bufio.NewReaderSize(out, 64<<10)
	for {
		line, rerr := in.ReadString(0)
		if rerr != nil {
			if rerr != io.EOF {
				err = rerr
			}
			break
		}
		entry, ok := parseEntry(strings.TrimSuffix(line, "\x00"))
		if !ok {
			err = fmt.Errorf("git ls-tree: unreadable line")
			cancel(err)
			break
		}
		if !each(entry) {
			cancel(errStopped)
			break
		}
	}
	werr := s.finish(ctx, cmd, stderr, "ls-tree", cmd.Wait())
	if errors.Is(werr, errStopped) {
		return nil
	}
	return or(werr, err)
}

var errStopped = errors.New("the reader stopped")

func parseEntry(line string) (Entry, bool) {
	meta, name, ok := strings.Cut(line, "\t")
	f := strings.Fields(meta)
	if !ok || len(f) != 4 {
		return Entry{}, false
	}
	size, err := strconv.ParseInt(f[3], 10, 64)
	if err != nil {
		size = 0 // "-" for a submodule
	}
	return Entry{Path: name, Mode: f[0], OID: f[2], Size: size}, true
}

// SubTree returns the tree at a path of a tree; "." is the tree itself.
func (s *Store) SubTree(ctx context.Context, repo fleet.Repository, tree, dir string) (string, error) {
	dir = path.Clean(dir)
	if dir == "." || dir == "/" {
		return tree, nil
	}
	m, err := s.mirror(repo)
	if err != nil {
		return "", err
	}
	if !validOID(tree) || strings.HasPrefix(dir, "../") || dir == ".." || strings.ContainsRune(dir, 0) {
		return "", fleet.Errorf(fleet.CodeInvalid, "%q is not a path inside the repository", clean(dir))
	}
	var oid string
	err = m.healed(ctx, func() error {
		out, err := s.line(ctx, command{gitDir: m.dir, args: []string{"cat-file", "--batch-check", "-z"}, stdin: strings.NewReader(tree + ":" + dir + "\x00")})
		if f := strings.Fields(out); err == nil && len(f) == 3 && f[1] == "tree" && validOID(f[0]) {
			oid = f[0]
			return nil
		}
		return or(err, error(fleet.Errorf(fleet.CodeNotFound, "repository %s has no folder %s", clean(repo.Name), clean(dir))))
	})
	return oid, m.explain(repo, err)
}
