package search

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A shard is
//
//	segment …  each: text blocks, trigram buckets, meta
//	directory  one entry a segment: where it is, its first path, its key
//	footer     where the directory is; fixed size, last
//
// A segment covers up to 256 files that follow each other in the order of paths, so that a set of its files
// is four machine words, and a component's files are a few neighbouring segments. A small repository is one
// segment, and its meta, the directory and the footer come with the first read, of the shard's tail.
// Every part carries a checksum, which is looked at on each read: damage is an error, never a wrong answer.
//
// All integers are little-endian.
const (
	formatVersion = 1
	segmentFiles  = 256
	segmentText   = 4 << 20  // a segment is closed once its text is larger
	blockText     = 16 << 10 // a block holds whole files and is closed once its text is larger
	bucketBytes   = 1 << 10  // aimed at
	maxBuckets    = 1 << 12
	tailBytes     = 16 << 10

	footerMagic = "gaggle shard\n\x00\x00\x00" // 16 bytes
	footerSize  = 16 + 4 + 4 + 8 + 4 + 4 + 3*8 + 4
	maxMeta     = 64 << 20 // a bound on what a damaged length can make us allocate
	maxDir      = 256 << 20
)

var (
	crcTable = crc32.MakeTable(crc32.Castagnoli)
	le       = binary.LittleEndian
)

// errCorrupt marks a shard that does not read back as it was written. The index answers by making it again.
var errCorrupt = errors.New("damaged shard")

func corrupt(what string) error { return fmt.Errorf("%w: %s", errCorrupt, what) }

// kind says how a file is kept.
type kind uint8

const (
	kindText   kind = iota // its text is searched
	kindBinary             // a NUL in its first 8,000 bytes
	kindHuge               // larger than Limits.FileBytes
	kindLink               // a symbolic link
	kindBeyond             // past Limits.TextBytes of the repository
	kindCount
)

// bitset is a set of files of one segment.
type bitset [segmentFiles / 64]uint64

func (s *bitset) add(i int)      { s[i>>6] |= 1 << (i & 63) }
func (s *bitset) remove(i int)   { s[i>>6] &^= 1 << (i & 63) }
func (s *bitset) has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }
func (s *bitset) empty() bool    { return s[0]|s[1]|s[2]|s[3] == 0 }

func (s bitset) and(t bitset) bitset {
	return bitset{s[0] & t[0], s[1] & t[1], s[2] & t[2], s[3] & t[3]}
}

func (s bitset) or(t bitset) bitset {
	return bitset{s[0] | t[0], s[1] | t[1], s[2] | t[2], s[3] | t[3]}
}

// span is the set of files from lo up to, not including, hi.
func span(lo, hi int) (s bitset) {
	for i := lo; i < hi; i++ {
		s.add(i)
	}
	return s
}

// Trigrams are stored by a key that is a permutation of them, so that equally many fall into each bucket; the bucket is the key's high bits.
const keyFactor = 0x9e3779b1 // odd, so multiplying by it permutes

func trigramKey(trigram uint32) uint32 { return trigram * keyFactor & 0xffffff }

// footer is the shard's end.
type footer struct {
	dirOffset uint64
	dirLen    uint32
	dirCRC    uint32
	segments  uint32
	stats     Stats
}

// Stats counts what a shard holds.
type Stats struct {
	Files    int   `json:"files"`
	Searched int   `json:"searched"` // files whose text is searched
	Text     int64 `json:"text"`     // their bytes
}

func (f footer) append(b []byte) []byte {
	start := len(b)
	b = append(b, footerMagic...)
	b = le.AppendUint32(b, formatVersion)
	b = le.AppendUint32(b, f.segments)
	b = le.AppendUint64(b, f.dirOffset)
	b = le.AppendUint32(b, f.dirLen)
	b = le.AppendUint32(b, f.dirCRC)
	b = le.AppendUint64(b, uint64(f.stats.Files))
	b = le.AppendUint64(b, uint64(f.stats.Searched))
	b = le.AppendUint64(b, uint64(f.stats.Text))
	return le.AppendUint32(b, crc32.Checksum(b[start:], crcTable))
}

func parseFooter(b []byte, size int64) (footer, error) {
	if len(b) != footerSize || string(b[:16]) != footerMagic {
		return footer{}, corrupt("no footer")
	}
	if crc32.Checksum(b[:footerSize-4], crcTable) != le.Uint32(b[footerSize-4:]) {
		return footer{}, corrupt("footer")
	}
	if le.Uint32(b[16:]) != formatVersion {
		return footer{}, corrupt("another version")
	}
	f := footer{
		segments: le.Uint32(b[20:]), dirOffset: le.Uint64(b[24:]), dirLen: le.Uint32(b[32:]), dirCRC: le.Uint32(b[36:]),
		stats: Stats{int(le.Uint64(b[40:])), int(le.Uint64(b[48:])), int64(le.Uint64(b[56:]))},
	}
	if f.dirLen > maxDir || f.dirOffset+uint64(f.dirLen)+footerSize != uint64(size) {
		return footer{}, corrupt("length")
	}
	return f, nil
}

// segmentRef is one entry of the directory.
type segmentRef struct {
	key     [16]byte // of the files' paths, modes and object ids: equal keys, equal segments
	offset  uint64
	textLen uint32
	postLen uint32
	metaLen uint32
	metaCRC uint32
	files   uint32
	first   string // path of the first file
}

const refFixed = 16 + 8 + 5*4 + 2

func (r segmentRef) size() int64 { return int64(r.textLen) + int64(r.postLen) + int64(r.metaLen) }

