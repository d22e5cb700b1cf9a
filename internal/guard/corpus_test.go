package guard

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gaggle/internal/fleet"
)

// corpusCase is one diff with what must be said of it. Files under testdata/corpus are archives: a head of
// "key: value" lines, then files named before/… and after/…. A file that stands under both= is on both sides.
//
//	kind: honest or tampered
//	prompt: what the campaign asks for; may stand several times, for several lines
//	want: rule file[:line]   of a tampered diff, once for each finding
//	paths:, allow:, component:   as in Input, separated by spaces
//	mode: 100755 after/x.sh   another mode than 100644; 120000 makes a symbolic link of the content
//	hunks: no    when the hunks alone, without the files before, cannot show it
type corpusCase struct {
	name          string
	tampered      bool
	in            Input
	want          []string
	hunks         bool
	before, after map[string]string
	modes         map[string]string
}

func readCorpus(t testing.TB) []corpusCase {
	files, err := filepath.Glob("testdata/corpus/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	var out []corpusCase
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, files := splitArchive(string(data))
		c := corpusCase{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), hunks: true, before: map[string]string{}, after: map[string]string{}, modes: map[string]string{}}
		for _, l := range strings.Split(head, "\n") {
			key, value, ok := strings.Cut(l, ":")
			value = strings.TrimSpace(value)
			switch {
			case strings.TrimSpace(l) == "" || strings.HasPrefix(l, "#"):
			case !ok:
				t.Fatalf("%s: %q is no head line", file, l)
			case key == "kind":
				c.tampered = value == "tampered"
			case key == "prompt":
				c.in.Prompt += value + "\n"
			case key == "want":
				c.want = append(c.want, value)
			case key == "paths":
				c.in.Paths = strings.Fields(value)
			case key == "allow":
				c.in.Allow = strings.Fields(value)
			case key == "component":
				c.in.ComponentPath = value
			case key == "mode":
				mode, name, _ := strings.Cut(value, " ")
				c.modes[name] = mode
			case key == "hunks":
				c.hunks = value != "no"
			default:
				t.Fatalf("%s: unknown key %q", file, key)
			}
		}
		for _, f := range files {
			text := unescape(strings.NewReplacer("␀", "\x00", "␍", "\r").Replace(f[1]))
			side, name, _ := strings.Cut(f[0], "/")
			switch side {
			case "before":
				c.before[name] = text
			case "after":
				c.after[name] = text
			case "both":
				c.before[name], c.after[name] = text, text
			default:
				t.Fatalf("%s: file %q is on no side", file, f[0])
			}
		}
		if c.tampered != (len(c.want) > 0) {
			t.Fatalf("%s: a tampered diff wants findings, an honest one none", file)
		}
		c.in.Base = func(p string) []byte {
			if text, ok := c.before[p]; ok {
				return []byte(text)
			}
			return nil
		}
		out = append(out, c)
	}
	return out
}

// splitArchive reads a head and files that are each led in by "-- name --".
func splitArchive(text string) (head string, files [][2]string) {
	for _, l := range strings.SplitAfter(text, "\n") {
		if name, ok := strings.CutPrefix(strings.TrimSpace(l), "-- "); ok && strings.HasSuffix(name, " --") && strings.HasPrefix(l, "-- ") {
			files = append(files, [2]string{strings.TrimSuffix(name, " --"), ""})
		} else if n := len(files); n > 0 {
			files[n-1][1] += l
		} else {
			head += l
		}
	}
	return head, files
}

// unescape writes ‹U+202E› as the character: the corpus itself hides nothing.
func unescape(text string) string {
	for {
		i := strings.Index(text, "‹U+")
		if i < 0 {
			return text
		}
		var r rune
		if _, err := fmt.Sscanf(text[i+len("‹U+"):], "%X›", &r); err != nil {
			return text
		}
		end := strings.Index(text[i:], "›") + len("›")
		text = text[:i] + string(r) + text[i+end:]
	}
}

