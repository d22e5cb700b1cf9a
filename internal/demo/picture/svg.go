package main

import (
	"bytes"
	"fmt"
	"html"
	"strings"
	"time"
)

// line is one line of a terminal and when it came.
type line struct {
	at   time.Duration
	text string // with the colours of package demo: SGR 1, 2, 31, 32, 33, 36 and 0
}

// The terminal's measures, in characters and in pixels.
const (
	columns = 116
	rows    = 40

	charWidth  = 8 // at most, of the usual monospace fonts at 13 pixels
	lineHeight = 18
	margin     = 16
	bar        = 34 // the window's bar
)

// The recording's pace.
const (
	longest = 700 * time.Millisecond // wait between two lines
	whole   = 26 * time.Second       // at most
)

// classes are the styles by SGR code.
var classes = map[string]string{"1": "b", "2": "d", "31": "r", "32": "g", "33": "y", "36": "c"}

const style = `text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#c9d1d9;white-space:pre}
.b{fill:#f0f6fc;font-weight:600}.d{fill:#7d8590}.r{fill:#ff7b72}.g{fill:#3fb950}.y{fill:#d29922}.c{fill:#79c0ff}
@keyframes in{from{opacity:0}to{opacity:1}}
.l{animation:in 1ms both}
`

// draw renders the recording.
func draw(title string, lines []line) []byte {
	times := pace(lines)
	width := columns*charWidth + 2*margin
	height := bar + rows*lineHeight + 2*margin
	last := max(0, len(lines)-rows)
	end := time.Second
	if n := len(times); n > 0 {
		end += times[n-1]
	}

	var b bytes.Buffer
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"%s in a terminal\">\n",
		width, height, width, height, html.EscapeString(title))
	b.WriteString("<style>" + style)
	// The screen scrolls in steps; its style outside of the animation is where it ends.
	fmt.Fprintf(&b, ".s{transform:translateY(%dpx);animation:s %.2fs step-end both}\n@keyframes s{0%%{transform:none}", -last*lineHeight, end.Seconds())
	for i := rows; i < len(lines); i++ {
		fmt.Fprintf(&b, "%.2f%%{transform:translateY(%dpx)}", 100*times[i].Seconds()/end.Seconds(), -(i-rows+1)*lineHeight)
	}
	b.WriteString("}\n@media(prefers-reduced-motion:reduce){.l,.s{animation:none}}\n</style>\n")
	fmt.Fprintf(&b, "<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#0d1117\"/>\n<g fill=\"#30363d\"><circle cx=\"20\" cy=\"17\" r=\"6\"/><circle cx=\"40\" cy=\"17\" r=\"6\"/><circle cx=\"60\" cy=\"17\" r=\"6\"/></g>\n", width, height)
	fmt.Fprintf(&b, "<text x=\"%d\" y=\"21\" text-anchor=\"middle\" class=\"d\">%s</text>\n", width/2, html.EscapeString(title))
	fmt.Fprintf(&b, "<svg x=\"0\" y=\"%d\" width=\"%d\" height=\"%d\"><g class=\"s\">\n", bar, width, height-bar-margin/2)
	for i, l := range lines {
		if strings.TrimSpace(l.text) == "" {
			continue
		}
		fmt.Fprintf(&b, "<text class=\"l\" style=\"animation-delay:%.2fs\" x=\"%d\" y=\"%d\" xml:space=\"preserve\">%s</text>\n", times[i].Seconds(), margin, i*lineHeight+13, spans(l.text))
	}
	b.WriteString("</g></svg>\n</svg>\n")
	return b.Bytes()
}

// pace cuts long waits short and squeezes the whole into its time.
func pace(lines []line) []time.Duration {
	times := make([]time.Duration, len(lines))
	for i := 1; i < len(lines); i++ {
		times[i] = times[i-1] + min(max(lines[i].at-lines[i-1].at, 0), longest)
	}
	if n := len(times); n > 0 && times[n-1] > whole {
		squeeze := float64(whole) / float64(times[n-1])
		for i := range times {
			times[i] = time.Duration(float64(times[i]) * squeeze)
		}
	}
	return times
}

// spans turns a terminal's colours into styled spans, and cuts what does not fit.
func spans(text string) string {
	var b strings.Builder
	left, class := columns, ""
	for text != "" {
		code, rest, escape := strings.Cut(text, "\x1b[")
		if r := []rune(code); len(r) > left {
			code, rest, escape = string(r[:max(left-1, 0)])+"…", "", false
		} else {
			left -= len(r)
		}
		switch {
		case code == "":
		case class != "":
			fmt.Fprintf(&b, "<tspan class=\"%s\">%s</tspan>", class, html.EscapeString(code))
		default:
			b.WriteString(html.EscapeString(code))
		}
		if !escape {
			break
		}
		sgr, after, _ := strings.Cut(rest, "m")
		class, text = classes[sgr], after
	}
	return b.String()
}
