package git

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

const (
	tempDir     = ".tmp"   // half-made mirrors and other short-lived folders
	locksDir    = ".locks" // one lock file a mirror
	scratchLock = ".lock"
)

// scratch makes a short-lived folder. A lock file beside it, made first and removed last, is held for as long as its
// owner lives, so that a later sweep can tell what a killed process left from what another process is using.
func scratch(parent string) (dir string, remove func(), err error) {
	for {
		dir = filepath.Join(parent, strconv.FormatUint(rand.Uint64(), 36))
		lock, err := scratchOwner(dir + scratchLock)
		if errors.Is(err, os.ErrExist) || errors.Is(err, syscall.EWOULDBLOCK) {
			continue // the name is taken, or a sweep was quicker
		}
		if err != nil {
			return "", nil, err
		}
		remove = func() {
			removeAll(dir)
			os.Remove(dir + scratchLock)
			lock.Close()
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			remove()
			return "", nil, err
		}
		return dir, remove, nil
	}
}

// scratchOwner makes a lock file and holds it.
func scratchOwner(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		// A sweep may have removed the file before it was locked; a lock on no name protects nothing.
		mine, err1 := f.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			return f, nil
		}
		err = syscall.EWOULDBLOCK
	}
	f.Close()
	return nil, err
}

// sweepScratch removes the folders whose owner is gone.
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
