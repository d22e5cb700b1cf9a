package sandbox

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Remove removes a tree that sandboxed code could write, whatever it left there: folders that may not be entered, or
// that nest deeper than any path can name. No sandbox may be using the tree any more.
func Remove(dir string) error {
	top, err := openTop(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return os.Remove(dir)
	case err != nil:
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	defer unix.Close(top)
	if err := unix.Fchmod(top, 0o700); err != nil {
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	if err := flatten(top); err != nil {
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	return os.RemoveAll(dir)
}

// shallow is how deep a tree is after flatten, so that it can be removed with as many open folders.
const shallow = 64

// flatten makes every folder below top one that may be entered, and moves what lies deeper than shallow up to top.
func flatten(top int) error {
	prefix := ".gaggle-removes-" + rand.Text() + "-" // a name that nobody could take in advance
	moved := 0
	level := []string{"."}
	buf := make([]byte, 64<<10)
	for len(level) > 0 {
		// Folders directly below top, and then what they hold, down to shallow.
		start := level[0]
		level = level[1:]
		type at struct {
			path  string
			depth int
		}
		todo := []at{{start, 1}}
		for len(todo) > 0 {
			dir := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			fd, err := openBelow(top, dir.path)
			if err != nil {
				return err
			}
			_, err = entries(fd, dir.path, buf, nil, func(in int, name string, st *unix.Stat_t) error {
				if st.Mode&unix.S_IFMT != unix.S_IFDIR {
					return nil
				}
				if st.Mode&0o700 != 0o700 {
					if err := unix.Fchmodat(in, name, st.Mode&0o7777|0o700, 0); err != nil {
						return err
					}
				}
				if dir.depth < shallow {
					todo = append(todo, at{filepath.Join(dir.path, name), dir.depth + 1})
					return nil
				}
				moved++
				to := prefix + strconv.Itoa(moved)
				if err := unix.Renameat(in, name, top, to); err != nil {
					return err
				}
				level = append(level, to)
				return nil
			})
			unix.Close(fd)
			if err != nil {
				return err
			}
		}
	}
	return nil
}
