package search

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"math/bits"

	"github.com/klauspost/compress/s2"

	"gaggle/internal/fleet"
)

// Limits bounds what one repository may put into its shard. They are part of a shard's name: another limit, another shard.
type Limits struct {
	// FileBytes is the largest file whose content is searched. Defaults to 1 MiB.
	FileBytes int64
	// TextBytes is how much text of one repository is searched, in the order of paths. Defaults to 4 GiB.
	TextBytes int64
	// Files is how many files a repository may have; one with more is refused. Defaults to 4,000,000.
	Files int
}

func (l Limits) withDefaults() Limits {
	if l.FileBytes <= 0 {
		l.FileBytes = 1 << 20
	}
	l.FileBytes = min(l.FileBytes, segmentText)
	if l.TextBytes <= 0 {
		l.TextBytes = 4 << 30
	}
	if l.Files <= 0 {
		l.Files = 4_000_000
	}
	return l
}

// builder writes one shard, a segment at a time; its memory is that of one segment.
type builder struct {
	limits Limits
	out    *bufio.Writer
	offset uint64
	refs   []segmentRef
	stats  Stats
	old    *shard                  // the shard of an earlier tree, whose equal segments are copied; may be nil
	oldBy  map[[16]byte]segmentRef // its segments

	batch []File
	size  int64 // text that the batch may come to
	last  string

	m     meta
	text  []byte   // of the block being filled
	comp  []byte   // compressed blocks of the segment
	pairs []uint32 // key<<8 | file
	spare []uint32
	seen  []uint64 // one bit a trigram
	buf   []byte
}

func newBuilder(w io.Writer, limits Limits, old *shard) *builder {
	b := &builder{limits: limits, out: bufio.NewWriterSize(w, 256<<10), old: old, seen: make([]uint64, 1<<24/64)}
	if old != nil {
		b.oldBy = make(map[[16]byte]segmentRef, len(old.refs))
		for _, r := range old.refs {
			b.oldBy[r.key] = r
		}
	}
	return b
}

// build writes the shard of a tree. A hostile tree, unsorted or with a path twice, is refused.
func (b *builder) build(ctx context.Context, tree Tree) (Stats, error) {
	for f, err := range tree.Files() {
		if err != nil {
			return Stats{}, err
		}
		if err := ctx.Err(); err != nil {
			return Stats{}, err
		}
		if f.Mode == "160000" || f.Mode == "40000" || f.Mode == "040000" {
			continue
		}
		if f.Path == "" || len(f.Path) > 1<<15 || b.stats.Files > 0 && f.Path <= b.last {
			return Stats{}, fleet.Errorf(fleet.CodeUnsafeTree, "the tree's paths are out of order, double or too long at %s", quote(f.Path))
		}
		b.last = f.Path
		if b.stats.Files++; b.stats.Files > b.limits.Files {
			return Stats{}, &fleet.Error{Code: fleet.CodeUnsafeTree, Message: fmt.Sprintf("the tree has more than %d files", b.limits.Files)}
		}
		b.batch = append(b.batch, f)
		if f.Size <= b.limits.FileBytes {
			b.size += max(0, f.Size)
		}
		if len(b.batch) == segmentFiles || b.size > segmentText || len(b.batch) >= segmentFiles/2 && cutsAfter(f.Path) {
			if err := b.flush(ctx, tree); err != nil {
				return Stats{}, err
			}
		}
	}
	if err := b.flush(ctx, tree); err != nil {
		return Stats{}, err
	}
	return b.stats, b.finish()
}

// cutsAfter ends a segment early at some paths, whatever comes before, so that a file added in front does
// not move the borders of every segment behind it and most segments of a changed tree equal the old ones.
func cutsAfter(path string) bool {
	h := fnv.New32a()
	io.WriteString(h, path)
	return h.Sum32()>>8&63 == 0
}

