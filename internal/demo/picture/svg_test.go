package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestSpans(t *testing.T) {
	for text, want := range map[string]string{
		"plain <b> & c": "plain &lt;b&gt; &amp; c",
		"\x1b[2m  1.0s\x1b[0m  x \x1b[32mproposed\x1b[0m": `<tspan class="d">  1.0s</tspan>  x <tspan class="g">proposed</tspan>`,
		"\x1b[95modd\x1b[0m":                              "odd",
		"broken \x1b[3":                                   "broken ",
		strings.Repeat("é", columns):                      strings.Repeat("é", columns),
		strings.Repeat("é", columns+1):                    strings.Repeat("é", columns-1) + "…",
	} {
		if got := spans(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestPaceCutsWaitsAndKeepsOrder(t *testing.T) {
	var lines []line
	for i := range 100 {
		lines = append(lines, line{at: time.Duration(i*i) * 10 * time.Millisecond})
	}
	lines = append(lines, line{at: 0}) // a clock that went back
	times := pace(lines)
	for i := 1; i < len(times); i++ {
		if d := times[i] - times[i-1]; d < 0 || d > longest {
			t.Fatalf("line %d waits %s", i, d)
		}
	}
	if got := times[len(times)-1]; got > whole || got < whole-time.Second {
		t.Errorf("ends after %s", got)
	}
}

func TestDrawIsWellFormedAndSmall(t *testing.T) {
	var lines []line
	for i := range 120 {
		lines = append(lines, line{at: time.Duration(i) * time.Second, text: fmt.Sprintf("\x1b[2m%5.1fs\x1b[0m  a-component      \x1b[33mround 1: <%d> & \"quotes\"\x1b[0m", float64(i), i)})
	}
	svg := draw("gaggle demo", lines)
	if len(svg) > 60_000 {
		t.Errorf("%d bytes", len(svg))
	}
	for dec := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(string(svg), fmt.Sprintf("translateY(%dpx);animation", -80*lineHeight)) {
		t.Error("it does not end at the last line")
	}
	if draw("empty", nil) == nil {
		t.Error("nothing")
	}
}
