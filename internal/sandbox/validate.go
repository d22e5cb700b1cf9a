package sandbox

import (
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gaggle/internal/fleet"
)

// environment is what every run starts from; Spec.Env is laid over it. Nothing of gaggle's own environment is in it.
func environment(searchPath string) map[string]string {
	return map[string]string{
		"PATH": searchPath, "HOME": HomeDir, "USER": user, "LOGNAME": user, "SHELL": "/bin/sh",
		"LANG": "C.UTF-8", "TMPDIR": "/tmp",
	}
}

// longest is what Linux takes as one argument or variable.
const longest = 128 << 10

// user is the name of whoever code in a sandbox runs as.
const user = "agent"

// prepared returns a copy of spec with defaults filled in, or says why it makes no sense.
func (spec Spec) prepared(defaults Limits, searchPath string, base map[string]string) (Spec, error) {
	bad := func(format string, args ...any) (Spec, error) {
		return Spec{}, fleet.Errorf(fleet.CodeInvalid, "sandbox: "+format, args...)
	}
	if len(spec.Argv) == 0 || spec.Argv[0] == "" {
		return bad("no command")
	}
	if spec.Dir == "" {
		spec.Dir = "/"
		if spec.Work != "" {
			spec.Dir = WorkDir
		}
	}
	spec.Limits = spec.Limits.Or(defaults)
	if l := spec.Limits; l.Wall < 0 || l.Memory < 0 || l.Processes < 0 || l.Disk < 0 || l.FileSize < 0 || l.Output < 0 {
		return bad("a limit is negative")
	}
	env := environment(searchPath)
	maps.Copy(env, base)
	maps.Copy(env, spec.Env)
	spec.Env = env

	for _, text := range slices.Concat(spec.Argv, []string{spec.Dir, spec.Work, spec.Home, spec.Door}) {
		if strings.ContainsRune(text, 0) {
			return bad("a NUL byte in %q", text)
		}
	}
	total := 0
	for _, text := range spec.Argv {
		total += len(text)
		if len(text) >= longest {
			return bad("an argument of %d bytes is too long: hand it over in a file or on stdin", len(text))
		}
	}
	for name, value := range spec.Env {
		total += len(name) + len(value)
		if len(name)+len(value)+1 >= longest {
			return bad("%s, with %d bytes, is too long for an environment variable", name, len(value))
		}
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			return bad("%q cannot be an environment variable", name)
		}
	}
	if total > 8*longest {
		return bad("arguments and environment of %d bytes are too long: hand them over in files or on stdin", total)
	}
	if !cleanInside(spec.Dir) {
		return bad("%q is not an absolute, clean path", spec.Dir)
	}
	for _, host := range []string{spec.Work, spec.Home, spec.Door} {
		if host != "" && !cleanHost(host) {
			return bad("%q is not an absolute, clean path", host)
		}
	}
	mounts := slices.Clone(spec.Mounts)
	for i, m := range mounts {
		switch {
		case !cleanHost(m.Host):
			return bad("%q is not an absolute, clean path", m.Host)
		case !cleanInside(m.Inside) || m.Inside == "/":
			return bad("cannot mount at %q", m.Inside)
		}
		reserved := []string{"/proc", "/dev", "/sys", path.Dir(Self)}
		// Where earlier runs could write, a link may lie in wait for the one who makes the mount point.
		if spec.Work != "" {
			reserved = append(reserved, WorkDir)
		}
		if spec.Home != "" {
			reserved = append(reserved, HomeDir)
		}
		for _, place := range reserved {
			if m.Inside == place || within(place, m.Inside) {
				return bad("cannot mount at %q: %s is not open for mounts", m.Inside, place)
			}
		}
		for j, other := range mounts {
			if j != i && other.Inside == m.Inside {
				return bad("two mounts at %q", m.Inside)
			}
			if other.Writable && within(other.Inside, m.Inside) {
				return bad("cannot mount at %q, which lies inside the writable %s", m.Inside, other.Inside)
			}
		}
	}
	// Outer folders first, so that an inner mount is not covered by the one around it.
	slices.SortStableFunc(mounts, func(a, b Mount) int { return strings.Compare(a.Inside, b.Inside) })
	spec.Mounts = mounts
	return spec, nil
}

// binds lists everything of the host's that the spec shows, in the order in which it is mounted.
func (spec Spec) binds() []Mount {
	var list []Mount
	if spec.Home != "" {
		list = append(list, Mount{Host: spec.Home, Inside: HomeDir, Writable: true})
	}
	if spec.Work != "" {
		list = append(list, Mount{Host: spec.Work, Inside: WorkDir, Writable: true})
	}
	return append(list, spec.Mounts...)
}

// mentions reports whether the command or its environment names an inside path.
func (spec Spec) mentions(p string) bool {
	for _, text := range slices.Concat(spec.Argv, slices.Collect(maps.Values(spec.Env))) {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

// within reports whether p lies strictly below dir.
func within(dir, p string) bool {
	return p != dir && (dir == "/" || strings.HasPrefix(p, dir+"/"))
}

func cleanInside(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && !strings.ContainsRune(p, 0)
}

func cleanHost(p string) bool {
	return filepath.IsAbs(p) && filepath.Clean(p) == p && !strings.ContainsRune(p, 0)
}
