package native

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// ground is the work tree and the folder in it that the agent works in. Nothing outside of the tree is reached through
// it, whatever names and links say.
type ground struct {
	root *os.Root
	work string // absolute path of the tree
	dir  string // slash-separated folder in the tree; "." for the tree itself
}

func openGround(work, dir string) (*ground, error) {
	rel, err := filepath.Rel(work, dir)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return nil, fmt.Errorf("the folder %s is not in the work tree %s", dir, work)
	}
	root, err := os.OpenRoot(work)
	if err != nil {
		return nil, err
	}
	return &ground{root: root, work: work, dir: filepath.ToSlash(rel)}, nil
}

func (g *ground) Close() error { return g.root.Close() }

// folder returns the absolute path of the folder to work in.
func (g *ground) folder() string { return filepath.Join(g.work, filepath.FromSlash(g.dir)) }

// place turns a path as the model writes it (relative to its folder, or absolute in the tree) into one below the root.
func (g *ground) place(p string) (string, error) {
	if strings.ContainsRune(p, 0) {
		return "", errors.New("a path cannot hold a NUL byte")
	}
	if p == "" {
		p = "."
	}
	if path.IsAbs(p) {
		rest, ok := strings.CutPrefix(path.Clean(p), filepath.ToSlash(g.work))
		if !ok || rest != "" && rest[0] != '/' {
			return "", fmt.Errorf("%s is outside of the work tree", p)
		}
		return path.Clean("./" + rest), nil
	}
	clean := path.Join(g.dir, p)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fmt.Errorf("%s is outside of the work tree", p)
	}
	return clean, nil
}

// shown turns a path below the root into what the model is shown: relative to its folder where it lies in there.
func (g *ground) shown(p string) string {
	if g.dir == "." {
		return p
	}
	if rest, ok := strings.CutPrefix(p, g.dir+"/"); ok {
		return rest
	}
	if p == g.dir {
		return "."
	}
	return path.Join(strings.Repeat("../", strings.Count(g.dir, "/")+1), p)
}

// maxFile is the size up to which files are read and edited.
const maxFile = 8 << 20

// read returns the content of a regular file.
func (g *ground) read(p string) ([]byte, fs.FileMode, error) {
	f, err := g.root.OpenFile(filepath.FromSlash(p), os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not hold us up
	if err != nil {
		return nil, 0, g.plain(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, 0, g.plain(err)
	case info.IsDir():
		return nil, 0, fmt.Errorf("%s is a folder; use list", g.shown(p))
	case !info.Mode().IsRegular():
		return nil, 0, fmt.Errorf("%s is not a regular file", g.shown(p))
	case info.Size() > maxFile:
		return nil, 0, fmt.Errorf("%s is too large to read (%d bytes); look at parts of it with run", g.shown(p), info.Size())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, 0, g.plain(err)
	}
	return text, info.Mode().Perm(), nil
}

// write replaces or makes a file, with the folders above it.
func (g *ground) write(p string, text []byte, mode fs.FileMode) error {
	if p == ".git" || strings.HasPrefix(p, ".git/") || strings.Contains(p, "/.git/") || strings.HasSuffix(p, "/.git") {
		return errors.New("nothing in .git is yours to change")
	}
	if info, err := g.root.Stat(filepath.FromSlash(p)); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", g.shown(p))
	}
	if dir := path.Dir(p); dir != "." {
		if err := g.root.MkdirAll(filepath.FromSlash(dir), 0o755); err != nil {
			return g.plain(err)
		}
	}
	return g.plain(g.root.WriteFile(filepath.FromSlash(p), text, mode))
}

// plain says what is wrong with a path without the names of system calls.
func (g *ground) plain(err error) error {
	var pe *fs.PathError
	if !errors.As(err, &pe) {
		return err
	}
	name := g.shown(filepath.ToSlash(pe.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist", name)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s may not be used", name)
	}
	return fmt.Errorf("%s: %w", name, pe.Err)
}
