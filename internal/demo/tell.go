package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"gaggle/internal/fleet"
	"gaggle/internal/store"
)

// teller says what the demo does while it does it. It may be used by several goroutines.
type teller struct {
	mu     sync.Mutex
	w      io.Writer
	began  time.Time
	colour bool
}

// Colours of a terminal, by what they mean.
const (
	plainText = ""
	dim       = "2"
	bold      = "1"
	good      = "32"
	warn      = "33"
	bad       = "31"
	link      = "36"
)

func newTeller(w io.Writer, env func(string) string) *teller {
	t := &teller{w: w, began: time.Now()}
	if f, ok := w.(*os.File); ok && env("NO_COLOR") == "" && env("TERM") != "dumb" {
		info, err := f.Stat()
		t.colour = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	t.colour = t.colour || env("CLICOLOR_FORCE") != "" && env("CLICOLOR_FORCE") != "0"
	return t
}

// paint colours a text for a terminal, after taking out what could steer it.
func (t *teller) paint(how, text string) string {
	text = printable(text)
	if !t.colour || how == plainText || text == "" {
		return text
	}
	return "\x1b[" + how + "m" + text + "\x1b[0m"
}

// printable replaces control characters: a repository's or a model's words must not reach the terminal as commands.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r <= 0x9f {
			return '\uFFFD'
		}
		return r
	}, strings.ReplaceAll(s, "\t", "    "))
}

func (t *teller) line(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintln(t.w, strings.TrimRight(text, " "))
}

// clock is how long the demo has run, in a fixed width.
func (t *teller) clock() string { return fmt.Sprintf("%5.1fs", time.Since(t.began).Seconds()) }

// head begins a part of the demo.
func (t *teller) head(text string) { t.line("\n" + t.paint(bold, text)) }

// step says what is done now.
func (t *teller) step(format string, args ...any) {
	t.line(t.paint(dim, t.clock()) + "  " + t.paint(plainText, fmt.Sprintf(format, args...)))
}

// note says more about the step.
func (t *teller) note(format string, args ...any) {
	t.line("        " + t.paint(plainText, fmt.Sprintf(format, args...)))
}

// command shows the command that does the same.
func (t *teller) command(argv []string) { t.line("        " + t.paint(link, "$ "+shell(argv))) }

// event shows what happened in a run: waves, rounds, and where targets come to rest.
func (t *teller) event(e store.Event) {
	name, how, text := fmt.Sprintf("%-16s ", short(e.Component)), plainText, ""
	switch {
	case e.Component == "":
		name, text, how = "", e.Message, bold
	case e.Kind == "round":
		text, how = e.Message, dim
		if wentBack(e.Message) {
			how = warn
		}
	case e.To == fleet.Proposed:
		text, how = "proposed", good
	case e.To == fleet.Failed || e.To == fleet.Queued && e.Reason != "":
		text, how = fmt.Sprintf("%s: %s: %s", e.To, e.Reason, e.Message), bad
	case e.To == fleet.Unchanged || e.To == fleet.Skipped:
		text, how = fmt.Sprintf("%s: %s", e.To, e.Message), warn
	}
	if text != "" {
		t.line(t.paint(dim, t.clock()) + "  " + printable(name) + t.paint(how, clip(text, 95)))
	}
}

// wentBack reads in a round's line whether anything was held against it.
func wentBack(line string) bool {
	for _, part := range strings.Split(line, ", ") {
		if strings.HasSuffix(part, " failed") || strings.HasSuffix(part, " timed out") || strings.HasSuffix(part, "guard findings") || strings.HasSuffix(part, "veto") {
			return true
		}
	}
	return false
}

// Columns of the table of ends.
const (
	nameWidth = 19
	endWidth  = 11
	whyWidth  = 84
)

// row shows one component's end. A long story takes several lines.
func (t *teller) row(r row) {
	name, end := r.name, r.end
	for _, why := range r.why {
		for _, part := range wrap(why, whyWidth, 2) {
			t.line("  " + printable(fmt.Sprintf("%-*s", nameWidth, name)) + t.paint(r.how, fmt.Sprintf("%-*s", endWidth, end)) + t.paint(plainText, part))
			name, end = "", ""
		}
	}
}

// wrap breaks a text at its spaces into at most so many lines of a width.
func wrap(s string, width, most int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		switch {
		case line == "":
			line = word
		case len(lines) < most-1 && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = "  " + word
		default:
			line += " " + word
		}
	}
	if r := []rune(line); len(r) > width {
		line = string(r[:width-1]) + "…"
	}
	return append(lines, line)
}

// short leaves out what is the same everywhere in a reference.
func short(ref string) string {
	if _, name, ok := strings.Cut(ref, ":"); ok {
		return strings.TrimPrefix(name, "default/")
	}
	return ref
}

// clip makes a text fit on a line.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
