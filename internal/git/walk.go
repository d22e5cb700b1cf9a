package git

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"gaggle/internal/fleet"
)

// survey is what a walk over a work tree found, before git is let near it.
type survey struct {
	changed  bool      // some tracked file differs, is gone, or something untracked is there
	suspects []suspect // what git must not add; harmless where .gitignore covers it
	unlisted bool      // there are more suspects than anybody lists
	edits    []string  // tracked files of which nothing but content or mode differs
	other    bool      // something differs in another way
	files    int       // that are new or differ, ignored ones included
	bytes    int64     // of those
}

type suspect struct {
	path  string // what .gitignore must cover
	shown string // what an error names
	why   string
}

// walker goes through a work tree with os.Root, so that no link leads it out, and opens no file it did not lstat.
type walker struct {
	ix      *index
	maxFile int64
	left    int // entries that may still come
	hash    func(root *os.Root, name string, info fs.FileInfo) (string, error)
	seen    int // tracked entries met
	top     *os.Root
	found   survey
}

func (w *walker) walk(tree string) (survey, error) {
	root, err := os.OpenRoot(tree)
	if err != nil {
		return survey{}, unsafeTree(".", "the work tree itself cannot be opened")
	}
	defer root.Close()
	w.top = root
	if err := w.dir(root, "", 0); err != nil {
		return survey{}, err
	}
	if w.seen != len(w.ix.entries) {
		w.found.changed, w.found.other = true, true
	}
	return w.found, nil
}

const (
	dirBatch = 1024
	maxDepth = 200 // each level holds one descriptor
)

func (w *walker) dir(root *os.Root, prefix string, depth int) error {
	if depth > maxDepth || len(prefix) > maxPath {
		return unsafeTree(prefix, "folders are nested too deeply")
	}
	names, err := readDir(root, w.left+1)
	if err != nil {
		return unreadable(prefix, err)
	}
	for _, name := range names {
		if err := w.entry(root, prefix, name, depth); err != nil {
			return err
		}
	}
	return nil
}

const maxPath = 3500 // bytes; the system's own limit is some 4,000, and git stands on a few more folders