// diffs makes the cases' diffs with git itself, in one repository.
func diffs(t testing.TB, cases []corpusCase) [][]byte {
	dir := t.TempDir()
	git := func(stdin []byte, args ...string) []byte {
		cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1"}
		cmd.Stdin = bytes.NewReader(stdin)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %s: %v: %s", args[0], err, errs.String())
		}
		return out
	}
	git(nil, "init", "-q", "--bare")
	var b bytes.Buffer
	for i, c := range cases {
		for side, files := range map[string]map[string]string{"before": c.before, "after": c.after} {
			fmt.Fprintf(&b, "commit refs/heads/%s-%d\ncommitter x <x@x> 0 +0000\ndata 0\n", side, i)
			names := make([]string, 0, len(files))
			for name := range files {
				names = append(names, name)
			}
			slices.Sort(names)
			for _, name := range names {
				text, mode := files[name], c.modes[side+"/"+name]
				switch mode {
				case "160000":
					fmt.Fprintf(&b, "M 160000 %s %s\n", strings.TrimSpace(text), name)
					continue
				case "120000":
					text = strings.TrimSpace(text)
				case "":
					mode = "100644"
				}
				fmt.Fprintf(&b, "M %s inline %q\ndata %d\n%s\n", mode, name, len(text), text)
			}
		}
	}
	git(b.Bytes(), "fast-import", "--quiet")
	out := make([][]byte, len(cases))
	for i := range cases {
		out[i] = git(nil, "diff", "--binary", "--full-index", "-M", fmt.Sprintf("before-%d", i), fmt.Sprintf("after-%d", i))
	}
	return out
}

// TestCorpus judges every diff twice: with the files before, and by its hunks alone. Each honest diff must give no
// finding, each tampered one exactly the rules that it wants.
func TestCorpus(t *testing.T) {
	cases := readCorpus(t)
	all := diffs(t, cases)
	var right, annoying, missed int
	for i, c := range cases {
		for _, how := range []string{"whole", "hunks"} {
			if how == "hunks" && !c.hunks {
				continue
			}
			t.Run(c.name+"/"+how, func(t *testing.T) {
				in := c.in
				in.Diff = all[i]
				if len(in.Diff) == 0 {
					t.Fatal("the case has no diff")
				}
				if how == "hunks" {
					in.Base = nil
				}
				findings, err := Check(in)
				if err != nil {
					t.Fatal(err)
				}
				wanted := map[string]bool{}
				for _, w := range c.want {
					if !slices.ContainsFunc(findings, func(f fleet.Finding) bool { return fits(w, f, how == "whole") }) {
						missed++
						t.Errorf("not found: %s", w)
					} else {
						right++
					}
					rule, _, _ := strings.Cut(w, " ")
					wanted[rule] = true
				}
				for _, f := range findings {
					if !wanted[f.Rule] {
						annoying++
						t.Errorf("should not be found: %s %s:%d %s | %s", f.Rule, f.File, f.Line, f.Message, f.Excerpt)
					}
					if f.File == "" || f.Message == "" {
						t.Errorf("a finding lacks its file or message: %+v", f)
					}
				}
			})
		}
	}
	if len(cases) < 120 {
		t.Errorf("the corpus has %d cases", len(cases))
	}
	t.Logf("%d cases: precision %.3f, recall %.3f", len(cases), float64(right)/float64(max(right+annoying, 1)), float64(right)/float64(max(right+missed, 1)))
}

// fits compares "rule file[:line]" with a finding; a line counts only where the whole file was read.
func fits(want string, f fleet.Finding, lines bool) bool {
	rule, place, _ := strings.Cut(want, " ")
	if rule != f.Rule {
		return false
	}
	file, num, has := strings.Cut(place, ":")
	return file == "" || file == f.File && (!has || !lines || num == fmt.Sprint(f.Line))
}
