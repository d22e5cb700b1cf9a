package guard

import (
	"bytes"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/bluekeyes/go-gitdiff/gitdiff"

	"gaggle/internal/fleet"
)

// Git's own file modes, as go-gitdiff hands them on.
const (
	modeType    fs.FileMode = 0o170000
	modeLink    fs.FileMode = 0o120000
	modeModule  fs.FileMode = 0o160000
	modeExecute fs.FileMode = 0o111
)

// wholeLimit is the size up to which a file is read as a whole; past it only the lines of its hunks are.
const wholeLimit = 2 << 20

// block is a run of consecutive lines of one side of a file.
type block struct {
	first   int      // line number of lines[0], 1-based
	lines   []string // without line ends
	heading string   // the line that git shows after @@, when the block is one hunk of a larger file
}

// side is what is known of a file before or after the change: all of it, or the lines around its hunks.
type side struct {
	blocks []block
	whole  bool
}

// line is one line with its number.
type line struct {
	num  int
	text string
}

// change is one file of the diff.
type change struct {
	oldPath, newPath string // "" when the side does not exist
	oldMode, newMode fs.FileMode
	renamed, copied  bool
	binary           bool
	fragments        []*gitdiff.TextFragment
	added, removed   []line // added on the new side's numbers, removed on the old side's
	before, after    side
	addedBytes       int
}

// path is the name that findings use: the new one, or the old one of a deleted file.
func (c *change) path() string {
	if c.newPath != "" {
		return c.newPath
	}
	return c.oldPath
}

func (c *change) isNew() bool     { return c.oldPath == "" }
func (c *change) isDeleted() bool { return c.newPath == "" }

// paths lists the one or two names that the change touches.
func (c *change) paths() []string {
	switch {
	case c.oldPath == "" || c.oldPath == c.newPath:
		return []string{c.newPath}
	case c.newPath == "":
		return []string{c.oldPath}
	case c.copied:
		return []string{c.newPath}
	}
	return []string{c.oldPath, c.newPath}
}

// newLineNear maps a line of the old side to the nearest line of the new side.
func (c *change) newLineNear(old int) int {
	shift := 0
	for _, f := range c.fragments {
		if int64(old) < f.OldPosition {
			break
		}
		if int64(old) < f.OldPosition+f.OldLines {
			o, n := int(f.OldPosition), int(f.NewPosition)
			for _, l := range f.Lines {
				if l.Old() {
					if o == old {
						return max(n, 1)
					}
					o++
				}
				if l.New() {
					n++
				}
			}
		}
		shift = int(f.NewPosition + f.NewLines - f.OldPosition - f.OldLines)
	}
	return max(old+shift, 1)
}

// parse reads a git diff and, with base, completes both sides of each changed text file.
func parse(diff []byte, base func(string) []byte) ([]*change, error) {
	files, preamble, err := gitdiff.Parse(bytes.NewReader(diff))
	if err == nil && len(files) == 0 && strings.TrimSpace(preamble) != "" {
		err = &fleet.Error{Code: fleet.CodeInvalid, Message: "no file in it"}
	}
	if err != nil {
		return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: "the diff cannot be read", Hint: "give it as git diff --binary --full-index prints it", Err: err}
	}
	changes := make([]*change, 0, len(files))
	for _, f := range files {
		c := &change{oldPath: f.OldName, newPath: f.NewName, oldMode: f.OldMode, newMode: f.NewMode,
			renamed: f.IsRename, copied: f.IsCopy, binary: f.IsBinary, fragments: f.TextFragments}
		if f.IsNew {
			c.oldPath = ""
		}
		if f.IsDelete {
			c.newPath = ""
		}
		if c.newMode == 0 && !f.IsDelete {
			c.newMode = c.oldMode
		}
		c.readLines()
		c.readSides(base)
		changes = append(changes, c)
	}
	return changes, nil
}

// readLines collects the added and removed lines and notices binary content that was forced to text.
func (c *change) readLines() {
	for _, f := range c.fragments {
		o, n := int(f.OldPosition), int(f.NewPosition)
		for _, l := range f.Lines {
			switch l.Op {
			case gitdiff.OpAdd:
				c.added = append(c.added, line{n, chomp(l.Line)})
				c.addedBytes += len(l.Line)
				c.binary = c.binary || looksBinary(l.Line)
			case gitdiff.OpDelete:
				c.removed = append(c.removed, line{o, chomp(l.Line)})
				c.binary = c.binary || looksBinary(l.Line)
			}
			if l.Old() {
				o++
			}
			if l.New() {
				n++
			}
		}
	}
}

// looksBinary tells bytes that no text file holds from text in an unusual encoding.
func looksBinary(s string) bool {
	if strings.IndexByte(s, 0) >= 0 {
		return true
	}
	control, invalid := 0, 0
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			if s[i] < ' ' && s[i] != '\t' && s[i] != '\r' && s[i] != '\n' && s[i] != '\f' && s[i] != 0x1b {
				control++
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			invalid++
		}
		i += size
	}
	return control > 0 && invalid > 0 && (control+invalid)*10 > len(s)
}

func chomp(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r") }

// readSides completes both sides from the base, or makes do with the hunks where the base is not to be had,
// is too large or is not what the diff was made from.
func (c *change) readSides(base func(string) []byte) {
	if c.binary {
		return
	}
	c.before = hunkSide(c.fragments, true)
	c.after = hunkSide(c.fragments, false)
	switch {
	case c.isNew():
		c.before.whole, c.after.whole = true, true
	case c.isDeleted():
		c.before.whole, c.after.whole = true, true
	case base != nil:
		data := base(c.oldPath)
		if data == nil || len(data) > wholeLimit {
			return
		}
		before := splitLines(data)
		after, ok := apply(before, c.fragments)
		if !ok {
			return
		}
		c.before = side{blocks: []block{{first: 1, lines: before}}, whole: true}
		c.after = side{blocks: []block{{first: 1, lines: after}}, whole: true}
	}
}

func splitLines(data []byte) []string {
	text := strings.TrimSuffix(string(data), "\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, "\r")
	}
	return lines
}

// apply returns the new side of a file, or false when the hunks do not belong to these lines.
func apply(before []string, fragments []*gitdiff.TextFragment) ([]string, bool) {
	after := make([]string, 0, len(before)+16)
	at := 0
	for _, f := range fragments {
		start := int(f.OldPosition)
		if f.OldLines > 0 {
			start--
		}
		if start < at || start > len(before) {
			return nil, false
		}
		after = append(after, before[at:start]...)
		at = start
		for _, l := range f.Lines {
			if l.Old() {
				if at >= len(before) || before[at] != chomp(l.Line) {
					return nil, false
				}
				at++
			}
			if l.New() {
				after = append(after, chomp(l.Line))
			}
		}
	}
	return append(after, before[at:]...), true
}

func hunkSide(fragments []*gitdiff.TextFragment, old bool) side {
	var s side
	for _, f := range fragments {
		b := block{first: int(f.NewPosition), heading: f.Comment}
		if old {
			b.first = int(f.OldPosition)
		}
		for _, l := range f.Lines {
			if old && l.Old() || !old && l.New() {
				b.lines = append(b.lines, chomp(l.Line))
			}
		}
		if len(b.lines) > 0 {
			s.blocks = append(s.blocks, b)
		}
	}
	return s
}