// readDir returns at most limit names of a folder.
func readDir(root *os.Root, limit int) ([]string, error) {
	d, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var names []string
	for len(names) < limit {
		more, err := d.Readdirnames(min(dirBatch, limit-len(names)))
		names = append(names, more...)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}

func (w *walker) entry(root *os.Root, prefix, name string, depth int) error {
	full := prefix + name
	if w.left--; w.left < 0 {
		return unsafeTree(full, "there are too many files")
	}
	if isDotGit(name) {
		return w.dotGit(prefix, name)
	}
	info, err := root.Lstat(name)
	if err != nil {
		return unreadable(full, err)
	}
	entry, tracked := w.ix.entries[full]
	switch mode := info.Mode(); {
	case tracked && entry.submodule():
		return w.submodule(root, full, name, info)
	case mode.IsDir():
		sub, err := root.OpenRoot(name)
		if err != nil {
			return unreadable(full, err)
		}
		defer sub.Close()
		return w.dir(sub, full+"/", depth+1)
	case mode.IsRegular(), mode&fs.ModeSymlink != 0:
		return w.file(root, full, name, info, entry, tracked)
	case controlsGit(name): // git would open it, even to ask what is ignored
		return unsafeTree(full, "not a file: "+kindOf(mode))
	default:
		w.suspect(full, "not a file, folder or link: "+kindOf(mode))
		return nil
	}
}

// dotGit lets the agent's own git directory be, which is never read. Any other makes a repository of the folder that
// it stands in, so it is that folder which must be ignored: a pattern that covers ".git" does not keep git out.
func (w *walker) dotGit(prefix, name string) error {
	switch {
	case prefix == "" && name == ".git":
		return nil
	case prefix == "":
		return unsafeTree(name, "another spelling of .git")
	}
	w.add(suspect{path: strings.TrimSuffix(prefix, "/"), shown: prefix + name, why: "a git directory inside the tree"})
	return nil
}

func (w *walker) file(root *os.Root, full, name string, info fs.FileInfo, entry indexEntry, tracked bool) error {
	if tracked {
		w.seen++
		if w.ix.same(entry, info) {
			return nil
		}
		if entry.mode == gitMode(info.Mode()) && uint32(info.Size()) == entry.size && info.Size() <= 1<<32 {
			if oid, err := w.hash(root, name, info); err == nil && oid == entry.oid {
				return nil
			}
		}
	}
	w.found.changed = true
	w.found.files++
	w.found.bytes += info.Size()
	if plain := entry.mode == 0o100644 || entry.mode == 0o100755; tracked && plain && info.Mode().IsRegular() && !controlsGit(name) {
		w.found.edits = append(w.found.edits, full)
	} else {
		w.found.other = true
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return w.link(root, full, name)
	}
	if controlsGit(name) && info.Size() > maxControl {
		return unsafeTree(full, fmt.Sprintf("%d bytes, more than git should read of such a file", info.Size()))
	}
	if info.Size() > w.maxFile {
		w.suspect(full, fmt.Sprintf("%d bytes, more than the limit of %d", info.Size(), w.maxFile))
	}
	return nil
}

// link refuses a new link that leads out of the tree: by what it says, and by where it really ends.
func (w *walker) link(root *os.Root, full, name string) error {
	target, err := root.Readlink(name)
	if err != nil {
		return unreadable(full, err)
	}
	joined := path.Join(path.Dir(full), target)
	if path.IsAbs(target) || joined == ".." || strings.HasPrefix(joined, "../") {
		w.suspect(full, "a link that leads out of the tree")
		return nil
	}
	if _, err := w.top.Stat(full); err != nil && strings.Contains(err.Error(), "escapes") {
		w.suspect(full, "a link that leads out of the tree")
	}
	if first, _, _ := strings.Cut(joined, "/"); isDotGit(first) {
		w.suspect(full, "a link into the git directory")
	}
	return nil
}

// submodule lets the empty folder of a submodule be, and nothing else in its place: git could not record it.
func (w *walker) submodule(root *os.Root, full, name string, info fs.FileInfo) error {
	w.seen++
	if !info.IsDir() {
		return unsafeTree(full, "a submodule was replaced; submodules are left as they are")
	}
	d, err := root.Open(name)
	if err != nil {
		return unreadable(full, err)
	}
	defer d.Close()
	if names, err := d.Readdirnames(1); err == nil && len(names) > 0 {
		return unsafeTree(full+"/"+names[0], "inside a submodule; submodules are left as they are")
	}
	return nil
}

func (w *walker) suspect(p, why string) { w.add(suspect{path: p, shown: p, why: why}) }

func (w *walker) add(s suspect) {
	w.found.changed, w.found.other = true, true
	if len(w.found.suspects) < mostSuspects {
		w.found.suspects = append(w.found.suspects, s)
	} else {
		w.found.unlisted = true
	}
}

const mostSuspects = 50_000

const maxControl = 4 << 20

// controlsGit names the files of a work tree that git reads of its own accord.
func controlsGit(name string) bool {
	name = strings.ToLower(name)
	return name == ".gitignore" || name == ".gitattributes" || name == ".gitmodules"
}

// isDotGit knows every spelling that some file system takes for ".git".
func isDotGit(name string) bool {
	n := strings.ToLower(strings.TrimRight(strings.Map(func(r rune) rune {
		switch { // what HFS+ ignores
		case r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x206a && r <= 0x206f, r == 0xfeff:
			return -1
		}
		return r
	}, name), " ."))
	n, _, _ = strings.Cut(n, ":")
	return n == ".git" || n == "git~1"
}

func kindOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return m.Type().String()
}

func unsafeTree(p, why string) *fleet.Error {
	return &fleet.Error{Code: fleet.CodeUnsafeTree, Message: fmt.Sprintf("%s: %s", show(p), why), Hint: "remove it, or have .gitignore cover it"}
}

// show makes a path of any bytes one printable line.
func show(p string) string {
	if len(p) > 300 {
		p = p[:150] + "…" + p[len(p)-150:]
	}
	q := fmt.Sprintf("%q", p)
	if plain := q[1 : len(q)-1]; plain == p {
		return p
	}
	return q
}

func unreadable(p string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return unsafeTree(or(p, "."), "it cannot be read: "+err.Error())
	}
	return diskError(err, "the work tree cannot be read at "+show(or(p, ".")))
}
