package judge

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// diff is a unified diff taken apart so that it can be cut at good places. Nothing of its bytes is dropped: text that
// is in no file's section stands in one without a name.
type diff struct{ files []file }

type file struct {
	name    string // on the new side, or the old one when the file is deleted; as git writes it
	head    []byte // from "diff --git" to the first hunk
	hunks   []hunk
	added   int
	deleted int
}

type hunk struct {
	text []byte // with its "@@" line
	from int    // first line on the new side
	to   int    // last line on the new side
}

// readDiff takes a diff apart. It trusts the line counts of hunk headers only as far as the lines bear them out, so a
// line of content that looks like a header does not begin anything.
func readDiff(text []byte) diff {
	var d diff
	var old, fresh int // lines that the hunk still has on each side
	binary := false
	for len(text) > 0 {
		n := bytes.IndexByte(text, '\n') + 1
		if n == 0 {
			n = len(text)
		}
		line := text[:n]
		text = text[n:]
		if len(d.files) == 0 {
			d.files = append(d.files, file{})
		}
		f := &d.files[len(d.files)-1]
		switch {
		case (old > 0 || fresh > 0) && len(line) > 0 && (line[0] == '+' || line[0] == '-' || line[0] == ' ' || line[0] == '\n' || line[0] == '\r'):
			switch line[0] {
			case '+':
				fresh--
				f.added++
			case '-':
				old--
				f.deleted++
			default:
				old, fresh = old-1, fresh-1
			}
			f.hunks[len(f.hunks)-1].text = append(f.hunks[len(f.hunks)-1].text, line...)
		case line[0] == '\\' && len(f.hunks) > 0:
			f.hunks[len(f.hunks)-1].text = append(f.hunks[len(f.hunks)-1].text, line...)
		case bytes.HasPrefix(line, []byte("diff --git ")):
			old, fresh, binary = 0, 0, false
			if len(f.head)+len(f.hunks) > 0 {
				d.files = append(d.files, file{})
				f = &d.files[len(d.files)-1]
			}
			f.head = append(f.head, line...)
			f.name = gitName(string(line))
		case bytes.HasPrefix(line, []byte("@@ ")) && !binary:
			var from, count int
			old, from, count = hunkCounts(string(line))
			fresh = count
			f.hunks = append(f.hunks, hunk{text: bytes.Clone(line), from: from, to: from + max(count, 1) - 1})
		case len(f.hunks) > 0: // no line that a hunk could hold: kept where it stands
			old, fresh = 0, 0
			f.hunks[len(f.hunks)-1].text = append(f.hunks[len(f.hunks)-1].text, line...)
		default:
			if bytes.HasPrefix(line, []byte("GIT binary patch")) {
				binary = true
			}
			f.head = append(f.head, line...)
			f.rename(string(line))
		}
	}
	return d
}

// hunkCounts reads "@@ -1,2 +3,4 @@": the lines on the old side, the first line on the new side and the lines there.
func hunkCounts(line string) (old, from, fresh int) {
	fields := strings.Fields(line)
	if len(fields) < 3 {
		return 0, 0, 0
	}
	_, old = hunkRange(fields[1])
	from, fresh = hunkRange(fields[2])
	return old, from, fresh
}

func hunkRange(text string) (from, count int) {
	a, b, both := strings.Cut(strings.TrimLeft(text, "+-"), ",")
	from, _ = strconv.Atoi(a)
	if count = 1; both {
		count, _ = strconv.Atoi(b)
	}
	return from, max(0, count)
}

// gitName reads the name on the new side of "diff --git a/x b/x".
func gitName(line string) string {
	line = strings.TrimRight(line, "\r\n")
	if i := strings.LastIndex(line, ` "b/`); i >= 0 && strings.HasSuffix(line, `"`) {
		return unquote(line[i+1:])
	}
	rest := strings.TrimPrefix(line, "diff --git ")
	// Both sides are the same name unless the file moved; then "rename to" says more.
	if n := (len(rest) - 1) / 2; len(rest)%2 == 1 && n > 2 && rest[n] == ' ' && strings.TrimPrefix(rest[:n], "a/") == strings.TrimPrefix(rest[n+1:], "b/") {
		return strings.TrimPrefix(rest[n+1:], "b/")
	}
	if i := strings.LastIndex(rest, " b/"); i >= 0 {
		return rest[i+3:]
	}
	return rest
}

