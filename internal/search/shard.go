package search

import (
	"hash/crc32"
	"io"
	"math/bits"
	"os"
	"sort"
	"sync"

	"github.com/klauspost/compress/s2"
)

// shard is one opened shard file. It is used by one goroutine.
//
// It is read with pread and never mapped into memory: a file that shrinks under a map kills the process.
type shard struct {
	file    *os.File
	footer  footer
	refs    []segmentRef
	tail    []byte // the file's last bytes
	tailAt  int64
	scratch *scratch
	cache   map[int]*segment

	rawOf    *segment // whose block's text is in scratch.raw
	rawBlock int
}

// scratch is memory that one search after another uses.
type scratch struct {
	tail, buf, comp, raw []byte
}

var scratches = sync.Pool{New: func() any { return &scratch{tail: make([]byte, tailBytes)} }}

const maxScratch = 1 << 20 // larger ones are not kept

// cachedSegments bounds the memory of a search through a large repository, whose components are visited in the order of paths.
const cachedSegments = 32

func openShard(path string) (*shard, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &shard{file: file, scratch: scratches.Get().(*scratch)}
	if err := s.readTail(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *shard) readTail() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	n := min(size, tailBytes)
	s.tail, s.tailAt = s.scratch.tail[:n], size-n
	if n < footerSize {
		return corrupt("too short")
	}
	if err := readAt(s.file, s.tail, s.tailAt); err != nil {
		return err
	}
	if s.footer, err = parseFooter(s.tail[n-footerSize:], size); err != nil {
		return err
	}
	dir, err := s.bytes(int64(s.footer.dirOffset), int(s.footer.dirLen))
	if err != nil {
		return err
	}
	s.refs, err = parseDirectory(dir, s.footer)
	return err
}

func (s *shard) close() {
	s.file.Close()
	if s.scratch != nil && cap(s.scratch.buf)+cap(s.scratch.comp)+cap(s.scratch.raw) <= maxScratch {
		scratches.Put(s.scratch)
	}
	s.scratch = nil
}

// bytes returns part of the file, out of the tail when it lies there. It is valid until the next call.
func (s *shard) bytes(offset int64, n int) ([]byte, error) {
	if offset >= s.tailAt {
		from := offset - s.tailAt
		return s.tail[from : from+int64(n)], nil
	}
	if cap(s.scratch.buf) < n {
		s.scratch.buf = make([]byte, n, max(n, 64<<10))
	}
	buf := s.scratch.buf[:n]
	return buf, readAt(s.file, buf, offset)
}

func readAt(f *os.File, buf []byte, offset int64) error {
	if _, err := f.ReadAt(buf, offset); err == io.EOF {
		return corrupt("too short")
	} else if err != nil {
		return err
	}
	return nil
}

func (s *shard) meta(r segmentRef) (*meta, error) {
	b, err := s.bytes(int64(r.offset)+int64(r.textLen)+int64(r.postLen), int(r.metaLen))
	if err != nil {
		return nil, err
	}
	return parseMeta(b, r)
}

// segment is one parsed segment with what was found out about it for the query at hand.
type segment struct {
	*meta
	shard      *shard
	ref        segmentRef
	text       bitset  // the files that have text
	candidates *bitset // those that may match the query's expression; nil when not asked yet
}

func (s *shard) segment(i int) (*segment, error) {
	if g, ok := s.cache[i]; ok {
		return g, nil
	}
	m, err := s.meta(s.refs[i])
	if err != nil {
		return nil, err
	}
	g := &segment{meta: m, shard: s, ref: s.refs[i]}
	for f, k := range m.kinds {
		if k == kindText {
			g.text.add(f)
		}
	}
	if len(s.refs) > 1 {
		if s.cache == nil || len(s.cache) >= cachedSegments {
			s.cache = map[int]*segment{}
		}
		s.cache[i] = g
	}
	return g, nil
}

// below returns the range of segments that may hold files with the prefix, which is "" or ends with a slash.
func (s *shard) below(prefix string) (lo, hi int) {
	if prefix == "" {
		return 0, len(s.refs)
	}
	end := prefix[:len(prefix)-1] + "0" // "0" follows "/"
	lo = sort.Search(len(s.refs), func(i int) bool { return s.refs[i].first > prefix })
	hi = sort.Search(len(s.refs), func(i int) bool { return s.refs[i].first >= end })
	return max(0, lo-1), hi
}

