package distill

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxLine  = 2000   // bytes of one line that are read
	maxLines = 60_000 // lines that are read: the first and the last half
	maxShown = 240    // runes of one line that are shown
)

// lines splits text into printable lines: no escape sequences, no control characters but the tab, no invisible or
// direction-changing characters, and of a line that was overwritten with carriage returns only what was left standing.
// What is too much is left out in the middle; dropped says how many bytes.
func lines(text []byte) (all []string, dropped int64) {
	text, dropped = middleOut(text)
	for len(text) > 0 {
		var raw []byte
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			raw, text = text[:i], text[i+1:]
		} else {
			raw, text = text, nil
		}
		all = append(all, printable(raw))
	}
	return unstamped(all), dropped
}

// stamped is what code hosts put before each line of a job's log: the time, and on GitLab the stream.
var stamped = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z(?: [0-9a-f]{2}[OE][+ ]?| |$)`)

// unstamped takes the stamps off the lines of a log in which nearly every line has one; a few are the program's own.
func unstamped(all []string) []string {
	said, with := 0, 0
	for _, line := range all {
		if line == "" {
			continue
		}
		said++
		if len(line) > 19 && line[4] == '-' && line[10] == 'T' && stamped.MatchString(line) {
			with++
		} else if said > 20 && with*2 < said {
			return all
		}
	}
	if with*10 < said*9 || said == 0 {
		return all
	}
	for i, line := range all {
		all[i] = stamped.ReplaceAllString(line, "")
	}
	return all
}

// middleOut leaves the first and the last half of maxLines.
func middleOut(text []byte) ([]byte, int64) {
	if bytes.Count(text, []byte("\n")) <= maxLines {
		return text, 0
	}
	head, tail := 0, len(text)
	for range maxLines / 2 {
		head += bytes.IndexByte(text[head:], '\n') + 1
	}
	for range maxLines / 2 {
		tail = bytes.LastIndexByte(text[:tail], '\n')
	}
	return append(text[:head:head], text[tail+1:]...), int64(tail + 1 - head)
}

func printable(raw []byte) string {
	s := string(raw[:min(len(raw), 4*maxLine)])
	s = strings.TrimRight(s, "\r")
	if i := strings.LastIndexByte(s, '\r'); i >= 0 {
		s = s[i+1:]
	}
	plain := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' && s[i] != '\t' || s[i] >= 0x7f {
			plain = false
			break
		}
	}
	if !plain {
		s = strings.Map(keep, stripEscapes(strings.ToValidUTF8(s, "\uFFFD")))
	}
	if len(s) > maxLine {
		s = strings.ToValidUTF8(s[:maxLine], "")
	}
	return strings.TrimRightFunc(s, unicode.IsSpace)
}

func keep(r rune) rune {
	switch {
	case r == '\t':
		return r
	case unicode.IsSpace(r) && r != '\u2028' && r != '\u2029' && !unicode.IsControl(r):
		return ' '
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r), r == '\u2028', r == '\u2029':
		return -1
	}
	return r
}

// stripEscapes removes terminal escape sequences: CSI, OSC and other strings, charset choices, single ones.
func stripEscapes(s string) string {
	if !strings.ContainsAny(s, "\x1b\u009b") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], "\u009b"):
			i += controlSequence(s[i+2:]) + 2
		case s[i] != '\x1b':
			b.WriteByte(s[i])
			i++
		case i+1 == len(s):
			i++
		case s[i+1] == '[':
			i += 2 + controlSequence(s[i+2:])
		case strings.IndexByte("]PX^_", s[i+1]) >= 0: // a string that ends with BEL or ST
			rest := s[i+2:]
			end, width := len(rest), 0
			if k := strings.IndexByte(rest, '\a'); k >= 0 {
				end, width = k, 1
			}
			if k := strings.Index(rest, "\x1b\\"); k >= 0 && k < end {
				end, width = k, 2
			}
			i += 2 + end + width
		case strings.IndexByte("()*+-./ #%", s[i+1]) >= 0:
			i += min(3, len(s)-i)
		default:
			i += 2
		}
	}
	return b.String()
}

// controlSequence returns the length of what follows "ESC [" up to and with its final byte.
func controlSequence(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x40 && s[i] <= 0x7e {
			return i + 1
		}
		if s[i] < 0x20 || s[i] >= 0x7f {
			return i
		}
	}
	return len(s)
}

// What differs between two runs of the same code, and what stands for it.
var unstable = []struct {
	what *regexp.Regexp
	mark string
}{
	{regexp.MustCompile(`\s*[\(\[]\d+(\.\d+)?\s?(ms|s|µs|ns|sec|seconds?|m)\b[^)\]]{0,12}[\)\]]`), ""},
	{regexp.MustCompile(`\b(in|after|took|elapsed:?|Duration:?|duration_ms:?|time[=:]) ?"?\d+(\.\d+)?( ?(ms|s|µs|ns|sec|secs|seconds?|m))?"?(\b|$)`), "$1 <time>"},
	{regexp.MustCompile(`\b\d{4}[-/]\d{2}[-/]\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?( ?(Z|UTC|[+-]\d{2}:?\d{2}))?\b`), "<time>"},
	{regexp.MustCompile(`\b\d{2}:\d{2}:\d{2}([.,]\d+)?\b`), "<time>"},
	{regexp.MustCompile(`\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b`), "<uuid>"},
	{regexp.MustCompile(`(file://)?(/private)?/(tmp|var/tmp|var/folders|dev/shm)/[^\s:;,'"()<>\]]+`), "<tmp>"},
	{regexp.MustCompile(`\b0x[0-9a-fA-F]{6,16}\b`), "0x…"},
	{regexp.MustCompile(`((127\.\d+\.\d+\.\d+|localhost|0\.0\.0\.0|\[::1?\])):[3-6]\d{4}\b`), "$1:<port>"},
	{regexp.MustCompile(`\b(goroutine|pid|PID|thread|process)([ =:]+)\d+\b`), "$1$2N"},
	{regexp.MustCompile(`@[0-9a-f]{6,8}\b`), "@…"}, // Java's identity hash
}

// stable removes from a line what differs from run to run, and makes paths below the root relative to it.
func stable(line, root string) string {
	line = underRoot(line, root)
	digits := strings.ContainsAny(line, "0123456789")
	if !digits && !strings.Contains(line, "/tmp/") && !strings.Contains(line, "/var/") && !strings.Contains(line, "/dev/shm/") {
		return line
	}
	for _, u := range unstable {
		line = u.what.ReplaceAllString(line, u.mark)
	}
	return line
}

func underRoot(line, root string) string {
	if root == "" || root == "/" || !strings.Contains(line, root) {
		return line
	}
	line = strings.ReplaceAll(line, "file://"+root+"/", "")
	return strings.ReplaceAll(line, root+"/", "")
}

// shown makes a line fit to be read: tabs as blanks, runs of blanks inside squeezed, not too long.
func shown(line string) string {
	line = strings.TrimRight(strings.ReplaceAll(line, "\t", "    "), " ")
	body := strings.TrimLeft(line, " ")
	indent := min(len(line)-len(body), 12)
	if strings.Contains(body, "   ") {
		body = blanks.ReplaceAllString(body, "  ")
	}
	line = strings.Repeat(" ", indent) + body
	if utf8.RuneCountInString(line) > maxShown {
		line = string([]rune(line)[:maxShown-1]) + "…"
	}
	return line
}

var blanks = regexp.MustCompile(` {3,}`)
