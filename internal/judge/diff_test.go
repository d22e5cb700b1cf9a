package judge

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestDiffsAreRead(t *testing.T) {
	d := readDiff([]byte(`diff --git a/old.go b/new.go
similarity index 90%
rename from old.go
rename to new.go
--- a/old.go
+++ b/new.go
@@ -1,2 +1,3 @@ func
 same
-diff --git a/fake b/fake
+@@ -1 +1 @@
+--- a/fake
@@ -10 +11 @@
--- gone
+++ came
\ No newline at end of file
diff --git "a/tab\there \"q\".go" "b/tab\there \"q\".go"
deleted file mode 100644
--- "a/tab\there \"q\".go"
+++ /dev/null
@@ -1 +0,0 @@
-x
diff --git a/a b/c b/a b/c
new file mode 100755
diff --git a/img b/img
GIT binary patch
literal 5
@@ not a hunk
`))
	type hunkLines struct{ from, to int }
	type want struct {
		name           string
		added, deleted int
		hunks          []hunkLines
	}
	var got []want
	for _, f := range d.files {
		w := want{f.name, f.added, f.deleted, nil}
		for _, h := range f.hunks {
			w.hunks = append(w.hunks, hunkLines{h.from, h.to})
		}
		got = append(got, w)
	}
	wants := []want{{"new.go", 3, 2, []hunkLines{{1, 3}, {11, 11}}}, {"tab\there \"q\".go", 0, 1, []hunkLines{{0, 0}}}, {"a b/c", 0, 0, nil}, {"img", 0, 0, nil}}
	if !reflect.DeepEqual(got, wants) {
		t.Errorf("got  %+v\nwant %+v", got, wants)
	}
	for name, want := range map[string]string{"new.go": "new.go", "b/new.go": "new.go", "a/img": "img", "old.go": "", "": "", "tab\there \"q\".go": "tab\there \"q\".go"} {
		if got, ok := d.named(name); got != want || ok != (want != "") {
			t.Errorf("%q is %q %v", name, got, ok)
		}
	}
	for line, want := range map[int]int{-5: 1, 1: 1, 2: 2, 6: 3, 8: 11, 99: 11} {
		if got := d.near("new.go", line); got != want {
			t.Errorf("line %d is near %d, want %d", line, got, want)
		}
	}
}

// checkParts holds what must be true of every diff: nothing is cut away, and no part is too long to be shown.
func checkParts(t interface{ Fatalf(string, ...any) }, diff []byte, size int) {
	d := readDiff(diff)
	var sections []byte
	for _, f := range d.files {
		sections = append(sections, f.head...)
		for _, h := range f.hunks {
			sections = append(sections, h.text...)
		}
	}
	if !bytes.Equal(sections, diff) {
		t.Fatalf("%q was read as %q", diff, sections)
	}
	var all []byte
	for i, p := range d.split(size) {
		if len(p.text) == 0 {
			t.Fatalf("part %d of %q is empty", i, diff)
		}
		if n := len(visible(p.text)); n > max(size, len(`\u{10ffff}`)) {
			t.Fatalf("part %d takes %d bytes of %d", i, n, size)
		}
		if utf8.Valid(diff) && !utf8.Valid(p.text) {
			t.Fatalf("part %d is cut inside a character", i)
		}
		all = append(all, p.text...)
	}
	if !bytes.Equal(all, diff) {
		t.Fatalf("parts of %d bytes: %q became %q", size, diff, all)
	}
}

func TestNothingIsCutAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for range rapid.IntRange(1, 6).Draw(t, "files") {
			name := rapid.SampledFrom([]string{"a.go", "dir/b c.go", "\"q\\t\"", "é.go"}).Draw(t, "name")
			fmt.Fprintf(&b, "diff --git a/%s b/%s\n--- a/%s\n+++ b/%s\n", name, name, name, name)
			for range rapid.IntRange(0, 3).Draw(t, "hunks") {
				n := rapid.IntRange(0, 12).Draw(t, "lines")
				fmt.Fprintf(&b, "@@ -1,%d +1,%d @@\n", rapid.IntRange(0, 14).Draw(t, "old"), n)
				for range n {
					b.WriteString(rapid.SampledFrom([]string{"+", "-", " ", "\\ ", "@@ ", "diff --git ", "", "+++ b/"}).Draw(t, "mark"))
					b.WriteString(rapid.StringN(0, 40, 120).Draw(t, "text") + "\n")
				}
			}
		}
		text := []byte(b.String())
		if rapid.Bool().Draw(t, "no newline at the end") {
			text = bytes.TrimRight(text, "\n")
		}
		if len(text) > 0 {
			checkParts(t, text, rapid.IntRange(12, 400).Draw(t, "size"))
		}
	})
}

func TestLongLinesAndBinariesAreShownWhole(t *testing.T) {
	for name, text := range map[string]string{
		"one line":       smallDiff + "+" + strings.Repeat("x", 10_000),
		"letters":        smallDiff + "+" + strings.Repeat("漢", 10_000) + "\n",
		"binary":         smallDiff + "+" + strings.Repeat("\x00\xff\x89PNG", 2_000) + "\n",
		"no diff at all": strings.Repeat("hello\n", 2000),
	} {
		checkParts(t, []byte(text), 1000)
		for i, p := range readDiff([]byte(text)).split(1000) {
			if i > 0 && p.context == "" && name != "no diff at all" {
				t.Errorf("%s: part %d does not say where it begins", name, i)
			}
		}
	}
}

func TestPartsEndWhereFilesDo(t *testing.T) {
	parts := readDiff(longDiff(20, 20)).split(2000)
	for i, p := range parts {
		if !bytes.HasPrefix(p.text, []byte("diff --git ")) || p.context != "" {
			t.Errorf("part %d begins with %.60q, %q", i, p.text, p.context)
		}
	}
	if len(parts) > 7 {
		t.Errorf("%d parts", len(parts))
	}
}

func FuzzDiff(f *testing.F) {
	f.Add([]byte(smallDiff), uint16(40))
	f.Add([]byte("@@ -1 +1 @@\n+a\ndiff --git a b\n\\ x\n\n@@ -9999999999999999999999 @@"), uint16(13))
	f.Add([]byte("\n\ndiff --git \"a/\\xff\" \"b/\\377\"\nGIT binary patch\n"), uint16(1))
	f.Fuzz(func(t *testing.T, diff []byte, size uint16) {
		if len(diff) > 0 {
			checkParts(t, diff, int(size)+len(`\u{10ffff}`))
		}
	})
}