func (b *builder) flush(ctx context.Context, tree Tree) error {
	if len(b.batch) == 0 {
		return nil
	}
	defer func() { b.batch, b.size = b.batch[:0], 0 }()
	ref := segmentRef{key: b.segmentKey(), offset: b.offset, files: uint32(len(b.batch)), first: b.batch[0].Path}
	if copied, err := b.copyOld(ref); copied || err != nil {
		return err
	}
	b.m = meta{paths: b.m.paths[:0], kinds: b.m.kinds[:0], sizes: b.m.sizes[:0], blocks: b.m.blocks[:0], buckets: b.m.buckets[:0]}
	b.text, b.comp, b.pairs = b.text[:0], b.comp[:0], b.pairs[:0]
	if err := b.readBatch(tree); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	b.closeBlock()
	post := b.buckets()
	b.buf = b.m.append(b.buf[:0])
	ref.textLen, ref.postLen, ref.metaLen = uint32(len(b.comp)), uint32(len(post)), uint32(len(b.buf))
	ref.metaCRC = crc32.Checksum(b.buf, crcTable)
	b.refs = append(b.refs, ref)
	return b.write(b.comp, post, b.buf)
}

// segmentKey names the batch by all that goes into its segment. Whether text still fits into Limits.TextBytes goes in too.
func (b *builder) segmentKey() [16]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d %d\n", formatVersion, b.limits.FileBytes, max(0, min(b.limits.TextBytes-b.stats.Text, 2*segmentText)))
	for _, f := range b.batch {
		fmt.Fprintf(h, "%s %s %d %s\x00", f.Mode, f.OID, f.Size, f.Path)
	}
	return [16]byte(h.Sum(nil))
}

// copyOld takes an equal segment over from the shard of the earlier tree. A segment of it that cannot be read is made anew.
func (b *builder) copyOld(ref segmentRef) (bool, error) {
	old, ok := b.oldBy[ref.key]
	if !ok {
		return false, nil
	}
	m, err := b.old.meta(old)
	if err != nil {
		return false, nil
	}
	whole := make([]byte, old.size())
	if _, err := b.old.file.ReadAt(whole, int64(old.offset)); err != nil || !m.intact(whole, old) {
		return false, nil
	}
	for i, k := range m.kinds {
		if k == kindText {
			b.stats.Searched++
			b.stats.Text += int64(m.sizes[i])
		}
	}
	old.offset = b.offset
	b.refs = append(b.refs, old)
	return true, b.write(whole)
}

// intact checks every part of a whole segment against the checksums in its meta.
func (m *meta) intact(whole []byte, r segmentRef) bool {
	for _, k := range m.blocks {
		if crc32.Checksum(whole[k.offset:k.offset+k.length], crcTable) != k.crc {
			return false
		}
	}
	post := whole[r.textLen:]
	for _, k := range m.buckets {
		if crc32.Checksum(post[k.offset:k.offset+k.length], crcTable) != k.crc {
			return false
		}
	}
	return true
}

// readBatch adds the files of the batch, with the text of those that are searched.
func (b *builder) readBatch(tree Tree) error {
	kinds := make([]kind, len(b.batch))
	var oids []string
	room := b.limits.TextBytes - b.stats.Text
	for i, f := range b.batch {
		switch {
		case f.Mode == "120000":
			kinds[i] = kindLink
		case f.Size > b.limits.FileBytes:
			kinds[i] = kindHuge
		case f.Size > room:
			kinds[i] = kindBeyond
		default:
			room -= f.Size
			oids = append(oids, f.OID)
		}
	}
	next := 0
	without := func(end int) { // adds the files before end that are not read
		for ; next < end; next++ {
			b.add(next, b.batch[next].Path, kinds[next], nil)
		}
	}
	err := tree.Read(oids, b.limits.FileBytes, func(_ int, text []byte) error {
		end := next
		for kinds[end] != kindText {
			end++
		}
		without(end)
		switch {
		case text == nil:
			kinds[end] = kindHuge
		case bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0:
			kinds[end], text = kindBinary, nil
		}
		b.add(end, b.batch[end].Path, kinds[end], text)
		next = end + 1
		return nil
	})
	if err != nil {
		return err
	}
	without(len(b.batch))
	return nil
}

