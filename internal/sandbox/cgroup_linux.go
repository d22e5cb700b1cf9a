package sandbox

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cgroups is where this process may make control groups for its sandboxes. Empty paths are what the machine does not
// give; the watchdog then does the work.
type cgroups struct {
	memory, pids string // folders that hold one folder a run
	cpu          string // the same, for counting processor time: version 2, or version 1's cpuacct
	v2           bool   // memory and pids are one folder of the unified hierarchy
	owner        string // names this process: its pid and when it started, so that a reused pid is not taken for it
}

// group holds the processes of one run.
type group struct {
	of     *cgroups
	memory string // "" when the machine has no such limit to give
	pids   string
	cpu    string
}

// folder is what Gaggle's groups live below.
const folder = "gaggle"

// findCgroups looks for hierarchies in which this process may make groups, and removes what dead processes left there.
func findCgroups() *cgroups {
	c := &cgroups{owner: ownerName()}
	mounts, own := readCgroups()
	if m, ok := mounts["memory"]; ok {
		c.memory = v1Base(m, own["memory"], "memory.limit_in_bytes", func(v string) bool { return number(v) >= 1<<62 })
	}
	if m, ok := mounts["pids"]; ok {
		c.pids = v1Base(m, own["pids"], "pids.max", func(v string) bool { return strings.TrimSpace(v) == "max" })
	}
	if m, ok := mounts[""]; ok {
		if base := v2Base(m, own[""]); base != "" && c.memory == "" && c.pids == "" {
			c.memory, c.pids, c.v2 = base, base, true
		}
		if c.cpu = c.memory; !c.v2 {
			c.cpu = plainBase(filepath.Join(m.point, own[""]), "cpu.stat")
		}
	}
	if m, ok := mounts["cpuacct"]; ok && c.cpu == "" {
		c.cpu = v1Base(m, own["cpuacct"], "cpuacct.usage", func(string) bool { return true })
	}
	for _, base := range []string{c.memory, c.pids, c.cpu} {
		sweep(base)
	}
	return c
}

// hierarchy is one mounted cgroup file system.
type hierarchy struct{ point, root string }

// readCgroups returns the mounted hierarchies by controller ("" is version 2's) and this process's place in each.
func readCgroups() (map[string]hierarchy, map[string]string) {
	info, _ := os.ReadFile("/proc/self/mountinfo")
	self, _ := os.ReadFile("/proc/self/cgroup")
	return parseCgroups(string(info), string(self))
}

func parseCgroups(mountinfo, self string) (map[string]hierarchy, map[string]string) {
	mounts, own := map[string]hierarchy{}, map[string]string{}
	for line := range strings.Lines(mountinfo) {
		front, back, ok := strings.Cut(line, " - ")
		f, b := strings.Fields(front), strings.Fields(back)
		if !ok || len(f) < 5 || len(b) < 3 {
			continue
		}
		h := hierarchy{root: f[3], point: f[4]}
		switch b[0] {
		case "cgroup2":
			mounts[""] = h
		case "cgroup":
			for _, controller := range strings.Split(b[2], ",") {
				mounts[controller] = h
			}
		}
	}
	for line := range strings.Lines(self) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for _, controller := range strings.Split(parts[1], ",") {
			p := parts[2]
			if h, ok := mounts[controller]; ok && h.root != "/" { // a part of the hierarchy is mounted, as in containers
				rel, below := strings.CutPrefix(p, h.root)
				if !below {
					rel = "/"
				}
				p = "/" + strings.TrimPrefix(rel, "/")
			}
			own[controller] = p
		}
	}
	return mounts, own
}

// v1Base makes Gaggle's folder in a version 1 hierarchy. It goes up from this process's own group as far as no limit is
// left behind: the higher, the surer that a later run finds what this one leaves when it is killed.
func v1Base(h hierarchy, own, file string, unlimited func(string) bool) string {
	dir := filepath.Join(h.point, own)
	for dir != h.point && unlimited(read(dir, file)) && unix.Access(filepath.Dir(dir), unix.W_OK) == nil {
		dir = filepath.Dir(dir)
	}
	return plainBase(dir, file)
}

