package sandbox

import (
	"maps"
	"slices"
	"strconv"
)

// layout is what a bubblewrap root is made of, worked out once by New.
type layout struct {
	links  [][2]string // target, place: such as usr/bin at /bin
	system []string    // host paths shown read-only at the same place
	path   string      // PATH inside
	env    map[string]string
	files  map[string]string // generated files, by place
	masks  []string          // files of /proc that are nobody's business
	userns bool              // bubblewrap can forbid further user namespaces
}

// bwrapArgs renders options for bubblewrap. Host paths of spec are given by source, which may stand them elsewhere;
// file returns the descriptor that a generated file's content is read from.
func (l layout) bwrapArgs(spec Spec, source func(host string) string, file func(content string) int) []string {
	var a []string
	add := func(args ...string) { a = append(a, args...) }
	size := strconv.FormatInt(max(spec.Limits.Memory/2, 1<<20), 10)

	add("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup",
		"--uid", insideID, "--gid", insideID, "--hostname", "box",
		"--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv")
	if l.userns {
		add("--disable-userns")
	}
	for _, p := range l.system {
		add("--ro-bind", p, p)
	}
	for _, link := range l.links {
		add("--symlink", link[0], link[1])
	}
	for _, place := range slices.Sorted(maps.Keys(l.files)) {
		add("--perms", "0444", "--file", strconv.Itoa(file(l.files[place])), place)
	}
	add("--proc", "/proc")
	for _, p := range l.masks {
		add("--ro-bind", "/dev/null", p)
	}
	add("--dev", "/dev", "--size", size, "--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev")
	add("--size", size, "--perms", "1777", "--tmpfs", "/tmp", "--symlink", "/tmp", "/var/tmp", "--dir", "/run")
	bind := func(m Mount) {
		option := "--ro-bind"
		if m.Writable {
			option = "--bind"
		}
		add(option, source(m.Host), m.Inside)
	}
	if spec.Home == "" {
		add("--size", size, "--perms", "0700", "--tmpfs", HomeDir)
	} else {
		bind(Mount{Host: spec.Home, Inside: HomeDir, Writable: true})
	}
	if spec.Work != "" {
		bind(Mount{Host: spec.Work, Inside: WorkDir, Writable: true})
	}
	for _, m := range spec.Mounts {
		bind(m)
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Env)) {
		add("--setenv", name, spec.Env[name])
	}
	add("--chdir", spec.Dir, "--remount-ro", "/")
	return a
}

// insideID is the user and group that code in a sandbox runs as, in its own eyes.
const insideID = "1000"