// rename takes the name from the lines of a section's head that say it plainly.
func (f *file) rename(line string) {
	line = strings.TrimRight(line, "\r\n\t")
	for _, prefix := range []string{"rename to ", "copy to ", "+++ "} {
		if name, ok := strings.CutPrefix(line, prefix); ok && name != "/dev/null" {
			f.name = unquote(name)
		}
	}
}

// unquote reads a name as git writes it, without the side's "b/".
func unquote(name string) string {
	if strings.HasPrefix(name, `"`) {
		if plain, err := strconv.Unquote(name); err == nil {
			name = plain
		}
	}
	return strings.TrimPrefix(name, "b/")
}

// part is a stretch of the diff that goes into one request. The texts of all parts, put together, are the diff.
type part struct {
	text    []byte
	context string // where it goes on, when it begins inside a file
}

// split cuts the diff into parts that take at most size bytes each when shown: between files where they fit, else
// between hunks, else between lines, else inside a line.
func (d diff) split(size int) []part {
	var parts []part
	var now part
	room := size
	flush := func() {
		if len(now.text) > 0 {
			parts = append(parts, now)
		}
		now, room = part{}, size
	}
	for _, f := range d.files {
		if whole := f.width(); whole > room && whole <= size {
			flush()
		}
		add := func(piece []byte, context string) {
			w := width(piece)
			if w > room {
				flush()
			}
			if len(now.text) == 0 {
				now.context = context
			}
			now.text = append(now.text, piece...)
			room -= w
		}
		for i, piece := range cut(f.head, size) {
			add(piece, f.goesOn(i > 0, nil, false))
		}
		for _, h := range f.hunks {
			pieces := cut(h.text, size)
			for i, piece := range pieces {
				middle := i > 0 && !bytes.HasSuffix(pieces[i-1], []byte("\n"))
				if i == 0 {
					add(piece, f.goesOn(len(f.head) > 0, nil, false))
				} else {
					add(piece, f.goesOn(true, h.text, middle))
				}
			}
		}
	}
	flush()
	return parts
}

// maxContext is how much of a file's head and of a hunk's first line is repeated.
const maxContext = 500

// goesOn says in words where a part begins; nothing when it begins with a file.
func (f file) goesOn(inside bool, hunk []byte, middle bool) string {
	if !inside {
		return ""
	}
	s := "The diff goes on from the part before, in this file:\n" + clip(string(f.head), maxContext)
	if hunk != nil {
		line, _, _ := bytes.Cut(hunk, []byte("\n"))
		s += "in the middle of this hunk:\n" + clip(string(line), maxContext) + "\n"
	}
	if middle {
		s += "and in the middle of a line.\n"
	}
	return s
}

// width is how many bytes visible makes of a text, or a few more.
func width(text []byte) int {
	n := 0
	for i := 0; i < len(text); {
		w, size := runeWidth(text[i:])
		n, i = n+w, i+size
	}
	return n
}

func runeWidth(text []byte) (width, size int) {
	if c := text[0]; c >= ' ' && c < 0x7f && c != '\\' || c == '\n' || c == '\t' {
		return 1, 1
	}
	r, size := utf8.DecodeRune(text)
	if seen(r, size) {
		return size + 1, size
	}
	return len(`\u{10ffff}`), size
}

func (f file) width() int {
	n := width(f.head)
	for _, h := range f.hunks {
		n += width(h.text)
	}
	return n
}

// cut cuts a text into pieces of at most size bytes when shown, after a line where there is one and never inside a
// character.
func cut(text []byte, size int) [][]byte {
	var pieces [][]byte
	for len(text) > 0 {
		n, shown, line := 0, 0, 0
		for n < len(text) {
			w, size1 := runeWidth(text[n:])
			if shown+w > size && n > 0 {
				break
			}
			shown, n = shown+w, n+size1
			if text[n-1] == '\n' {
				line = n
			}
		}
		if n < len(text) && line > 0 {
			n = line
		}
		pieces, text = append(pieces, text[:n]), text[n:]
	}
	return pieces
}

// outline lists the files of the diff, so that a part is read as part of a whole.
func (d diff) outline() string {
	var b strings.Builder
	for i, f := range d.files {
		if i == maxOutline {
			fmt.Fprintf(&b, "… and %d more files\n", len(d.files)-i)
			break
		}
		fmt.Fprintf(&b, "%s (+%d -%d)\n", clip(f.name, 300), f.added, f.deleted)
	}
	return b.String()
}

// maxOutline is how many files an outline names. The diff itself shows them all.
const maxOutline = 400
