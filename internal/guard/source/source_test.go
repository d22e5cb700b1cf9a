package source

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// render writes what was read of a file: its units with their assertions, marks and rows.
func render(f *File) string {
	var b strings.Builder
	for _, u := range f.Units {
		if u.Kind == Rest && len(u.Asserts)+len(u.Marks)+len(u.Rows) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s %q lines %d-%d", []string{"rest", "test", "helper", "suite"}[u.Kind], u.Name, u.Line, u.End)
		if u.Found {
			b.WriteString(" found")
		}
		if u.Sub {
			b.WriteString(" sub")
		}
		b.WriteByte('\n')
		for _, a := range u.Asserts {
			fmt.Fprintf(&b, "  %d: %s %v %v strength %d", a.Line, a.Op, a.Subject, a.Literals, a.Strength())
			if a.Trivial {
				b.WriteString(" trivial")
			}
			if a.Tolerance > 0 {
				fmt.Fprintf(&b, " within %.3g", a.Tolerance)
			}
			b.WriteByte('\n')
		}
		for _, m := range u.Marks {
			fmt.Fprintf(&b, "  %d: mark %s, conditional %v\n", m.Line, m.Kind, m.Conditional)
		}
		for _, r := range u.Rows {
			fmt.Fprintf(&b, "  %d: row %s %v\n", r.Line, r.Label, r.Literals)
		}
	}
	return b.String()
}

// TestRead reads one file a language and compares with what a person checked; -update writes it anew.
func TestRead(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	if len(files) < 10 {
		t.Fatalf("%d files", len(files))
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got := render(Read(Of(strings.TrimSuffix(file, ".txt")), []Block{{First: 1, Lines: strings.Split(string(data), "\n")}}))
		golden := strings.TrimSuffix(file, ".txt") + ".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || string(want) != got {
			t.Errorf("%s: %v\n%s", file, err, got)
		}
	}
}

// TestLexKeepsEveryByte checks that tokens are slices of the text in order, with the right line numbers.
func TestLexKeepsEveryByte(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		data, _ := os.ReadFile(file)
		lines := strings.Split(string(data), "\n")
		last := 0
		for _, k := range Of(strings.TrimSuffix(file, ".txt")).Lex(lines, 1) {
			first, _, _ := strings.Cut(k.Text, "\n")
			if k.Line < last || k.Line > len(lines) || !strings.Contains(lines[k.Line-1], first) {
				t.Fatalf("%s: token %q is not on line %d", file, k.Text, k.Line)
			}
			last = k.Line
		}
	}
}

func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	var seeds []string // extensions, so that the fuzzer chooses the language
	for _, file := range files {
		data, _ := os.ReadFile(file)
		f.Add(string(data), "func TestX(t *testing.T) {", len(seeds))
		seeds = append(seeds, filepath.Ext(strings.TrimSuffix(file, ".txt")))
	}
	for ext := range byExt {
		if !slices.Contains(seeds, ext) {
			seeds = append(seeds, ext)
		}
	}
	slices.Sort(seeds[10:])
	f.Add("\"\"\"a\n'''\n`${`${\n/*\n*/ <<EOF\nEOF\n r#\"\"# =begin\n=end /x[/]/", "x", 9)
	f.Fuzz(func(t *testing.T, text, heading string, lang int) {
		lines := strings.Split(text, "\n")
		l := Of("a" + seeds[max(lang, -lang, 0)%len(seeds)])
		Read(l, []Block{{First: 1 + max(lang, 0)%3, Lines: lines, Heading: heading}, {First: 2000, Lines: lines[len(lines)/2:]}})
	})
}