func (b *builder) add(i int, path string, k kind, text []byte) {
	b.m.paths = append(b.m.paths, path)
	b.m.kinds = append(b.m.kinds, k)
	b.m.sizes = append(b.m.sizes, uint32(len(text)))
	if k != kindText {
		return
	}
	b.stats.Searched++
	b.stats.Text += int64(len(text))
	if len(text) == 0 {
		return
	}
	if len(b.text) == 0 {
		b.m.blocks = append(b.m.blocks, block{firstFile: uint16(i)})
	}
	b.text = append(b.text, text...)
	start := len(b.pairs)
	eachTrigram(text, func(t uint32) {
		if b.seen[t>>6]&(1<<(t&63)) == 0 {
			b.seen[t>>6] |= 1 << (t & 63)
			b.pairs = append(b.pairs, t<<8|uint32(i))
		}
	})
	for j, p := range b.pairs[start:] {
		t := p >> 8
		b.seen[t>>6] = 0
		b.pairs[start+j] = trigramKey(t)<<8 | uint32(i)
	}
	if len(b.text) >= blockText {
		b.closeBlock()
	}
}

func (b *builder) closeBlock() {
	if len(b.text) == 0 {
		return
	}
	packed := s2.Encode(nil, b.text)
	k := &b.m.blocks[len(b.m.blocks)-1]
	k.length, k.raw, k.crc = uint32(len(packed)), uint32(len(b.text)), crc32.Checksum(packed, crcTable)
	b.comp = append(b.comp, packed...)
	b.text = b.text[:0]
}

// buckets writes the pairs out by key and adds the buckets to the meta.
func (b *builder) buckets() []byte {
	if len(b.pairs) == 0 {
		return nil
	}
	b.sortPairs()
	n := 1
	for n < maxBuckets && n*bucketBytes < 2*len(b.pairs) { // an entry of few files costs 4 bytes and one a file
		n *= 2
	}
	shift := 32 - bits.TrailingZeros(uint(n)) // from a pair to its bucket
	var out []byte
	pairs := b.pairs
	for i := range n {
		start := len(out)
		for len(pairs) > 0 && int(uint64(pairs[0])>>shift) == i {
			key := pairs[0] >> 8
			count := 1
			for count < len(pairs) && pairs[count]>>8 == key {
				count++
			}
			out = append(out, byte(key>>16), byte(key>>8), byte(key), byte(count-1))
			if count <= listMax {
				for _, p := range pairs[:count] {
					out = append(out, byte(p))
				}
			} else {
				var set bitset
				for _, p := range pairs[:count] {
					set.add(int(p & 0xff))
				}
				for _, w := range set {
					out = le.AppendUint64(out, w)
				}
			}
			pairs = pairs[count:]
		}
		b.m.buckets = append(b.m.buckets, bucket{uint32(start), uint32(len(out) - start), crc32.Checksum(out[start:], crcTable)})
	}
	return out
}

// sortPairs sorts by key with three passes of a radix sort. Files of one key are in order already, and the passes are stable.
func (b *builder) sortPairs() {
	if cap(b.spare) < len(b.pairs) {
		b.spare = make([]uint32, cap(b.pairs))
	}
	from, to := b.pairs, b.spare[:len(b.pairs)]
	for shift := 8; shift < 32; shift += 8 {
		var at [256]int
		for _, p := range from {
			at[p>>shift&0xff]++
		}
		sum := 0
		for i, n := range at {
			at[i], sum = sum, sum+n
		}
		for _, p := range from {
			d := p >> shift & 0xff
			to[at[d]] = p
			at[d]++
		}
		from, to = to, from
	}
	b.pairs, b.spare = from, to
}

func (b *builder) write(parts ...[]byte) error {
	for _, p := range parts {
		if _, err := b.out.Write(p); err != nil {
			return err
		}
		b.offset += uint64(len(p))
	}
	return nil
}

func (b *builder) finish() error {
	var dir []byte
	for _, r := range b.refs {
		dir = r.append(dir)
	}
	f := footer{dirOffset: b.offset, dirLen: uint32(len(dir)), dirCRC: crc32.Checksum(dir, crcTable), segments: uint32(len(b.refs)), stats: b.stats}
	if err := b.write(dir, f.append(nil)); err != nil {
		return err
	}
	return b.out.Flush()
}