// plainBase makes Gaggle's folder in dir and makes sure that groups in it have the file.
func plainBase(dir, file string) string {
	base := filepath.Join(dir, folder)
	if err := os.Mkdir(base, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return ""
	}
	trial := filepath.Join(base, ownerName()+"-"+rand.Text())
	if err := os.Mkdir(trial, 0o755); err != nil {
		return ""
	}
	defer syscall.Rmdir(trial)
	if _, err := os.Stat(filepath.Join(trial, file)); err != nil || unix.Access(filepath.Join(trial, "cgroup.procs"), unix.W_OK) != nil {
		return ""
	}
	return base
}

// v2Base makes Gaggle's folder in the unified hierarchy, where a group that has processes cannot pass limits on to groups
// below it. So it tries this process's own group (moving this process into a group of its own when it is alone there, as
// under `systemd-run --scope -p Delegate=yes`), the one above, and for root the top.
func v2Base(h hierarchy, own string) string {
	const self = folder + "-self"
	dir := filepath.Join(h.point, own)
	if filepath.Base(dir) == self { // moved before, by this process or by the one that started it
		dir = filepath.Dir(dir)
	} else if alone(dir) && !delegates(dir) {
		leaf := filepath.Join(dir, self)
		if err := os.Mkdir(leaf, 0o755); err == nil || errors.Is(err, fs.ErrExist) {
			if write(leaf, "cgroup.procs", strconv.Itoa(os.Getpid())) == nil && !delegates(dir) {
				write(dir, "cgroup.procs", strconv.Itoa(os.Getpid())) // to no avail: back
				syscall.Rmdir(leaf)
			}
		}
	}
	candidates := []string{dir}
	if dir != h.point {
		candidates = append(candidates, filepath.Dir(dir))
	}
	if os.Geteuid() == 0 {
		candidates = append(candidates, h.point)
	}
	for _, dir := range candidates {
		if !delegates(dir) {
			continue
		}
		base := filepath.Join(dir, folder)
		if err := os.Mkdir(base, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			continue
		}
		if delegates(base) && plainBase(dir, "memory.max") != "" {
			return base
		}
	}
	return ""
}

// delegates reports whether groups below dir get the limits Gaggle needs, switching them on where that is allowed.
func delegates(dir string) bool {
	has := func() bool {
		on := strings.Fields(read(dir, "cgroup.subtree_control"))
		return slices.Contains(on, "memory") && slices.Contains(on, "pids")
	}
	if !has() {
		write(dir, "cgroup.subtree_control", "+memory +pids")
	}
	write(dir, "cgroup.subtree_control", "+cpu") // where it can be had: runs then share processors fairly, however many processes they start
	return has()
}

// alone reports whether this process is the only one in the group.
func alone(dir string) bool {
	return strings.TrimSpace(read(dir, "cgroup.procs")) == strconv.Itoa(os.Getpid())
}

// sweep removes the groups of processes that are gone. A group that still has processes is not removed by the kernel, so
// one that belongs to a live process in another pid namespace is safe.
func sweep(base string) {
	entries, _ := os.ReadDir(base)
	for _, e := range entries {
		parts := strings.SplitN(e.Name(), "-", 3)
		pid, err := strconv.Atoi(parts[0])
		if err == nil && e.IsDir() && len(parts) == 3 && strconv.FormatInt(startTime(pid), 10) != parts[1] {
			syscall.Rmdir(filepath.Join(base, e.Name()))
		}
	}
}

func ownerName() string { return fmt.Sprintf("%d-%d", os.Getpid(), startTime(os.Getpid())) }

// startTime returns when a process started, in clock ticks since boot; 0 when there is no such process.
func startTime(pid int) int64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The program's name stands in parentheses and may hold some itself.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return 0
	}
	n, _ := strconv.ParseInt(fields[19], 10, 64)
	return n
}

