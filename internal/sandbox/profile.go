package sandbox

import (
	"maps"
	"slices"
	"strconv"
)

// layout is what a bubblewrap root is made of, worked out once by New.
type layout struct {
	links  [][2]string // target, place: such as usr/bin at /bin
	system []string    // host paths that everybody may read, shown at the same place
	tools  []string    // the same for paths that perhaps only this user may read
	path   string      // PATH inside
	env    map[string]string
	files  map[string]string // generated files, by place
	masks  []string          // files of /proc that are nobody's business
	can    features          // what this bubblewrap knows
}

// features are options that not every bubblewrap has. Without them the system call filter still forbids namespaces, and
// the limit on memory still bounds what is kept in it.
type features struct {
	userns bool // --disable-userns, since 0.8
	size   bool // --size, since 0.7
	perms  bool // --perms, since 0.5
}

// bwrapArgs renders options for bubblewrap. What a mount shows is taken from where source says that it stands; file
// returns the descriptor that a generated file's content is read from.
func (l layout) bwrapArgs(spec Spec, source func(Mount) string, file func(content string) int) []string {
	var a []string
	add := func(args ...string) { a = append(a, args...) }
	tmpfs := func(perms, place string) {
		if l.can.size {
			add("--size", strconv.FormatInt(max(spec.Limits.Memory/2, 1<<20), 10))
		}
		if l.can.perms {
			add("--perms", perms)
		}
		add("--tmpfs", place)
	}

	add("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup",
		"--uid", insideID, "--gid", insideID, "--hostname", "box",
		"--die-with-parent", "--new-session", "--cap-drop", "ALL")
	if l.can.userns {
		add("--disable-userns")
	}
	for _, p := range l.system {
		add("--ro-bind", p, p)
	}
	for _, link := range l.links {
		add("--symlink", link[0], link[1])
	}
	for _, place := range slices.Sorted(maps.Keys(l.files)) {
		add("--file", strconv.Itoa(file(l.files[place])), place)
	}
	// /proc/sys would be writable to whom the kernel takes for root. Process 1 is bubblewrap's, and runs as the same user:
	// who could write to its memory could keep it from dying with gaggle.
	add("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--tmpfs", "/proc/1", "--remount-ro", "/proc/1")
	for _, p := range l.masks {
		add("--ro-bind", "/dev/null", p)
	}
	add("--dev", "/dev")
	tmpfs("1777", "/dev/shm")
	add("--remount-ro", "/dev")
	tmpfs("1777", "/tmp")
	add("--symlink", "/tmp", "/var/tmp", "--dir", "/run")
	bind := func(m Mount) {
		option := "--ro-bind"
		if m.Writable {
			option = "--bind"
		}
		add(option, source(m), m.Inside)
	}
	if spec.Home == "" {
		tmpfs("0700", HomeDir)
	}
	for _, p := range l.tools {
		add("--ro-bind", source(Mount{Host: p}), p)
	}
	for _, m := range spec.binds() {
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
