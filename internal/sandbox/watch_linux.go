package sandbox

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gaggle/internal/fleet"
)

// watch looks at a run from outside while it lasts: what the kernel enforces through control groups it only reads off;
// what the kernel does not enforce on this machine it measures itself.
type watch struct {
	limits  Limits
	group   *group
	meter   *meter
	tmpfs   []string // paths inside of file systems that live in memory
	started time.Time
	found   chan fleet.Code // one limit that was hit
	stop    chan struct{}
	wg      sync.WaitGroup

	mu   sync.Mutex
	peak int64 // by the watchdog's own measure
	hit  fleet.Code
}

// every is how often a run is looked at; the first look comes sooner, as most harm is done at once.
const (
	every = 50 * time.Millisecond
	early = 10 * time.Millisecond
)

func newWatch(spec Spec, g *group) *watch {
	w := &watch{limits: spec.Limits, group: g, started: time.Now(), found: make(chan fleet.Code, 1), stop: make(chan struct{}),
		tmpfs: []string{"/tmp", "/dev/shm"}}
	var dirs []string
	for _, m := range spec.binds() {
		if m.Writable {
			dirs = append(dirs, m.Host)
		}
	}
	if spec.Home == "" {
		w.tmpfs = append(w.tmpfs, HomeDir)
	}
	w.meter = newMeter(dirs, spec.Limits.Disk)
	return w
}

// begin starts to look. root returns the sandbox's root as /proc shows it, "" while there is none.
func (w *watch) begin(root func() string) {
	w.wg.Go(func() {
		tick := time.NewTicker(early)
		defer tick.Stop()
		for {
			select {
			case <-w.stop:
				return
			case now := <-tick.C:
				if now.Sub(w.started) > every {
					tick.Reset(every)
				}
				if code := w.look(root(), now); code != "" {
					w.mu.Lock()
					w.hit = code
					w.mu.Unlock()
					w.found <- code
					return
				}
			}
		}
	})
}

// end stops looking.
func (w *watch) end() {
	close(w.stop)
	w.wg.Wait()
}

func (w *watch) look(root string, now time.Time) fleet.Code {
	memory, processes := w.group.hit()
	switch {
	case memory:
		return fleet.CodeMemory
	case processes:
		return fleet.CodeProcesses
	}
	if !inhabited(root) {
		root = ""
	}
	var list []string
	if root != "" && (w.group.memory == "" || w.group.pids == "") {
		list = processesIn(root)
		bytes, threads := usage(list)
		for _, at := range w.tmpfs {
			var fs unix.Statfs_t
			if unix.Statfs(root+at, &fs) == nil && fs.Type == unix.TMPFS_MAGIC {
				bytes += int64(fs.Blocks-fs.Bfree) * fs.Bsize
			}
		}
		w.mu.Lock()
		w.peak = max(w.peak, bytes)
		w.mu.Unlock()
		if w.group.memory == "" && bytes > w.limits.Memory {
			return fleet.CodeMemory
		}
		if w.group.pids == "" && threads > w.limits.Processes {
			return fleet.CodeProcesses
		}
	}
	if w.meter.due(w.started, now) {
		if list == nil && root != "" {
			list = processesIn(root)
		}
		if w.meter.over(list) || w.desperate(list) {
			return fleet.CodeDiskLimit
		}
	}
	return ""
}

// desperate reports that a disk is almost full while this run has written more than it may: then it is stopped even
// though what it wrote is nowhere to be seen, such as in files that have no name and travel through sockets.
func (w *watch) desperate(processes []string) bool {
	for _, f := range w.meter.free {
		var fs unix.Statfs_t
		if unix.Statfs(f.dir, &fs) != nil {
			continue
		}
		free, size := int64(fs.Bavail)*fs.Bsize, int64(fs.Blocks)*fs.Bsize
		if free < min(1<<30, size/50) && written(processes) > w.limits.Disk {
			return true
		}
	}
	return false
}

// verdict says which limit was hit, also when nobody looked in time. A run that lost a process to a limit has hit it,
// whatever it made of that.
func (w *watch) verdict() fleet.Code {
	w.mu.Lock()
	hit := w.hit
	w.mu.Unlock()
	if hit != "" {
		return hit
	}
	memory, processes := w.group.hit()
	switch {
	case memory:
		return fleet.CodeMemory
	case processes:
		return fleet.CodeProcesses
	case w.meter.suspicious() && w.meter.over(nil):
		return fleet.CodeDiskLimit
	}
	return ""
}

// inhabited reports whether root is a sandbox's own. While bubblewrap still sets up, it is this machine's.
func inhabited(root string) bool {
	if root == "" {
		return false
	}
	var its, ours unix.Stat_t
	if unix.Stat(root, &its) != nil || unix.Stat("/", &ours) != nil {
		return false
	}
	return its.Dev != ours.Dev || its.Ino != ours.Ino
}

// processesIn lists the folders of /proc of everything in a sandbox, seen through its own /proc.
func processesIn(root string) []string {
	proc, err := os.Open(root + "/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	var list []string
	for _, name := range names {
		if _, err := strconv.Atoi(name); err == nil {
			list = append(list, filepath.Join(root, "proc", name))
		}
	}
	return list
}

// usage sums what processes keep in memory for themselves alone, files in memory that have no name included, and counts
// their threads. Memory that processes share is counted once for each, so it is left out; what they share in /tmp and
// /dev/shm is counted by whoever calls this.
func usage(processes []string) (bytes int64, threads int) {
	seen := map[uint64]bool{}
	for _, p := range processes {
		status, err := os.ReadFile(p + "/status")
		if err != nil {
			continue
		}
		text := string(status)
		bytes += 1024 * (kilobytes(text, "RssAnon:") + kilobytes(text, "VmSwap:"))
		threads += int(kilobytes(text, "Threads:"))
		bytes += unnamed(p, seen)
	}
	return bytes, threads
}

// unnamed sums the files in memory that a process holds open and that have no name.
func unnamed(process string, seen map[uint64]bool) int64 {
	dir, err := os.Open(process + "/fd")
	if err != nil {
		return 0
	}
	defer dir.Close()
	var sum int64
	for {
		names, err := dir.Readdirnames(256)
		for _, name := range names {
			at := process + "/fd/" + name
			if to, err := os.Readlink(at); err != nil || !strings.HasSuffix(to, " (deleted)") {
				continue
			}
			var st unix.Stat_t
			var fs unix.Statfs_t
			if unix.Stat(at, &st) == nil && !seen[st.Ino] && unix.Statfs(at, &fs) == nil && fs.Type == unix.TMPFS_MAGIC {
				seen[st.Ino] = true
				sum += st.Blocks * 512
			}
		}
		if err != nil || len(names) == 0 {
			return sum
		}
	}
}

// kilobytes reads the number of a line of /proc/PID/status.
func kilobytes(status, name string) int64 {
	_, rest, ok := strings.Cut(status, "\n"+name)
	if !ok {
		return 0
	}
	line, _, _ := strings.Cut(rest, "\n")
	f := strings.Fields(line)
	if len(f) == 0 {
		return 0
	}
	return number(f[0])
}
