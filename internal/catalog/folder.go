package catalog

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gaggle/internal/fleet"
)

const (
	folderDepth = 6       // levels below the folder that are searched for repositories
	maxFolders  = 200_000 // folders that are looked into
)

// readFolder finds the repositories below a folder, bare ones and those with a work tree, in the order of their paths.
// It does not look inside a repository, into hidden folders, or through links to anything but a repository. The folder
// may be a repository itself.
func readFolder(ctx context.Context, root string, p *problems) ([]candidate, error) {
	w := &folderWalk{ctx: ctx, root: root, problems: p}
	if repo, _ := isRepository(root); repo {
		w.found = append(w.found, candidate{url: localURL(root), forge: "local", names: []string{cleanName(trimGit(filepath.Base(root)))}})
		return w.found, nil
	}
	return w.found, w.folder(root, 1)
}

type folderWalk struct {
	ctx      context.Context
	root     string
	problems *problems
	found    []candidate
	folders  int
}

func (w *folderWalk) folder(dir string, depth int) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if w.folders++; w.folders > maxFolders {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "the folder holds too many folders to search for repositories", Hint: "name a folder nearer to the repositories, or list their URLs in a file"}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		w.problems.add(ProblemFolder, place{file: w.relative(dir)}, "", "the folder cannot be read: %v", unwrapPath(err))
		return nil
	}
	for _, e := range entries {
		link := e.Type()&fs.ModeSymlink != 0
		if !e.IsDir() && !link || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		repo, linked := isRepository(path)
		switch {
		case linked: // a further work tree of a repository that stands elsewhere
		case repo:
			rel := filepath.ToSlash(w.relative(path))
			w.found = append(w.found, candidate{url: localURL(path), forge: "local", names: []string{cleanName(trimGit(rel))}})
		case !link && depth < folderDepth && e.Name() != "node_modules":
			if err := w.folder(path, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *folderWalk) relative(path string) string {
	rel, err := filepath.Rel(w.root, path)
	if err != nil {
		return path
	}
	return rel
}

// isRepository looks for what makes a folder a repository. A damaged one still counts, so that it is reported and not
// passed over. linked means a work tree that git worktree added.
func isRepository(dir string) (repo, linked bool) {
	if info, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
		if info.Mode().IsRegular() && info.Size() < 8192 {
			text, err := os.ReadFile(filepath.Join(dir, ".git"))
			return true, err == nil && strings.Contains(filepath.ToSlash(string(text)), "/worktrees/")
		}
		return info.IsDir(), false
	}
	for name, folder := range map[string]bool{"HEAD": false, "objects": true, "refs": true} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.IsDir() != folder {
			return false, false
		}
	}
	return true, false
}

// unwrapPath leaves the path out of a file system's error: it is said already.
func unwrapPath(err error) error {
	if e, ok := err.(*fs.PathError); ok {
		return e.Err
	}
	return err
}
