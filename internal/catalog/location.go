package catalog

import (
	"net/url"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"gaggle/internal/fleet"
)

const (
	maxTargetBytes = 512
	maxGlobTargets = 100 // of one repository; each is held against every YAML file
)

// webLink is what a link to a forge's page says: a place in a repository.
type webLink struct {
	same bool   // it is this repository
	path string // slash-separated, relative to the root, cleaned; "." for the root
}

// markers are the words with which forges go on after a repository's path.
var markers = map[string]bool{"tree": true, "blob": true, "raw": true, "edit": true, "src": true, "browse": true, "-": true}

// readLink reads a link such as https://host/org/repo/tree/main/services/a as GitHub, GitLab, Gitea, Bitbucket and
// Azure DevOps write it. A repository on this machine is told by its name alone, for its forge is not known.
func readLink(text string, repo fleet.Repository) (webLink, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return webLink{}, false
	}
	segments := splitPath(u.Path)
	rest, same := afterRepository(u, segments, repo)
	if !same {
		return webLink{}, true
	}
	if p := u.Query().Get("path"); p != "" { // Azure DevOps
		return inside(p)
	}
	if len(rest) > 0 && rest[0] == "-" {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return webLink{same: true, path: "."}, true
	}
	switch marker := rest[0]; {
	case marker == "browse":
		return inside(strings.Join(rest[1:], "/"))
	case !markers[marker]:
		return webLink{}, true
	case marker == "src" && len(rest) > 1 && (rest[1] == "branch" || rest[1] == "tag" || rest[1] == "commit"):
		rest = rest[1:]
	}
	ref := strings.Join(rest[1:], "/")
	if p, ok := strings.CutPrefix(ref+"/", repo.DefaultBranch+"/"); ok && repo.DefaultBranch != "" {
		return inside(p)
	}
	_, p, _ := strings.Cut(ref, "/")
	return inside(p)
}

// inside makes a path from a link one below the root, which it cannot leave.
func inside(p string) (webLink, bool) {
	p = strings.TrimPrefix(path.Clean("/"+p), "/")
	if p == "" {
		p = "."
	}
	return webLink{same: true, path: p}, true
}

func splitPath(p string) []string {
	return strings.FieldsFunc(p, func(r rune) bool { return r == '/' })
}

// afterRepository returns the link's segments that follow the repository's own.
func afterRepository(u *url.URL, segments []string, repo fleet.Repository) ([]string, bool) {
	own, err := url.Parse(repo.URL)
	host, ownPath := "", ""
	switch {
	case err == nil && own.Scheme == "file":
		ownPath = own.Path
	case err == nil && own.Host != "":
		host, ownPath = own.Hostname(), own.Path
	default: // user@host:path
		before, after, _ := strings.Cut(repo.URL, ":")
		host, ownPath = before[strings.LastIndexByte(before, '@')+1:], after
	}
	names := splitPath(trimGit(strings.TrimSuffix(strings.TrimSuffix(ownPath, "/"), "/.git")))
	if len(names) == 0 {
		return nil, false
	}
	if host == "" {
		name := names[len(names)-1]
		for i, s := range segments {
			if markers[s] {
				break
			}
			if i > 0 && strings.EqualFold(trimGit(s), name) && (i+1 == len(segments) || markers[segments[i+1]]) {
				return segments[i+1:], true
			}
		}
		return nil, false
	}
	if !strings.EqualFold(u.Hostname(), host) || len(segments) < len(names) {
		return nil, false
	}
	for i, n := range names {
		if !strings.EqualFold(trimGit(segments[i]), trimGit(n)) {
			return nil, false
		}
	}
	return segments[len(names):], true
}