// below returns the segment's files with the prefix.
func (g *segment) below(prefix string) bitset {
	if prefix == "" {
		return span(0, len(g.paths))
	}
	end := prefix[:len(prefix)-1] + "0"
	return span(sort.SearchStrings(g.paths, prefix), sort.SearchStrings(g.paths, end))
}

// having returns the files that hold the trigram.
func (g *segment) having(trigram uint32) (bitset, error) {
	var set bitset
	if len(g.buckets) == 0 {
		return set, nil
	}
	key := trigramKey(trigram)
	k := g.buckets[uint64(key)>>(24-bits.TrailingZeros(uint(len(g.buckets))))]
	if k.length == 0 {
		return set, nil
	}
	b, err := g.shard.bytes(int64(g.ref.offset)+int64(g.ref.textLen)+int64(k.offset), int(k.length))
	if err != nil {
		return set, err
	}
	if crc32.Checksum(b, crcTable) != k.crc {
		return set, corrupt("trigrams")
	}
	for len(b) >= entryFixed {
		at := uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
		count := int(b[3]) + 1
		n := count
		if count > listMax {
			n = segmentFiles / 8
		}
		b = b[entryFixed:]
		if len(b) < n || at > key {
			break
		}
		if at < key {
			b = b[n:]
			continue
		}
		if count > listMax {
			for i := range set {
				set[i] = le.Uint64(b[8*i:])
			}
			return set, nil
		}
		for _, f := range b[:n] {
			set.add(int(f))
		}
		return set, nil
	}
	return set, nil
}

// holding returns those of the files that may fulfil the condition.
func (g *segment) holding(n *need, among bitset) (bitset, error) {
	if n == nil {
		return among, nil
	}
	for _, t := range n.trigrams {
		set, err := g.having(t)
		if err != nil {
			return among, err
		}
		if among = among.and(set); among.empty() {
			return among, nil
		}
	}
	for _, alternatives := range n.any {
		var either bitset
		for _, alt := range alternatives {
			set, err := g.holding(alt, among)
			if err != nil {
				return among, err
			}
			either = either.or(set)
		}
		if among = among.and(either); among.empty() {
			return among, nil
		}
	}
	return among, nil
}

// content returns the text of a file, which must be one with text. It is valid until the next call.
func (g *segment) content(file int) ([]byte, error) {
	if g.sizes[file] == 0 {
		return nil, nil
	}
	i := sort.Search(len(g.blocks), func(i int) bool { return int(g.blocks[i].firstFile) > file }) - 1
	if i < 0 {
		return nil, corrupt("blocks")
	}
	k := g.blocks[i]
	if g.shard.rawOf != g || g.shard.rawBlock != i {
		if err := g.unpack(k); err != nil {
			g.shard.rawOf = nil
			return nil, err
		}
		g.shard.rawOf, g.shard.rawBlock = g, i
	}
	start := 0
	for f := int(k.firstFile); f < file; f++ {
		start += int(g.sizes[f])
	}
	end := start + int(g.sizes[file])
	if end > len(g.shard.scratch.raw) {
		return nil, corrupt("text length")
	}
	return g.shard.scratch.raw[start:end], nil
}

// unpack reads a block's text into scratch.raw.
func (g *segment) unpack(k block) error {
	sc := g.shard.scratch
	if cap(sc.comp) < int(k.length) {
		sc.comp = make([]byte, max(int(k.length), 64<<10))
	}
	comp := sc.comp[:k.length]
	if err := readAt(g.shard.file, comp, int64(g.ref.offset)+int64(k.offset)); err != nil {
		return err
	}
	n, err := s2.DecodedLen(comp)
	if crc32.Checksum(comp, crcTable) != k.crc || err != nil || n != int(k.raw) {
		return corrupt("text")
	}
	if sc.raw, err = s2.Decode(sc.raw[:cap(sc.raw)], comp); err != nil {
		return corrupt("text")
	}
	return nil
}