// make makes the groups of one run under limits. What it cannot make stays "".
func (c *cgroups) make(l Limits) (*group, error) {
	g := &group{of: c}
	name := c.owner + "-" + rand.Text()
	made := map[string]string{"": ""} // by base: two of them may be one
	var err error
	for _, at := range []struct {
		base string
		dir  *string
	}{{c.memory, &g.memory}, {c.pids, &g.pids}, {c.cpu, &g.cpu}} {
		dir, ok := made[at.base]
		if !ok {
			dir = filepath.Join(at.base, name)
			err = errors.Join(err, os.Mkdir(dir, 0o755))
			made[at.base] = dir
		}
		*at.dir = dir
	}
	if err == nil && g.memory != "" {
		bytes := strconv.FormatInt(l.Memory, 10)
		if c.v2 {
			err = write(g.memory, "memory.max", bytes)
			write(g.memory, "memory.swap.max", "0") // not there without swap
			write(g.memory, "memory.oom.group", "1")
		} else {
			err = write(g.memory, "memory.limit_in_bytes", bytes)
			write(g.memory, "memory.memsw.limit_in_bytes", bytes)
		}
	}
	if err == nil && g.pids != "" {
		err = write(g.pids, "pids.max", strconv.Itoa(l.Processes+keepers))
	}
	if err != nil {
		g.remove()
		return nil, fmt.Errorf("making a control group: %w", err)
	}
	return g, nil
}

// keepers is how many processes of a run are bubblewrap's own: the monitor and process 1.
const keepers = 2

// join puts a process, and with it all that it will start, into groups.
func join(groups []string, pid int) error {
	for _, dir := range groups {
		if err := write(dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("joining a control group: %w", err)
		}
	}
	return nil
}

// hit reports which limit the kernel had to enforce.
func (g *group) hit() (memory, processes bool) {
	if g.memory != "" {
		file := "memory.oom_control"
		if g.of.v2 {
			file = "memory.events"
		}
		memory = counter(read(g.memory, file), "oom_kill") > 0
	}
	if g.pids != "" {
		processes = counter(read(g.pids, "pids.events"), "max") > 0
	}
	return memory, processes
}

// used returns processor time and the highest memory use; zeros are what the machine does not count.
func (g *group) used() (cpu time.Duration, peak int64) {
	if g.cpu != "" {
		if text := read(g.cpu, "cpuacct.usage"); text != "" {
			cpu = time.Duration(number(text))
		} else {
			cpu = time.Duration(counter(read(g.cpu, "cpu.stat"), "usage_usec")) * time.Microsecond
		}
	}
	if g.memory != "" {
		if peak = number(read(g.memory, "memory.peak")); peak == 0 {
			peak = number(read(g.memory, "memory.max_usage_in_bytes"))
		}
	}
	return cpu, peak
}

// kill kills what is in the groups. Bubblewrap does not need it: its process 1 takes everything along.
func (g *group) kill() {
	dir := g.pids
	if dir == "" {
		dir = g.cpu
	}
	if dir == "" || write(dir, "cgroup.kill", "1") == nil {
		return
	}
	for range 100 { // forking processes need more than one look
		pids := strings.Fields(read(dir, "cgroup.procs"))
		if len(pids) == 0 {
			return
		}
		for _, p := range pids {
			if pid, err := strconv.Atoi(p); err == nil && pid != os.Getpid() {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		time.Sleep(time.Millisecond)
	}
}

// remove removes the groups. The kernel may need a moment to let go of the last process.
func (g *group) remove() {
	for _, dir := range []string{g.memory, g.pids, g.cpu} {
		for wait := time.Millisecond; dir != "" && wait < time.Second; wait *= 2 {
			if err := syscall.Rmdir(dir); err != syscall.EBUSY {
				break // also when it is gone, being the same as another
			}
			time.Sleep(wait)
		}
	}
}

func read(dir, file string) string {
	data, _ := os.ReadFile(filepath.Join(dir, file))
	return string(data)
}

func write(dir, file, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// counter reads "name number" from a file of such lines.
func counter(text, name string) int64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return number(rest)
		}
	}
	return 0
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return n
}
