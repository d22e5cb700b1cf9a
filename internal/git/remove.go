package git

import (
	"io/fs"
	"os"
	"path/filepath"
)

// removeAll removes a folder with all that an agent may have put there: folders without permission, links (never
// followed), pipes. It tries once more after giving itself permission.
func removeAll(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
