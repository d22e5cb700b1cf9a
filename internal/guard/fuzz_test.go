package guard

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"gaggle/internal/fleet"
)

// FuzzCheck feeds Check diffs that git would never make: it may refuse them, and must neither panic nor hang.
func FuzzCheck(f *testing.F) {
	for _, c := range readCorpus(f)[:20] {
		for name, text := range c.before {
			f.Add([]byte("diff --git a/"+name+" b/"+name+"\nindex 1..2 100644\n--- a/"+name+"\n+++ b/"+name+"\n@@ -1,2 +1 @@ "+name+"\n a\n-b\n"), []byte(text), c.in.Prompt)
		}
	}
	for _, diff := range oddDiffs {
		f.Add([]byte(diff), []byte("a\nb\n"), "Remove the tests.")
	}
	f.Fuzz(func(t *testing.T, diff, base []byte, prompt string) {
		for _, b := range []func(string) []byte{nil, func(string) []byte { return base }} {
			findings, err := Check(Input{Diff: diff, Base: b, Prompt: prompt, Paths: []string{"**/*.go", "!x/**"}, ComponentPath: "a"})
			if err != nil && fleet.CodeOf(err) != fleet.CodeInvalid {
				t.Fatalf("code %s: %v", fleet.CodeOf(err), err)
			}
			for _, one := range findings {
				if ruleNamed(one.Rule) == nil || one.Message == "" || !utf8.ValidString(one.Excerpt) || strings.ContainsAny(one.Excerpt, "\n") {
					t.Fatalf("finding %+v", one)
				}
			}
		}
	})
}

// oddDiffs are shapes of git's output that are easily read wrong.
var oddDiffs = []string{
	"",
	"diff --git a/a b/a\nold mode 100644\nnew mode 100755\n",
	"diff --git a/a_test.go b/b_test.go\nsimilarity index 100%\nrename from a_test.go\nrename to b_test.go\n",
	"diff --git a/a_test.go b/b_test.go\nsimilarity index 100%\ncopy from a_test.go\ncopy to b_test.go\n",
	"diff --git a/e b/e\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\n",
	"diff --git a/e b/e\ndeleted file mode 100644\nindex e69de29bb2d1d6434b8b29ae775ad8c2e48c5391..0000000000000000000000000000000000000000\n",
	"diff --git \"a/tab\\there\\303\\244.go\" \"b/tab\\there\\303\\244.go\"\nindex 1..2 100644\n--- \"a/tab\\there\\303\\244.go\"\n+++ \"b/tab\\there\\303\\244.go\"\n@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n",
	"diff --git a/with space.py b/with space.py\nindex 1..2 100644\n--- a/with space.py\t\n+++ b/with space.py\t\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n",
	"diff --git a/l b/l\ndeleted file mode 100644\nindex 1..0\n--- a/l\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\ndiff --git a/l b/l\nnew file mode 120000\nindex 0..2\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n",
	"diff --git a/sub b/sub\nindex 1..2 160000\n--- a/sub\n+++ b/sub\n@@ -1 +1 @@\n-Subproject commit 1111111111111111111111111111111111111111\n+Subproject commit 2222222222222222222222222222222222222222\n",
	"diff --git a/b.bin b/b.bin\nindex 1..2 100644\nGIT binary patch\nliteral 3\nKcmYdfNCp4_i2%g_\n\nliteral 3\nKcmYdfNCE%>hycU@\n\n",
	"diff --git a/b.bin b/b.bin\nindex 1..2 100644\nBinary files a/b.bin and b/b.bin differ\n",
	"diff --git a/c.txt b/c.txt\r\nindex 1..2 100644\r\n--- a/c.txt\r\n+++ b/c.txt\r\n@@ -1 +1 @@\r\n-a\r\n+b\r\n",
	"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n",
	"not a diff",
	"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n-a\n",
	"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -99999999999999999999,1 +1 @@\n-a\n",
}

func TestOddDiffs(t *testing.T) {
	want := map[int][]string{1: {modeChanged}, 8: {symlinkUnsafe}, 9: {submoduleChanged}, 10: {binaryContent}, 11: {binaryContent}}
	for i, diff := range oddDiffs {
		findings, err := Check(Input{Diff: []byte(diff)})
		if i >= len(oddDiffs)-3 {
			if fleet.CodeOf(err) != fleet.CodeInvalid || err == nil {
				t.Errorf("%d: a broken diff is taken: %v", i, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%d: %v", i, err)
			continue
		}
		var rules []string
		for _, f := range findings {
			rules = append(rules, f.Rule)
		}
		if fmt.Sprint(rules) != fmt.Sprint(want[i]) {
			t.Errorf("%d: %v, want %v", i, rules, want[i])
		}
	}
}

// hugeDiff is a diff of that many files, tests and code, with every kind of line that rules look at.
func hugeDiff(files int) []byte {
	var b bytes.Buffer
	for i := range files {
		name := fmt.Sprintf("pkg%d/file%d_test.go", i%50, i)
		if i%3 == 0 {
			name = fmt.Sprintf("pkg%d/file%d.go", i%50, i)
		}
		fmt.Fprintf(&b, "diff --git a/%s b/%s\nindex 1..2 100644\n--- a/%s\n+++ b/%s\n", name, name, name, name)
		for h := range 4 {
			fmt.Fprintf(&b, "@@ -%d,13 +%d,13 @@ func TestThing%d(t *testing.T) {\n", 1+40*h, 1+40*h, h)
			fmt.Fprintf(&b, " \tx := ioutil.ReadAll(r%d)\n-\tif got := Do%d(%d); got != %d {\n-\t\tt.Errorf(\"got %%v\", got)\n-\t}\n+\trequire.Equal(t, %d, Do%d(%d))\n+\t// see https://example.com/%d\n+\tuse(\"text %d\")\n", i, i, h, h*i, h*i, i, h, i, i)
			fmt.Fprintf(&b, " }\n \n-func TestGone%d%d(t *testing.T) {\n-\tassert.Equal(t, %d, Other(%d))\n-}\n+func TestNew%d%d(t *testing.T) {\n+\tassert.Equal(t, %d, Other(%d))\n+}\n \n-var a%d = 1\n-var b%d = 2\n+var a%d = 2\n+var b%d = 3\n \n", i, h, i, h, i, h, i, h, i, i, i, i)
		}
	}
	return b.Bytes()
}

// TestHugeDiff keeps the work in proportion to the diff: four times the diff may cost no more than some eight
// times the allocations.
func TestHugeDiff(t *testing.T) {
	count := func(files int) float64 {
		diff := hugeDiff(files)
		return testing.AllocsPerRun(1, func() {
			if _, err := Check(Input{Diff: diff}); err != nil {
				t.Fatal(err)
			}
		})
	}
	small, large := count(50), count(200)
	if large > 8*small {
		t.Errorf("%.0f allocations for 50 files, %.0f for 200", small, large)
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, files := range []int{100, 1000, 4000} {
		diff := hugeDiff(files)
		b.Run(fmt.Sprintf("%dkB", len(diff)>>10), func(b *testing.B) {
			b.SetBytes(int64(len(diff)))
			for range b.N {
				if _, err := Check(Input{Diff: diff}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