// componentPath says which directory a component's code is in: the descriptor's, or the one that its source location
// names below the same repository. isDir reports whether the tree has a directory.
func componentPath(d described, repo fleet.Repository, isDir func(string) bool, p *problems) string {
	own := path.Dir(d.at.file)
	if d.source == nil || d.source.kind != scalarValue || d.source.text == "" {
		return own
	}
	at := place{d.at.file, d.source.line, d.source.column}
	text := d.source.text
	for _, prefix := range []string{"url:", "dir:", "file:"} {
		if rest, ok := strings.CutPrefix(text, prefix); ok && (prefix != "file:" || !strings.HasPrefix(rest, "//")) {
			text = rest
			break
		}
	}
	var dir string
	if strings.Contains(text, "://") {
		link, ok := readLink(text, repo)
		switch {
		case !ok:
			p.add(ProblemSource, at, "write url: followed by the https link to the folder", "%s is not understood; the descriptor's folder counts", quote(text))
			return own
		case !link.same && strings.HasPrefix(repo.URL, "file:"):
			return own // a clone of that very repository under another name, as like as not
		case !link.same:
			p.add(ProblemSource, at, "describe the component in the repository that holds its code", "the source location points to another repository; the descriptor's folder counts")
			return own
		}
		dir = link.path
	} else if dir, _ = relative(own, text); dir == "" {
		p.add(ProblemSource, at, "name a folder of this repository", "%s leads out of the repository; the descriptor's folder counts", quote(text))
		return own
	}
	if !isDir(dir) {
		if parent := path.Dir(dir); path.Ext(dir) != "" && isDir(parent) { // a link to a file in it
			return parent
		}
		p.add(ProblemSource, at, "name a folder of this repository", "there is no folder %s; the descriptor's folder counts", quote(dir))
		return own
	}
	return dir
}

// relative joins a path that a descriptor names to the descriptor's directory; one that begins with a slash starts at the
// repository's root. The result is "" when it leads out of the repository.
func relative(dir, text string) (joined string, ok bool) {
	if strings.HasPrefix(text, "/") {
		dir, text = ".", strings.TrimLeft(text, "/")
	}
	joined = path.Join(dir, text)
	if joined == ".." || strings.HasPrefix(joined, "../") || strings.ContainsRune(joined, 0) {
		return "", false
	}
	return joined, true
}

// resolve returns the YAML files of the tree that a Location's target names.
func (r *reader) resolve(file string, t target) []string {
	bad := func(hint, format string, args ...any) []string {
		r.problems.add(ProblemLocation, t.at, hint, format, args...)
		return nil
	}
	pattern := ""
	switch {
	case len(t.text) > maxTargetBytes:
		return bad("write a shorter path", "the target is too long")
	case strings.Contains(t.text, "://"):
		link, ok := readLink(t.text, r.repo)
		if !ok || !link.same {
			return bad("repositories are read one by one: add that one to the fleet", "the target %s is outside this repository and is not followed", quote(t.text))
		}
		pattern = link.path
	default:
		var ok bool
		if pattern, ok = relative(path.Dir(file), t.text); !ok {
			return bad("targets are relative to the descriptor and stay in the repository", "the target %s leads out of the repository", quote(t.text))
		}
	}
	if !strings.ContainsAny(pattern, `*?[{\`) {
		if _, ok := r.yaml[pattern]; !ok && t.optional {
			return nil
		} else if !ok {
			return bad("targets are YAML files on the default branch, relative to the descriptor", "there is no YAML file %s", quote(pattern))
		}
		return []string{pattern}
	}
	if r.globs++; r.globs > maxGlobTargets {
		return bad("use fewer and wider globs", "the repository's locations have more than %d globs", maxGlobTargets)
	}
	if strings.Contains(pattern, "{") || !doublestar.ValidatePattern(pattern) {
		return bad("*, **, ? and [a-z] are understood", "%s is not a usable glob", quote(t.text))
	}
	var out []string
	for _, p := range r.yamlPaths() {
		if p != file && doublestar.MatchUnvalidated(pattern, p) {
			out = append(out, p)
		}
	}
	if out == nil && !t.optional {
		return bad("targets are YAML files on the default branch, relative to the descriptor", "no YAML file matches %s", quote(t.text))
	}
	return out
}
