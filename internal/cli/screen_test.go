package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// hostile is what somebody might put into a name or a message: a screen cleared, a title set, a line turned round.
const hostile = "a\x1b[2Jb\x1b]0;t\x07c\u009b31md\x7f\u202ee\r\u2066f"

func TestNothingSteersTheTerminal(t *testing.T) {
	var out bytes.Buffer
	s := &screen{w: &out}
	if _, err := s.Write([]byte("x\ty\n" + hostile + "\n")); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(out.String(), steers); i >= 0 {
		t.Errorf("%q holds a character that steers at %d", out.String(), i)
	}
	if !strings.HasPrefix(out.String(), "x\ty\n") {
		t.Errorf("%q lost honest text", out.String())
	}
}

func TestJSONKeepsItsMeaning(t *testing.T) {
	var out bytes.Buffer
	a := &App{Stdout: &out, json: true, text: &screen{w: &out}}
	if err := a.line(map[string]string{"name": hostile}); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(out.String(), steers); i >= 0 {
		t.Errorf("%q holds a character that steers at %d", out.String(), i)
	}
	var back map[string]string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["name"] != hostile {
		t.Errorf("came back as %q, %v", back["name"], err)
	}
}

func FuzzPlain(f *testing.F) {
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{plain(s), clip(s, 20), cut(s, 20)} {
			if strings.IndexFunc(got, steers) >= 0 {
				t.Errorf("%q became %q", s, got)
			}
		}
		if got := clip(s, 20); utf8.RuneCountInString(got) > 20 || strings.ContainsAny(got, "\n\t") {
			t.Errorf("%q became %q", s, got)
		}
		if got := cut(s, 20); utf8.RuneCountInString(got) > 20 {
			t.Errorf("%q became %q", s, got)
		}
	})
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	table := newTable("NAME", "OWNER", "WHY")
	table.row("é", "", "one\nline")
	table.row("longer", "b", strings.Repeat("x", 500))
	table.print(&out)
	lines := strings.Split(out.String(), "\n")
	want := []string{"NAME    OWNER  WHY", "é       -      one line", "longer  b      " + strings.Repeat("x", longest-1) + "…", ""}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q", lines)
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "no time", 0: "0 ms", 40 * time.Millisecond: "40 ms", 3 * time.Second: "3 s", 1500 * time.Millisecond: "1.5 s", 59 * time.Second: "59 s",
		80 * time.Second: "1 min 20 s", 125 * time.Minute: "2 h 5 min", 72 * time.Hour: "3 days",
	} {
		if got := words(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAnAnswerThatCannotBeWrittenIsAnError(t *testing.T) {
	var problems bytes.Buffer
	app := &App{Stdout: fullDisk{}, Stderr: &problems, Env: func(string) string { return "" }}
	if code := Run(t.Context(), app, []string{"schema"}); code != ExitBroken || !strings.Contains(problems.String(), "no space left") {
		t.Errorf("exit %d: %s", code, problems.String())
	}
}
