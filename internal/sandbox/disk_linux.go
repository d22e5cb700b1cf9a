package sandbox

import (
	"errors"
	"maps"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// meter measures how much the writable folders of a run have grown.
//
// Walking a tree costs, and most runs are short, so nothing is walked before there is a reason: the file system lost
// space, or time has passed. The first walk therefore comes late; what it takes for the state before the run is what has
// not been touched since the start (the change time of a file cannot be set by programs). A file that was there and was
// rewritten before the first walk counts in full.
type meter struct {
	dirs    []string
	limit   int64
	started unix.Timespec        // on the clock that file systems use
	start   map[uint64]freeSpace // by device
	free    map[uint64]freeSpace // the same, when last walked

	walked   time.Time // when the last walk ended; zero before the first
	took     time.Duration
	baseline int64
	grown    int64 // by the last walk
}

// freeSpace is what a file system had to give when last looked at.
type freeSpace struct {
	dir   string
	bytes int64
	files int64
}

// leastPerFile is what a file costs however small it is.
const leastPerFile = 4096

func newMeter(dirs []string, limit int64) *meter {
	m := &meter{dirs: dirs, limit: limit, start: map[uint64]freeSpace{}}
	unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &m.started)
	for _, dir := range dirs {
		var st unix.Stat_t
		if unix.Stat(dir, &st) == nil {
			m.start[st.Dev] = statFree(dir)
		}
	}
	m.free = maps.Clone(m.start)
	return m
}

func statFree(dir string) freeSpace {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return freeSpace{dir: dir}
	}
	return freeSpace{dir: dir, bytes: int64(fs.Bfree) * fs.Bsize, files: int64(fs.Ffree)}
}

// due reports whether it is time to walk: much of what may still be used is gone from the file systems, or long enough
// has passed that another walk is a small part of the time.
func (m *meter) due(since time.Time, now time.Time) bool {
	if len(m.dirs) == 0 {
		return false
	}
	last := m.walked
	if last.IsZero() {
		last = since
	}
	switch past := now.Sub(last); {
	case past >= max(2*time.Second, 20*m.took):
		return true
	case past < 4*m.took: // on a busy disk there is always a suspicion
		return false
	}
	return m.suspicious()
}

// suspicious reports that the file systems gave away much of what may still be used since the last walk, to whomever.
func (m *meter) suspicious() bool {
	return len(m.dirs) > 0 && lost(m.free) > max((m.limit-m.grown)/2, 1<<20)
}

// lost is what file systems gave away since they were looked at.
func lost(since map[uint64]freeSpace) int64 {
	var sum int64
	for _, was := range since {
		now := statFree(was.dir)
		sum += max(was.bytes-now.bytes, 0) + max(was.files-now.files, 0)*leastPerFile
	}
	return sum
}

// measure walks and returns how much the folders have grown, unlinked files that processes hold open included.
// An error is a tree that cannot be measured.
func (m *meter) measure(processes []string) (int64, error) {
	began := time.Now()
	first := m.walked.IsZero()
	for dev, was := range m.free {
		m.free[dev] = statFree(was.dir)
	}
	var total int64
	linked := map[[2]uint64]bool{}
	var base int64
	for _, dir := range m.dirs {
		err := walk(dir, func(_ int, _ string, st *unix.Stat_t) error {
			if st.Mode&unix.S_IFMT != unix.S_IFDIR && st.Nlink > 1 {
				key := [2]uint64{st.Dev, st.Ino}
				if linked[key] {
					return nil
				}
				linked[key] = true
			}
			size := max(st.Blocks*512, leastPerFile)
			total += size
			if first && before(st.Ctim, m.started) {
				base += size
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	total += m.unlinked(processes)
	if first {
		m.baseline = base
	}
	m.grown = total - m.baseline
	m.walked = time.Now()
	m.took = m.walked.Sub(began)
	return m.grown, nil
}

func before(a, b unix.Timespec) bool {
	return a.Sec < b.Sec || a.Sec == b.Sec && a.Nsec < b.Nsec
}

// unlinked sums the files without a name that processes (folders of /proc) hold open on the run's file systems.
func (m *meter) unlinked(processes []string) int64 {
	var sum int64
	seen := map[[2]uint64]bool{}
	for _, p := range processes {
		fds, err := os.Open(p + "/fd")
		if err != nil {
			continue
		}
		names, _ := fds.Readdirnames(-1)
		fds.Close()
		for _, name := range names {
			var st unix.Stat_t
			if unix.Stat(p+"/fd/"+name, &st) != nil || st.Nlink != 0 || st.Mode&unix.S_IFMT != unix.S_IFREG {
				continue
			}
			key := [2]uint64{st.Dev, st.Ino}
			if _, ours := m.free[st.Dev]; ours && !seen[key] {
				seen[key] = true
				sum += st.Blocks * 512
			}
		}
	}
	return sum
}

// over reports whether the limit is passed. A tree that was made so that it cannot be walked passes it; where walking
// fails for another reason, what the file systems lost has to do.
func (m *meter) over(processes []string) bool {
	grown, err := m.measure(processes)
	if err != nil {
		m.walked = time.Now()
		return errors.Is(err, errDeep) || lost(m.start) > m.limit
	}
	return grown > m.limit
}

// written sums what processes asked to be written to disks, as the kernel counts it.
func written(processes []string) int64 {
	var sum int64
	for _, p := range processes {
		if data, err := os.ReadFile(p + "/io"); err == nil {
			sum += counter(string(data), "write_bytes:")
		}
	}
	return sum
}
