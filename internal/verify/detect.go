package verify

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Detect finds the verifiers of the component at a folder of a tree (slash-separated, "." for the root) by what
// the tree holds there. Where that folder holds none, the nearest folder above it that does stands in, so that a component inside one big
// build is verified by that build. The answer depends on nothing but the tree.
//
// The tree is only read: at most a few thousand names and the head of a few known files, and never a symbolic link's target.
func Detect(fsys fs.FS, dir string) []Verifier {
	t := &tree{fsys: fsys, budget: maxNames}
	dir = clean(dir)
	if !fs.ValidPath(dir) {
		return nil
	}
	for at := dir; ; at = path.Dir(at) {
		if found := t.detect(at, dir); len(found) > 0 {
			return arrange(found)
		}
		if at == "." {
			return nil
		}
	}
}

// detect asks every detector about one folder; want is the component's own, at or below it.
func (t *tree) detect(at, want string) []Verifier {
	var found []Verifier
	for _, d := range detectors {
		found = append(found, d(t, at, want)...)
	}
	if len(found) == 0 && at == want {
		found = t.loosePython(at)
	}
	if len(found) > 0 || at == want {
		found = append(found, t.makefile(at, found)...)
	}
	if len(found) > 0 {
		found = append(found, t.preCommit(at)...)
	}
	return found
}

// A detector answers for one family of tools: at is the folder to look at, want the component's folder at or below it.
type detector func(t *tree, at, want string) []Verifier

var detectors = []detector{(*tree).golang, (*tree).node, (*tree).python, (*tree).maven, (*tree).gradle, (*tree).cargo, (*tree).dotnet, (*tree).bazel}

// arrange puts builds before linters before tests, keeping the order within each, and makes names unique.
func arrange(found []Verifier) []Verifier {
	rank := map[Kind]int{Build: 0, Lint: 1, Test: 2}
	slices.SortStableFunc(found, func(a, b Verifier) int { return cmp.Compare(rank[a.Kind], rank[b.Kind]) })
	dirs := map[string]int{}
	for _, v := range found {
		dirs[v.Name]++
	}
	for i, v := range found {
		if dirs[v.Name] > 1 && v.Dir != "." {
			found[i].Name = v.Name + " (" + v.Dir + ")"
		}
		found[i].Timeout = cmpOr(v.Timeout, DefaultTimeout)
	}
	taken := map[string]int{}
	for i, v := range found {
		if taken[v.Name]++; taken[v.Name] > 1 {
			found[i].Name = fmt.Sprintf("%s %d", v.Name, taken[v.Name])
		}
	}
	return found
}

// Limits of what Detect reads.
const (
	maxNames = 20_000  // directory entries
	maxFile  = 1 << 20 // bytes of one file
	maxRoots = 12      // builds of one kind below a folder that holds none itself
)

// tree is a bounded view of a hostile tree.
type tree struct {
	fsys   fs.FS
	budget int
}

// read returns the head of a regular file, or nil.
func (t *tree) read(name string) []byte {
	if !t.has(name) {
		return nil
	}
	f, err := t.fsys.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil
	}
	return data
}

// has reports whether a regular file is there.
func (t *tree) has(name string) bool {
	info, err := t.stat(name)
	return err == nil && info.Mode().IsRegular()
}

// stat does not follow the last symbolic link where the file system can tell.
func (t *tree) stat(name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	return fs.Lstat(t.fsys, name)
}

func (t *tree) isDir(name string) bool {
	info, err := t.stat(name)
	return err == nil && info.IsDir()
}

// first returns the first of the names that is a file of the folder, or "".
func (t *tree) first(dir string, names ...string) string {
	for _, name := range names {
		if t.has(path.Join(dir, name)) {
			return name
		}
	}
	return ""
}

// matches reports whether a file of the folder holds the expression.
func (t *tree) matches(file string, re *regexp.Regexp) bool { return re.Match(t.read(file)) }

// notCode are folders that hold no build of the component's own.
var notCode = map[string]bool{
	"node_modules": true, "vendor": true, "third_party": true, "testdata": true, "fixtures": true, "fixture": true, "__fixtures__": true,
	"dist": true, "build": true, "target": true, "out": true, "bin": true, "obj": true, "venv": true, "env": true,
	"__pycache__": true, "site-packages": true, "bower_components": true,
}

// sideShow are folders whose builds are about something else than the component: looked into only for tools whose
// builds there break with the code (Go, Cargo).
var sideShow = map[string]bool{
	"docs": true, "doc": true, "website": true, "site": true, "example": true, "examples": true, "sample": true, "samples": true, "demo": true, "demos": true,
	"test": true, "tests": true, "e2e": true, "bench": true, "benchmark": true, "benchmarks": true, "templates": true, "template": true, "scripts": true, "tools": true, "contrib": true, "playground": true, "archive": true,
}

var errEnough = errors.New("enough")

// below walks the folders below dir down to a depth, in order, and calls f with each folder's names. f returns false to stay out of
// the folder's children. Hidden folders, notCode and, unless asked for, sideShow are left out.
func (t *tree) below(dir string, depth int, side bool, f func(at string, names []fs.DirEntry) bool) {
	var walk func(at string, left int) error
	walk = func(at string, left int) error {
		names, err := fs.ReadDir(t.fsys, at)
		if err != nil {
			return nil //nolint:nilerr // an unreadable folder holds nothing that could be verified
		}
		if t.budget -= len(names) + 1; t.budget < 0 {
			return errEnough
		}
		if !f(at, names) || left == 0 {
			return nil
		}
		for _, e := range names {
			name := e.Name()
			if !e.IsDir() || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || notCode[name] || !side && sideShow[strings.ToLower(name)] {
				continue
			}
			if err := walk(path.Join(at, name), left-1); err != nil {
				return err
			}
		}
		return nil
	}
	_ = walk(dir, depth) // errEnough: what was found until then
}

// roots finds the topmost folders at or below dir that mark a build, at most maxRoots.
func (t *tree) roots(dir string, depth int, side bool, marks func(name string) bool) []string {
	var found []string
	t.below(dir, depth, side, func(at string, names []fs.DirEntry) bool {
		if len(found) == maxRoots {
			return false
		}
		for _, e := range names {
			if e.Type().IsRegular() && marks(e.Name()) {
				found = append(found, at)
				return false
			}
		}
		return true
	})
	return found
}

// inside finds folders strictly below dir, likewise.
func (t *tree) inside(dir string, depth int, marks func(name string) bool) []string {
	var found []string
	t.below(dir, depth, false, func(at string, names []fs.DirEntry) bool {
		if at == dir {
			return true
		}
		for _, e := range names {
			if e.Type().IsRegular() && marks(e.Name()) && len(found) < maxRoots {
				found = append(found, at)
				return false
			}
		}
		return true
	})
	return found
}

// hasHeader reports whether a TOML or INI file has a table whose name begins with one of the given.
func hasHeader(data []byte, names ...string) bool {
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] != '[' {
			continue
		}
		head := strings.Trim(string(line), "[] \t\r\n")
		for _, name := range names {
			if head == name || strings.HasPrefix(head, name+".") {
				return true
			}
		}
	}
	return false
}
