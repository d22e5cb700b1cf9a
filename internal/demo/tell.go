package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

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

// event shows what happened in a run: rounds, and where targets come to rest.
func (t *teller) event(e store.Event) {
	name, how, text := short(e.Component), plainText, ""
	switch {
	case e.Kind == "round":
		text = e.Message
		how = dim
	case e.Component == "" && e.Message != "":
		name, text, how = "", e.Message, bold
	case e.To == fleet.Proposed:
		text, how = "proposed", good
	case e.To == fleet.Failed || e.To == fleet.Queued && e.Reason != "":
		text, how = strings.TrimSpace(string(e.To)+" "+string(e.Reason)+": "+clip(e.Message, 80)), bad
	case e.To == fleet.Unchanged || e.To == fleet.Skipped:
		text, how = string(e.To)+": "+clip(e.Message, 80), warn
	default:
		return
	}
	t.line(t.paint(dim, t.clock()) + "  " + t.paint(plainText, fmt.Sprintf("%-18s", name)) + " " + t.paint(how, text))
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
