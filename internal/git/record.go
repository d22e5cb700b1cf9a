package git

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What record takes on. Anything larger, or of another kind, is left to git.
const (
	recordedFiles   = 1000
	recordedBytes   = 8 << 20
	recordedEntries = 50_000
)

var errLeftToGit = errors.New("left to git")

// record writes the tree of a work tree in which nothing but the contents and modes of tracked files has changed, which is
// what most changes are: the same blobs and trees that git add and git write-tree make, without the two processes. It
// trusts itself only when it makes the tree that the index is known to hold from the index. errLeftToGit means that
// nothing was done.
func (c *Checkout) record(ix *index, found survey) (string, error) {
	if found.other || len(found.suspects) > 0 || len(found.edits) > recordedFiles || found.bytes > recordedBytes || len(ix.entries) > recordedEntries || !validOID(c.indexed) {
		return "", errLeftToGit
	}
	paths := make([]string, 0, len(ix.entries))
	for p := range ix.entries {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	t := &treeMaker{entries: ix.entries, object: c.object, trees: map[string][]byte{}}
	if root := t.make("", paths); hex.EncodeToString([]byte(root)) != c.indexed {
		return "", errLeftToGit
	}
	before := t.trees
	top, err := os.OpenRoot(c.Tree)
	if err != nil {
		return "", unreadable(".", err)
	}
	defer top.Close()
	t.trees, t.edited = map[string][]byte{}, map[string]indexEntry{}
	for _, p := range found.edits {
		info, err := top.Lstat(p)
		if err != nil || !info.Mode().IsRegular() || info.Size() > recordedBytes {
			return "", errLeftToGit
		}
		f, err := top.Open(p)
		if err != nil {
			return "", unreadable(p, err)
		}
		content, err := io.ReadAll(io.LimitReader(f, recordedBytes))
		f.Close()
		if err != nil {
			return "", unreadable(p, err)
		}
		oid := c.object("blob", content)
		if err := c.keep(oid, "blob", content); err != nil {
			return "", err
		}
		t.edited[p] = indexEntry{mode: gitMode(info.Mode()), oid: oid}
	}
	root := t.make("", paths)
	for oid, content := range t.trees {
		if _, old := before[oid]; !old {
			if err := c.keep(oid, "tree", content); err != nil {
				return "", err
			}
		}
	}
	return hex.EncodeToString([]byte(root)), nil
}

// object is the name, as raw bytes, that git gives to an object.
func (c *Checkout) object(kind string, content []byte) string {
	data := append(fmt.Appendf(nil, "%s %d\x00", kind, len(content)), content...)
	if len(c.Base) == 64 {
		sum := sha256.Sum256(data)
		return string(sum[:])
	}
	sum := sha1.Sum(data)
	return string(sum[:])
}

// keep writes a loose object into the checkout's own git directory.
func (c *Checkout) keep(oid, kind string, content []byte) error {
	var packed bytes.Buffer
	z, err := zlib.NewWriterLevel(&packed, zlib.BestSpeed)
	if err != nil {
		return err
	}
	fmt.Fprintf(z, "%s %d\x00", kind, len(content))
	z.Write(content) // into memory
	if err := z.Close(); err != nil {
		return err
	}
	name := hex.EncodeToString([]byte(oid))
	file := filepath.Join(c.gitDir, "objects", name[:2], name[2:])
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return diskError(err, "the checkout's objects cannot be written")
	}
	// Under its name it is whole, also after a write that failed.
	tmp := file + ".new"
	if err := os.WriteFile(tmp, packed.Bytes(), 0o444); err != nil {
		os.Remove(tmp)
		return diskError(err, "the checkout's objects cannot be written")
	}
	return diskError(os.Rename(tmp, file), "the checkout's objects cannot be written")
}

// treeMaker makes tree objects out of an index.
type treeMaker struct {
	entries map[string]indexEntry
	edited  map[string]indexEntry // stand in for entries of the same path
	object  func(kind string, content []byte) string
	trees   map[string][]byte // content by name
}

// make makes the tree of a folder, of which paths are all the files below it in the order of their bytes.
func (t *treeMaker) make(folder string, paths []string) string {
	type child struct {
		order, name string // folders sort as if their names ended in a slash
		mode        uint32
		oid         string
	}
	var children []child
	for len(paths) > 0 {
		name, _, below := strings.Cut(paths[0][len(folder):], "/")
		if !below {
			e, ok := t.edited[paths[0]]
			if !ok {
				e = t.entries[paths[0]]
			}
			children = append(children, child{name, name, e.mode, e.oid})
			paths = paths[1:]
			continue
		}
		sub := folder + name + "/"
		n := 1
		for n < len(paths) && strings.HasPrefix(paths[n], sub) {
			n++
		}
		children = append(children, child{name + "/", name, 0o40000, t.make(sub, paths[:n])})
		paths = paths[n:]
	}
	slices.SortFunc(children, func(a, b child) int { return strings.Compare(a.order, b.order) })
	var content []byte
	for _, c := range children {
		content = fmt.Appendf(content, "%o %s\x00", c.mode, c.name)
		content = append(content, c.oid...)
	}
	oid := t.object("tree", content)
	t.trees[oid] = content
	return oid
}
