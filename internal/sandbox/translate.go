package sandbox

import (
	"os"
	"slices"
	"strings"
)

// translated rewrites the inside paths of a spec to the host's, for the sandbox that has no mounts.
func translated(spec Spec, home, door string) Spec {
	self, _ := os.Executable()
	pairs := []Mount{{Inside: HomeDir, Host: home}, {Inside: WorkDir, Host: spec.Work}, {Inside: Self, Host: self}}
	pairs = append(pairs, spec.Mounts...)
	pairs = slices.DeleteFunc(pairs, func(m Mount) bool { return m.Host == "" })
	slices.SortFunc(pairs, func(a, b Mount) int { return len(b.Inside) - len(a.Inside) }) // the longest fits best
	fix := func(text string) string {
		if door != "" {
			text = strings.ReplaceAll(text, DoorAddress, door)
		}
		return rewrite(text, pairs)
	}
	argv := slices.Clone(spec.Argv)
	for i := range argv {
		argv[i] = fix(argv[i])
	}
	env := map[string]string{}
	for name, value := range spec.Env {
		env[name] = fix(value)
	}
	spec.Argv, spec.Env, spec.Dir = argv, env, fix(spec.Dir)
	return spec
}

// rewrite replaces each inside path of pairs, where it stands as a whole path or as the beginning of one, in one pass.
func rewrite(text string, pairs []Mount) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		replaced := false
		if text[i] == '/' && (i == 0 || !pathByte(text[i-1])) {
			for _, m := range pairs {
				if rest, ok := strings.CutPrefix(text[i:], m.Inside); ok && (rest == "" || rest[0] == '/' || !pathByte(rest[0])) {
					b.WriteString(m.Host)
					i += len(m.Inside)
					replaced = true
					break
				}
			}
		}
		if !replaced {
			b.WriteByte(text[i])
			i++
		}
	}
	return b.String()
}

// pathByte reports whether c continues a path component.
func pathByte(c byte) bool {
	return c == '/' || c == '-' || c == '_' || c == '.' || c == '+' || c == '@' || c >= 0x80 ||
		'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
