package distill_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"gaggle/internal/fleet"
	"gaggle/internal/verify/distill"
)

var tools = []string{"go", "node", "python", "maven", "gradle", "cargo", "dotnet", "make", "bazel", "pre-commit", "shell"}

// sound checks what must hold for any output at all.
func sound(t testing.TB, in distill.Input) []fleet.Failure {
	t.Helper()
	failures, unread := distill.Failures(in)
	if len(failures) == 0 || len(failures) > 1000 {
		t.Fatalf("%d failures", len(failures))
	}
	seen := map[string]bool{}
	for _, f := range failures {
		if seen[f.Key] {
			t.Errorf("key %q stands twice", f.Key)
		}
		seen[f.Key] = true
		if f.Key == "" || len(f.Key) > 400 || len(f.Lines) == 0 {
			t.Errorf("bad failure %+v", f)
		}
	}
	shown := distill.Render(failures, unread, distill.MaxLines)
	if len(shown) == 0 || len(shown) > distill.MaxLines {
		t.Errorf("%d lines", len(shown))
	}
	if what, line, ok := distill.Missing(in); ok {
		shown = append(shown, what, line)
	}
	shown = append(shown, distill.Passed(in))
	for _, line := range shown {
		if utf8.RuneCountInString(line) > 260 || !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
		}) {
			t.Errorf("unfit line %q", line)
		}
	}
	return failures
}

func FuzzDistill(f *testing.F) {
	for _, g := range corpus(f) {
		f.Add(uint8(slices.Index(tools, g.in.Tool)), g.in.Text)
	}
	f.Add(uint8(0), []byte("\x1b]8;;http://evil\x07link\x1b]8;;\x07 a.go:1:2: x\u202e\r\n\x00\xff"))
	f.Fuzz(func(t *testing.T, tool uint8, text []byte) {
		in := distill.Input{Tool: tools[int(tool)%len(tools)], Text: text, Exit: 1, Root: "/srv/work", Dir: "web", Modules: map[string]string{"example.org/shop": "."}}
		first := sound(t, in)
		if again, _ := distill.Failures(in); fmt.Sprint(first) != fmt.Sprint(again) {
			t.Error("two readings differ")
		}
	})
}

// TestHostileOutput reads what an agent could print to hang, flood or fool the reader.
func TestHostileOutput(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 1<<16)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for name, text := range map[string]string{
		"empty":          "",
		"blank":          strings.Repeat("\n", 70_000),
		"random bytes":   string(noise),
		"one long line":  strings.Repeat("error ", 50_000),
		"open escape":    "\x1b]" + strings.Repeat("x", 100_000),
		"failed tests":   strings.Repeat("--- FAIL: TestX (0.00s)\n    a_test.go:1: no\n", 2_000),
		"packages":       strings.Repeat("FAIL\texample.org/shop/x [build failed]\n", 2_000),
		"ava":            strings.Repeat("  ✘ [fail]: a\n", 2_000),
		"tap":            strings.Repeat("not ok 1 - x\n  ---\n", 2_000),
		"deep tap":       strings.Repeat(" ", 1000) + "not ok 1 - x\n",
		"jest":           strings.Repeat("  ● a › b\n", 2_000),
		"pytest":         strings.Repeat("____ test_x ____\n", 2_000) + "=== short test summary info ===\n" + strings.Repeat("FAILED a.py::test_x - no\n", 2_000),
		"panics":         strings.Repeat("panic: x\n", 2_000),
		"races":          strings.Repeat("WARNING: DATA RACE\n", 2_000),
		"maven":          strings.Repeat("[ERROR] A.b(A)  Time elapsed: 0 s <<< FAILURE!\n", 2_000),
		"cargo":          strings.Repeat("---- x stdout ----\n", 2_000),
		"hooks":          strings.Repeat("x....................Failed\n", 2_000),
		"places":         strings.Repeat("a.c:1:1: error: x\n", 2_000),
		"tracebacks":     strings.Repeat("Traceback (most recent call last):\n", 2_000),
		"made of crlf":   strings.Repeat("a\rb\r\n", 2_000),
		"nested braces":  strings.Repeat("Error: x {\n", 2_000),
		"many of places": manyPlaces(1500),
	} {
		t.Run(name, func(t *testing.T) {
			for _, tool := range []string{"go", "node", "python", "shell"} { // shell asks every reader
				sound(t, distill.Input{Tool: tool, Text: []byte(text), Exit: 1, Root: "/srv/work", Dir: ".", Cut: 12345})
			}
		})
	}
}

func manyPlaces(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "src/f%d.c:%d:1: error: no %d\n", i, i, i)
	}
	return b.String()
}

func TestUnreadIsSaid(t *testing.T) {
	text := strings.Repeat("chatter\n", 100_000) + "a.c:1:1: error: x\n"
	failures, unread := distill.Failures(distill.Input{Tool: "make", Text: []byte(text), Cut: 1000})
	if len(failures) != 1 || unread < 1000+8*40_000-20 || unread > 1000+8*40_000+20 {
		t.Errorf("%d failures, %d bytes unread", len(failures), unread)
	}
}

