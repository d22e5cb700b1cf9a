package git

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
)

// indexEntry is what git noted about one file when it last looked.
type indexEntry struct {
	mode  uint32 // 0100644, 0100755, 0120000, 0160000
	size  uint32
	ctime [2]uint32 // seconds, nanoseconds
	mtime [2]uint32
	ino   uint32
	oid   string // raw bytes, not hex
}

func (e indexEntry) submodule() bool { return e.mode&0o170000 == 0o160000 }

// index is git's index file, read without starting git.
type index struct {
	entries map[string]indexEntry
	written [2]uint32 // when the file was written: an entry that is not older may have changed unseen
}

var errIndex = errors.New("the index is of an unknown form")

// readIndex reads an index of version 2 or 3, the only ones written here.
func readIndex(file string, oidSize int) (*index, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if len(data) < 12+oidSize || string(data[:4]) != "DIRC" {
		return nil, errIndex
	}
	version, count := binary.BigEndian.Uint32(data[4:]), binary.BigEndian.Uint32(data[8:])
	if version != 2 && version != 3 || uint64(count)*uint64(42+oidSize) > uint64(len(data)) {
		return nil, errIndex
	}
	ix := &index{entries: make(map[string]indexEntry, count)}
	t := info.ModTime()
	ix.written = [2]uint32{uint32(t.Unix()), uint32(t.Nanosecond())}
	body := data[:len(data)-oidSize]
	text := string(body) // names and object names are parts of it, which saves millions of small copies
	at := 12
	for range count {
		fixed := 40 + oidSize + 2
		if at+fixed+1 > len(body) {
			return nil, errIndex
		}
		u := func(i int) uint32 { return binary.BigEndian.Uint32(body[at+i:]) }
		e := indexEntry{ctime: [2]uint32{u(0), u(4)}, mtime: [2]uint32{u(8), u(12)}, ino: u(20), mode: u(24), size: u(36), oid: text[at+40 : at+40+oidSize]}
		flags := binary.BigEndian.Uint16(body[at+40+oidSize:])
		if flags&0x4000 != 0 {
			fixed += 2
		}
		if flags&0x3000 != 0 { // a stage: an unmerged entry
			return nil, errIndex
		}
		end := at + fixed
		for end < len(body) && body[end] != 0 {
			end++
		}
		if end == len(body) {
			return nil, errIndex
		}
		ix.entries[text[at+fixed:end]] = e
		at += (end - at + 8) &^ 7 // one to eight NULs fill up to a multiple of eight
	}
	return ix, nil
}

// same reports whether a file surely still is what the entry says, by what only the kernel writes (the inode and
// the time of its last change). A file that changed in the tick in which the index was written counts as changed.
func (ix *index) same(e indexEntry, info fs.FileInfo) bool {
	st := statOf(info)
	return e.mode == gitMode(info.Mode()) && e.size == uint32(info.Size()) && e.ino == uint32(st.ino) && e.ctime == st.ctime && e.mtime == st.mtime && before(e.ctime, ix.written) && before(e.mtime, ix.written)
}

func before(a, b [2]uint32) bool { return a[0] < b[0] || a[0] == b[0] && a[1] < b[1] }

// gitMode is the mode that git gives a file; 0 for what it does not keep.
func gitMode(m fs.FileMode) uint32 {
	switch {
	case m&fs.ModeSymlink != 0:
		return 0o120000
	case m.IsRegular() && m&0o100 != 0:
		return 0o100755
	case m.IsRegular():
		return 0o100644
	}
	return 0
}

type fileStat struct {
	ino          uint64
	ctime, mtime [2]uint32
}
