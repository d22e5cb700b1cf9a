package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// screen is where answers go. Text that outsiders may have written cannot steer a terminal through it; JSON keeps its
// meaning and is escaped. The first write that fails is kept, because a full disk must not look like success.
type screen struct {
	w    io.Writer
	json bool
	err  error
}

// Write writes whole characters; a write that ends within one would show it as damaged.
func (s *screen) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	text := plain(string(p))
	if s.json {
		text = escaped(string(p))
	}
	if _, err := io.WriteString(s.w, text); err != nil {
		s.err = err
		return 0, err
	}
	return len(p), nil
}

// steers says whether a terminal, or the eye, could be misled by the character: controls, and those that turn the
// direction of writing.
func steers(r rune) bool {
	switch {
	case r < ' ', r >= 0x7f && r <= 0x9f:
		return r != '\n' && r != '\t'
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c, r == 0x2028, r == 0x2029:
		return true
	}
	return false
}

// plain replaces what steers.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if steers(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// escaped writes what steers in JSON's own way. In JSON such characters stand only within strings.
func escaped(s string) string {
	if strings.IndexFunc(s, steers) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if steers(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// clip makes one line of s, of at most n characters.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(plain(s)), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:max(n-1, 0)]) + "…"
	}
	return s
}

// longest is what one cell of a table may take: longer than every honest name, and finite.
const longest = 160

// table is rows under a head, aligned. An empty cell is a dash, so that a row can be taken apart at its spaces.
type table struct {
	rows   [][]string
	widths []int
}

func newTable(head ...string) *table {
	t := &table{widths: make([]int, len(head))}
	t.row(head...)
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		c = clip(c, longest)
		if c == "" {
			c = "-"
		}
		cells[i] = c
		t.widths[i] = max(t.widths[i], utf8.RuneCountInString(c))
	}
	t.rows = append(t.rows, cells)
}

// maxRows is how many rows are aligned together: a table of any length is printed in finite memory.
const maxRows = 1000

// print writes the rows and forgets them; their widths are kept for those that follow.
func (t *table) print(w io.Writer) {
	for _, cells := range t.rows {
		var b strings.Builder
		for i, c := range cells {
			b.WriteString(c)
			if i < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(c)+2))
			}
		}
		fmt.Fprintln(w, b.String())
	}
	t.rows = t.rows[:0]
}

// terminal says whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// size is how many columns and lines the terminal has; 80 by 24 where it does not say.
func size(w io.Writer) (columns, lines int) {
	if f, ok := w.(*os.File); ok {
		if columns, lines, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 && lines > 0 {
			return columns, lines
		}
	}
	return 80, 24
}

// words says how long something took, in the units that people would choose.
func words(d time.Duration) string {
	switch {
	case d < 0:
		return "no time"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + " s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

func plural(n int, one string) string {
	switch {
	case n == 1:
		return "1 " + one
	case strings.HasSuffix(one, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(one, "y"))
	}
	return fmt.Sprintf("%d %ss", n, one)
}
