package git

import (
	"os"
	"path/filepath"
	"syscall"
)

const (
	tempDir  = ".tmp"   // half-made mirrors and other short-lived folders
	locksDir = ".locks" // one lock file a mirror
)

// scratch makes a short-lived folder. It holds a lock for as long as its owner lives, so that a later sweep can
// tell what a killed process left from what another process is using.
func scratch(parent string) (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp(parent, "")
	if err != nil {
		return "", nil, err
	}
	f, err := os.OpenFile(dir+scratchLock, os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o644)
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		os.RemoveAll(dir)
		return "", nil, err
	}
	return dir, func() {
		removeAll(dir)
		os.Remove(dir + scratchLock)
		f.Close()
	}, nil
}

const scratchLock = ".lock"

// sweepScratch removes the folders whose owner is gone. A folder without a lock file is about to get one.
func sweepScratch(parent string) {
	locks, _ := filepath.Glob(filepath.Join(parent, "*"+scratchLock))
	for _, lock := range locks {
		f, err := os.OpenFile(lock, os.O_RDWR|syscall.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			removeAll(lock[:len(lock)-len(scratchLock)])
			os.Remove(lock)
		}
		f.Close()
	}
}