// TestKeysOutliveMovedLines adds lines above everything and lets time pass: no key may change.
func TestKeysOutliveMovedLines(t *testing.T) {
	place := regexp.MustCompile(`(\.\w{1,4}["']?(?:, line |:line |:\[|\(|:))(\d{1,3})\b`)
	clock := regexp.MustCompile(`\b0\.\d+( ?m?s\b)`)
	for _, g := range corpus(t) {
		if g.in.Exit == 0 || strings.Contains(g.name, "unknown") || g.name == "maven/pom-fail" || g.name == "go/gomod-fail" {
			continue
		}
		moved := g.in
		moved.Text = place.ReplaceAllFunc(g.in.Text, func(m []byte) []byte {
			s := place.FindSubmatch(m)
			var n int
			fmt.Sscan(string(s[2]), &n)
			return fmt.Appendf(slices.Clone(s[1]), "%d", n+100)
		})
		moved.Text = clock.ReplaceAll(moved.Text, []byte("7.77$1"))
		if a, b := keys(g.in), keys(moved); !slices.Equal(a, b) {
			t.Errorf("%s:\n%q\n%q", g.name, a, b)
		}
	}
}

func keys(in distill.Input) []string {
	var all []string
	failures, _ := distill.Failures(in)
	for _, f := range failures {
		all = append(all, f.Key)
	}
	return all
}

func TestRenderSaysWhatItLeavesOut(t *testing.T) {
	failures, _ := distill.Failures(distill.Input{Tool: "make", Text: []byte(manyPlaces(200))})
	shown := distill.Render(failures, 4096, distill.MaxLines)
	if last := shown[len(shown)-2]; len(shown) != distill.MaxLines || last != "… 144 more" || !strings.Contains(shown[len(shown)-1], "4 KB") {
		t.Errorf("%d lines, ends with %q", len(shown), shown[len(shown)-2:])
	}
	long := distill.Render([]fleet.Failure{{Key: "a", Lines: strings.Split(strings.Repeat("x\n", 200), "\n")}, {Key: "b", Lines: []string{"y"}}}, 0, 20)
	if len(long) > 20 || long[len(long)-1] != "y" || !strings.Contains(long[len(long)-2], "more line") {
		t.Errorf("%q", long)
	}
}

func TestCleaning(t *testing.T) {
	for text, want := range map[string]string{
		"\x1b[31ma.c:1:2:\x1b[0m error: x\x1b[K":                              "a.c:1:2: error: x",
		"progress 10%\rprogress 99%\ra.c:1:2: error: y\r":                     "a.c:1:2: error: y",
		"\x1b]8;;file:///etc\x1b\\a.c:1:2: error: z\x1b]8;;\x1b\\":            "a.c:1:2: error: z",
		"a.c:1:2: error: bad\u202e\u200b name\u2066":                          "a.c:1:2: error: bad name",
		"file:///srv/work/b/a.c:1:2: error: in /tmp/x.1/y took 12ms":          "b/a.c:1:2: error: in <tmp> took <time>",
		"/srv/work/b/a.c:1:2: error: at 0xc000123456 on 127.0.0.1:54321":      "b/a.c:1:2: error: at 0x… on 127.0.0.1:<port>",
		"a.c:1:2: error: id 123e4567-e89b-12d3-a456-426614174000 at 10:11:12": "a.c:1:2: error: id <uuid> at <time>",
	} {
		failures, _ := distill.Failures(distill.Input{Tool: "make", Text: []byte(text), Root: "/srv/work"})
		got := distill.Render(failures, 0, 10)
		if len(got) != 1 || got[0] != want {
			t.Errorf("%q\n got %q\nwant %q", text, got, want)
		}
	}
}

// TestTestsThatMissANetworkMissNoToolchain: what a failing test prints must not pass the whole run off as not runnable.
func TestTestsThatMissANetworkMissNoToolchain(t *testing.T) {
	for tool, text := range map[string]string{
		"go":     "--- FAIL: TestFetch (0.00s)\n    a_test.go:3: Get \"http://x\": dial tcp: lookup x: no such host\nFAIL\tex/a\t0.1s\n",
		"gradle": "\nFetchTest > fetches() FAILED\n    java.net.UnknownHostException at FetchTest.java:12\n",
		"cargo":  "     Running unittests src/lib.rs (target/debug/deps/a-1)\n---- fetches stdout ----\nerror: failed to download x\n\nfailures:\n    fetches\n",
		"node":   "  1 failing\n\n  1) fetch\n       works:\n     Error: npm error code ENOTFOUND\n",
		"maven":  "[INFO] Building release version 3.2\n[ERROR] ex.FetchTest.fetches -- Time elapsed: 0.1 s <<< ERROR!\njava.net.UnknownHostException: x\n",
	} {
		if what, line, gone := distill.Missing(distill.Input{Tool: tool, Text: []byte(text), Exit: 1}); gone {
			t.Errorf("%s: %s (%s)", tool, what, line)
		}
	}
}
