package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// understudy is the unprivileged user that bubblewrap runs as when gaggle itself runs as root. Code that root starts in
// a user namespace is still root to the kernel wherever it asks for the user and not for capabilities: such code could
// write to /proc/sys, and what it broke out with would own the machine.
//
// That user may read little of what root shows it and owns none of it. So each run gets a mount namespace in which the
// folders of the Spec stand where that user can reach them, with the owner mapped: what root owns is that user's there,
// and what that user makes is root's on the disk. Where a file system cannot map owners, writable folders are given to
// that user for the run and taken back afterwards.
type understudy struct {
	id     int
	idmap  *os.File // a user namespace that maps root to id; nil where that cannot be made
	reason string   // why idmap is nil
	stand  string   // a folder that the run's folders are put on, in the mount namespace of their own
}

// newUnderstudy picks the user. program is bubblewrap, which by waiting for its options keeps a namespace alive for as
// long as it takes to open it.
func newUnderstudy(program string) (*understudy, error) {
	id, err := freeID()
	if err != nil {
		return nil, err
	}
	u := &understudy{id: id}
	// Any folder that every system has and that nothing of the system's own lies below.
	for _, dir := range []string{"/tmp", "/mnt", "/srv", "/opt"} {
		if info, err := os.Stat(dir); err == nil && info.IsDir() && !within(dir, program) {
			u.stand = dir
			break
		}
	}
	if u.stand == "" {
		return nil, errors.New("no folder to put work trees on")
	}
	if u.idmap, err = mappingNamespace(program, id); err != nil {
		u.reason = err.Error()
	}
	return u, nil
}

// freeID returns an id that nobody has: no user of that number exists, and no well-known range claims it.
func freeID() (int, error) {
	taken := map[string]bool{}
	for _, file := range []string{"/etc/passwd", "/etc/group"} {
		data, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		for line := range strings.Lines(string(data)) {
			if f := strings.Split(line, ":"); len(f) > 2 {
				taken[f[2]] = true
			}
		}
	}
	for id := 60900; id < 61100; id++ {
		if !taken[strconv.Itoa(id)] && mapped("/proc/self/uid_map", id) && mapped("/proc/self/gid_map", id) {
			return id, nil
		}
	}
	return 0, errors.New("no free user id between 60900 and 61100 to run sandboxed code as")
}

// mapped reports whether an id exists in this user namespace.
func mapped(file string, id int) bool {
	f, err := os.Open(file)
	if err != nil {
		return true // no user namespaces, no maps
	}
	defer f.Close()
	for scan := bufio.NewScanner(f); scan.Scan(); {
		var inside, outside, count int
		if n, _ := fmt.Sscan(scan.Text(), &inside, &outside, &count); n == 3 && id >= inside && id-inside < count {
			return true
		}
	}
	return false
}

func mappingNamespace(program string, id int) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	defer w.Close()
	idMap := []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}}
	p, err := os.StartProcess(program, []string{"bwrap", "--args", "3"}, &os.ProcAttr{
		Dir: "/", Env: []string{}, Files: []*os.File{nil, nil, nil, r},
		Sys: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: idMap, GidMappings: idMap},
	})
	if err != nil {
		return nil, fmt.Errorf("making a user namespace: %w", err)
	}
	defer p.Wait()
	defer p.Kill()
	return os.Open(fmt.Sprintf("/proc/%d/ns/user", p.Pid))
}

// staging is one run's folders on their stand.
type staging struct {
	user  *understudy
	binds []Mount
	index map[Mount]int
	lent  []string // writable folders whose owner could not be mapped
}

func (u *understudy) staging() *staging {
	return &staging{user: u, index: map[Mount]int{}}
}

// place returns where what a mount shows will stand.
func (s *staging) place(m Mount) string {
	m.Inside = ""
	i, ok := s.index[m]
	if !ok {
		i = len(s.binds)
		s.index[m] = i
		s.binds = append(s.binds, m)
	}
	return s.user.stand + "/" + strconv.Itoa(i)
}

// set puts the folders on their stand, in a mount namespace that belongs to the calling thread alone. The thread cannot
// go back and must end with its goroutine.
func (s *staging) set() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	// Not to be seen outside, and not to be changed from there.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	trees := make([]int, 0, len(s.binds))
	defer func() {
		for _, fd := range trees {
			unix.Close(fd)
		}
	}()
	for _, m := range s.binds {
		fd, err := s.tree(m.Host, m.Writable)
		if err != nil {
			return fmt.Errorf("showing %s: %w", m.Host, err)
		}
		trees = append(trees, fd)
	}
	if err := unix.Mount("gaggle", s.user.stand, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0711,size=1m"); err != nil {
		return fmt.Errorf("mounting on %s: %w", s.user.stand, err)
	}
	for i, fd := range trees {
		at := filepath.Join(s.user.stand, strconv.Itoa(i))
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return err
		}
		var err error
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			err = unix.Mkdir(at, 0o700)
		} else {
			err = unix.Mknod(at, unix.S_IFREG|0o600, 0)
		}
		if err == nil {
			err = unix.MoveMount(fd, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH)
		}
		if err != nil {
			return fmt.Errorf("showing %s: %w", s.binds[i].Host, err)
		}
	}
	return nil
}

// tree returns a copy of what is mounted at host, with the owner mapped where that can be.
func (s *staging) tree(host string, writable bool) (int, error) {
	const flags = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC
	if s.user.idmap != nil {
		fd, err := unix.OpenTree(unix.AT_FDCWD, host, flags)
		if err != nil {
			return -1, err
		}
		err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{
			Attr_set: unix.MOUNT_ATTR_IDMAP | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV, Userns_fd: uint64(s.user.idmap.Fd())})
		if err == nil {
			return fd, nil
		}
		unix.Close(fd)
	}
	if writable {
		s.lent = append(s.lent, host)
		if err := own(host, os.Geteuid(), s.user.id); err != nil {
			return -1, err
		}
	}
	return unix.OpenTree(unix.AT_FDCWD, host, flags|unix.AT_RECURSIVE)
}

// strike takes back what was lent. It is called when nothing of the run is left.
func (s *staging) strike() error {
	var errs []error
	for _, host := range s.lent {
		errs = append(errs, own(host, s.user.id, os.Geteuid()))
	}
	return errors.Join(errs...)
}

// asReal calls f with the understudy as the calling thread's real user: the one by whose leave the kernel lets a process
// set the limits of another. (Root's own leave is a capability that containers often lack.) The effective user, and with
// it everything else that the thread may do, stays.
func (s *staging) asReal(f func() error) error {
	if s == nil {
		return f()
	}
	const keep = ^uintptr(0)
	set := func(id int) error {
		// Raw calls change this thread only; the functions of package syscall change all.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(id), keep, keep); errno != 0 {
			return errno
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(id), keep, keep); errno != 0 {
			return errno
		}
		return nil
	}
	if err := set(s.user.id); err != nil {
		return err
	}
	return errors.Join(f(), set(0))
}

// own gives everything below dir that one user owns to another.
func own(dir string, from, to int) error {
	err := walk(dir, func(at int, name string, st *unix.Stat_t) error {
		if int(st.Uid) != from {
			return nil
		}
		gid := -1
		if int(st.Gid) == from {
			gid = to
		}
		return unix.Fchownat(at, name, to, gid, unix.AT_SYMLINK_NOFOLLOW)
	})
	if errors.Is(err, errDeep) {
		return nil // a trap: what lies that deep is for Remove, which needs no owner
	}
	return err
}
