package guard

import (
	"fmt"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"gaggle/internal/fleet"
)

// scope is where a change may happen.
type scope struct {
	component string // "" is the whole repository
	allow     []string
	deny      []string
}

func newScope(component string, patterns []string) (scope, error) {
	s := scope{component: strings.Trim(path.Clean("/"+component), "/")}
	for _, p := range patterns {
		glob, deny := strings.CutPrefix(p, "!")
		if !doublestar.ValidatePattern(strings.TrimPrefix(glob, "/")) {
			return s, &fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf("the path pattern %q is malformed", p), Hint: "write a glob such as **/*.go"}
		}
		if deny {
			s.deny = append(s.deny, glob)
		} else {
			s.allow = append(s.allow, strings.TrimPrefix(glob, "./"))
		}
	}
	return s, nil
}

// match reports whether one pattern covers a file, and for a pattern from the root whether it is one.
func (s scope) match(pattern, file string) bool {
	if rooted, ok := strings.CutPrefix(pattern, "/"); ok {
		return doublestar.MatchUnvalidated(rooted, file)
	}
	rel, inside := s.relative(file)
	return inside && (doublestar.MatchUnvalidated(pattern, rel) || doublestar.MatchUnvalidated(pattern, file) ||
		strings.HasSuffix(pattern, "/") && strings.HasPrefix(rel, pattern))
}

// relative returns a file's path from the component's folder.
func (s scope) relative(file string) (string, bool) {
	if s.component == "" {
		return file, true
	}
	return strings.CutPrefix(file, s.component+"/")
}

// holds reports whether the change may touch the file, and if not, why.
func (s scope) holds(file string) (bool, string) {
	for _, p := range s.deny {
		if s.match(p, file) {
			return false, "the campaign's paths exclude it with !" + p
		}
	}
	for _, p := range s.allow {
		if s.match(p, file) {
			return true, ""
		}
	}
	if _, inside := s.relative(file); !inside {
		return false, "it is outside the component's folder " + s.component
	}
	if len(s.allow) > 0 {
		return false, "the campaign's paths do not cover it"
	}
	return true, ""
}

// names reports whether a pattern speaks of this very file rather than sweeping it up: it spells out the base
// name, or the folder that makes the file special.
func (s scope) names(file string) bool {
	for _, p := range s.allow {
		if !s.match(p, file) {
			continue
		}
		trimmed := strings.TrimPrefix(p, "/")
		if path.Base(trimmed) == path.Base(file) {
			return true
		}
		fixed, _ := doublestar.SplitPattern(trimmed)
		for _, part := range strings.Split(fixed, "/") {
			if strings.HasPrefix(part, ".") && len(part) > 1 || part == "vendor" || part == "dist" || part == "node_modules" {
				return true
			}
		}
	}
	return false
}
