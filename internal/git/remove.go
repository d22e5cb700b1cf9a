package git

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
)

// removeAll removes a folder with all that hostile code may have put into it: folders without permission, and folders
// nested so deeply that a removal which holds each of them open, as os.RemoveAll does, runs out of descriptors. Links
// are removed and not followed. A folder that is not there is fine.
func removeAll(dir string) error {
	info, err := os.Lstat(dir)
	if missing(err) {
		return nil
	}
	if err == nil && info.IsDir() {
		if err := clearFolder(dir); err != nil {
			return err
		}
	}
	if err = os.Remove(dir); missing(err) {
		return nil
	}
	return err
}

func clearFolder(dir string) error {
	top, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrPermission) && os.Chmod(dir, 0o700) == nil {
		top, err = os.OpenRoot(dir)
	}
	if err != nil {
		return err
	}
	defer top.Close()
	return (&remover{top}).clear(top, "", 0)
}

type remover struct{ top *os.Root }

// deepest is how many folders are held open at once; what lies deeper is first moved to the top.
const deepest = 50

// clear removes everything in a folder, which lies at the path rel below the top.
func (r *remover) clear(root *os.Root, rel string, depth int) error {
	var first error
	for {
		names, err := readDir(root, dirBatch)
		if errors.Is(err, fs.ErrPermission) && root.Chmod(".", 0o700) == nil {
			names, err = readDir(root, dirBatch)
		}
		if err != nil {
			return err
		}
		removed := 0
		for _, name := range names {
			if err := r.remove(root, rel, name, depth); err == nil {
				removed++
			} else if first == nil {
				first = err
			}
		}
		if len(names) == 0 {
			return nil
		}
		if removed == 0 {
			return first
		}
	}
}

func (r *remover) remove(root *os.Root, rel, name string, depth int) error {
	err := root.Remove(name)
	if err == nil || missing(err) {
		return nil
	}
	if errors.Is(err, fs.ErrPermission) && root.Chmod(".", 0o700) == nil {
		if err = root.Remove(name); err == nil {
			return nil
		}
	}
	if info, lerr := root.Lstat(name); lerr != nil || !info.IsDir() {
		return err
	}
	if depth >= deepest {
		return r.top.Rename(rel+name, fmt.Sprintf("%s%d", movedUp, rand.Uint64()))
	}
	sub, err := root.OpenRoot(name)
	if errors.Is(err, fs.ErrPermission) && root.Chmod(name, 0o700) == nil {
		sub, err = root.OpenRoot(name)
	}
	if err != nil {
		return err
	}
	err = r.clear(sub, rel+name+"/", depth+1)
	sub.Close()
	if err != nil {
		return err
	}
	return root.Remove(name)
}

const movedUp = "gaggle-remove-"