func (r segmentRef) append(b []byte) []byte {
	b = append(b, r.key[:]...)
	b = le.AppendUint64(b, r.offset)
	for _, v := range []uint32{r.textLen, r.postLen, r.metaLen, r.metaCRC, r.files} {
		b = le.AppendUint32(b, v)
	}
	b = le.AppendUint16(b, uint16(len(r.first)))
	return append(b, r.first...)
}

func parseDirectory(b []byte, f footer) ([]segmentRef, error) {
	if crc32.Checksum(b, crcTable) != f.dirCRC {
		return nil, corrupt("directory")
	}
	if uint64(f.segments)*refFixed > uint64(len(b)) {
		return nil, corrupt("directory length")
	}
	refs := make([]segmentRef, 0, f.segments)
	for range f.segments {
		if len(b) < refFixed {
			return nil, corrupt("directory length")
		}
		r := segmentRef{
			key: [16]byte(b), offset: le.Uint64(b[16:]), textLen: le.Uint32(b[24:]), postLen: le.Uint32(b[28:]),
			metaLen: le.Uint32(b[32:]), metaCRC: le.Uint32(b[36:]), files: le.Uint32(b[40:]),
		}
		n := int(le.Uint16(b[44:]))
		b = b[refFixed:]
		if n > len(b) || r.metaLen > maxMeta || r.files == 0 || r.files > segmentFiles || r.offset > f.dirOffset ||
			r.offset+uint64(r.size()) > f.dirOffset {
			return nil, corrupt("directory entry")
		}
		r.first, b = string(b[:n]), b[n:]
		refs = append(refs, r)
	}
	if len(b) != 0 {
		return nil, corrupt("directory length")
	}
	return refs, nil
}

// block is a run of whole files, compressed together.
type block struct {
	firstFile uint16 // the block's files are the text files from here up to the next block's first
	offset    uint32 // in the segment's text
	length    uint32 // compressed
	raw       uint32
	crc       uint32 // of the compressed bytes
}

// bucket is the trigrams whose keys share their high bits.
type bucket struct {
	offset uint32 // in the segment's buckets
	length uint32
	crc    uint32
}

// meta is what a segment says of its files. Paths are parts of one string.
type meta struct {
	paths   []string
	kinds   []kind
	sizes   []uint32 // of the text, 0 for what is not text
	blocks  []block
	buckets []bucket // a power of two, or none
}

// A bucket is a list of entries in the order of keys: the key (3 bytes), the number of files less one, and
// then either each file (1 byte) or, above listMax, a bitset.
const (
	entryFixed = 4
	listMax    = segmentFiles / 8
)

func (m *meta) append(b []byte) []byte {
	b = le.AppendUint16(b, uint16(len(m.paths)))
	b = le.AppendUint16(b, uint16(len(m.blocks)))
	b = le.AppendUint16(b, uint16(len(m.buckets)))
	for i, p := range m.paths {
		b = le.AppendUint16(b, uint16(len(p)))
		b = append(b, byte(m.kinds[i]))
		b = le.AppendUint32(b, m.sizes[i])
	}
	for _, k := range m.blocks {
		b = le.AppendUint16(b, k.firstFile)
		for _, v := range []uint32{k.length, k.raw, k.crc} {
			b = le.AppendUint32(b, v)
		}
	}
	for _, k := range m.buckets {
		b = le.AppendUint32(b, k.length)
		b = le.AppendUint32(b, k.crc)
	}
	for _, p := range m.paths {
		b = append(b, p...)
	}
	return b
}

func parseMeta(b []byte, r segmentRef) (*meta, error) {
	if crc32.Checksum(b, crcTable) != r.metaCRC {
		return nil, corrupt("segment")
	}
	if len(b) < 6 {
		return nil, corrupt("segment length")
	}
	files, blocks, buckets := int(le.Uint16(b)), int(le.Uint16(b[2:])), int(le.Uint16(b[4:]))
	fixed := 6 + files*7 + blocks*14 + buckets*8
	if files != int(r.files) || len(b) < fixed || buckets&(buckets-1) != 0 || blocks > files {
		return nil, corrupt("segment length")
	}
	text := string(b[fixed:])
	m := &meta{paths: make([]string, files), kinds: make([]kind, files), sizes: make([]uint32, files),
		blocks: make([]block, blocks), buckets: make([]bucket, buckets)}
	b = b[6:]
	at := 0
	for i := range files {
		n := int(le.Uint16(b))
		if at+n > len(text) || kind(b[2]) >= kindCount {
			return nil, corrupt("segment paths")
		}
		m.paths[i], m.kinds[i], m.sizes[i] = text[at:at+n], kind(b[2]), le.Uint32(b[3:])
		at += n
		b = b[7:]
	}
	var offset uint64
	for i := range blocks {
		k := block{le.Uint16(b), uint32(offset), le.Uint32(b[2:]), le.Uint32(b[6:]), le.Uint32(b[10:])}
		if offset += uint64(k.length); offset > uint64(r.textLen) || k.raw > blockText+segmentText || int(k.firstFile) >= files || i > 0 && k.firstFile <= m.blocks[i-1].firstFile {
			return nil, corrupt("segment blocks")
		}
		m.blocks[i] = k
		b = b[14:]
	}
	offset = 0
	for i := range buckets {
		k := bucket{uint32(offset), le.Uint32(b), le.Uint32(b[4:])}
		if offset += uint64(k.length); offset > uint64(r.postLen) {
			return nil, corrupt("segment buckets")
		}
		m.buckets[i] = k
		b = b[8:]
	}
	return m, nil
}
