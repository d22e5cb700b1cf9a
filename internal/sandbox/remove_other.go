//go:build unix && !linux

package sandbox

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Remove removes a tree that sandboxed code could write.
func Remove(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
