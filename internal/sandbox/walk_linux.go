package sandbox

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// errDeep says that a tree nests deeper than any path can name: nobody but an attacker makes such a thing.
var errDeep = errors.New("nested too deep")

// walk calls visit for root itself (at AT_FDCWD) and for everything below it: with the folder it stands in, opened, and
// its name there. It follows no link, opens nothing but folders, and copes with a tree that changes under it: what goes
// away is left out. Folders that their owner may not read are opened by lending him the right for a moment.
func walk(root string, visit func(at int, name string, st *unix.Stat_t) error) error {
	var st unix.Stat_t
	if err := unix.Fstatat(unix.AT_FDCWD, root, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("%s: %w", root, err)
	}
	if err := visit(unix.AT_FDCWD, root, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	top, err := openTop(root)
	if err != nil {
		return fmt.Errorf("%s: %w", root, err)
	}
	defer unix.Close(top)
	buf := make([]byte, 64<<10)
	todo := []string{"."} // paths below root, so that no more than two folders are open at once
	for len(todo) > 0 {
		dir := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		fd, err := openBelow(top, dir)
		switch {
		case errors.Is(err, unix.ENAMETOOLONG):
			return errDeep
		case gone(err):
			continue
		case err != nil:
			return fmt.Errorf("%s/%s: %w", root, dir, err)
		}
		todo, err = entries(fd, dir, buf, todo, visit)
		unix.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

// entries visits what stands in an open folder and returns todo with the folders among it.
func entries(fd int, dir string, buf []byte, todo []string, visit func(at int, name string, st *unix.Stat_t) error) ([]string, error) {
	var names []string
	for {
		n, err := unix.ReadDirent(fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil && !gone(err) {
			return nil, err
		}
		if n <= 0 {
			return todo, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names[:0])
		for _, name := range names {
			var st unix.Stat_t
			if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
				if gone(err) {
					continue
				}
				return nil, err
			}
			if err := visit(fd, name, &st); err != nil && !gone(err) {
				return nil, err
			}
			if st.Mode&unix.S_IFMT == unix.S_IFDIR {
				todo = append(todo, strings.TrimPrefix(dir+"/", "./")+name)
			}
		}
	}
}

// gone reports an error that means that something is not, or no longer, what it was when it was listed.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ESTALE)
}

// openBelow opens a folder below top without going through a link.
func openBelow(top int, path string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK
	how := &unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(top, path, how)
	switch {
	case errors.Is(err, unix.ENOSYS):
		return openFolder(top, path)
	case errors.Is(err, unix.EACCES):
		how.Flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
		held, err := unix.Openat2(top, path, how)
		if err != nil {
			return -1, err
		}
		defer unix.Close(held)
		return openHeld(held)
	}
	return fd, err
}

func openFolder(at int, path string) (int, error) {
	return unix.Openat(at, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
}

func openTop(path string) (int, error) {
	fd, err := openFolder(unix.AT_FDCWD, path)
	if !errors.Is(err, unix.EACCES) {
		return fd, err
	}
	held, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(held)
	return openHeld(held)
}

// openHeld opens a folder whose owner, this user, took the right to read it away from himself.
func openHeld(held int) (int, error) {
	var st unix.Stat_t
	if err := unix.Fstat(held, &st); err != nil {
		return -1, err
	}
	if int(st.Uid) != os.Geteuid() {
		return -1, unix.EACCES
	}
	name := "/proc/self/fd/" + strconv.Itoa(held) // this very folder, whatever its name leads to by now
	if err := unix.Chmod(name, st.Mode&0o7777|0o700); err != nil {
		return -1, err
	}
	defer unix.Chmod(name, st.Mode&0o7777)
	return openFolder(unix.AT_FDCWD, name+"/.")
}

// ownerOf returns the user that a file belongs to.
func ownerOf(info os.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}
