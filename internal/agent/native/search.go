package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// Bounds of what one look at the tree returns.
const (
	maxEntries  = 500
	maxMatches  = 200
	maxWalk     = 200_000 // files looked at
	maxSearched = 1 << 20 // bytes of a file that is searched
	maxShown    = 400     // bytes of a line that is shown
	searchTime  = time.Minute
)

// passedOver names folders that a look from above does not go into; they can be named themselves.
var passedOver = map[string]bool{".git": true, "node_modules": true, "vendor": true, ".venv": true, "__pycache__": true, "target": false}

func (t *tools) list(in input) (string, error) {
	p, err := t.ground.place(in.Path)
	if err != nil {
		return "", err
	}
	entries, err := fs.ReadDir(t.ground.root.FS(), p)
	if err != nil {
		return "", t.ground.plain(err)
	}
	var b strings.Builder
	for i, e := range entries {
		if i == maxEntries {
			fmt.Fprintf(&b, "(%d more entries)\n", len(entries)-i)
			break
		}
		name := e.Name()
		switch {
		case e.IsDir():
			name += "/"
		case e.Type()&fs.ModeSymlink != 0:
			name += " (link)"
		case !e.Type().IsRegular():
			name += " (special)"
		default:
			if info, err := e.Info(); err == nil {
				name += fmt.Sprintf(" (%d bytes)", info.Size())
			}
		}
		b.WriteString(clean(name) + "\n")
	}
	if b.Len() == 0 {
		return "(empty)", nil
	}
	return b.String(), nil
}

var errEnough = errors.New("enough")

func (t *tools) search(ctx context.Context, in input) (string, error) {
	re, err := regexp.Compile(in.Pattern)
	if err != nil {
		return "", fmt.Errorf("the pattern is no regular expression (RE2): %w", err)
	}
	start, err := t.ground.place(in.Path)
	if err != nil {
		return "", err
	}
	if in.Glob != "" && !doublestar.ValidatePattern(in.Glob) {
		return "", fmt.Errorf("%q is no glob", in.Glob)
	}
	ctx, stop := context.WithTimeout(ctx, searchTime)
	defer stop()
	var b strings.Builder
	files, matches, looked := 0, 0, 0
	cut := ""
	err = fs.WalkDir(t.ground.root.FS(), start, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			if p == start {
				return err
			}
			return nil // what cannot be read is passed over, as grep does
		}
		if e.IsDir() {
			if p != start && passedOver[e.Name()] {
				return fs.SkipDir
			}
			return nil
		}
		if looked++; looked > maxWalk || ctx.Err() != nil {
			cut = "the tree is large and was not searched to its end; name a path"
			return errEnough
		}
		if !e.Type().IsRegular() || !globFits(in.Glob, t.ground.shown(p)) {
			return nil
		}
		n := t.searchFile(&b, re, p, in.FilesOnly, maxMatches-matches)
		if n > 0 {
			files++
			matches += n
		}
		if matches >= maxMatches && !in.FilesOnly || files >= maxEntries || b.Len() > maxOutput {
			cut = "there is more; search for something narrower"
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return "", t.ground.plain(err)
	}
	if b.Len() == 0 {
		b.WriteString("no match\n")
	}
	if cut != "" {
		b.WriteString("(" + cut + ")\n")
	}
	return b.String(), nil
}

// searchFile writes the matching lines of a file, at most limit of them, and returns how many.
func (t *tools) searchFile(b *strings.Builder, re *regexp.Regexp, p string, nameOnly bool, limit int) int {
	f, err := t.ground.root.Lstat(filepath.FromSlash(p))
	if err != nil || f.Size() > maxSearched {
		return 0
	}
	text, _, err := t.ground.read(p)
	if err != nil || bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
		return 0
	}
	if nameOnly {
		if !re.Match(text) {
			return 0
		}
		b.WriteString(clean(t.ground.shown(p)) + "\n")
		return 1
	}
	n, line := 0, 0
	for len(text) > 0 && n < limit {
		line++
		one, rest, _ := bytes.Cut(text, []byte("\n"))
		text = rest
		if re.Match(one) {
			n++
			fmt.Fprintf(b, "%s:%d: %s\n", clean(t.ground.shown(p)), line, short(string(bytes.TrimRight(one, "\r")), maxShown))
		}
	}
	return n
}

// globFits matches a glob with the path, or with the base name when the glob has no slash.
func globFits(glob, p string) bool {
	if glob == "" {
		return true
	}
	if !strings.Contains(glob, "/") {
		p = path.Base(p)
	}
	ok, err := doublestar.Match(strings.TrimPrefix(glob, "./"), p)
	return ok && err == nil
}

// clean makes a name one line.
func clean(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, name)
}

func short(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + " … (the line is longer)"
}
